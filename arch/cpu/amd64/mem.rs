//! Memory functions on amd64: `memcpy` and its kin, with SSE2, which every amd64 has, and nothing that has to be asked for.
//!
//! The lengths that programs copy are mostly short, and as good as random to the processor: a branch on the length that
//! is guessed wrongly costs more than the copy. So there are few classes, and within one the same instructions do for
//! every length. What makes that possible are pieces that overlap: two of 16 bytes, one at the start and one that ends at
//! the end, are 16 to 32 bytes. With two more, `d` bytes further in from either side, where `d` is 16 if 32 is in the
//! length and 0 if it is not, they are 16 to 63.
//!
//! | function         | length     | what is done                                                              |
//! |------------------|------------|---------------------------------------------------------------------------|
//! | memcpy, memmove  | 0-3        | first, middle and last byte; without any, bytes of this function's stack  |
//! |                  | 4-15       | two of 4 bytes, two of 8; under 8, the latter within this function's stack |
//! |                  | 16-63      | four of 16 bytes, `d` apart                                               |
//! |                  | 64-128     | eight of 16 bytes                                                         |
//! |                  | more       | 64 bytes a round, stores aligned, the last 64 apart; downward if `to` lies in `from`'s range |
//! |                  | from 2048  | upward: `rep movsq`, which moves whole cache lines                        |
//! | memset           | 0-3        | as memcpy                                                                 |
//! |                  | 4-63       | two of 4 bytes, eight of 8, 8 and 16 apart as the length has it           |
//! |                  | 64-255     | sixteen of 16 bytes                                                       |
//! |                  | more       | 64 bytes a round, aligned                                                 |
//! |                  | from 2048  | `rep stosq`                                                               |
//! | memcmp, bcmp     | 0-63       | four of 16 bytes, `d` apart; under 16, what is behind the end is masked out |
//! |                  | more       | 64 bytes a round, the last round moved back to end at the end             |
//! | strlen           | any        | 64 bytes a round, aligned: a NUL before the start is masked out           |
//!
//! Everything that a class reads is read before it writes, but for the rounds, which go the way that overlapping ranges
//! need; so `memmove` is `memcpy`. Bytes behind the end (`memcmp`, `bcmp`, under 16) or before the start (`strlen`) are read
//! only within a page that has bytes of the range. Without a byte to copy or to compare, the function's own stack stands
//! in for both ranges: at the return address, or the 8 bytes below, which are on its page and in the ABI's red zone.
//!
//! `rep` begins slowly and is then the fastest: on a Zen 5 it is even at about 1.5 KiB. Quadwords, not bytes: those are
//! fast on processors too that have no "enhanced rep movsb", which cannot be seen without CPUID.

