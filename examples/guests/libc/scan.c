/* Text into values: sscanf. */

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Whether a set such as [a-z] or [^a-z], which begins behind its bracket, has a character. */
static int in_set(const char *set, const char *end, int c) {
    int negated = *set == '^', found = 0;
    for (set += negated; set < end; set++) {
        if (set[1] == '-' && set + 2 < end) {
            found |= (unsigned char)set[0] <= c && c <= (unsigned char)set[2];
            set += 2;
        } else {
            found |= (unsigned char)*set == c;
        }
    }
    return found != negated;
}

static void store(void *to, int size, long long value) {
    if (size <= -2) *(signed char *)to = (signed char)value;
    else if (size == -1) *(short *)to = (short)value;
    else if (size == 0) *(int *)to = (int)value;
    else if (size == 1) *(long *)to = (long)value;
    else *(long long *)to = value;
}

int vsscanf(const char *text, const char *format, va_list arguments) {
    const char *at = text;
    int stored = 0;
    for (; *format != 0; format++) {
        if (isspace((unsigned char)*format)) {
            while (isspace((unsigned char)*at)) at++;
            continue;
        }
        if (*format != '%') {
            if (*at != *format) return *at == 0 && stored == 0 ? EOF : stored;
            at++;
            continue;
        }
        int keep = *++format != '*', size = 0;
        size_t width = 0;
        if (!keep) format++;
        while (isdigit((unsigned char)*format)) width = width * 10 + (size_t)(*format++ - '0');
        for (;; format++) {
            if (*format == 'l') size++;
            else if (*format == 'h') size--;
            else if (*format == 'j' || *format == 'L') size = 2;
            else if (*format == 'z' || *format == 't') size = 1; /* as wide as long on every port */
            else break;
        }
        if (*format == 'n') {
            if (keep) store(va_arg(arguments, void *), size, at - text);
            continue;
        }
        if (strchr("c[", *format) == NULL)
            while (isspace((unsigned char)*at)) at++;
        if (*format == '%') {
            if (*at++ != '%') return stored;
            continue;
        }
        if (*at == 0) return stored == 0 ? EOF : stored;

        size_t most = width > 0 ? width : SIZE_MAX, length = 0;
        switch (*format) {
        case 'c':
            length = width > 0 ? width : 1;
            if (strnlen(at, length) < length) return stored;
            if (keep) memcpy(va_arg(arguments, char *), at, length);
            break;
        case 's':
        case '[': {
            const char *set = format + 1, *end = set;
            if (*format == '[') {
                end += (*end == '^') + 1; /* a bracket that comes first is in the set */
                while (*end != 0 && *end != ']') end++;
                format = *end != 0 ? end : end - 1;
            }
            while (length < most && at[length] != 0 &&
                   (end == set ? !isspace((unsigned char)at[length]) : in_set(set, end, (unsigned char)at[length])))
                length++;
            if (length == 0) return stored;
            if (keep) {
                char *to = va_arg(arguments, char *);
                memcpy(to, at, length);
                to[length] = 0;
            }
            break;
        }
        default: { /* a number: a copy of as much of it as counts */
            char digits[400], *end;
            snprintf(digits, most < sizeof digits ? most + 1 : sizeof digits, "%s", at);
            if (strchr("aAeEfFgG", *format) != NULL) {
                double number = strtod(digits, &end);
                if (keep && end != digits) {
                    if (size > 0) *va_arg(arguments, double *) = number;
                    else *va_arg(arguments, float *) = (float)number;
                }
            } else {
                int base = *format == 'd' || *format == 'u' ? 10 : *format == 'o' ? 8 : *format == 'i' ? 0 : 16;
                if (*format == 'p') size = 1;
                long long number = *format == 'd' || *format == 'i' ? strtoll(digits, &end, base)
                                                                    : (long long)strtoull(digits, &end, base);
                if (keep && end != digits) store(va_arg(arguments, void *), size, number);
            }
            length = (size_t)(end - digits);
            if (length == 0) return stored;
        }
        }
        at += length;
        stored += keep;
    }
    return stored;
}

int sscanf(const char *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int stored = vsscanf(text, format, arguments);
    va_end(arguments);
    return stored;
}
