//! Links the programs for a standard target as rt0 says; the targets of `targets/` say it themselves.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for arg in std::env::var("DEP_RT0_LINK_ARGS").unwrap_or_default().split_whitespace() {
        println!("cargo::rustc-link-arg-bins={arg}");
    }
}
