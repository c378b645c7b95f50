//! Makes `librt0.a` of the two static libraries that rustc makes of `c/` and `c/freestanding/`.
//!
//! ```text
//!   librt0_c.a              -> rt0-N.o     the functions of rt0.h, and nothing else that a C program can name
//!   librt0_c_freestanding.a -> bare-N.o    _start, memory functions, the compiler's arithmetic, the stack protector
//!                              the rest    nothing but names: see below
//! ```
//!
//! Each function and each variable is a member of its own ([`split`]), so that a linker takes those alone that a program uses,
//! whether or not it is told to collect garbage.
//!
//! What is bare must never get into a program with a C library, which has a `memcpy` of its own and a 64-bit division. A
//! linker takes a member if its name is missing, and `memcpy` is missing in both kinds of program. They differ in `_start`:
//! in a program with a C library the first object defines it, and in the other it is missing. The index of the archive, which
//! is where GNU ld looks for names, asks for both.
//!
//! ```text
//!   index, in this order         member       it defines                     it needs
//!   _start                       bare-N.o     _start, rt0_way                main, ...
//!   rt0_way                      hosted.o     rt0_way, each rt0_bare_NAME
//!   rt0_bare_memcpy, ...         bare-N.o     memcpy, rt0_bare_memcpy
//!   rt0_heap_create, ...         rt0-N.o      rt0_heap_create                _start, rt0_way, memcpy, ...
//!   memcpy, ...                  gate-N.o                                    _start, rt0_way, rt0_bare_memcpy
//! ```
//!
//! GNU ld goes through the index from its beginning until it finds nothing more. In the first round it takes functions of
//! `rt0.h` and gates. In the second one, where nobody has defined `_start`, it takes ours, and with it `rt0_way`; then
//! `rt0_bare_memcpy` is missing, and comes with `memcpy`. Where `_start` is there it takes `hosted.o`, which has every
//! `rt0_bare_NAME`, and `memcpy` is still missing when it comes to the C library.
//!
//! LLD does not look at the index, but at what the members define. So it never takes a gate, and takes the first definition
//! there is: with a C library that has to come first, `-lc -lrt0`. For LLD there is `way.o`, the first member, which defines
//! `rt0_way` and nothing else.

mod archive;
mod split;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use object::build::elf::Builder;
use object::read::archive::ArchiveFile;

use archive::Member;
use split::Objects;

const USAGE: &str = "usage: librt0 LINKER LIBRARY FREESTANDING OUTPUT";
const START: &str = "_start";
/// The name that says which kind of program it is.
const WAY: &str = "rt0_way";

fn main() -> Result<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [linker, library, freestanding, output] = args.as_slice() else {
        eprintln!("{USAGE}");
        return Ok(ExitCode::from(2));
    };
    let made = archive::written(&members(linker, Path::new(library), Path::new(freestanding))?);
    // A file that stays as it is keeps its time, and what is made of it is not made anew.
    if fs::read(output).ok().as_ref() != Some(&made) {
        fs::write(output, made).with_context(|| format!("writing {output}"))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// All members, in their order in the file.
fn members(linker: &str, library: &Path, freestanding: &Path) -> Result<Vec<Member>> {
    let joined = join_one(linker, library)?;
    let library = Objects::of(Builder::read(&*joined)?)?;
    let joined = join(linker, freestanding)?;
    let bare = Objects::of(Builder::read(&*joined)?)?;

    let mut parts = Vec::new();
    for (n, mut part) in library.parts().into_iter().enumerate() {
        let names: Vec<&str> = part.exported().collect();
        let foreign = names.iter().find(|name| !name.starts_with("rt0_"));
        ensure!(foreign.is_none(), "{foreign:?} is global and does not begin with rt0_");
        if !names.is_empty() {
            part.needs.extend([START, WAY]);
        }
        parts.push((format!("rt0-{n}.o"), part));
    }
    let mut gated = BTreeSet::new();
    for (n, mut part) in bare.parts().into_iter().enumerate() {
        for name in part.exported().collect::<Vec<_>>() {
            if name == START {
                part.beside.push((name, WAY.into()));
            } else {
                part.beside.push((name, behind_gate(name)));
                gated.insert(name);
            }
        }
        parts.push((format!("bare-{n}.o"), part));
    }

    let mut members = Vec::new();
    let mut add = |name: &str, index: Vec<(u8, &str)>, data: Vec<u8>| {
        let index = index.into_iter().map(|(rank, name)| (rank, name.to_string())).collect();
        members.push(Member { name: name.into(), index, data });
    };
    add("way.o", vec![], library.names(&[WAY], &[])?);
    let hosted: Vec<String> = gated.iter().map(|name| behind_gate(name)).collect();
    let hosted: Vec<&str> = hosted.iter().map(String::as_str).chain([WAY]).collect();
    add("hosted.o", vec![(1, WAY)], library.names(&hosted, &[])?);
    for (name, part) in &parts {
        let names = part.defined().filter(|name| *name != WAY && !gated.contains(name));
        let index = names.map(|name| (if name == START { 0 } else { 2 }, name)).collect();
        add(name, index, part.written()?);
    }
    for (n, name) in gated.iter().enumerate() {
        let data = library.names(&[], &[START, WAY, &behind_gate(name)])?;
        add(&format!("gate-{n}.o"), vec![(3, name)], data);
    }
    Ok(members)
}

/// The name that is missing when a gate for another one was taken.
fn behind_gate(name: &str) -> String {
    format!("rt0_bare_{name}")
}

/// The one object of rustc's library that is this project's.
fn join_one(linker: &str, file: &Path) -> Result<Vec<u8>> {
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
    join(linker, &object)
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
