//! The modules of a crate and what each of them imports, read from the sources without compiling them: so the imports
//! of every port are seen at once, whatever the host is.
//!
//! An import is a `use`, or a path in code that leads out of its module (`crate::`, `super::`, a child's name). Paths
//! in the bodies of macros count too: `$crate::` is this crate. `#[cfg(test)]` modules and doc comments do not count.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{Attribute, Expr, Item, ItemUse, Lit, Meta, UseTree, Visibility};

/// The way from the crate's root to a module; the root's is empty.
pub(crate) type ModulePath = Vec<String>;

/// The modules that a crate's root leads to.
#[derive(Default)]
pub(crate) struct Modules {
    modules: BTreeMap<ModulePath, Module>,
    /// The modules of `#[macro_export]` macros, whose names are at the root wherever they are defined.
    macros: BTreeMap<String, ModulePath>,
    /// The files that are part of a module.
    pub(crate) files: BTreeSet<PathBuf>,
}

#[derive(Default)]
struct Module {
    children: BTreeSet<String>,
    imports: Vec<Import>,
    /// Whether it is written inside its parent's file.
    inline: bool,
}

/// One path, as it is written.
struct Import {
    path: Vec<String>,
    /// The name that a `use` gives it.
    name: Option<String>,
    /// Whether it is a `pub use`, for others.
    reexport: bool,
}

/// Where the files of a file's child modules are.
struct Place<'a> {
    /// The file itself.
    file: &'a Path,
    /// The folder for `mod name;`.
    children: PathBuf,
}

impl Modules {
    /// Reads the crate whose root is the file `root`.
    pub(crate) fn read(root: &Path) -> Result<Modules> {
        let mut modules = Modules::default();
        modules.file(root, &[], root.parent().context("a file is in a folder")?.into())?;
        Ok(modules)
    }

    /// The names of the modules at the crate's root.
    pub(crate) fn top(&self) -> impl Iterator<Item = &str> {
        self.modules[&[][..]].children.iter().map(String::as_str)
    }

    /// What each top-level module, with its submodules, imports from the others. `crate` stands for something that the
    /// root itself defines.
    pub(crate) fn top_imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut imports: BTreeMap<_, BTreeSet<String>> =
            self.top().map(|name| (name.into(), BTreeSet::new())).collect();
        for (from, module) in &self.modules {
            let Some(name) = from.first() else { continue };
            for target in module.imports.iter().filter_map(|import| self.resolve(from, &import.path)) {
                let target = target.first().map_or("crate", String::as_str);
                if target != name {
                    imports.get_mut(name).expect("it is at the root").insert(target.into());
                }
            }
        }
        imports
    }

    /// What each file below the root imports from the others. A `pub use` of a child does not count as an import: it
    /// shows to others what the child defines, and the child may use what its parent defines.
    pub(crate) fn file_imports(&self) -> BTreeMap<String, BTreeSet<String>> {
        let mut imports: BTreeMap<_, BTreeSet<String>> = BTreeMap::new();
        for (from, module) in self.modules.iter().filter(|(path, _)| !path.is_empty()) {
            let file = self.file_module(from);
            let entry = imports.entry(file.join("::")).or_default();
            for import in &module.imports {
                let Some(target) = self.resolve(from, &import.path) else { continue };
                let target = self.file_module(&target);
                let shown_only = import.reexport && target.starts_with(file);
                if target != file && !shown_only {
                    entry.insert(target.join("::"));
                }
            }
        }
        imports
    }

    /// The other crates that the top-level module `name` imports: those in a `use`, and those of `crates` whose name
    /// begins a path in code.
    pub(crate) fn foreign(&self, name: &str, crates: &[String]) -> BTreeSet<String> {
        let mut foreign = BTreeSet::new();
        for (from, module) in self.modules.iter().filter(|(path, _)| path.first().is_some_and(|first| first == name)) {
            for import in module.imports.iter().filter(|import| self.resolve(from, &import.path).is_none()) {
                if import.name.is_some() || crates.contains(&import.path[0]) {
                    foreign.insert(import.path[0].clone());
                }
            }
        }
        foreign
    }

    /// The module whose file has the text of `module`.
    fn file_module<'a>(&self, mut module: &'a [String]) -> &'a [String] {
        while self.modules[module].inline {
            module = &module[..module.len() - 1];
        }
        module
    }

    /// The module that a path written in the module `from` leads to, or that defines what it leads to; `None` if that
    /// is in another crate or in `from` itself.
    fn resolve(&self, from: &[String], path: &[String]) -> Option<ModulePath> {
        let (mut at, mut rest) = match path.first()?.as_str() {
            "crate" => (vec![], &path[1..]),
            "self" => (from.to_vec(), &path[1..]),
            "super" => (from[..from.len().checked_sub(1)?].to_vec(), &path[1..]),
            child if self.modules[from].children.contains(child) => (from.to_vec(), path),
            _ => return None,
        };
        while let Some((next, after)) = rest.split_first() {
            if next == "super" {
                at.pop()?;
            } else if self.modules[&at].children.contains(next) {
                at.push(next.clone());
            } else if at.is_empty() {
                // What the root re-exports, and exported macros, are of the module that they come from.
                let named = |import: &&Import| import.name.as_ref() == Some(next);
                return match self.modules[&at].imports.iter().find(named) {
                    Some(import) => self.resolve(&at, &import.path),
                    None => Some(self.macros.get(next).cloned().unwrap_or_default()),
                };
            } else {
                break;
            }
            rest = after;
        }
        Some(at)
    }

    fn file(&mut self, file: &Path, module: &[String], children: PathBuf) -> Result<()> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        let syntax = syn::parse_file(&text).with_context(|| file.display().to_string())?;
        self.files.insert(file.into());
        self.modules.entry(module.into()).or_default();
        self.items(&syntax.items, module, &Place { file, children })
    }

    fn items(&mut self, items: &[Item], module: &[String], place: &Place<'_>) -> Result<()> {
        for item in items {
            match item {
                Item::Mod(item) if item.attrs.iter().any(is_cfg_test) => {}
                Item::Mod(item) => {
                    let name = item.ident.to_string();
                    let child = [module, std::slice::from_ref(&name)].concat();
                    self.here(module).children.insert(name.clone());
                    match &item.content {
                        Some((_, items)) => {
                            self.modules.entry(child.clone()).or_default().inline = true;
                            let inner = Place { file: place.file, children: place.children.join(&name) };
                            self.items(items, &child, &inner)?;
                        }
                        None => {
                            let (file, children) = locate(&name, &item.attrs, place)?;
                            self.file(&file, &child, children)?;
                        }
                    }
                }
                // All branches: together they are all the ports.
                Item::Macro(call) if call.mac.path.segments.last().is_some_and(|name| name.ident == "cfg_if") => {
                    for token in call.mac.tokens.clone() {
                        if let TokenTree::Group(group) = token
                            && group.delimiter() == Delimiter::Brace
                        {
                            self.items(&syn::parse2::<syn::File>(group.stream())?.items, module, place)?;
                        }
                    }
                }
                _ => {
                    if let Item::Macro(definition) = item
                        && let Some(name) = &definition.ident
                        && definition.attrs.iter().any(|attribute| attribute.path().is_ident("macro_export"))
                    {
                        self.macros.insert(name.to_string(), module.into());
                    }
                    Collector(&mut self.here(module).imports).visit_item(item);
                }
            }
        }
        Ok(())
    }

    fn here(&mut self, module: &[String]) -> &mut Module {
        self.modules.get_mut(module).expect("it is read now")
    }
}

