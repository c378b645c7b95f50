/* Every function of rt0.h, rightly once and wrongly once: null, zero, huge. It prints the line of each answer that is not the
   documented one, and "done". It is a program without a C library and one with it. */
#include "check.h"

enum { NO_SUCH = 2, BAD_DESCRIPTOR = 9, NO_CHILD = 10, FAULT = 14, INVALID = 22 };

static size_t length_of(const char *text) {
    size_t length = 0;
    while (text[length] != 0) length++;
    return length;
}

static int same(const char *a, const char *b) {
    while (*a == *b && *a != 0) a++, b++;
    return *a == *b;
}

static const size_t HUGE = SIZE_MAX, LARGE = PTRDIFF_MAX;

static void heaps(void) {
    struct rt0_heap *heap = (struct rt0_heap *)&heap;
    struct rt0_decision decision;
    struct rt0_heap_stats stats;
    struct rt0_heap_policy policy = {.size = sizeof policy, .flags = RT0_HEAP_UNLOCKED, .cap = 4 << 20};
    struct { struct rt0_heap_policy known; uint64_t unknown; } longer = {{.size = sizeof longer}, 0};
    char line[401];
    uintptr_t where = 1;

    CHECK(rt0_heap_create(NULL, NULL, NULL) == -INVALID);
    policy.flags = 1u << 31;
    CHECK(rt0_heap_create(&policy, &heap, NULL) == -INVALID && heap == NULL);
    policy.flags = RT0_HEAP_UNLOCKED, policy.reserved = 1;
    CHECK(rt0_heap_create(&policy, &heap, NULL) == -INVALID);
    policy.reserved = 0, policy.size = 1;
    CHECK(rt0_heap_create(&policy, &heap, NULL) == -INVALID);
    policy.size = HUGE;
    CHECK(rt0_heap_create(&policy, &heap, NULL) == -INVALID);
    longer.unknown = 1;
    CHECK(rt0_heap_create(&longer.known, &heap, NULL) == -INVALID);
    longer.unknown = 0;
    CHECK(rt0_heap_create(&longer.known, &heap, NULL) == 0);
    rt0_heap_destroy(heap);

    policy.size = sizeof policy, policy.cap = 1;
    decision.size = sizeof decision;
    CHECK(rt0_heap_create(&policy, &heap, &decision) < 0 && heap == NULL && decision.failed == 1 && decision.cap == 1);
    size_t length = rt0_failure_line(&decision, line, sizeof line);
    CHECK(length > 50 && length < sizeof line && length_of(line) == length);
    line[47] = 0;
    CHECK(same(line, "rt0: cannot reserve arena virtual address space"));
    CHECK(rt0_failure_line(&decision, line, 4) == length && same(line, "rt0"));
    CHECK(rt0_failure_line(&decision, NULL, 0) == length && rt0_failure_line(NULL, line, 4) == 0);
    decision.size = 8;
    CHECK(rt0_failure_line(&decision, line, sizeof line) == 0);

    policy.cap = 4 << 20;
    decision.size = offsetof(struct rt0_decision, limit_error);
    decision.limit_error = 77;
    CHECK(rt0_heap_create(&policy, &heap, &decision) == 0 && heap != NULL);
    CHECK(decision.limit_error == 77); /* nothing behind its size is written */
    decision.size = sizeof decision;
    CHECK(rt0_heap_decision(heap, &decision) == 0 && decision.failed == 0 && decision.cap == 4 << 20);
    CHECK(decision.page == rt0_page_size() && decision.asked <= 4 << 20 && decision.error == 0);
    CHECK(rt0_failure_line(&decision, line, sizeof line) == 0);
    CHECK(rt0_heap_decision(NULL, &decision) == -INVALID && rt0_heap_decision(heap, NULL) == -INVALID);

    CHECK(rt0_heap_allocate(NULL, 8) == NULL && rt0_heap_allocate(heap, HUGE) == NULL);
    CHECK(rt0_heap_allocate(heap, LARGE) == NULL && rt0_heap_allocate_zeroed(heap, LARGE) == NULL);
    CHECK(rt0_heap_allocate_zeroed(NULL, 8) == NULL && rt0_heap_allocate_aligned(NULL, 8, 8) == NULL);
    CHECK(rt0_heap_allocate_aligned(heap, 8, 0) == NULL && rt0_heap_allocate_aligned(heap, 8, 24) == NULL);
    CHECK(rt0_heap_allocate_aligned(heap, 8, HUGE / 2 + 1) == NULL);
    CHECK(rt0_heap_reallocate(NULL, NULL, 0, 8) == NULL && rt0_heap_reallocate(heap, NULL, 0, HUGE) == NULL);
    CHECK(rt0_heap_allocate(heap, 5 << 20) == NULL); /* more than the cap */

    unsigned char *block = (unsigned char *)rt0_heap_allocate(heap, 100);
    void *none = rt0_heap_allocate(heap, 0), *other = rt0_heap_allocate(heap, 0);
    CHECK(block != NULL && (uintptr_t)block % (2 * sizeof(void *)) == 0 && none != NULL && none != other);
    for (int i = 0; i < 100; i++) block[i] = (unsigned char)i;
    CHECK(rt0_heap_reallocate(heap, block, 100, HUGE) == NULL && rt0_heap_reallocate(heap, block, HUGE, 8) == NULL);
    CHECK(rt0_heap_reallocate_aligned(heap, block, 100, 200, 3) == NULL);
    block = (unsigned char *)rt0_heap_reallocate(heap, block, 100, 100000);
    CHECK(block != NULL && block[0] == 0 && block[99] == 99);
    unsigned char *zeroed = (unsigned char *)rt0_heap_allocate_zeroed(heap, 50000);
    for (int i = 0; i < 50000; i++) CHECK(zeroed[i] == 0);
    void *aligned = rt0_heap_allocate_aligned(heap, 10, 4096);
    CHECK((uintptr_t)aligned % 4096 == 0 && aligned != NULL);
    aligned = rt0_heap_reallocate_aligned(heap, aligned, 10, 9000, 4096);
    CHECK((uintptr_t)aligned % 4096 == 0 && aligned != NULL);

    stats.size = sizeof stats;
    CHECK(rt0_heap_statistics(heap, &stats) == 0 && stats.live >= 159000 && stats.live < 200000 && stats.segments >= 1);
    CHECK(stats.reserved <= 4 << 20 && stats.committed <= stats.reserved && stats.peak >= stats.live);
    CHECK(rt0_heap_statistics(NULL, &stats) == -INVALID && rt0_heap_statistics(heap, NULL) == -INVALID);
    CHECK(rt0_heap_check(heap, &where) == RT0_HEAP_WHOLE && where == 0 && rt0_heap_check(NULL, &where) == -INVALID);
    CHECK(rt0_heap_block_size(100) >= 100 && rt0_heap_block_size(0) > 0 && rt0_heap_block_size(HUGE) == 0);

    rt0_heap_free(NULL, block, 100000);
    rt0_heap_free(heap, NULL, 100);
    rt0_heap_free_aligned(heap, NULL, 100, 3);
    rt0_heap_free_aligned(heap, aligned, 9000, 4096);
    rt0_heap_free(heap, zeroed, 50000);
    rt0_heap_free(heap, block, 100000);
    rt0_heap_free(heap, none, 0);
    rt0_heap_free(heap, other, 0);
    rt0_heap_trim(heap);
    rt0_heap_trim(NULL);
    CHECK(rt0_heap_statistics(heap, &stats) == 0 && stats.live == 0);

    CHECK(rt0_malloc(NULL, 8) == NULL && rt0_malloc(heap, HUGE) == NULL && rt0_malloc(heap, LARGE) == NULL);
    CHECK(rt0_calloc(NULL, 1, 8) == NULL && rt0_calloc(heap, HUGE / 2, 3) == NULL && rt0_calloc(heap, HUGE, 1) == NULL);
    CHECK(rt0_realloc(heap, NULL, HUGE) == NULL && rt0_realloc(NULL, NULL, 8) == NULL);
    CHECK(rt0_aligned_alloc(heap, 0, 8) == NULL && rt0_aligned_alloc(heap, 12, 8) == NULL);
    CHECK(rt0_aligned_alloc(heap, HUGE / 2 + 1, 8) == NULL && rt0_aligned_alloc(NULL, 8, 8) == NULL);
    CHECK(rt0_malloc_size(NULL) == 0);
    block = (unsigned char *)rt0_malloc(heap, 10);
    CHECK(block != NULL && rt0_malloc_size(block) == 10);
    block[9] = 9;
    CHECK(rt0_realloc(heap, block, HUGE) == NULL && block[9] == 9);
    block = (unsigned char *)rt0_realloc(heap, block, 70000);
    CHECK(block != NULL && block[9] == 9 && rt0_malloc_size(block) == 70000);
    zeroed = (unsigned char *)rt0_calloc(heap, 10, 1000);
    for (int i = 0; i < 10000; i++) CHECK(zeroed[i] == 0);
    aligned = rt0_aligned_alloc(heap, 1024, 5);
    CHECK(aligned != NULL && (uintptr_t)aligned % 1024 == 0 && rt0_malloc_size(aligned) == 5);
    aligned = rt0_realloc(heap, aligned, 6000);
    CHECK(aligned != NULL && (uintptr_t)aligned % 1024 == 0);
    rt0_free(heap, aligned);
    rt0_free(heap, zeroed);
    rt0_free(heap, block);
    rt0_free(heap, NULL);
    rt0_free(NULL, block);
    CHECK(rt0_heap_statistics(heap, &stats) == 0 && stats.live == 0 && rt0_heap_check(heap, NULL) == 0);
    rt0_heap_destroy(heap);
    rt0_heap_destroy(NULL);

    /* A heap that is destroyed leaves nothing: each could take all there is. */
    for (int i = 0; i < 100; i++) {
        CHECK(rt0_heap_create(NULL, &heap, NULL) == 0);
        CHECK(rt0_heap_allocate(heap, 1000) != NULL);
        rt0_heap_destroy(heap);
    }
    /* Nor does one that was never used, or never for what its arena is: more of them than address space has room for. */
    for (int i = 0; i < (sizeof(void *) == 8 ? 10000 : 50); i++) {
        if (rt0_heap_create(NULL, &heap, NULL) != 0) {
            CHECK(!"there is room for another heap");
            break;
        }
        if (i % 2 != 0) (void)rt0_heap_allocate(heap, HUGE / 4);
        rt0_heap_destroy(heap);
    }
}

