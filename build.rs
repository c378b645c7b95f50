//! Says whether there is a port, lets the linker find its scripts, and tells dependents how a program is linked for a standard target.

use std::env;
use std::path::Path;

/// The ports, as the linker scripts are named.
const PORTS: [&str; 5] = ["linux_386", "linux_amd64", "linux_arm", "freebsd_386", "freebsd_amd64"];

/// The standard target for which rustc links a static-PIE where crt-static is set (`static-position-independent-executables`
/// of `rustc --print target-spec-json`).
const STATIC_PIE: &str = "x86_64-unknown-linux-gnu";

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=linker"); // what is linked by a script is linked anew when it changes
    println!("cargo::rustc-check-cfg=cfg(rt0_port, rt0_standard_target, rt0_unaligned)");

    let var = |name: &str| env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    // `-T` takes a script without a folder from the library path, which reaches dependents too.
    println!("cargo::rustc-link-search=native={}", Path::new(&var("CARGO_MANIFEST_DIR")).join("linker").display());

    let cpu = match var("CARGO_CFG_TARGET_ARCH").as_str() {
        "x86" => "386".into(),
        "x86_64" => "amd64".into(),
        cpu => cpu.to_string(),
    };
    let target = var("TARGET");
    // Words that may lie anywhere: ARMv6. A stable compiler tells of v6 by nothing but the target's name.
    let features = env::var("CARGO_CFG_TARGET_FEATURE").unwrap_or_default();
    let named = ["armv6", "armv7", "thumbv7"].iter().any(|name| target.starts_with(name));
    if cpu == "arm" && (named || features.split(',').any(|feature| feature == "v6")) {
        println!("cargo::rustc-cfg=rt0_unaligned");
    }
    let port = format!("{}_{cpu}", var("CARGO_CFG_TARGET_OS"));
    // x32 is amd64 with pointers of 32 bits: no port of ours.
    if !PORTS.contains(&port.as_str()) || (cpu == "amd64" && var("CARGO_CFG_TARGET_POINTER_WIDTH") != "64") {
        return;
    }
    println!("cargo::rustc-cfg=rt0_port");
    if target == port {
        return; // targets/<port>.json says it all
    }

    // A standard target, made for programs with a libc: no memcpy in its `core`, and its start files in the link. The
    // arguments are those that cc, GNU ld and LLD understand alike; the segments are the script's business.
    println!("cargo::rustc-cfg=rt0_standard_target");
    let mut args = vec!["-nostdlib"];
    let script = format!("-T{port}.ld");
    match static_pie(&target) {
        // rustc itself says that it is to be one, in the words of the linker that it uses.
        Ok(true) => args.extend(["-Tpie.ld", "-ztext"]),
        Ok(false) => args.extend(["-static", "-no-pie", &script]),
        Err(sentence) => println!("cargo::error={sentence}"),
    }
    if cpu == "arm" {
        args.push("-zmax-page-size=4096"); // the default is 64 KiB, and the file would have a hole
    }
    println!("cargo::metadata=link_args={}", args.join(" "));
}

/// Whether a static-PIE is asked for, or why there cannot be one.
fn static_pie(target: &str) -> Result<bool, String> {
    let list = |name: &str, separator| -> Vec<String> {
        env::var(name).unwrap_or_default().split(separator).map(String::from).collect()
    };
    let static_crt = list("CARGO_CFG_TARGET_FEATURE", ',').iter().any(|feature| feature == "crt-static");
    let flags = list("CARGO_ENCODED_RUSTFLAGS", '\x1f');
    let model =
        flags.iter().filter_map(|flag| flag.split_once("relocation-model=")).next_back().map(|(_, model)| model);
    let possible = target == STATIC_PIE;
    match model {
        Some("pie") if !possible => Err(format!(
            "rustc links no static-PIE for {target}; leave out relocation-model=pie, or use a target of rt0's targets/"
        )),
        Some("pie") if !static_crt => {
            Err(format!("for a static-PIE {target} needs -C target-feature=+crt-static beside relocation-model=pie"))
        }
        Some("static") => Ok(false),
        _ => Ok(possible && static_crt),
    }
}
