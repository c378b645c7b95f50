/* SQLite on rt0: a shell that runs SQL.

     sqlite DATABASE          runs what it reads from stdin
     sqlite DATABASE SQL...   runs each argument

   Rows are printed as Debian's sqlite3 prints them: columns with | between. After an error it goes on, and ends with status 1.
   SQLite's memory comes from a heap of rt0's; compiled with GUEST_MALLOC it comes from the C library's malloc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt0.h"
#include "sqlite3.h"

#ifdef GUEST_MALLOC

static int open_memory(void) { return 0; }

#else

/* One heap without a lock, since this program has one thread. SQLite frees blocks without their sizes and asks for them, so
   the functions are those that keep sizes. */
static struct rt0_heap *heap;

static void *memory_allocate(int size) { return rt0_malloc(heap, (size_t)size); }
static void memory_free(void *block) { rt0_free(heap, block); }
static void *memory_reallocate(void *block, int size) { return rt0_realloc(heap, block, (size_t)size); }
static int memory_size(void *block) { return (int)rt0_malloc_size(block); }
static int memory_round_up(int size) { return (size + 7) & ~7; }

static int memory_init(void *unused) {
    (void)unused;
    return SQLITE_OK;
}

static void memory_shut_down(void *unused) { (void)unused; }

static int open_memory(void) {
    static const sqlite3_mem_methods methods = {memory_allocate, memory_free,     memory_reallocate, memory_size,
                                                memory_round_up, memory_init,     memory_shut_down,  NULL};
    /* Nothing is kept for the stack, since it stays within what the process has at first: see bound_stack. */
    struct rt0_heap_policy policy = {.size = sizeof policy, .flags = RT0_HEAP_UNLOCKED | RT0_HEAP_NO_ALLOWANCE};
    struct rt0_decision decision = {.size = sizeof decision};
    if (rt0_heap_create(&policy, &heap, &decision) != 0) {
        char line[401];
        rt0_failure_line(&decision, line, sizeof line);
        fprintf(stderr, "%s\n", line);
        return 2;
    }
    return sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK ? 0 : 2;
}

#endif

/* A process has 128 KiB of stack at first. SQLite recurses as deep as statements nest, by default 1000 levels of half a KiB: so
   deep a statement would need memory that a heap may have taken, and end by a signal. With these bounds it is an error of
   SQLite's, and 100 KiB are enough. */
static void bound_stack(sqlite3 *database) {
    sqlite3_limit(database, SQLITE_LIMIT_EXPR_DEPTH, 150);
    sqlite3_limit(database, SQLITE_LIMIT_COMPOUND_SELECT, 150);
    sqlite3_limit(database, SQLITE_LIMIT_LIKE_PATTERN_LENGTH, 500);
}

static int print_row(void *unused, int count, char **values, char **names) {
    (void)unused, (void)names;
    for (int i = 0; i < count; i++) {
        if (i > 0) putchar('|');
        fputs(values[i] != NULL ? values[i] : "", stdout);
    }
    putchar('\n');
    return 0;
}

static int run(sqlite3 *database, const char *sql) {
    char *message = NULL;
    int result = sqlite3_exec(database, sql, print_row, NULL, &message);
    if (result == SQLITE_OK) return 0;
    fflush(stdout);
    fprintf(stderr, "sqlite: error %d: %s\n", result, message != NULL ? message : sqlite3_errstr(result));
    sqlite3_free(message);
    return 1;
}

/* Reads statements, each up to the semicolon that ends it, and runs them. */
static int read_and_run(sqlite3 *database) {
    enum { SIZE = 65536 };
    char *sql = sqlite3_malloc(SIZE);
    size_t length = 0;
    int status = 0;
    if (sql == NULL) {
        fprintf(stderr, "sqlite: %s\n", sqlite3_errstr(SQLITE_NOMEM));
        return 1;
    }
    while (length + 2 < SIZE && fgets(sql + length, (int)(SIZE - length), stdin) != NULL) {
        length += strlen(sql + length);
        if (!sqlite3_complete(sql)) continue;
        status |= run(database, sql);
        fflush(stdout);
        length = 0;
    }
    if (length > 0) status |= run(database, sql);
    sqlite3_free(sql);
    return status;
}

int main(int argc, char **argv) {
    sqlite3 *database;
    int status = 0;
    if (argc < 2) {
        fprintf(stderr, "usage: sqlite DATABASE [SQL...]\n");
        return 2;
    }
    if (open_memory() != 0) return 2;
    int result = sqlite3_open(argv[1], &database);
    if (result != SQLITE_OK) {
        fprintf(stderr, "sqlite: %s: %s\n", argv[1], sqlite3_errstr(result));
        return 2;
    }
    bound_stack(database);
    if (argc == 2) status = read_and_run(database);
    for (int i = 2; i < argc; i++) status |= run(database, argv[i]);
    sqlite3_close(database);
    fflush(stdout);
    return status;
}
