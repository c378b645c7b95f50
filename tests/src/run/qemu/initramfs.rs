//! A cpio archive in the "newc" format, which Linux unpacks as its first root file system
//! (Documentation/driver-api/early-userspace/buffer-format.rst).

/// An archive that grows by entries.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    entries: u32,
}

/// File types and permissions of `st_mode`.
const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const CHARACTER_DEVICE: u32 = 0o020_600;

impl Archive {
    /// Adds a folder; those above it have to be there already.
    pub fn folder(&mut self, path: &str) {
        self.entry(path, DIRECTORY, (0, 0), &[]);
    }

    /// Adds an executable file.
    pub fn file(&mut self, path: &str, content: &[u8]) {
        self.entry(path, PROGRAM, (0, 0), content);
    }

    /// Adds a character device.
    pub fn device(&mut self, path: &str, major: u32, minor: u32) {
        self.entry(path, CHARACTER_DEVICE, (major, minor), &[]);
    }

    /// The finished archive.
    pub fn finish(mut self) -> Vec<u8> {
        self.entry("TRAILER!!!", 0, (0, 0), &[]);
        self.bytes
    }

    fn entry(&mut self, path: &str, mode: u32, device: (u32, u32), content: &[u8]) {
        let path = path.trim_start_matches('/');
        self.entries += 1;
        let size = u32::try_from(content.len()).expect("a program is smaller than 4 GiB");
        let name_size = u32::try_from(path.len() + 1).expect("a path is short");
        // ino mode uid gid nlink mtime filesize devmajor devminor rdevmajor rdevminor namesize check
        let fields = [self.entries, mode, 0, 0, 1, 0, size, 0, 0, device.0, device.1, name_size, 0];
        self.bytes.extend(b"070701");
        for field in fields {
            self.bytes.extend(format!("{field:08x}").bytes());
        }
        self.bytes.extend(path.bytes());
        self.bytes.push(0);
        self.pad();
        self.bytes.extend(content);
        self.pad();
    }

    fn pad(&mut self) {
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};

    /// GNU cpio, if it is installed, must read the archive; the kernels in QEMU must too.
    #[test]
    fn an_archive_is_laid_out_as_the_format_says() {
        let mut archive = Archive::default();
        archive.folder("/t");
        archive.file("/t/a", b"12345");
        let bytes = archive.finish();
        let text = String::from_utf8(bytes.clone()).unwrap();
        assert!(text.starts_with("070701000000010000")); // magic, ino 1, …
        assert_eq!(bytes.len() % 4, 0);
        assert_eq!(text.find("t/a\0"), Some(112 + 110)); // a header, "t\0", and a header
        assert!(text.contains("\x0012345\0\0\x00070701"));

        let Ok(mut cpio) =
            Command::new("cpio").arg("-t").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn()
        else {
            return;
        };
        cpio.stdin.take().unwrap().write_all(&bytes).unwrap();
        let listed = cpio.wait_with_output().unwrap();
        assert!(listed.status.success());
        assert_eq!(listed.stdout, b"t\nt/a\n");
    }
}
