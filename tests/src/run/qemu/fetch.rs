//! Debian's kernels, downloaded and verified by apt with a configuration of its own.
//!
//! apt gets a root folder under `.cache/kernels/<arch>/apt`, so neither the system's package lists nor its list of
//! architectures change, and no privilege is needed. Proxies in the system's apt configuration still count.

use super::Kernel;
use super::tools;
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::Duration;

/// The last Debian release with a kernel for i386 (686 and 686-pae); later ones have i386 user space only.
const SUITE: &str = "bookworm";
/// The public mirror, for systems whose apt has none of Debian.
const MIRROR: &str = "http://deb.debian.org/debian";
const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Pauses before the second and later attempts, since a mirror that is being synchronised gives hash mismatches.
const PAUSES: [Duration; 3] = [Duration::from_secs(5), Duration::from_secs(20), Duration::from_secs(60)];

/// A kernel image and what it is.
#[derive(Clone, Debug)]
pub struct Image {
    /// The file that QEMU boots.
    pub file: PathBuf,
    /// Debian's package and version, or "of unknown version" for a file that was put there by hand.
    pub version: String,
}

/// The kernel's image from the cache, into which it is downloaded first if it is not there.
pub fn fetch(kernel: Kernel) -> Result<Image> {
    let home = super::cache().join("kernels").join(kernel.architecture());
    fs::create_dir_all(&home).with_context(|| format!("cannot create {}", home.display()))?;
    // Tests run in parallel, and one download is enough.
    let lock = File::create(home.join("lock"))?;
    lock.lock().with_context(|| format!("cannot lock {}", home.display()))?;

    let (file, version) = (home.join("vmlinuz"), home.join("version"));
    if !file.exists() {
        tools::need(&["apt-get", "apt-cache", "dpkg-deb"], &[(Path::new(KEYRING), "debian-archive-keyring")])
            .with_context(|| {
                format!("no kernel for {} yet; without apt, put one at {}", kernel.architecture(), file.display())
            })?;
        let package = download_patiently(kernel, &home)?;
        let package_version = unpack(&package, &home)?;
        fs::write(&version, package_version)?;
        fs::rename(home.join("vmlinuz.new"), &file)?;
        fs::remove_dir_all(home.join("apt"))?;
    }
    let version = fs::read_to_string(version).unwrap_or_else(|_| "of unknown version".into());
    Ok(Image { file, version })
}

fn download_patiently(kernel: Kernel, home: &Path) -> Result<PathBuf> {
    let mut pauses = PAUSES.iter();
    loop {
        match (download(kernel, home), pauses.next()) {
            (Ok(package), _) => return Ok(package),
            (Err(error), None) => return Err(error),
            (Err(error), Some(pause)) => {
                eprintln!("kernels: {error:#}\nkernels: trying again in {} s", pause.as_secs());
                sleep(*pause);
            }
        }
    }
}

/// The mirror of Debian that the system's apt is set up with: the first whose lists it has, other than the security
/// archive, which has no kernels of the release.
fn mirror() -> String {
    let list = ["indextargets", "--format", "$(REPO_URI)", "Created-By: Packages", "Origin: Debian", "Component: main"];
    let output = Command::new("apt-get").args(list).output().map(|output| output.stdout).unwrap_or_default();
    let output = String::from_utf8_lossy(&output);
    let known = output.lines().map(|uri| uri.trim_end_matches('/')).find(|uri| uri.ends_with("/debian"));
    known.unwrap_or(MIRROR).to_string()
}

