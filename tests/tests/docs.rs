//! What README and the pages under docs/ say is so: links lead to files of the tree, figures are those of the benchmark,
//! pictures those of a run. `follow.rs` runs their commands.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use rt0_tests::check::without_numbers;
use rt0_tests::run::make::root;

fn pages() -> Vec<PathBuf> {
    let of = |folder: &Path| -> Vec<PathBuf> {
        let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        files.filter(|file| file.extension().is_some_and(|it| it == "md")).collect()
    };
    [of(root()), of(&root().join("docs"))].concat()
}

/// The values of a row of a table, by the names of their columns.
fn rows(text: &str) -> Vec<(String, String, String)> {
    let cells = |line: &str| line.trim_matches('|').split('|').map(|cell| cell.trim().to_string()).collect::<Vec<_>>();
    let (mut found, mut heads) = (Vec::new(), Vec::new());
    for line in text.lines() {
        if !line.starts_with('|') {
            heads = Vec::new();
        } else if heads.is_empty() {
            heads = cells(line);
        } else if !line.starts_with("|---") {
            let row = cells(line);
            let values = heads.iter().zip(&row).skip(1);
            found.extend(values.map(|(head, value)| (row[0].clone(), head.clone(), value.clone())));
        }
    }
    found
}

/// The README's figures are those of the page on benchmarks.
#[test]
fn figures_are_those_of_the_last_benchmark() {
    let read = |file: &str| rows(&fs::read_to_string(root().join(file)).unwrap());
    let measured = read("docs/benchmarks.md");
    let mut count = 0;
    for (row, column, value) in read("README.md").iter().filter(|it| measured.iter().any(|other| other.0 == it.0)) {
        let there = measured.iter().find(|it| it.0 == *row && it.1 == *column).map(|it| &it.2);
        assert_eq!(there, Some(value), "{row}, {column}");
        count += 1;
    }
    assert!(count >= 20, "only {count} figures were found");
}

/// The picture is what `make picture` draws, but for this build's numbers.
#[test]
fn the_picture_is_that_of_a_run() {
    let limits = root().join("dist/linux_amd64/bin/limits");
    let drawn = Command::new(root().join("tools/picture")).arg(limits).output().unwrap();
    assert!(drawn.status.success(), "{}", String::from_utf8_lossy(&drawn.stderr));
    let kept = fs::read_to_string(root().join("docs/address-space.svg")).unwrap();
    assert_eq!(without_numbers(&String::from_utf8(drawn.stdout).unwrap()), without_numbers(&kept), "`make picture`");
}

/// The charts are those of the tables, and a new figure of the benchmark reaches page, README and chart.
#[test]
fn charts_are_those_of_the_tables() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |tool: &str, words: &[&Path]| {
        let status = Command::new(root().join("tools").join(tool)).args(words).status().unwrap();
        assert!(status.success(), "tools/{tool}: {status}");
    };
    let read = |path: PathBuf| fs::read_to_string(path).unwrap();
    let (page, front) = (scratch.path().join("benchmarks.md"), scratch.path().join("README.md"));
    fs::copy(root().join("docs/benchmarks.md"), &page).unwrap();
    fs::copy(root().join("README.md"), &front).unwrap();
    run("charts", &[&page, scratch.path()]);
    for chart in ["cpu-time.svg", "growth.svg"] {
        assert!(read(scratch.path().join(chart)) == read(root().join("docs").join(chart)), "{chart}: `make charts`");
    }
    // What the page says itself changes nothing.
    run("figures", &[&root().join("docs/benchmarks.md"), &page, &front]);
    assert!(
        read(page.clone()) == read(root().join("docs/benchmarks.md"))
            && read(front.clone()) == read(root().join("README.md"))
    );
    let output = scratch.path().join("bench.txt");
    fs::write(
        &output,
        "CPU time\n\n| | rt0 | glibc |\n|---|---|---|\n| CPU time, geometric mean of 15 workloads | 9.87 | |\n\
        \n| | glibc |\n|---|---|\n| 10,000 live blocks, ns a call | 987 |\n",
    )
    .unwrap();
    run("figures", &[&output, &page, &front]);
    run("charts", &[&page, scratch.path()]);
    for (file, times) in [("benchmarks.md", 1), ("README.md", 1), ("cpu-time.svg", 1)] {
        assert_eq!(read(scratch.path().join(file)).matches("9.87").count(), times, "{file}");
    }
    assert_eq!(read(page).matches("| 987 |").count(), 1);
    assert_ne!(read(scratch.path().join("growth.svg")), read(root().join("docs/growth.svg")));
}

/// The targets without a port that the page lists are those that `make others` checks.
#[test]
fn the_targets_that_are_checked_are_listed() {
    let make = fs::read_to_string(root().join("Makefile")).unwrap();
    let list = make.split("OTHERS := ").nth(1).and_then(|rest| rest.split("others:").next()).unwrap();
    let page = fs::read_to_string(root().join("docs/proof.md")).unwrap();
    let section = page.split("## Systems without a port").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap();
    let items = section.lines().filter(|line| line.starts_with("- "));
    let words = items.flat_map(|line| line.split('`').skip(1).step_by(2));
    let listed: Vec<&str> = words.collect();
    let checked: Vec<&str> = list.split_whitespace().filter(|word| *word != "\\").collect();
    assert_eq!(listed, checked);
}

#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for page in pages() {
        let text = fs::read_to_string(&page).unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            let file = link.split('#').next().unwrap();
            if file.is_empty() || file.starts_with("http") {
                continue;
            }
            count += 1;
            assert!(page.parent().unwrap().join(file).exists(), "{}: {link}", page.display());
        }
    }
    assert!(count > 15, "only {count} links were found");
}
