/* The guests' C library: what BSD calls <endian.h>. */
#include <endian.h>
