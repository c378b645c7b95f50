//! The heap's fronts: threads drift apart, nothing strands in a front that nobody uses, and no two calls wait for one
//! another for ever.
//!
//! The heap's lock is one that says on demand that it is taken, so that which front a call uses is not left to chance.

use std::alloc::Layout;
use std::cell::{Cell, RefCell};
use std::collections::HashSet;
use std::process::Command;
use std::ptr::NonNull;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::sync::{Arc, Barrier, Mutex};
use std::thread;
use std::time::Duration;

use rt0::heap::{Heap, SystemMemory, block_len};
use rt0::lock::{Lock, RawMutex};

fn layout(size: usize) -> Layout {
    Layout::from_size_align(size, 16).expect("a test's layout")
}

/// Which locks say that they are taken, if they are told so.
enum Refused {
    None,
    /// Each of them once. These have been.
    All(Vec<usize>),
    /// The one at this address.
    One(usize),
}

impl Refused {
    const ALL: Refused = Refused::All(Vec::new());

    fn refuses(&mut self, address: usize) -> bool {
        match self {
            Refused::None => false,
            Refused::All(been) => {
                let first = !been.contains(&address);
                been.push(address);
                first
            }
            Refused::One(one) => *one == address,
        }
    }
}

thread_local! {
    static REFUSED: RefCell<Refused> = const { RefCell::new(Refused::None) };
    /// Where the lock lies that this thread took last.
    static TAKEN: Cell<usize> = const { Cell::new(0) };
}

/// A lock of which each thread remembers where it took it.
struct Watched(Lock);

impl Watched {
    fn address(&self) -> usize {
        (&raw const *self).addr()
    }
}

// SAFETY: the methods are those of `Lock`, but that `try_lock` takes it less often.
unsafe impl RawMutex for Watched {
    fn lock(&self) {
        self.0.lock();
        TAKEN.set(self.address());
    }

    fn try_lock(&self) -> bool {
        let taken = !REFUSED.with_borrow_mut(|refused| refused.refuses(self.address())) && self.0.try_lock();
        if taken {
            TAKEN.set(self.address());
        }
        taken
    }

    fn another() -> Option<Watched> {
        Some(Watched(Lock::new()))
    }

    unsafe fn unlock(&self) {
        // SAFETY: the caller holds it.
        unsafe { self.0.unlock() };
    }

    unsafe fn unlock_unawaited(&self) {
        // SAFETY: the caller holds it, and nobody is in `lock`.
        unsafe { self.0.unlock_unawaited() };
    }
}

/// A heap of at most this many bytes.
fn heap(most: u64) -> Heap<Watched, SystemMemory> {
    Heap::from_parts(Watched(Lock::new()), SystemMemory::new().cap(most))
}

/// Does something in a call of which the locks are told to say that they are taken.
fn refused<T>(which: Refused, call: impl FnOnce() -> T) -> T {
    REFUSED.set(which);
    let result = call();
    REFUSED.set(Refused::None);
    result
}

/// Moves the calling thread to another front, a new one as long as there may be one.
fn move_on(heap: &Heap<Watched, SystemMemory>) -> usize {
    let own = TAKEN.get();
    refused(Refused::ALL, || heap.set_purge_threshold(1 << 20));
    if TAKEN.get() == own {
        // There are as many as there can be: the next one.
        refused(Refused::One(own), || heap.set_purge_threshold(1 << 20));
    }
    TAKEN.get()
}

/// Blocks of a size, as many as there are.
fn fill<L: RawMutex>(heap: &Heap<L, SystemMemory>, size: usize) -> Vec<NonNull<u8>> {
    std::iter::from_fn(|| heap.allocate(layout(size))).collect()
}

fn free<L: RawMutex>(heap: &Heap<L, SystemMemory>, block: NonNull<u8>, size: usize) {
    // SAFETY: the tests free each block once, with its size.
    unsafe { heap.deallocate(block, layout(size)) };
}

