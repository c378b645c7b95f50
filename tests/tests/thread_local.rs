//! Thread-local variables of each alignment, in Rust, on every port: `tests/tls/src/program.rs` says what holds of them.

use rt0_tests::port::chosen;
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::machine::{Machine, default_dist, patience};
use rt0_tests::run::qemu::linux::Kernel;

fn show_on(machine: &Machine) {
    let mut jobs = Vec::new();
    for port in chosen(machine.ports()) {
        let folder = default_dist().join(port.to_string()).join("tls");
        for shift in 0..=12 {
            let align = 1 << shift;
            let file = folder.join(format!("tls-{align}"));
            assert!(file.exists(), "{} is not there; `make tls PORT={port}` makes it", file.display());
            jobs.push((align, Job::new(format!("{port}/tls/{align}"), file, &[])));
        }
    }
    let (aligns, jobs): (Vec<u32>, Vec<Job>) = jobs.into_iter().unzip();
    if jobs.is_empty() {
        return;
    }
    let outcomes = machine.run(&default_dist(), &jobs, patience(), &mut |_| ()).unwrap();
    assert_eq!(outcomes.len(), jobs.len());
    for (outcome, align) in outcomes.iter().zip(aligns) {
        assert_eq!(outcome.end, End::Exit(0), "{machine}: {outcome:?}");
        assert_eq!(outcome.output, format!("align={align} wrong=0\n"), "{machine}: {}", outcome.name);
    }
}

#[test]
fn variables_on_linux_386_and_linux_amd64() {
    show_on(&Machine::Native);
}

#[test]
fn variables_on_freebsd_under_the_runner() {
    show_on(&Machine::Runner);
}

#[test]
fn variables_on_linux_arm() {
    show_on(&Machine::Linux(Kernel::Armhf));
}
