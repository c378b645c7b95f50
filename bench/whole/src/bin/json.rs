//! JSON is read, changed and written, by serde_json.

#![cfg_attr(feature = "rt0", no_std, no_main)]

rt0_bench_whole::program!(rt0_bench_whole::json::work);
