//! `include/rt0.h` is what cbindgen makes of `c/src`. `make header` writes it: it runs this test with RT0_WRITE_HEADER set.

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
