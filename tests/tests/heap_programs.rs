//! What programs with a heap, and the memory functions, have to show on every port, on the machines here that enforce
//! their limits.

use std::path::Path;
use std::process::Command;

use rt0_tests::check::suite::Suite;
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::machine::{Machine, default_dist, patience};
use rt0_tests::run::qemu::linux::Kernel;

fn show_on(machine: &Machine) {
    let (mut suite, dist) = (Suite::default(), default_dist());
    for port in chosen(machine.ports()) {
        suite.add_heap(port, &dist).unwrap();
        suite.add_memory(port, &dist).unwrap();
    }
    if suite.jobs.is_empty() {
        return;
    }
    let outcomes = machine.run(&dist, &suite.jobs, patience(), &mut |_| ()).unwrap();
    let broken = suite.check(&outcomes);
    assert!(broken.is_empty(), "{machine}: {} of {} jobs: {broken:#?}", broken.len(), suite.jobs.len());
}

#[test]
fn linux_386_and_linux_amd64_on_this_machine() {
    show_on(&Machine::Native);
}

#[test]
fn freebsd_386_and_freebsd_amd64_under_the_runner() {
    show_on(&Machine::Runner);
}

#[test]
fn linux_arm_on_debians_kernel() {
    show_on(&Machine::Linux(Kernel::Armhf));
}

/// A limit in KiB under which a program of `examples/steady.rs` does its work, from here to there.
fn works(port: Port, dist: &Path, args: &[&str], kib: u64) -> bool {
    let program = dist.join(port.to_string()).join("bin/steady");
    let shell = Command::new("sh")
        .args(["-c", "ulimit -v $0 && exec \"$@\"", &kib.to_string()])
        .arg(program)
        .args(args)
        .output();
    shell.expect("a shell runs").status.success()
}

/// Programs that free and take again need no higher limit than with a heap that takes what it needs and never more, and
/// fail under none above that.
#[test]
fn no_program_needs_more_than_with_a_naive_heap() {
    /// The limit goes up by this many KiB, and this often above the lowest.
    const STEP: u64 = 64;
    const STEPS: u64 = 24;
    let dist = default_dist();
    let mut wrong = Vec::new();
    for port in chosen(Machine::Native.ports()) {
        for program in ["documents", "recursion", "table"] {
            // The naive heap takes no more under a higher limit, so what works once works from there on.
            let (mut fails, mut lowest) = (STEP, 64 << 10);
            assert!(works(port, &dist, &[program, "--naive"], lowest), "{port}: {program} with a naive heap");
            while lowest - fails > STEP {
                let middle = (lowest + fails) / 2 / STEP * STEP;
                match works(port, &dist, &[program, "--naive"], middle) {
                    true => lowest = middle,
                    false => fails = middle,
                }
            }
            let limits = (0..STEPS).map(|step| lowest + step * STEP);
            wrong.extend(
                limits.filter(|kib| !works(port, &dist, &[program], *kib)).map(|kib| format!("{port} {program} {kib}")),
            );
            println!("{port}: {program}: {lowest} KiB with a naive heap, and rt0 from there on");
        }
    }
    assert!(wrong.is_empty(), "under these limits, in KiB: {wrong:#?}");
}
