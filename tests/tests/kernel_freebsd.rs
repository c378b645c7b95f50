//! How a FreeBSD kernel gets from its file to its first instruction, tested with stand-ins for the kernel: programs of
//! a few bytes that GRUB takes for FreeBSD kernels, and that write the output of a whole plan on the serial line.
//!
//! Not every machine has a real kernel; `make test-freebsd KERNEL=<file>` runs the suite on one.

use rt0_tests::check::suite::Suite;
use rt0_tests::check::sweep::Extent;
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::machine::{Machine, default_dist};
use rt0_tests::run::qemu::console::Console;
use rt0_tests::run::qemu::freebsd::{self, Cpu, Kernel};
use rt0_tests::run::qemu::{plan, tools};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const SAID: &str = "init: up\r\n=== a\r\nx=1\r\n--- a exit=3\r\nALL DONE\r\n\0";

/// Whether this machine has the tools to make the image. `make test` sets RT0_REQUIRE_ALL, and then it must have them.
fn can_make_images() -> bool {
    let needed = tools::need(
        &["makefs", "grub-mkrescue", "xorriso", "mformat", "qemu-system-x86_64"],
        &[(Path::new("/usr/lib/grub/i386-pc/bsd.mod"), "grub-pc-bin")],
    );
    match needed {
        Ok(()) => true,
        Err(missing) if std::env::var_os("RT0_REQUIRE_ALL").is_some() => panic!("{missing}"),
        Err(missing) => {
            eprintln!("NOT RUN: {missing}");
            false
        }
    }
}

/// Writes `SAID` to the first serial port, then resets the machine by its keyboard controller.
fn code(cpu: Cpu) -> Vec<u8> {
    let mut code = match cpu {
        // lea rsi, [rip + message]
        Cpu::Amd64 => vec![0x48, 0x8d, 0x35, 18, 0, 0, 0],
        // call next; next: pop esi; add esi, message - next
        Cpu::I386 => vec![0xe8, 0, 0, 0, 0, 0x5e, 0x83, 0xc6, 22],
    };
    code.extend([0x66, 0xba, 0xf8, 0x03]); //     mov dx, 0x3f8
    code.extend([0xac, 0x84, 0xc0, 0x74, 3]); //  again: lodsb; test al, al; jz done
    code.extend([0xee, 0xeb, 0xf8]); //           out dx, al; jmp again
    code.extend([0xb0, 0xfe, 0xe6, 0x64]); //     done: mov al, 0xfe; out 0x64, al
    code.extend([0xeb, 0xfe]); //                 jmp .
    code.extend(SAID.bytes());
    code
}

/// An ELF executable with one segment, at the address where FreeBSD's kernel begins, and the symbol table that GRUB
/// asks for.
struct StandIn {
    cpu: Cpu,
    bytes: Vec<u8>,
}

impl StandIn {
    fn new(cpu: Cpu) -> Self {
        let mut stand_in = StandIn { cpu, bytes: Vec::new() };
        let (ehsize, phentsize, shentsize, symsize) =
            if cpu == Cpu::Amd64 { (64, 56, 64, 24) } else { (52, 32, 40, 16) };
        let mut content = code(cpu);
        content.extend(b"/red/herring\0@(#)FreeBSD 0.1-STANDIN #0\0");
        content.resize(content.len().next_multiple_of(8), 0);

        let code_at = 4096;
        let symbols_at = code_at + content.len() as u64;
        let names_at = symbols_at + symsize;
        let sections_at = (names_at + 8).next_multiple_of(8);
        let base: u64 = if cpu == Cpu::Amd64 { 0xffff_ffff_8020_0000 } else { 0xc040_0000 };
        let entry = base + code_at;

        let class = if cpu == Cpu::Amd64 { 2 } else { 1 };
        stand_in.bytes.extend([0x7f, b'E', b'L', b'F', class, 1, 1, 9, 0, 0, 0, 0, 0, 0, 0, 0]);
        stand_in.half(2); // ET_EXEC
        stand_in.half(if cpu == Cpu::Amd64 { 62 } else { 3 });
        stand_in.word(1);
        stand_in.long(entry);
        stand_in.long(ehsize);
        stand_in.long(sections_at);
        stand_in.word(0);
        for half in [ehsize, phentsize, 1, shentsize, 3, 2] {
            stand_in.half(half);
        }
        // The segment: PT_LOAD, readable and executable, the file from its start.
        let size = symbols_at;
        stand_in.word(1);
        if cpu == Cpu::Amd64 {
            stand_in.word(5);
        }
        for long in [0, base, base, size, size] {
            stand_in.long(long);
        }
        if cpu == Cpu::I386 {
            stand_in.word(5);
        }
        stand_in.long(4096);

        stand_in.bytes.resize(4096, 0);
        stand_in.bytes.extend(content);
        stand_in.bytes.resize(usize::try_from(sections_at).unwrap(), 0); // one symbol and one name, both null
        stand_in.section(0, 0, 0, 0, 0);
        stand_in.section(2, symbols_at, symsize, 2, symsize); // SHT_SYMTAB, its names in section 2
        stand_in.section(3, names_at, 8, 0, 0); // SHT_STRTAB
        stand_in
    }

