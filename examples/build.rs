//! For a standard target a program has to be linked without a libc's start files; for those of rt0's `targets/` this
//! does nothing, and a program needs no build script.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for arg in std::env::var("DEP_RT0_LINK_ARGS").unwrap_or_default().split_whitespace() {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
