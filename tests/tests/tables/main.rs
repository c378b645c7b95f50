//! Compares every number that rt0 shares with a kernel, on every port, with tables that others made: the crates `sc`,
//! `nc`, `linux-raw-sys`, `libc` and `object` (their sources are read, for every CPU), and the kernel's headers if they
//! are installed. Each constant must be in one of them, and all that have it must agree.

mod consts;

use anyhow::{Context, Result, ensure};
use consts::Table;
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::make::{make, root};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

/// A constant whose name in rt0 is not the kernel's: rt0's name, the kernel's name or an expression of its names (one
/// row for each if tables differ), for which ports, and why.
type Alias = (&'static str, &'static str, fn(Port) -> bool, &'static str);

const ALIASES: &[Alias] = &[
    ("GETRLIMIT", "UGETRLIMIT", linux32, "`getrlimit` is an older call, which clamps to 0x7fffffff"),
    ("LSEEK", "_LLSEEK", linux32, "`lseek` is an older call, whose answer is a word"),
    ("FSTAT", "FSTAT64", linux32, "`fstat` is an older call, whose sizes are words"),
    ("FTRUNCATE", "FTRUNCATE64", linux32, "`ftruncate` is an older call, whose length is a word"),
    ("FCNTL", "FCNTL64", linux32, "`fcntl` is an older call, whose locks have words"),
    ("F_GETLK", "F_GETLK64", linux32, "`F_GETLK` is an older command, whose locks have words"),
    ("F_SETLK", "F_SETLK64", linux32, "`F_SETLK` is an older command, whose locks have words"),
    ("FSTAT", "FREEBSD11_FSTAT", freebsd, "what `fstat` was before FreeBSD 12; some tables are older than that"),
    ("FSTAT", "FSTAT", freebsd, "what `fstat` was before FreeBSD 12; some tables are older than that"),
    ("PREAD", "PREAD64", linux, "the kernel's name says how wide the offset is"),
    ("PWRITE", "PWRITE64", linux, "the kernel's name says how wide the offset is"),
    ("MMAP", "MMAP2", linux32, "`mmap` is an older call, which takes a pointer to its arguments"),
    ("SYSCTL", "__SYSCTL", freebsd, "the call's name begins with underscores, which some tables leave out"),
    ("SYSCTL", "SYSCTL", freebsd, "the call's name begins with underscores, which some tables leave out"),
    ("UMTX_OP", "_UMTX_OP", freebsd, "the call's name begins with an underscore"),
    ("RLIMIT_AS", "RLIMIT_VMEM", freebsd, "the kernel has two names for it, the tables one or both"),
    ("RLIMIT_AS", "RLIMIT_AS", freebsd, "the kernel has two names for it, the tables one or both"),
    ("SET_TLS", "ARCH_PRCTL", amd64, "each CPU has its own call"),
    ("SET_TLS", "SET_THREAD_AREA", x86, "each CPU has its own call"),
    ("AT_RANDOM_BYTES", "AT_RANDOM", linux, "one name on every OS"),
    ("AT_RANDOM_BYTES", "AT_CANARY", freebsd, "one name on every OS"),
    ("REBOOT_MAGIC[0]", "LINUX_REBOOT_MAGIC1", linux, "one list in place of two names"),
    ("REBOOT_MAGIC[1]", "LINUX_REBOOT_MAGIC2", linux, "one list in place of two names"),
    ("REBOOT_POWER_OFF", "LINUX_REBOOT_CMD_POWER_OFF", linux, "one name on every OS"),
    ("REBOOT_RESTART", "LINUX_REBOOT_CMD_RESTART", linux, "one name on every OS"),
    ("REBOOT_POWER_OFF", "RB_POWEROFF | RB_NOSYNC", freebsd, "one name on every OS"),
    ("REBOOT_RESTART", "RB_AUTOBOOT | RB_NOSYNC", freebsd, "one name on every OS"),
    ("MAP_ANON", "MAP_ANONYMOUS", linux, "one name on every OS"),
    ("R_RELATIVE", "R_386_RELATIVE", x86, "each CPU has its own"),
    ("R_RELATIVE", "R_X86_64_RELATIVE", amd64, "each CPU has its own"),
    ("R_RELATIVE", "R_ARM_RELATIVE", arm, "each CPU has its own"),
    ("DT_TABLE", "DT_REL", bits32, "the kind of relocations that the port's ABI has"),
    ("DT_TABLE", "DT_RELA", amd64, "the kind of relocations that the port's ABI has"),
    ("DT_TABLE_SIZE", "DT_RELSZ", bits32, "the kind of relocations that the port's ABI has"),
    ("DT_TABLE_SIZE", "DT_RELASZ", amd64, "the kind of relocations that the port's ABI has"),
];

/// A constant that is in no kernel's table: its name, for which ports, and what checks it instead.
type Own = (&'static str, fn(Port) -> bool, &'static str);

const OWN: &[Own] = &[
    ("MAPPED_AT_EXEC", any, "measured; the sweeps of limits fail if it is too small"),
    ("STACK_AT_EXEC", any, "measured; the sweeps of limits fail if it is too small"),
    ("RELA", any, "the ABI's choice; a program that is moved and says hello shows it"),
    ("EHDR", any, "the size of a file header; a program that is moved and says hello shows it"),
    ("DT_RELR", any, "System V gABI, \"Dynamic Section\", newer than the tables"),
    ("DT_RELRSZ", any, "System V gABI, \"Dynamic Section\", newer than the tables"),
    ("PAGE_SIZE_MIN", any, "a lower bound, not a number of the kernel's"),
    ("SEGV_MAPERR", freebsd, "`sys/sys/signal.h`, and the same as on Linux; overflows under the runner show it"),
    (
        "SI_KERNEL",
        freebsd,
        "`sys/sys/signal.h`; no fault under the runner has it, and those that are told there show that",
    ),
    ("SET_TLS", arm, "a call of ARM's own; thread-local variables on Debian's kernel show it"),
    (
        "SET_BASE",
        any,
        "an operation of `sysarch`; thread-local variables under the runner and on FreeBSD's kernel show it",
    ),
    ("CLOCK_GETTIME64", amd64, "not for this CPU, whose words hold such a time"),
    ("CLOCK_NANOSLEEP_TIME64", amd64, "not for this CPU, whose words hold such a time"),
    ("O_ALWAYS", any, "`O_LARGEFILE`, or nothing on FreeBSD"),
    ("RUNNING", any, "Linux: any value but 0; FreeBSD: any but 1. Joining a thread shows it on every port"),
];

fn any(_: Port) -> bool {
    true
}
fn linux(port: Port) -> bool {
    !port.is_freebsd()
}
fn freebsd(port: Port) -> bool {
    port.is_freebsd()
}
fn bits32(port: Port) -> bool {
    port.bits() == 32
}
fn linux32(port: Port) -> bool {
    linux(port) && bits32(port)
}
fn amd64(port: Port) -> bool {
    port.bits() == 64
}
fn arm(port: Port) -> bool {
    port == Port::linux_arm
}
fn x86(port: Port) -> bool {
    bits32(port) && !arm(port)
}

/// The folder where cargo keeps a crate's source, and the crate's version.
static CRATES: LazyLock<HashMap<String, (PathBuf, String)>> = LazyLock::new(|| {
    let metadata = cargo_metadata::MetadataCommand::new().current_dir(env!("CARGO_MANIFEST_DIR")).exec();
    let metadata = metadata.expect("cargo tells where the crates are");
    let tests = metadata.packages.iter().find(|package| package.name == "rt0-tests").expect("this package");
    // If there are several versions, it is the one that this package depends on.
    let wanted = |package: &cargo_metadata::Package| {
        let of = |dependency: &&cargo_metadata::Dependency| dependency.name == package.name.as_str();
        tests.dependencies.iter().find(of).is_some_and(|dependency| dependency.req.matches(&package.version))
    };
    let place = |package: &cargo_metadata::Package| {
        let folder = package.manifest_path.parent().expect("a manifest is in a folder").as_std_path().to_owned();
        (package.name.to_string(), (folder, package.version.to_string()))
    };
    metadata.packages.iter().filter(|package| wanted(package)).map(place).collect()
});

/// The constants in `files` of a crate.
fn of_crate(name: &str, port: Port, files: &[&str], prefix: &'static str) -> Result<Table> {
    let (folder, version) =
        CRATES.get(name).with_context(|| format!("cargo metadata does not know the crate {name}"))?;
    let files: Vec<_> = files.iter().map(|file| folder.join(file)).collect();
    Table::rust(format!("{name} {version}"), port.bits(), &files, prefix)
}

/// The constants in the kernel's headers of the port, as Debian's linux-libc-dev (for ARM linux-libc-dev-armhf-cross)
/// and others install them.
fn headers(port: Port, files: &[&str], prefix: &'static str) -> Option<Table> {
    let roots = match port {
        _ if port.is_freebsd() => return None,
        Port::linux_arm => ["/usr/arm-linux-gnueabihf/include", "/usr/arm-linux-gnueabi/include"],
        _ => ["/usr/include/x86_64-linux-gnu", "/usr/include"],
    };
    let files: Vec<_> = files.iter().flat_map(|file| roots.map(|root| Path::new(root).join(file))).collect();
    Table::c("kernel headers", port.bits(), &files, prefix)
}

/// Compares each of rt0's constants with every table that has it.
fn check(port: Port, what: &str, ours: &Table, theirs: &[Table]) -> Result<()> {
    let (mut derived, mut own, mut checked) = (0, 0, 0);
    let mut per_source: Vec<usize> = vec![0; theirs.len()];
    let mut per_count = BTreeMap::<usize, usize>::new();
    let mut faults = Vec::new();
    for name in ours.names() {
        if OWN.iter().any(|(ours, on, _)| *ours == name && on(port)) {
            own += 1;
            continue;
        }
        if ours.is_derived(name) {
            derived += 1;
            continue;
        }
        let Some(value) = ours.value(name)? else {
            faults.push(format!("{name}: its value cannot be read"));
            continue;
        };
        let aliases = ALIASES.iter().filter(|(ours, _, on, _)| *ours == name && on(port));
        let mut names: Vec<_> = aliases.map(|(_, theirs, ..)| *theirs).collect();
        if names.is_empty() {
            names.push(name);
        }
        let mut sources = 0;
        for (table, count) in theirs.iter().zip(&mut per_source) {
            let mut answers = names.iter().filter_map(|name| table.value(name).transpose());
            let Some(answer) = answers.next().transpose()? else { continue };
            *count += 1;
            sources += 1;
            if answer != value {
                faults.push(format!("{name}: {value} here, {answer} in {}", table.source));
            }
        }
        if sources == 0 {
            faults.push(format!("{name} = {value}: in no table under the name {}", names.join(" or ")));
        }
        checked += 1;
        *per_count.entry(sources).or_default() += 1;
    }
    let sources = theirs.iter().zip(&per_source).map(|(table, count)| format!("{} {count}", table.source));
    let confirmed = per_count.iter().map(|(sources, constants)| format!("{constants} by {sources}"));
    println!(
        "{port} {what}: {checked} checked ({}; confirmed: {}), {derived} made of others, {own} of our own",
        sources.collect::<Vec<_>>().join(", "),
        confirmed.collect::<Vec<_>>().join(", ")
    );
    ensure!(checked > 0, "{port} {what}: nothing read from {}", ours.source);
    ensure!(faults.is_empty(), "{port} {what} ({}):\n  {}", ours.source, faults.join("\n  "));
    Ok(())
}

/// The port's folder in a crate that has a folder for each CPU.
fn cpu(port: Port) -> &'static str {
    match port {
        Port::linux_386 | Port::freebsd_386 => "x86",
        Port::linux_amd64 | Port::freebsd_amd64 => "x86_64",
        Port::linux_arm => "arm",
    }
}