/// Runs a body whose calls all have their stack in one part of 32 KiB, and so use one entry of the heap's table: it has 24 KiB of
/// the part.
fn in_one_part(body: &dyn Fn()) {
    let room = [0u8; 4096];
    // A stack grows towards lower addresses.
    if (&raw const room).addr() % (32 << 10) < 24 << 10 {
        return in_one_part(std::hint::black_box(body));
    }
    body();
    std::hint::black_box(room);
}

#[test]
fn who_finds_its_front_taken_has_another_one_from_then_on() {
    // A 32nd of it is room for four times sixteen fronts, and for half of another sixteen.
    let heap = heap(25 << 18);
    in_one_part(&|| {
        let block = heap.allocate(layout(64)).expect("room");
        let first = TAKEN.get();
        free(&heap, block, 64);
        assert_eq!(TAKEN.get(), first);
        // All are taken, so there is a new one, and the next calls are there.
        refused(Refused::ALL, || heap.set_purge_threshold(1 << 20));
        let second = TAKEN.get();
        assert_ne!(second, first);
        free(&heap, heap.allocate(layout(64)).expect("room"), 64);
        assert_eq!(TAKEN.get(), second);
        // That one is taken, and the first is free.
        refused(Refused::One(second), || heap.set_purge_threshold(1 << 20));
        assert_eq!(TAKEN.get(), first);
        free(&heap, heap.allocate(layout(64)).expect("room"), 64);
        assert_eq!(TAKEN.get(), first);
        // After the last one each is used again.
        let fronts: HashSet<usize> = (0..300).map(|_| move_on(&heap)).collect();
        assert_eq!(fronts.len(), 65);
        assert!(fronts.contains(&first) && fronts.contains(&second));
        assert_eq!(heap.check(), Ok(()));
        assert_eq!(heap.stats().live, 0, "a front is not live");
    });
}

#[test]
fn no_front_is_made_where_nobody_meets() {
    static SHARED: Heap = Heap::new();
    for _ in 0..2 {
        let work = || {
            for size in 1..4000 {
                let block = SHARED.allocate(layout(size)).expect("room");
                // SAFETY: the block is this heap's.
                unsafe { SHARED.deallocate(block, layout(size)) };
            }
        };
        thread::spawn(work).join().expect("no thread panics");
    }
    SHARED.trim();
    let stats = SHARED.stats();
    assert_eq!((stats.live, stats.free, stats.listed), (0, 0, 0));
    // What is left is a segment without a block in it.
    assert!(stats.committed <= 2 << 20, "{stats:?}");
}

#[test]
fn what_is_in_the_lists_of_other_fronts_is_found() {
    in_one_part(&|| {
        for size in [16, 48, 272, 1024, 5000] {
            let heap = heap(1 << 20);
            let fronts: HashSet<usize> = (0..100).map(|_| move_on(&heap)).collect();
            assert_eq!(fronts.len(), 17, "a small heap has room for few");
            let mut blocks = fill(&heap, size);
            let count = blocks.len();
            assert!(count * size > 800 << 10, "{count} blocks of {size}");
            // A single block is free, in another front.
            for _ in 0..20 {
                free(&heap, blocks.pop().expect("many"), size);
                move_on(&heap);
                blocks.push(heap.allocate(layout(size)).expect("it was freed"));
                assert_eq!(heap.allocate(layout(size)), None, "there was one");
            }
            assert_eq!(heap.check(), Ok(()));
            // Those that lie side by side are free in two fronts, and joined.
            blocks.sort();
            let pair = (0..count - 1).find(|at| blocks[*at].addr().get() + size == blocks[at + 1].addr().get());
            let at = pair.filter(|_| size % 16 == 0 && size >= 48);
            if let Some(at) = at {
                let (one, other) = (blocks.remove(at), blocks.remove(at));
                free(&heap, one, size);
                move_on(&heap);
                free(&heap, other, size);
                move_on(&heap);
                // The most that has a block as long as both.
                let most =
                    (size..=2 * size).rev().find(|most| block_len(layout(*most)) <= 2 * size).expect("one alone fits");
                assert!(most > 2 * size - 64, "{most} of {}", 2 * size);
                free(&heap, heap.allocate(layout(most)).expect("both together"), most);
                blocks.extend((0..2).map(|_| heap.allocate(layout(size)).expect("and each alone")));
            }
            // All are free, every third in a front of its own.
            for three in blocks.chunks(3) {
                three.iter().for_each(|block| free(&heap, *block, size));
                move_on(&heap);
            }
            let blocks = fill(&heap, size);
            assert_eq!(blocks.len(), count, "of {size} bytes");
            for block in blocks {
                free(&heap, block, size);
            }
            move_on(&heap);
            let most = count * size - (64 << 10);
            free(&heap, heap.allocate(layout(most)).expect("all of it in one piece"), most);
            heap.trim();
            assert_eq!(heap.check(), Ok(()));
            let stats = heap.stats();
            assert_eq!((stats.live, stats.listed), (0, 0));
        }
    });
}

