/* Clocks and dates. */

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

#include "rt0.h"

int clock_gettime(int clock, struct timespec *time) {
    struct rt0_timespec now = {0, 0};
    int result = rt0_clock_gettime(clock == CLOCK_REALTIME ? RT0_CLOCK_REALTIME : RT0_CLOCK_MONOTONIC, &now);
    time->tv_sec = now.seconds;
    time->tv_nsec = now.nanoseconds;
    if (result < 0) errno = -result;
    return result < 0 ? -1 : 0;
}

time_t time(time_t *seconds) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (seconds != NULL) *seconds = now.tv_sec;
    return now.tv_sec;
}

double difftime(time_t later, time_t earlier) { return (double)(later - earlier); }

clock_t clock(void) {
    static struct timespec first;
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (first.tv_sec == 0) first = now;
    return (clock_t)((now.tv_sec - first.tv_sec) * CLOCKS_PER_SEC + (now.tv_nsec - first.tv_nsec) / 1000);
}

int gettimeofday(struct timeval *time, void *zone) {
    struct timespec now;
    (void)zone;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    time->tv_sec = now.tv_sec;
    time->tv_usec = now.tv_nsec / 1000;
    return result;
}

int nanosleep(const struct timespec *time, struct timespec *left) {
    struct rt0_timespec asked = {time->tv_sec, time->tv_nsec};
    if (left != NULL) left->tv_sec = 0, left->tv_nsec = 0;
    int result = rt0_nanosleep(&asked);
    if (result < 0) errno = -result;
    return result < 0 ? -1 : 0;
}

/* Days since 1970-01-01 of a date in the Gregorian calendar. A year begins in March here, so that a leap day is its last, and
   400 years have 146097 days. */
