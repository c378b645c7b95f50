//! Memory functions on 386: `memcpy` and its kin, with SSE2, which the ports' targets promise (`cpu` in
//! `targets/*_386.json`; Rust's i686 targets promise it too).
//!
//! They are those of amd64 with three registers, eax, ecx and edx, and the arguments on the stack: few classes of
//! length, pieces that overlap, 16 bytes and a second piece `d` bytes further in from either side, where `d` is 16 if 32 is
//! in the length and 0 if it is not.
//!
//! | function         | length     | what is done                                                              |
//! |------------------|------------|---------------------------------------------------------------------------|
//! | memcpy, memmove  | 0-15       | by 8, by 4, by single bytes: a first and a last piece                     |
//! |                  | 16-63      | four of 16 bytes, `d` apart                                               |
//! |                  | 64-128     | eight of 16 bytes                                                         |
//! |                  | more       | 64 bytes a round, stores aligned, the last 64 apart; downward if `to` lies in `from`'s range |
//! |                  | from 2048  | upward: `rep movsd`, which moves whole cache lines                        |
//! | memset           | 0-63       | as memcpy                                                                 |
//! |                  | more       | 64 bytes a round, aligned, the last 64 apart                              |
//! |                  | from 2048  | `rep stosd`                                                               |
//! | memcmp, bcmp     | 0-15       | 16 bytes; what is behind the end is masked out                            |
//! |                  | more       | 16 bytes a round, the last moved back to end at the end                   |
//! | strlen           | any        | 16 bytes a round, aligned: a NUL before the start is masked out           |
//!
//! Everything that a class reads is read before it writes, but for the rounds, which go the way that overlapping ranges
//! need; so `memmove` is `memcpy`. Bytes behind the end (`memcmp`, under 16) or before the start (`strlen`) are read only
//! within a page that has bytes of the range.