#[test]
fn what_is_freed_in_two_fronts_ends_the_process_with_its_address() {
    if std::env::var_os("RT0_WRONG").is_some() {
        let heap = heap(1 << 20);
        let (block, _beside) = (heap.allocate(layout(48)).expect("room"), heap.allocate(layout(48)));
        eprintln!("{:#x}", block.addr());
        free(&heap, block, 48);
        let own = TAKEN.get();
        assert_ne!(move_on(&heap), own);
        free(&heap, block, 48);
        return heap.trim();
    }
    let name = "what_is_freed_in_two_fronts_ends_the_process_with_its_address";
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args([name, "--nocapture"]).env("RT0_WRONG", "1").output().expect("it runs");
    let said = String::from_utf8_lossy(&output.stderr);
    let address = said.lines().find(|line| line.starts_with("0x")).expect("the block's address");
    assert!(said.contains(&format!("a block was freed that is free already: {address}")), "{said}");
    assert_eq!(output.status.code(), None, "it was ended by a signal: {said}");
}

#[test]
fn threads_hand_blocks_round_in_a_heap_that_is_full() {
    hand_round(heap(2 << 20), 6, 150_000);
}

/// As programs have it: each thread owns its front, and is kept out of it when another one wants all.
#[test]
fn threads_that_own_fronts_hand_blocks_round() {
    hand_round(Heap::on(SystemMemory::new().cap(2 << 20)), 6, 150_000);
}

/// Fronts that are everybody's.
#[test]
fn more_threads_than_fronts_hand_blocks_round() {
    hand_round(Heap::on(SystemMemory::new().cap(2 << 20)), 24, 30_000);
}

/// As many as have a front each, in a heap that bears that.
#[test]
fn many_threads_hand_blocks_round() {
    hand_round(Heap::on(SystemMemory::new().cap(16 << 20)), 60, 30_000);
}

/// What threads that have ended or wait leave in their lists goes back before the heap grows: four megabytes may stay.
#[test]
fn what_many_threads_leave_in_their_lists_is_little() {
    const THREADS: usize = 100;
    let heap = Heap::on(SystemMemory::new());
    let turn = Barrier::new(THREADS + 1);
    thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                turn.wait();
                for size in (16..4096).step_by(48) {
                    let blocks: Vec<_> = (0..8192 / size).filter_map(|_| heap.allocate(layout(size))).collect();
                    blocks.into_iter().for_each(|block| free(&heap, block, size));
                }
                turn.wait();
                turn.wait();
            });
        }
        turn.wait();
        turn.wait();
        let listed = heap.stats().listed;
        turn.wait();
        assert!((1 << 20..6 << 20).contains(&listed), "{listed} bytes in lists");
    });
    assert_eq!((heap.check(), heap.stats().live), (Ok(()), 0));
}

