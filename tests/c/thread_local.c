/* Thread-local variables, of which one is aligned to ALIGN bytes: as they are at first in each thread, at aligned addresses,
   and each thread's own. It prints "done". */
#include "check.h"

#ifndef ALIGN
#define ALIGN 1
#endif

enum { THREADS = 3, STACK = 64 << 10, BAD = 1 };

static _Thread_local char filled[3] = "tls";
static _Thread_local long long number = 0x0123456789abcdefLL;
static _Thread_local char zeroes[5];
static _Thread_local __attribute__((aligned(ALIGN))) char aligned;
static _Thread_local short last;

static char stacks[THREADS][STACK];
static volatile int written;
static struct rt0_lock lock;

static void as_at_first(void) {
    char *volatile at = &aligned;
    CHECK(filled[0] == 't' && filled[1] == 'l' && filled[2] == 's');
    CHECK(number == 0x0123456789abcdefLL);
    for (size_t i = 0; i < sizeof zeroes; i++) CHECK(zeroes[i] == 0);
    CHECK(aligned == 0 && last == 0);
    CHECK((uintptr_t)at % ALIGN == 0);
}

static void work(void *argument) {
    char mark = *(char *)argument;
    char text[32];
    char *volatile protect = text;
    protect[0] = mark;
    as_at_first();
    filled[0] = zeroes[4] = aligned = mark, number = last = mark;
    rt0_lock_take(&lock);
    written++;
    rt0_lock_release(&lock);
    while (written < THREADS) {
        rt0_lock_take(&lock);
        rt0_lock_release(&lock);
    }
    CHECK(filled[0] == mark && zeroes[4] == mark && aligned == mark && number == mark && last == mark);
    CHECK(protect[0] == mark);
}

int main(void) {
    struct rt0_thread threads[THREADS];
    static char marks[THREADS] = {'a', 'b', 'c'};
    as_at_first();
    filled[0] = aligned = 'm', number = 'm';
    for (int i = 0; i < THREADS; i++) {
        for (int at = 0; at < STACK; at++) stacks[i][at] = (char)0xa5;
        CHECK(rt0_thread_start(&threads[i], stacks[i], STACK, work, &marks[i]) == 0);
    }
    for (int i = 0; i < THREADS; i++) CHECK(rt0_thread_join(&threads[i]) == 0);
    CHECK(filled[0] == 'm' && aligned == 'm' && number == 'm' && last == 0);
    if (failures == 0) rt0_write_all(1, "done\n", 5);
    return failures != 0;
}
