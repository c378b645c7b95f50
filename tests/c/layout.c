/* The layout of every structure of rt0.h, as numbers: those of c/src/layout.rs. It is compiled for every port, never run. */
#include "rt0.h"

#ifdef __cplusplus
#define CHECK(condition) static_assert(condition, #condition)
#else
#define CHECK(condition) _Static_assert(condition, #condition)
#endif
#define AT(type, field) offsetof(struct type, field)

enum {
    W = sizeof(void *),
    /* 64-bit fields begin at a word on x86, at eight bytes elsewhere. */
#if defined(__i386__)
    L = 4,
#else
    L = 8,
#endif
    POLICY = (W + 8 + L - 1) / L * L,
    LIMIT = POLICY,
    PAUSES = (10 * W + L - 1) / L * L,
    WORDS = (LIMIT + 100 + L - 1) / L * L
};

CHECK(sizeof(struct rt0_timespec) == 16 && AT(rt0_timespec, nanoseconds) == 8);
CHECK(sizeof(struct rt0_stat) == 56 && AT(rt0_stat, size) == 24 && AT(rt0_stat, modified) == 32);
CHECK(AT(rt0_stat, mode) == 48 && AT(rt0_stat, reserved) == 52);
CHECK(sizeof(struct rt0_flock) == 24 && AT(rt0_flock, pid) == 4 && AT(rt0_flock, length) == 16);
CHECK(sizeof(struct rt0_rlimit) == 16 && AT(rt0_rlimit, hard) == 8);
CHECK(sizeof(struct rt0_lock) == 8 && sizeof(struct rt0_thread) == 4 * W);
CHECK(sizeof(struct rt0_heap_stats) == 8 * W && AT(rt0_heap_stats, segments) == 7 * W);
CHECK(AT(rt0_heap_policy, flags) == W && AT(rt0_heap_policy, reserved) == W + 4);
CHECK(AT(rt0_heap_policy, allowance) == POLICY && AT(rt0_heap_policy, huge_from) == POLICY + 24);
CHECK(sizeof(struct rt0_heap_policy) == POLICY + 32);
CHECK(AT(rt0_gc_policy, growth) == W + 4 && AT(rt0_gc_policy, allowance) == POLICY);
CHECK(AT(rt0_gc_policy, handles) == POLICY + 24 && AT(rt0_gc_policy, roots) == POLICY + 32);
CHECK(AT(rt0_gc_policy, mark_more) == POLICY + 32 + 2 * W && AT(rt0_gc_policy, before_sweep) == POLICY + 32 + 3 * W);
CHECK(sizeof(struct rt0_gc_policy) == (POLICY + 32 + 4 * W + L - 1) / L * L);
CHECK(AT(rt0_gc_stats, handles) == 9 * W && AT(rt0_gc_stats, longest_pause) == PAUSES);
CHECK(sizeof(struct rt0_gc_stats) == PAUSES + 16);
CHECK(AT(rt0_decision, limit_source) == W && AT(rt0_decision, limit) == LIMIT);
CHECK(AT(rt0_decision, asked) == LIMIT + 64 && AT(rt0_decision, tries) == LIMIT + 72);
CHECK(AT(rt0_decision, unaligned_address) == LIMIT + 88 && AT(rt0_decision, failed) == LIMIT + 96);
CHECK(AT(rt0_decision, private_words) == WORDS && sizeof(struct rt0_decision) == WORDS + 256);
