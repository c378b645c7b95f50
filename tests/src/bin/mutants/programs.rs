//! Mutants that are built into the programs of a port.

use rt0_tests::port::Port;

use super::Mutant;
use super::library::{COLLECTOR, HEAP_THREADS, LOCK_MODEL};

const AMD64: &str = "arch/freebsd_amd64/mod.rs";
const I386: &str = "arch/freebsd_386/mod.rs";
const OS: &str = "src/os/freebsd/mod.rs";
const NUMBERS: &str = "src/os/freebsd/nr.rs";
const MEMORY: &str = "src/vm.rs";
const LOCK: &str = "src/lock/word.rs";
const HEAP: &str = "src/heap/mod.rs";
const FRONTS: &str = "src/heap/fronts.rs";
const THREAD: &str = "src/thread.rs";
const ENTRY_AMD64: &str = "arch/cpu/amd64/entry.rs";
const ENTRY_386: &str = "arch/cpu/386/entry.rs";
const MEMORY_AMD64: &str = "arch/cpu/amd64/mem.rs";
const MEMORY_386: &str = "arch/cpu/386/mem.rs";
const MEMORY_ARM: &str = "arch/cpu/arm/mem.rs";

const ARGS: &str = "src/start/args.rs";
const INITIAL_STACK: &str = "src/os/initial_stack.rs";
const IO: &str = "src/io.rs";

