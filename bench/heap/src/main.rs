//! The benchmark's program that rt0 starts, with rt0's heap as it is shipped.

#![no_std]
#![no_main]

rt0::entry!(main, heap = HEAP);

#[global_allocator]
static HEAP: rt0::Heap = rt0::Heap::new();

fn main(args: rt0::Args) -> i32 {
    let Some(name) = args.get(1) else {
        rt0::eprintln!("{}", rt0_bench_heap::USAGE);
        return 2;
    };
    match rt0_bench_heap::run(name, args.get(2)) {
        Ok(()) => 0,
        Err(error) => {
            rt0::eprintln!("{error:#}");
            1
        }
    }
}
