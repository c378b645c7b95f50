/* Memory, numbers in text, sorting, the end. */

#include <assert.h>
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <locale.h>
#include <malloc.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt0.h"

int errno;

/* malloc and kin: a heap made when it is first asked for, with the sizes of blocks kept before them. A guest that knows
   the sizes of its blocks makes a heap of its own and does without these. */
static struct rt0_heap *heap;

static struct rt0_heap *the_heap(void) {
    if (heap == NULL && rt0_heap_create(NULL, &heap, NULL) != 0) errno = ENOMEM;
    return heap;
}

static void *or_errno(void *block) {
    if (block == NULL) errno = ENOMEM;
    return block;
}

void *malloc(size_t size) { return or_errno(rt0_malloc(the_heap(), size)); }
void *calloc(size_t count, size_t size) { return or_errno(rt0_calloc(the_heap(), count, size)); }
void *realloc(void *block, size_t size) { return or_errno(rt0_realloc(the_heap(), block, size)); }
void free(void *block) { rt0_free(heap, block); }
void *aligned_alloc(size_t align, size_t size) { return or_errno(rt0_aligned_alloc(the_heap(), align, size)); }
size_t malloc_usable_size(void *block) { return rt0_malloc_size(block); }

char *strdup(const char *text) {
    size_t size = strlen(text) + 1;
    char *copy = malloc(size);
    return copy != NULL ? memcpy(copy, text, size) : NULL;
}

char *strndup(const char *text, size_t most) {
    size_t length = strnlen(text, most);
    char *copy = malloc(length + 1);
    if (copy == NULL) return NULL;
    copy[length] = 0;
    return memcpy(copy, text, length);
}

/* What is to be called at the end, the last first: 32 functions, as C says at least. */
enum { AT_EXIT = 32 };
static void (*at_exit[AT_EXIT])(void);
static int at_exit_count;

int atexit(void (*function)(void)) {
    if (at_exit_count == AT_EXIT) return -1;
    at_exit[at_exit_count++] = function;
    return 0;
}

/* The end. What stdout still holds is written. */
void exit(int status) {
    while (at_exit_count > 0) at_exit[--at_exit_count]();
    fflush(NULL);
    rt0_exit(status);
}

void abort(void) {
    fflush(NULL);
    rt0_exit(134);
}

void guest_assert_failed(const char *condition, const char *file, int line) {
    fprintf(stderr, "%s:%d: assertion failed: %s\n", file, line, condition);
    abort();
}

char *getenv(const char *name) { return (char *)rt0_env(name); }

char *strerror(int error) {
    static char name[32];
    size_t length = rt0_error_name(error, name, sizeof name);
    if (length == 0) snprintf(name, sizeof name, "error %d", error);
    return name;
}

int abs(int number) { return number < 0 ? -number : number; }
long labs(long number) { return number < 0 ? -number : number; }
long long llabs(long long number) { return number < 0 ? -number : number; }
div_t div(int number, int by) { return (div_t){number / by, number % by}; }
ldiv_t ldiv(long number, long by) { return (ldiv_t){number / by, number % by}; }
lldiv_t lldiv(long long number, long long by) { return (lldiv_t){number / by, number % by}; }

/* The digits of a whole number: its size without the sign, which *negative is told. Too large is ERANGE and the largest. */
static unsigned long long whole(const char *text, char **end, int base, int *negative) {
    const char *at = text;
    unsigned long long number = 0;
    int any = 0, over = 0;
    while (isspace((unsigned char)*at)) at++;
    *negative = *at == '-';
    if (*at == '-' || *at == '+') at++;
    if ((base == 0 || base == 16) && at[0] == '0' && (at[1] | 32) == 'x' && isxdigit((unsigned char)at[2])) {
        at += 2;
        base = 16;
    }
    if (base == 0) base = *at == '0' ? 8 : 10;
    for (;; at++) {
        int c = (unsigned char)*at;
        int digit = isdigit(c) ? c - '0' : isalpha(c) ? (c | 32) - 'a' + 10 : 99;
        if (digit >= base) break;
        any = 1;
        if (__builtin_mul_overflow(number, (unsigned long long)base, &number) ||
            __builtin_add_overflow(number, (unsigned long long)digit, &number))
            over = 1;
    }
    if (end != NULL) *end = (char *)(any ? at : text);
    if (over) errno = ERANGE;
    return over ? ULLONG_MAX : number;
}

static long long within(unsigned long long number, int negative, long long least, long long most) {
    unsigned long long bound = negative ? (unsigned long long)most + 1 : (unsigned long long)most;
    if (number > bound) {
        errno = ERANGE;
        return negative ? least : most;
    }
    return negative ? (long long)(0 - number) : (long long)number;
}

long strtol(const char *text, char **end, int base) {
    int negative;
    unsigned long long number = whole(text, end, base, &negative);
    return (long)within(number, negative, LONG_MIN, LONG_MAX);
}

long long strtoll(const char *text, char **end, int base) {
    int negative;
    unsigned long long number = whole(text, end, base, &negative);
    return within(number, negative, LLONG_MIN, LLONG_MAX);
}

unsigned long long strtoull(const char *text, char **end, int base) {
    int negative;
    unsigned long long number = whole(text, end, base, &negative);
    return negative ? 0 - number : number;
}

