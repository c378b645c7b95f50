//! Lua and SQLite on rt0, unmodified and without a C library, on what runs each port's programs. What they print is compared
//! with the same sources under glibc.
//!
//! `make guests guests-hosted` builds them.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rt0_tests::port::{Port, chosen};
use rt0_tests::run::freebsd_runner;
use rt0_tests::run::job::{End, Job};
use rt0_tests::run::linux_runner;
use rt0_tests::run::machine::{Machine, default_dist};
use rt0_tests::run::make::root;
use rt0_tests::run::qemu::linux::Kernel;
use rt0_tests::run::tracer::faults::Fault;
use rt0_tests::run::tracer::report;

const MACHINES: [Machine; 3] = [Machine::Native, Machine::Runner, Machine::Linux(Kernel::Armhf)];
/// Seconds for each program.
const PATIENCE: u64 = 60;
const KIB: u64 = 1 << 10;

/// Lines of Lua, each a program: no quote but ", since a plan for a kernel puts ' around them.
const LUA: [&str; 12] = [
    r#"print(1/3, 10//3, 7%-3, 7.5%-2, 2^53, 1<<62, math.maxinteger, math.mininteger, 1e15, 1e16, -0.0)"#,
    r#"print(string.format("%5.2f|%-8s|%+d|%x|%X|%o|%e|%g|%g|%a|%c|%q|%i|%%", 3.14159, "x", 5, 255, 255, 8, 12345.678, 1e20, 1e-5, 1.5, 65, "a\nb", 42))"#,
    r#"for i = -20, 20 do io.write(string.format("%.3g ", 10.0^i * 1.2345)) end print() for p = 0, 12 do io.write(string.format("%." .. p .. "f ", 2/3)) end print()"#,
    r#"print(tonumber("0x1p4"), tonumber("0x.8"), tonumber("1e1"), tonumber("  12  "), tonumber("12a"), tonumber("zz", 36), tonumber("1e400"), tonumber("4.9e-324"))"#,
    r#"print(math.sin(1), math.cos(1), math.tan(1), math.asin(0.5), math.acos(0.5), math.atan(1, 2), math.exp(1), math.log(10), math.log(8, 2), math.sqrt(2), 2^0.5, 10^-2)"#,
    r#"print(math.floor(-3.5), math.ceil(-3.5), math.fmod(-7, 3), math.modf(3.7), math.ult(1, -1), math.type(1), math.type(1.0), math.abs(-5), math.pi)"#,
    r#"print(("hello world"):gsub("o", "0"), ("key=value"):match("(%w+)=(%w+)"), ("abc"):byte(1, -1), ("x"):rep(5, ","), ("%d"):format(3.0), #("\u{10FFFF}"))"#,
    r#"local t = {} for i = 1, 200 do t[i] = (i * 7919) % 211 end table.sort(t) print(table.concat(t, ",", 1, 20), (select(-1, table.unpack(t))), #t) print(table.concat(table.move({1,2,3}, 1, 3, 2), " "))"#,
    r#"local co = coroutine.wrap(function(a) for i = 1, 3 do a = coroutine.yield(a * i) end return "end" end) print(co(1), co(2), co(3), co(4)) print(coroutine.isyieldable(), pcall(coroutine.wrap(function() error({}) end)))"#,
    r#"print(pcall(error, "message"), pcall(error, nil), select(2, pcall(function() local x = nil; x.y = 1 end))) print(xpcall(function() error("deep") end, function(m) return m .. "!" end))"#,
    r#"for p, c in utf8.codes("aé€😀") do io.write(p, ":", c, " ") end print(utf8.len("aé€"), utf8.char(228, 8364), utf8.codepoint("€", 1)) print(load("return 1 +"), load("return 6 * 7")())"#,
    r#"local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end print(deep(10000), pcall(function() local function f() return f() + 1 end return f() end)) collectgarbage() print(collectgarbage("count") < 5000, string.pack("<i4d", 7, 1.5):byte(1, -1))"#,
];