/// The column of the port's CPU in the table of Linux's system calls.
fn column(port: Port) -> usize {
    match port {
        Port::linux_amd64 | Port::freebsd_amd64 => 0,
        Port::linux_386 | Port::freebsd_386 => 1,
        Port::linux_arm => 2,
    }
}

#[test]
fn numbers_of_system_calls() -> Result<()> {
    for port in chosen(&Port::ALL) {
        // FreeBSD has one table for every CPU.
        let (file, os_cpu) = match port.is_freebsd() {
            true => ("src/os/freebsd/nr.rs", "freebsd-x86_64".into()),
            false => ("src/os/linux/nr.rs", format!("linux-{}", cpu(port))),
        };
        let ours = Table::rust(file, port.bits(), &[root().join(file)], "")?.column(column(port));
        let sc = if port == Port::linux_arm { "linux-armeabi" } else { &os_cpu };
        let mut theirs = vec![
            of_crate("sc", port, &[&format!("src/platform/{sc}/nr.rs")], "")?,
            of_crate("nc", port, &[&format!("src/platform/{os_cpu}/sysno.rs")], "SYS_")?,
        ];
        if linux(port) {
            let general = format!("src/{}/general.rs", cpu(port));
            theirs.push(of_crate("linux-raw-sys", port, &[&general], "__NR_")?);
        }
        let header = match port {
            Port::linux_386 => &["asm/unistd_32.h"][..],
            Port::linux_amd64 => &["asm/unistd_64.h"],
            _ => &["asm/unistd.h", "asm/unistd-eabi.h"],
        };
        theirs.extend(headers(port, header, "__NR_"));
        check(port, "system calls", &ours, &theirs)?;
    }
    Ok(())
}

