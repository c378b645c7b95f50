//! librt0.a and rt0.h as a C program meets them: the header in every dialect, the names of the archive, both ways to link, and
//! every function rightly and wrongly, on what runs each port's programs.
//!
//! `make library` builds the archives; clang (which cross-compiles), gcc and musl-gcc compile the programs of `tests/c`.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use object::read::archive::ArchiveFile;
use object::{Object, ObjectSection, ObjectSymbol};
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::machine::Machine;
use rt0_tests::run::make::root;
use rt0_tests::run::qemu::linux::Kernel;

const CLANG: &str = "clang-22";
const LINKER: &str = "--ld-path=/usr/bin/ld.lld-22";

fn source(name: &str) -> PathBuf {
    root().join("tests/c").join(name)
}

/// Runs programs, each of which has to print "done" and to succeed.
fn each_is_done(machine: Machine, jobs: &[Job]) {
    if jobs.is_empty() {
        return;
    }
    for outcome in machine.run(&rt0_tests::run::machine::default_dist(), jobs, 60, &mut |_| ()).unwrap() {
        let wanted = (&End::Exit(0), "done\n");
        assert_eq!((&outcome.end, outcome.output.as_str()), wanted, "{machine}: {}", outcome.name);
    }
}

fn library(port: Port) -> PathBuf {
    let folder = root().join("dist").join(port.to_string()).join("lib");
    assert!(folder.join("librt0.a").exists(), "no librt0.a in {}; make library PORT={port}", folder.display());
    folder
}

/// Runs a compiler: what it printed, and whether it succeeded.
fn compile(compiler: &str, args: &[&str], files: &[&Path]) -> (bool, String) {
    let mut words = compiler.split(' ');
    let output = Command::new(words.next().unwrap())
        .args(words)
        .args(args)
        .args(files)
        .arg(format!("-I{}", root().join("include").display()))
        .output()
        .unwrap_or_else(|error| panic!("{compiler}: {error} (make tools installs it)"));
    (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
}

fn compiled(compiler: &str, args: &[&str], files: &[&Path]) {
    let (succeeded, text) = compile(compiler, args, files);
    assert!(succeeded && text.is_empty(), "{compiler} {args:?} {files:?}: {text}");
}

/// Links a program without a C library.
fn freestanding(compiler: &str, port: Port, options: &[&str], name: &str, to: &Path) {
    let library = format!("-L{}", library(port).display());
    let to = to.to_str().unwrap();
    let mut args = vec!["-ffreestanding", "-nostdlib", "-static", "-fno-asynchronous-unwind-tables"];
    args.extend(["-Wl,--gc-sections", "-Wl,--build-id=none", "-o", to]);
    args.extend(options);
    let file = source(name);
    let (succeeded, text) = compile(compiler, &[args, vec![file.to_str().unwrap(), &library, "-lrt0"]].concat(), &[]);
    assert!(succeeded, "{compiler} {port} {options:?} {name}: {text}");
}

fn cross(port: Port, options: &[&str], name: &str, to: &Path) {
    freestanding(CLANG, port, &[port.clang(), &[LINKER], options].concat(), name, to);
}

/// The bytes of code and data that a program has in memory.
fn code_and_data(program: &Path) -> u64 {
    let data = fs::read(program).unwrap();
    let file = object::File::parse(&*data).unwrap();
    let names = [
        ".text",
        ".rodata",
        ".data",
        ".bss",
        ".data.rel.ro",
        ".got",
        ".got.plt",
        ".init_array",
        ".eh_frame",
        ".ARM.exidx",
    ];
    file.sections().filter(|section| names.iter().any(|name| section.name() == Ok(name))).map(|s| s.size()).sum()
}

#[test]
fn the_header_is_c99_c11_and_cpp17_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let c = folder.path().join("a.c");
    let cpp = folder.path().join("a.cc");
    fs::write(&c, "#include \"rt0.h\"\n#include \"rt0.h\"\nint nothing(void);\n").unwrap();
    fs::write(
        &cpp,
        "#include \"rt0.h\"\n#include \"rt0.h\"\nvoid *f(rt0_heap *h) { return rt0_heap_allocate(h, 1); }\n",
    )
    .unwrap();
    let warnings = ["-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only"];
    for compiler in ["gcc", CLANG] {
        for standard in ["-std=c99", "-std=c11", "-std=gnu17"] {
            let strict = ["-Wstrict-prototypes", "-Wconversion", "-Wmissing-prototypes"];
            compiled(compiler, &[&warnings[..], &strict, &[standard]].concat(), &[&c]);
        }
        for standard in ["-std=c++11", "-std=c++17"] {
            compiled(compiler, &[&warnings[..], &["-x", "c++", standard]].concat(), &[&cpp]);
        }
    }
    compiled(
        CLANG,
        &["-Weverything", "-Wno-c++98-compat", "-Wno-pre-c11-compat", "-Wno-padded", "-Werror", "-fsyntax-only"],
        &[&c],
    );
}

