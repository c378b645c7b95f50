/* The guests' C library: what FreeBSD calls <malloc.h>. */
#include <malloc.h>