/// It fills what memory there is, gets an error that it catches, and goes on.
const LUA_FULL: &str = r#"local t = {} print(pcall(function() for i = 1, 1e9 do t[i] = {i, tostring(i)} end end)) t = nil collectgarbage() print(#("x"):rep(1000), pcall(string.rep, "x", 1 << 30))"#;

/// Statements of SQL, for one database after the other.
const SQL: [&str; 8] = [
    "create table t(a integer primary key, b text, c real); insert into t(b, c) values(\"one\", 1.5), (\"two\", 2.25), (null, 1e100)",
    "with recursive n(x) as (select 1 union all select x + 1 from n where x < 3000) insert into t(b, c) select printf(\"row %d\", x), x * 0.1 from n",
    "create index i on t(b); select count(*), round(sum(c), 3), max(b) from t where b like \"row 1%\"",
    "select * from t where a < 5; select a, b from t order by b desc limit 3; select 1/3.0, 0.1 + 0.2, 1e15, -1e-300, 9223372036854775807",
    "begin; update t set b = upper(b) where a % 7 = 0; delete from t where a % 3 = 0; rollback; select count(*) from t",
    "begin; update t set b = upper(b) where a % 7 = 0; delete from t where a % 3 = 0; commit; select count(*), sum(length(b)) from t",
    "select date(1e9, \"unixepoch\"), julianday(\"2020-01-01\"), printf(\"%.3f %5d %s %x\", 3.14159, 42, \"x\", 255), hex(zeroblob(4)), typeof(1), substr(\"abc\", 2)",
    "vacuum; pragma integrity_check; select nosuch from t; select \"after\"",
];

/// What finds no memory under the limits below, and what goes on after it.
const SQL_FULL: [&str; 4] = [
    "create table t(a, b)",
    "insert into t values(1, randomblob(300000000))",
    "select length(group_concat(hex(randomblob(2000)))) > 0 from (with recursive n(x) as (select 1 union all select x + 1 from n where x < 200000) select x from n)",
    "insert into t values(1, 2); select * from t; select \"on\"",
];

fn guest(port: Port, name: &str) -> PathBuf {
    let file = default_dist().join(port.to_string()).join("guests").join(name);
    assert!(file.exists(), "{} is missing; make guests PORT={port}", file.display());
    file
}

fn hosted(name: &str) -> PathBuf {
    let file = root().join("dist/hosted").join(name);
    assert!(file.exists(), "{} is missing; make guests-hosted", file.display());
    file
}

/// How a program of the host ends, and what it prints.
fn host(program: &Path, args: &[&str]) -> (End, String) {
    let jobs = [Job::new("host", program, args)];
    let outcome = rt0_tests::run::native::run(&jobs, PATIENCE, &mut |_| ()).unwrap().remove(0);
    (outcome.end, without_addresses(&outcome.output))
}

/// What differs between two programs that do the same: addresses.
fn without_addresses(output: &str) -> String {
    let mut words = output.split("0x");
    let mut text = words.next().unwrap_or_default().to_string();
    for word in words {
        let digits = word.chars().take_while(char::is_ascii_hexdigit).count();
        text.push_str(if digits >= 6 { "0xADDRESS" } else { "0x" });
        text.push_str(if digits >= 6 { &word[digits..] } else { word });
    }
    text
}

#[test]
fn lua_prints_what_it_prints_under_glibc_on_every_port() {
    let expected: Vec<_> = LUA.iter().map(|code| host(&hosted("lua-glibc"), &["-e", code])).collect();
    assert!(expected.iter().all(|(end, output)| *end == End::Exit(0) && !output.is_empty()), "{expected:?}");
    for (code, expected) in LUA.iter().zip(&expected) {
        for library in ["lua-rt0", "lua-musl"] {
            assert_eq!(host(&hosted(library), &["-e", code]), *expected, "{library}: {code}");
        }
    }
    for machine in MACHINES {
        for port in chosen(machine.ports()) {
            let lua = guest(port, "lua");
            let jobs: Vec<_> =
                (0..LUA.len()).map(|i| Job::new(format!("{port}/lua/{i}"), &lua, &["-e", LUA[i]])).collect();
            let outcomes = machine.run(&default_dist(), &jobs, PATIENCE, &mut |_| ()).unwrap();
            for (outcome, expected) in outcomes.into_iter().zip(&expected) {
                assert_eq!((outcome.end, without_addresses(&outcome.output)), *expected, "{machine}: {}", outcome.name);
            }
        }
    }
}

