//! One object as many: each function and each variable, in whose section nothing else is, becomes an object of its own.
//!
//! What is local in the one object and needed in another part gets a name that begins with `rt0_`, hidden, so that no shared
//! library shows it. A constant that linkers merge goes into each part that refers to it.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, ensure};
use object::build::Id;
use object::build::elf::{Builder, Relocation, Section, SectionData, SectionId, Symbol, SymbolId};
use object::elf::{
    SHF_MERGE, SHF_STRINGS, SHN_ABS, SHN_UNDEF, SHT_NULL, SHT_STRTAB, SHT_SYMTAB, STB_GLOBAL, STB_LOCAL, STB_WEAK,
    STT_NOTYPE, STT_SECTION, STV_DEFAULT, STV_HIDDEN,
};

/// How sections begin that are left out, with what relocates them: bitcode that rustc puts beside machine code, and tables for
/// unwinding. Nothing unwinds.
const UNWANTED: [&str; 5] = [".llvmbc", ".llvmcmd", ".comment", ".eh_frame", ".ARM.exidx"];

/// How names begin that Rust makes, and that no C compiler calls.
const RUST: [&[u8]; 3] = [b"_ZN", b"_R", b"__rust_"];

/// A name that an object defines or needs.
#[derive(Clone)]
struct Name {
    text: String,
    kind: u8,
    bind: u8,
    visibility: u8,
}

impl Name {
    fn plain(text: &str) -> Name {
        Name { text: text.into(), kind: STT_NOTYPE, bind: STB_GLOBAL, visibility: STV_DEFAULT }
    }

    fn hidden(text: &str) -> Name {
        Name { visibility: STV_HIDDEN, ..Name::plain(text) }
    }
}

/// The one object.
pub(crate) struct Objects<'data> {
    elf: Builder<'data>,
    /// The names of symbols that are not local when all is split.
    names: BTreeMap<usize, Name>,
    /// For each section that is in a program, what goes with it; a section by its number.
    groups: BTreeMap<usize, Vec<SectionId>>,
}

/// What becomes an object.
pub(crate) struct Part<'a> {
    whole: &'a Objects<'a>,
    sections: &'a [SectionId],
    /// A name of the part, and another one for the same place.
    pub(crate) beside: Vec<(&'a str, String)>,
    /// Names that are needed without being referred to.
    pub(crate) needs: Vec<&'static str>,
}

impl<'data> Objects<'data> {
    pub(crate) fn of(mut elf: Builder<'data>) -> Result<Objects<'data>> {
        for section in &mut elf.sections {
            let name = String::from_utf8_lossy(&section.name).into_owned();
            let of = name.strip_prefix(".rela").or(name.strip_prefix(".rel")).unwrap_or(&name);
            section.delete = UNWANTED.iter().any(|start| name.starts_with(start) || of.starts_with(start));
        }
        elf.delete_orphans();
        let mut whole = Objects { elf, names: BTreeMap::new(), groups: BTreeMap::new() };
        whole.group()?;
        whole.name()?;
        Ok(whole)
    }

    /// The relocations of each section, with the section.
    fn relocations(&self) -> impl Iterator<Item = (SectionId, &Section<'data>, &[Relocation])> {
        self.elf.sections.iter().filter_map(|section| match (&section.data, section.sh_info_section) {
            (SectionData::Relocation(relocations), Some(of)) => Some((of, section, relocations.as_slice())),
            _ => None,
        })
    }

    fn symbol(&self, id: SymbolId) -> &Symbol<'data> {
        self.elf.symbols.get(id)
    }