const KEEPS: &str = "every_typed_call_keeps_its_registers_and_tells_errors_from_results";
const ENTRY: &str = "hello_and_limits_run_from_every_entry_state";
const BEFORE_MAIN: &str = "the_calls_before_main_are_getrlimit_and_mmap";
const FITS: &str = "the_arena_fits_every_limit";
const VARIABLE: &str = "a_variable_is_found_by_its_whole_name";
const PAGE_SIZE: &str = "a_page_size_that_is_none_is_not_believed";
const PATH: &str = "the_program_path_counts_in_the_footprint";
const WRITES: &str = "after_an_error_nothing_more_is_written";
const NOTE: &str = "the_note_and_the_osabi_byte_count";
pub(super) const UNALIGNED: &str = "mmap_answers_an_unaligned_address";
pub(super) const WAKES: &str = "wake_ups_are_no_more_than_sleeps";
pub(super) const VARIABLES_ON_X86: &str = "variables_on_linux_386_and_linux_amd64";
pub(super) const VARIABLES_ON_ARM: &str = "variables_on_linux_arm";
pub(super) const VARIABLES_ON_FREEBSD: &str = "variables_on_freebsd_under_the_runner";
pub(super) const STACKS_ON_X86: &str = "stacks_on_linux_386_and_linux_amd64";
pub(super) const NO_ROOM_ON_STACK: &str = "a_signal_for_which_the_stack_has_no_room_ends_the_process";
pub(super) const STACKS_ON_ARM: &str = "stacks_on_linux_arm";
pub(super) const STACKS_ON_FREEBSD: &str = "stacks_on_freebsd_under_the_runner";
pub(super) const HEAP_ON_X86: &str = "linux_386_and_linux_amd64_on_this_machine";
pub(super) const HEAP_ON_ARM: &str = "linux_arm_on_debians_kernel";
pub(super) const HEAP_ON_FREEBSD: &str = "freebsd_386_and_freebsd_amd64_under_the_runner";

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        name: "carry ignored",
        port: Some(Port::freebsd_amd64),
        file: AMD64,
        edits: &[("check(failed != 0, result)", "check(failed > 1, result)")],
        seen_by: KEEPS,
    },
    Mutant {
        name: "r10 not declared destroyed",
        port: Some(Port::freebsd_amd64),
        file: AMD64,
        edits: &[("inlateout(\"r10\") d.0 => _", "in(\"r10\") d.0")],
        seen_by: KEEPS,
    },
    Mutant {
        name: "r8 not declared destroyed",
        port: Some(Port::freebsd_amd64),
        file: AMD64,
        edits: &[("inlateout(\"r8\") e.0 => _", "in(\"r8\") e.0")],
        seen_by: KEEPS,
    },
    Mutant {
        name: "r9 not declared destroyed",
        port: Some(Port::freebsd_amd64),
        file: AMD64,
        edits: &[("inlateout(\"r9\") f.0 => _", "in(\"r9\") f.0")],
        seen_by: KEEPS,
    },
    Mutant {
        name: "rdx, the second result, not declared destroyed",
        port: Some(Port::freebsd_amd64),
        file: AMD64,
        edits: &[("inlateout(\"rdx\") c.0 => _", "in(\"rdx\") c.0")],
        seen_by: KEEPS,
    },
    Mutant {
        name: "fourth argument in rcx, as functions have it",
        port: Some(Port::freebsd_amd64),
        file: AMD64,
        edits: &[
            ("inlateout(\"r10\") d.0 => _", "out(\"r10\") _"),
            ("lateout(\"rcx\") _", "inlateout(\"rcx\") d.0 => _"),
        ],
        seen_by: BEFORE_MAIN,
    },
    Mutant {
        name: "stack taken from rsp",
        port: Some(Port::freebsd_amd64),
        file: ENTRY_AMD64,
        edits: &[("\"and rsp, -16\"", "\"mov rdi, rsp\", \"and rsp, -16\"")],
        seen_by: ENTRY,
    },
    Mutant {
        name: "stack taken from 8(%rsp)",
        port: Some(Port::freebsd_amd64),
        file: ENTRY_AMD64,
        edits: &[("\"and rsp, -16\"", "\"lea rdi, [rsp + 8]\", \"and rsp, -16\"")],
        seen_by: ENTRY,
    },
    Mutant {
        name: "carry ignored",
        port: Some(Port::freebsd_386),
        file: I386,
        edits: &[("check(failed != 0, result)", "check(failed == 1, result)")],
        seen_by: KEEPS,
    },
    Mutant {
        name: "no dummy word below the arguments",
        port: Some(Port::freebsd_386),
        file: I386,
        edits: &[("\"push eax\",\n                \"int 0x80\"", "\"int 0x80\""), ("[esp + 32]", "[esp + 28]")],
        seen_by: BEFORE_MAIN,
    },
    Mutant {
        name: "arguments in registers, as on Linux",
        port: Some(Port::freebsd_386),
        file: I386,
        edits: &[
            ("\"push eax\",\n                \"int 0x80\"", "\"push 0\", \"push 0\", \"push 0\", \"int 0x80\""),
            ("[esp + 32]", "[esp + 40]"),
        ],
        seen_by: BEFORE_MAIN,
    },
    Mutant {
        name: "stack taken after it was realigned",
        port: Some(Port::freebsd_386),
        file: ENTRY_386,
        edits: &[("\"mov eax, esp\"", "\"and esp, -16\", \"mov eax, esp\"")],
        seen_by: ENTRY,
    },
    Mutant {
        name: "mmap's offset high word first",
        port: Some(Port::freebsd_386),
        file: OS,
        edits: &[(
            "[(bytes as u32).into(), ((bytes >> 32) as u32).into()]",
            "[((bytes >> 32) as u32).into(), (bytes as u32).into()]",
        )],
        seen_by: KEEPS,
    },
    Mutant {
        name: "Linux's MAP_ANON",
        port: Some(Port::freebsd_amd64),
        file: OS,
        edits: &[("MAP_ANON: i32 = 0x1000", "MAP_ANON: i32 = 0x20")],
        seen_by: BEFORE_MAIN,
    },
    Mutant {
        name: "Linux's RLIMIT_AS",
        port: Some(Port::freebsd_386),
        file: OS,
        edits: &[("RLIMIT_AS: i32 = 10", "RLIMIT_AS: i32 = 9")],
        seen_by: BEFORE_MAIN,
    },
    Mutant {
        name: "Linux's number of mmap",
        port: Some(Port::freebsd_amd64),
        file: NUMBERS,
        edits: &[("MMAP: usize = 477", "MMAP: usize = 9")],
        seen_by: BEFORE_MAIN,
    },
    Mutant {
        name: "Linux's number of getrlimit",
        port: Some(Port::freebsd_386),
        file: NUMBERS,
        edits: &[("GETRLIMIT: usize = 194", "GETRLIMIT: usize = 191")],
        seen_by: BEFORE_MAIN,
    },
    Mutant {
        name: "no ABI note",
        port: Some(Port::freebsd_amd64),
        file: OS,
        edits: &[("*b\"Free\"", "*b\"Nota\"")],
        seen_by: NOTE,
    },
    Mutant {
        name: "commits by mapping over the reservation",
        port: Some(Port::freebsd_amd64),
        file: MEMORY,
        edits: &[(
            "sys::mprotect(base.as_ptr(), len, PROT_READ | PROT_WRITE) }",
            "sys::mmap(base.as_ptr(), len, PROT_READ | PROT_WRITE, MAP_RESERVE | 0x10, -1, 0) }.map(drop)",
        )],
        seen_by: FITS,
    },
    Mutant {
        name: "unmaps what mmap answered unaligned",
        port: Some(Port::linux_386),
        file: MEMORY,
        edits: &[(
            "Err(ReserveError::Unaligned(base.addr()))",
            "{ let _ = unsafe { sys::munmap(base, len) }; Err(ReserveError::Unaligned(base.addr())) }",
        )],
        seen_by: UNALIGNED,
    },
    Mutant {
        name: "lock taken whoever holds it",
        port: Some(Port::linux_amd64),
        file: LOCK,
        edits: &[(
            "self.state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()",
            "{ self.state.store(HELD, Relaxed); true }",
        )],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "lock taken whoever holds it",
        port: Some(Port::linux_arm),
        file: LOCK,
        edits: &[(
            "self.state.compare_exchange(FREE, HELD, Acquire, Relaxed).is_ok()",
            "{ self.state.store(HELD, Relaxed); true }",
        )],
        seen_by: HEAP_ON_ARM,
    },
    Mutant {
        name: "lock wakes nobody",
        port: Some(Port::linux_386),
        file: LOCK,
        edits: &[("if state != FREE {", "if state > 9999 {")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "lock wakes nobody",
        port: Some(Port::freebsd_386),
        file: LOCK,
        edits: &[("if state != FREE {", "if state > 9999 {")],
        seen_by: HEAP_ON_FREEBSD,
    },
    Mutant {
        name: "lock wakes two where one is awake",
        port: Some(Port::linux_amd64),
        file: LOCK,
        edits: &[("state & (HELD | AWAKE) == 0", "state & HELD == 0")],
        seen_by: LOCK_MODEL,
    },
    Mutant {
        name: "lock is not given with all that came before",
        port: Some(Port::linux_amd64),
        file: LOCK,
        edits: &[("fetch_sub(HELD, Release)", "fetch_sub(HELD, Relaxed)")],
        seen_by: LOCK_MODEL,
    },
    Mutant {
        name: "a front is not given with all that came before",
        port: Some(Port::linux_amd64),
        file: LOCK,
        edits: &[(
            "pub(super) fn give_unawaited(&self) {\n        self.state.store(FREE, Release)",
            "pub(super) fn give_unawaited(&self) {\n        self.state.store(FREE, Relaxed)",
        )],
        seen_by: LOCK_MODEL,
    },
    Mutant {
        name: "lock forgets who was woken",
        port: Some(Port::linux_amd64),
        file: LOCK,
        edits: &[("awake = AWAKE", "awake = 0")],
        seen_by: LOCK_MODEL,
    },
    Mutant {
        name: "lock wakes before there is a token",
        port: Some(Port::linux_amd64),
        file: LOCK,
        edits: &[(
            "self.token.store(1, Release);\n                    futex::wake_one(&self.token);",
            "futex::wake_one(&self.token);\n                    self.token.store(1, Release);",
        )],
        seen_by: LOCK_MODEL,
    },
    Mutant {
        name: "the only thread is not kept out by itself",
        port: Some(Port::linux_amd64),
        file: LOCK,
        edits: &[("has_one_thread() && self.state.load(Relaxed) == FREE", "has_one_thread()")],
        seen_by: LOCK_MODEL,
    },
    Mutant {
        name: "the lists of one front are not emptied",
        port: Some(Port::linux_amd64),
        file: HEAP,
        edits: &[(
            "for front in self.fronts.further() {\n            // SAFETY: all fronts",
            "for front in self.fronts.further().skip(1) {\n            // SAFETY: all fronts",
        )],
        seen_by: HEAP_THREADS,
    },
    Mutant {
        name: "other fronts are not looked at before a request is refused",
        port: Some(Port::linux_amd64),
        file: HEAP,
        edits: &[("Err(Shortage::Here) => hold = self.hold_all(),", "Err(Shortage::Here) => return None,")],
        seen_by: HEAP_THREADS,
    },
    Mutant {
        name: "the back end is locked before the fronts",
        port: Some(Port::linux_amd64),
        file: HEAP,
        edits: &[(
            "self.seize_further();\n            self.gate.lock();",
            "self.gate.lock();\n            self.seize_further();",
        )],
        seen_by: HEAP_THREADS,
    },
    Mutant {
        name: "the back end is not locked",
        port: Some(Port::linux_amd64),
        file: HEAP,
        edits: &[("if several {\n            self.gate.lock();\n        }\n        several", "several")],
        seen_by: HEAP_THREADS,
    },
    Mutant {
        name: "a thread does not move to the front that was free",
        port: Some(Port::linux_amd64),
        file: FRONTS,
        edits: &[("part.store(number, Release);", "")],
        seen_by: HEAP_THREADS,
    },
    Mutant {
        name: "a new front is nobody's",
        port: Some(Port::linux_amd64),
        file: FRONTS,
        edits: &[("None => self.part().store(number, Release),", "None => {}")],
        seen_by: HEAP_THREADS,
    },
    Mutant {
        name: "a wake-up for whoever sleeps at each release",
        port: Some(Port::freebsd_amd64),
        file: LOCK,
        edits: &[(
            "fn wake(&self, mut state: u32) {",
            "fn wake(&self, mut state: u32) {\n        futex::wake_one(&self.token);",
        )],
        seen_by: WAKES,
    },
    Mutant {
        name: "a second thread starts and the lock does not know",
        port: Some(Port::linux_amd64),
        file: THREAD,
        edits: &[("    lock::expect_threads(pointer.is_some());\n    // SAFETY", "    // SAFETY")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "clone: the stack in another register",
        port: Some(Port::linux_amd64),
        file: "arch/linux_amd64/mod.rs",
        edits: &[("in(\"rsi\") stack", "in(\"rdx\") stack")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "clone: the word in the place that it has on 386",
        port: Some(Port::linux_amd64),
        file: "arch/linux_amd64/mod.rs",
        edits: &[("in(\"r10\") ended", "in(\"r8\") ended")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "clone: the word in the place that it has on amd64",
        port: Some(Port::linux_arm),
        file: "arch/linux_arm/mod.rs",
        edits: &[("in(\"r4\") ended", "in(\"r3\") ended")],
        seen_by: HEAP_ON_ARM,
    },
    Mutant {
        name: "clone: no argument on the new stack",
        port: Some(Port::linux_386),
        file: "arch/linux_386/mod.rs",
        edits: &[("\"push eax\",\n                \"call edx\"", "\"push 0\",\n                \"call edx\"")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "waits for a thread where only its own process wakes",
        port: Some(Port::linux_amd64),
        file: "src/os/linux/thread.rs",
        edits: &[("FUTEX_WAIT.into()", "(FUTEX_WAIT | 128).into()")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "does not wait for a thread",
        port: Some(Port::linux_386),
        file: THREAD,
        edits: &[("while state.load(Acquire) == kernel::RUNNING", "while state.load(Acquire) > kernel::RUNNING")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "thr_new: the stack's size is none",
        port: Some(Port::freebsd_amd64),
        file: "src/os/freebsd/thread.rs",
        edits: &[("stack_base: low, stack_size, tls", "stack_base: low, stack_size: stack_size & 1, tls")],
        seen_by: HEAP_ON_FREEBSD,
    },
    Mutant {
        name: "thr_exit: without the word",
        port: Some(Port::freebsd_386),
        file: "src/os/freebsd/thread.rs",
        edits: &[("syscall(nr::THR_EXIT, [state.as_ptr().into()])", "syscall(nr::THR_EXIT, [0usize.into()])")],
        seen_by: HEAP_ON_FREEBSD,
    },
    Mutant {
        name: "memmove upward whatever overlaps",
        port: Some(Port::linux_amd64),
        file: MEMORY_AMD64,
        edits: &[("\"jb 9f\"", "\"nop\"")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "memcpy's rep one word short",
        port: Some(Port::linux_amd64),
        file: MEMORY_AMD64,
        edits: &[("\"inc rcx\",\n                \"rep movsq\"", "\"rep movsq\"")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "memcmp reads across a page's end",
        port: Some(Port::linux_amd64),
        file: MEMORY_AMD64,
        edits: &[("\"jnz 8f\"", "\"nop\"")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "strlen counts a NUL before the string",
        port: Some(Port::freebsd_amd64),
        file: MEMORY_AMD64,
        edits: &[("\"shr rdx, cl\",\n                \"shl rdx, cl\",", "")],
        seen_by: HEAP_ON_FREEBSD,
    },
    Mutant {
        name: "memcmp looks at bytes behind the end",
        port: Some(Port::linux_386),
        file: MEMORY_386,
        edits: &[("\"bts eax, ebx\"", "\"bts eax, 15\"")],
        seen_by: HEAP_ON_X86,
    },
    Mutant {
        name: "memset's rep one word short",
        port: Some(Port::freebsd_386),
        file: MEMORY_386,
        edits: &[("\"inc ecx\",\n                \"rep stosd\"", "\"rep stosd\"")],
        seen_by: HEAP_ON_FREEBSD,
    },
    Mutant {
        name: "memcpy leaves out a last halfword",
        port: Some(Port::linux_arm),
        file: MEMORY_ARM,
        edits: &[(
            "\"strhcs r12, [r3], #2\",\n                \"ldrbmi r12, [r1]\"",
            "\"addcs r3, r3, #2\",\n                \"ldrbmi r12, [r1]\"",
        )],
        seen_by: HEAP_ON_ARM,
    },
    Mutant {
        name: "memmove upward whatever overlaps",
        port: Some(Port::linux_arm),
        file: MEMORY_ARM,
        edits: &[("\"bhs {memcpy}\"", "\"b {memcpy}\"")],
        seen_by: HEAP_ON_ARM,
    },
    Mutant {
        name: "env: a name that another begins with",
        port: Some(Port::freebsd_amd64),
        file: ARGS,
        edits: &[("?.strip_prefix(b\"=\")?;", "?;")],
        seen_by: VARIABLE,
    },
    Mutant {
        name: "believes any page size",
        port: Some(Port::freebsd_386),
        file: INITIAL_STACK,
        edits: &[(".filter(|size| size.is_power_of_two())", "")],
        seen_by: PAGE_SIZE,
    },
    Mutant {
        name: "the program's path is not counted",
        port: Some(Port::freebsd_amd64),
        file: INITIAL_STACK,
        edits: &[("self.auxv(AT_PROGRAM_PATH).unwrap_or(0)", "0")],
        seen_by: PATH,
    },
    Mutant {
        name: "writes for ever what the kernel does not take",
        port: Some(Port::freebsd_amd64),
        file: IO,
        edits: &[("Ok(0) => return Err(Errno::EIO),", "Ok(0) => {}")],
        seen_by: WRITES,
    },
    Mutant {
        name: "writes on after an error",
        port: Some(Port::freebsd_386),
        file: IO,
        edits: &[("if self.result.is_ok() {", "if self.result.is_ok() || true {")],
        seen_by: WRITES,
    },
    Mutant {
        name: "thread pointer: %gs's base for %fs's",
        port: Some(Port::linux_amd64),
        file: "src/os/linux/tls.rs",
        edits: &[("ARCH_SET_FS: i32 = 0x1002", "ARCH_SET_FS: i32 = 0x1001")],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "thread pointer: a segment that is not selected",
        port: Some(Port::linux_386),
        file: "arch/cpu/386/thread_pointer.rs",
        edits: &[("segment * 8 + 3", "segment * 8 + 11")],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "thread pointer: a new thread's in another segment",
        port: Some(Port::linux_386),
        file: "src/os/linux/tls.rs",
        edits: &[(
            "UserDesc::new(thread_pointer::segment(), pointer)",
            "UserDesc::new(thread_pointer::segment() ^ 1, pointer)",
        )],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "clone: TLS in the place that it has on amd64",
        port: Some(Port::linux_arm),
        file: "arch/linux_arm/mod.rs",
        edits: &[("in(\"r3\") tls", "in(\"r2\") tls")],
        seen_by: VARIABLES_ON_ARM,
    },
    Mutant {
        name: "clone: no thread pointer",
        port: Some(Port::linux_amd64),
        file: "src/os/linux/thread.rs",
        edits: &[(
            "if pointer.is_some() { CLONE_SETTLS } else { 0 }",
            "if pointer.is_none() { CLONE_SETTLS } else { 0 }",
        )],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "sysarch: %fs's base for %gs's",
        port: Some(Port::freebsd_386),
        file: "src/os/freebsd/tls.rs",
        edits: &[("SET_BASE: i32 = 10", "SET_BASE: i32 = 8")],
        seen_by: VARIABLES_ON_FREEBSD,
    },
    Mutant {
        name: "thr_new: no thread pointer",
        port: Some(Port::freebsd_amd64),
        file: "src/os/freebsd/thread.rs",
        edits: &[(
            "stack_size, tls_base, tls_size: 0",
            "stack_size, tls_base: core::ptr::null_mut::<()>().wrapping_byte_add(tls_base.addr() & 1), tls_size: 0",
        )],
        seen_by: VARIABLES_ON_FREEBSD,
    },
    Mutant {
        name: "variables: their alignment ignored",
        port: Some(Port::linux_amd64),
        file: "src/thread/template.rs",
        edits: &[(
            "-((self.size + ((self.size + skew).wrapping_neg() & mask)) as isize)",
            "-((self.size + ((self.size + skew).wrapping_neg() & mask & 7)) as isize)",
        )],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "variables: right behind the thread pointer",
        port: Some(Port::linux_arm),
        file: "src/thread/template.rs",
        edits: &[(
            "(ABI_WORDS + (skew.wrapping_sub(ABI_WORDS) & mask)) as isize",
            "(ABI_WORDS + (skew.wrapping_sub(ABI_WORDS) & mask & 7)) as isize",
        )],
        seen_by: VARIABLES_ON_ARM,
    },
    Mutant {
        name: "variables: zeroes are not written",
        port: Some(Port::linux_386),
        file: "src/thread/control.rs",
        edits: &[("write_bytes(0, template.size - template.filled)", "write_bytes(0, template.size - template.size)")],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "variables: those that are not zero are not written",
        port: Some(Port::freebsd_386),
        file: "src/thread/template.rs",
        edits: &[("for at in 0..self.filled", "for at in 0..self.filled & 1")],
        seen_by: VARIABLES_ON_FREEBSD,
    },
    Mutant {
        name: "variables: no room for the first thread's",
        port: Some(Port::linux_amd64),
        file: "linker/rt0.ld",
        edits: &[(
            "        . += SIZEOF(.tdata) + SIZEOF(.tbss)",
            "        . += 0 * SIZEOF(.tdata) + 0 * SIZEOF(.tbss)",
        )],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "threads have one number",
        port: Some(Port::linux_amd64),
        file: "src/thread.rs",
        edits: &[("NEXT.fetch_add(1, Relaxed)", "NEXT.fetch_add(0, Relaxed)")],
        seen_by: VARIABLES_ON_X86,
    },
    Mutant {
        name: "stack: no page below it",
        port: Some(Port::linux_amd64),
        file: "src/thread/stack.rs",
        edits: &[(
            "let low = unsafe { base.add(page) };\n        // SAFETY: it is ours, and nobody uses it yet.\n        if let Err(errno) = unsafe { sys::mprotect(low, usable,",
            "let low = unsafe { base.add(page) };\n        // SAFETY: it is ours, and nobody uses it yet.\n        if let Err(errno) = unsafe { sys::mprotect(base, usable + page,",
        )],
        seen_by: STACKS_ON_X86,
    },
    Mutant {
        name: "stack: the first thread's is larger than its limit",
        port: Some(Port::freebsd_386),
        file: "src/thread/stack.rs",
        edits: &[("high - size..high", "high - 2 * size..high")],
        seen_by: STACKS_ON_FREEBSD,
    },
    Mutant {
        name: "stack: the first thread's limit is the address space's",
        port: Some(Port::linux_386),
        file: "src/thread/stack.rs",
        edits: &[("sys::getrlimit(RLIMIT_STACK)", "sys::getrlimit(crate::os::RLIMIT_AS)")],
        seen_by: STACKS_ON_X86,
    },
    Mutant {
        name: "handler on the stack that is used up",
        port: Some(Port::linux_amd64),
        file: "src/fault.rs",
        edits: &[("SigAction::handler(handle, SA_ONSTACK)", "SigAction::handler(handle, SA_ONSTACK & 1)")],
        seen_by: STACKS_ON_X86,
    },
    Mutant {
        name: "handler on the stack that is used up",
        port: Some(Port::freebsd_amd64),
        file: "src/fault.rs",
        edits: &[("SigAction::handler(handle, SA_ONSTACK)", "SigAction::handler(handle, SA_ONSTACK & 2)")],
        seen_by: STACKS_ON_FREEBSD,
    },
    Mutant {
        name: "each thread has the first one's alternate stack",
        port: Some(Port::linux_amd64),
        file: "src/fault.rs",
        edits: &[("if current.id() == 0 {", "if current.id() < 99 {")],
        seen_by: STACKS_ON_X86,
    },
    Mutant {
        name: "threads have no alternate stack",
        port: Some(Port::linux_arm),
        file: "src/thread.rs",
        edits: &[("if !alternate.is_null()", "if alternate.is_null()")],
        seen_by: STACKS_ON_ARM,
    },
    Mutant {
        name: "handler returns by another call",
        port: Some(Port::linux_arm),
        file: "src/os/linux/nr.rs",
        edits: &[(
            "RT_SIGRETURN:   usize = number(  15,  173,  173)",
            "RT_SIGRETURN:   usize = number(  15,  173,  119)",
        )],
        seen_by: STACKS_ON_ARM,
    },
    Mutant {
        name: "handler returns by another call",
        port: Some(Port::linux_amd64),
        file: "src/os/linux/nr.rs",
        edits: &[("RT_SIGRETURN:   usize = number(  15,", "RT_SIGRETURN:   usize = number(  39,")],
        seen_by: STACKS_ON_X86,
    },
    Mutant {
        name: "any fault is an overflow",
        port: Some(Port::freebsd_386),
        file: "src/fault.rs",
        edits: &[("accessed && overflow)", "accessed)")],
        seen_by: STACKS_ON_FREEBSD,
    },
    Mutant {
        name: "a fault that no instruction made is not sent again",
        port: Some(Port::linux_386),
        file: "src/fault.rs",
        edits: &[("if fault.address.is_none() {", "if sent {")],
        seen_by: NO_ROOM_ON_STACK,
    },
    Mutant {
        name: "FreeBSD's sigaction with Linux's flags",
        port: Some(Port::freebsd_amd64),
        file: "src/os/freebsd/signal.rs",
        edits: &[("SA_SIGINFO: u32 = 0x40", "SA_SIGINFO: u32 = 4")],
        seen_by: STACKS_ON_FREEBSD,
    },
    Mutant {
        name: "mark: an edge that finds no room is forgotten",
        port: None,
        file: "src/gc/mark.rs",
        edits: &[("            self.mark_later(object);\n", "            let _ = object;\n")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "mark: the rest of a long object is forgotten",
        port: None,
        file: "src/gc/mark.rs",
        edits: &[("            self.top = self.top.wrapping_add(2);\n", "")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "mark: of the blocks that wait only one is scanned",
        port: None,
        file: "src/gc/mark.rs",
        edits: &[("self.waiting = if next == self.waiting { 0 } else { next };", "self.waiting = 0;")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "mark: the ring ends before it is empty",
        port: None,
        file: "src/gc/mark.rs",
        edits: &[("} else if len == 0 {", "} else if len < RING {")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "sweep: what reaches into the next word is a hole",
        port: None,
        file: "src/gc/sweep.rs",
        edits: &[("usize::from(last == Last::Live)", "0")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "sweep: a group without marks is free, whatever reaches into it",
        port: None,
        file: "src/gc/sweep.rs",
        edits: &[("if marks == 0 && last == Last::Hole {", "if marks == 0 {")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "sweep: what dies among what lives stays",
        port: None,
        file: "src/gc/sweep.rs",
        edits: &[("if dead == 0 && last == Last::Live {", "if last == Last::Live {")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "sweep: a group in which nothing dies is live, whatever is before it",
        port: None,
        file: "src/gc/sweep.rs",
        edits: &[("if dead == 0 && last == Last::Live {", "if dead == 0 {")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "sweep: a group in which all live stays marked",
        port: None,
        file: "src/gc/sweep.rs",
        edits: &[("*word &= !(MARK * ONES)", "*word |= 0")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "sweep: an object stays marked",
        port: None,
        file: "src/gc/sweep.rs",
        edits: &[("EDGE | SCAN | OBJECT)", "EDGE | SCAN | OBJECT | MARK)")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "sweep: a large object's blocks are found after it is gone",
        port: None,
        file: "src/gc/sweep.rs",
        edits: &[("                block.back = 0;\n", "")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "find: nothing in a word is an object",
        port: None,
        file: "src/gc/map.rs",
        edits: &[("below_by_top_bit(word, below, places)", "below_by_top_bit(word, below, 0)")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "find: a hole is an object",
        port: None,
        file: "src/gc/map.rs",
        edits: &[("if !start.is_multiple_of(GRANULE) {", "if start == 0 {")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "find: the heap's last granule is outside",
        port: None,
        file: "src/gc/map.rs",
        edits: &[(
            "        let below = self.last.wrapping_sub(word);",
            "        let below = self.last.wrapping_sub(word + GRANULE);",
        )],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "weak: a cell keeps what is gone",
        port: None,
        file: "src/gc/lists.rs",
        edits: &[("cell.object.filter(|object| reached(marker, *object))", "cell.object")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "weak: a value is kept without its key",
        port: None,
        file: "src/gc/lists.rs",
        edits: &[("let is_reached = marker.key_reached(pair.key);", "let is_reached = true;")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "weak: a chain of keys takes a round for each link",
        port: None,
        file: "src/gc/lists.rs",
        edits: &[("ROUNDS: usize = 3", "ROUNDS: usize = usize::MAX")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "weak: a leaf that the language marks is no news",
        port: None,
        file: "src/gc/mark.rs",
        edits: &[("        self.news = true;\n", "        self.news = code & SCAN != 0;\n")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "weak: the language marks before the tables of ephemerons do",
        port: None,
        file: "src/gc/lists.rs",
        edits: &[(
            "            language.mark_more(marker);\n",
            "            if round == 0 { language.mark_more(marker); }\n",
        )],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "weak: what waits for its finalizer is not kept",
        port: None,
        file: "src/gc/lists.rs",
        edits: &[(
            "                    marker.mark(object);\n                }\n                dead = next;",
            "                    let _ = object;\n                }\n                dead = next;",
        )],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "allocate: what was used before is not zeroed",
        port: None,
        file: "src/gc/alloc.rs",
        edits: &[("write_bytes(0, used)", "write_bytes(0, 0)")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "allocate: the shelves outlive a collection",
        port: None,
        file: "src/gc/alloc.rs",
        edits: &[("self.shelves.write_bytes(0, 1)", "self.shelves.write_bytes(0, 0)")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "allocate: the link to the next hole stays in an object",
        port: None,
        file: "src/gc/alloc.rs",
        edits: &[("            self.fresh = self.fresh.max(at + len);\n", "")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "allocate: holes that were passed over count as taken",
        port: None,
        file: "src/gc/alloc.rs",
        edits: &[("        self.taken += taken;\n", "        self.taken += taken.max(end - at) * 4;\n")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "allocate: a shelf that has become empty keeps its bit",
        port: None,
        file: "src/gc/shelves.rs",
        edits: &[("        if next == 0 {\n", "        if next == 1 {\n")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "collect: a request that was refused raises the limit",
        port: None,
        file: "src/gc/collector.rs",
        edits: &[("            self.heap.limit = limit;\n", "            let _ = limit;\n")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "collect: after a late collection the heap does not grow",
        port: None,
        file: "src/gc/collector.rs",
        edits: &[(
            "            found = found.or_else(|| self.grow_beyond(len, code));\n",
            "            found = found.or_else(|| if last { None } else { self.grow_beyond(len, code) });\n",
        )],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "collect: what is given back elsewhere counts on",
        port: None,
        file: "src/gc/collector.rs",
        edits: &[("self.external_limit.min(self.external.saturating_add(self.heap.limit))", "self.external_limit")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "collect: the lists' heads lie where the stack is scanned",
        port: None,
        file: "src/gc/collector.rs",
        edits: &[("mem::take(&mut self.lists)", "Lists { ..self.lists }")],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "collect: a panic of the language leaves a heap that is half marked",
        port: None,
        file: "src/gc/collector.rs",
        edits: &[(
            "        let half_marked = HalfMarked;\n",
            "        let half_marked = mem::ManuallyDrop::new(HalfMarked);\n",
        )],
        seen_by: COLLECTOR,
    },
    Mutant {
        name: "collect: handles are no roots",
        port: None,
        file: "src/gc/collector.rs",
        edits: &[("        self.handles.roots(&mut marker);\n", "")],
        seen_by: COLLECTOR,
    },
];
