//! Lets the linker find its scripts, and tells dependents how a program is linked for a standard target.

use std::env;
use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=linker"); // what is linked by a script is linked anew when it changes
    println!("cargo::rerun-if-env-changed=RUSTC_LINKER");
    println!("cargo::rustc-check-cfg=cfg(rt0_standard_target, rt0_unaligned)");

    let var = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    // `-T` takes a script without a folder from the library path, which reaches dependents too.
    println!("cargo::rustc-link-search=native={}", Path::new(&var("CARGO_MANIFEST_DIR")).join("linker").display());

    let os = var("CARGO_CFG_TARGET_OS");
    let cpu = match var("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86" => "386",
        "x86_64" => "amd64",
        "arm" => "arm",
        _ => return,
    };
    // Words that may lie anywhere: ARMv6. A stable compiler tells of v6 by nothing but the target's name.
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let named = ["armv6", "armv7", "thumbv7"].iter().any(|name| var("TARGET").starts_with(name));
    if cpu == "arm" && (named || features.split(',').any(|feature| feature == "v6")) {
        println!("cargo::rustc-cfg=rt0_unaligned");
    }
    let port = format!("{os}_{cpu}");
    if var("TARGET") == port {
        return; // targets/<port>.json says it all
    }

    // A standard target, made for programs with a libc: no memcpy in its `core`, and its start files in the link.
    println!("cargo::rustc-cfg=rt0_standard_target");
    let ld = [&format!("-T{port}.ld"), "-znorelro", "-znoexecstack", "-zmax-page-size=4096", "--build-id=none"];
    let linker = env::var("RUSTC_LINKER").unwrap_or_default();
    let args: Vec<String> = if linker.contains("lld") {
        ld.iter()
            .map(ToString::to_string)
            .chain(["-static".into(), "-no-pie".into(), "--no-rosegment".into()])
            .collect()
    } else {
        let cc = ["-nostartfiles", "-nostdlib", "-static", "-no-pie"];
        cc.iter().map(ToString::to_string).chain(ld.iter().map(|arg| format!("-Wl,{arg}"))).collect()
    };
    println!("cargo::metadata=link_args={}", args.join(" "));
}
