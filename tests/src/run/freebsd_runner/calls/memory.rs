//! mmap and its like (`sys/vm/vm_mmap.c`): what is allowed, where it goes and what it costs.

use std::ops::Range;

use super::super::abi::{Errno, map, rlimit};
use super::super::elf::PAGE;
use super::super::kernel::{Context, Kernel, Step};
use super::super::linux;
use super::Arguments;
use crate::run::tracer::faults::Effect;
use crate::run::tracer::space::Kind;
use crate::run::tracer::tracee::Class;

/// All of mmap's flags but those that only some kernels take; any other bit is EINVAL.
const KNOWN_FLAGS: u64 = map::SHARED
    | map::PRIVATE
    | map::FIXED
    | map::HASSEMAPHORE
    | map::STACK
    | map::NOSYNC
    | map::ANON
    | map::GUARD
    | map::EXCL
    | map::IGNORED
    | map::NOCORE
    | map::PREFAULT_READ
    | map::ALIGNMENT;

/// Linux's MAP_ANONYMOUS and MAP_FIXED_NOREPLACE, which FreeBSD does not have.
const LINUX_FLAGS: u64 = 0x20 | 0x10_0000;

const PROT_ALL: u64 = 7;

/// `MAP_32BIT_MAX_ADDR` (`sys/sys/mman.h`).
const MAP_32BIT_END: u64 = 1 << 31;

/// `kern_mmap`.
pub(super) fn mmap(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let (hint, length) = (arguments.word(0), arguments.word(1));
    let protection = u64::from(arguments.int(2).cast_unsigned());
    let mut flags = u64::from(arguments.int(3).cast_unsigned());
    let (fd, offset) = (arguments.int(4), arguments.wide(5));

    if flags & LINUX_FLAGS != 0 || (flags & map::EXCL != 0 && flags & map::FIXED == 0) {
        kernel.violation(
            context,
            format!("mmap flags {flags:#x} are Linux's: MAP_ANON is 0x1000 on FreeBSD, and 0x4000 is MAP_EXCL"),
        );
    }
    if flags & map::STACK != 0 {
        if fd != -1 || protection & 3 != 3 {
            return Err(Errno::EINVAL);
        }
        flags |= map::ANON;
    }
    let of_the_cpu = if kernel.options.i386_kernel { 0 } else { map::IN_32_BITS };
    let anonymous = flags & map::ANON != 0;
    let guard = flags & map::GUARD != 0;
    let fixed = flags & map::FIXED != 0;
    let guard_flags = map::FIXED | map::GUARD | map::EXCL | map::ALIGNMENT;
    let wrong = length == 0
        || anonymous && (fd != -1 || offset != 0)
        || flags & !(KNOWN_FLAGS | of_the_cpu) != 0
        || flags & (map::EXCL | map::FIXED) == map::EXCL
        || flags & (map::SHARED | map::PRIVATE) == map::SHARED | map::PRIVATE
        || protection & !PROT_ALL != 0
        || guard && (protection != 0 || fd != -1 || offset != 0 || flags & !guard_flags != 0);
    if wrong {
        return Err(Errno::EINVAL);
    }
    let page_offset = offset % PAGE;
    let size =
        length.checked_add(page_offset).and_then(|size| size.checked_next_multiple_of(PAGE)).ok_or(Errno::ENOMEM)?;
    let size = if context.class == Class::Bits32 && size >> 32 != 0 { return Err(Errno::ENOMEM) } else { size };
    let align = alignment(kernel.options.i386_kernel, flags)?;
    if !anonymous && !guard && fd < 0 {
        return Err(Errno::EBADF);
    }

    let process = kernel.process(context);
    let limit = process.limits[rlimit::AS].bytes();
    let address = if fixed {
        let address = hint.wrapping_sub(page_offset);
        let range = address..address.checked_add(size).ok_or(Errno::EINVAL)?;
        if address % PAGE != 0 || !process.space.allows(&range) {
            return Err(Errno::EINVAL);
        }
        // The check is made before the old mapping is removed, so a range that is mapped over is counted twice.
        charge(process.space.size(), size, limit)?;
        let taken = process.space.overlaps(range);
        if flags & map::EXCL != 0 && !taken.is_empty() {
            return Err(Errno::ENOMEM);
        }
        for (part, kind) in taken {
            if !matches!(kind, Kind::Mapping | Kind::Guard) {
                kernel.violation(
                    context,
                    format!("mmap with MAP_FIXED replaces what is not the program's: {kind:?} at {part:#x?}"),
                );
                return Err(Errno::EINVAL);
            }
        }
        address
    } else {
        charge(process.space.size(), size, limit)?;
        let search = process.search_start();
        // A hint where the heap of brk might grow, or among the segments, is no hint (`kern_mmap`). [run]
        let heap = process.text_start.next_multiple_of(PAGE)..search;
        let hint = hint.next_multiple_of(PAGE);
        let from = if hint == 0 || heap.contains(&hint) { search } else { hint };
        let found = process.space.find(from, size, align);
        let found = found.or_else(|| if from > search { process.space.find(search, size, align) } else { None });
        let found = if flags & map::IN_32_BITS == 0 {
            found
        } else {
            let fits = |address: &u64| address + size <= MAP_32BIT_END;
            found.filter(fits).or_else(|| process.space.find(PAGE, size, align).filter(fits))
        };
        found.ok_or(Errno::ENOMEM)?
    };
    if !anonymous && !guard {
        return Ok(map_file(address, size, protection, flags, fd, offset - page_offset, context.class));
    }
    let range = address..address + size;
    if guard {
        return Ok(Step::linux_then(linux::MUNMAP, [address, size, 0, 0, 0, 0], move |kernel, context, _| {
            kernel.process(context).space.insert(range, Kind::Guard);
            Step::value(address)
        }));
    }
    Ok(book(range, Step::linux(linux::MMAP, linux::map_anonymous(address, size, protection))))
}

