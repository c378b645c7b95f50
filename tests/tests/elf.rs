//! The files that `make dist` writes: what a kernel reads of a program before the program runs.

use anyhow::{Context, Result, ensure};
use object::elf::*;
use object::read::elf::{ElfFile, ElfFile32, ElfFile64, FileHeader, ProgramHeader, SectionHeader, Sym};
use object::{Endianness, FileKind, Object, ObjectSection};
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job, Outcome};
use rt0_tests::run::machine::Machine;
use rt0_tests::run::make::{make, root};
use rt0_tests::run::qemu::linux::Kernel;
use std::fs;
use std::path::{Path, PathBuf};

/// `sys/sys/elf_common.h`.
const NT_FREEBSD_ABI_TAG: u32 = 1;

/// The parts of a program's file that are checked, in the same form for both widths of a word.
#[derive(Default)]
struct Program {
    class: u8,
    machine: u16,
    os_abi: u8,
    kind: u16,
    flags: u32,
    entry: u64,
    segments: Vec<Segment>,
    /// The notes in PT_NOTE segments: where the segment ends in the file, the note's name and its type.
    notes: Vec<(u64, String, u32)>,
    sections: Vec<Section>,
    /// The symbols' names and values.
    symbols: Vec<(String, u64)>,
    /// The functions' names and sizes.
    functions: Vec<(String, u64)>,
}

#[derive(Debug)]
struct Segment {
    kind: u32,
    flags: u32,
    offset: u64,
    address: u64,
    size: u64,
    align: u64,
}

struct Section {
    kind: u32,
    flags: u64,
    size: u64,
}

impl Program {
    fn read(file: &Path) -> Result<Program> {
        let data = fs::read(file)?;
        match FileKind::parse(&*data)? {
            FileKind::Elf32 => Self::from(&ElfFile32::parse(&*data)?),
            FileKind::Elf64 => Self::from(&ElfFile64::parse(&*data)?),
            other => anyhow::bail!("{other:?}, no ELF file"),
        }
    }

    fn from<Elf: FileHeader<Endian = Endianness>>(file: &ElfFile<'_, Elf>) -> Result<Program> {
        let (header, endian, data) = (file.elf_header(), file.endian(), file.data());
        let mut program = Program {
            class: header.e_ident().class,
            machine: header.e_machine(endian),
            os_abi: header.e_ident().os_abi,
            kind: header.e_type(endian),
            flags: header.e_flags(endian),
            entry: header.e_entry(endian).into(),
            ..Program::default()
        };
        ensure!(endian == Endianness::Little, "{endian:?} endian");
        for segment in file.elf_program_headers() {
            program.segments.push(Segment {
                kind: segment.p_type(endian),
                flags: segment.p_flags(endian),
                offset: segment.p_offset(endian).into(),
                address: segment.p_vaddr(endian).into(),
                size: segment.p_memsz(endian).into(),
                align: segment.p_align(endian).into(),
            });
            if let Some(mut notes) = segment.notes(endian, data)? {
                let end = segment.p_offset(endian).into() + segment.p_filesz(endian).into();
                while let Some(note) = notes.next()? {
                    let name = String::from_utf8_lossy(note.name()).into_owned();
                    program.notes.push((end, name, note.n_type(endian)));
                }
            }
        }
        for section in file.elf_section_table().iter() {
            program.sections.push(Section {
                kind: section.sh_type(endian),
                flags: section.sh_flags(endian).into(),
                size: section.sh_size(endian).into(),
            });
        }
        let symbols = file.elf_symbol_table();
        for symbol in symbols.iter() {
            let name = String::from_utf8_lossy(symbol.name(endian, symbols.strings())?).into_owned();
            if symbol.st_type() == STT_FUNC {
                program.functions.push((name.clone(), symbol.st_size(endian).into()));
            }
            program.symbols.push((name, symbol.st_value(endian).into()));
        }
        Ok(program)
    }

