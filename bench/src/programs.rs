//! Programs whose calls are recorded.

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
pub const SOURCES: &[(&str, &str)] = &[
    ("RUST", include_str!("../programs/t.rs")),
    ("PYTHON", include_str!("../programs/t.py")),
    ("CPP", include_str!("../programs/t.cc")),
    ("SQL", include_str!("../programs/t.sql")),
];