    fn half(&mut self, value: u64) {
        self.bytes.extend(&value.to_le_bytes()[..2]);
    }

    fn word(&mut self, value: u64) {
        self.bytes.extend(&value.to_le_bytes()[..4]);
    }

    fn long(&mut self, value: u64) {
        let size = if self.cpu == Cpu::Amd64 { 8 } else { 4 };
        self.bytes.extend(&value.to_le_bytes()[..size]);
    }

    fn section(&mut self, kind: u64, offset: u64, size: u64, link: u64, entry_size: u64) {
        self.word(0);
        self.word(kind);
        for long in [0, 0, offset, size] {
            self.long(long);
        }
        self.word(link);
        self.word(0);
        self.long(1);
        self.long(entry_size);
    }

    fn write(&self, folder: &Path) -> PathBuf {
        let file = folder.join("kernel");
        fs::write(&file, &self.bytes).unwrap();
        file
    }
}

/// The parts of a FreeBSD program that the maker of the image reads.
fn program(folder: &Path, name: &str, cpu: Cpu) -> PathBuf {
    let file = folder.join(name);
    let mut bytes = StandIn::new(cpu).bytes;
    bytes.extend(format!("the program {name}").bytes());
    fs::write(&file, bytes).unwrap();
    file
}

#[test]
fn a_kernel_is_booted_and_followed() {
    if !can_make_images() {
        return;
    }
    for cpu in [Cpu::Amd64, Cpu::I386] {
        let work = tempfile::tempdir().unwrap();
        let kernel = Kernel::read(&StandIn::new(cpu).write(work.path())).unwrap();
        assert_eq!((kernel.cpu, kernel.version.as_str()), (cpu, "FreeBSD 0.1-STANDIN"));
        let init = program(work.path(), "init", cpu);
        let jobs = [Job::new("a", program(work.path(), "x", cpu), &[])];
        let boot = freebsd::run(&kernel, &init, &jobs, 1, &mut |_| ()).unwrap();
        assert_eq!(
            (boot.outcomes[0].end.clone(), boot.outcomes[0].output.as_str()),
            (End::Exit(3), "x=1\n"),
            "{cpu:?}"
        );
    }
}

#[test]
fn a_kernel_that_grub_does_not_take_ends_the_machine() {
    if !can_make_images() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let mut stand_in = StandIn::new(Cpu::Amd64);
    stand_in.bytes[54] = 0; // e_phentsize
    let kernel = Kernel::read(&stand_in.write(work.path())).unwrap();
    let init = program(work.path(), "init", Cpu::Amd64);
    let jobs = [Job::new("a", &init, &[])];
    let boot = freebsd::run(&kernel, &init, &jobs, 1, &mut |_| ()).unwrap();
    let console = &boot.console;
    assert!(
        console.contains("GRUB: loading the kernel")
            && console.contains("error: ")
            && console.contains("GRUB: the kernel was not started"),
        "{console}"
    );
    assert!(matches!(&boot.outcomes[0].end, End::Missing(why) if why.contains("init did not start")), "{boot:?}");
}

#[test]
fn the_image_holds_what_was_given() {
    if !can_make_images() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let kernel_file = StandIn::new(Cpu::Amd64).write(work.path());
    let kernel = Kernel::read(&kernel_file).unwrap();
    let init = program(work.path(), "init", Cpu::Amd64);
    let jobs = [Job::new("a", program(work.path(), "x", Cpu::I386), &["two words"]).limited(1 << 20)];
    let image = work.path().join("cd.iso");
    freebsd::make_image(&kernel, &init, &jobs, 9, work.path(), &image).unwrap();

    let out = work.path().join("out");
    let extracted = Command::new("xorriso")
        .args(["-osirrox", "on", "-indev"])
        .arg(&image)
        .arg("-extract")
        .arg("/")
        .arg(&out)
        .output()
        .unwrap();
    assert!(extracted.status.success(), "{extracted:?}");
    assert_eq!(fs::read(out.join("kernel")).unwrap(), fs::read(&kernel_file).unwrap());
    assert!(
        fs::read_to_string(out.join("boot/grub/grub.cfg")).unwrap().contains("kfreebsd_module /mfsroot type=mfs_root")
    );
    // The memory disk is UFS1: its magic number is at the end of the superblock, which begins at 8 KiB.
    let disk = fs::read(out.join("mfsroot")).unwrap();
    assert_eq!(disk[8192 + 1372..8192 + 1376], 0x0001_1954_u32.to_le_bytes());
    let holds = |wanted: &[u8]| disk.windows(wanted.len()).any(|window| window == wanted);
    assert!(holds(b"!timeout 9\na 1048576 /t/0/x 'two words'\n"));
    assert!(holds(b"the program init") && holds(b"the program x"));
}