    fn of_kind(&self, kind: u32) -> impl Iterator<Item = &Segment> {
        self.segments.iter().filter(move |segment| segment.kind == kind)
    }

    /// How many bytes a loaded program occupies, in all its sections.
    fn loaded(&self) -> u64 {
        self.sections
            .iter()
            .filter(|section| section.flags & u64::from(SHF_ALLOC) != 0)
            .map(|section| section.size)
            .sum()
    }

    /// How many bytes of code and data are in the file: [`loaded`](Self::loaded) without what begins as zeroes.
    fn code(&self) -> u64 {
        self.loaded() - self.sections.iter().filter(|section| section.kind == SHT_NOBITS).map(|s| s.size).sum::<u64>()
    }

    /// How many bytes of address space there are from the first page to the last.
    fn image(&self) -> u64 {
        let first = self.of_kind(PT_LOAD).map(|segment| segment.address / 4096 * 4096).min();
        let last = self.of_kind(PT_LOAD).map(|segment| (segment.address + segment.size).next_multiple_of(4096)).max();
        last.unwrap_or(0) - first.unwrap_or(0)
    }

    fn has_symbol_like(&self, word: &str) -> Option<&str> {
        self.symbols.iter().map(|(name, _)| &**name).find(|name| name.to_lowercase().contains(word))
    }

    /// Checks what holds for every program of `port`, whether it is position-independent or not.
    fn check(&self, port: Port) -> Result<()> {
        let (class, machine) = match port {
            Port::linux_386 | Port::freebsd_386 => (ELFCLASS32, EM_386),
            Port::linux_amd64 | Port::freebsd_amd64 => (ELFCLASS64, EM_X86_64),
            Port::linux_arm => (ELFCLASS32, EM_ARM),
        };
        ensure!((self.class, self.machine) == (class, machine), "class {}, machine {}", self.class, self.machine);
        let os_abi = if port.is_freebsd() { ELFOSABI_FREEBSD } else { ELFOSABI_NONE };
        ensure!(self.os_abi == os_abi, "EI_OSABI is {}, this kernel wants {os_abi}", self.os_abi);
        if port == Port::linux_arm {
            ensure!(self.flags & EF_ARM_EABIMASK == EF_ARM_EABI_VER5, "flags {:#x}: not EABI 5", self.flags);
            ensure!(self.flags & EF_ARM_ABI_FLOAT_HARD == 0, "flags {:#x}: wants a floating-point unit", self.flags);
        }

        // It is static: no other file has to be loaded, and `_start` does all the setting up.
        ensure!(self.of_kind(PT_INTERP).next().is_none(), "it wants a dynamic linker");
        ensure!(self.of_kind(PT_DYNAMIC).next().is_none(), "it has a dynamic section, which nobody reads");
        let variables: Vec<_> = self.of_kind(PT_TLS).map(|segment| segment.size).collect();
        ensure!(variables == [0], "thread-local variables {variables:?}, where the program has none");
        let never_called =
            |section: &&Section| [SHT_INIT_ARRAY, SHT_FINI_ARRAY, SHT_PREINIT_ARRAY].contains(&section.kind);
        ensure!(self.sections.iter().find(never_called).is_none(), "it wants constructors or destructors to be called");

        let mut stacks = self.of_kind(PT_GNU_STACK);
        let stack = stacks.next().context("no PT_GNU_STACK: the kernel makes the stack executable")?;
        ensure!(stack.flags & PF_X == 0, "the stack is executable");
        for segment in &self.segments {
            ensure!(segment.flags & (PF_W | PF_X) != PF_W | PF_X, "writable and executable: {segment:x?}");
        }
        let loads = self.of_kind(PT_LOAD).count();
        ensure!((1..=2).contains(&loads), "{loads} segments to load");
        for segment in self.of_kind(PT_LOAD) {
            ensure!(segment.align == 4096, "aligned to {}: {segment:x?}", segment.align);
            ensure!(segment.offset % 4096 == segment.address % 4096, "not to be mapped from the file: {segment:x?}");
        }
        let here = |segment: &&Segment| (segment.address..segment.address + segment.size).contains(&self.entry);
        let entered =
            self.of_kind(PT_LOAD).find(here).with_context(|| format!("nothing at entry {:#x}", self.entry))?;
        ensure!(entered.flags & PF_X != 0, "the entry point {:#x} is not executable", self.entry);
        let start = self.symbols.iter().find(|(name, _)| name == "_start").context("no symbol _start")?.1;
        ensure!(self.entry == start, "it begins at {:#x}, `_start` is {start:#x}", self.entry);

        // The kernel looks for the note in the first page (`sys/kern/imgact_elf.c`, `__elfN(parse_notes)`).
        let tags: Vec<_> = self.notes.iter().filter(|(_, name, _)| name == "FreeBSD").collect();
        match (port.is_freebsd(), &tags[..]) {
            (false, []) => {}
            (true, [(end, _, NT_FREEBSD_ABI_TAG)]) if *end <= 4096 => {}
            _ => anyhow::bail!("notes for FreeBSD: {tags:?}"),
        }
        Ok(())
    }
}

