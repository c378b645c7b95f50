//! Passes on how a program is linked for a standard target; rt0 knows. For the targets in `targets/` there is nothing to
//! pass on.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for arg in std::env::var("DEP_RT0_LINK_ARGS").unwrap_or_default().split_whitespace() {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