/// Defines `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp` and `strlen`, each with these attributes.
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_functions {
    ($(#[$attribute:meta])*) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
            ::core::arch::naked_asm!(
                "mov rax, rdi",
                "cmp rdx, 16",
                "jb 2f",
                "movups xmm0, [rsi]",             // the first 16 and the last: for every length from here on
                "movups xmm1, [rsi + rdx - 16]",
                "cmp rdx, 64",
                "jae 4f",

                // 16 to 63; ecx: d
                "mov ecx, edx",
                "and ecx, 32",
                "shr ecx, 1",
                "movups xmm2, [rsi + rcx]",
                "sub rsi, rcx",
                "movups xmm3, [rsi + rdx - 16]",
                "movups [rdi], xmm0",
                "movups [rdi + rcx], xmm2",
                "movups [rdi + rdx - 16], xmm1",
                "sub rdi, rcx",
                "movups [rdi + rdx - 16], xmm3",
                "ret",

                // 4 to 15. The 8 bytes are stored last: who reads 8 then finds them in one store.
                "2:",
                "cmp edx, 4",
                "jb 3f",
                "mov r8d, [rsi]",
                "mov r9d, [rsi + rdx - 4]",
                "lea r10, [rsi + rdx - 8]",
                "lea r11, [rdi + rdx - 8]",
                "lea rcx, [rsp - 8]",
                "cmp edx, 8",
                "cmovb rsi, rcx",
                "cmovb r10, rcx",
                "mov rsi, [rsi]",
                "mov r10, [r10]",
                "mov [rdi], r8d",
                "mov [rdi + rdx - 4], r9d",
                "cmovb rdi, rcx",
                "cmovb r11, rcx",
                "mov [rdi], rsi",
                "mov [r11], r10",
                "ret",

                // 0 to 3. The last of none is the byte before: at rsp - 8.
                "3:",
                "lea rcx, [rsp - 7]",
                "test edx, edx",
                "cmovz rdi, rcx",
                "cmovz rsi, rcx",
                "mov r9d, edx",
                "shr r9d, 1",
                "movzx ecx, byte ptr [rsi]",
                "movzx r8d, byte ptr [rsi + rdx - 1]",
                "movzx esi, byte ptr [rsi + r9]",
                "mov [rdi], cl",
                "mov [rdi + r9], sil",
                "mov [rdi + rdx - 1], r8b",
                "ret",

                // 64 to 128
                "4:",
                "cmp rdx, 128",
                "ja 5f",
                "movups xmm2, [rsi + 16]",
                "movups xmm3, [rsi + 32]",
                "movups xmm4, [rsi + 48]",
                "movups xmm5, [rsi + rdx - 64]",
                "movups xmm6, [rsi + rdx - 48]",
                "movups xmm7, [rsi + rdx - 32]",
                "movups [rdi], xmm0",
                "movups [rdi + 16], xmm2",
                "movups [rdi + 32], xmm3",
                "movups [rdi + 48], xmm4",
                "movups [rdi + rdx - 64], xmm5",
                "movups [rdi + rdx - 48], xmm6",
                "movups [rdi + rdx - 32], xmm7",
                "movups [rdi + rdx - 16], xmm1",
                "ret",

                // More. `to` is within `from`'s range if it is less than `len` above it.
                "5:",
                "mov rcx, rdi",
                "sub rcx, rsi",
                "cmp rcx, rdx",
                "jb 9f",

                // Upward, from the first aligned store; the last 64 (xmm5-7, xmm1) and the first 16 are stored at the end.
                // rsi: from - to; r8: len; rdx: where the last 64 go.
                "movups xmm5, [rsi + rdx - 64]",
                "movups xmm6, [rsi + rdx - 48]",
                "movups xmm7, [rsi + rdx - 32]",
                "sub rsi, rdi",
                "mov r8, rdx",
                "lea rdx, [rdi + rdx - 64]",
                "or rdi, 15",
                "inc rdi",
                "cmp r8, 2048",
                "jae 8f",
                "6:",
                "movups xmm2, [rsi + rdi]",
                "movups xmm3, [rsi + rdi + 16]",
                "movups xmm4, [rsi + rdi + 32]",
                "movups xmm8, [rsi + rdi + 48]",
                "movaps [rdi], xmm2",
                "movaps [rdi + 16], xmm3",
                "movaps [rdi + 32], xmm4",
                "movaps [rdi + 48], xmm8",
                "add rdi, 64",
                "cmp rdi, rdx",
                "jb 6b",
                "7:",
                "movups [rdx], xmm5",
                "movups [rdx + 16], xmm6",
                "movups [rdx + 32], xmm7",
                "movups [rdx + 48], xmm1",
                "movups [rax], xmm0",
                "ret",
                "8:",
                "mov rcx, rdx",
                "sub rcx, rdi",
                "add rsi, rdi",
                "shr rcx, 3",                     // what is left over is in the last 64
                "inc rcx",
                "rep movsq",
                "jmp 7b",

                // Downward; the first 64 (xmm0, xmm5-7) and the last 16 are stored at the end.
                // rcx: the end of the next store; rdi: where the first 64 end.
                "9:",
                "movups xmm5, [rsi + 16]",
                "movups xmm6, [rsi + 32]",
                "movups xmm7, [rsi + 48]",
                "sub rsi, rdi",
                "lea rcx, [rdi + rdx]",
                "and rcx, -16",
                "add rdi, 64",
                "2:",
                "movups xmm2, [rsi + rcx - 16]",
                "movups xmm3, [rsi + rcx - 32]",
                "movups xmm4, [rsi + rcx - 48]",
                "movups xmm8, [rsi + rcx - 64]",
                "movaps [rcx - 16], xmm2",
                "movaps [rcx - 32], xmm3",
                "movaps [rcx - 48], xmm4",
                "movaps [rcx - 64], xmm8",
                "sub rcx, 64",
                "cmp rcx, rdi",
                "ja 2b",
                "movups [rax], xmm0",
                "movups [rax + 16], xmm5",
                "movups [rax + 32], xmm6",
                "movups [rax + 48], xmm7",
                "movups [rax + rdx - 16], xmm1",
                "ret",
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
            ::core::arch::naked_asm!("jmp {}", sym memcpy)
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
            ::core::arch::naked_asm!(
                "mov rax, rdi",
                "movd xmm0, esi",                 // the byte in each of eight
                "punpcklbw xmm0, xmm0",
                "pshuflw xmm0, xmm0, 0",
                "cmp rdx, 64",
                "jae 3f",
                "cmp edx, 4",
                "jb 2f",

                // 4 to 63; esi: 8 from a length of 16 on, ecx: 16 from 32 on. rdi goes up from the start, r8 down from the end.
                "mov ecx, edx",
                "shr ecx, 1",
                "mov esi, ecx",
                "shr esi, 1",
                "or esi, ecx",
                "and esi, 8",
                "and ecx, 16",
                "movd [rdi], xmm0",
                "movd [rdi + rdx - 4], xmm0",
                "lea r8, [rdi + rdx - 8]",
                "lea r9, [rsp - 8]",
                "cmp edx, 8",
                "cmovb rdi, r9",
                "cmovb r8, r9",
                "lea rdx, [rsi + rcx]",
                "movq [rdi], xmm0",
                "movq [rdi + rsi], xmm0",
                "movq [rdi + rcx], xmm0",
                "movq [rdi + rdx], xmm0",
                "sub r8, rdx",
                "movq [r8], xmm0",
                "movq [r8 + rsi], xmm0",
                "movq [r8 + rcx], xmm0",
                "movq [r8 + rdx], xmm0",
                "ret",

                // 0 to 3
                "2:",
                "lea rcx, [rsp - 7]",
                "test edx, edx",
                "cmovz rdi, rcx",
                "mov [rdi], sil",
                "mov [rdi + rdx - 1], sil",
                "shr edx, 1",
                "mov [rdi + rdx], sil",
                "ret",

                // 64 to 255; ecx: 64 from 128 on. From here on rdx is where the last 64 begin.
                "3:",
                "punpcklqdq xmm0, xmm0",
                "mov r8, rdx",
                "lea rdx, [rdi + rdx - 64]",
                "cmp r8, 256",
                "jae 4f",
                "mov ecx, r8d",
                "and ecx, 128",
                "shr ecx, 1",
                "movups [rdi], xmm0",
                "movups [rdi + 16], xmm0",
                "movups [rdi + 32], xmm0",
                "movups [rdi + 48], xmm0",
                "add rdi, rcx",
                "movups [rdi], xmm0",
                "movups [rdi + 16], xmm0",
                "movups [rdi + 32], xmm0",
                "movups [rdi + 48], xmm0",
                "mov rdi, rdx",
                "sub rdi, rcx",
                "movups [rdi], xmm0",
                "movups [rdi + 16], xmm0",
                "movups [rdi + 32], xmm0",
                "movups [rdi + 48], xmm0",
                "jmp 6f",

                // More
                "4:",
                "movups [rdi], xmm0",
                "or rdi, 15",
                "inc rdi",
                "cmp r8, 2048",
                "jae 7f",
                "5:",
                "movaps [rdi], xmm0",
                "movaps [rdi + 16], xmm0",
                "movaps [rdi + 32], xmm0",
                "movaps [rdi + 48], xmm0",
                "add rdi, 64",
                "cmp rdi, rdx",
                "jb 5b",
                "6:",
                "movups [rdx], xmm0",
                "movups [rdx + 16], xmm0",
                "movups [rdx + 32], xmm0",
                "movups [rdx + 48], xmm0",
                "ret",
                "7:",
                "mov r8, rax",
                "movq rax, xmm0",
                "mov rcx, rdx",
                "sub rcx, rdi",
                "shr rcx, 3",
                "inc rcx",
                "rep stosq",
                "mov rax, r8",
                "jmp 6b",
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            ::core::arch::naked_asm!(
                "cmp rdx, 64",
                "jae 3f",
                // Is there a byte, and are 16 from here on one page? Bit 12 is another one 15 further on if they are not.
                "test edx, edx",
                "cmovz rdi, rsp",
                "cmovz rsi, rsp",
                "lea eax, [rdi + 15]",
                "xor eax, edi",
                "lea ecx, [rsi + 15]",
                "xor ecx, esi",
                "or eax, ecx",
                "test eax, 4096",
                "jnz 8f",

                // 0 to 63. r8: the length, but at least 16; r9: a bit for each of 16 bytes that counts, all but under 16;
                // edx: d. Most that differ do so in the first 16.
                "2:",
                "mov r8d, 16",
                "cmp edx, r8d",
                "cmova r8d, edx",
                "mov ecx, r8d",
                "sub ecx, edx",
                "mov r9d, 0xffff",
                "shr r9d, cl",
                "movups xmm0, [rdi]",
                "movups xmm1, [rsi]",
                "pcmpeqb xmm0, xmm1",
                "pmovmskb eax, xmm0",
                "not eax",
                "and eax, r9d",
                "jnz 6f",
                "and edx, 32",
                "shr edx, 1",
                "movups xmm0, [rdi + rdx]",
                "movups xmm1, [rsi + rdx]",
                "pcmpeqb xmm0, xmm1",
                "movups xmm1, [rdi + r8 - 16]",
                "movups xmm2, [rsi + r8 - 16]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "mov ecx, r8d",
                "sub ecx, edx",
                "movups xmm1, [rdi + rcx - 16]",
                "movups xmm2, [rsi + rcx - 16]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "pmovmskb eax, xmm0",
                "not eax",
                "and eax, r9d",
                "jz 9f",
                "mov edx, r8d",

                // More, or less and different. r8: where the last 16 of `a` begin; rsi: b - a.
                "3:",
                "lea r8, [rdi + rdx - 16]",
                "sub rsi, rdi",
                "cmp rdx, 64",
                "jb 5f",
                "4:",
                "movups xmm0, [rdi]",
                "movups xmm1, [rdi + rsi]",
                "pcmpeqb xmm0, xmm1",
                "movups xmm1, [rdi + 16]",
                "movups xmm2, [rdi + rsi + 16]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "movups xmm1, [rdi + 32]",
                "movups xmm2, [rdi + rsi + 32]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "movups xmm1, [rdi + 48]",
                "movups xmm2, [rdi + rsi + 48]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "pmovmskb eax, xmm0",
                "xor eax, 0xffff",
                "jnz 5f",
                "add rdi, 64",
                "sub rdx, 64",
                "cmp rdx, 64",
                "jae 4b",
                "test edx, edx",
                "jz 9f",
                "lea rdi, [r8 - 48]",             // the last 64, some of them once more
                "mov edx, 64",
                "jmp 4b",

                // They differ: where?
                "5:",
                "movups xmm0, [rdi]",
                "movups xmm1, [rdi + rsi]",
                "pcmpeqb xmm0, xmm1",
                "pmovmskb eax, xmm0",
                "xor eax, 0xffff",
                "jnz 7f",
                "add rdi, 16",
                "cmp rdi, r8",
                "jb 5b",
                "mov rdi, r8",
                "jmp 5b",
                "6:",
                "sub rsi, rdi",
                "7:",
                "bsf eax, eax",
                "add rdi, rax",
                "movzx eax, byte ptr [rdi]",
                "movzx ecx, byte ptr [rdi + rsi]",
                "sub eax, ecx",
                "ret",

                // Near the end of a page
                "8:",
                "cmp edx, 16",
                "jae 2b",
                "xor ecx, ecx",
                "xor eax, eax",
                "2:",
                "cmp ecx, edx",
                "je 9f",
                "movzx eax, byte ptr [rdi + rcx]",
                "movzx r8d, byte ptr [rsi + rcx]",
                "inc ecx",
                "sub eax, r8d",
                "jz 2b",
                "9:",
                "ret",
            )
        }

        // Not memcmp: that a byte differs is enough, which one does not matter.
        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            ::core::arch::naked_asm!(
                "cmp rdx, 64",
                "jae {memcmp}",
                "test edx, edx",
                "cmovz rdi, rsp",
                "cmovz rsi, rsp",
                "lea eax, [rdi + 15]",
                "xor eax, edi",
                "lea ecx, [rsi + 15]",
                "xor ecx, esi",
                "or eax, ecx",
                "test eax, 4096",
                "jnz 3f",

                // 0 to 63, r8 and edx as in memcmp; ecx: how many of 16 bytes do not count
                "2:",
                "mov r8d, 16",
                "cmp edx, r8d",
                "cmova r8d, edx",
                "mov ecx, r8d",
                "sub ecx, edx",
                "and edx, 32",
                "shr edx, 1",
                "movups xmm0, [rdi]",
                "movups xmm1, [rsi]",
                "pcmpeqb xmm0, xmm1",
                "movups xmm1, [rdi + rdx]",
                "movups xmm2, [rsi + rdx]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "movups xmm1, [rdi + r8 - 16]",
                "movups xmm2, [rsi + r8 - 16]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "sub r8d, edx",
                "movups xmm1, [rdi + r8 - 16]",
                "movups xmm2, [rsi + r8 - 16]",
                "pcmpeqb xmm1, xmm2",
                "pand xmm0, xmm1",
                "pmovmskb eax, xmm0",
                "not eax",
                "shl eax, cl",
                "movzx eax, ax",
                "ret",

                // Near the end of a page
                "3:",
                "cmp edx, 16",
                "jae 2b",
                "xor eax, eax",
                "4:",
                "sub edx, 1",
                "jb 5f",
                "mov al, [rdi + rdx]",
                "sub al, [rsi + rdx]",
                "jz 4b",
                "5:",
                "ret",
                memcmp = sym memcmp,
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn strlen(string: *const ::core::ffi::c_char) -> usize {
            ::core::arch::naked_asm!(
                "pxor xmm0, xmm0",
                "mov rax, rdi",
                "and rax, -64",
                "mov ecx, edi",

                // rdx: a bit for each of 64 bytes that is NUL, without those before the start (cl counts modulo 64)
                "2:",
                "movaps xmm1, [rax]",
                "movaps xmm2, [rax + 16]",
                "movaps xmm3, [rax + 32]",
                "movaps xmm4, [rax + 48]",
                "pcmpeqb xmm1, xmm0",
                "pcmpeqb xmm2, xmm0",
                "pcmpeqb xmm3, xmm0",
                "pcmpeqb xmm4, xmm0",
                "pmovmskb edx, xmm1",
                "pmovmskb r8d, xmm2",
                "pmovmskb r9d, xmm3",
                "pmovmskb r10d, xmm4",
                "shl r8d, 16",
                "shl r10d, 16",
                "or edx, r8d",
                "or r9d, r10d",
                "shl r9, 32",
                "or rdx, r9",
                "shr rdx, cl",
                "shl rdx, cl",
                "test rdx, rdx",
                "jnz 4f",

                // Whether there is one: the least of 4 bytes is 0
                "3:",
                "add rax, 64",
                "movaps xmm1, [rax]",
                "movaps xmm2, [rax + 16]",
                "pminub xmm1, [rax + 32]",
                "pminub xmm2, [rax + 48]",
                "pminub xmm1, xmm2",
                "pcmpeqb xmm1, xmm0",
                "pmovmskb edx, xmm1",
                "test edx, edx",
                "jz 3b",
                "xor ecx, ecx",
                "jmp 2b",
                "4:",
                "bsf rdx, rdx",
                "sub rax, rdi",
                "add rax, rdx",
                "ret",
            )
        }
    };
}