/// The tables for a port's constants other than system calls.
fn kernel_constants(port: Port) -> Result<Vec<Table>> {
    if linux(port) {
        let of_cpu = ["general.rs", "errno.rs", "auxvec.rs", "elf_uapi.rs", "ioctl.rs"]
            .map(|file| format!("src/{}/{file}", cpu(port)));
        let files = "asm/mman.h asm/auxvec.h asm/fcntl.h asm-generic/errno-base.h asm-generic/errno.h \
                     asm-generic/fcntl.h asm-generic/mman-common.h asm-generic/mman.h asm-generic/resource.h \
                     linux/auxvec.h linux/fs.h linux/stat.h asm-generic/ioctls.h asm-generic/signal.h linux/futex.h linux/mman.h linux/reboot.h linux/time.h linux/wait.h";
        let mut tables = vec![of_crate("linux-raw-sys", port, &of_cpu.each_ref().map(|file| &**file), "")?];
        tables.extend(headers(port, &files.split_whitespace().collect::<Vec<_>>(), ""));
        return Ok(tables);
    }
    let bsd = "src/unix/bsd/freebsdlike";
    let of_cpu = if bits32(port) { "x86.rs" } else { "x86_64/mod.rs" };
    let libc = [
        &format!("{bsd}/freebsd/{of_cpu}"),
        &format!("{bsd}/freebsd/mod.rs"),
        &format!("{bsd}/mod.rs"),
        "src/unix/bsd/mod.rs",
        "src/unix/mod.rs",
    ];
    let types = "src/platform/freebsd-types/sys";
    let nc = ["fcntl", "mman", "reboot", "resource", "time", "umtx", "wait"].map(|name| format!("{types}/{name}.rs"));
    let nc: Vec<_> = nc.iter().map(|file| &**file).chain(["src/platform/freebsd-x86_64/errno.rs"]).collect();
    Ok(vec![of_crate("libc", port, &libc, "")?, of_crate("nc", port, &nc, "")?])
}

