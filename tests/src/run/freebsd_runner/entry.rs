//! execve: turns what Linux has loaded into what a FreeBSD program finds at its first instruction.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail, ensure};

use super::abi::{at, rlimit};
use super::calls::{TRAMPOLINE, trampoline};
use super::elf::{Image, PAGE};
use super::kernel::{Context, GADGET, Kernel, Limit, Process, STACK_STEP};
use super::linux;
use super::options::Options;
use crate::run::tracer::launch::mappings;
use crate::run::tracer::poison;
use crate::run::tracer::space::{Kind, Space};
use crate::run::tracer::stack::{Block, place};
use crate::run::tracer::tracee::{Class, Registers, Tracee};

/// Where a position-independent program is loaded (`ET_DYN_LOAD_ADDR`, `sys/{amd64,i386}/include/elf.h`).
fn dynamic_base(class: Class) -> u64 {
    match class {
        Class::Bits32 => 0x100_1000,
        Class::Bits64 => 0x102_1000,
    }
}

/// The end of a program's addresses (`VM_MAXUSER_ADDRESS`, `FREEBSD32_MAXUSER_ADDRESS`). The page below it is the
/// shared page, and the stack ends where that begins.
fn end_of_addresses(class: Class, i386_kernel: bool) -> u64 {
    match class {
        Class::Bits64 => 0x8000_0000_0000,
        Class::Bits32 if i386_kernel => 0xbfc0_0000,
        Class::Bits32 => 0xffff_f000,
    }
}

/// The kernel's own hard limits: RLIMIT_DATA (`maxdsiz`) and RLIMIT_STACK (`maxssiz`). The sizes of the stack are what
/// kernels answered. [run]
fn kernel_limits(class: Class, options: &Options) -> (u64, u64) {
    match class {
        Class::Bits32 => (512 << 20, 64 << 20),
        Class::Bits64 if options.is_10() => (32 << 30, 512 << 20),
        Class::Bits64 => (32 << 30, 1 << 30),
    }
}

/// The limits of the first process (`sys/kern/init_main.c`, `proc0_init`), where no option says otherwise.
fn first_limits(class: Class, options: &Options) -> [Limit; rlimit::COUNT] {
    /// What the machine that is played has: the memory of the kernels in QEMU, and numbers that are usual there.
    const MEMORY: i64 = 1 << 30;
    const PROCESSES: i64 = 6_656;
    const FILES: i64 = 31_000;
    let same = |value| Limit { soft: value, hard: value };
    let (data, stack) = kernel_limits(class, options);
    // `dfldsiz` of an i386 kernel, and `dflssiz` of all. [run]
    let data_soft = if options.i386_kernel { 128 << 20 } else { data };
    let stack_soft = 8 << 20;
    let mut limits = [Limit::INFINITE; rlimit::COUNT];
    limits[rlimit::AS] = options.limit_as;
    let kernels = |soft: u64, hard: u64| Limit { soft: soft.cast_signed(), hard: hard.cast_signed() };
    limits[rlimit::DATA] = options.limit_data.unwrap_or(kernels(data_soft, data));
    limits[rlimit::STACK] = options.limit_stack.unwrap_or(kernels(stack_soft, stack));
    limits[rlimit::RSS] = same(MEMORY);
    limits[rlimit::MEMLOCK] = Limit { soft: MEMORY / 3, hard: MEMORY };
    limits[rlimit::NPROC] = same(PROCESSES);
    limits[rlimit::NOFILE] = same(FILES);
    limits
}

/// The strings that a program is started with.
#[derive(Clone, Debug, Default)]
pub(super) struct Strings {
    pub arguments: Vec<Vec<u8>>,
    pub environment: Vec<Vec<u8>>,
}

/// Makes a process in which Linux has just executed a program look as FreeBSD would have made it: its address space,
/// stack and registers. `old` is the process as it was before, whose limits it keeps.
///
/// # Errors
/// FreeBSD's kernel would refuse the program, or a Linux call failed.
pub(super) fn execute(kernel: &mut Kernel, tracee: Tracee, old: Option<&Process>, strings: &Strings) -> Result<()> {
    let class = tracee.class()?;
    let context = Context { tracee, process: tracee.0.as_raw(), class };
    let image = Image::parse(&fs::read(format!("/proc/{}/exe", tracee.0))?)?;
    ensure!(image.class == class, "the program is not what Linux has loaded");
    let base = if image.position_independent { dynamic_base(class) } else { 0 };
    let process = new_process(kernel, class, &image, base, old)?;
    arrange(&process, &image, base, tracee)?;
    kernel.processes.insert(context.process, process);
    start(kernel, context, &image, base, strings)
}

