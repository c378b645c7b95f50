/* The system calls of the file system that rt0.h has no function for yet, with the numbers and layouts of each port.

   Linux: arch/x86/entry/syscalls/syscall_{32,64}.tbl, arch/arm/tools/syscall.tbl, include/uapi/asm-generic/fcntl.h,
   arch/{x86,arm}/include/uapi/asm/stat.h. FreeBSD: sys/sys/syscall.h, sys/sys/fcntl.h, sys/sys/stat.h (struct
   freebsd11_stat, which every kernel since 2.2 answers to call 189).

   A 64-bit argument of a 32-bit port is two words; on Linux/ARM they begin at an even argument. */

#ifndef GUEST_CALLS_H
#define GUEST_CALLS_H

#include <stdint.h>

#include "rt0.h"

#if defined(__linux__) && defined(__x86_64__)
enum { NR_PREAD = 17, NR_PWRITE = 18, NR_FTRUNCATE = 77, NR_FSYNC = 74, NR_FSTAT = 5, NR_FCNTL = 72, NR_UNLINK = 87,
       NR_ACCESS = 21 };
enum { STAT_SIZE_AT = 48, SET_LOCK = 6, GET_LOCK = 5, LARGE = 0 };
#define SPLIT(offset) (uintptr_t)(offset), 0
#elif defined(__linux__)
enum { NR_PREAD = 180, NR_PWRITE = 181, NR_FTRUNCATE = 194, NR_FSYNC = 118, NR_FSTAT = 197, NR_FCNTL = 221,
       NR_UNLINK = 10, NR_ACCESS = 33 };
#define SPLIT(offset) (uintptr_t)(uint32_t)(offset), (uintptr_t)((uint64_t)(offset) >> 32)
#if defined(__arm__)
enum { STAT_SIZE_AT = 48, SET_LOCK = 13, GET_LOCK = 12, LARGE = 0400000 };
#else
enum { STAT_SIZE_AT = 44, SET_LOCK = 13, GET_LOCK = 12, LARGE = 0100000 };
#endif
#elif defined(__FreeBSD__)
enum { NR_PREAD = 475, NR_PWRITE = 476, NR_FTRUNCATE = 480, NR_FSYNC = 95, NR_FSTAT = 189, NR_FCNTL = 92,
       NR_UNLINK = 10, NR_ACCESS = 33 };
enum { STAT_SIZE_AT = sizeof(long) == 8 ? 72 : 48, SET_LOCK = 12, GET_LOCK = 11, LARGE = 0 };
#if defined(__x86_64__)
#define SPLIT(offset) (uintptr_t)(offset), 0
#else
#define SPLIT(offset) (uintptr_t)(uint32_t)(offset), (uintptr_t)((uint64_t)(offset) >> 32)
#endif
#else
#error "calls.h has no numbers for this kernel and CPU"
#endif

#if defined(__linux__)
enum { READ_LOCK = 0, WRITE_LOCK = 1, UNLOCK = 2 };
struct file_lock { /* struct flock of amd64, struct flock64 of the others */
    int16_t type, whence;
    int64_t start, length;
    int32_t pid;
};
#else
enum { READ_LOCK = 1, UNLOCK = 2, WRITE_LOCK = 3 };
struct file_lock {
    int64_t start, length;
    int32_t pid;
    int16_t type, whence;
    int32_t system;
};
#endif

static inline intptr_t call_pread(int fd, void *to, size_t size, int64_t offset) {
#if defined(__arm__)
    return rt0_syscall(NR_PREAD, (uintptr_t)fd, (uintptr_t)to, size, 0, SPLIT(offset));
#else
    return rt0_syscall(NR_PREAD, (uintptr_t)fd, (uintptr_t)to, size, SPLIT(offset), 0);
#endif
}

static inline intptr_t call_pwrite(int fd, const void *from, size_t size, int64_t offset) {
#if defined(__arm__)
    return rt0_syscall(NR_PWRITE, (uintptr_t)fd, (uintptr_t)from, size, 0, SPLIT(offset));
#else
    return rt0_syscall(NR_PWRITE, (uintptr_t)fd, (uintptr_t)from, size, SPLIT(offset), 0);
#endif
}

static inline intptr_t call_ftruncate(int fd, int64_t size) {
#if defined(__arm__)
    return rt0_syscall(NR_FTRUNCATE, (uintptr_t)fd, 0, SPLIT(size), 0, 0);
#else
    return rt0_syscall(NR_FTRUNCATE, (uintptr_t)fd, SPLIT(size), 0, 0, 0);
#endif
}

static inline intptr_t call_fsync(int fd) { return rt0_syscall(NR_FSYNC, (uintptr_t)fd, 0, 0, 0, 0, 0); }

/* The size of an open file. */
static inline int64_t call_size(int fd) {
    union {
        char bytes[256];
        int64_t aligned;
    } stat;
    int64_t size;
    intptr_t result = rt0_syscall(NR_FSTAT, (uintptr_t)fd, (uintptr_t)&stat, 0, 0, 0, 0);
    __builtin_memcpy(&size, stat.bytes + STAT_SIZE_AT, sizeof size);
    return result < 0 ? result : size;
}

static inline intptr_t call_lock(int fd, int command, struct file_lock *lock) {
    return rt0_syscall(NR_FCNTL, (uintptr_t)fd, (uintptr_t)command, (uintptr_t)lock, 0, 0, 0);
}

static inline intptr_t call_unlink(const char *path) { return rt0_syscall(NR_UNLINK, (uintptr_t)path, 0, 0, 0, 0, 0); }

/* 4: readable, 2: writable, 0: there. */
static inline intptr_t call_access(const char *path, int how) {
    return rt0_syscall(NR_ACCESS, (uintptr_t)path, (uintptr_t)how, 0, 0, 0, 0);
}

#endif
