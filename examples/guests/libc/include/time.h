/* The guests' C library: clocks. */
#ifndef GUEST_TIME_H
#define GUEST_TIME_H
#include <stddef.h>
typedef long long time_t;
typedef long clock_t;
#define CLOCKS_PER_SEC 1000000L
time_t time(time_t *seconds);
/* Since the first call, by a clock that is never set: rt0 has no clock of processor time yet. */
clock_t clock(void);
#endif