/// `map->size + size > lim_cur(RLIMIT_VMEM)` (`vm_mmap_object`).
fn charge(held: u64, size: u64, limit: u64) -> Result<(), Errno> {
    if held.saturating_add(size) > limit { Err(Errno::ENOMEM) } else { Ok(()) }
}

/// The alignment that MAP_ALIGNED(n) asks for: n is below the bits of the kernel's pointers, not of the program's
/// (`kern_mmap`), so a 386 program under an amd64 kernel can ask for one that nothing has. [run]
fn alignment(i386_kernel: bool, flags: u64) -> Result<u64, Errno> {
    let bits_of_a_pointer = if i386_kernel { 32 } else { 64 };
    match flags & map::ALIGNMENT {
        0 => Ok(PAGE),
        map::ALIGNED_SUPER => Ok(2 << 20),
        bits => match bits >> map::ALIGNMENT_SHIFT {
            shift if shift >= 12 && shift < bits_of_a_pointer => Ok(1 << shift),
            _ => Err(Errno::EINVAL),
        },
    }
}

fn map_file(address: u64, size: u64, protection: u64, flags: u64, fd: i32, offset: u64, class: Class) -> Step {
    let offset = if class == Class::Bits32 { offset / PAGE } else { offset };
    // MAP_SHARED and MAP_PRIVATE are the same bits in both; Linux's MAP_FIXED is FreeBSD's too.
    let linux_flags = flags & (map::SHARED | map::PRIVATE) | map::FIXED;
    let arguments = [address, size, protection, linux_flags, u64::from(fd.cast_unsigned()), offset];
    book(address..address + size, Step::linux(linux::MMAP, arguments))
}

/// Records a range as the program's own after Linux has mapped it.
fn book(range: Range<u64>, step: Step) -> Step {
    let Step::Linux(call, arguments, _) = step else { return step };
    Step::linux_then(call, arguments, move |kernel, context, answer| {
        assert_eq!(answer, range.start, "Linux has not mapped where it was told to");
        let process = kernel.process(context);
        process.space.insert(range, Kind::Mapping);
        let peak = process.space.peak();
        kernel.peak = kernel.peak.max(peak);
        Step::value(answer)
    })
}

/// What an mmap does if a test has decided its answer: it maps at another address than the program asked for, or its
/// answer is off by some bytes.
pub(crate) fn mmap_elsewhere(
    kernel: &mut Kernel,
    context: Context,
    arguments: &Arguments,
    effect: Effect,
) -> Result<Step, Errno> {
    match effect {
        Effect::At(address) => {
            let mut moved = arguments.clone();
            moved.words[0] = address;
            moved.words[3] |= map::FIXED | map::EXCL;
            mmap(kernel, context, &moved)
        }
        Effect::Off(bytes) => match mmap(kernel, context, arguments)? {
            Step::Linux(call, linux_arguments, then) => Ok(Step::Linux(
                call,
                linux_arguments,
                Box::new(move |kernel, context, answer| match then(kernel, context, answer) {
                    Step::Answer(Ok((address, second))) => {
                        Step::Answer(Ok((address.wrapping_add_signed(bytes), second)))
                    }
                    other => other,
                }),
            )),
            other => Ok(other),
        },
        _ => mmap(kernel, context, arguments),
    }
}

