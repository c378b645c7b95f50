//! The thread pointer: what a program passes to Linux so that thread-local storage is found.
//!
//! Each CPU has a call of its own for the calling thread; `clone` takes for the new thread what that call takes.

use crate::arch::{Errno, syscall};

use super::nr;

cfg_if::cfg_if! {
    if #[cfg(target_arch = "x86_64")] {
        use core::ptr;

        /// Sets the base of %fs (`arch/x86/include/uapi/asm/prctl.h`).
        const ARCH_SET_FS: i32 = 0x1002;
        /// Says what the base of %fs is (same file).
        const ARCH_GET_FS: i32 = 0x1003;

        /// Whether the calling thread has a thread pointer.
        pub(crate) fn is_set() -> bool {
            let mut base = ptr::null_mut::<()>();
            // SAFETY: the kernel writes one word, which is the caller's.
            let said = unsafe { syscall(nr::SET_TLS, [ARCH_GET_FS.into(), (&raw mut base).into()]) };
            said.is_ok() && !base.is_null()
        }

        /// Makes `pointer` the calling thread's thread pointer.
        ///
        /// # Safety
        ///
        /// Nobody uses what the thread pointer points to now, and what it will point to stays while the thread runs.
        #[inline(always)]
        pub(crate) unsafe fn set(pointer: *mut ()) -> Result<(), Errno> {
            // SAFETY: the kernel takes the address as a number.
            unsafe { syscall(nr::SET_TLS, [ARCH_SET_FS.into(), pointer.into()]) }.map(drop)
        }

        /// What `clone` takes for a new thread's pointer: the pointer.
        pub(crate) struct OfNewThread(*mut ());

        impl OfNewThread {
            pub(crate) fn new(pointer: *mut ()) -> Self {
                OfNewThread(pointer)
            }

            pub(crate) fn argument(&self) -> *const () {
                self.0
            }
        }
    } else if #[cfg(target_arch = "x86")] {
        use crate::arch::thread_pointer;

        /// `struct user_desc` (`arch/x86/include/uapi/asm/ldt.h`).
        #[repr(C)]
        pub(crate) struct UserDesc {
            pub(crate) entry_number: u32,
            pub(crate) base_addr: *mut (),
            pub(crate) limit: u32,
            /// `seg_32bit` (bit 0), `limit_in_pages` (bit 4), `useable` (bit 6).
            pub(crate) flags: u32,
        }

        /// In place of an entry's number: one that is free, which the kernel then writes there
        /// (`arch/x86/kernel/tls.c`, `do_set_thread_area`).
        const ANY_ENTRY: u32 = u32::MAX;

        /// Whether the calling thread has a thread pointer.
        pub(crate) fn is_set() -> bool {
            thread_pointer::segment() != 0
        }

        impl UserDesc {
            /// Data, 32 bits, all of the address space.
            const fn new(entry_number: u32, base_addr: *mut ()) -> UserDesc {
                UserDesc { entry_number, base_addr, limit: 0xf_ffff, flags: 0x51 }
            }
        }

        /// Makes `pointer` the calling thread's thread pointer.
        ///
        /// # Safety
        ///
        /// Nobody uses what the thread pointer points to now, and what it will point to stays while the thread runs.
        #[inline(always)]
        pub(crate) unsafe fn set(pointer: *mut ()) -> Result<(), Errno> {
            let mut segment = UserDesc::new(ANY_ENTRY, pointer);
            // SAFETY: the kernel reads the structure and writes its first word.
            unsafe { syscall(nr::SET_TLS, [(&raw mut segment).into()]) }?;
            // SAFETY: the kernel has just made this segment; the caller says that nobody uses the one before.
            unsafe { thread_pointer::select(segment.entry_number) };
            Ok(())
        }

        /// What `clone` takes for a new thread's pointer: the segment that its %gs, a copy of the caller's, selects.
        pub(crate) struct OfNewThread(UserDesc);

        impl OfNewThread {
            pub(crate) fn new(pointer: *mut ()) -> Self {
                OfNewThread(UserDesc::new(thread_pointer::segment(), pointer))
            }

            pub(crate) fn argument(&self) -> *const () {
                (&raw const self.0).cast()
            }
        }
    } else {
        use crate::arch::thread_pointer;

        /// Whether the calling thread has a thread pointer.
        pub(crate) fn is_set() -> bool {
            // SAFETY: this CPU reads a register, which is 0 as long as nobody has set it (`arch/arm/kernel/process.c`,
            // `flush_thread`).
            !unsafe { thread_pointer::read() }.is_null()
        }

        /// Makes `pointer` the calling thread's thread pointer.
        ///
        /// # Safety
        ///
        /// Nobody uses what the thread pointer points to now, and what it will point to stays while the thread runs.
        #[inline(always)]
        pub(crate) unsafe fn set(pointer: *mut ()) -> Result<(), Errno> {
            // SAFETY: the kernel takes the address as a number.
            unsafe { syscall(nr::SET_TLS, [pointer.into()]) }.map(drop)
        }

        /// What `clone` takes for a new thread's pointer: the pointer.
        pub(crate) struct OfNewThread(*mut ());

        impl OfNewThread {
            pub(crate) fn new(pointer: *mut ()) -> Self {
                OfNewThread(pointer)
            }

            pub(crate) fn argument(&self) -> *const () {
                self.0
            }
        }
    }
}