/// The programs of `dist/<port>/<folder>`.
fn programs(port: Port, folder: &str) -> Result<Vec<(String, PathBuf)>> {
    let folder = root().join("dist").join(port.to_string()).join(folder);
    let entries = fs::read_dir(&folder).with_context(|| format!("{}; `make dist` makes it", folder.display()))?;
    let mut programs = Vec::new();
    for entry in entries {
        let entry = entry?;
        programs.push((entry.file_name().to_string_lossy().into_owned(), entry.path()));
    }
    programs.sort();
    ensure!(programs.iter().any(|(name, _)| name == "hello"), "no hello in {}; `make dist` makes it", folder.display());
    Ok(programs)
}

/// `IMAGE_BASE` of the port's linker script.
fn image_base(port: Port) -> Result<u64> {
    let script = fs::read_to_string(root().join(format!("linker/{port}.ld")))?;
    let value =
        script.split_once("IMAGE_BASE = 0x").and_then(|(_, rest)| rest.split_once(';')).context("IMAGE_BASE")?.0;
    Ok(u64::from_str_radix(value, 16)?)
}

#[test]
fn every_program_is_what_its_kernel_wants() -> Result<()> {
    for port in chosen(&Port::ALL) {
        let programs = programs(port, "bin")?;
        for (_, file) in &programs {
            let check = || {
                let program = Program::read(file)?;
                program.check(port)?;
                ensure!(program.kind == ET_EXEC, "type {}, no ET_EXEC", program.kind);
                let base = program.of_kind(PT_LOAD).map(|segment| segment.address).min();
                ensure!(base == Some(image_base(port)?), "the image is at {base:x?}");
                anyhow::Ok(())
            };
            check().with_context(|| file.display().to_string())?;
        }
        println!("{port}: {}", programs.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(", "));
    }
    Ok(())
}

#[test]
fn hello_is_under_1_kib_and_has_nothing_of_a_heap() -> Result<()> {
    for port in chosen(&Port::ALL) {
        let dist = root().join("dist");
        let read = |name| {
            Program::read(&port.program(&dist, name)).with_context(|| format!("{port}: {name}; see `make dist`"))
        };
        let hello = read("hello")?;
        println!("{port}: hello is {} bytes", hello.loaded());
        ensure!((1..1024).contains(&hello.loaded()), "{port}: hello is {} bytes", hello.loaded());
        for word in ["heap", "arena"] {
            let found = hello.has_symbol_like(word);
            ensure!(found.is_none(), "{port}: hello has {}", found.unwrap_or_default());
        }
        // A program with an arena has such names, so this test can find them.
        ensure!(read("limits")?.has_symbol_like("arena").is_some(), "{port}: limits has no symbol of its own");
    }
    Ok(())
}

