/* The collector from C: what is reachable stays, what is not is freed, and every wrong call has its answer. It prints "done". */
#include "check.h"

enum { INVALID = 22, NO_MEMORY = 12 };
#define HUGE (~(size_t)0)

struct pair {
    struct pair *next;
    uintptr_t number;
};

static struct pair *kept;   /* what the callback marks */
static struct pair *array[2];

static void roots(void *context, struct rt0_gc_marker *marker) {
    CHECK(context == &kept);
    rt0_gc_mark(marker, kept);
    rt0_gc_mark_range(marker, array, array + 2);
    rt0_gc_mark_range(marker, array, NULL);
    rt0_gc_mark_range(marker, NULL, array);
    rt0_gc_mark(NULL, kept);
    rt0_gc_mark_range(NULL, array, array + 2);
}

static struct pair *list(struct rt0_gc *gc, uintptr_t length) {
    struct pair *first = NULL;
    rt0_gc_inhibit(gc);
    for (uintptr_t i = 0; i < length; i++) {
        struct pair *pair = (struct pair *)rt0_gc_allocate(gc, sizeof *pair);
        CHECK(pair != NULL && pair->next == NULL && pair->number == 0);
        if (pair == NULL) break;
        pair->next = first;
        pair->number = i;
        first = pair;
    }
    rt0_gc_allow(gc);
    return first;
}

static uintptr_t length_of(const struct pair *pair) {
    uintptr_t length = 0;
    for (; pair != NULL; pair = pair->next) length++;
    return length;
}

static struct rt0_gc_stats stats_of(struct rt0_gc *gc) {
    struct rt0_gc_stats stats;
    stats.size = sizeof stats;
    CHECK(rt0_gc_statistics(gc, &stats) == 0 && stats.size == sizeof stats);
    return stats;
}

/* Objects stay by the callback, by a range, by handles, by interior pointers and from other objects, and by nothing else. */
static void reachable(struct rt0_gc *gc) {
    kept = list(gc, 1000);
    array[1] = (struct pair *)((char *)list(gc, 10) + sizeof(void *) + 1); /* into the object */
    rt0_gc_handle handle = rt0_gc_hold(gc, list(gc, 100));
    CHECK(handle != 0 && stats_of(gc).handles == 1);
    list(gc, 5000);
    rt0_gc_collect(gc);
    CHECK(length_of(kept) == 1000 && length_of((struct pair *)rt0_gc_find(gc, array[1])) == 10);
    CHECK(length_of((struct pair *)rt0_gc_get(gc, handle)) == 100);
    CHECK(stats_of(gc).live == 1110 * sizeof(struct pair) && stats_of(gc).collections >= 1);
    CHECK(rt0_gc_release(gc, handle) == 0 && rt0_gc_release(gc, handle) == -INVALID && rt0_gc_get(gc, handle) == NULL);
    array[1] = NULL;
    kept = NULL;
    rt0_gc_collect(gc);
    CHECK(stats_of(gc).live == 0 && stats_of(gc).handles == 0 && rt0_gc_check(gc, NULL) == 0);

    /* A leaf is not looked into. */
    array[0] = (struct pair *)rt0_gc_allocate_leaf(gc, sizeof(struct pair));
    array[0]->next = list(gc, 3);
    rt0_gc_collect(gc);
    CHECK(stats_of(gc).live == sizeof(struct pair));
    array[0] = NULL;
}

static void handles(struct rt0_gc *gc) {
    rt0_gc_handle held[4];
    for (int i = 0; i < 4; i++) {
        held[i] = rt0_gc_hold(gc, rt0_gc_allocate(gc, 1));
        CHECK(held[i] != 0);
    }
    CHECK(rt0_gc_hold(gc, rt0_gc_allocate(gc, 1)) == 0);
    CHECK(rt0_gc_release(gc, held[2]) == 0 && rt0_gc_hold(gc, rt0_gc_allocate(gc, 1)) == held[2]);
    for (int i = 0; i < 4; i++) CHECK(rt0_gc_release(gc, held[i]) == 0);
}

