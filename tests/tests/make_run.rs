//! What `make run` shows: colours on a terminal, none in a file, the same words in both, and the README's table among them.

use std::fs::{self, File};
use std::io::Read;
use std::process::{Command, Stdio};

use nix::pty::openpty;
use rt0_tests::port::{Port, chosen};
use rt0_tests::run::make::{as_from_a_shell, root};

/// `make run` for one port, as from a shell.
fn make_run(port: Port) -> Command {
    let mut make = Command::new("make");
    as_from_a_shell(&mut make);
    make.args(["-s", "run", &format!("PORT={port}")]).env_remove("NO_COLOR").current_dir(root());
    make
}

/// What it writes to a terminal of its own.
fn on_a_terminal(mut command: Command) -> String {
    let terminal = openpty(None, None).unwrap();
    let mut child = command.stdout(terminal.slave).stderr(Stdio::null()).spawn().unwrap();
    drop(command); // with its copy of the slave: now the reader sees the end
    let (mut reader, mut text, mut piece) = (File::from(terminal.master), Vec::new(), [0; 4096]);
    // A terminal that nobody has open any more is an error to read.
    while let Ok(count @ 1..) = reader.read(&mut piece) {
        text.extend_from_slice(&piece[..count]);
    }
    assert!(child.wait().unwrap().success());
    String::from_utf8(text).unwrap().replace("\r\n", "\n")
}

/// Without what selects colours (ECMA-48, 8.3.117: from ESC [ to m).
fn without_colours(text: &str) -> String {
    let mut parts = text.split("\x1b[");
    let first = parts.next().unwrap_or_default().to_string();
    parts.fold(first, |plain, part| plain + part.split_once('m').expect("the end of a colour").1)
}

/// A line as it is whatever the numbers and the bar: those are this build's.
fn shape(line: &str) -> String {
    let varies = |letter: &char| !letter.is_ascii_digit() && !".▒▓█· ".contains(*letter);
    line.chars().filter(varies).collect()
}

#[test]
fn a_terminal_has_colours_and_a_file_has_none() {
    let Some(port) = chosen(&[Port::linux_386]).pop() else { return };
    let shown = on_a_terminal(make_run(port));
    let output = make_run(port).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let filed = String::from_utf8(output.stdout).unwrap();
    println!("{shown}\n{filed}");

    assert!(!filed.contains('\x1b') && !output.stderr.contains(&0x1b), "a colour in a file");
    assert_eq!(without_colours(&shown), filed);
    // The heading is bold, NO is red, and each part of a bar has its colour.
    for coloured in ["\x1b[1mlinux_386 on", "\x1b[1;31mNO", "\x1b[33m▒", "\x1b[36m▓", "\x1b[32m█", "\x1b[2m·"] {
        assert!(shown.contains(coloured), "{coloured:?} is not on the terminal");
    }
    let bars = filed.lines().filter(|line| line.contains('█') && line.contains('%')).count();
    assert_eq!(bars, 8, "a limit without a bar");
    assert!(filed.contains("took that for no limit at all"), "no footnote");

    // Each line that the README shows is one of these, but for the numbers.
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let block = readme.split("$ make run PORT=linux_386\n").nth(1).and_then(|rest| rest.split("\n...").next()).unwrap();
    let lines: Vec<String> = filed.lines().map(shape).collect();
    for line in block.lines() {
        assert!(lines.contains(&shape(line)), "the README shows {line:?}");
    }
}
