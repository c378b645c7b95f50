//! The benchmark's program for jemalloc.

use std::ffi::{c_char, c_int, c_void};
use std::ptr::null_mut;

#[global_allocator]
static HEAP: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

unsafe extern "C" {
    #[link_name = "_rjem_mallctl"]
    fn mallctl(name: *const c_char, old: *mut c_void, old_len: *mut usize, new: *mut c_void, new_len: usize) -> c_int;
}

fn main() -> anyhow::Result<()> {
    rt0_bench::main(|| {
        // 4096 is MALLCTL_ARENAS_ALL.
        for name in [c"thread.tcache.flush", c"arena.4096.purge"] {
            // SAFETY: both names are told to do something, without a value in or out.
            unsafe { mallctl(name.as_ptr(), null_mut(), null_mut(), null_mut(), 0) };
        }
    })
}
