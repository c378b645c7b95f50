/* The guests' C library: the size of a block. */
#ifndef GUEST_MALLOC_H
#define GUEST_MALLOC_H
#include <stdlib.h>
size_t malloc_usable_size(void *block);
#endif
