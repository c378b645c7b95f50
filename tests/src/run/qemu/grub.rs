//! Makes a bootable CD image with GRUB, from a copy of its modules in which one known bug is fixed.

use super::tools;
use anyhow::{Context, Result, bail};
use object::read::elf::ElfFile32;
use object::{LittleEndian, Object, ObjectSection, ObjectSymbol};
use std::fs;
use std::path::Path;

/// GRUB's modules for a PC with BIOS, from Debian's package grub-pc-bin.
pub const MODULES: &str = "/usr/lib/grub/i386-pc";

/// The modules that the image needs to boot a kernel from the CD and use a serial line.
const NEEDED: &str = "bsd normal iso9660 serial terminal biosdisk echo reboot test";

/// Makes `image`, a CD whose files are the folder `tree` with GRUB in front of it; `tree` has boot/grub/grub.cfg.
pub fn make_image(tree: &Path, image: &Path) -> Result<()> {
    let modules = tempfile::tempdir()?;
    for entry in fs::read_dir(MODULES)? {
        let file = entry?.path();
        if file.is_file() {
            fs::copy(&file, modules.path().join(file.file_name().context("a file has a name")?))?;
        }
    }
    mend_file(&modules.path().join("relocator.mod"))?;
    tools::run(
        tools::command("grub-mkrescue")
            .arg("-d")
            .arg(modules.path())
            .arg(format!("--install-modules={NEEDED} configfile"))
            .arg(format!("--modules={NEEDED}"))
            .args(["--locales=", "--themes=", "--fonts=", "-o"])
            .arg(image)
            .arg(tree),
    )?;
    if !image.exists() {
        bail!("grub-mkrescue made no image; it does so when mformat (package mtools) or xorriso is missing");
    }
    Ok(())
}

fn mend_file(file: &Path) -> Result<()> {
    let mut module = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    match mend_relocator(&mut module).with_context(|| format!("{} is not as expected", file.display()))? {
        Jump::Right => {}
        Jump::Fixed { from, to } => {
            eprintln!(
                "grub: the 64-bit jump in a copy of relocator.mod reads its target {from} bytes ahead, not {to}: fixed"
            );
            fs::write(file, module)?;
        }
    }
    Ok(())
}

/// How the jump into a 64-bit kernel was found.
#[derive(Debug, PartialEq, Eq)]
enum Jump {
    /// It reads the address that GRUB stores.
    Right,
    /// It read another address, and has been fixed.
    Fixed { from: i32, to: i32 },
}

/// Fixes the jump into a 64-bit kernel in GRUB's relocator.mod for i386-pc.
///
/// The last instruction of grub-core/lib/i386/relocator64.S is `cld; jmp *jump_addr(%rip)`, and after it comes the
/// address, the variable `grub_relocator64_rip`. Debian's 2.06-13+deb12u2 has eight bytes of displacement in place of
/// four (written as `.byte 0xff, 0x25; .quad 0`): the jump reads its target four bytes too early, and every boot of an
/// amd64 kernel ends in a triple fault. A displacement of 4 skips the superfluous bytes.
///
/// The jump is found by its symbol, not by an offset of one build; a module whose jump is right stays as it is.
fn mend_relocator(module: &mut [u8]) -> Result<Jump> {
    let elf = ElfFile32::<LittleEndian>::parse(&*module)?;
    let symbol = elf
        .symbols()
        .find(|symbol| symbol.name() == Ok("grub_relocator64_rip"))
        .context("no symbol grub_relocator64_rip")?;
    let section = elf.section_by_index(symbol.section_index().context("the symbol has no section")?)?;
    let code = section.data()?;
    let target = usize::try_from(symbol.address())?;

    // cld, then jmp with an absolute or relative operand: fc ff 25 disp32.
    const JUMP: [u8; 3] = [0xfc, 0xff, 0x25];
    let start = target.saturating_sub(16);
    let before = code.get(start..target).context("the symbol lies outside its section")?;
    let at =
        start + before.windows(3).rposition(|bytes| bytes == JUMP).context("no jump before grub_relocator64_rip")? + 3;
    if section.relocations().any(|(offset, _)| offset == at as u64) {
        return Ok(Jump::Right); // the displacement is filled in when GRUB loads the module
    }
    let displacement = code.get(at..at + 4).context("the jump is cut off")?;
    let from = i32::from_le_bytes(displacement.try_into()?);
    let to = i32::try_from(target - (at + 4))?;
    if from == to {
        return Ok(Jump::Right);
    }
    let (section_start, _) = section.file_range().context("the section has no bytes in the file")?;
    let place = usize::try_from(section_start)? + at;
    module[place..place + 4].copy_from_slice(&to.to_le_bytes());
    Ok(Jump::Fixed { from, to })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Debian's module as it is installed, if it is.
    fn installed() -> Option<Vec<u8>> {
        fs::read(Path::new(MODULES).join("relocator.mod")).ok()
    }

    #[test]
    fn the_jump_is_fixed_once() {
        let Some(original) = installed() else {
            eprintln!("not run: {MODULES} is not installed");
            return;
        };
        let mut module = original.clone();
        mend_relocator(&mut module).unwrap();
        let fixed = module.clone();
        assert_eq!(mend_relocator(&mut module).unwrap(), Jump::Right);
        assert_eq!(module, fixed);
        // At most the displacement's four bytes differ.
        assert!(original.iter().zip(&fixed).filter(|(a, b)| a != b).count() <= 4);
    }

    #[test]
    fn a_wrong_displacement_is_fixed_whatever_it_is() {
        let Some(mut module) = installed() else { return };
        mend_relocator(&mut module).unwrap();
        let right = module.clone();
        let at = right.windows(3).position(|bytes| bytes == [0xfc, 0xff, 0x25]).unwrap() + 3;
        for wrong in [1, 8, -4] {
            module[at..at + 4].copy_from_slice(&i32::to_le_bytes(wrong));
            let jump = mend_relocator(&mut module).unwrap();
            assert!(matches!(jump, Jump::Fixed { from, .. } if from == wrong), "{jump:?}");
            assert_eq!(module, right);
        }
    }

    #[test]
    fn what_is_no_relocator_is_refused() {
        assert!(mend_relocator(&mut [0; 100]).is_err());
        let Ok(mut other) = fs::read(Path::new(MODULES).join("echo.mod")) else { return };
        assert!(mend_relocator(&mut other).unwrap_err().to_string().contains("grub_relocator64_rip"));
    }
}
