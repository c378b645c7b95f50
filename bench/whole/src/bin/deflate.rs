//! Text is compressed and expanded, by miniz_oxide.

#![cfg_attr(feature = "rt0", no_std, no_main)]

rt0_bench_whole::program!(rt0_bench_whole::deflate::work);