#[test]
fn memory_functions_are_small_and_not_there_if_nothing_calls_them() -> Result<()> {
    let names = ["memcpy", "memmove", "memset", "memcmp", "bcmp", "strlen"];
    for port in chosen(&Port::ALL) {
        let dist = root().join("dist");
        let sizes = |program| -> Result<Vec<u64>> {
            let program = Program::read(&port.program(&dist, program)).context("see `make dist`")?;
            let here = program.functions.iter().filter(|(name, _)| names.contains(&&**name));
            Ok(here.map(|(_, size)| *size).collect())
        };
        let all = sizes("memory")?;
        ensure!(all.len() == names.len(), "{port}: memory has {} of the memory functions", all.len());
        let size: u64 = all.iter().sum();
        println!("{port}: the memory functions are {size} bytes");
        ensure!((256..1536).contains(&size), "{port}: the memory functions are {size} bytes");
        ensure!(sizes("hello")?.is_empty(), "{port}: hello has memory functions and calls none");
    }
    Ok(())
}

#[test]
fn a_heap_costs_less_than_25_kib() -> Result<()> {
    for port in chosen(&Port::ALL) {
        let dist = root().join("dist");
        let code = |name| anyhow::Ok(Program::read(&port.program(&dist, name)).context("see `make dist`")?.code());
        let heap = code("vec")? - code("hello")?;
        println!("{port}: a Box, a Vec and the heap under them are {heap} bytes");
        // ARM's instructions are four bytes long.
        let most = if port == Port::linux_arm { 28 << 10 } else { 25 << 10 };
        ensure!((1024..most).contains(&heap), "{port}: vec is {heap} bytes larger than hello, {most} is the most");
    }
    Ok(())
}

/// A third of it is the arena, which a program with a heap alone does not have.
#[test]
fn a_collector_costs_less_than_13_kib() -> Result<()> {
    for port in chosen(&Port::ALL) {
        let dist = root().join("dist");
        let code = |name| anyhow::Ok(Program::read(&port.program(&dist, name)).context("see `make dist`")?.code());
        let collector = code("pairs")? - code("vec")?;
        println!("{port}: a collector is {collector} bytes");
        ensure!((1024..13 << 10).contains(&collector), "{port}: pairs is {collector} bytes larger than vec");
    }
    Ok(())
}

/// What runs programs of `port` here.
fn machine(port: Port) -> Machine {
    match port {
        Port::linux_386 | Port::linux_amd64 => Machine::Native,
        Port::linux_arm => Machine::Linux(Kernel::Armhf),
        Port::freebsd_386 | Port::freebsd_amd64 => Machine::Runner,
    }
}

/// What a program printed, without what differs from kind to kind: how large the image is, and with it what is left for
/// the arena. What it says of its image has to be what the file says.
fn comparable(outcome: &Outcome, file: &Path) -> Result<(End, Vec<String>)> {
    if let Some(image) = outcome.output.lines().find_map(|line| line.strip_prefix("image=")) {
        let there = Program::read(file)?.image();
        ensure!(image.parse() == Ok(there), "{}: an image of {there} bytes, it says {image}", file.display());
    }
    let differs = ["base", "image", "footprint", "headroom", "arena", "bitmap"];
    let same = |line: &&str| line.split_once('=').is_none_or(|(key, _)| !differs.contains(&key));
    Ok((outcome.end.clone(), outcome.output.lines().filter(same).map(String::from).collect()))
}

