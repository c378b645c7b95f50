//! `include/rt0.h` is what cbindgen makes of `c/src`, and the defaults that it names are those of the heap. `make header` writes
//! it: it runs the first of these tests with RT0_WRITE_HEADER set.

use std::fs;

use rt0_tests::run::make::root;

#[test]
fn the_header_is_current() {
    let config = cbindgen::Config::from_file(root().join("c/cbindgen.toml")).unwrap();
    let bindings = cbindgen::Builder::new().with_crate(root().join("c")).with_config(config).generate().unwrap();
    let mut generated = Vec::new();
    bindings.write(&mut generated);
    let generated = String::from_utf8(generated).unwrap().replace("// # Safety\n", "// Required of the caller:\n");
    let file = root().join("include/rt0.h");
    if std::env::var_os("RT0_WRITE_HEADER").is_some() {
        fs::write(&file, &generated).unwrap();
    }
    let checked_in = fs::read_to_string(&file).unwrap_or_default();
    let first = generated.lines().zip(checked_in.lines()).position(|(new, old)| new != old);
    assert!(generated == checked_in, "include/rt0.h differs, first after line {first:?}: make header");
}

/// The mebibytes that the header says a field of the heap's policy has if it is 0, between two words.
fn default(before: &str, after: &str) -> usize {
    let header = fs::read_to_string(root().join("include/rt0.h")).unwrap().replace("\n  // ", " ");
    let text = header.split_once(before).unwrap_or_else(|| panic!("rt0.h does not say {before:?}")).1;
    text.split_once(after).unwrap_or_else(|| panic!("rt0.h does not say {after:?}")).0.parse().unwrap()
}

#[test]
fn the_defaults_of_a_heap_are_those_that_the_header_names() {
    // The number of the other width of words is held against the heap where `rt0-c` is compiled.
    let kept = if usize::BITS == 64 {
        default("stay committed; 0: ", " MiB on 64-bit ports")
    } else {
        default("MiB on 64-bit ports, ", " MiB on 32-bit ones")
    };
    assert_eq!(kept << 20, rt0::heap::PURGE_THRESHOLD);
    assert_eq!(default("where the kernel has them; 0: ", " MiB; `RT0_NONE`") << 20, rt0::heap::HUGE_FROM);
}