/* What a small heap keeps in lists when all was freed is a small part of its cap (docs/heap.md). */
static void small_heap(void) {
    struct rt0_heap *heap;
    struct rt0_heap_policy policy = {.size = sizeof policy, .cap = 8 << 20};
    struct rt0_heap_stats stats = {.size = sizeof stats};
    void **last = NULL;
    CHECK(rt0_heap_create(&policy, &heap, NULL) == 0);
    if (heap == NULL) return;
    for (int i = 0; i < 8192; i++) {
        void **block = rt0_heap_allocate(heap, 512);
        CHECK(block != NULL);
        if (block == NULL) return;
        *block = last;
        last = block;
    }
    while (last != NULL) {
        void **before = *last;
        rt0_heap_free(heap, last, 512);
        last = before;
    }
    CHECK(rt0_heap_statistics(heap, &stats) == 0 && stats.live == 0 && stats.listed < 1 << 20);
    rt0_heap_destroy(heap);
}

/* Both processes go on with the heap after a fork. */
static void forked_heap(void) {
    struct rt0_heap *heap;
    int ended = -1;
    CHECK(rt0_heap_create(NULL, &heap, NULL) == 0);
    char *block = rt0_heap_allocate(heap, 20000);
    if (block == NULL) return failed(__LINE__);
    *block = 1;
    rt0_heap_before_fork(NULL), rt0_heap_before_fork(heap);
    int child = rt0_fork();
    if (child == 0) {
        rt0_heap_after_fork_in_child(NULL), rt0_heap_after_fork_in_child(heap);
        char *another = rt0_heap_allocate(heap, 30000);
        int whole = *block == 1 && another != NULL && rt0_heap_check(heap, NULL) == 0;
        rt0_exit(whole ? 7 : 8);
    }
    rt0_heap_after_fork_in_parent(NULL), rt0_heap_after_fork_in_parent(heap);
    CHECK(child > 0 && rt0_wait4(child, &ended, 0) == child && ended == 7 << 8);
    rt0_heap_free(heap, block, 20000);
    CHECK(rt0_heap_check(heap, NULL) == 0);
    rt0_heap_destroy(heap);
}

