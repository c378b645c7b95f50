/* The guests' C library: clocks and dates. All times are UTC: there are no time zones. */
#ifndef GUEST_TIME_H
#define GUEST_TIME_H
#include <stddef.h>
typedef long long time_t;
typedef long clock_t;
#define CLOCKS_PER_SEC 1000000L
#define CLOCK_REALTIME 0
#define CLOCK_MONOTONIC 1
struct timespec {
    time_t tv_sec;
    long tv_nsec;
};
struct tm {
    int tm_sec, tm_min, tm_hour, tm_mday, tm_mon, tm_year, tm_wday, tm_yday, tm_isdst;
    long tm_gmtoff;
    const char *tm_zone;
};
time_t time(time_t *seconds);
double difftime(time_t later, time_t earlier);
/* Since the first call, by a clock that is never set: rt0 has no clock of processor time yet. */
clock_t clock(void);
int clock_gettime(int clock, struct timespec *time);
int nanosleep(const struct timespec *time, struct timespec *left);
struct tm *gmtime(const time_t *seconds);
struct tm *gmtime_r(const time_t *seconds, struct tm *date);
struct tm *localtime(const time_t *seconds);
struct tm *localtime_r(const time_t *seconds, struct tm *date);
time_t mktime(struct tm *date);
time_t timegm(struct tm *date);
/* Conversions of numbers and names: a A b B c d D e F H I j m M n p r R S t T u w x X y Y Z z %. */
size_t strftime(char *to, size_t size, const char *format, const struct tm *date);
/* Numbers alone: d e F H m M S T Y %. */
char *strptime(const char *text, const char *format, struct tm *date);
#endif
