//! On a standard target a program has to be linked without a libc's start files, and this script passes the linker
//! arguments for that. On the targets in rt0's `targets/` it does nothing, and a program needs no build script.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for arg in std::env::var("DEP_RT0_LINK_ARGS").unwrap_or_default().split_whitespace() {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