    /// Each section is a group. What nobody can refer to is a note for the kernel, and goes with `_start`.
    fn group(&mut self) -> Result<()> {
        let named = |symbol: &&Symbol<'_>| symbol.st_bind() != STB_LOCAL || symbol.name.as_slice() == b"_start";
        let mut referred: BTreeSet<usize> =
            self.elf.symbols.iter().filter(named).filter_map(|symbol| Some(symbol.section?.index())).collect();
        for (_, _, relocations) in self.relocations() {
            let symbols = relocations.iter().filter_map(|relocation| relocation.symbol);
            referred.extend(symbols.filter_map(|id| Some(self.symbol(id).section?.index())));
        }
        let start = self.elf.symbols.iter().find(|symbol| symbol.name.as_slice() == b"_start");
        let start = start.and_then(|symbol| symbol.section);
        for section in self.elf.sections.iter().filter(|section| section.is_alloc() && !is_merged(section)) {
            let id = section.id();
            if referred.contains(&id.index()) {
                self.groups.entry(id.index()).or_default().push(id);
            } else if self.elf.section_size(section) > 0 {
                let start = start.with_context(|| format!("nobody refers to {}", section.name))?;
                self.groups.entry(start.index()).or_default().push(id);
            }
        }
        Ok(())
    }

    /// Names what parts need of each other, and makes local what only Rust knows.
    fn name(&mut self) -> Result<()> {
        let home: BTreeMap<usize, usize> =
            self.groups.iter().flat_map(|(group, sections)| sections.iter().map(|id| (id.index(), *group))).collect();
        let mut needed = BTreeSet::new();
        for (of, _, relocations) in self.relocations() {
            for id in relocations.iter().filter_map(|relocation| relocation.symbol) {
                let section = self.symbol(id).section.and_then(|section| home.get(&section.index()));
                if section.is_some_and(|section| Some(section) != home.get(&of.index())) {
                    needed.insert(id.index());
                }
            }
        }
        let mut taken = BTreeSet::new();
        for symbol in &self.elf.symbols {
            let id = symbol.id().index();
            let Some(section) = symbol.section else {
                if symbol.st_shndx == SHN_UNDEF && !symbol.name.is_empty() {
                    self.names.insert(id, Name { bind: symbol.st_bind(), ..Name::plain(&symbol.name.to_string()) });
                }
                continue;
            };
            let is_rusts = RUST.iter().any(|start| symbol.name.starts_with(start));
            let is_exported = symbol.st_bind() != STB_LOCAL && !is_rusts;
            if is_exported || needed.contains(&id) {
                let section = self.elf.sections.get(section);
                let (own, kind) = match symbol.st_type() {
                    STT_SECTION => (section.name.to_string(), STT_NOTYPE),
                    kind => (symbol.name.to_string(), kind),
                };
                let name = if is_exported {
                    // Where a linker does not look at the index (LLD), a program with a libc may get this one; its own comes first.
                    let bind = if own == "_start" { STB_WEAK } else { symbol.st_bind() };
                    Name { kind, bind, ..Name::plain(&own) }
                } else {
                    Name { kind, ..Name::hidden(&format!("rt0_{own}")) }
                };
                ensure!(taken.insert(name.text.clone()), "{} is there twice", name.text);
                self.names.insert(id, name);
            }
        }
        Ok(())
    }

