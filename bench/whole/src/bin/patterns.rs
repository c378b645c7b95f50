//! Text is searched for regular expressions, by regex-automata.

#![cfg_attr(feature = "rt0", no_std, no_main)]

rt0_bench_whole::program!(rt0_bench_whole::patterns::work);