/// What threads have freed that take nothing themselves is used again before the heap grows.
#[test]
fn what_a_few_threads_free_that_take_nothing_is_had_again() {
    const THREADS: usize = 8;
    const LIVE: usize = 16 << 20;
    let heap = Heap::on(SystemMemory::new());
    let turn = Barrier::new(THREADS + 1);
    let shares: [Mutex<Vec<(usize, usize)>>; THREADS] = Default::default();
    let lock = |share: &Mutex<Vec<_>>| std::mem::take(&mut *share.lock().expect("nobody panics"));
    thread::scope(|scope| {
        for share in &shares {
            scope.spawn(|| {
                for _ in 0..12 {
                    turn.wait();
                    for (address, size) in lock(share) {
                        let block = NonNull::new(std::ptr::with_exposed_provenance_mut(address)).expect("a block");
                        free(&heap, block, size);
                    }
                    turn.wait();
                }
            });
        }
        for _ in 0..12 {
            let mut live = 0;
            for (number, size) in (16..8192).step_by(48).cycle().enumerate() {
                if live > LIVE {
                    break;
                }
                let block = heap.allocate(layout(size)).expect("there is memory");
                shares[number % THREADS].lock().expect("nobody panics").push((block.expose_provenance().get(), size));
                live += size;
            }
            turn.wait();
            turn.wait();
        }
    });
    let peak = heap.stats().peak;
    assert!((LIVE..2 * LIVE).contains(&peak), "{peak} bytes in blocks and lists");
    assert_eq!((heap.check(), heap.stats().live), (Ok(()), 0));
}

#[test]
fn what_an_owner_has_in_its_lists_is_found() {
    let heap = Heap::on(SystemMemory::new().cap(1 << 20));
    let free_all = |blocks: Vec<NonNull<u8>>| blocks.into_iter().for_each(|block| free(&heap, block, 64));
    let turn = Barrier::new(2);
    thread::scope(|scope| {
        scope.spawn(|| {
            let blocks = fill(&heap, 64);
            turn.wait();
            turn.wait();
            free_all(blocks);
            turn.wait();
            // Its lists are another thread's blocks now.
            turn.wait();
            assert_eq!(heap.allocate(layout(64)), None);
            turn.wait();
            turn.wait();
            free_all(fill(&heap, 64));
        });
        turn.wait();
        // It has a front, and so has this thread, whose first request is refused.
        assert_eq!(heap.allocate(layout(64)), None);
        turn.wait();
        turn.wait();
        let blocks = fill(&heap, 64);
        assert!(blocks.len() * 64 > 800 << 10, "{} blocks", blocks.len());
        turn.wait();
        turn.wait();
        free_all(blocks);
        turn.wait();
    });
    assert_eq!(heap.check(), Ok(()));
    assert_eq!(heap.stats().live, 0);
}

/// A thread that `rt0::thread` starts in a program with a libc has no thread pointer of its own.
#[test]
fn two_threads_with_one_thread_pointer_own_nothing() {
    const NAME: &str = "two_threads_with_one_thread_pointer_own_nothing";
    static SHARED: Heap = Heap::new();
    /// Whether a block was another thread's too.
    static DAMAGED: AtomicBool = AtomicBool::new(false);
    fn work(mark: usize) {
        let mut blocks = [None; 64];
        let free = |at: NonNull<u8>| {
            // SAFETY: the block is this heap's and this thread's, three words long, and written to.
            unsafe {
                if at.cast::<usize>().add(1).read_volatile() != mark {
                    DAMAGED.store(true, Relaxed);
                }
                SHARED.deallocate(at, layout(48));
            }
        };
        for step in 0..20_000_000 {
            let block = &mut blocks[step * 7 % 64];
            match block.take() {
                Some(at) => free(at),
                None => {
                    *block = SHARED.allocate(layout(48));
                    // SAFETY: as above; nobody else has it.
                    block.iter().for_each(|at| unsafe { at.cast::<usize>().add(1).write_volatile(mark) });
                }
            }
        }
        blocks.into_iter().flatten().for_each(free);
    }
    /// The same when the other thread is here as well.
    fn work_side_by_side(mark: *mut ()) {
        static HERE: AtomicUsize = AtomicUsize::new(0);
        HERE.fetch_add(1, Relaxed);
        while HERE.load(Relaxed) < 2 {
            std::hint::spin_loop();
        }
        work(mark.addr());
    }
    if std::env::var_os("RT0_SHARES").is_some() {
        work(3);
        let stack = Box::leak(vec![0u8; 1 << 16].into_boxed_slice());
        // SAFETY: the stack is the thread's for ever, and `work_side_by_side` calls nothing of the libc.
        let thread =
            unsafe { rt0::thread::start(NonNull::from(stack), work_side_by_side, std::ptr::without_provenance_mut(1)) }
                .expect("a thread");
        work_side_by_side(std::ptr::without_provenance_mut(2));
        thread.join();
        assert!(!DAMAGED.load(Relaxed), "a block was both threads'");
        assert_eq!((SHARED.check(), SHARED.stats().live), (Ok(()), 0));
        return;
    }
    let program = std::env::current_exe().expect("this program");
    let output = Command::new(program).args([NAME, "--nocapture"]).env("RT0_SHARES", "1").output().expect("it runs");
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
}