/* A long block that is freed twice is noticed at once: one line on fd 2, and status 2. */
static void freed_twice(void) {
    struct rt0_heap *heap;
    int ended = -1;
    CHECK(rt0_heap_create(NULL, &heap, NULL) == 0);
    char *block = rt0_heap_allocate(heap, 9216);
    int child = rt0_fork();
    if (child == 0) {
        rt0_close(2);
        rt0_heap_free(heap, block, 9216);
        rt0_heap_free(heap, block, 9216);
        rt0_exit(0);
    }
    CHECK(child > 0 && rt0_wait4(child, &ended, 0) == child && ended == 2 << 8);
    rt0_heap_destroy(heap);
}

static void space(void) {
    size_t page = rt0_page_size();
    void *base = &base;
    CHECK(page >= 4096 && (page & (page - 1)) == 0);
    CHECK(rt0_reserve(page, NULL) == -INVALID && rt0_reserve(0, &base) == -INVALID && base == NULL);
    CHECK(rt0_reserve(page + 1, &base) == -INVALID && rt0_reserve(HUGE & ~(page - 1), &base) < 0 && base == NULL);
    CHECK(rt0_reserve(16 * page, &base) == 0 && base != NULL);
    char *bytes = (char *)base;
    CHECK(rt0_commit(NULL, page) == -INVALID && rt0_commit(bytes + 1, page) == -INVALID && rt0_commit(bytes, 1) == -INVALID);
    CHECK(rt0_commit(bytes, 0) == -INVALID && rt0_commit(bytes, HUGE & ~(page - 1)) == -INVALID);
    CHECK(rt0_commit(bytes, 4 * page) == 0 && bytes[4 * page - 1] == 0);
    bytes[page] = 1;
    CHECK(rt0_reset(bytes + page, page) == 0 && rt0_reset(NULL, page) == -INVALID && rt0_reset(bytes, 3) == -INVALID);
    CHECK(rt0_release(NULL, page) == -INVALID && rt0_release(bytes, 3) == -INVALID && rt0_release(bytes, 16 * page) == 0);
}