#[test]
fn structures_have_the_same_layout_on_both_sides() {
    for port in chosen(&Port::ALL) {
        for language in [&["-std=c11"][..], &["-x", "c++", "-std=c++17"]] {
            let freestanding = ["-ffreestanding", "-nostdlibinc", "-fsyntax-only"];
            compiled(CLANG, &[port.clang(), language, &freestanding].concat(), &[&source("layout.c")]);
        }
    }
}

/// Whether a section is in the programs that have it.
fn is_loaded<'data>(section: &impl ObjectSection<'data>) -> bool {
    matches!(section.flags(), object::SectionFlags::Elf { sh_flags } if sh_flags & u64::from(object::elf::SHF_ALLOC) != 0)
}

/// The functions that the header declares.
fn declared() -> BTreeSet<String> {
    let header = fs::read_to_string(root().join("include/rt0.h")).unwrap();
    let code: Vec<&str> = header.lines().filter(|line| !line.starts_with("//") && !line.contains("typedef")).collect();
    let names = code.iter().filter_map(|line| line.split_once('(')).filter_map(|(before, _)| {
        let name = before.rsplit([' ', '*']).next()?;
        name.starts_with("rt0_").then(|| name.to_string())
    });
    names.collect()
}

#[test]
fn the_archive_defines_what_the_header_declares_and_hides_what_is_freestanding() {
    let declared = declared();
    assert!(declared.len() > 50, "{declared:?}");
    for port in chosen(&Port::ALL) {
        let data = fs::read(library(port).join("librt0.a")).unwrap();
        let archive = ArchiveFile::parse(&*data).unwrap();
        // What can be named, and which members the index gives for it.
        let (mut functions, mut extras) = (BTreeSet::new(), BTreeSet::new());
        for member in archive.members() {
            let member = member.unwrap();
            let name = String::from_utf8(member.name().to_vec()).unwrap();
            let copy = member.data(&*data).unwrap().to_vec();
            let file = object::File::parse(&*copy).unwrap();
            let kind = name.split(['-', '.']).next().unwrap();
            for symbol in file.symbols().filter(|symbol| symbol.is_global() && symbol.is_definition()) {
                let defined = symbol.name().unwrap().to_string();
                let is_hidden =
                    matches!(symbol.flags(), object::SymbolFlags::Elf { st_other, .. } if st_other & 3 == 2);
                match (kind, is_hidden) {
                    (_, true) => assert!(defined.starts_with("rt0_"), "{port} {name}: {defined}"),
                    ("rt0", false) => assert!(functions.insert(defined.clone()), "{port} {name}: {defined} twice"),
                    ("bare", false) => assert!(extras.insert(defined.clone()), "{port} {name}: {defined} twice"),
                    _ => panic!("{port} {name}: {defined}"),
                }
            }
            let is_empty = file.sections().all(|section| section.size() == 0 || !is_loaded(&section));
            assert!(is_empty || !["way", "hosted", "gate"].contains(&kind), "{port} {name}");
        }
        // `_start` calls one of them; nobody else does.
        let starts = ["rt0_start".to_string(), "rt0_start_by_script".to_string()];
        let declared: BTreeSet<String> = declared.iter().cloned().chain(starts).collect();
        assert_eq!(functions, declared, "{port}");
        let named = |member: &str| -> BTreeSet<String> {
            let symbols = archive.symbols().unwrap().unwrap().map(|symbol| symbol.unwrap());
            let of = |offset| String::from_utf8(archive.member(offset).unwrap().name().to_vec()).unwrap();
            let symbols = symbols.filter(|symbol| of(symbol.offset()).starts_with(member));
            symbols.map(|symbol| String::from_utf8(symbol.name().to_vec()).unwrap()).collect()
        };
        assert!(named("rt0-").is_superset(&declared), "{port}");
        let outside: Vec<_> = named("rt0-").into_iter().filter(|name| !name.starts_with("rt0_")).collect();
        assert_eq!(outside, [""; 0], "{port}");
        let outside: Vec<_> = named("bare-").into_iter().filter(|name| !name.starts_with("rt0_")).collect();
        assert_eq!(outside, ["_start"], "{port}");
        let gates: BTreeSet<String> = named("gate-").into_iter().chain(["_start".into()]).collect();
        assert_eq!(gates, extras, "{port}");
        for name in
            ["_start", "memcpy", "memmove", "memset", "memcmp", "strlen", "__stack_chk_fail", "__stack_chk_guard"]
        {
            assert!(extras.contains(name), "{port}: {name}");
        }
        if port.bits() == 32 {
            let divisions: &[&str] = if port == Port::linux_arm {
                &["__aeabi_uldivmod", "__aeabi_ldivmod", "__aeabi_dmul", "__aeabi_memcpy", "__aeabi_unwind_cpp_pr0"]
            } else {
                &["__udivdi3", "__divdi3", "__umoddi3", "__moddi3", "__udivmoddi4"]
            };
            assert!(divisions.iter().all(|name| extras.contains(*name)), "{port}");
        }
        let foreign =
            extras.iter().find(|name| name.starts_with("_ZN") || name.starts_with("_R") || name.starts_with("rt0_"));
        assert_eq!(foreign, None, "{port}");
    }
}