    /// The section of a constant that linkers merge.
    fn merged(&self, id: SymbolId) -> Option<&Section<'data>> {
        let section = self.elf.sections.get(self.symbol(id).section?);
        is_merged(section).then_some(section)
    }

    /// Has a part need what another one defines, or a program.
    fn refer(&self, out: &mut Builder<'data>, id: SymbolId) -> SymbolId {
        let name = &self.names[&id.index()];
        let bind = if self.symbol(id).section.is_some() { STB_GLOBAL } else { name.bind };
        add(out, &Name { kind: STT_NOTYPE, bind, ..name.clone() }).id()
    }

    pub(crate) fn parts(&self) -> Vec<Part<'_>> {
        let part = |sections| Part { whole: self, sections, beside: Vec::new(), needs: Vec::new() };
        self.groups.values().map(|sections| part(sections)).collect()
    }

    /// An object without code or data, which defines names, weakly, as the number 0, and needs others.
    pub(crate) fn names(&self, defined: &[&str], needed: &[&str]) -> Result<Vec<u8>> {
        let mut out = self.empty();
        for name in defined {
            add(&mut out, &Name { bind: STB_WEAK, ..Name::hidden(name) }).st_shndx = SHN_ABS;
        }
        for name in needed {
            add(&mut out, &Name::plain(name));
        }
        write(out)
    }

    /// An object for the same CPU with nothing in it but what linkers read of every object.
    fn empty(&self) -> Builder<'data> {
        let mut out = Builder::new(self.elf.endian, self.elf.is_64);
        let header = &self.elf.header;
        (out.header.os_abi, out.header.abi_version) = (header.os_abi, header.abi_version);
        (out.header.e_type, out.header.e_machine, out.header.e_flags) =
            (header.e_type, header.e_machine, header.e_flags);
        let tables = [
            (".symtab", SHT_SYMTAB, SectionData::Symbol),
            (".strtab", SHT_STRTAB, SectionData::String),
            (".shstrtab", SHT_STRTAB, SectionData::SectionString),
        ];
        for (name, sh_type, data) in tables {
            let section = out.sections.add();
            section.name = name.into();
            section.sh_type = sh_type;
            section.data = data;
        }
        for section in &self.elf.sections {
            let is_plain = matches!(section.data, SectionData::Data(_) | SectionData::Attributes(_));
            if !section.is_alloc() && is_plain && section.sh_type != SHT_NULL && !section.name.is_empty() {
                copy(&mut out, section);
            }
        }
        out
    }
}

impl<'a> Part<'a> {
    /// The names that a C program can say.
    pub(crate) fn exported(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        self.own().filter(|name| name.visibility == STV_DEFAULT).map(|name| name.text.as_str())
    }

    /// All names that other objects can say.
    pub(crate) fn defined(&self) -> impl Iterator<Item = &str> {
        self.own().map(|name| name.text.as_str()).chain(self.beside.iter().map(|(_, name)| name.as_str()))
    }

    fn own(&self) -> impl Iterator<Item = &'a Name> + use<'a> {
        let (whole, sections) = (self.whole, self.sections);
        let symbols = whole.elf.symbols.iter().filter(|symbol| symbol.section.is_some_and(|at| sections.contains(&at)));
        symbols.filter_map(|symbol| whole.names.get(&symbol.id().index()))
    }

    /// The object.
    pub(crate) fn written(&self) -> Result<Vec<u8>> {
        let whole = self.whole;
        let mut out = whole.empty();
        let sections: BTreeMap<usize, SectionId> =
            self.sections.iter().map(|id| (id.index(), copy(&mut out, whole.elf.sections.get(*id)))).collect();
        let mut symbols = BTreeMap::new();
        for symbol in &whole.elf.symbols {
            let Some(section) = symbol.section.and_then(|at| sections.get(&at.index())) else { continue };
            let name = whole.names.get(&symbol.id().index()).cloned().unwrap_or_else(|| Name {
                kind: symbol.st_type(),
                bind: STB_LOCAL,
                ..Name::plain(&symbol.name.to_string())
            });
            let made = define(&mut out, &name, *section, symbol);
            symbols.insert(symbol.id().index(), made);
            for (_, other) in self.beside.iter().filter(|(first, _)| *first == name.text) {
                define(&mut out, &Name { kind: name.kind, ..Name::hidden(other) }, *section, symbol);
            }
        }
        let mut constants = Constants::default();
        for (of, section, relocations) in whole.relocations() {
            let Some(of) = sections.get(&of.index()) else { continue };
            let mut moved = Vec::new();
            for relocation in relocations {
                let mut relocation = *relocation;
                if let Some(id) = relocation.symbol {
                    let made = match symbols.get(&id.index()) {
                        Some(made) => *made,
                        None => match whole.merged(id) {
                            Some(section) => constants.add(&mut out, section, whole.symbol(id)),
                            None => whole.refer(&mut out, id),
                        },
                    };
                    symbols.insert(id.index(), made);
                    relocation.symbol = Some(made);
                }
                moved.push(relocation);
            }
            let symtab = out.sections.iter().find(|section| section.sh_type == SHT_SYMTAB).map(Section::id);
            let made = add_like(&mut out, section);
            made.sh_link_section = symtab;
            made.sh_info_section = Some(*of);
            made.data = SectionData::Relocation(moved);
        }
        for name in &self.needs {
            add(&mut out, &Name::plain(name));
        }
        write(out)
    }
}