/// From where exec itself succeeds, a limit is too small for the arena, too small for Lua's own state, or Lua catches the
/// error and goes on. Never a signal.
#[test]
fn lua_catches_the_end_of_memory_under_every_limit() {
    let limits: Vec<u64> = (576..1200).step_by(16).chain([2048, 4096, 10240, 65536]).map(|kib| kib * KIB).collect();
    for machine in MACHINES {
        for port in chosen(machine.ports()) {
            let lua = guest(port, "lua");
            let jobs: Vec<_> = limits
                .iter()
                .map(|limit| Job::new(format!("{port}/full/{limit}"), &lua, &["-e", LUA_FULL]).limited(*limit))
                .collect();
            let mut caught = 0;
            for (outcome, limit) in
                machine.run(&default_dist(), &jobs, PATIENCE, &mut |_| ()).unwrap().iter().zip(&limits)
            {
                let text = &outcome.output;
                let went_on = text.contains("false\tnot enough memory\n1000\tfalse\tnot enough memory\n");
                let refused = text.starts_with("rt0: cannot reserve arena virtual") && outcome.end == End::Exit(2);
                let too_small = text.ends_with("lua: not enough memory\n") && matches!(outcome.end, End::Exit(1 | 2));
                assert!(
                    went_on && outcome.end == End::Exit(0) || (refused || too_small) && *limit < 1024 * KIB,
                    "{machine}: {outcome:?}"
                );
                caught += usize::from(went_on);
            }
            assert!(caught > 10, "{machine} {port}: {caught}");
        }
    }
}

#[test]
fn lua_reads_scripts_modules_and_lines() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("module.lua"), "return {answer = 42}\n").unwrap();
    fs::write(
        folder.path().join("script.lua"),
        "#!lua\nprint(require(\"module\").answer, arg[1], #arg)\nerror(\"at the end\")\n",
    )
    .unwrap();
    let lines =
        "1 + 1\nx = 5\nfor i = 1, 2 do\nprint(i)\nend\nx * 2, \"two\"\nnosuch.field\nio.read()\na line\n=\n\"last\"";
    let run = |program: &Path, args: &[&str], input: &str| {
        let mut child = Command::new(program)
            .args(args)
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        let output = child.wait_with_output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    for port in chosen(Machine::Native.ports()) {
        for (args, input) in [(&["script.lua", "argument"][..], ""), (&[], lines), (&["no-such-file.lua"], "")] {
            let ours = run(&guest(port, "lua"), args, input);
            let theirs = run(&hosted("lua-glibc"), args, input);
            assert!(!ours.1.is_empty() || !ours.2.is_empty());
            // Which words a kernel's error has is the C library's to say.
            let line = |text: &str| text.replace("No such file or directory", "ENOENT");
            assert_eq!((ours.0, ours.1, line(&ours.2)), (theirs.0, theirs.1, line(&theirs.2)), "{port} {args:?}");
        }
    }
}

#[test]
fn sqlite_answers_what_it_answers_under_glibc_on_every_port() {
    let arguments = |database: &str| [database].into_iter().chain(SQL).map(String::from).collect::<Vec<_>>();
    let words = arguments(":memory:");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let expected = host(&hosted("sqlite-glibc"), &words);
    assert!(
        expected.0 == End::Exit(1) && expected.1.contains("\nok\n") && expected.1.contains("no such column: nosuch"),
        "{expected:?}"
    );
    for machine in MACHINES {
        for port in chosen(machine.ports()) {
            // In memory, and in a file: the kernels' initramfs is one as well.
            let folder = tempfile::tempdir().unwrap();
            let file = match machine {
                Machine::Linux(_) => PathBuf::from("/t/database"),
                _ => folder.path().join("database"),
            };
            for database in [":memory:", file.to_str().unwrap()] {
                let words = arguments(database);
                let words: Vec<&str> = words.iter().map(String::as_str).collect();
                let job = Job::new(format!("{port}/sqlite"), guest(port, "sqlite"), &words);
                let outcome = machine.run(&default_dist(), &[job], PATIENCE, &mut |_| ()).unwrap().remove(0);
                assert_eq!((outcome.end, outcome.output), expected, "{machine} {port} {database}");
            }
            if !matches!(machine, Machine::Linux(_)) {
                let theirs =
                    Command::new("sqlite3").arg(&file).arg("pragma integrity_check; select count(*) from t").output();
                assert_eq!(theirs.unwrap().stdout, b"ok\n2002\n", "{port}: Debian's sqlite3 reads it");
            }
        }
    }
}