/// What a program is linked with that has rt0's script, which `make library` has put beside the archive.
fn by_script(port: Port) -> String {
    format!("-Wl,-T,{port}.ld")
}

#[test]
fn hello_is_small_on_every_port_and_runs() {
    let folder = tempfile::tempdir().unwrap();
    for port in chosen(&Port::ALL) {
        let program = folder.path().join(format!("hello-{port}"));
        cross(port, &["-Os", &by_script(port)], "hello.c", &program);
        let size = code_and_data(&program);
        assert!(size < 1024, "{port}: {size} bytes");
        // The compiler's own script says nothing of the image, and what looks for it is there too. Nothing else is, whether
        // or not the linker collects garbage: what is not called is in members of its own.
        for options in [&["-Os"][..], &["-Os", "-Wl,--no-gc-sections"]] {
            cross(port, options, "hello.c", &program);
            let size = code_and_data(&program);
            assert!(size < 1424, "{port} {options:?}: {size} bytes without the script");
        }
    }
    if chosen(&[Port::linux_amd64]).is_empty() {
        return;
    }
    let script = by_script(Port::linux_amd64);
    for compiler in ["gcc", CLANG, &format!("{CLANG} {LINKER}")] {
        for options in [
            &["-O0"][..],
            &["-O1"],
            &["-O2"],
            &["-O3"],
            &["-O2", "-flto"],
            &["-O2", "-flto", &script],
            &["-static-pie", "-fPIE"],
            &["-fstack-protector-all"],
            &["-O2", &script],
        ] {
            let program = folder.path().join("hello");
            freestanding(compiler, Port::linux_amd64, options, "hello.c", &program);
            let output = Command::new(&program).output().unwrap();
            assert!(
                output.status.success() && output.stdout == b"hello, world\n",
                "{compiler} {options:?}: {output:?}"
            );
        }
    }
}

