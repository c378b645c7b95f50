/* The guests' C library: the time with microseconds. */
#ifndef GUEST_SYS_TIME_H
#define GUEST_SYS_TIME_H
#include <time.h>
struct timeval {
    time_t tv_sec;
    long tv_usec;
};
int gettimeofday(struct timeval *time, void *zone);
#endif
