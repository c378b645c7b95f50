/* The memory functions of whatever archive this is linked with, as a table: some archives hide their names. */
#define HIDDEN __attribute__((visibility("hidden"))) extern void
HIDDEN memcpy_(void) __asm__("memcpy"), memmove_(void) __asm__("memmove"), memset_(void) __asm__("memset");
HIDDEN memcmp_(void) __asm__("memcmp"), bcmp_(void) __asm__("bcmp"), strlen_(void) __asm__("strlen");
void (*const table[])(void) = {memcpy_, memmove_, memset_, memcmp_, bcmp_, strlen_};
