//! Lets linkers find the linker scripts, and tells dependents how a standard target has to be linked.

use std::env;
use std::path::Path;

fn main() {
    let root = env::var("CARGO_MANIFEST_DIR").expect("cargo sets CARGO_MANIFEST_DIR");
    let linker = Path::new(&root).join("linker");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={}", linker.display());
    // A `-T` without a folder is looked for in the library path, and that reaches dependents too.
    println!("cargo::rustc-link-search=native={}", linker.display());
}