static void system_calls(void) {
    char name[32];
    struct rt0_rlimit limit;
    struct rt0_timespec time = {0, 1};
    uint64_t bytes = 7;
    void *mapped = &mapped;
    int ended = -1;

    CHECK(rt0_error_name(-INVALID, name, sizeof name) == 6 && same(name, "EINVAL"));
    CHECK(rt0_error_name(INVALID, name, 4) == 6 && same(name, "EIN") && rt0_error_name(INVALID, NULL, 0) == 6);
    CHECK(rt0_error_name(4000, name, sizeof name) == 0 && name[0] == 0);
    CHECK(rt0_limit(&bytes) == (bytes != 7) && rt0_limit(NULL) >= 0);
    CHECK(rt0_write(-1, "x", 1) == -BAD_DESCRIPTOR && rt0_write_all(-1, "x", 1) == -BAD_DESCRIPTOR);
    CHECK(rt0_write_all(-1, NULL, 0) == 0 && rt0_read(-1, name, 1) == -BAD_DESCRIPTOR);
    CHECK(rt0_open("/no/such/file", RT0_O_RDONLY, 0) == -NO_SUCH && rt0_open(NULL, RT0_O_RDONLY, 0) == -FAULT);
    CHECK(rt0_close(-1) == -BAD_DESCRIPTOR && rt0_dup2(-1, 9) == -BAD_DESCRIPTOR);
    CHECK(rt0_mmap(NULL, 4096, RT0_PROT_READ, RT0_MAP_PRIVATE | RT0_MAP_ANON, -1, 0, NULL) == -INVALID);
    CHECK(rt0_mmap(NULL, 0, RT0_PROT_READ, RT0_MAP_PRIVATE | RT0_MAP_ANON, -1, 0, &mapped) == -INVALID && mapped == NULL);
    CHECK(rt0_mmap(NULL, 8192, RT0_PROT_READ | RT0_PROT_WRITE, RT0_MAP_PRIVATE | RT0_MAP_ANON, -1, 0, &mapped) == 0);
    CHECK(*(char *)mapped == 0 && rt0_mprotect(mapped, 4096, RT0_PROT_READ) == 0);
    CHECK(rt0_mprotect((char *)mapped + 1, 4096, RT0_PROT_READ) != 1 && rt0_madvise(mapped, 8192, 4) == 0);
    CHECK(rt0_munmap(mapped, 8192) == 0 && rt0_munmap(mapped, 0) == -INVALID);
    CHECK(rt0_getrlimit(RT0_RLIMIT_STACK, &limit) == 0 && limit.soft <= limit.hard && limit.soft > 4096);
    CHECK(rt0_getrlimit(-1, &limit) == -INVALID && rt0_getrlimit(RT0_RLIMIT_STACK, NULL) == -INVALID);
    CHECK(rt0_getrlimit(RT0_RLIMIT_STACK, &limit) == 0 && rt0_setrlimit(RT0_RLIMIT_STACK, &limit) == 0);
    CHECK(rt0_setrlimit(RT0_RLIMIT_STACK, NULL) == -INVALID && rt0_setrlimit(-1, &limit) == -INVALID);
#if defined(__x86_64__) && defined(__linux__)
    enum { CLOSE = 3 };
#else
    enum { CLOSE = 6 };
#endif
    CHECK(rt0_syscall(CLOSE, (uintptr_t)-1, HUGE, HUGE, HUGE, HUGE, HUGE) == -9); /* EBADF */
    CHECK(rt0_getpid() > 0 && rt0_kill(rt0_getpid(), 0) == 0 && rt0_kill(rt0_getpid(), 9999) == -INVALID);
    CHECK(rt0_nanosleep(&time) == 0 && rt0_nanosleep(NULL) == -INVALID);
    time.nanoseconds = -1;
    CHECK(rt0_nanosleep(&time) == -INVALID);
    CHECK(rt0_clock_gettime(RT0_CLOCK_MONOTONIC, &time) == 0 && rt0_clock_gettime(RT0_CLOCK_REALTIME, &time) == 0);
    CHECK(time.seconds > 1000000000 && time.nanoseconds < 1000000000);
    CHECK(rt0_clock_gettime(RT0_CLOCK_REALTIME, NULL) == -INVALID);
    CHECK(rt0_execve(NULL, NULL, NULL) == -FAULT);
    CHECK(rt0_wait4(-1, &ended, RT0_WNOHANG) == -NO_CHILD && rt0_wait4(-1, NULL, 0) == -NO_CHILD);
    int child = rt0_fork();
    if (child == 0) rt0_exit(7);
    CHECK(child > 0 && rt0_wait4(child, &ended, 0) == child && ended == 7 << 8);
    CHECK(rt0_env(NULL) == NULL && rt0_env("NO SUCH") == NULL && rt0_auxv(4000, NULL) == 0);
}

