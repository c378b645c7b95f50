//! temporary stand-in until the core lands
use core::sync::atomic::AtomicU32;
pub(crate) unsafe fn syscall(n: usize, a: [usize; 6]) -> isize {
    let r: isize;
    unsafe {
        core::arch::asm!("syscall", inlateout("rax") n as isize => r, in("rdi") a[0], in("rsi") a[1], in("rdx") a[2],
            in("r10") a[3], in("r8") a[4], in("r9") a[5], out("rcx") _, out("r11") _);
    }
    r
}
pub(crate) fn wait_while(word: &AtomicU32, value: u32) {
    unsafe { syscall(202, [word.as_ptr() as usize, 128, value as usize, 0, 0, 0]) };
}
pub(crate) fn wake_one(word: &AtomicU32) {
    unsafe { syscall(202, [word.as_ptr() as usize, 129, 1, 0, 0, 0]) };
}