static void weak(struct rt0_gc *gc) {
    kept = list(gc, 1);
    array[0] = (struct pair *)rt0_gc_weak(gc, kept);
    CHECK(array[0] != NULL && rt0_gc_weak_get(gc, array[0]) == kept);
    rt0_gc_collect(gc);
    CHECK(rt0_gc_weak_get(gc, array[0]) == kept);
    CHECK(rt0_gc_finalize(gc, kept) == 0 && rt0_gc_next_unreachable(gc) == NULL);
    uintptr_t address = (uintptr_t)kept;
    kept = NULL;
    rt0_gc_collect(gc);
    CHECK(rt0_gc_weak_get(gc, array[0]) == NULL);
    CHECK((uintptr_t)rt0_gc_next_unreachable(gc) == address && rt0_gc_next_unreachable(gc) == NULL);
    array[0] = NULL;
    rt0_gc_collect(gc);
    CHECK(stats_of(gc).live == 0);
}

/* A value is kept as long as its key is, and no longer, whether or not it refers to the key; a value that is no reference
   stays what it is. */
static void ephemerons(struct rt0_gc *gc) {
    uintptr_t value = 1;
    void *table = rt0_gc_ephemerons(gc);
    array[0] = (struct pair *)table;
    kept = list(gc, 300);
    CHECK(table != NULL && rt0_gc_ephemeron_get(gc, table, kept, &value) == 0 && value == 1);

    /* A chain: each value is the key of the next. Only its first key is reachable otherwise. */
    kept = list(gc, 1);
    struct pair *key = kept;
    for (uintptr_t i = 1; i <= 300; i++) {
        struct pair *next = list(gc, 1);
        next->number = i;
        CHECK(rt0_gc_ephemeron_set(gc, table, key, (uintptr_t)next | 1) == 0); /* tagged */
        key = next;
    }
    CHECK(rt0_gc_ephemeron_set(gc, table, key, (uintptr_t)-1) == 0);
    rt0_gc_collect(gc);
    key = kept;
    for (uintptr_t i = 1; i <= 300; i++) {
        CHECK(rt0_gc_ephemeron_get(gc, table, key, &value) == 1);
        key = (struct pair *)rt0_gc_find(gc, (void *)value);
        CHECK(key != NULL && key->number == i);
    }
    CHECK(rt0_gc_ephemeron_get(gc, table, key, &value) == 1 && value == (uintptr_t)-1);
    CHECK(rt0_gc_ephemeron_get(gc, table, key, NULL) == 1);

    /* Another value for a key; and what had no other way to it is gone. */
    CHECK(rt0_gc_ephemeron_set(gc, table, kept, 0) == 0);
    CHECK(rt0_gc_ephemeron_get(gc, table, kept, &value) == 1 && value == 0);
    CHECK(rt0_gc_ephemeron_set(gc, table, kept, (uintptr_t)list(gc, 5)) == 0);
    rt0_gc_collect(gc);
    size_t with_value = stats_of(gc).live;
    CHECK(rt0_gc_ephemeron_remove(gc, table, kept, &value) == 1 && length_of((struct pair *)value) == 5);
    CHECK(rt0_gc_ephemeron_remove(gc, table, kept, &value) == 0 && rt0_gc_ephemeron_get(gc, table, kept, NULL) == 0);
    value = 0;
    rt0_gc_collect(gc);
    CHECK(stats_of(gc).live == with_value - 5 * sizeof(struct pair));

    /* A value that refers to its key does not keep it. */
    struct pair *own = list(gc, 1);
    own->next = own;
    CHECK(rt0_gc_ephemeron_set(gc, table, own, (uintptr_t)own) == 0);
    rt0_gc_collect(gc);
    CHECK(stats_of(gc).live == with_value - 5 * sizeof(struct pair) && rt0_gc_check(gc, NULL) == 0);

    array[0] = kept = NULL;
    rt0_gc_collect(gc);
    CHECK(stats_of(gc).live == 0);
}