/// What compilers call by name is there for a program without a C library, and no more of it than the program needs, by GNU
/// ld, which reads the archive's index, and by LLD, which does not.
#[test]
fn what_compilers_call_is_there_without_a_c_library() {
    let folder = tempfile::tempdir().unwrap();
    let lld = format!("{CLANG} {LINKER}");
    for machine in [Machine::Native, Machine::Runner, Machine::Linux(Kernel::Armhf)] {
        let mut jobs = Vec::new();
        for port in chosen(machine.ports()) {
            let compilers: &[&str] = match port {
                Port::linux_amd64 => &["gcc", CLANG, &lld],
                Port::linux_386 => &["gcc -m32", &lld],
                _ => &[&lld],
            };
            let script = by_script(port);
            let ways = [
                &["-O0"][..],
                &["-O2"],
                &["-O2", "-flto"],
                &["-O2", &script],
                &["-O2", "-flto", &script],
                &["-O2", "-fstack-protector-all"],
            ];
            for compiler in compilers {
                for options in ways {
                    let targets = if compiler.starts_with("gcc") { &[][..] } else { port.clang() };
                    let program = folder.path().join(format!("bare-{port}-{}", jobs.len()));
                    let options = [targets, &["-Wl,--no-gc-sections"], options].concat();
                    freestanding(compiler, port, &options, "bare.c", &program);
                    let size = code_and_data(&program);
                    assert!(size < 20480, "{compiler} {port} {options:?}: {size}");
                    jobs.push(Job::new(
                        format!("{port}/bare/{compiler}{}", options.concat()).replace(' ', ""),
                        program,
                        &[],
                    ));
                }
            }
        }
        each_is_done(machine, &jobs);
    }
}

/// Constructors of C, by the compiler's script and by rt0's, as a static-PIE and with link-time optimization.
#[test]
fn constructors_are_called_before_main() {
    let folder = tempfile::tempdir().unwrap();
    for machine in [Machine::Native, Machine::Runner, Machine::Linux(Kernel::Armhf)] {
        let mut jobs = Vec::new();
        for port in chosen(machine.ports()) {
            let script = by_script(port);
            let mut ways = vec![vec!["-O0"], vec!["-O2", &script], vec!["-O2", "-flto"], vec!["-O2", "-flto", &script]];
            if port != Port::linux_arm {
                ways.push(vec!["-O2", "-static-pie", "-fPIE"]);
            }
            for options in ways {
                let program = folder.path().join(format!("constructors-{port}-{}", jobs.len()));
                cross(port, &options, "constructors.c", &program);
                jobs.push(Job::new(format!("{port}/constructors{}", options.join("")), program, &[]));
            }
        }
        each_is_done(machine, &jobs);
    }
}

/// Objects of C++ without a C library and without what a compiler of C++ brings with it, linked both ways.
#[test]
fn objects_of_c_plus_plus() {
    let folder = tempfile::tempdir().unwrap();
    let program = |number: usize| folder.path().join(number.to_string());
    let options = ["-std=c++17", "-Wall", "-Wextra", "-fno-exceptions", "-fno-rtti", "-fno-threadsafe-statics"];
    for machine in [Machine::Native, Machine::Runner, Machine::Linux(Kernel::Armhf)] {
        let mut jobs = Vec::new();
        for port in chosen(machine.ports()) {
            for way in [vec!["-O0"], vec!["-O2"], vec!["-O2", &by_script(port)]] {
                let file = program(jobs.len());
                cross(port, &[&options, &way[..]].concat(), "objects.cc", &file);
                jobs.push(Job::new(format!("{port}/{}", way.join("")), file, &[]));
            }
        }
        each_is_done(machine, &jobs);
    }
    for port in chosen(&[Port::linux_386, Port::linux_amd64]) {
        let width = format!("-m{}", port.bits());
        freestanding("gcc", port, &[&options[..], &[&width]].concat(), "objects.cc", &program(0));
        each_is_done(Machine::Native, &[Job::new(format!("{port}/gcc"), program(0), &[])]);
    }
}

