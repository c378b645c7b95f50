//! Makes `librt0.a` of the two static libraries that rustc makes of `c/` and `c/freestanding/`.
//!
//! ```text
//!   librt0_c.a              -> rt0.o            the functions of rt0.h, and nothing else with a global name
//!   librt0_c_freestanding.a -> freestanding.o   _start, memory functions, the compiler's arithmetic, the stack protector
//! ```
//!
//! Two things are done that a plain `ar` would not do.
//!
//! - The index of the archive names the functions of `rt0.h` and `_start`, and no other name of `freestanding.o`. The index
//!   is where GNU ld looks for what is missing. A program with a libc has a `_start` of its own and never gets that member:
//!   not for its `memcpy`, not for its 64-bit division. A program without one gets it with `_start`, as a whole, so that
//!   what link-time optimization calls late is there too, and `--gc-sections` takes out what nobody calls.
//! - `rt0.o` has an undefined symbol `_start`. It makes GNU ld look for one, which it does not do by itself.

use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use object::build::elf::{Builder, Symbol};
use object::elf::{SHN_UNDEF, STB_GLOBAL, STB_LOCAL, STB_WEAK, STT_NOTYPE};
use object::read::archive::ArchiveFile;

const USAGE: &str = "usage: librt0 LINKER LIBRARY FREESTANDING OUTPUT";

/// The ends of the names of sections that are left out: `.eh_frame` stands for `.rela.eh_frame` too.
const UNWANTED: [&[u8]; 4] = [b".llvmbc", b".llvmcmd", b".comment", b".eh_frame"];

/// How names begin that Rust makes, and that no C compiler calls.
const RUST: [&[u8]; 3] = [b"_ZN", b"_R", b"__rust_"];

fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [linker, library, freestanding, output] = args.as_slice() else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let library = library_member(linker, Path::new(library))?;
    let freestanding = freestanding_member(linker, Path::new(freestanding))?;
    let names = |member: &[u8], wanted: fn(&str) -> bool| -> Result<Vec<String>> {
        Ok(globals(member)?.into_iter().filter(|name| wanted(name)).collect())
    };
    let members = [
        Member { name: "rt0.o", index: names(&library, |_| true)?, data: library },
        Member { name: "freestanding.o", index: names(&freestanding, |name| name == "_start")?, data: freestanding },
    ];
    let made = archive(&members);
    // A file that stays as it is keeps its time, and what is made of it is not made anew.
    if fs::read(output).ok().as_ref() != Some(&made) {
        fs::write(output, made).with_context(|| format!("writing {output}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The one object of rustc's library that is this project's, with an undefined `_start`.
fn library_member(linker: &str, file: &Path) -> Result<Vec<u8>> {
    let data = fs::read(file).with_context(|| format!("reading {}", file.display()))?;
    let archive = ArchiveFile::parse(&*data)?;
    let folder = tempfile::tempdir()?;
    let object = folder.path().join("rt0.o");
    let mut found = 0;
    for member in archive.members() {
        let member = member?;
        if member.name().starts_with(b"rt0_c-") {
            fs::write(&object, member.data(&*data)?)?;
            found += 1;
        }
    }
    ensure!(found == 1, "{} has {found} objects of rt0_c: lto = true, codegen-units = 1", file.display());
    let joined = join(linker, &object)?;
    let mut elf = Builder::read(&*joined)?;
    for symbol in elf.symbols.iter().filter(|symbol| is_global(symbol)) {
        ensure!(symbol.name.starts_with(b"rt0_"), "{} is global and does not begin with rt0_", symbol.name);
    }
    let start = elf.symbols.add();
    start.name = "_start".into();
    start.set_st_info(STB_GLOBAL, STT_NOTYPE);
    written(elf)
}

/// All objects of rustc's library as one, whose names of Rust are local.
fn freestanding_member(linker: &str, file: &Path) -> Result<Vec<u8>> {
    let joined = join(linker, file)?;
    let mut elf = Builder::read(&*joined)?;
    for symbol in &mut elf.symbols {
        if symbol.name.as_slice() == b"_start" {
            // Where a linker does not look at the index (LLD), a program with a libc may get this member; its own comes first.
            symbol.set_st_info(STB_WEAK, symbol.st_type());
        }
        if is_global(symbol) && RUST.iter().any(|start| symbol.name.starts_with(start)) {
            symbol.set_st_info(STB_LOCAL, symbol.st_type());
        }
    }
    written(elf)
}

/// Makes one object of a file, or of all in an archive; some of rustc's are not machine code yet.
fn join(linker: &str, file: &Path) -> Result<Vec<u8>> {
    let folder = tempfile::tempdir()?;
    let joined = folder.path().join("joined.o");
    let flavor: &[&str] = if linker.ends_with("rust-lld") { &["-flavor", "gnu"] } else { &[] };
    let status = Command::new(linker)
        .args(flavor)
        .args(["-r", "--whole-archive", "-o"])
        .args([&joined, file])
        .status()
        .with_context(|| format!("running {linker}"))?;
    ensure!(status.success(), "{linker}: {status}");
    Ok(fs::read(&joined)?)
}

/// Whether it is a name that an object defines for others.
fn is_global(symbol: &Symbol<'_>) -> bool {
    symbol.st_bind() != STB_LOCAL && (symbol.section.is_some() || symbol.st_shndx != SHN_UNDEF)
}

/// The file, without the bitcode that rustc puts beside machine code, and without tables for unwinding: nothing unwinds.
fn written(mut elf: Builder<'_>) -> Result<Vec<u8>> {
    for section in &mut elf.sections {
        section.delete = UNWANTED.iter().any(|name| section.name.ends_with(name));
    }
    elf.delete_orphans();
    let mut bytes = Vec::new();
    elf.write(&mut bytes)?;
    Ok(bytes)
}

/// The names that an object defines for others.
fn globals(member: &[u8]) -> Result<Vec<String>> {
    let elf = Builder::read(member)?;
    Ok(elf.symbols.iter().filter(|symbol| is_global(symbol)).map(|symbol| symbol.name.to_string()).collect())
}

/// A file in an archive.
struct Member {
    name: &'static str,
    /// The names that the archive's index has of it.
    index: Vec<String>,
    data: Vec<u8>,
}

/// An archive as GNU and LLVM write it (System V's format: a header of 60 bytes of text before each file; the first file,
/// named `/`, is the index: a count, the place of the member for each name, the names).
fn archive(members: &[Member]) -> Vec<u8> {
    const MAGIC: &[u8] = b"!<arch>\n";
    const HEADER: usize = 60;
    let even = |len: usize| len.next_multiple_of(2);

    let names: usize = members.iter().map(|member| member.index.len()).sum();
    let text: usize = members.iter().flat_map(|member| &member.index).map(|name| name.len() + 1).sum();
    let index_len = even(4 + 4 * names + text);

    let mut index = u32::try_from(names).expect("few names").to_be_bytes().to_vec();
    let mut place = MAGIC.len() + HEADER + index_len;
    for member in members {
        let at = u32::try_from(place).expect("a small archive");
        index.extend(std::iter::repeat_n(at.to_be_bytes(), member.index.len()).flatten());
        place += HEADER + even(member.data.len());
    }
    for name in members.iter().flat_map(|member| &member.index) {
        index.extend(name.as_bytes());
        index.push(0);
    }
    index.resize(index_len, 0);

    let mut bytes = MAGIC.to_vec();
    for (name, data) in std::iter::once(("", &index)).chain(members.iter().map(|member| (member.name, &member.data))) {
        // Name, time, owner, group, mode, size: the same bytes whoever makes it, and when.
        let header = format!("{:<16}{:<12}{:<6}{:<6}{:<8}{:<10}`\n", format!("{name}/"), 0, 0, 0, 644, data.len());
        bytes.extend(header.as_bytes());
        bytes.extend(data);
        bytes.resize(even(bytes.len()), b'\n');
    }
    bytes
}
