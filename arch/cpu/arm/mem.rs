//! Memory functions on ARM: `memcpy` and its kin, with the integer registers alone, since the target promises no NEON.
//!
//! Conditional instructions take the place of branches: `movs len, len, lsl #29` puts the bit of 8 into the carry flag and
//! that of 4 into the sign, a further `lsl #2` those of 2 and 1, and then pieces of 8, 4, 2 and 1 are done by those lengths
//! that have them. That is every length under 16, and what is left over of a longer one.
//!
//! | function         | length     | what is done                                                              |
//! |------------------|------------|---------------------------------------------------------------------------|
//! | memcpy, memmove  | 0-15       | 8, 4, 2, 1 as the length has them                                         |
//! |                  | 16-63      | 16 bytes a round, then as above                                           |
//! |                  | more       | `to` is aligned, 32 bytes a round; `ldm` if `from` is then aligned too    |
//! |                  | any        | 16 bytes a round downward, then as above, if `to` lies in `from`'s range  |
//! | memset           | any        | aligned, 32 bytes a round, then 16, 8, 4, 2, 1 as the length has them     |
//! | memcmp, bcmp     | any        | 8 bytes a round, then single bytes                                        |
//! | strlen           | any        | aligned, a word a round: `(word - 0x01010101) & ~word & 0x80808080`       |
//!
//! Every piece is written before the next one is read, in the direction that overlapping ranges need, so that `memmove`
//! upward is `memcpy`. `strlen` reads whole words, of which a page has all bytes or none.
//!
//! From ARMv6 on, words and halfwords may lie anywhere (`ldr`, `str`, `ldrh`, `strh`; ARM Architecture Reference Manual,
//! "Unaligned data access"; Linux allows it to every process, `arch/arm/mm/alignment.c`), but `ldm` and `stm` want
//! aligned words. Before v6, ranges have to be aligned alike: `__aligned!` then aligns both first, and ranges that cannot be
//! are copied by whole words from `from` of which two make one of `to`, or by single bytes.

/// What goes before a copy or a comparison on a CPU where words may lie anywhere: nothing.
#[cfg(rt0_unaligned)]
#[doc(hidden)]
#[macro_export]
macro_rules! __aligned {
    ($($line:literal)*) => {
        ""
    };
}

/// What goes before a copy or a comparison on a CPU whose words have to be aligned.
#[cfg(not(rt0_unaligned))]
#[doc(hidden)]
#[macro_export]
macro_rules! __aligned {
    ($($line:literal)*) => {
        concat!($($line, "\n"),*)
    };
}