/// The files that hold constants of a port's kernel, its CPU and of either kernel.
fn sources(port: Port) -> [String; 14] {
    let os = if port.is_freebsd() { "src/os/freebsd" } else { "src/os/linux" };
    [
        format!("{os}/mod.rs"),
        format!("{os}/file.rs"),
        format!("{os}/futex.rs"),
        format!("{os}/thread.rs"),
        format!("{os}/time.rs"),
        format!("{os}/tls.rs"),
        format!("{os}/signal.rs"),
        "src/os/mod.rs".into(),
        "src/os/initial_stack.rs".into(),
        "src/sys.rs".into(),
        "src/start/relocate.rs".into(),
        "src/start/dynamic.rs".into(),
        "src/os/program_headers.rs".into(),
        format!("arch/{port}/mod.rs"),
    ]
}

#[test]
fn constants() -> Result<()> {
    for port in chosen(&Port::ALL) {
        let files = sources(port);
        let ours = Table::rust(files.join(", "), port.bits(), &files.each_ref().map(|file| root().join(file)), "")?
            .column(column(port));
        let mut theirs = kernel_constants(port)?;
        theirs.push(of_crate("object", port, &["src/elf.rs"], "")?);
        check(port, "constants", &ours, &theirs)?;
    }
    Ok(())
}