/// The process in the kernel's accounts.
fn new_process(kernel: &Kernel, class: Class, image: &Image, base: u64, old: Option<&Process>) -> Result<Process> {
    let options = kernel.options;
    let (data, stack) = kernel_limits(class, options);
    let end = end_of_addresses(class, options.i386_kernel);
    let stack_top = end - PAGE;
    let limits = old.map_or_else(|| first_limits(class, options), |old| old.limits);
    let mut process = Process {
        space: Space::new(PAGE..end),
        limits,
        text_start: image.text_start() + base,
        data_start: image.data_start() + base,
        stack_top,
        has_note: image.osrel.is_some(),
        ignores_sigsys: old.is_some_and(|old| old.ignores_sigsys),
        handlers: BTreeMap::new(),
    };
    // `elf64_machdep.c`'s and `ia32_sysvec.c`'s fixlimit: no process has more than the kernel's own limits.
    for (resource, maximum) in [(rlimit::DATA, data), (rlimit::STACK, stack)] {
        let clamp = |limit: i64| limit.min(maximum.cast_signed());
        let Limit { soft, hard } = process.limits[resource];
        process.limits[resource] = Limit { soft: clamp(soft), hard: clamp(hard) };
    }
    let space = &mut process.space;
    for segment in &image.segments {
        space.insert(segment.start + base..segment.end + base, Kind::Image);
    }
    space.insert(end - PAGE..end, Kind::SharedPage);
    space.insert(stack_top - stack..stack_top, Kind::StackGap);
    let first = STACK_STEP.min(process.limits[rlimit::STACK].bytes().next_multiple_of(PAGE));
    space.insert(stack_top - first..stack_top, Kind::Stack);
    // `exec_new_vmspace` (`sys/kern/kern_exec.c`) checks shared page and stack, `__elfN(load_sections)` the segments; no
    // one checks the sum, so a program can have more than its limit from the start. [run]
    let limit = process.limits[rlimit::AS].bytes();
    let of_the_kernel = PAGE + first;
    let of_the_program: u64 = image.segments.iter().map(|segment| segment.end - segment.start).sum();
    for (what, size) in [("stack and the shared page", of_the_kernel), ("segments", of_the_program)] {
        if size > limit {
            bail!("ENOMEM: the {what} are {size} bytes, and RLIMIT_AS is {limit}");
        }
    }
    if let Some(holes) = options.holes {
        let mut from = process.search_start();
        for _ in 0..holes.count {
            process.space.insert(from..from + PAGE, Kind::Foreign);
            from += PAGE + holes.size;
        }
        let to = stack_top - stack;
        ensure!(from < to, "there is no room for {} holes of {} bytes", holes.count, holes.size);
        process.space.insert(from..to, Kind::Foreign);
        process.space.insert(PAGE..2 * PAGE, Kind::Foreign);
    }
    Ok(process)
}

/// Arranges Linux's mappings as the process has them: the image where FreeBSD loads it, the stack, the runner's gadget.
fn arrange(process: &Process, image: &Image, base: u64, tracee: Tracee) -> Result<()> {
    let class = image.class;
    let entry = tracee.registers()?.rip;
    let loaded_at = entry - image.entry;
    let (first, last) = image.span();
    let (first, last) = (first + loaded_at, last + loaded_at);
    ensure!(first > GADGET, "the program is linked at {first:#x}, where the runner keeps its gadget; link it higher");

    let original = tracee.patch(entry, class.system_call())?;
    let call = |gadget, call, arguments| -> Result<u64> {
        let answer = tracee.inject(gadget, call, arguments)?;
        ensure!(
            !(-4095..0).contains(&answer),
            "Linux refused a call that arranges the address space: errno {}",
            -answer
        );
        Ok(answer.cast_unsigned())
    };
    call(entry, linux::MMAP, linux::map_anonymous(GADGET, PAGE, linux::PROT_READ | linux::PROT_EXEC))?;
    tracee.patch(GADGET, class.system_call())?;
    for (at, code) in (TRAMPOLINE..).step_by(2).zip(trampoline(class)) {
        tracee.patch(at, *code)?;
    }
    tracee.patch(entry, original)?;
    for (start, end) in mappings(tracee)? {
        let in_image = start >= first && end <= last;
        let of_the_host = start >= 1 << 63; // the vsyscall page
        if in_image && base != 0 {
            let target = start - loaded_at + base;
            let move_fixed = 1 | 2; // MREMAP_MAYMOVE | MREMAP_FIXED
            call(GADGET, linux::MREMAP, [start, end - start, end - start, move_fixed, target, 0])?;
        } else if !in_image && start != GADGET && !of_the_host {
            call(GADGET, linux::MUNMAP, [start, end - start, 0, 0, 0, 0])?;
        }
    }
    let stack = process.stack_low();
    let protection = linux::PROT_READ | linux::PROT_WRITE;
    call(GADGET, linux::MMAP, linux::map_anonymous(stack, process.stack_top - stack, protection))?;
    Ok(())
}

