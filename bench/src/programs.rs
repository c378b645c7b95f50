//! Programs whose calls are recorded, and the recording.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// What is recorded: a name, and a command that does some seconds' work at most.
pub const PROGRAMS: &[(&str, &str)] = &[
    ("rustc", "printf '%s' \"$RUST\" > t.rs && /usr/bin/rustc -O --edition 2021 t.rs -o t.out"),
    ("python", "PYTHONMALLOC=malloc /usr/bin/python3 -c \"$PYTHON\""),
    ("cc1plus", "printf '%s' \"$CPP\" > t.cc && g++ -O1 -c t.cc -o t.o"),
    (
        "perl",
        "perl -e 'my %h; for my $i (1..40000){ push @{$h{$i%997}}, \"x$i\"; } my $s=join \",\", map { \"$_=\".scalar(@{$h{$_}}) } sort keys %h; $s =~ s/(\\d+)=/<$1>/g; print length $s'",
    ),
    ("sqlite", "sqlite3 :memory: \"$SQL\""),
    (
        "jq",
        "jq -n '[range(20000) | {a: ., b: tostring, c: [., .+1]}] | map(select(.a % 3 == 0) | .b) | sort | group_by(length) | map(length)'",
    ),
    ("git", "/usr/bin/git diff --no-index --stat /usr/include/linux /usr/include/asm-generic; true"),
];

/// The variables that the commands read.
const SOURCES: &[(&str, &str)] = &[
    ("RUST", include_str!("../programs/t.rs")),
    ("PYTHON", include_str!("../programs/t.py")),
    ("CPP", include_str!("../programs/t.cc")),
    ("SQL", include_str!("../programs/t.sql")),
];

/// The raw events of the process of a command that had the most of them, as the library of `package` writes them; `None` if
/// the command failed or had none. What the command writes goes to `scratch`, which is gone afterwards.
pub fn record(root: &Path, package: &str, command: &str, scratch: &Path) -> Result<Option<Vec<u8>>> {
    let target = root.join("target/bench");
    let status = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["build", "--quiet", "--profile=bench", "--package", package, "--target-dir"])
        .arg(&target)
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "cargo could not build {package}");
    let _ = std::fs::remove_dir_all(scratch);
    std::fs::create_dir_all(scratch)?;
    let status = Command::new("sh")
        .args(["-c", command])
        .current_dir(scratch)
        .envs(SOURCES.iter().copied())
        .env("LD_PRELOAD", target.join(format!("release/lib{}.so", package.replace('-', "_"))))
        .env("RT0_RECORD", scratch.join("raw"))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .context("cannot run sh")?;
    let mut largest = None;
    for entry in std::fs::read_dir(scratch)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with("raw.") {
            largest = largest.max(Some((entry.metadata()?.len(), entry.path())));
        }
    }
    let raw = match largest {
        Some((1.., path)) if status.success() => Some(std::fs::read(path)?),
        _ => None,
    };
    std::fs::remove_dir_all(scratch)?;
    Ok(raw)
}