/// What rt0 does not call it refuses, where its script links.
#[test]
fn destructors_are_refused_with_a_sentence() {
    if chosen(&[Port::linux_amd64]).is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (file, program) = (folder.path().join("destructor.c"), folder.path().join("destructor"));
    fs::write(&file, "__attribute__((destructor)) static void f(void) {}\nint main(void) { return 0; }\n").unwrap();
    let library = format!("-L{}", library(Port::linux_amd64).display());
    let script = by_script(Port::linux_amd64);
    for compiler in ["gcc", &format!("{CLANG} {LINKER}")] {
        let args = ["-ffreestanding", "-nostdlib", "-static", "-o", program.to_str().unwrap(), &library, &script];
        let (succeeded, text) = compile(compiler, &args, &[&file, Path::new("-lrt0")]);
        assert!(!succeeded && text.contains("rt0: the program has destructors"), "{compiler}: {text}");
    }
}

#[test]
fn every_function_answers_what_is_documented_however_it_is_called() {
    let folder = tempfile::tempdir().unwrap();
    let machines = [Machine::Native, Machine::Runner, Machine::Linux(Kernel::Armhf)];
    for machine in machines {
        let mut jobs = Vec::new();
        for port in chosen(machine.ports()) {
            for options in [&["-O0"][..], &["-O3"], &["-O2", "-fstack-protector-all"]] {
                for name in ["calls.c", "collector.c"] {
                    let program = folder.path().join(format!("{name}-{port}-{}", jobs.len()));
                    cross(port, &[&["-std=c11", "-Wall", "-Wextra"], options].concat(), name, &program);
                    jobs.push(Job::new(format!("{port}/{name}{}", jobs.len()), program, &[]));
                }
            }
        }
        each_is_done(machine, &jobs);
    }
}