/// The file of `mod name;` and the folder of its own children, as the Rust reference has it ("Module source
/// filenames").
fn locate(name: &str, attributes: &[Attribute], place: &Place<'_>) -> Result<(PathBuf, PathBuf)> {
    if let Some(attribute) = attributes.iter().find(|attribute| attribute.path().is_ident("path")) {
        let Meta::NameValue(pair) = &attribute.meta else { bail!("#[path] of {name} without a value") };
        let Expr::Lit(syn::ExprLit { lit: Lit::Str(value), .. }) = &pair.value else { bail!("#[path] of {name}") };
        let folder = place.file.parent().context("a file is in a folder")?;
        let file = normal(&folder.join(value.value()));
        let children = file.parent().context("a file is in a folder")?.into();
        return Ok((file, children));
    }
    let children = place.children.join(name);
    let beside = place.children.join(format!("{name}.rs"));
    Ok((if beside.is_file() { beside } else { children.join("mod.rs") }, children))
}

/// The same path without `..`; no folder here is a symbolic link.
fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(normal.pop()),
            part => normal.push(part),
        }
    }
    normal
}

fn is_cfg_test(attribute: &Attribute) -> bool {
    matches!(&attribute.meta, Meta::List(list) if list.path.is_ident("cfg") && list.tokens.to_string() == "test")
}

/// Collects the paths of an item.
struct Collector<'a>(&'a mut Vec<Import>);

impl Collector<'_> {
    fn code(&mut self, path: Vec<String>) {
        // A single name is in scope: it is no module.
        if path.len() > 1 {
            self.0.push(Import { path, name: None, reexport: false });
        }
    }

    fn tree(&mut self, tree: &UseTree, mut path: Vec<String>, reexport: bool) {
        let (ident, name) = match tree {
            UseTree::Path(part) => {
                path.push(part.ident.to_string());
                return self.tree(&part.tree, path, reexport);
            }
            UseTree::Group(group) => {
                return group.items.iter().for_each(|tree| self.tree(tree, path.clone(), reexport));
            }
            UseTree::Name(name) => (Some(&name.ident), name.ident.to_string()),
            UseTree::Rename(rename) => (Some(&rename.ident), rename.rename.to_string()),
            UseTree::Glob(_) => (None, "*".into()),
        };
        path.extend(ident.filter(|ident| *ident != "self" || path.is_empty()).map(ToString::to_string));
        self.0.push(Import { path, name: Some(name), reexport });
    }

    /// The paths in a macro's tokens that begin with `crate`, `$crate`, `self` or `super`.
    fn tokens(&mut self, tokens: TokenStream) {
        let mut path: Vec<String> = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Punct(punct) if punct.as_char() == ':' => {
                    colons += 1;
                    continue;
                }
                TokenTree::Ident(ident) => {
                    let ident = ident.to_string();
                    if path.is_empty() || colons != 2 {
                        self.code(std::mem::take(&mut path));
                    }
                    if !path.is_empty() || ["crate", "self", "super"].contains(&ident.as_str()) {
                        path.push(ident);
                    }
                }
                other => {
                    self.code(std::mem::take(&mut path));
                    if let TokenTree::Group(group) = other {
                        self.tokens(group.stream());
                    }
                }
            }
            colons = 0;
        }
        self.code(path);
    }
}

impl<'ast> Visit<'ast> for Collector<'_> {
    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.code(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        self.tree(&item.tree, vec![], !matches!(item.vis, Visibility::Inherited));
    }

    fn visit_macro(&mut self, call: &'ast syn::Macro) {
        self.visit_path(&call.path);
        self.tokens(call.tokens.clone());
    }

    fn visit_attribute(&mut self, _: &'ast Attribute) {}

    /// `pub(in path)` names no import.
    fn visit_vis_restricted(&mut self, _: &'ast syn::VisRestricted) {}
}