/* A file that comes and goes; its folder is the first of two that is there. */
static void files(void) {
    const char *path = rt0_access("/tmp", RT0_W_OK) == 0 ? "/tmp/rt0-c-calls" : "/rt0-c-calls";
    const int64_t far = INT64_C(5) << 30; /* more than 32 bits */
    struct rt0_stat stat;
    struct rt0_flock part = {RT0_LOCK_EXCLUSIVE, 0, 0, 0};
    char text[8] = "", random[2][16] = {"", ""};
    int different = 0;

    int fd = rt0_open(path, RT0_O_RDWR | RT0_O_CREAT | RT0_O_TRUNC | RT0_O_CLOEXEC, 0600);
    CHECK(fd >= 0 && rt0_pwrite(fd, "abc", 3, far) == 3 && rt0_pread(fd, text, 8, far + 1) == 2 && same(text, "bc"));
    CHECK(rt0_pread(-1, text, 8, 0) == -BAD_DESCRIPTOR && rt0_pread(fd, NULL, 8, far) == -FAULT);
    CHECK(rt0_pwrite(-1, text, 8, 0) == -BAD_DESCRIPTOR && rt0_pwrite(fd, NULL, 8, 0) == -FAULT);
    CHECK(rt0_pread(fd, text, 8, -1) == -INVALID && rt0_pwrite(fd, text, 8, INT64_MIN) == -INVALID);
    CHECK(rt0_lseek(fd, -1, RT0_SEEK_END) == far + 2 && rt0_lseek(fd, 0, RT0_SEEK_CUR) == far + 2);
    CHECK(rt0_lseek(fd, -1, RT0_SEEK_SET) == -INVALID && rt0_lseek(fd, 0, 99) == -INVALID && rt0_lseek(-1, 0, 0) < 0);
    CHECK(rt0_fstat(fd, &stat) == 0 && stat.size == (uint64_t)far + 3 && stat.links == 1 && stat.reserved == 0);
    CHECK((stat.mode & RT0_S_IFMT) == RT0_S_IFREG && stat.inode != 0 && stat.modified.seconds > 1000000000);
    CHECK(rt0_fstat(fd, NULL) == -INVALID && rt0_fstat(-1, &stat) == -BAD_DESCRIPTOR);
    CHECK(rt0_ftruncate(fd, 2) == 0 && rt0_fstat(fd, &stat) == 0 && stat.size == 2);
    CHECK(rt0_ftruncate(fd, -1) == -INVALID && rt0_ftruncate(-1, 0) == -BAD_DESCRIPTOR);
    CHECK(rt0_fsync(fd) == 0 && rt0_fsync(-1) == -BAD_DESCRIPTOR);
    part.length = 2;
    CHECK(rt0_fcntl_setlk(fd, &part) == 0 && rt0_fcntl_setlk(fd, NULL) == -INVALID);
    int child = rt0_fork();
    if (child == 0) { /* another process meets the lock */
        struct rt0_flock met = {RT0_LOCK_SHARED, 0, 1, 0};
        int refused = rt0_fcntl_setlk(fd, &met) < 0;
        int found = rt0_fcntl_getlk(fd, &met) == 0 && met.kind == RT0_LOCK_EXCLUSIVE && met.start == 0 && met.length == 2;
        rt0_exit(refused && found && met.pid != 0 ? 8 : 9);
    }
    int ended = -1;
    CHECK(rt0_wait4(child, &ended, 0) == child && ended == 8 << 8);
    CHECK(rt0_fcntl_getlk(fd, &part) == 0 && part.kind == RT0_LOCK_NONE); /* its own is in nobody's way */
    CHECK(rt0_fcntl_getlk(fd, &part) == -INVALID && rt0_fcntl_getlk(fd, NULL) == -INVALID);
    CHECK(rt0_fcntl_setlk(fd, &part) == 0 && rt0_fcntl_setlk(-1, &part) == -BAD_DESCRIPTOR);
    part.kind = 77;
    CHECK(rt0_fcntl_setlk(fd, &part) == -INVALID && rt0_fcntl_getlk(fd, &part) == -INVALID);
    part.kind = RT0_LOCK_SHARED, part.start = -1;
    CHECK(rt0_fcntl_setlk(fd, &part) == -INVALID);
    CHECK(rt0_access(path, RT0_R_OK | RT0_W_OK) == 0 && rt0_access(NULL, RT0_F_OK) == -FAULT);
    CHECK(rt0_access("/no/such/file", RT0_F_OK) == -NO_SUCH && rt0_readlink("/no/such/file", text, 8) == -NO_SUCH);
    CHECK(rt0_readlink(path, text, 8) == -INVALID && rt0_readlink(NULL, text, 8) == -FAULT);
    CHECK(rt0_isatty(fd) == 0 && rt0_isatty(-1) == 0);
    CHECK(rt0_unlink(path) == 0 && rt0_unlink(path) == -NO_SUCH && rt0_unlink(NULL) == -FAULT);
    CHECK(rt0_fstat(fd, &stat) == 0 && stat.links == 0 && rt0_close(fd) == 0);
    CHECK(rt0_getrandom(random[0], 16) == 16 && rt0_getrandom(random[1], 16) == 16);
    for (int i = 0; i < 16; i++) different |= random[0][i] ^ random[1][i];
    CHECK(different != 0 && rt0_getrandom(NULL, 16) == -FAULT && rt0_getrandom(text, 0) == 0);
}

