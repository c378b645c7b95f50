/* The guests' C library: nothing but what the header includes elsewhere. */
#include <limits.h>
#include <sys/types.h>
