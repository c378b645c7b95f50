//! Holds the layers of the crate: each module imports only lower layers, no two files import each other, the list in
//! `docs/architecture.md` shows the imports as they are, assembly is under `arch/` alone, and every SAFETY comment names
//! a fact.

mod modules;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use modules::Modules;
use proc_macro2::{TokenStream, TokenTree};
use rt0_tests::run::make::root;

/// The top-level modules in layers, the highest first. A module may import those of lower layers only, and each module
/// has one place here.
const LAYERS: &[&[&str]] = &[
    &["limits", "backtrace"],
    &["start", "gc"],
    &["fault"],
    &["heap"],
    &["arena"],
    &["plan", "vm", "thread", "io", "unwind"],
    &["memlimit", "sys", "mem", "lock"],
    &["os"],
    &["arch", "no_port"],
];

/// Pure arithmetic, and what each may import beside `core`.
const PURE: &[(&str, &[&str])] = &[("memlimit", &[]), ("plan", &["memlimit"])];

/// The document that lists the imports, in a block that begins with this fence and has lines `module -> imports`.
const DOCUMENT: &str = "docs/architecture.md";
const FENCE: &str = "```layers";

fn crate_modules() -> Modules {
    Modules::read(&root().join("src/lib.rs")).unwrap()
}

fn layer(module: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&module))
}

