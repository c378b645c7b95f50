/* What a program has no libc for: memory functions that are called by name and those that compilers call for structures, and
   arithmetic that the CPU does not have. It prints the line of what is wrong, and "done". */
#include "check.h"

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
size_t strlen(const char *text);

struct large {
    unsigned char bytes[3000];
};

/* The compiler cannot know what these are. */
static volatile uint64_t dividend = 0xfedcba9876543210, divisor = 0x123456789;
static volatile int64_t negative = -1234567890123456789;
static volatile double number = 1e18;
static volatile float small = 3.5f;
static volatile size_t length = 100;
static struct large first, second;

static void memory(void) {
    for (size_t i = 0; i < sizeof first.bytes; i++) first.bytes[i] = (unsigned char)(i * 7);
    second = first; /* memcpy, which LTO does not see before it is done */
    CHECK(memcmp(&first, &second, sizeof first) == 0);
    memmove(second.bytes + 1, second.bytes, length);
    CHECK(second.bytes[1] == first.bytes[0] && second.bytes[length] == first.bytes[length - 1]);
    memset(second.bytes, 0x55, length);
    CHECK(second.bytes[0] == 0x55 && second.bytes[length - 1] == 0x55 && second.bytes[length] != 0x55);
    memcpy(second.bytes, "text", 5);
    CHECK(strlen((const char *)second.bytes) == 4 && memcmp(second.bytes, "texu", 4) < 0);
}

static void arithmetic(void) {
    CHECK(dividend / divisor == 3758096384 && dividend % divisor == 2522100240);
    CHECK(negative / (int64_t)divisor == -252637414 && negative % (int64_t)divisor == -4496296959);
    CHECK((uint64_t)number == 1000000000000000000 && (double)(int64_t)number == number);
    CHECK((double)dividend > 1.8e19 && (float)negative < -1.2e18f);
    CHECK(number * small > 3.4e18 && number / small < 2.9e17 && (int)(small * 2) == 7);
    CHECK(dividend << (length & 63) == 0x6543210000000000 && dividend >> (length & 63) == 0xfedcba9);
#ifdef __SIZEOF_INT128__
    unsigned __int128 wide = (unsigned __int128)dividend << 64 | 12345;
    CHECK((uint64_t)(wide / divisor >> 64) == 3758096384 && (uint64_t)(wide % divisor) < divisor);
#endif
}

int main(void) {
    memory();
    arithmetic();
    if (failures == 0) rt0_write_all(1, "done\n", 5);
    return failures > 0;
}
