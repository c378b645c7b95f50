/* A program with a C library that uses a heap of rt0's: what it calls of the library's must be the library's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "rt0.h"

int main(int argc, char **argv) {
    struct rt0_heap *heap;
    char text[64];
    if (rt0_heap_create(NULL, &heap, NULL) != 0) return 1;
    char *block = (char *)rt0_heap_allocate(heap, 64);
    char *theirs = (char *)malloc((size_t)argc * 64);
    memset(text, 0, sizeof text);
    strncpy(text, argc > 1 ? argv[1] : "both heaps", sizeof text - 1);
    memcpy(block, text, strlen(text) + 1);
    memmove(theirs, block, strlen(block) + 1);
    printf("%s: %d\n", theirs, memcmp(theirs, block, strlen(text)));
    free(theirs);
    rt0_heap_free(heap, block, 64);
    rt0_heap_destroy(heap);
    return 0;
}