/// Defines `memcpy`, `memmove`, `memset`, `memcmp`, `bcmp` and `strlen`, each with these attributes.
#[doc(hidden)]
#[macro_export]
macro_rules! __memory_functions {
    ($(#[$attribute:meta])*) => {
        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memcpy(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
            ::core::arch::naked_asm!(
                "mov r3, r0",                     // r3, r1: where the next piece is written and read
                $crate::__aligned!(
                    "orr r12, r3, r1"
                    "tst r12, #3"
                    "bne 20f"
                ),
                "2:",
                "subs r2, r2, #16",               // r2: how many are left but 16; its lowest four bits stay as they are
                "blo 5f",
                "push {{r4-r10, lr}}",
                "cmp r2, #48",
                "bhs 6f",

                // 16 a round
                "3:",
                "ldr r4, [r1], #4",
                "ldr r5, [r1], #4",
                "ldr r6, [r1], #4",
                "ldr r7, [r1], #4",
                "subs r2, r2, #16",
                "str r4, [r3], #4",
                "str r5, [r3], #4",
                "str r6, [r3], #4",
                "str r7, [r3], #4",
                "bhs 3b",
                "4:",
                "pop {{r4-r10, lr}}",

                // 0 to 15
                "5:",
                "movs r2, r2, lsl #29",
                "ldrcs r12, [r1], #4",
                "strcs r12, [r3], #4",
                "ldrcs r12, [r1], #4",
                "strcs r12, [r3], #4",
                "ldrmi r12, [r1], #4",
                "strmi r12, [r3], #4",
                "movs r2, r2, lsl #2",
                "ldrhcs r12, [r1], #2",
                "strhcs r12, [r3], #2",
                "ldrbmi r12, [r1]",
                "strbmi r12, [r3]",
                "bx lr",

                // 64 and more: 0 to 3 bytes until r3 is aligned, then 32 a round
                "6:",
                "rsb r12, r3, #0",
                "and r12, r12, #3",
                "sub r2, r2, r12",
                "movs r12, r12, lsl #31",
                "ldrbmi r12, [r1], #1",
                "strbmi r12, [r3], #1",
                "ldrhcs r12, [r1], #2",
                "strhcs r12, [r3], #2",
                "sub r2, r2, #16",
                "tst r1, #3",
                "bne 8f",
                "7:",
                "ldmia r1!, {{r4-r10, lr}}",
                "subs r2, r2, #32",
                "stmia r3!, {{r4-r10, lr}}",
                "bhs 7b",
                "b 9f",
                "8:",
                "ldr r4, [r1], #4",
                "ldr r5, [r1], #4",
                "ldr r6, [r1], #4",
                "ldr r7, [r1], #4",
                "ldr r8, [r1], #4",
                "ldr r9, [r1], #4",
                "ldr r10, [r1], #4",
                "ldr lr, [r1], #4",
                "subs r2, r2, #32",
                "stmia r3!, {{r4-r10, lr}}",
                "bhs 8b",
                "9:",
                "adds r2, r2, #16",               // left but 16
                "bpl 3b",
                "b 4b",

                $crate::__aligned!(
                    // The first bytes, one by one, until r3 is aligned
                    "20:"
                    "cmp r2, #16"
                    "blo 24f"
                    "21:"
                    "tst r3, #3"
                    "ldrbne r12, [r1], #1"
                    "strbne r12, [r3], #1"
                    "subne r2, r2, #1"
                    "bne 21b"
                    "ands r12, r1, #3"
                    "beq 2b"

                    // Each word is made of two: r8 bits of r4 and of the next one r9
                    "push {{r4-r10, lr}}"
                    "bic r1, r1, #3"
                    "mov r8, r12, lsl #3"
                    "rsb r9, r8, #32"
                    "ldr r4, [r1], #4"
                    "subs r2, r2, #16"
                    "blo 23f"
                    "22:"
                    "mov r10, r4, lsr r8"
                    "ldmia r1!, {{r4-r7}}"
                    "orr r10, r10, r4, lsl r9"
                    "mov r4, r4, lsr r8"
                    "orr r4, r4, r5, lsl r9"
                    "mov r5, r5, lsr r8"
                    "orr r5, r5, r6, lsl r9"
                    "mov r6, r6, lsr r8"
                    "orr r6, r6, r7, lsl r9"
                    "str r10, [r3], #4"
                    "stmia r3!, {{r4-r6}}"
                    "mov r4, r7"
                    "subs r2, r2, #16"
                    "bhs 22b"
                    "23:"
                    "add r2, r2, #16"
                    "sub r1, r1, #4"
                    "add r1, r1, r12"
                    "pop {{r4-r10, lr}}"

                    // What is left, one by one
                    "24:"
                    "subs r2, r2, #1"
                    "ldrbhs r12, [r1], #1"
                    "strbhs r12, [r3], #1"
                    "bhi 24b"
                    "bx lr"
                ),
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memmove(to: *mut u8, from: *const u8, len: usize) -> *mut u8 {
            ::core::arch::naked_asm!(
                "sub r3, r0, r1",                 // `to` is within `from`'s range if it is less than `len` above it
                "cmp r3, r2",
                "bhs {memcpy}",

                // Downward: r3, r1: where the last piece ended
                "add r3, r0, r2",
                "add r1, r1, r2",
                $crate::__aligned!(
                    "eor r12, r3, r1"
                    "tst r12, #3"
                    "bne 21f"
                    "20:"
                    "tst r3, #3"
                    "beq 2f"
                    "subs r2, r2, #1"
                    "bxlo lr"
                    "ldrb r12, [r1, #-1]!"
                    "strb r12, [r3, #-1]!"
                    "b 20b"
                ),
                "2:",
                "subs r2, r2, #16",
                "blo 4f",
                "push {{r4-r6, lr}}",
                "3:",
                "ldr r4, [r1, #-4]!",
                "ldr r5, [r1, #-4]!",
                "ldr r6, [r1, #-4]!",
                "ldr r12, [r1, #-4]!",
                "subs r2, r2, #16",
                "str r4, [r3, #-4]!",
                "str r5, [r3, #-4]!",
                "str r6, [r3, #-4]!",
                "str r12, [r3, #-4]!",
                "bhs 3b",
                "pop {{r4-r6, lr}}",
                "4:",
                "movs r2, r2, lsl #29",
                "ldrcs r12, [r1, #-4]!",
                "strcs r12, [r3, #-4]!",
                "ldrcs r12, [r1, #-4]!",
                "strcs r12, [r3, #-4]!",
                "ldrmi r12, [r1, #-4]!",
                "strmi r12, [r3, #-4]!",
                "movs r2, r2, lsl #2",
                "ldrhcs r12, [r1, #-2]!",
                "strhcs r12, [r3, #-2]!",
                "ldrbmi r12, [r1, #-1]",
                "strbmi r12, [r3, #-1]",
                "bx lr",
                $crate::__aligned!(
                    "21:"
                    "subs r2, r2, #1"
                    "ldrbhs r12, [r1, #-1]!"
                    "strbhs r12, [r3, #-1]!"
                    "bhi 21b"
                    "bx lr"
                ),
                memcpy = sym memcpy,
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memset(to: *mut u8, byte: i32, len: usize) -> *mut u8 {
            ::core::arch::naked_asm!(
                "and r1, r1, #255",               // the byte in each of four, twice
                "orr r1, r1, r1, lsl #8",
                "orr r1, r1, r1, lsl #16",
                "mov r12, r1",
                "mov r3, r0",
                "2:",
                "tst r3, #3",                     // one by one until r3 is aligned
                "beq 3f",
                "subs r2, r2, #1",
                "bxlo lr",
                "strb r1, [r3], #1",
                "b 2b",
                "3:",
                "subs r2, r2, #32",
                "blo 5f",
                "4:",
                "stmia r3!, {{r1, r12}}",
                "stmia r3!, {{r1, r12}}",
                "stmia r3!, {{r1, r12}}",
                "stmia r3!, {{r1, r12}}",
                "subs r2, r2, #32",
                "bhs 4b",
                "5:",
                "movs r2, r2, lsl #28",           // the bits of 16 and 8
                "stmcs r3!, {{r1, r12}}",
                "stmcs r3!, {{r1, r12}}",
                "stmmi r3!, {{r1, r12}}",
                "movs r2, r2, lsl #2",            // of 4 and 2
                "strcs r1, [r3], #4",
                "strhmi r1, [r3], #2",
                "tst r2, #1 << 30",               // of 1
                "strbne r1, [r3]",
                "bx lr",
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn memcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            ::core::arch::naked_asm!(
                $crate::__aligned!(
                    "orr r12, r0, r1"
                    "tst r12, #3"
                    "bne 5f"
                ),
                "push {{r4, lr}}",
                "subs r2, r2, #8",
                "blo 3f",
                "2:",
                "ldr r3, [r0]",
                "ldr r12, [r1]",
                "ldr r4, [r0, #4]",
                "ldr lr, [r1, #4]",
                "cmp r3, r12",
                "cmpeq r4, lr",
                "bne 3f",
                "add r0, r0, #8",
                "add r1, r1, #8",
                "subs r2, r2, #8",
                "bhs 2b",
                "3:",
                "add r2, r2, #8",                 // less than 8 are left, or there is a difference in the next 8
                "pop {{r4, lr}}",
                "5:",
                "subs r2, r2, #1",
                "blo 6f",
                "ldrb r3, [r0], #1",
                "ldrb r12, [r1], #1",
                "subs r3, r3, r12",
                "beq 5b",
                "mov r0, r3",
                "bx lr",
                "6:",
                "mov r0, #0",
                "bx lr",
            )
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn bcmp(a: *const u8, b: *const u8, len: usize) -> i32 {
            ::core::arch::naked_asm!("b {}", sym memcmp)
        }

        $(#[$attribute])*
        #[unsafe(naked)]
        pub unsafe extern "C" fn strlen(string: *const ::core::ffi::c_char) -> usize {
            ::core::arch::naked_asm!(
                "mov r1, r0",
                "2:",
                "tst r1, #3",                     // one by one until r1 is aligned
                "beq 3f",
                "ldrb r2, [r1], #1",
                "cmp r2, #0",
                "bne 2b",
                "sub r1, r1, #1",
                "sub r0, r1, r0",
                "bx lr",
                "3:",
                "mov r12, #0x01",                 // 0x01010101
                "orr r12, r12, r12, lsl #8",
                "orr r12, r12, r12, lsl #16",
                "4:",
                "ldr r2, [r1], #4",
                "sub r3, r2, r12",
                "bic r3, r3, r2",
                "ands r3, r3, r12, lsl #7",
                "beq 4b",
                "sub r1, r1, #4",                 // the lowest bit that is left in r3 is that of the first NUL
                "tst r3, #0x80",
                "addeq r1, r1, #1",
                "tsteq r3, #0x8000",
                "addeq r1, r1, #1",
                "tsteq r3, #0x800000",
                "addeq r1, r1, #1",
                "sub r0, r1, r0",
                "bx lr",
            )
        }
    };
}