unsigned long strtoul(const char *text, char **end, int base) {
    unsigned long long number = strtoull(text, end, base);
    return (unsigned long)number;
}

int atoi(const char *text) { return (int)strtol(text, NULL, 10); }
long atol(const char *text) { return strtol(text, NULL, 10); }
double atof(const char *text) { return strtod(text, NULL); }

/* The length of the decimal number at text, without white space, by C's grammar; 0 if there is none. */
static size_t decimal_length(const char *text) {
    const char *at = text;
    int digits = 0;
    if (*at == '-' || *at == '+') at++;
    for (; isdigit((unsigned char)*at); at++) digits++;
    if (*at == '.')
        for (at++; isdigit((unsigned char)*at); at++) digits++;
    if (digits == 0) return 0;
    if ((*at | 32) == 'e') {
        const char *exponent = at + 1;
        if (*exponent == '-' || *exponent == '+') exponent++;
        if (isdigit((unsigned char)*exponent)) {
            while (isdigit((unsigned char)*exponent)) exponent++;
            at = exponent;
        }
    }
    return (size_t)(at - text);
}

/* Decimal numbers, correctly rounded: the crate numbers reads them with Rust's core. */
double guest_parse(const char *text, size_t length);

/* The hexadecimal number behind a 0x. Digits that a double has no room for count in its rounding only. */
static double hexadecimal(const char *at, char **end) {
    unsigned long long mantissa = 0;
    int exponent = 0, point = 0;
    for (;; at++) {
        int c = (unsigned char)*at;
        if (c == '.' && !point) {
            point = 1;
            continue;
        }
        if (!isxdigit(c)) break;
        int digit = isdigit(c) ? c - '0' : (c | 32) - 'a' + 10;
        if (mantissa >> 59 == 0) {
            mantissa = mantissa * 16 + (unsigned)digit;
            exponent -= point ? 4 : 0;
        } else {
            mantissa |= digit != 0;
            exponent += point ? 0 : 4;
        }
    }
    if ((*at | 32) == 'p') {
        const char *digits = at + 1;
        if (*digits == '-' || *digits == '+') digits++;
        if (isdigit((unsigned char)*digits)) {
            long power = strtol(at + 1, (char **)&at, 10);
            exponent += (int)(power > 100000 ? 100000 : power < -100000 ? -100000 : power);
        }
    }
    if (end != NULL) *end = (char *)at;
    return ldexp((double)mantissa, exponent);
}

double strtod(const char *text, char **end) {
    const char *at = text;
    size_t length;
    while (isspace((unsigned char)*at)) at++;
    const char *digits = at + (*at == '-' || *at == '+');
    if (digits[0] == '0' && (digits[1] | 32) == 'x' &&
        (isxdigit((unsigned char)digits[2]) || (digits[2] == '.' && isxdigit((unsigned char)digits[3])))) {
        double number = hexadecimal(digits + 2, end);
        return *at == '-' ? -number : number;
    }
    length = decimal_length(at);
    if (end != NULL) *end = (char *)(length > 0 ? at + length : text);
    return length > 0 ? guest_parse(at, length) : 0;
}

/* By way of a double: the last bit may be another one than that of the nearest float. */
float strtof(const char *text, char **end) { return (float)strtod(text, end); }

/* A heap sort: in place, never quadratic, not stable. */
static void swap(unsigned char *a, unsigned char *b, size_t size) {
    for (; size > 0; a++, b++, size--) {
        unsigned char kept = *a;
        *a = *b;
        *b = kept;
    }
}

static void sift(unsigned char *items, size_t root, size_t count, size_t size,
                 int (*compare)(const void *, const void *)) {
    for (size_t child; (child = 2 * root + 1) < count; root = child) {
        if (child + 1 < count && compare(items + child * size, items + (child + 1) * size) < 0) child++;
        if (compare(items + root * size, items + child * size) >= 0) return;
        swap(items + root * size, items + child * size, size);
    }
}

void qsort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *)) {
    for (size_t root = count / 2; root-- > 0;) sift(items, root, count, size, compare);
    for (size_t last = count; last-- > 1;) {
        swap(items, (unsigned char *)items + last * size, size);
        sift(items, 0, last, size, compare);
    }
}

void *bsearch(const void *key, const void *items, size_t count, size_t size,
              int (*compare)(const void *, const void *)) {
    const unsigned char *low = items;
    while (count > 0) {
        const unsigned char *middle = low + count / 2 * size;
        int order = compare(key, middle);
        if (order == 0) return (void *)middle;
        if (order > 0) {
            low = middle + size;
            count -= count / 2 + 1;
        } else {
            count /= 2;
        }
    }
    return NULL;
}

/* Numerical Recipes' linear congruential generator; the high bits are the good ones. */
static uint32_t seed = 1;
void srand(unsigned new_seed) { seed = new_seed; }
int rand(void) {
    seed = seed * 1664525u + 1013904223u;
    return (int)(seed >> 1);
}

struct lconv *localeconv(void) {
    static struct lconv c = {"."};
    return &c;
}

char *setlocale(int category, const char *locale) {
    (void)category;
    return locale == NULL || *locale == 0 || strcmp(locale, "C") == 0 ? "C" : NULL;
}
