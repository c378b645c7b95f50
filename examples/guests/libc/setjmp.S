/* setjmp and longjmp: the registers that a function keeps for its caller, its stack pointer and where it returns to.
   (System V ABI, AMD64 and Intel386 supplements, "Function Calling Sequence"; AAPCS, "Core registers".) */

        .text
        .globl  setjmp
        .globl  longjmp
        .type   setjmp, %function
        .type   longjmp, %function

#if defined(__x86_64__)
setjmp: movq    %rbx, (%rdi)
        movq    %rbp, 8(%rdi)
        movq    %r12, 16(%rdi)
        movq    %r13, 24(%rdi)
        movq    %r14, 32(%rdi)
        movq    %r15, 40(%rdi)
        leaq    8(%rsp), %rdx           /* the caller's stack, once this has returned */
        movq    %rdx, 48(%rdi)
        movq    (%rsp), %rdx            /* where it returns to */
        movq    %rdx, 56(%rdi)
        xorl    %eax, %eax
        ret
longjmp:
        movl    %esi, %eax
        cmpl    $1, %eax                /* a value of 0 becomes 1 */
        adcl    $0, %eax
        movq    (%rdi), %rbx
        movq    8(%rdi), %rbp
        movq    16(%rdi), %r12
        movq    24(%rdi), %r13
        movq    32(%rdi), %r14
        movq    40(%rdi), %r15
        movq    48(%rdi), %rsp
        jmpq    *56(%rdi)

#elif defined(__i386__)
setjmp: movl    4(%esp), %ecx
        movl    %ebx, (%ecx)
        movl    %esi, 4(%ecx)
        movl    %edi, 8(%ecx)
        movl    %ebp, 12(%ecx)
        leal    4(%esp), %edx           /* the caller's stack, once this has returned */
        movl    %edx, 16(%ecx)
        movl    (%esp), %edx            /* where it returns to */
        movl    %edx, 20(%ecx)
        xorl    %eax, %eax
        ret
longjmp:
        movl    4(%esp), %ecx
        movl    8(%esp), %eax
        cmpl    $1, %eax                /* a value of 0 becomes 1 */
        adcl    $0, %eax
        movl    (%ecx), %ebx
        movl    4(%ecx), %esi
        movl    8(%ecx), %edi
        movl    12(%ecx), %ebp
        movl    16(%ecx), %esp
        jmpl    *20(%ecx)

#elif defined(__arm__)
        .arm
setjmp: mov     ip, sp
        stmia   r0, {r4-r11, ip, lr}    /* soft float: no other registers are kept */
        mov     r0, #0
        bx      lr
longjmp:
        ldmia   r0, {r4-r11, ip, lr}
        mov     sp, ip
        movs    r0, r1
        moveq   r0, #1                  /* a value of 0 becomes 1 */
        bx      lr

#else
#error "setjmp.S has no part for this CPU"
#endif

        .section .note.GNU-stack, "", %progbits