/// Downloads the package that Debian's meta package depends on.
fn download(kernel: Kernel, home: &Path) -> Result<PathBuf> {
    let root = home.join("apt");
    let config = configure(kernel, &root)?;
    eprintln!("kernels: looking up {} at {} ({SUITE})", kernel.package(), mirror());
    tools::run(apt("apt-get", &config).args(["-q", "update", "-o", "APT::Update::Error-Mode=any"]))?;
    let shown = tools::run(apt("apt-cache", &config).args(["show", "--no-all-versions", kernel.package()]))?;
    let shown = String::from_utf8_lossy(&shown.stdout).into_owned();
    let package = dependency(&shown)
        .with_context(|| format!("{} does not depend on a linux-image package:\n{shown}", kernel.package()))?;
    eprintln!("kernels: downloading {package}:{}", kernel.architecture());
    tools::run(apt("apt-get", &config).args(["-q", "download", package]).current_dir(&root))?;
    let files = fs::read_dir(&root)?.filter_map(|entry| Some(entry.ok()?.path()));
    files
        .into_iter()
        .find(|file| file.extension().is_some_and(|e| e == "deb"))
        .context("apt-get download left no package")
}

/// The kernel package in a meta package's `Depends:` line.
fn dependency(shown: &str) -> Option<&str> {
    let line = shown.lines().find_map(|line| line.strip_prefix("Depends: "))?;
    line.split([' ', ',']).find(|word| word.starts_with("linux-image-"))
}

fn apt(tool: &str, config: &Path) -> Command {
    let mut command = tools::command(tool);
    command.arg("-c").arg(config).env("LC_ALL", "C");
    command
}

/// Writes apt's private root: one source, one architecture, nothing installed.
fn configure(kernel: Kernel, root: &Path) -> Result<PathBuf> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    for folder in ["etc/apt/preferences.d", "var/lib/apt/lists/partial", "var/cache/apt/archives/partial"] {
        fs::create_dir_all(root.join(folder))?;
    }
    let arch = kernel.architecture();
    fs::write(root.join("status"), "")?;
    fs::write(
        root.join("etc/apt/sources.list"),
        format!("deb [arch={arch} signed-by={KEYRING} target=Packages lang=none] {} {SUITE} main\n", mirror()),
    )?;
    let config = root.join("apt.conf");
    let root = root.to_str().context("the project's path is not UTF-8")?;
    // The system's hooks concern the system's lists. The sandbox user may have no access to a folder in a home.
    fs::write(
        &config,
        format!(
            "#clear APT::Update::Post-Invoke;\n\
             #clear APT::Update::Post-Invoke-Success;\n\
             #clear APT::Architectures;\n\
             APT::Architecture \"{arch}\";\n\
             APT::Architectures {{ \"{arch}\"; }};\n\
             APT::Sandbox::User \"root\";\n\
             Acquire::Retries \"3\";\n\
             Dir \"{root}/\";\n\
             Dir::Etc::sourceparts \"-\";\n\
             Dir::State::status \"{root}/status\";\n"
        ),
    )?;
    Ok(config)
}

/// Unpacks the kernel as `vmlinuz.new`; returns the package's name and version.
fn unpack(package: &Path, home: &Path) -> Result<String> {
    eprintln!("kernels: unpacking {}", package.display());
    let tree = tempfile::tempdir_in(home)?;
    tools::run(tools::command("dpkg-deb").arg("-x").arg(package).arg(tree.path()))?;
    let boot = fs::read_dir(tree.path().join("boot")).context("the package has no /boot")?;
    let mut images = boot
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("vmlinuz-")));
    let (Some(image), None) = (images.next(), images.next()) else {
        bail!("{}: not exactly one /boot/vmlinuz-*", package.display());
    };
    fs::rename(image, home.join("vmlinuz.new"))?;
    let fields =
        tools::run(tools::command("dpkg-deb").arg("-W").arg("--showformat=${Package} ${Version}").arg(package))?;
    Ok(String::from_utf8_lossy(&fields.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_package_is_found_in_the_meta_package() {
        let shown =
            "Package: linux-image-armmp\nVersion: 6.1.1\nDepends: linux-image-6.1.0-37-armmp (= 6.1.140-1), x\n";
        assert_eq!(dependency(shown), Some("linux-image-6.1.0-37-armmp"));
        assert_eq!(dependency("Package: a\nDepends: b\n"), None);
        assert_eq!(dependency("Package: a\n"), None);
    }
}
