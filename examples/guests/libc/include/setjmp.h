/* The guests' C library: jumps out of functions (../setjmp.S). Signal masks are not kept. */
#ifndef GUEST_SETJMP_H
#define GUEST_SETJMP_H
/* The registers that a function keeps for its caller: eight words on amd64, six on 386, ten on ARM. */
typedef unsigned long jmp_buf[10];
int setjmp(jmp_buf at) __attribute__((returns_twice));
void longjmp(jmp_buf at, int value) __attribute__((noreturn));
#define _setjmp setjmp
#define _longjmp longjmp
#endif
