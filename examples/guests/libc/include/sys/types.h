/* The guests' C library: the kernel's types. */
#ifndef GUEST_SYS_TYPES_H
#define GUEST_SYS_TYPES_H
#include <stddef.h>
#include <time.h>
typedef ptrdiff_t ssize_t;
typedef long long off_t;
typedef int pid_t;
typedef unsigned mode_t;
#endif
