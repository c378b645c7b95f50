//! Debian's libgc-dev: the Boehm collector.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-link-lib=gc");
}
