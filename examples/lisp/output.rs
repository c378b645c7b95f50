//! Output: collected in a buffer, written when it is full, before input is waited for, and at the end.

use core::fmt;

use rt0::io::Fd;

const ROOM: usize = 1024;

pub(crate) struct Output {
    pending: [u8; ROOM],
    len: usize,
}

impl Output {
    pub(crate) fn new() -> Output {
        Output { pending: [0; ROOM], len: 0 }
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if self.len == ROOM {
                self.flush();
            }
            self.pending[self.len] = *byte;
            self.len += 1;
        }
    }

    pub(crate) fn flush(&mut self) {
        // Who does not read what is printed does not miss it.
        let _ = Fd(1).write_all(&self.pending[..self.len]);
        self.len = 0;
    }
}

impl fmt::Write for Output {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.bytes(text.as_bytes());
        Ok(())
    }
}