#[test]
fn a_wrong_file_is_named_for_what_it_is() {
    let work = tempfile::tempdir().unwrap();
    let said = |bytes: &[u8]| {
        let file = work.path().join("kernel");
        fs::write(&file, bytes).unwrap();
        Kernel::read(&file).unwrap_err().to_string()
    };
    assert!(
        Kernel::read(Path::new("/no/such/kernel"))
            .unwrap_err()
            .to_string()
            .contains("cannot read the kernel /no/such/kernel")
    );
    assert!(said(b"").contains("it is empty"));
    assert!(said(b"\xfd7zXZ\0....").contains("take boot/kernel/kernel out of it"));
    assert!(said(b"\x1f\x8b....").contains("gzip"));
    assert!(said(b"hello").contains("not an ELF file"));
    let right = StandIn::new(Cpu::Amd64).bytes;
    let changed = |at: usize, byte: u8| {
        let mut bytes = right.clone();
        bytes[at] = byte;
        said(&bytes)
    };
    assert!(changed(18, 183).contains("for machine 183"));
    assert!(changed(16, 3).contains("of ELF type 3"));
    let herring = right.windows(4).position(|bytes| bytes == b"/red").unwrap();
    assert!(changed(herring, b'!').contains("a FreeBSD program"));
    let mut linux = right.clone();
    (linux[7], linux[herring]) = (0, b'!');
    assert!(said(&linux).contains("a program for OS ABI 0"));
    for at in [4, 7, 16, 18] {
        assert!(said(&right[..at]).contains("is not a FreeBSD kernel"));
    }
}

#[test]
fn a_program_for_another_system_is_refused() {
    if !can_make_images() {
        return;
    }
    let work = tempfile::tempdir().unwrap();
    let kernel = Kernel::read(&StandIn::new(Cpu::I386).write(work.path())).unwrap();
    let init = program(work.path(), "init", Cpu::I386);
    let refused = |program: &Path| {
        let image = work.path().join("cd.iso");
        freebsd::make_image(&kernel, &init, &[Job::new("a", program, &[])], 9, work.path(), &image)
            .unwrap_err()
            .to_string()
    };
    assert!(refused(Path::new("/proc/self/exe")).contains("OS ABI"));
    assert!(refused(&program(work.path(), "x", Cpu::Amd64)).contains("not for the CPU"));
    assert!(refused(Path::new("/no/such/file")).contains("/no/such/file"));
}

/// The suite as a plan for `init` under the runner, which plays fork, execve and wait4. So `init` is known to work
/// before it is the first process of a real kernel.
#[test]
fn init_runs_the_suite_on_the_double_of_a_kernel() {
    let (dist, work) = (default_dist(), tempfile::tempdir().unwrap());
    let mut suite = Suite::default();
    for port in Machine::Runner.ports() {
        suite.add(*port, &dist, Extent::Thin, 1).unwrap();
    }
    let plan = work.path().join("plan");
    fs::write(&plan, plan::write(&suite.jobs, 20, &mut |program| program.display().to_string()).unwrap()).unwrap();
    for port in Machine::Runner.ports() {
        let output = fs::File::create_new(work.path().join(port.to_string())).unwrap();
        let status = Command::new(env!("CARGO_BIN_EXE_freebsd-runner"))
            .arg("--time-limit=300")
            .arg(port.program(&dist, "init"))
            .arg(&plan)
            .stdout(output.try_clone().unwrap())
            .stderr(output.try_clone().unwrap())
            .status()
            .unwrap();
        let mut console = Console::new(&suite.jobs);
        let text = fs::read_to_string(work.path().join(port.to_string())).unwrap();
        for line in text.lines() {
            console.line(line);
        }
        let (outcomes, fault) = console.finish("its output ended");
        let broken = suite.check(&outcomes);
        assert!(broken.is_empty() && fault.is_none(), "{port}: {fault:?} {:#?}", &broken[..broken.len().min(9)]);
        assert_eq!(status.code(), Some(0), "{port}");
    }
}
