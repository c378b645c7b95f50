//! Every public item has an example that is compiled: `cargo test` compiles those of the documentation, and runs them but for
//! those that say `no_run`. Which items there are, and what their documentation says, rustdoc itself tells (its JSON).
//!
//! An item has an example if one in its own documentation, or in that of its type or its module, or of anything else in that
//! module, names it. Fields, variants and constants have theirs with what they belong to.

use std::collections::HashMap;
use std::fs;
use std::process::Command;

use rt0_tests::run::make::root;
use serde_json::Value;

/// Items without one, and why.
const WITHOUT: [(&str, &str); 9] = [
    ("io::Fd::write_fmt", "the example calls it by `write!`"),
    ("heap::Memory::reserve_behind", "the example leaves the default as it is"),
    ("heap::Memory::reset_to_zero", "the same"),
    ("heap::Memory::is_resident", "the same"),
    ("heap::Memory::limit", "the same"),
    ("heap::Memory::most", "the same"),
    ("heap::Memory::populate", "the same"),
    ("heap::Memory::prefer_huge", "the same"),
    ("sys::AltStack", "what `sigaltstack` gives the kernel; nobody else makes one"),
];

struct Item {
    /// Its path in the crate, and its last word.
    path: String,
    name: String,
    /// The module that it is found in, and the type that it belongs to, by path.
    module: String,
    owner: Option<String>,
    examples: Vec<String>,
}

/// The index of all items that rustdoc has documented, by their numbers.
struct Crate(Value);

impl Crate {
    fn item(&self, id: &Value) -> Option<&Value> {
        self.0["index"].get(id.to_string())
    }

    /// The items of a module and those below it, each once: where it is, and not where it is used too.
    fn walk(&self, module: &Value, path: &str, found: &mut HashMap<String, Item>) {
        for id in module["inner"]["module"]["items"].as_array().unwrap() {
            let Some(mut item) = self.item(id) else { continue };
            let mut name = item["name"].as_str();
            let used = item["inner"].get("use");
            if let Some(used) = used {
                name = used["name"].as_str();
                let Some(target) = self.item(&used["id"]) else { continue };
                if used["is_glob"] == true {
                    self.walk(target, path, found);
                    continue;
                }
                item = target;
            }
            let name = name.unwrap();
            let below = join(path, name);
            let kinds = ["function", "macro", "module", "struct", "enum", "union", "trait"];
            let known = found.contains_key(&item["id"].to_string());
            if !kinds.iter().any(|kind| item["inner"].get(*kind).is_some()) || (known && used.is_some()) {
                continue;
            }
            self.add(item, &below, path, None, found);
            if item["inner"].get("module").is_some() {
                self.walk(item, &below, found);
            } else {
                self.methods(item, &below, path, found);
            }
        }
    }

    /// The functions of a type or a trait.
    fn methods(&self, item: &Value, owner: &str, module: &str, found: &mut HashMap<String, Item>) {
        let inner = item["inner"].as_object().unwrap().values().next().unwrap();
        let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
        let mut functions = if item["inner"].get("trait").is_some() { list(&inner["items"]) } else { Vec::new() };
        for block in list(&inner["impls"]).iter().filter_map(|id| self.item(id)) {
            let block = &block["inner"]["impl"];
            if block["trait"].is_null() {
                functions.extend(list(&block["items"]));
            }
        }
        for function in functions.iter().filter_map(|id| self.item(id)) {
            if function["inner"].get("function").is_some() {
                let path = join(owner, function["name"].as_str().unwrap());
                self.add(function, &path, module, Some(owner), found);
            }
        }
    }

    fn add(&self, item: &Value, path: &str, module: &str, owner: Option<&str>, found: &mut HashMap<String, Item>) {
        let item_of = Item {
            path: path.into(),
            name: path.rsplit("::").next().unwrap().into(),
            module: module.into(),
            owner: owner.map(String::from),
            examples: examples(item["docs"].as_str().unwrap_or_default()),
        };
        found.insert(item["id"].to_string(), item_of);
    }
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.into() } else { format!("{path}::{name}") }
}

/// The blocks of a comment that are compiled.
fn examples(docs: &str) -> Vec<String> {
    let compiled = |tag: &str| tag.split(',').all(|word| ["", "rust", "no_run", "should_panic"].contains(&word.trim()));
    let mut found = Vec::new();
    for (index, part) in docs.split("```").enumerate() {
        let (tag, block) = part.split_once('\n').unwrap_or((part, ""));
        if index % 2 == 1 && compiled(tag) {
            found.push(block.into());
        }
    }
    found
}

/// Whether a word of the example is this name.
fn names(example: &str, name: &str) -> bool {
    example.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == name)
}

#[test]
fn every_public_item_has_an_example() {
    // Only a bootstrap compiler, or one that takes itself for one, tells.
    let output = Command::new("cargo")
        .args(["doc", "--quiet", "--no-deps", "-p", "rt0", "--target-dir"])
        .arg(root().join("target/examples"))
        .env("RUSTC_BOOTSTRAP", "1")
        .env("RUSTDOCFLAGS", "-Zunstable-options --output-format=json")
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = fs::read_to_string(root().join("target/examples/doc/rt0.json")).unwrap();
    let docs = Crate(serde_json::from_str(&text).unwrap());
    let mut items = HashMap::new();
    docs.walk(docs.item(&docs.0["root"]).unwrap(), "", &mut items);
    assert!(items.len() > 280, "only {} items were found", items.len());

    let in_module = |module: &str, item: &Item| item.path == module || item.path.starts_with(&format!("{module}::"));
    let has = |item: &Item| {
        let owned = |other: &&Item| Some(&other.path) == item.owner.as_ref() || in_module(&item.module, other);
        let mut others = items.values().filter(|other| item.module.is_empty() || owned(other));
        !item.examples.is_empty() || others.any(|other| other.examples.iter().any(|example| names(example, &item.name)))
    };
    let mut without: Vec<&str> = items.values().filter(|item| !has(item)).map(|item| item.path.as_str()).collect();
    without.sort_unstable();
    let mut known: Vec<&str> = WITHOUT.iter().map(|(path, _)| *path).collect();
    known.sort_unstable();
    assert_eq!(without, known, "items without an example; those on the right are known, with a reason");
    println!("{} items, {} of them without an example", items.len(), without.len());
}