/// Builds the initial stack (`exec_copyout_strings`, `freebsd_fixup`) and sets the registers (`exec_setregs`).
fn start(kernel: &mut Kernel, context: Context, image: &Image, base: u64, strings: &Strings) -> Result<()> {
    let Context { tracee, class, .. } = context;
    let options = kernel.options;
    let process = kernel.process(context);
    let stack_top = process.stack_top;
    let mut top = stack_top - 4 * class.word() as u64; // struct ps_strings
    let mut put = |bytes: &[u8]| -> Result<u64> {
        top -= bytes.len() as u64;
        tracee.write(top, bytes).ok().context("the initial stack does not fit")?;
        Ok(top)
    };
    let path = fs::read_link(format!("/proc/{}/exe", tracee.0))?;
    let path = PathBuf::into_os_string(path);
    let mut put_string = |string: &[u8]| put(&[string, b"\0"].concat());
    let execution_path = put_string(&OsString::into_vec(path))?;
    let environment = strings.environment.iter().map(|string| put_string(string)).collect::<Result<_>>()?;
    let arguments = strings.arguments.iter().map(|string| put_string(string)).collect::<Result<_>>()?;
    top &= !15;
    // An i386 kernel's canary has 32 bytes, its stacks can be executed, and it has two sizes of page, not three. [run]
    let native_386 = class == Class::Bits32 && options.i386_kernel;
    let canary_length = if native_386 { 32 } else { 64 };
    let page_sizes: &[u64] = if native_386 { &[PAGE, 2 << 20] } else { &[PAGE, 2 << 20, 1 << 30] };
    let canary = top - canary_length;
    tracee.write(canary, &[0x5a; 64][..canary_length as usize]).ok().context("the initial stack does not fit")?;
    let mut size_list = Vec::new();
    page_sizes.iter().for_each(|size| class.push(&mut size_list, *size));
    let sizes = (canary - size_list.len() as u64) & !15;
    tracee.write(sizes, &size_list).ok().context("the initial stack does not fit")?;

    let mut auxiliary = vec![
        (at::PHDR, image.headers + base),
        (at::PHENT, image.header_size),
        (at::PHNUM, image.header_count),
        (at::PAGESZ, options.page_size),
        (at::FLAGS, 0),
        (at::ENTRY, image.entry + base),
        (at::BASE, base),
        (at::EXECPATH, execution_path),
        (at::OSRELDATE, u64::from(options.osreldate)),
        (at::CANARY, canary),
        (at::CANARYLEN, canary_length),
        (at::NCPUS, 2),
        (at::PAGESIZES, sizes),
        (at::PAGESIZESLEN, size_list.len() as u64),
        // The clock's page lies in the shared one, which Linux has no pages for here.
        (at::TIMEKEEP, stack_top + PAGE / 2),
        (at::STACKPROT, if native_386 { 7 } else { 3 }),
    ];
    auxiliary.retain(|(kind, _)| !(options.no_page_size && *kind == at::PAGESZ));
    let block = Block { arguments, environment, auxiliary }.bytes(class);
    let remainder = options.block_mod / class.word() as u64 * class.word() as u64;
    let address = place(sizes, block.len(), remainder);
    tracee.write(address, &block).ok().context("the initial stack does not fit")?;

    let mut registers = tracee.registers()?;
    poison::general(&mut registers, class);
    registers.rip = image.entry + base;
    if class == Class::Bits32 {
        // The base that `sysarch` sets is that of the segment which %gs selects from the first instruction on. Nothing
        // can be read by it before.
        tracee.set_thread_area(0)?;
        registers.gs = Tracee::AREA_SELECTOR;
    }
    enter(&mut registers, class, address);
    // Nothing below the block is promised, so it is poison.
    let mut below = Vec::new();
    class.push(&mut below, poison::value(class, 31));
    tracee.write(address - below.len() as u64, &below).ok().context("the initial stack does not fit")?;
    poison::vectors(tracee)?;
    tracee.set_registers(registers)?;
    Ok(())
}

/// The two registers that the entry contract promises.
fn enter(registers: &mut Registers, class: Class, block: u64) {
    registers.orig_rax = u64::MAX;
    match class {
        Class::Bits32 => registers.rsp = block,
        Class::Bits64 => {
            registers.rdi = block;
            registers.rsp = ((block - 8) & !15) + 8;
        }
    }
}
