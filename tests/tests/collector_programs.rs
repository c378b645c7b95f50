//! What the Lisp has to show on every port, on the machines here that enforce
//! their limits.

use rt0_tests::check::suite::Suite;
use rt0_tests::port::chosen;
use rt0_tests::run::machine::{Machine, default_dist};
use rt0_tests::run::qemu::linux::Kernel;

/// How many seconds each program may take: many, for slow machines, or what the environment variable `RT0_PATIENCE`
/// says.
fn patience() -> u64 {
    std::env::var("RT0_PATIENCE").map_or(60, |seconds| seconds.parse().expect("RT0_PATIENCE is a number of seconds"))
}

fn show_on(machine: &Machine) {
    let (mut suite, dist) = (Suite::default(), default_dist());
    for port in chosen(machine.ports()) {
        suite.add_collector(port, &dist).unwrap();
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