/* A heap of a bound size: more is refused, and what is dead makes room again. */
static void exhausted(struct rt0_gc *gc) {
    uintptr_t count = 0;
    void *table = rt0_gc_ephemerons(gc);
    array[0] = (struct pair *)table;
    size_t most = stats_of(gc).most;
    CHECK(rt0_gc_allocate(gc, most + 1) == NULL && rt0_gc_allocate(gc, HUGE) == NULL);
    for (;;) {
        struct pair *pair = (struct pair *)rt0_gc_allocate(gc, 4096);
        if (pair == NULL) break;
        pair->next = kept;
        kept = pair;
        count++;
    }
    CHECK(count > 0 && count * 4096 <= most && length_of(kept) == count && rt0_gc_check(gc, NULL) == 0);
    CHECK(rt0_gc_weak(gc, kept) == NULL || rt0_gc_allocate(gc, 4096) == NULL);
    /* A table that cannot grow is as it was. */
    uintptr_t pairs = 0, value = 0;
    struct pair *key = kept;
    while (key != NULL && rt0_gc_ephemeron_set(gc, table, key, pairs) == 0) key = key->next, pairs++;
    CHECK(key != NULL && rt0_gc_ephemeron_set(gc, table, key, 1) == -NO_MEMORY);
    CHECK(rt0_gc_ephemeron_get(gc, table, key, &value) == 0);
    for (key = kept; pairs > 0 && value < pairs - 1; key = key->next) CHECK(rt0_gc_ephemeron_get(gc, table, key, &value) == 1);
    CHECK(rt0_gc_ephemerons(gc) == NULL || rt0_gc_allocate(gc, 4096) == NULL);
    array[0] = NULL;
    kept = NULL;
    CHECK(rt0_gc_allocate(gc, most / 2) != NULL);
}

static void __attribute__((noinline)) clear_stack(void) {
    volatile char frame[4096];
    for (size_t i = 0; i < sizeof frame; i++) frame[i] = 0;
}

static void __attribute__((noinline)) scanned(struct rt0_gc *gc) {
    struct pair *volatile here = list(gc, 50);
    clear_stack();
    rt0_gc_collect(gc);
    CHECK(length_of(here) == 50 && stats_of(gc).live >= 50 * sizeof(struct pair));
}