/// Defines `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp` and `strlen`, each with these attributes.
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_functions {
    ($(#[$attribute:meta])*) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
            ::core::arch::naked_asm!(
                "mov eax, [esp + 4]",
                "mov edx, [esp + 8]",
                "mov ecx, [esp + 12]",
                "cmp ecx, 16",
                "jb 2f",
                "movups xmm0, [edx]",             // the first 16 and the last: for every length from here on
                "movups xmm1, [edx + ecx - 16]",
                "cmp ecx, 64",
                "jae 5f",

                // 16 to 63; d is in eax, then in edx
                "mov eax, ecx",
                "and eax, 32",
                "shr eax, 1",
                "movups xmm2, [edx + eax]",
                "sub edx, eax",
                "movups xmm3, [edx + ecx - 16]",
                "mov edx, eax",
                "mov eax, [esp + 4]",
                "movups [eax], xmm0",
                "movups [eax + edx], xmm2",
                "movups [eax + ecx - 16], xmm1",
                "sub ecx, edx",
                "movups [eax + ecx - 16], xmm3",
                "ret",

                // 8 to 15
                "2:",
                "cmp ecx, 8",
                "jb 3f",
                "movq xmm0, [edx]",
                "movq xmm1, [edx + ecx - 8]",
                "movq [eax], xmm0",
                "movq [eax + ecx - 8], xmm1",
                "ret",

                // 4 to 7
                "3:",
                "cmp ecx, 4",
                "jb 4f",
                "movd xmm0, [edx]",
                "movd xmm1, [edx + ecx - 4]",
                "movd [eax], xmm0",
                "movd [eax + ecx - 4], xmm1",
                "ret",

                // 0 to 3: first, middle and last byte
                "4:",
                "test ecx, ecx",
                "jz 9f",
                "push ebx",
                "mov bl, [edx]",
                "mov bh, [edx + ecx - 1]",
                "shr ecx, 1",
                "mov dl, [edx + ecx]",
                "mov [eax + ecx], dl",
                "mov ecx, [esp + 16]",
                "mov [eax], bl",
                "mov [eax + ecx - 1], bh",
                "pop ebx",
                "ret",

                // 64 to 128
                "5:",
                "cmp ecx, 128",
                "ja 6f",
                "movups xmm2, [edx + 16]",
                "movups xmm3, [edx + 32]",
                "movups xmm4, [edx + 48]",
                "movups xmm5, [edx + ecx - 64]",
                "movups xmm6, [edx + ecx - 48]",
                "movups xmm7, [edx + ecx - 32]",
                "movups [eax], xmm0",
                "movups [eax + 16], xmm2",
                "movups [eax + 32], xmm3",
                "movups [eax + 48], xmm4",
                "movups [eax + ecx - 64], xmm5",
                "movups [eax + ecx - 48], xmm6",
                "movups [eax + ecx - 32], xmm7",
                "movups [eax + ecx - 16], xmm1",
                "ret",

                // More. `to` is within `from`'s range if it is less than `len` above it. From here on edx is from - to.
                "6:",
                "sub edx, eax",
                "neg edx",
                "cmp edx, ecx",
                "jb 2f",
                "neg edx",

                // Upward, from the first aligned store; the last 64 (xmm5-7, xmm1) and the first 16 are stored at the end.
                // ecx: where the last 64 go.
                "add ecx, eax",
                "movups xmm5, [ecx + edx - 64]",
                "movups xmm6, [ecx + edx - 48]",
                "movups xmm7, [ecx + edx - 32]",
                "sub ecx, 64",
                "or eax, 15",
                "inc eax",
                "cmp dword ptr [esp + 12], 2048",
                "jae 8f",
                "7:",
                "movups xmm2, [eax + edx]",
                "movups xmm3, [eax + edx + 16]",
                "movups xmm4, [eax + edx + 32]",
                "movaps [eax], xmm2",
                "movups xmm2, [eax + edx + 48]",
                "movaps [eax + 16], xmm3",
                "movaps [eax + 32], xmm4",
                "movaps [eax + 48], xmm2",
                "add eax, 64",
                "cmp eax, ecx",
                "jb 7b",
                "mov edx, ecx",
                "jmp 3f",
                "8:",
                "push edi",
                "push esi",
                "mov edi, eax",
                "lea esi, [eax + edx]",
                "mov edx, ecx",
                "sub ecx, eax",
                "shr ecx, 2",                     // what is left over is in the last 64
                "inc ecx",
                "rep movsd",
                "pop esi",
                "pop edi",
                "3:",
                "movups [edx], xmm5",
                "movups [edx + 16], xmm6",
                "movups [edx + 32], xmm7",
                "movups [edx + 48], xmm1",
                "mov eax, [esp + 4]",
                "movups [eax], xmm0",
                "9:",
                "ret",

                // Downward; the first 64 (xmm0, xmm5-7) and the last 16 are stored at the end.
                // ecx: the end of the next store; eax: where the first 64 end.
                "2:",
                "neg edx",
                "movups xmm5, [eax + edx + 16]",
                "movups xmm6, [eax + edx + 32]",
                "movups xmm7, [eax + edx + 48]",
                "add ecx, eax",
                "and ecx, -16",
                "add eax, 64",
                "4:",
                "movups xmm2, [ecx + edx - 16]",
                "movups xmm3, [ecx + edx - 32]",
                "movups xmm4, [ecx + edx - 48]",
                "movaps [ecx - 16], xmm2",
                "movups xmm2, [ecx + edx - 64]",
                "movaps [ecx - 32], xmm3",
                "movaps [ecx - 48], xmm4",
                "movaps [ecx - 64], xmm2",
                "sub ecx, 64",
                "cmp ecx, eax",
                "ja 4b",
                "mov eax, [esp + 4]",
                "mov ecx, [esp + 12]",
                "movups [eax], xmm0",
                "movups [eax + 16], xmm5",
                "movups [eax + 32], xmm6",
                "movups [eax + 48], xmm7",
                "movups [eax + ecx - 16], xmm1",
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
                "mov eax, [esp + 4]",
                "mov ecx, [esp + 12]",
                "movd xmm0, [esp + 8]",           // the byte in each of sixteen
                "punpcklbw xmm0, xmm0",
                "pshuflw xmm0, xmm0, 0",
                "punpcklqdq xmm0, xmm0",
                "cmp ecx, 16",
                "jb 2f",
                "movups [eax], xmm0",
                "cmp ecx, 64",
                "jae 5f",

                // 16 to 63; edx: d
                "mov edx, ecx",
                "and edx, 32",
                "shr edx, 1",
                "movups [eax + edx], xmm0",
                "movups [eax + ecx - 16], xmm0",
                "sub ecx, edx",
                "movups [eax + ecx - 16], xmm0",
                "ret",

                // 8 to 15
                "2:",
                "cmp ecx, 8",
                "jb 3f",
                "movq [eax], xmm0",
                "movq [eax + ecx - 8], xmm0",
                "ret",

                // 4 to 7
                "3:",
                "cmp ecx, 4",
                "jb 4f",
                "movd [eax], xmm0",
                "movd [eax + ecx - 4], xmm0",
                "ret",

                // 0 to 3
                "4:",
                "test ecx, ecx",
                "jz 9f",
                "mov edx, [esp + 8]",
                "mov [eax], dl",
                "mov [eax + ecx - 1], dl",
                "shr ecx, 1",
                "mov [eax + ecx], dl",
                "ret",

                // More; edx: where the last 64 begin
                "5:",
                "lea edx, [eax + ecx - 64]",
                "or eax, 15",
                "inc eax",
                "cmp ecx, 2048",
                "jae 7f",
                "cmp eax, edx",
                "jae 8f",
                "6:",
                "movaps [eax], xmm0",
                "movaps [eax + 16], xmm0",
                "movaps [eax + 32], xmm0",
                "movaps [eax + 48], xmm0",
                "add eax, 64",
                "cmp eax, edx",
                "jb 6b",
                "jmp 8f",
                "7:",
                "push edi",
                "mov edi, eax",
                "movd eax, xmm0",
                "mov ecx, edx",
                "sub ecx, edi",
                "shr ecx, 2",
                "inc ecx",
                "rep stosd",
                "pop edi",
                "8:",
                "movups [edx], xmm0",
                "movups [edx + 16], xmm0",
                "movups [edx + 32], xmm0",
                "movups [edx + 48], xmm0",
                "mov eax, [esp + 4]",
                "9:",
                "ret",
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            ::core::arch::naked_asm!(
                "push ebx",
                "mov edx, [esp + 8]",
                "mov ecx, [esp + 12]",
                "mov ebx, [esp + 16]",
                "cmp ebx, 16",
                "jb 4f",

                // 16 and more. edx: in `a`; ecx: b - a; ebx: where the last 16 of `a` begin.
                "sub ecx, edx",
                "lea ebx, [edx + ebx - 16]",
                "2:",
                "movups xmm0, [edx]",
                "movups xmm1, [edx + ecx]",
                "pcmpeqb xmm0, xmm1",
                "pmovmskb eax, xmm0",
                "xor eax, 0xffff",
                "jnz 3f",
                "cmp edx, ebx",
                "je 7f",
                "add edx, 16",
                "cmp edx, ebx",
                "jb 2b",
                "mov edx, ebx",
                "jmp 2b",
                "3:",
                "add ecx, edx",
                "bsf ebx, eax",
                "jmp 6f",

                // 0 to 15: the lowest bit of eax is that of the first byte that differs, or the end's
                "4:",
                "test ebx, ebx",
                "jz 5f",
                "mov eax, edx",                   // 16 bytes from here: all on one page?
                "and eax, 4095",
                "cmp eax, 4080",
                "ja 8f",
                "mov eax, ecx",
                "and eax, 4095",
                "cmp eax, 4080",
                "ja 8f",
                "movups xmm0, [edx]",
                "movups xmm1, [ecx]",
                "pcmpeqb xmm0, xmm1",
                "pmovmskb eax, xmm0",
                "not eax",
                "bts eax, ebx",
                "bsf ebx, eax",
                "cmp ebx, [esp + 16]",
                "je 5f",
                "6:",                             // that it differs, and where: ebx
                "movzx eax, byte ptr [edx + ebx]",
                "movzx ecx, byte ptr [ecx + ebx]",
                "sub eax, ecx",
                "pop ebx",
                "ret",
                "5:",
                "xor eax, eax",
                "7:",
                "pop ebx",
                "ret",

                // Near the end of a page
                "8:",
                "xor ebx, ebx",
                "9:",
                "cmp ebx, [esp + 16]",
                "je 5b",
                "mov al, [edx + ebx]",
                "cmp al, [ecx + ebx]",
                "jne 6b",
                "inc ebx",
                "jmp 9b",
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            ::core::arch::naked_asm!("jmp {}", sym memcmp)
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn strlen(string: *const ::core::ffi::c_char) -> usize {
            ::core::arch::naked_asm!(
                "pxor xmm0, xmm0",
                "mov eax, [esp + 4]",
                "mov ecx, eax",
                "and ecx, 15",
                "and eax, -16",
                "movaps xmm1, [eax]",
                "pcmpeqb xmm1, xmm0",
                "pmovmskb edx, xmm1",
                "shr edx, cl",
                "shl edx, cl",
                "test edx, edx",
                "jnz 3f",
                "2:",
                "add eax, 16",
                "movaps xmm1, [eax]",
                "pcmpeqb xmm1, xmm0",
                "pmovmskb edx, xmm1",
                "test edx, edx",
                "jz 2b",
                "3:",
                "bsf edx, edx",
                "sub eax, [esp + 4]",
                "add eax, edx",
                "ret",
            )
        }
    };
}
