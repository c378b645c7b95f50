//! README and the pages under docs/ are followed to the letter, from a fresh clone in a folder with a blank in its name: each
//! line of a `sh` block is run, and each line after `$ ` of any other block, one after the other; what a block shows after a
//! command is what the command prints, but for numbers. A page says of a block that is not run, in a comment before it, why:
//! `<!-- not run: REASON -->`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use rt0_tests::check::without_numbers;
use rt0_tests::run::make::{as_from_a_shell, root};
use rt0_tests::run::project::toolchain;

/// A block of commands, each with what is shown after it.
#[derive(Default)]
struct Block {
    commands: Vec<(String, String)>,
    /// Why it is not run.
    left_out: Option<String>,
}

/// The blocks of a page that have commands.
fn blocks(text: &str) -> Vec<Block> {
    let (mut found, mut reason, mut block): (Vec<Block>, _, Option<(bool, Block)>) = (Vec::new(), None, None);
    for line in text.lines() {
        let line = line.trim();
        if let Some(kind) = line.strip_prefix("```") {
            match block.take() {
                Some((_, block)) => found.push(block),
                None => block = Some((kind == "sh", Block { left_out: reason.take(), ..Block::default() })),
            }
            continue;
        }
        let Some((all, block)) = &mut block else {
            reason =
                line.strip_prefix("<!-- not run: ").and_then(|it| it.strip_suffix(" -->")).map(String::from).or(reason);
            continue;
        };
        let bare = |line: &str| line.split("  #").next().unwrap_or_default().trim().to_string();
        let continued = block.commands.last_mut().filter(|(command, _)| command.ends_with('\\'));
        if let Some((command, _)) = continued {
            command.truncate(command.len() - 1);
            command.push_str(line);
        } else if let Some(command) = line.strip_prefix("$ ") {
            block.commands.push((bare(command), String::new()));
        } else if *all && !line.is_empty() {
            block.commands.push((bare(line), String::new()));
        } else if let Some((_, shown)) = block.commands.last_mut() {
            shown.push_str(line);
            shown.push('\n');
        }
    }
    found.retain(|block| !block.commands.is_empty());
    found
}

/// A clone of this repository as it is now, which vanishes, and where a reader of its pages stands.
struct Reader {
    _scratch: tempfile::TempDir,
    clone: PathBuf,
    place: PathBuf,
}

impl Reader {
    fn new() -> Reader {
        let scratch = tempfile::tempdir().unwrap();
        let clone = scratch.path().join("a folder/rt0");
        fs::create_dir_all(&clone).unwrap();
        let files =
            "tar --exclude=./target --exclude=./dist --exclude=./.git --exclude=./.cache -cf - . | tar -C \"$0\" -xf -";
        let copied = Command::new("sh").args(["-c", files]).arg(&clone).current_dir(root()).status().unwrap();
        assert!(copied.success());
        // What `make dist` has built, as it would be there after the first command.
        std::os::unix::fs::symlink(root().join("dist"), clone.join("dist")).unwrap();
        Reader { _scratch: scratch, place: clone.clone(), clone }
    }

    /// Does what a line says.
    fn follow(&mut self, command: &str) -> Output {
        let mut command = command;
        if let Some(folder) = command.strip_prefix("cd ") {
            self.place = self.place.join(folder);
            command = "true";
        }
        // A nightly is what the page suggests. Any toolchain that builds core will do, and there is one.
        let command = command.replace("cargo +nightly", &toolchain("PORT_CARGO").unwrap());
        let mut shell = Command::new("sh");
        as_from_a_shell(&mut shell).env_remove("RUSTUP_TOOLCHAIN");
        // Behind the others: rt0 has a `sort` too.
        let path = format!("{}:{}", std::env::var("PATH").unwrap(), root().join("dist/linux_amd64/bin").display());
        shell.args(["-c", &command]).current_dir(&self.place).env("PATH", path);
        // What is built stays for the next time, and what was fetched is there.
        shell.env("CARGO_TARGET_DIR", root().join("target/template")).env("CARGO_NET_OFFLINE", "true");
        shell.output().unwrap()
    }
}

fn read(page: &Path) -> Vec<Block> {
    blocks(&fs::read_to_string(page).unwrap())
}

#[test]
fn the_pages_can_be_followed() {
    let mut pages: Vec<PathBuf> =
        fs::read_dir(root().join("docs")).unwrap().map(|entry| entry.unwrap().path()).collect();
    pages.retain(|page| page.extension().is_some_and(|it| it == "md") && !page.ends_with("c.md"));
    pages.extend(["README.md", "PORTING.md", "CONTRIBUTING.md", "tests/README.md"].map(|page| root().join(page)));
    let builds_core = toolchain("STANDARD").unwrap() != "yes";
    let mut run = 0;
    for page in pages {
        let mut reader = Reader::new();
        let name = page.strip_prefix(root()).unwrap().display();
        for Block { commands, left_out } in read(&page) {
            for (command, shown) in commands {
                if let Some(reason) = &left_out {
                    println!("{name}: not run: {command} ({reason})");
                    continue;
                }
                if command.contains("+nightly") && !builds_core {
                    println!("{name}: not run: {command} (no toolchain here builds core)");
                    continue;
                }
                println!("{name}: {command}");
                let output = reader.follow(&command);
                let printed = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
                if shown.is_empty() {
                    assert!(output.status.success(), "{command}: {}\n{printed}", output.status);
                } else {
                    assert_eq!(without_numbers(printed.trim_end()), without_numbers(shown.trim_end()), "{command}");
                }
                run += 1;
            }
        }
        drop(reader.clone);
    }
    assert!(run >= 7, "only {run} commands were run");
}

/// Each command of the page for C makes a program of the smallest source, which says hello.
#[test]
fn the_page_for_c_can_be_followed() {
    let mut run = 0;
    for Block { commands, left_out } in read(&root().join("docs/c.md")) {
        for (command, _) in commands {
            if let Some(reason) = &left_out {
                println!("not run: {command} ({reason})");
                continue;
            }
            let mut reader = Reader::new();
            fs::copy(reader.clone.join("tests/c/hello.c"), reader.clone.join("program.c")).unwrap();
            let output = reader.follow(&format!("{command} && ./a.out"));
            assert_eq!(String::from_utf8_lossy(&output.stdout), "hello, world\n", "{command}: {output:?}");
            run += 1;
        }
    }
    assert_eq!(run, 4, "each way to link has a command");
}

#[test]
fn a_command_that_fails_is_seen() {
    let blocks = blocks(
        "<!-- not run: so -->\n```sh\nno\n```\n```console\n$ false\n$ echo 12 \\\n  b   # c\n1 b\n```\n```rust\nno\n```",
    );
    let commands: Vec<_> = blocks.iter().map(|block| (block.commands.clone(), block.left_out.as_deref())).collect();
    let line = |command: &str, shown: &str| (command.to_string(), shown.to_string());
    assert_eq!(commands[0], (vec![line("no", "")], Some("so")));
    assert_eq!(commands[1], (vec![line("false", ""), line("echo 12 b   # c", "1 b\n")], None));
    assert_eq!(commands.len(), 2);
    let mut reader = Reader::new();
    assert!(!reader.follow("false").status.success());
    assert!(reader.follow("test -f README.md -a -f dist/linux_amd64/bin/hello").status.success());
}