static void wrong(struct rt0_gc *gc) {
    struct rt0_gc *other = gc;
    struct rt0_gc_policy policy = {.size = sizeof policy};
    struct rt0_decision decision = {.size = sizeof decision};
    char line[401];
    CHECK(rt0_gc_create(NULL, NULL, NULL) == -INVALID);
    policy.size = 1;
    CHECK(rt0_gc_create(&policy, &other, NULL) == -INVALID && other == NULL);
    policy.size = sizeof policy, policy.flags = 4;
    CHECK(rt0_gc_create(&policy, &other, NULL) == -INVALID);
    policy.flags = 0, policy.growth = 100;
    CHECK(rt0_gc_create(&policy, &other, NULL) == -INVALID);
    policy.growth = 0, policy.reserved = 1;
    CHECK(rt0_gc_create(&policy, &other, NULL) == -INVALID);
    policy.reserved = 0, policy.cap = RT0_NONE;
    CHECK(rt0_gc_create(&policy, &other, NULL) == -INVALID);
    policy.cap = 1;
    CHECK(rt0_gc_create(&policy, &other, &decision) == -NO_MEMORY && decision.failed == 1 && other == NULL);
    CHECK(rt0_failure_line(&decision, line, sizeof line) > 40 && line[0] == 'r');
    policy.cap = 0, policy.handles = ~0u;
    policy.size = sizeof policy;
    if (sizeof(void *) == 4) CHECK(rt0_gc_create(&policy, &other, NULL) == -NO_MEMORY);

    rt0_gc_destroy(NULL), rt0_gc_collect(NULL), rt0_gc_inhibit(NULL), rt0_gc_allow(NULL);
    rt0_gc_external(NULL, 1), rt0_gc_safepoint(NULL);
    CHECK(rt0_gc_allocate(NULL, 1) == NULL && rt0_gc_allocate_leaf(NULL, 1) == NULL);
    CHECK(rt0_gc_scan_stack(NULL, line) == -INVALID && rt0_gc_scan_stack(gc, NULL) == -INVALID);
    CHECK(rt0_gc_hold(NULL, line) == 0 && rt0_gc_hold(gc, NULL) == 0);
    CHECK(rt0_gc_get(NULL, 1) == NULL && rt0_gc_get(gc, 0) == NULL && rt0_gc_get(gc, HUGE) == NULL);
    CHECK(rt0_gc_release(NULL, 1) == -INVALID && rt0_gc_release(gc, 0) == -INVALID);
    CHECK(rt0_gc_release(gc, HUGE) == -INVALID);
    CHECK(rt0_gc_find(NULL, line) == NULL && rt0_gc_find(gc, NULL) == NULL && rt0_gc_find(gc, line) == NULL);
    CHECK(rt0_gc_object_size(NULL, line) == 0 && rt0_gc_object_size(gc, line) == 0);
    CHECK(rt0_gc_object_size(gc, rt0_gc_allocate(gc, 0)) == sizeof(void *));
    CHECK(rt0_gc_weak(NULL, line) == NULL && rt0_gc_weak(gc, line) == NULL && rt0_gc_weak(gc, NULL) == NULL);
    CHECK(rt0_gc_weak_get(NULL, line) == NULL && rt0_gc_weak_get(gc, NULL) == NULL);
    void *table = rt0_gc_ephemerons(gc), *object = rt0_gc_allocate(gc, 8);
    uintptr_t value = 1;
    CHECK(rt0_gc_ephemerons(NULL) == NULL && table != NULL && object != NULL);
    CHECK(rt0_gc_ephemeron_set(NULL, table, object, 1) == -INVALID && rt0_gc_ephemeron_set(gc, NULL, object, 1) == -INVALID);
    CHECK(rt0_gc_ephemeron_set(gc, table, NULL, 1) == -INVALID && rt0_gc_ephemeron_set(gc, table, line, 1) == -INVALID);
    CHECK(rt0_gc_ephemeron_set(gc, table, (char *)object + 1, 1) == -INVALID);
    CHECK(rt0_gc_ephemeron_get(NULL, table, object, &value) == -INVALID);
    CHECK(rt0_gc_ephemeron_get(gc, NULL, object, &value) == -INVALID);
    CHECK(rt0_gc_ephemeron_get(gc, table, NULL, &value) == -INVALID && rt0_gc_ephemeron_get(gc, table, line, &value) == -INVALID);
    CHECK(rt0_gc_ephemeron_remove(NULL, table, object, &value) == -INVALID);
    CHECK(rt0_gc_ephemeron_remove(gc, NULL, object, &value) == -INVALID);
    CHECK(rt0_gc_ephemeron_remove(gc, table, (void *)1, &value) == -INVALID);
    CHECK(rt0_gc_ephemeron_get(gc, table, object, &value) == 0 && value == 1);
    CHECK(rt0_gc_finalize(NULL, line) == -INVALID && rt0_gc_finalize(gc, line) == -INVALID);
    CHECK(rt0_gc_next_unreachable(NULL) == NULL && rt0_gc_next_unreachable(gc) == NULL);
    CHECK(rt0_gc_statistics(NULL, NULL) == -INVALID && rt0_gc_statistics(gc, NULL) == -INVALID);
    CHECK(rt0_gc_check(NULL, NULL) == -INVALID);
    uintptr_t where = 1;
    CHECK(rt0_gc_check(gc, &where) == 0 && where == 0);
    rt0_gc_allow(gc); /* once too often: it was allowed already */
    rt0_gc_external(gc, PTRDIFF_MAX);
    size_t before = stats_of(gc).collections;
    rt0_gc_safepoint(gc);
    CHECK(stats_of(gc).collections == before + 1);
    rt0_gc_external(gc, PTRDIFF_MIN);
}