#[test]
fn sqlite_answers_nomem_and_goes_on() {
    for machine in MACHINES {
        for port in chosen(machine.ports()) {
            let sqlite = guest(port, "sqlite");
            let limits: Vec<u64> = [2048, 2560, 3072, 4096, 8192, 16384, 65536].map(|kib| kib * KIB).to_vec();
            let words: Vec<&str> = [":memory:"].into_iter().chain(SQL_FULL).collect();
            let jobs: Vec<_> = limits
                .iter()
                .map(|limit| Job::new(format!("{port}/nomem/{limit}"), &sqlite, &words).limited(*limit))
                .collect();
            for outcome in machine.run(&default_dist(), &jobs, PATIENCE, &mut |_| ()).unwrap() {
                let errors = outcome.output.matches("sqlite: error 7: out of memory\n").count();
                assert_eq!(outcome.end, End::Exit(1), "{machine}: {outcome:?}");
                assert!(errors >= 2 && outcome.output.contains("1|2\non\n"), "{machine}: {outcome:?}");
            }
        }
    }
}

/// However deep a statement nests, and whatever memory there is: an answer or an error of SQLite's. Its stack stays within what
/// a process has at first, so that the heap may have all the rest.
#[test]
fn sqlite_never_overflows_its_stack() {
    let nested = |before: &str, inner: &str, after: &str, times: usize| {
        format!("select {}{inner}{}", before.repeat(times), after.repeat(times))
    };
    let views: String = (1..170).map(|i| format!("create view v{i} as select * from v{}; ", i - 1)).collect();
    let statements = [
        nested("(", "1", "+1)", 145),
        nested("(", "1", "+1)", 999),
        nested("", "1", " union all select 2", 149),
        nested("", "1", " union all select 2", 499),
        nested("case when 1 then ", "1", " end", 145),
        nested("1 in (", "1", ")", 70),
        format!("select \"{}\" like \"{}x\"", "ab".repeat(250), "%a".repeat(249)),
        format!("create table v0(a); {views} select * from v140; select * from v169"),
        format!("select length(json_pretty(\"{}1{}\"))", "[".repeat(990), "]".repeat(990)),
    ];
    let limits: Vec<u64> = (960..1792).step_by(32).chain([1920, 2048, 2560, 3072]).map(|kib| kib * KIB).collect();
    for machine in [Machine::Native, Machine::Runner] {
        for port in chosen(machine.ports()) {
            let sqlite = guest(port, "sqlite");
            let mut jobs = Vec::new();
            for (index, statement) in statements.iter().enumerate() {
                let words = [":memory:", statement.as_str(), "select \"on\""];
                let job = |limit| Job::new(format!("{port}/nested/{index}/{limit}"), &sqlite, &words).limited(limit);
                jobs.extend(limits.iter().map(|limit| job(*limit)));
            }
            let mut went_on = 0;
            for outcome in machine.run(&default_dist(), &jobs, PATIENCE, &mut |_| ()).unwrap() {
                assert!(matches!(outcome.end, End::Exit(0..=2)), "{machine}: {outcome:?}");
                went_on += usize::from(outcome.output.ends_with("on\n"));
            }
            assert!(went_on > jobs.len() / 2, "{machine} {port}: {went_on} of {}", jobs.len());
        }
    }
}

