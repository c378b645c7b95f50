//! Shows how large an arena the limit of the address space allowed, with a `key=value` line for each fact; sizes are in
//! bytes. Run it under `ulimit -v`.

#![no_std]
#![no_main]

use rt0::arena::{Arena, Options, Policy, Region};
use rt0::memlimit::Headroom;
use rt0::{Args, println};

rt0::entry!(main, arena = options);

const USAGE: &str = "usage: limits [--policy=go|fit] [--allowance=BYTES] [--no-bitmap] [--others] [--fill[=CHUNK]]";

struct Settings {
    options: Options,
    /// Commit and touch chunks of this many bytes until the arena refuses.
    fill: Option<usize>,
}

fn settings(args: Args) -> Settings {
    let mut settings = Settings { options: Options::DEFAULT, fill: None };
    for arg in args.iter().skip(1) {
        let arg = arg.to_str().unwrap_or_default();
        match arg.split_once('=').unwrap_or((arg, "")) {
            ("--policy", "go") => settings.options.policy = Policy::GO,
            ("--policy", "fit") => settings.options.policy = Policy::FIT,
            ("--allowance", bytes) => settings.options.allowance = Some(bytes.parse().unwrap_or_else(|_| usage(arg))),
            ("--fill", chunk) if arg != "--fill" => match chunk.parse() {
                Ok(chunk @ 1..) => settings.fill = Some(chunk),
                _ => usage(arg),
            },
            _ if arg == "--others" => settings.options = settings.options.capped(rt0::limits::smallest()),
            _ if arg == "--no-bitmap" => settings.options.bitmap = false,
            _ if arg == "--fill" => settings.fill = Some(1 << 20),
            _ => usage(arg),
        }
    }
    settings
}

fn usage(arg: &str) -> ! {
    rt0::eprintln!("limits: what is {arg:?}? {USAGE}");
    rt0::exit(2)
}

/// Whether other limits than that of the address space are heeded.
fn others(args: Args) -> bool {
    args.iter().any(|arg| arg == c"--others")
}

/// Called before `main`: which arena `main` gets.
fn options(args: Args) -> Options {
    settings(args).options
}

fn main(args: Args, mut arena: Arena) {
    let decision = *arena.decision();
    println!("port={}", rt0::sys::PORT);
    println!("page={}", decision.page);
    match decision.source.limit() {
        Some(bytes) => println!("limit={bytes}"),
        None => println!("limit=none"),
    }
    println!("source={}", decision.source);
    println!("image={}", decision.image);
    println!("footprint={}", decision.footprint);
    println!("allowance={}", decision.allowance);
    println!("policy={}", decision.options.policy.name());
    match decision.headroom {
        Headroom::Unlimited => println!("headroom=unlimited"),
        Headroom::Bytes(bytes) => println!("headroom={bytes}"),
        Headroom::Exhausted => println!("headroom=0"),
    }
    if others(args) {
        println!("decided-by={}", decision.decided_by());
    }
    println!("base={:#x}", arena.bitmap().base().addr());
    println!("tries={}", decision.attempts.tries);
    println!("calls={}", decision.attempts.calls);
    // The sums over all regions, since filling may have reserved further ones.
    let mut sum =
        Filled { arena: arena.extent().len() as u64, bitmap: arena.bitmap().len() as u64, regions: 1, filled: 0 };
    let fill = settings(args).fill;
    if let Some(chunk) = fill {
        sum.fill(&mut arena, chunk.next_multiple_of(decision.page as usize));
    }
    println!("arena={}", sum.arena);
    println!("bitmap={}", sum.bitmap);
    println!("regions={}", sum.regions);
    if fill.is_some() {
        println!("filled={}", sum.filled);
    }
}

/// The sizes of all regions together, and how much of their arenas has been committed and touched, in bytes.
struct Filled {
    arena: u64,
    bitmap: u64,
    regions: u32,
    filled: u64,
}

impl Filled {
    /// Fills the arena, and then further regions for as long as one can be reserved.
    fn fill(&mut self, arena: &mut Arena, chunk: usize) {
        let bounded = arena.decision().source.limit().is_some() || usize::BITS == 32;
        self.filled = fill_region(arena.region(), chunk);
        while bounded && let Ok(grown) = arena.grow(1, arena.extent().len()) {
            self.arena += grown.extent().len() as u64;
            self.bitmap += grown.bitmap().len() as u64;
            self.regions += 1;
            match fill_region(&grown, chunk) {
                0 => break,
                bytes => self.filled += bytes,
            }
        }
    }
}

/// Commits and touches a region chunk by chunk from its start until the kernel refuses; returns how many bytes that
/// were.
fn fill_region(region: &Region, chunk: usize) -> u64 {
    let (base, size) = (region.extent().base(), region.extent().len());
    let mut offset = 0;
    while offset < size {
        let len = chunk.min(size - offset);
        if region.commit(offset..offset + len).is_err() {
            break;
        }
        // SAFETY: committed just now, and nobody else uses the region.
        unsafe {
            base.add(offset).write_volatile(1);
            base.add(offset + len - 1).write_volatile(1);
        }
        offset += len;
    }
    offset as u64
}