/// `hosted.c` calls what is in the members `bare-*.o` too; it must be the C library's. The link map says which members came.
#[test]
fn a_hosted_program_keeps_its_c_library() {
    if chosen(&[Port::linux_amd64]).is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (program, map) = (folder.path().join("hosted"), folder.path().join("map"));
    let library = format!("-L{}", library(Port::linux_amd64).display());
    let lld_first = format!("{CLANG} {LINKER} -Wl,--no-gc-sections -lc");
    for compiler in ["gcc", "gcc -static", "gcc -O3 -flto", "musl-gcc", "musl-gcc -static", CLANG, &lld_first] {
        for (file, name) in [("hosted.c", "both heaps: 0\n"), ("calls.c", "done\n"), ("collector.c", "done\n")] {
            let file = source(file);
            let arguments =
                ["-fno-builtin", "-o", program.to_str().unwrap(), file.to_str().unwrap(), &library, "-lrt0"];
            let with_map = format!("-Wl,-Map,{}", map.display());
            let (succeeded, text) = compile(compiler, &[&arguments[..], &[&with_map]].concat(), &[]);
            assert!(succeeded, "{compiler}: {text}");
            let map = fs::read_to_string(&map).unwrap();
            assert!(map.contains("librt0.a(rt0-") && !map.contains("librt0.a(bare-"), "{compiler}");
            let output = Command::new(&program).output().unwrap();
            assert!(output.status.success(), "{compiler}: {output:?}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), name, "{compiler}");
        }
    }
    // In a C++ program.
    let cpp = folder.path().join("hosted.cc");
    fs::copy(source("hosted.c"), &cpp).unwrap();
    let arguments =
        ["-std=c++17", "-fno-exceptions", "-o", program.to_str().unwrap(), cpp.to_str().unwrap(), &library, "-lrt0"];
    compiled("g++ -Wall -Wextra", &arguments, &[]);
    assert!(Command::new(&program).status().unwrap().success());
}

/// Thread-local variables of C, of every alignment, linked by the compiler's own script and by rt0's, in one place and as a
/// static-PIE, with the stack protector and without.
#[test]
fn thread_local_variables_in_c() {
    let folder = tempfile::tempdir().unwrap();
    let scripts = format!("-L{}", root().join("linker").display());
    for machine in [Machine::Native, Machine::Runner, Machine::Linux(Kernel::Armhf)] {
        let mut jobs = Vec::new();
        for port in chosen(machine.ports()) {
            let script = format!("-Wl,-T,{port}.ld");
            let by_script = ["-O2", &scripts, &script, "-Wl,-z,max-page-size=4096"];
            let mut ways = vec![vec!["-O0"], vec!["-O2", "-fstack-protector-all"], by_script.to_vec()];
            if port != Port::linux_arm {
                ways.push(vec!["-O2", "-static-pie", "-fPIE"]);
            }
            for shift in 0..=12 {
                for options in &ways {
                    let align = format!("-DALIGN={}", 1 << shift);
                    let program = folder.path().join(format!("{port}-{}", jobs.len()));
                    let standard = ["-std=c11", "-Wall", "-Wextra", &align];
                    cross(port, &[&standard, &options[..]].concat(), "thread_local.c", &program);
                    jobs.push(Job::new(format!("{port}/{align}/{}", options.join("")), program, &[]));
                }
            }
            if port == Port::linux_amd64 {
                // By GNU ld.
                for options in [&["-O2"][..], &by_script, &["-O2", "-static-pie", "-fPIE"]] {
                    let program = folder.path().join(format!("{port}-{}", jobs.len()));
                    freestanding("gcc", port, &[options, &["-DALIGN=64"]].concat(), "thread_local.c", &program);
                    jobs.push(Job::new(format!("{port}/gcc/{}", options.join("")), program, &[]));
                }
            }
        }
        each_is_done(machine, &jobs);
    }
}

/// What the stack protector calls when a function has written over its end.
#[test]
fn the_stack_protector_sees_what_it_is_for() {
    let folder = tempfile::tempdir().unwrap();
    let code = folder.path().join("smash.c");
    fs::write(
        &code,
        "#include \"rt0.h\"\n\
         static void __attribute__((noinline)) smash(char *volatile to, int length) {\n\
             char text[16]; (void)to; volatile char *at = text;\n\
             for (int i = 0; i < length; i++) at[i] = 'x';\n\
         }\n\
         int main(int argc, char **argv) { smash(argv[0], argc * 40); return 0; }\n",
    )
    .unwrap();
    for machine in [Machine::Native, Machine::Runner] {
        let mut jobs = Vec::new();
        for port in chosen(machine.ports()) {
            let program = folder.path().join(format!("smash-{port}"));
            let library = format!("-L{}", library(port).display());
            let args = [LINKER, "-ffreestanding", "-nostdlib", "-static", "-O1", "-fstack-protector-all", "-o"];
            let rest = [program.to_str().unwrap(), code.to_str().unwrap(), &library, "-lrt0"];
            let (succeeded, text) = compile(CLANG, &[port.clang(), &args, &rest].concat(), &[]);
            assert!(succeeded, "{text}");
            jobs.push(Job::new(format!("{port}/smash"), program, &[]));
        }
        for outcome in machine.run(&rt0_tests::run::machine::default_dist(), &jobs, 60, &mut |_| ()).unwrap() {
            let wanted = (End::Exit(127), "rt0: stack smashing detected\n".to_string());
            assert_eq!((outcome.end, outcome.output), wanted, "{}", outcome.name);
        }
    }
}

fn toy(name: &str) -> PathBuf {
    root().join("examples/toy_c").join(name)
}

/// The toy language in C, with a C library: what its programs print is what is written beside them.
fn hosted_toys(folder: &Path) -> Vec<PathBuf> {
    let library = format!("-L{}", library(Port::linux_amd64).display());
    let file = toy("toy.c");
    ["gcc -O2", "gcc -O0", "musl-gcc -O2 -static", "clang-22 -O2"]
        .iter()
        .enumerate()
        .map(|(index, compiler)| {
            let program = folder.join(format!("toy-{index}"));
            let args = [
                "-Wall",
                "-Wextra",
                "-Werror",
                "-o",
                program.to_str().unwrap(),
                file.to_str().unwrap(),
                &library,
                "-lrt0",
            ];
            compiled(compiler, &args, &[]);
            program
        })
        .collect()
}

#[test]
fn the_toy_language_says_what_is_wrong_and_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let mut toys = if chosen(&[Port::linux_amd64]).is_empty() { vec![] } else { hosted_toys(folder.path()) };
    for port in chosen(&[Port::linux_amd64, Port::linux_386]) {
        for (index, options) in [&["-O2", &by_script(port)][..], &["-O0"]].iter().enumerate() {
            let program = folder.path().join(format!("toy-{port}-{index}"));
            cross(port, &[&["-Wall", "-Wextra"], *options].concat(), "../../examples/toy_c/toy.c", &program);
            toys.push(program);
        }
    }
    for program in toys {
        for name in ["tour", "errors", "memory"] {
            // What the heap may have: 64 MiB.
            let limited = format!(
                "ulimit -v 65536; exec {} {}",
                program.display(),
                toy("programs").join(format!("{name}.toy")).display()
            );
            let output = Command::new("sh").args(["-c", &limited]).output().unwrap();
            let wanted = fs::read_to_string(toy("programs").join(format!("{name}.out"))).unwrap();
            assert_eq!(String::from_utf8_lossy(&output.stdout), wanted, "{} {name}", program.display());
            assert_eq!(
                output.status.code(),
                Some(i32::from(name != "tour")),
                "{} {name}: {output:?}",
                program.display()
            );
        }
    }
}