/// A transaction is as if it had not been when the process is killed in its midst: the file is whole, for SQLite on rt0 and
/// for Debian's.
#[test]
fn a_database_survives_kill_9_in_the_midst_of_a_transaction() {
    for port in chosen(Machine::Native.ports()) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("database");
        let sqlite = guest(port, "sqlite");
        let read = |program: &Path, sql: &str| {
            let output = Command::new(program).arg(&file).arg(sql).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        };
        read(&sqlite, "create table t(a integer primary key, b)");
        let (mut killed_within, mut last) = (0, 0u64);
        for round in 1..=20u64 {
            let mut child =
                Command::new(&sqlite).arg(&file).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
            let mut input = child.stdin.take().unwrap();
            // A small cache, so that pages are written before the transaction's end.
            let _ = input.write_all(b"pragma cache_size = 10;\n");
            for _ in 0..200 {
                let insert = "begin; with recursive n(x) as (select 1 union all select x + 1 from n where x < 500) \
                              insert into t(b) select randomblob(300) from n; update t set b = randomblob(301); commit;\n";
                if input.write_all(insert.as_bytes()).is_err() {
                    break;
                }
            }
            std::thread::sleep(Duration::from_millis(20 + round * 13));
            child.kill().unwrap();
            child.wait().unwrap();
            killed_within += u64::from(folder.path().join("database-journal").exists());
            let [ours, theirs] =
                if round % 2 == 0 { [sqlite.clone(), "sqlite3".into()] } else { ["sqlite3".into(), sqlite.clone()] };
            for program in [ours, theirs] {
                assert_eq!(read(&program, "pragma integrity_check"), "ok\n", "{port}, round {round}");
                let count: u64 = read(&program, "select count(*) from t").trim().parse().unwrap();
                assert!(count.is_multiple_of(500) && count >= last, "{port}, round {round}: {count} rows");
                last = count;
            }
        }
        assert!(killed_within >= 3, "{port}: killed within a transaction {killed_within} times of 20");
    }
}

/// Runs a guest with an injected failure: its status, or none if a signal ended it, and what it printed.
fn run_failing(port: Port, name: &str, args: &[&str], fault: &str) -> (Option<i32>, String) {
    let program = guest(port, name);
    let outcome = if port.is_freebsd() {
        let faults = vec![Fault::parse(fault, freebsd_runner::errno_named).unwrap()];
        freebsd_runner::run(&program, args, &freebsd_runner::Options { faults, ..Default::default() }).unwrap()
    } else {
        let faults = vec![Fault::parse(fault, linux_runner::errno_named).unwrap()];
        linux_runner::run(&program, args, &linux_runner::Options { faults, ..Default::default() }).unwrap()
    };
    assert!(outcome.violations.is_empty(), "{port} {name} {fault}: {:?}", outcome.violations);
    let status = match outcome.end {
        report::End::Exit(status) => Some(status),
        _ => None,
    };
    (status, format!("{}{}", outcome.output(), outcome.errors()))
}

/// The n-th call that asks the kernel for address space or memory fails, alone or with all after it: the guest says that there
/// is no memory and goes on, or never began and says why.
#[test]
fn guests_live_with_failures_of_each_call_for_memory() {
    let script =
        r#"print(pcall(function() local t = {} for i = 1, 30000 do t[i] = {i} end return #t end)) print("on")"#;
    let rows = "with recursive n(x) as (select 1 union all select x + 1 from n where x < 5000) insert into t select x, hex(x) from n";
    let sql = [":memory:", "create table t(a, b)", rows, "select count(*) from t", "select \"on\""];
    for port in chosen(&[Port::linux_386, Port::linux_amd64, Port::freebsd_386, Port::freebsd_amd64]) {
        let mut without_memory = 0;
        for call in ["mmap", "mprotect"] {
            for nth in 1..=12 {
                for later in ["", "+"] {
                    let fault = format!("{call}:{nth}{later}:ENOMEM");
                    let (status, output) = run_failing(port, "lua", &["-e", script], &fault);
                    let refused = output.starts_with("rt0: cannot reserve") || output.starts_with("lua: ");
                    let caught = output == "false\tnot enough memory\non\n";
                    let went_on = status == Some(0) && (output == "true\t30000\non\n" || caught);
                    assert!(
                        went_on || (refused && status.is_some_and(|status| status > 0)),
                        "{port} {fault}: {status:?} {output}"
                    );
                    without_memory += u32::from(caught);

                    let (status, output) = run_failing(port, "sqlite", &sql, &fault);
                    let refused = output.starts_with("rt0: cannot reserve") || output.starts_with("sqlite: ");
                    let no_memory = output.contains("error 7: out of memory");
                    let went_on =
                        output.contains("on\n") && (status == Some(0) && output.contains("5000\n") || no_memory);
                    assert!(
                        went_on || ((refused || no_memory) && status.is_some_and(|status| status > 0)),
                        "{port} {fault}: {status:?} {output}"
                    );
                    without_memory += u32::from(no_memory);
                }
            }
        }
        assert!(without_memory > 4, "{port}: {without_memory}");
    }
}

