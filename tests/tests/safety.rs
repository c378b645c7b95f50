//! `docs/safety.md` lists every public unsafe function and trait of the crate, and no other: the sources are read.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use rt0_tests::run::make::root;
use syn::{ImplItem, Item, Safety, Type, Visibility};

/// What is public under another module's name than its file's: `sys` passes on what is in these.
const PASSED_ON: [(&str, &str); 2] = [("arch", "sys"), ("os", "sys")];

fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] }).collect()
}

/// The unsafe functions and traits of a list of items that are `pub`, named `module::name` or `module::Type::name`.
fn of_items(module: &str, items: &[Item], found: &mut BTreeSet<String>) {
    let public = |visibility: &Visibility| matches!(visibility, Visibility::Public(_));
    for item in items {
        match item {
            Item::Fn(it) if public(&it.vis) && matches!(it.sig.safety, Safety::Unsafe(_)) => {
                found.insert(format!("{module}::{}", it.sig.ident));
            }
            Item::Trait(it) if public(&it.vis) && it.unsafety.is_some() => {
                found.insert(format!("{module}::{}", it.ident));
            }
            Item::Impl(block) if block.trait_.is_none() => {
                let Type::Path(of) = &*block.self_ty else { continue };
                let of = &of.path.segments.last().unwrap().ident;
                for item in &block.items {
                    if let ImplItem::Fn(it) = item
                        && public(&it.vis)
                        && matches!(it.sig.safety, Safety::Unsafe(_))
                    {
                        found.insert(format!("{module}::{of}::{}", it.sig.ident));
                    }
                }
            }
            _ => {}
        }
    }
}

fn of_crate() -> BTreeSet<String> {
    let src = root().join("src");
    let mut found = BTreeSet::new();
    for file in sources(&src) {
        let within = file.strip_prefix(&src).unwrap().with_extension("");
        let first = within.iter().next().unwrap().to_str().unwrap();
        let module = PASSED_ON.iter().find(|it| it.0 == first).map_or(first, |it| it.1);
        of_items(module, &syn::parse_file(&fs::read_to_string(&file).unwrap()).unwrap().items, &mut found);
    }
    found
}

#[test]
fn the_page_lists_every_public_unsafe_function() {
    let page = fs::read_to_string(root().join("docs/safety.md")).unwrap();
    let rows = page.lines().filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "));
    let mut listed = BTreeSet::new();
    for (names, promise) in rows {
        assert!(promise.len() > 10, "{names}: what does it ask for?");
        for name in names.split("`, `") {
            assert!(listed.insert(name.to_string()), "{name} is there twice");
        }
    }
    let found = of_crate();
    assert!(found.len() > 30, "only {} functions were found", found.len());
    let missing: Vec<_> = found.difference(&listed).collect();
    let too_many: Vec<_> = listed.difference(&found).collect();
    assert!(missing.is_empty() && too_many.is_empty(), "missing: {missing:?}; no such function: {too_many:?}");
}

/// What handles faults is a promise, which `entry!` cannot ask for: so it takes what is in `rt0::fault` alone.
#[test]
fn entry_takes_no_function_of_the_programs_that_handles_faults() {
    let source = fs::read_to_string(root().join("src/start/mod.rs")).unwrap();
    let (_, rest) = source.split_once("macro_rules! entry {").unwrap();
    let (entry, _) = rest.split_once("\n}\n").unwrap();
    let taken: Vec<&str> = entry.lines().filter(|line| line.contains("$main:path")).collect();
    assert_eq!(taken.len(), 3, "{taken:?}");
    assert!(taken.iter().all(|line| line.contains("faults = rt0::fault::$faults:ident)?")), "{taken:?}");
    assert!(entry.contains("catch_or_exit($crate::fault::$faults)"));
}
