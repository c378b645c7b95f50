//! Limits beside that of the address space: `limits --others` under each, and a decision that names the one that won.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;

use nix::sys::resource::{Resource, setrlimit};
use rt0::arena::{self, Cap, CapSource, DecidedBy, Options};
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::machine::{Machine, default_dist, patience};
use rt0_tests::run::qemu::linux::Kernel;

const MIB: u64 = 1 << 20;

fn limits(port: Port) -> Command {
    let mut program = Command::new(port.program(&default_dist(), "limits"));
    program.arg("--others").env_remove("RT0_HEAP_MAX");
    program
}

/// Who decided, and the bytes of bitmap and arena.
fn decided(program: &mut Command) -> (String, u64) {
    let output = program.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{}{text}", String::from_utf8_lossy(&output.stderr));
    let fact =
        |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).unwrap_or_default();
    (fact("decided-by").into(), ["arena", "bitmap"].map(|name| fact(name).parse::<u64>().unwrap()).iter().sum())
}

fn limited(program: &mut Command, resource: Resource, bytes: u64) -> &mut Command {
    // SAFETY: between fork and exec the child makes one system call.
    unsafe { program.pre_exec(move || Ok(setrlimit(resource, bytes, bytes)?)) }
}

const PORTS: [Port; 2] = [Port::linux_386, Port::linux_amd64];

#[test]
fn the_smallest_wins() {
    for port in chosen(&PORTS) {
        let near = |(by, size): (String, u64), name: &str, bytes: u64| {
            assert!(
                by == name && size <= bytes && size + bytes / 16 > bytes,
                "{port}: {by} {size}, not {name} {bytes}"
            );
        };
        near(decided(limits(port).env("RT0_HEAP_MAX", "64M")), "RT0_HEAP_MAX", 64 * MIB);
        near(decided(limited(&mut limits(port), Resource::RLIMIT_DATA, 48 * MIB)), "RLIMIT_DATA", 48 * MIB);
        let mut both = limits(port);
        limited(both.env("RT0_HEAP_MAX", "32M"), Resource::RLIMIT_DATA, 48 * MIB);
        near(decided(&mut both), "RT0_HEAP_MAX", 32 * MIB);
        let mut space = limits(port);
        limited(space.env("RT0_HEAP_MAX", "64M"), Resource::RLIMIT_AS, 32 * MIB);
        assert_eq!(decided(&mut space).0, "RLIMIT_AS", "{port}");
    }
}

/// A control group of v1 or v2 below this process's own, with this limit; it goes with this value.
struct Group(PathBuf);

impl Group {
    /// `None` where this machine lets nobody make one.
    fn new(bytes: u64) -> Option<Group> {
        let own = fs::read_to_string("/proc/self/cgroup").ok()?;
        let find = |pick: fn(&str) -> bool| {
            own.lines().filter_map(|it| it.split_once(':')?.1.split_once(':')).find(|it| pick(it.0))
        };
        let v1 = find(|names| names.split(',').any(|name| name == "memory"));
        let (parent, file) = match (v1, find(str::is_empty)) {
            (Some((_, path)), _) => (format!("/sys/fs/cgroup/memory{path}"), "memory.limit_in_bytes"),
            (None, Some((_, path))) => (format!("/sys/fs/cgroup{path}"), "memory.max"),
            _ => return None,
        };
        let group = Group(PathBuf::from(parent).join(format!("rt0-test-{}", std::process::id())));
        fs::create_dir(&group.0).ok()?;
        fs::write(group.0.join(file), bytes.to_string()).ok()?;
        Some(group)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

#[test]
fn a_control_groups_limit_is_found() {
    let Some(group) = Group::new(40 * MIB) else {
        println!("not run: no control group can be made here");
        return;
    };
    for port in chosen(&PORTS) {
        let mut program = Command::new("sh");
        program.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$1\" --others"]).env_remove("RT0_HEAP_MAX");
        program.arg(&group.0).arg(port.program(&default_dist(), "limits"));
        let (by, size) = decided(&mut program);
        assert!(by == "cgroup" && size <= 40 * MIB && size > 36 * MIB, "{port}: {by} {size}");
    }
}

/// Version 2, on kernels that have nothing else mounted: the limit is that of the group above the program's own.
#[test]
fn a_limit_of_version_2_is_found() {
    for kernel in [Kernel::Amd64, Kernel::Armhf] {
        let machine = Machine::Linux(kernel);
        // A machine's programs share its control groups: one port each.
        let Some(port) = chosen(&machine.ports()[..1]).pop() else { continue };
        let job = Job::new("cgroup", port.program(&default_dist(), "probe"), &["cgroup", "41943040"]);
        let outcome = machine.run(&default_dist(), &[job], patience(), &mut |_| ()).unwrap().remove(0);
        let expected = "max: cgroup=None decided-by=none\nlimited: cgroup=Some(41943040) decided-by=cgroup\n";
        assert_eq!((outcome.end, outcome.output.as_str()), (End::Exit(0), expected), "{port}");
    }
}

/// A program that raises its own limit, and lowers it.
#[test]
fn an_arena_is_refitted_to_the_programs_own_limit() {
    for machine in [Machine::Native, Machine::Runner] {
        for port in chosen(machine.ports()) {
            let job = Job::new("refit", port.program(&default_dist(), "probe"), &["refit"]);
            let outcome = machine.run(&default_dist(), &[job], patience(), &mut |_| ()).unwrap().remove(0);
            assert_eq!((outcome.end, outcome.output.as_str()), (End::Exit(0), "refit=ok\n"), "{port}");
        }
    }
}

/// A cap that is set later holds for what is reserved then, and what was reserved counts.
#[test]
fn an_arena_is_refitted() {
    let mut arena = arena::mallocinit(&Options::new().cap(8 * MIB)).unwrap();
    assert_eq!(arena.decision().decided_by(), DecidedBy::Cap(None));
    assert!(arena.grow(1, 1).is_err(), "the cap is used up");
    let other = Cap { bytes: 4 * MIB, source: CapSource::Cgroup };
    assert_eq!(arena.refit(Some(other)).decided_by(), DecidedBy::Cap(Some(CapSource::Cgroup)));
    assert!(arena.grow(1, 1).is_err());
    let mut roomy = arena::mallocinit(&Options::new().cap(64 * MIB).bitmap(false)).unwrap();
    let _all = roomy.region();
    roomy.refit(None);
    assert!(roomy.grow(1, 1).is_err(), "what is reserved counts");
}
