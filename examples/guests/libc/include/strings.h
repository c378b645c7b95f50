/* The guests' C library: strings without regard to case. */
#ifndef GUEST_STRINGS_H
#define GUEST_STRINGS_H
#include <stddef.h>
int strcasecmp(const char *a, const char *b);
int strncasecmp(const char *a, const char *b, size_t size);
#endif