#[test]
fn each_module_imports_lower_layers_only() {
    let modules = crate_modules();
    let mut wrong = Vec::new();
    for name in LAYERS.iter().copied().flatten().filter(|name| !modules.top().any(|module| module == **name)) {
        wrong.push(format!("LAYERS has {name}, which is no module of the crate's root"));
    }
    for (module, imports) in modules.top_imports() {
        let Some(own) = layer(&module) else {
            wrong.push(format!("{module} has no layer: give it a place in LAYERS"));
            continue;
        };
        for import in imports.iter().filter(|import| layer(import).is_none_or(|other| other <= own)) {
            wrong.push(format!("{module} imports {import}, which is in no lower layer"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_two_files_import_each_other() {
    let imports = crate_modules().file_imports();
    let closing = closing_edges(&imports);
    assert!(closing.is_empty(), "imports that are part of a cycle: {closing:#?}");
}

/// The edges of a graph that lie on a cycle.
fn closing_edges(graph: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let reaches = |from: &str, to: &str| {
        let (mut seen, mut open) = (BTreeSet::new(), vec![from]);
        while let Some(at) = open.pop() {
            if at == to {
                return true;
            }
            if seen.insert(at) {
                open.extend(graph.get(at).into_iter().flatten().map(String::as_str));
            }
        }
        false
    };
    let edges = graph.iter().flat_map(|(from, targets)| targets.iter().map(move |to| (from, to)));
    edges.filter(|(from, to)| reaches(to, from)).map(|(from, to)| format!("{from} -> {to}")).collect()
}

#[test]
fn the_rules_import_core_alone() {
    let modules = crate_modules();
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let dependencies = manifest.lines().skip_while(|line| *line != "[dependencies]").skip(1);
    let mut crates: Vec<String> = dependencies
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| Some(line.split_once('=')?.0.trim().replace('-', "_")))
        .collect();
    assert!(crates.contains(&"cfg_if".into()), "{crates:?}");
    crates.extend(["alloc".into(), "std".into()]);
    let imports = modules.top_imports();
    for (module, allowed) in PURE {
        let own: Vec<&str> = imports[*module].iter().map(String::as_str).collect();
        assert_eq!(own, *allowed, "what {module} imports of this crate");
        let foreign = modules.foreign(module, &crates);
        assert!(foreign.iter().all(|name| name == "core"), "{module} imports {foreign:?}");
    }
}

#[test]
fn the_document_lists_the_imports_as_they_are() {
    let imports = crate_modules().top_imports();
    let mut order: Vec<_> = imports.iter().collect();
    order.sort_by_key(|(module, _)| Reverse(layer(module)));
    let line = |(module, imports): &(&String, &BTreeSet<String>)| {
        let words: Vec<&str> = [module.as_str(), "->"].into_iter().chain(imports.iter().map(String::as_str)).collect();
        words.join(" ")
    };
    let expected: Vec<String> = order.iter().map(line).collect();
    let text = fs::read_to_string(root().join(DOCUMENT)).unwrap_or_default();
    let listed = listed_in(&text);
    assert!(
        listed.as_ref() == Ok(&imports),
        "the block {FENCE} in {DOCUMENT} is not what the sources import ({}); this is:\n\n{FENCE}\n{}\n```\n",
        listed.map_or_else(|wrong| wrong, |listed| differences(&listed, &imports).join(", ")),
        expected.join("\n"),
    );
}

/// The imports that the document lists.
fn listed_in(text: &str) -> Result<BTreeMap<String, BTreeSet<String>>, String> {
    let mut lines = text.lines().skip_while(|line| line.trim_end() != FENCE);
    lines.next().ok_or("there is no such block")?;
    let mut imports = BTreeMap::new();
    for line in lines.take_while(|line| !line.starts_with("```")).filter(|line| !line.trim().is_empty()) {
        let (module, targets) = line.split_once("->").ok_or_else(|| format!("{line:?} has no arrow"))?;
        let targets = targets.split_whitespace().map(String::from).collect();
        if imports.insert(module.trim().to_string(), targets).is_some() {
            return Err(format!("{module} is there twice"));
        }
    }
    Ok(imports)
}

/// What only one of two graphs has.
fn differences(listed: &BTreeMap<String, BTreeSet<String>>, read: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let edges = |graph: &BTreeMap<String, BTreeSet<String>>| -> BTreeSet<String> {
        let line = |(from, to): (&String, &BTreeSet<String>)| -> Vec<String> {
            [format!("module {from}")].into_iter().chain(to.iter().map(|to| format!("{from} -> {to}"))).collect()
        };
        graph.iter().flat_map(line).collect()
    };
    let (listed, read) = (edges(listed), edges(read));
    let only = |one: &BTreeSet<String>, other, where_| -> Vec<String> {
        one.difference(other).map(|edge| format!("{edge} only {where_}")).collect()
    };
    [only(&listed, &read, "in the document"), only(&read, &listed, "in the sources")].concat()
}

#[test]
fn assembly_is_under_arch_alone_and_every_file_is_part_of_a_module() {
    let modules = crate_modules();
    let [source, ports] = ["src", "arch"].map(|folder| rust_files(&root().join(folder)));
    assert!(!source.is_empty() && ports.len() >= 5, "{ports:?}");
    // The C library's programs have a member of their own, which takes files from arch/ by their path.
    let library: String = rust_files(&root().join("c")).iter().map(|file| fs::read_to_string(file).unwrap()).collect();
    let in_library = |file: &Path| {
        let name = file.strip_prefix(root()).unwrap().display();
        library.contains(&format!("/{name}\"]"))
    };
    // Unit tests, which are no part of the crate, stand in `tests.rs` beside what they test.
    for file in source.iter().chain(&ports).filter(|file| !file.ends_with("tests.rs")) {
        assert!(modules.files.contains(file) || in_library(file), "no module declares {}", file.display());
    }
    let has_assembly = |file: &PathBuf| assembly(fs::read_to_string(file).unwrap().parse().unwrap());
    let outside: Vec<_> = source.iter().filter(|file| has_assembly(file)).collect();
    assert!(outside.is_empty(), "assembly outside arch/: {outside:?}");
    assert!(ports.iter().any(has_assembly), "this test does not know assembly when it sees it");
}

/// Whether the tokens contain assembly, in code or in a macro's body.
fn assembly(tokens: TokenStream) -> bool {
    let tokens: Vec<TokenTree> = tokens.into_iter().collect();
    let inside = tokens.iter().any(|token| matches!(token, TokenTree::Group(group) if assembly(group.stream())));
    inside
        || tokens.windows(3).any(|three| match three {
            [TokenTree::Ident(name), TokenTree::Punct(mark), TokenTree::Group(_)] if mark.as_char() == '!' => {
                ["asm", "naked_asm", "global_asm"].iter().any(|assembly| name == assembly)
            }
            _ => false,
        })
}

/// SAFETY comments that name no fact: they say whose promise it is, but not what is promised.
const EMPTY: &[&str] = &["the caller's promise", "the heap's promise", "the caller's", "as above", "see above"];

#[test]
fn every_safety_comment_names_a_fact() {
    let mut count = 0;
    let mut empty = Vec::new();
    for folder in ["src", "arch", "tests", "examples"] {
        for file in rust_files(&root().join(folder)) {
            let text = fs::read_to_string(&file).unwrap();
            for (line, comment) in safety_comments(&text) {
                count += 1;
                if comment.is_empty() || EMPTY.contains(&comment.trim_end_matches('.').to_lowercase().as_str()) {
                    empty.push(format!("{}:{line}: {comment}", file.strip_prefix(root()).unwrap().display()));
                }
            }
        }
    }
    assert!(count > 150, "{count} SAFETY comments, and there were more");
    assert!(empty.is_empty(), "name the fact that makes it sound: {empty:#?}");
}

/// The line and the text of each SAFETY comment, its further lines joined to it.
fn safety_comments(text: &str) -> Vec<(usize, String)> {
    let lines: Vec<&str> = text.lines().collect();
    let mut comments = Vec::new();
    for (index, line) in lines.iter().enumerate() {
        let Some((_, first)) = line.split_once("// SAFETY:") else { continue };
        let further = lines[index + 1..].iter().map_while(|line| line.trim().strip_prefix("//"));
        let words: Vec<&str> = [first].into_iter().chain(further).flat_map(str::split_whitespace).collect();
        comments.push((index + 1, words.join(" ")));
    }
    comments
}

/// The Rust files in a folder and below it, sorted.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// Reads a small crate that imports in every possible way once, whose imports are known.
#[test]
fn every_way_of_importing_is_seen() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    };
    write(
        "src/lib.rs",
        "cfg_if::cfg_if! { if #[cfg(unix)] { mod uses; mod code; mod low; } else { mod macros; } }
         mod tops; mod named; mod globs; pub mod outer; pub use low::exit; pub fn own() {}",
    );
    write("src/low.rs", "#[macro_export] macro_rules! lowest { () => { $crate::exit() }; }");
    write("src/uses.rs", "use crate::{low::{self, a as b}, tops as t}; use core::mem;");
    write("src/code.rs", "fn f(x: crate::low::X) -> u8 { let low = Vec::<crate::named::Y>::new(); low }");
    write(
        "src/macros.rs",
        "macro_rules! m { () => { $crate::uses::f!([crate::code::g()]) }; } fn f() { p!(super::low::x) }",
    );
    write(
        "src/tops.rs",
        "/// [`crate::code`]\npub(in crate::outer) fn f() { crate::own() } #[cfg(test)] mod tests { use crate::low; }",
    );
    write("src/named.rs", "fn f() { crate::exit(); crate::lowest!(); std::process::abort() }");
    write("src/globs.rs", "use super::code::*;");
    write(
        "src/outer/mod.rs",
        "mod inner; #[path = \"../../arch/port.rs\"] mod port; pub use inner::shown; fn f() { port::g() }
         mod inline { use super::super::uses; }",
    );
    write("src/outer/inner.rs", "use super::f;");
    write("arch/port.rs", "use super::f; use crate::macros;");

    let modules = Modules::read(&folder.path().join("src/lib.rs")).unwrap();
    let shown = |graph: BTreeMap<String, BTreeSet<String>>| -> Vec<String> {
        graph.into_iter().map(|(from, to)| [from].into_iter().chain(to).collect::<Vec<_>>().join(" ")).collect()
    };
    assert_eq!(
        shown(modules.top_imports()),
        [
            "code low named",
            "globs code",
            "low",
            "macros code low uses",
            "named low",
            "outer macros uses",
            "tops crate",
            "uses low tops"
        ]
    );
    let files = modules.file_imports();
    assert_eq!(closing_edges(&files), ["outer -> outer::port", "outer::port -> outer"]);
    assert_eq!(shown(files)[5..8], ["outer outer::port uses", "outer::inner outer", "outer::port macros outer"]);
    let crates = ["std".to_string()];
    assert_eq!(modules.foreign("uses", &crates), BTreeSet::from(["core".into()]));
    assert_eq!(modules.foreign("named", &crates), BTreeSet::from(["std".into()]));
    assert_eq!(modules.files.len(), 11);

    let listed = listed_in("x\n```layers\na -> b c\n\nb ->\n```\nd -> e\n").unwrap();
    assert_eq!(shown(listed.clone()), ["a b c", "b"]);
    assert_eq!(differences(&listed, &BTreeMap::from([("a".into(), BTreeSet::from(["b".into()]))])).len(), 2);
    assert!(listed_in("a -> b").is_err() && listed_in("```layers\na b\n```").is_err());

    let text = "// SAFETY: as\n    // above.\nunsafe {}\nx // SAFETY: The caller's promise.\n";
    assert_eq!(safety_comments(text), [(1, "as above.".into()), (4, "The caller's promise.".into())]);
    assert!(assembly("fn f() { m! { core::arch::asm!(\"nop\") } }".parse().unwrap()));
    assert!(!assembly("/// asm!\nfn asm() -> bool { asm != \"asm!\" && !asm }".parse().unwrap()));
}
