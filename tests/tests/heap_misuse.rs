//! A broken promise in a program whose allocator is rt0's heap: the process ends with what is wrong and where, and does not
//! wait for the lock that it holds.

use std::alloc::{GlobalAlloc, Layout};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

#[global_allocator]
static HEAP: rt0::Heap = rt0::Heap::new();

/// What the child does, from its environment.
const WRONG: &str = "RT0_WRONG";

fn break_a_promise(how: &str) {
    let layout = Layout::from_size_align(50_000, 8).expect("a layout");
    let small = Layout::from_size_align(48, 8).expect("a layout");
    let mut own = [0u64; 8000];
    // SAFETY: none, which is what this is about.
    unsafe {
        match how {
            "foreign" => HEAP.dealloc(own.as_mut_ptr().cast(), layout),
            "twice" => {
                let (block, _beside) = (HEAP.alloc(layout), HEAP.alloc(layout));
                HEAP.dealloc(block, layout);
                HEAP.dealloc(block, layout);
            }
            // A small one goes to a list first, and is found out when the list is given to the back end.
            _ => {
                HEAP.dealloc(own.as_mut_ptr().cast(), small);
                HEAP.trim();
            }
        }
    }
}

#[test]
fn what_is_freed_wrongly_ends_the_process_with_its_address() {
    if let Ok(how) = std::env::var(WRONG) {
        break_a_promise(&how);
        return;
    }
    let program = std::env::current_exe().expect("this program");
    for (how, what) in [
        ("foreign", "a block was freed that is not the heap's: 0x"),
        ("twice", "a block was freed that is free already: 0x"),
        ("small", "a block was freed that is not the heap's: 0x"),
    ] {
        let name = "what_is_freed_wrongly_ends_the_process_with_its_address";
        let mut child = Command::new(&program)
            .args([name, "--nocapture"])
            .env(WRONG, how)
            .env("RUST_BACKTRACE", "1")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let start = Instant::now();
        while child.try_wait().expect("it is ours").is_none() {
            assert!(start.elapsed() < Duration::from_secs(20), "{how}: it hangs");
            std::thread::sleep(Duration::from_millis(5));
        }
        let output = child.wait_with_output().expect("it has ended");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(said.contains(what), "{how}: {said}");
        assert_eq!(output.status.signal(), Some(nix::sys::signal::Signal::SIGABRT as i32), "{how}: {said}");
    }
}