/// Rounds an address and a size outwards to pages, as munmap and mprotect do.
fn pages(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Range<u64>, Errno> {
    let start = arguments.word(0) / PAGE * PAGE;
    let end = arguments.word(0).checked_add(arguments.word(1)).and_then(|end| end.checked_next_multiple_of(PAGE));
    let range = start..end.ok_or(Errno::EINVAL)?;
    if kernel.process(context).space.allows(&range) { Ok(range) } else { Err(Errno::EINVAL) }
}

/// Records a violation if a call would change memory that the program has not mapped itself.
fn foreign(kernel: &mut Kernel, context: Context, call: &str, range: &Range<u64>, own: &[Kind]) -> Result<(), Errno> {
    for (part, kind) in kernel.process(context).space.overlaps(range.clone()) {
        if !own.contains(&kind) {
            kernel.violation(context, format!("{call} on what is not the program's: {kind:?} at {part:#x?}"));
            return Err(Errno::EINVAL);
        }
    }
    Ok(())
}

/// `kern_munmap`.
pub(super) fn munmap(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    if arguments.word(1) == 0 {
        return Err(Errno::EINVAL);
    }
    let range = pages(kernel, context, arguments)?;
    foreign(kernel, context, "munmap", &range, &[Kind::Mapping, Kind::Guard])?;
    Ok(Step::linux_then(
        linux::MUNMAP,
        [range.start, range.end - range.start, 0, 0, 0, 0],
        move |kernel, context, _| {
            kernel.process(context).space.remove(range);
            Step::value(0)
        },
    ))
}

/// `kern_mprotect`, which does not check the limit and silently skips guards and holes.
pub(super) fn mprotect(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    let protection = u64::from(arguments.int(2).cast_unsigned());
    if protection & !PROT_ALL != 0 {
        return Err(Errno::EINVAL);
    }
    // Of nothing there is nothing to protect, wherever that is (`vm_map_protect`).
    if arguments.word(1) == 0 {
        return Ok(Step::value(0));
    }
    let range = pages(kernel, context, arguments)?;
    foreign(kernel, context, "mprotect", &range, &[Kind::Mapping, Kind::Guard, Kind::Image])?;
    Ok(protect(backed(kernel, context, range), protection))
}

/// The parts of a range for which Linux holds pages, with neighbours joined.
fn backed(kernel: &mut Kernel, context: Context, range: Range<u64>) -> Vec<Range<u64>> {
    let mut parts: Vec<Range<u64>> = Vec::new();
    for (part, kind) in kernel.process(context).space.overlaps(range) {
        match parts.last_mut() {
            _ if !kind.backed() => {}
            Some(last) if last.end == part.start => last.end = part.end,
            _ => parts.push(part),
        }
    }
    parts
}

/// Protects the parts one by one.
fn protect(mut parts: Vec<Range<u64>>, protection: u64) -> Step {
    match parts.pop() {
        None => Step::value(0),
        Some(part) => Step::linux_then(
            linux::MPROTECT,
            [part.start, part.end - part.start, protection, 0, 0, 0],
            move |_, _, _| protect(parts, protection),
        ),
    }
}

/// `kern_madvise`. MADV_DONTNEED (4) keeps what the pages hold; MADV_FREE (5) may lose any of it. Here it loses the
/// first half of the pages and keeps the second, so that no program can rely on either.
pub(super) fn madvise(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    const FREE: i32 = 5;
    const LAST: i32 = 10; // MADV_PROTECT
    const LINUX_DONTNEED: u64 = 4;
    let range = pages(kernel, context, arguments)?;
    foreign(kernel, context, "madvise", &range, &[Kind::Mapping, Kind::Guard, Kind::Image])?;
    match arguments.int(2) {
        FREE => {
            let parts = backed(kernel, context, range);
            let Some(part) = parts.first() else { return Ok(Step::value(0)) };
            let half = ((part.end - part.start) / 2).next_multiple_of(PAGE);
            let arguments = [part.start, half, LINUX_DONTNEED, 0, 0, 0];
            Ok(Step::linux_then(linux::MADVISE, arguments, |_, _, _| Step::value(0)))
        }
        0..=LAST => Ok(Step::value(0)),
        _ => Err(Errno::EINVAL),
    }
}

/// `kern_mincore`, which sets no bit here but MINCORE_INCORE (1).
pub(super) fn mincore(kernel: &mut Kernel, context: Context, arguments: &Arguments) -> Result<Step, Errno> {
    if arguments.word(1) == 0 {
        return Ok(Step::value(0));
    }
    let range = pages(kernel, context, arguments)?;
    let parts = backed(kernel, context, range.clone());
    if parts != [range.clone()] {
        return Err(Errno::ENOMEM);
    }
    Ok(Step::linux(linux::MINCORE, [range.start, range.end - range.start, arguments.word(2), 0, 0, 0]))
}
