/* As a program on a header of stubs is: no libc, write and exit. */
static long call(long n, long a, long b, long c) {
    long r;
    __asm__ volatile("syscall" : "=a"(r) : "a"(n), "D"(a), "S"(b), "d"(c) : "rcx", "r11", "memory");
    return r;
}
__attribute__((used)) static void run(long *sp) {
    (void)sp;
    call(1, 1, (long)"hello, world\n", 13);
    call(60, 0, 0, 0);
}
__asm__(".globl _start\n_start: xor %ebp, %ebp\nmov %rsp, %rdi\nand $-16, %rsp\ncall run\nhlt\n");