static long long days_of(long long year, int month, int day) {
    year -= month < 2;
    long long era = (year >= 0 ? year : year - 399) / 400;
    int of_era = (int)(year - era * 400);
    int of_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct tm *gmtime_r(const time_t *seconds, struct tm *date) {
    long long days = *seconds / 86400, rest = *seconds % 86400;
    if (rest < 0) rest += 86400, days--;
    long long of_march = days + 719468;
    long long era = (of_march >= 0 ? of_march : of_march - 146096) / 146097;
    int of_era = (int)(of_march - era * 146097);
    int year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
    int of_year = of_era - (365 * year + year / 4 - year / 100);
    int month = (5 * of_year + 2) / 153;
    memset(date, 0, sizeof *date);
    date->tm_mday = of_year - (153 * month + 2) / 5 + 1;
    date->tm_mon = (month + 2) % 12;
    long long number = era * 400 + year + (date->tm_mon < 2);
    date->tm_year = (int)(number - 1900);
    date->tm_yday = (int)(days - days_of(number, 0, 1));
    date->tm_wday = (int)(((days + 4) % 7 + 7) % 7);
    date->tm_hour = (int)(rest / 3600);
    date->tm_min = (int)(rest / 60 % 60);
    date->tm_sec = (int)(rest % 60);
    date->tm_zone = "UTC";
    return date;
}

struct tm *localtime_r(const time_t *seconds, struct tm *date) { return gmtime_r(seconds, date); }

struct tm *gmtime(const time_t *seconds) {
    static struct tm date;
    return gmtime_r(seconds, &date);
}

struct tm *localtime(const time_t *seconds) { return gmtime(seconds); }

time_t timegm(struct tm *date) {
    long long month = date->tm_mon, year = date->tm_year + 1900LL + month / 12;
    month %= 12;
    if (month < 0) month += 12, year--;
    time_t seconds = (days_of(year, (int)month, 1) + date->tm_mday - 1) * 86400 + date->tm_hour * 3600LL +
                     date->tm_min * 60LL + date->tm_sec;
    gmtime_r(&seconds, date);
    return seconds;
}

time_t mktime(struct tm *date) { return timegm(date); }

size_t strftime(char *to, size_t size, const char *format, const struct tm *date) {
    static const char *const days[] = {"Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"};
    static const char *const months[] = {"January", "February", "March",     "April",   "May",      "June",
                                         "July",    "August",   "September", "October", "November", "December"};
    size_t length = 0;
    for (; *format != 0; format++) {
        char text[64] = {*format, 0};
        const char *whole = NULL;
        int twelve = date->tm_hour % 12 == 0 ? 12 : date->tm_hour % 12;
        if (*format == '%' && format[1] != 0) {
            switch (*++format) {
            case 'a': snprintf(text, sizeof text, "%.3s", days[date->tm_wday]); break;
            case 'A': snprintf(text, sizeof text, "%s", days[date->tm_wday]); break;
            case 'b': snprintf(text, sizeof text, "%.3s", months[date->tm_mon]); break;
            case 'B': snprintf(text, sizeof text, "%s", months[date->tm_mon]); break;
            case 'c': whole = "%a %b %e %H:%M:%S %Y"; break;
            case 'd': snprintf(text, sizeof text, "%02d", date->tm_mday); break;
            case 'D':
            case 'x': whole = "%m/%d/%y"; break;
            case 'e': snprintf(text, sizeof text, "%2d", date->tm_mday); break;
            case 'F': whole = "%Y-%m-%d"; break;
            case 'H': snprintf(text, sizeof text, "%02d", date->tm_hour); break;
            case 'I': snprintf(text, sizeof text, "%02d", twelve); break;
            case 'j': snprintf(text, sizeof text, "%03d", date->tm_yday + 1); break;
            case 'm': snprintf(text, sizeof text, "%02d", date->tm_mon + 1); break;
            case 'M': snprintf(text, sizeof text, "%02d", date->tm_min); break;
            case 'n': snprintf(text, sizeof text, "\n"); break;
            case 'p': snprintf(text, sizeof text, date->tm_hour < 12 ? "AM" : "PM"); break;
            case 'r': whole = "%I:%M:%S %p"; break;
            case 'R': whole = "%H:%M"; break;
            case 'S': snprintf(text, sizeof text, "%02d", date->tm_sec); break;
            case 't': snprintf(text, sizeof text, "\t"); break;
            case 'T':
            case 'X': whole = "%H:%M:%S"; break;
            case 'u': snprintf(text, sizeof text, "%d", date->tm_wday == 0 ? 7 : date->tm_wday); break;
            case 'w': snprintf(text, sizeof text, "%d", date->tm_wday); break;
            case 'y': snprintf(text, sizeof text, "%02d", (date->tm_year % 100 + 100) % 100); break;
            case 'Y': snprintf(text, sizeof text, "%d", date->tm_year + 1900); break;
            case 'z': snprintf(text, sizeof text, "+0000"); break;
            case 'Z': snprintf(text, sizeof text, "UTC"); break;
            case '%': break;
            default: snprintf(text, sizeof text, "%%%c", *format);
            }
        }
        if (whole != NULL && strftime(text, sizeof text, whole, date) == 0) return 0;
        size_t part = strlen(text);
        if (part >= size - length) return 0;
        memcpy(to + length, text, part + 1);
        length += part;
    }
    if (length == 0 && size > 0) *to = 0;
    return length;
}

char *strptime(const char *text, const char *format, struct tm *date) {
    for (; *format != 0; format++) {
        if (isspace((unsigned char)*format)) {
            while (isspace((unsigned char)*text)) text++;
            continue;
        }
        if (*format != '%' || format[1] == '%') {
            format += *format == '%';
            if (*text++ != *format) return NULL;
            continue;
        }
        const char *whole = *++format == 'F' ? "%Y-%m-%d" : *format == 'T' ? "%H:%M:%S" : NULL;
        if (whole != NULL) {
            text = strptime(text, whole, date);
            if (text == NULL) return NULL;
            continue;
        }
        int number = 0, digits = 0, most = *format == 'Y' ? 4 : 2;
        while (isspace((unsigned char)*text)) text++;
        for (; digits < most && isdigit((unsigned char)*text); digits++) number = number * 10 + (*text++ - '0');
        if (digits == 0) return NULL;
        switch (*format) {
        case 'd':
        case 'e': date->tm_mday = number; break;
        case 'H': date->tm_hour = number; break;
        case 'm': date->tm_mon = number - 1; break;
        case 'M': date->tm_min = number; break;
        case 'S': date->tm_sec = number; break;
        case 'Y': date->tm_year = number - 1900; break;
        default: return NULL;
        }
    }
    return (char *)text;
}
