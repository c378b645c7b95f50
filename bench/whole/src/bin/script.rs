//! Scripts are compiled and run, by rhai.

#![cfg_attr(feature = "rt0", no_std, no_main)]

rt0_bench_whole::program!(rt0_bench_whole::script::work);