/// The other direction: every error of the kernel has its name in rt0.
#[test]
fn no_errno_is_missing() -> Result<()> {
    // These are second names of a number, and the end of FreeBSD's list.
    let second = ["EWOULDBLOCK", "EDEADLOCK", "ENOTSUP", "ELAST"];
    for port in chosen(&Port::ALL) {
        let os = if port.is_freebsd() { "src/os/freebsd/mod.rs" } else { "src/os/linux/mod.rs" };
        let ours = Table::rust(os, port.bits(), &[root().join(os)], "")?;
        let file = match port.is_freebsd() {
            true => ("nc", "src/platform/freebsd-x86_64/errno.rs".into()),
            false => ("linux-raw-sys", format!("src/{}/errno.rs", cpu(port))),
        };
        let theirs = of_crate(file.0, port, &[&file.1], "")?;
        let names: Vec<_> = theirs.names().filter(|name| name.starts_with('E') && !second.contains(name)).collect();
        println!("{port}: {} errors in {}", names.len(), theirs.source);
        ensure!(names.len() > 90, "{}: only {} errors read", theirs.source, names.len());
        for name in names {
            let (here, there) = (ours.value(name)?, theirs.value(name)?);
            ensure!(here == there, "{name}: {here:?} in {os}, {there:?} in {}", theirs.source);
        }
    }
    Ok(())
}

/// The structures as the compiler lays them out for each port: `tests/layouts` compiles only if they agree with `libc`
/// and `linux-raw-sys`.
#[test]
fn layouts_of_structures() -> Result<()> {
    make("layouts", &chosen(&Port::ALL))
}

/// Every row of the lists above still has a constant that it is for.
#[test]
fn exceptions_are_needed() -> Result<()> {
    let mut names = Vec::new();
    for port in Port::ALL {
        let numbers = ["src/os/freebsd/nr.rs".into(), "src/os/linux/nr.rs".into()];
        let files = sources(port).into_iter().chain(numbers);
        let files: Vec<_> = files.map(|file| root().join(file)).collect();
        let ours = Table::rust("rt0", port.bits(), &files, "")?;
        names.extend(ours.names().map(String::from));
    }
    for name in ALIASES.iter().map(|row| row.0).chain(OWN.iter().map(|row| row.0)) {
        ensure!(names.iter().any(|known| known == name), "{name}: no constant has this name");
    }
    Ok(())
}