/// `file` with another type in its first relocation, and the place that it is for. A word of the section is a place, the
/// next one the type (System V gABI, "Relocation").
fn with_unknown_relocation(file: &Path, kind: u8) -> Result<(Vec<u8>, u64)> {
    let mut data = fs::read(file)?;
    let (at, place) = {
        let elf = object::File::parse(&*data)?;
        let section = elf.section_by_name(".rela.dyn").or(elf.section_by_name(".rel.dyn")).context("no relocations")?;
        let (start, _) = section.file_range().context("no relocations in the file")?;
        let word = if elf.is_64() { 8 } else { 4 };
        let bytes = &section.data()?[..word];
        (start as usize + word, bytes.iter().rev().fold(0, |sum, byte| sum << 8 | u64::from(*byte)))
    };
    data[at] = kind;
    Ok((data, place))
}

#[test]
fn a_static_pie_says_the_same() -> Result<()> {
    let toolchain = fs::read_to_string(root().join("target/toolchain.mk")).context("see `make dist`")?;
    if toolchain.contains("STANDARD := yes") {
        println!("not run: the toolchain found does not build core, and prebuilt targets are linked with -no-pie");
        return Ok(());
    }
    let ports = chosen(&Port::ALL);
    make("pie", &ports)?;
    let scratch = tempfile::tempdir()?;
    for port in ports {
        for (name, file) in programs(port, "pie")? {
            let check = || {
                let program = Program::read(&file)?;
                program.check(port)?;
                ensure!(program.kind == ET_DYN, "type {}, no ET_DYN", program.kind);
                anyhow::Ok(())
            };
            check().with_context(|| format!("{port}: {name} as a static-PIE"))?;
        }
        let file = |kind: &str, name: &str| root().join(format!("dist/{port}/{kind}/{name}"));
        let packed = Program::read(&file("relr", "limits"))?;
        packed.check(port)?;
        let has = |kind| packed.sections.iter().any(|section| section.kind == kind && section.size != 0);
        ensure!(has(SHT_RELR), "{port}: relr/limits has no packed relocations");

        // The same jobs for each kind, and last a program with a relocation that nobody knows.
        let limit = Some(64 << 20);
        let cases: [(&str, &[&str], Option<u64>); 5] = [
            ("hello", &[], None),
            ("limits", &["--policy=fit"], None),
            ("limits", &["--no-bitmap"], limit),
            ("limits", &["--no"], None),
            // Finds its variables by the program headers.
            ("collect", &["segments"], None),
        ];
        let kinds = ["bin", "pie", "relr"];
        let of_kind = |kind| cases.iter().filter(move |(name, ..)| kind != "relr" || *name == "limits");
        let mut jobs = Vec::new();
        for kind in kinds {
            for (name, args, limit) in of_kind(kind) {
                jobs.push(Job::new(format!("{}", jobs.len()), file(kind, name), args).limited(*limit));
            }
        }
        let (unknown, place) = with_unknown_relocation(&file("pie", "limits"), 0x2a)?;
        let patched = scratch.path().join(format!("{port}-limits"));
        fs::copy(file("pie", "limits"), &patched)?;
        fs::write(&patched, unknown)?;
        jobs.push(Job::new("unknown", &patched, &[]));
        let mut outcomes = machine(port).run(&root().join("dist"), &jobs, 60, &mut |_| ())?.into_iter();

        let mut fixed = Vec::new();
        for kind in kinds {
            for (name, args, _) in of_kind(kind) {
                let said = comparable(&outcomes.next().context("an outcome for each job")?, &file(kind, name))?;
                let shown = (*name, *args, said);
                match kind {
                    "bin" => fixed.push(shown),
                    _ => ensure!(fixed.contains(&shown), "{port}: {kind}: {shown:?}, and none of {fixed:?}"),
                }
            }
        }
        let digits = port.bits() as usize / 4;
        let line = format!("rt0: unknown relocation 0x{:0digits$x} at 0x{place:0digits$x}\n", 0x2a);
        let unknown = outcomes.next().context("an outcome for each job")?;
        ensure!(unknown.end == End::Exit(2) && unknown.output == line, "{port}: {unknown:?}, and not {line:?}");
        println!("{port}: {} jobs, the same as a static-PIE and with packed relocations", jobs.len());
    }
    Ok(())
}
