//! A FreeBSD kernel that the user has, booted by GRUB from a CD, with a memory disk as its root file system.

use super::boot::{self, Boot};
use super::{grub, plan, tools};
use crate::run::job::{Job, Outcome};
use anyhow::{Context, Result, bail, ensure};
use object::elf;
use std::fmt;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The help for a user who has no kernel yet.
pub const WHERE_TO_GET_ONE: &str = "\
A FreeBSD kernel file is needed: KERNEL=<file>, amd64 (GENERIC, runs both ports) or i386 (runs freebsd_386).
It is `boot/kernel/kernel` in kernel.txz of a release, for example
  https://archive.freebsd.org/old-releases/amd64/11.1-RELEASE/kernel.txz
  https://archive.freebsd.org/old-releases/i386/11.1-RELEASE/kernel.txz
and comes out with: tar -xJf kernel.txz ./boot/kernel/kernel
Kernels of 10.4 and 11.1, amd64 and i386, are known to boot this way.";

/// The CPU that a kernel is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cpu {
    /// Runs freebsd_386 as well, with COMPAT_FREEBSD32 (in GENERIC).
    Amd64,
    /// Runs freebsd_386 only.
    I386,
}

/// A FreeBSD kernel file that has been identified.
#[derive(Clone, Debug)]
pub struct Kernel {
    /// Its bytes.
    content: Vec<u8>,
    /// What it runs on.
    pub cpu: Cpu,
    /// "FreeBSD 11.1-RELEASE", or "FreeBSD" where the file does not say.
    pub version: String,
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let cpu = if self.cpu == Cpu::Amd64 { "amd64" } else { "i386" };
        write!(f, "{} {cpu}", self.version)
    }
}

impl Kernel {
    /// Reads a kernel; an error says what the file is instead.
    pub fn read(file: &Path) -> Result<Kernel> {
        let content = fs::read(file).with_context(|| format!("cannot read the kernel {}", file.display()))?;
        let (cpu, version) = identify(&content).map_err(|what| {
            anyhow::anyhow!("{} is not a FreeBSD kernel: it is {what}\n{WHERE_TO_GET_ONE}", file.display())
        })?;
        Ok(Kernel { content, cpu, version })
    }
}

/// The kernel's CPU and version, or what the file is instead.
fn identify(content: &[u8]) -> Result<(Cpu, String), String> {
    let magic = |bytes: &[u8]| content.starts_with(bytes);
    match () {
        () if content.is_empty() => return Err("empty".into()),
        () if magic(b"\xfd7zXZ\0") => {
            return Err("compressed with xz; if it is kernel.txz, take boot/kernel/kernel out of it".into());
        }
        () if magic(b"\x1f\x8b") => return Err("compressed with gzip; unpack it first".into()),
        () if magic(b"\x28\xb5\x2f\xfd") => return Err("compressed with zstd; unpack it first".into()),
        () if !magic(&elf::ELFMAG) => return Err("not an ELF file".into()),
        () => {}
    }
    // e_ident, e_type and e_machine are at the same offsets in both classes.
    let [class, osabi] = [content.get(4), content.get(7)].map(|byte| byte.copied().unwrap_or(0));
    let half = |at: usize| content.get(at..at + 2).map_or(0, |bytes| u16::from_le_bytes([bytes[0], bytes[1]]));
    let (kind, machine) = (half(16), half(18));
    let cpu = match (class, machine) {
        (elf::ELFCLASS64, elf::EM_X86_64) => Cpu::Amd64,
        (elf::ELFCLASS32, elf::EM_386) => Cpu::I386,
        _ => {
            return Err(format!(
                "for machine {machine}, class {class} (wanted: amd64 {} or i386 {})",
                elf::EM_X86_64,
                elf::EM_386
            ));
        }
    };
    // Every kernel is linked with this interpreter (sys/conf/kern.pre.mk), and no program is.
    if find(content, b"/red/herring\0").is_none() {
        return Err(match osabi {
            elf::ELFOSABI_FREEBSD => "a FreeBSD program".into(),
            other => format!("a program for OS ABI {other} (FreeBSD is {})", elf::ELFOSABI_FREEBSD),
        });
    }
    if kind != elf::ET_EXEC {
        return Err(format!("of ELF type {kind}, and not an executable ({})", elf::ET_EXEC));
    }
    Ok((cpu, version(content).unwrap_or_else(|| "FreeBSD".into())))
}

/// The release's name, from the string `sccs` (sys/conf/newvers.sh).
fn version(content: &[u8]) -> Option<String> {
    let start = find(content, b"@(#)FreeBSD ")? + b"@(#)".len();
    let words: Vec<&[u8]> = content[start..].splitn(3, |&byte| byte == b' ' || byte == 0).take(2).collect();
    Some(String::from_utf8_lossy(&words.join(&b' ')).into_owned())
}

fn find(content: &[u8], wanted: &[u8]) -> Option<usize> {
    content.windows(wanted.len()).position(|window| window == wanted)
}