/// Makes a program of a source that is written against a C library, by the guide's command.
fn by_the_guide(port: Port, source: &Path, program: &Path) {
    let guide = fs::read_to_string(root().join("docs/c.md")).unwrap();
    let command: Vec<&str> = guide
        .lines()
        .map(str::trim)
        .skip_while(|line| !line.starts_with("clang-22 ") || !line.contains("-O2 -nostdlib -static -nostdlibinc"))
        .take_while(|line| *line != "```")
        .map(|line| line.trim_end_matches('\\'))
        .collect();
    let command = command.join(" ").replace("YOURS.c", source.to_str().unwrap()).replace("-o program", "-o $OUT");
    let command = command.replace(Port::linux_amd64.clang()[0], &port.clang().join(" "));
    let command = command.replace("linux_amd64", &port.to_string());
    let built = Command::new("sh").args(["-c", &command]).env("OUT", program).current_dir(root()).output().unwrap();
    assert!(built.status.success(), "{command}: {built:?}");
}

#[test]
fn the_guide_leads_to_a_program() {
    if chosen(&[Port::linux_amd64]).is_empty() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (source, program) = (folder.path().join("yours.c"), folder.path().join("program"));
    let text = "#include <math.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n\
                int main(int argc, char **argv) { char *text = malloc(100); strcpy(text, argv[1]);\n\
                printf(\"%s %g %d\", text, sqrt(2.0), argc); free(text); return 3; }\n";
    fs::write(&source, text).unwrap();
    by_the_guide(Port::linux_amd64, &source, &program);
    let output = Command::new(&program).arg("hello").output().unwrap();
    assert_eq!((output.status.code(), &*output.stdout), (Some(3), &b"hello 1.41421 2"[..]), "{output:?}");
}

/// What the layer has beside what Lua and SQLite call: dates, scanning, strings, mathematics, files. A program prints the same
/// with it as with glibc.
#[test]
fn the_layer_answers_what_glibc_answers() {
    let folder = tempfile::tempdir().unwrap();
    let (source, theirs) = (root().join("tests/c/layer.c"), folder.path().join("glibc"));
    let compiler = ["-O1", "-fno-builtin", "-w", "-o", theirs.to_str().unwrap(), source.to_str().unwrap(), "-lm"];
    assert!(Command::new("gcc").args(compiler).status().unwrap().success());
    let scratch = folder.path().join("scratch");
    let expected = host(&theirs, &[scratch.to_str().unwrap()]);
    assert!(expected.0 == End::Exit(3) && expected.1.ends_with("first\nlast\n"), "{expected:?}");
    for machine in [Machine::Native, Machine::Runner] {
        for port in chosen(machine.ports()) {
            let program = folder.path().join(format!("layer-{port}"));
            by_the_guide(port, &source, &program);
            let job = Job::new(format!("{port}/layer"), &program, &[scratch.to_str().unwrap()]);
            let outcome = machine.run(&default_dist(), &[job], PATIENCE, &mut |_| ()).unwrap().remove(0);
            assert_eq!((outcome.end, outcome.output), expected, "{machine} {port}");
        }
    }
}