static int shared;
static struct rt0_lock lock;

static void count(void *argument) {
    for (int i = 0; i < 1000; i++) {
        rt0_lock_take(&lock);
        shared += *(int *)argument;
        rt0_lock_release(&lock);
    }
}

static void threads(void) {
    static char stack[65536];
    struct rt0_thread thread;
    int step = 2, one = 1;
    CHECK(rt0_thread_start(NULL, stack, sizeof stack, count, &step) == -INVALID);
    CHECK(rt0_thread_start(&thread, NULL, sizeof stack, count, &step) == -INVALID);
    CHECK(rt0_thread_start(&thread, stack, sizeof stack, NULL, &step) == -INVALID);
    CHECK(rt0_thread_start(&thread, stack, 0, count, &step) == -INVALID);
    CHECK(rt0_thread_start(&thread, stack, 4096, count, &step) == -INVALID);
    CHECK(rt0_thread_start(&thread, stack, HUGE, count, &step) == -INVALID);
    CHECK(rt0_thread_join(NULL) == -INVALID);
    rt0_lock_take(NULL);
    rt0_lock_release(NULL);
    CHECK(rt0_thread_start(&thread, stack + 3, sizeof stack - 3, count, &step) == 0);
    count(&one);
    CHECK(rt0_thread_join(&thread) == 0 && shared == 3000);
}

int main(void) {
    heaps();
    small_heap();
    forked_heap();
    freed_twice();
    space();
    system_calls();
    files();
    threads();
    rt0_write_all(1, "done\n", 5);
    return failures > 0;
}