/// Boots `kernel` with the program `init` of its port as the first process and runs `jobs` in their order.
///
/// It works as [`super::linux::run`] does.
pub fn run(kernel: &Kernel, init: &Path, jobs: &[Job], timeout: u64, ended: &mut dyn FnMut(&Outcome)) -> Result<Boot> {
    tools::need(&["qemu-system-x86_64"], &[])?;
    let work = tempfile::tempdir()?;
    let image = work.path().join("cd.iso");
    make_image(kernel, init, jobs, timeout, work.path(), &image)?;
    // A kernel that panics waits 15 s before it resets, and one that boots slowly prints little for a while.
    boot::boot(machine(&image), jobs, Duration::from_secs(timeout + 120), &super::log("freebsd")?, ended)
}

/// The machine that boots `image`.
fn machine(image: &Path) -> Command {
    let mut qemu = tools::command("qemu-system-x86_64");
    qemu.args(["-accel", "tcg", "-cpu", "max", "-m", "1024", "-machine", "pc", "-no-reboot"]);
    qemu.args(["-nodefaults", "-vga", "none", "-display", "none", "-monitor", "none", "-serial", "stdio"]);
    qemu.args(["-boot", "d", "-cdrom"]).arg(image);
    qemu
}

/// Makes the CD with GRUB, the kernel, and the memory disk with `init` and the plan's programs. The parts stay in the
/// folder `work`.
pub fn make_image(kernel: &Kernel, init: &Path, jobs: &[Job], timeout: u64, work: &Path, image: &Path) -> Result<()> {
    tools::need(
        &["makefs", "grub-mkrescue", "xorriso", "mformat"],
        &[
            (&Path::new(grub::MODULES).join("bsd.mod"), "grub-pc-bin"),
            (&Path::new(grub::MODULES).join("relocator.mod"), "grub-pc-bin"),
        ],
    )?;
    check_program(init, kernel.cpu)?;
    for job in jobs {
        check_program(&job.program, kernel.cpu)?;
    }
    let tree = work.join("cd");
    fs::create_dir_all(tree.join("boot/grub"))?;
    fs::write(tree.join("kernel"), &kernel.content)?;
    fs::write(tree.join("boot/grub/grub.cfg"), GRUB_CFG)?;
    make_root(init, jobs, timeout, &work.join("root"), &tree.join("mfsroot"))?;
    grub::make_image(&tree, image)
}

/// GRUB's commands. If GRUB does not accept the kernel the machine ends (`reboot` under -no-reboot), since nobody would
/// answer a prompt.
const GRUB_CFG: &str = "\
serial --unit=0 --speed=115200
terminal_input serial
terminal_output serial
set timeout=0
set kFreeBSD.vfs.root.mountfrom=ufs:/dev/md0
set kFreeBSD.vfs.root.mountfrom.options=rw
set kFreeBSD.init_path=/sbin/init
set kFreeBSD.hint.uart.0.at=isa
set kFreeBSD.hint.uart.0.port=0x3F8
set kFreeBSD.hint.uart.0.flags=0x10
set kFreeBSD.hint.uart.0.irq=4
set kFreeBSD.console=comconsole
set kFreeBSD.kern.hz=100
echo \"GRUB: loading the kernel\"
kfreebsd /kernel -h
kfreebsd_module /mfsroot type=mfs_root
boot
echo \"GRUB: the kernel was not started\"
reboot
";

/// Makes the memory disk, a UFS1 file system with the content of the folder `root`, which is filled first.
fn make_root(init: &Path, jobs: &[Job], timeout: u64, root: &Path, disk: &Path) -> Result<()> {
    let plan = plan::plan(jobs, timeout)?;
    // The kernel mounts devfs on /dev by itself.
    for folder in ["dev", "sbin", "t"] {
        fs::create_dir_all(root.join(folder))?;
    }
    fs::write(root.join("plan"), &plan.text)?;
    install(init, &root.join("sbin/init"))?;
    for (place, program) in &plan.programs {
        let place = root.join(place.trim_start_matches('/'));
        fs::create_dir_all(place.parent().context("a program has a folder")?)?;
        install(program, &place)?;
    }
    tools::run(
        tools::command("makefs")
            .args(["-t", "ffs", "-B", "little", "-o", "version=1,bsize=8192,fsize=1024,minfree=0"])
            .args(["-M", "4m", "-b", "10%", "-f", "64"])
            .arg(disk)
            .arg(root),
    )?;
    Ok(())
}

fn install(program: &Path, place: &Path) -> Result<()> {
    fs::copy(program, place).with_context(|| format!("cannot read {}", program.display()))?;
    fs::set_permissions(place, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Whether the kernel can run `program`. execve would only say ENOEXEC.
fn check_program(program: &Path, cpu: Cpu) -> Result<()> {
    let content = fs::read(program).with_context(|| format!("cannot read {}", program.display()))?;
    let shown = program.display();
    ensure!(content.starts_with(&elf::ELFMAG) && content.len() > 20, "{shown} is not an ELF file");
    ensure!(
        content[7] == elf::ELFOSABI_FREEBSD,
        "{shown}: its OS ABI is {}, and FreeBSD's is {}",
        content[7],
        elf::ELFOSABI_FREEBSD
    );
    let fits = match content[4] {
        elf::ELFCLASS32 => u16::from_le_bytes([content[18], content[19]]) == elf::EM_386,
        elf::ELFCLASS64 => cpu == Cpu::Amd64 && u16::from_le_bytes([content[18], content[19]]) == elf::EM_X86_64,
        _ => false,
    };
    if !fits {
        bail!("{shown} is not for the CPU of this kernel ({cpu:?})");
    }
    Ok(())
}
