/* The guests' C library: memory on the stack. */
#ifndef GUEST_ALLOCA_H
#define GUEST_ALLOCA_H
#define alloca(size) __builtin_alloca(size)
#endif
