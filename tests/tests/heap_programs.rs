//! What programs with a heap, and the memory functions, have to show on every port, on the machines here that enforce
//! their limits.

use rt0_tests::check::suite::Suite;
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job};
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

/// Runs a program of `examples/steady.rs` under each limit, in KiB: whether it did its work.
fn works(port: Port, args: &[&str], limits: &[u64]) -> Vec<bool> {
    let dist = default_dist();
    let job = |kib: &u64| Job::new(kib.to_string(), port.program(&dist, "steady"), args).limited(kib << 10);
    let jobs: Vec<Job> = limits.iter().map(job).collect();
    let outcomes = Machine::Native.run(&dist, &jobs, patience(), &mut |_| ()).unwrap();
    outcomes.iter().map(|outcome| outcome.end == End::Exit(0)).collect()
}

/// Programs that free and take again need no higher limit than with a heap that takes what it needs and never more, and
/// fail under none above their lowest.
#[test]
fn no_program_needs_more_than_with_a_naive_heap() {
    /// The limit goes up by this many KiB, and this often above the lowest.
    const STEP: u64 = 64;
    const STEPS: u64 = 48;
    let mut wrong = Vec::new();
    for port in chosen(Machine::Native.ports()) {
        for program in ["documents", "recursion", "table", "columns"] {
            let (mut fails, mut lowest) = (STEP, 64 << 10);
            assert_eq!(works(port, &[program], &[lowest]), [true], "{port}: {program}");
            while lowest - fails > STEP {
                let middle = (lowest + fails) / 2 / STEP * STEP;
                *if works(port, &[program], &[middle])[0] { &mut lowest } else { &mut fails } = middle;
            }
            // The naive heap takes no more under a higher limit, so where it fails it has failed before.
            if works(port, &[program, "--naive"], &[fails])[0] {
                wrong.push(format!("{port} {program} {fails}, where a naive heap works"));
            }
            let limits: Vec<u64> = (1..=STEPS).map(|step| lowest + step * STEP).collect();
            let worked = works(port, &[program], &limits);
            let failed = limits.iter().zip(worked).filter(|(_, worked)| !worked);
            wrong.extend(failed.map(|(kib, _)| format!("{port} {program} {kib}, above the lowest")));
            println!("{port}: {program}: {lowest} KiB");
        }
    }
    assert!(wrong.is_empty(), "under these limits, in KiB: {wrong:#?}");
}