/* A table of the program's own that keeps nothing, but for what `spared` stands for. */
enum { NAMES = 100 };
static struct pair *names[NAMES];
static struct pair *spared;
static int asked;

static void spare(void *context, struct rt0_gc_marker *marker) {
    CHECK(context == &kept);
    asked++;
    if (spared != NULL && rt0_gc_is_marked(marker, spared) == 0) rt0_gc_mark(marker, spared);
}

static void forget(void *context, struct rt0_gc_marker *marker) {
    CHECK(context == &kept);
    CHECK(rt0_gc_is_marked(NULL, kept) == -INVALID && rt0_gc_is_marked(marker, NULL) == -INVALID);
    for (int i = 0; i < NAMES; i++)
        if (names[i] != NULL && rt0_gc_is_marked(marker, names[i]) == 0) names[i] = NULL;
}

static void own_table(struct rt0_gc *gc) {
    kept = NULL;
    rt0_gc_inhibit(gc);
    for (int i = 0; i < NAMES; i++) {
        names[i] = (struct pair *)rt0_gc_allocate(gc, sizeof *names[i]);
        CHECK(names[i] != NULL);
        /* Every third is in a list; the others nothing keeps, but what the last of them leads to. */
        if (i % 3 == 0) names[i]->next = kept, kept = names[i];
    }
    spared = names[NAMES - 2];
    spared->next = names[1];
    rt0_gc_allow(gc);
    asked = 0;
    rt0_gc_collect(gc);
    CHECK(asked >= 2); /* once more after what it marked was scanned */
    for (int i = 0; i < NAMES; i++) CHECK((names[i] != NULL) == (i % 3 == 0 || i == 1 || i == NAMES - 2));
    spared = NULL, kept = NULL;
    rt0_gc_collect(gc);
    for (int i = 0; i < NAMES; i++) CHECK(names[i] == NULL);
}

int main(void) {
    struct rt0_gc_policy policy = {.size = sizeof policy};
    struct rt0_gc *gc;
    policy.cap = 4 << 20, policy.least = 1 << 20, policy.handles = 4;
    policy.roots = roots, policy.context = &kept;
    policy.mark_more = spare, policy.before_sweep = forget;
    CHECK(rt0_gc_create(&policy, &gc, NULL) == 0);
    reachable(gc);
    handles(gc);
    weak(gc);
    ephemerons(gc);
    own_table(gc);
    exhausted(gc);
    wrong(gc);
    CHECK(rt0_gc_scan_stack(gc, __builtin_frame_address(0)) == 0);
    scanned(gc);
    rt0_gc_destroy(gc);
    CHECK(rt0_gc_create(NULL, &gc, NULL) == 0 && rt0_gc_allocate(gc, 1000) != NULL);
    rt0_gc_destroy(gc);
    policy.flags = RT0_GC_WHOLE | RT0_GC_NO_ALLOWANCE;
    CHECK(rt0_gc_create(&policy, &gc, NULL) == 0);
    for (int i = 0; i < 100000; i++) CHECK(rt0_gc_allocate(gc, 100) != NULL);
    CHECK(stats_of(gc).collections > 0);
    rt0_gc_destroy(gc);
    if (failures == 0) rt0_write_all(1, "done\n", 5);
    return failures > 0;
}
