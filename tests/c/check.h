/* What the C tests share: CHECK prints the line of a condition that does not hold, and counts it. */
#include "rt0.h"

static int failures;

static void failed(int line) {
    char digits[16];
    int at = sizeof digits;
    digits[--at] = '\n';
    for (; line > 0; line /= 10) digits[--at] = (char)('0' + line % 10);
    rt0_write_all(1, digits + at, sizeof digits - (size_t)at);
    failures++;
}

#define CHECK(condition) ((condition) ? (void)0 : failed(__LINE__))