fn hand_round<L: RawMutex + Sync + Send>(heap: Heap<L, SystemMemory>, threads: usize, rounds: usize) {
    let pool: Mutex<Vec<(usize, usize, u8)>> = Mutex::new(Vec::new());
    let start = Barrier::new(threads);
    let done = Arc::new(AtomicBool::new(false));
    let watched = done.clone();
    thread::spawn(move || {
        for _ in 0..1200 {
            thread::sleep(Duration::from_millis(100));
            if watched.load(Relaxed) {
                return;
            }
        }
        eprintln!("threads wait for one another");
        std::process::abort();
    });
    let give_back = |(at, size, mark): (usize, usize, u8)| {
        let at = NonNull::new(std::ptr::with_exposed_provenance_mut::<u8>(at)).expect("a block");
        // SAFETY: the block is the heap's, and this thread alone has it.
        unsafe {
            assert_eq!((at.read(), at.add(size - 1).read()), (mark, mark), "a block is another's too");
            heap.deallocate(at, layout(size));
        }
    };
    let refusals: usize = thread::scope(|scope| {
        let work = |number: usize| {
            let (heap, pool, start, give_back) = (&heap, &pool, &start, &give_back);
            move || {
                let mut random = fastrand::Rng::with_seed(number as u64);
                let mut blocks: Vec<(usize, usize, u8)> = Vec::new();
                let mut refusals = 0;
                // Whoever has a front has it before the heap is full: later the room for it would lie anywhere.
                free(heap, heap.allocate(layout(16)).expect("it is empty"), 16);
                start.wait();
                for _ in 0..rounds {
                    let which = if random.u8(..) < 4 { Refused::ALL } else { Refused::None };
                    let size = if random.u8(..) < 16 { random.usize(1..60_000) } else { random.usize(1..900) };
                    match refused(which, || heap.allocate(layout(size))) {
                        Some(at) => {
                            let mark = random.u8(..);
                            // SAFETY: the block is ours, and `size` bytes long.
                            unsafe {
                                at.write(mark);
                                at.add(size - 1).write(mark);
                            }
                            blocks.push((at.expose_provenance().get(), size, mark));
                        }
                        None => {
                            refusals += 1;
                            blocks.drain(blocks.len() / 2..).for_each(give_back);
                        }
                    }
                    match random.u16(..) {
                        0..400 if !blocks.is_empty() => {
                            let mut pool = pool.lock().expect("no thread panics");
                            pool.push(blocks.swap_remove(random.usize(..blocks.len())));
                            let other = random.usize(..pool.len());
                            blocks.push(pool.swap_remove(other));
                        }
                        400..420 => heap.trim(),
                        420..440 => drop(heap.stats()),
                        440..450 => assert_eq!(heap.check(), Ok(())),
                        450..20_000 if !blocks.is_empty() => {
                            give_back(blocks.swap_remove(random.usize(..blocks.len())));
                        }
                        _ => {}
                    }
                }
                blocks.into_iter().for_each(give_back);
                refusals
            }
        };
        let threads: Vec<_> = (0..threads).map(|number| scope.spawn(work(number))).collect();
        threads.into_iter().map(|thread| thread.join().expect("no thread panics")).sum()
    });
    assert!(refusals > 100, "the heap was full {refusals} times");
    pool.into_inner().expect("no thread panics").into_iter().for_each(give_back);
    assert_eq!(heap.check(), Ok(()));
    assert_eq!(heap.stats().live, 0);
    // All of it but the fronts is there, which lie together.
    assert!(heap.allocate(layout(1 << 20)).is_some(), "{:?}", heap.stats());
    done.store(true, Relaxed);
}