/// The constants of one part that linkers merge.
#[derive(Default)]
struct Constants {
    /// The copy of a section, by the number of that: first of all of it, then of single constants.
    copies: BTreeMap<(usize, bool), SectionId>,
}

impl Constants {
    /// A symbol for what one of the whole object is for: it has its own place in a copy of the section, which has those
    /// constants alone that the part refers to. Where relocations say the place themselves the copy has to be of all.
    fn add<'data>(&mut self, out: &mut Builder<'data>, of: &Section<'data>, symbol: &Symbol<'data>) -> SymbolId {
        let (len, value) = (of.sh_entsize as usize, symbol.st_value as usize);
        let is_whole = symbol.st_type() == STT_SECTION || of.sh_flags & u64::from(SHF_STRINGS) != 0;
        let made = *self.copies.entry((of.id().index(), is_whole)).or_insert_with(|| {
            let made = copy(out, of);
            if !is_whole {
                out.sections.get_mut(made).data = SectionData::Data(Vec::new().into());
            }
            made
        });
        let mut place = value;
        if let (false, SectionData::Data(all), SectionData::Data(some)) =
            (is_whole, &of.data, &mut out.sections.get_mut(made).data)
        {
            place = some.len() + value % len;
            let mut bytes = some.to_vec();
            bytes.extend(&all[value / len * len..][..len]);
            *some = bytes.into();
        }
        let name = Name { kind: symbol.st_type(), bind: STB_LOCAL, ..Name::plain(&symbol.name.to_string()) };
        let symbol = add(out, &name);
        symbol.section = Some(made);
        symbol.st_value = place as u64;
        symbol.id()
    }
}

fn is_merged(section: &Section<'_>) -> bool {
    section.sh_flags & u64::from(SHF_MERGE) != 0
}

/// Adds a symbol that is undefined so far.
fn add<'b, 'data>(out: &'b mut Builder<'data>, name: &Name) -> &'b mut Symbol<'data> {
    let symbol = out.symbols.add();
    symbol.name = name.text.clone().into_bytes().into();
    symbol.set_st_info(name.bind, name.kind);
    symbol.st_other = name.visibility;
    symbol
}

/// Defines a name where a symbol of the whole object is.
fn define<'data>(out: &mut Builder<'data>, name: &Name, section: SectionId, at: &Symbol<'data>) -> SymbolId {
    let symbol = add(out, name);
    (symbol.section, symbol.st_value, symbol.st_size) = (Some(section), at.st_value, at.st_size);
    symbol.id()
}

fn copy<'data>(out: &mut Builder<'data>, section: &Section<'data>) -> SectionId {
    let made = add_like(out, section);
    made.data = section.data.clone();
    made.id()
}

/// Adds a section with the name and the kind of another one, and without data.
fn add_like<'b, 'data>(out: &'b mut Builder<'data>, section: &Section<'data>) -> &'b mut Section<'data> {
    let made = out.sections.add();
    made.name = section.name.clone();
    made.sh_type = section.sh_type;
    made.sh_flags = section.sh_flags;
    made.sh_addralign = section.sh_addralign;
    made.sh_entsize = section.sh_entsize;
    made
}

fn write(mut out: Builder<'_>) -> Result<Vec<u8>> {
    out.set_section_sizes();
    let mut bytes = Vec::new();
    out.write(&mut bytes)?;
    Ok(bytes)
}