/// On every port, and under every limit: it starts, or says why not in a line; and out of memory is an error of the language.
#[test]
fn the_toy_language_lives_on_every_port() {
    let folder = tempfile::tempdir().unwrap();
    let programs = ["tour", "errors"].map(|name| {
        let text = fs::read_to_string(toy("programs").join(format!("{name}.toy"))).unwrap();
        // A plan for a kernel has a line for each job.
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let one_line: String = lines.map(|line| line.trim_start()).collect::<Vec<_>>().join(" ");
        let expected = fs::read_to_string(toy("programs").join(format!("{name}.out"))).unwrap();
        let expected: String = expected
            .lines()
            .map(|line| match line.strip_prefix("line ").and_then(|rest| rest.split_once(':')) {
                Some((_, error)) => format!("line 1:{error}\n"),
                None => format!("{line}\n"),
            })
            .collect();
        (name, one_line, expected)
    });
    let memory = fs::read_to_string(toy("programs/memory.toy")).unwrap().replace('\n', " ");
    for machine in [Machine::Native, Machine::Runner, Machine::Linux(Kernel::Armhf)] {
        let (mut jobs, mut wanted) = (Vec::new(), Vec::new());
        for port in chosen(machine.ports()) {
            let program = folder.path().join(format!("toy-{port}"));
            cross(port, &["-O2", &by_script(port)], "../../examples/toy_c/toy.c", &program);
            for (name, text, expected) in &programs {
                jobs.push(Job::new(format!("{port}/toy/{name}"), &program, &["-e", text]));
                wanted.push(Some(expected.clone()));
            }
            for kib in (128..1024).step_by(32).chain([2048, 4096, 16384]) {
                jobs.push(Job::new(format!("{port}/toy/{kib}"), &program, &["-e", &memory]).limited(kib << 10));
                wanted.push(None);
            }
        }
        if jobs.is_empty() {
            continue;
        }
        let outcomes = machine.run(&rt0_tests::run::machine::default_dist(), &jobs, 60, &mut |_| ()).unwrap();
        for ((outcome, job), wanted) in outcomes.iter().zip(&jobs).zip(wanted) {
            match wanted {
                Some(wanted) => assert_eq!(outcome.output, wanted, "{machine}: {}", outcome.name),
                None => {
                    let went_on =
                        outcome.output.ends_with("line 1: out of memory\non\n") && outcome.end == End::Exit(1);
                    let lines = ["rt0: cannot reserve arena virtual address space", "toy: no room for a heap\n"];
                    let refused =
                        lines.iter().any(|line| outcome.output.starts_with(line)) && outcome.end == End::Exit(2);
                    // Too small for the program itself, or for exec.
                    let small = job.limit.unwrap() < 1 << 20;
                    let too_small = outcome.output.ends_with("out of memory\n") || outcome.output.is_empty();
                    assert!(went_on || small && (refused || too_small), "{machine}: {outcome:?}");
                }
            }
        }
    }
}
