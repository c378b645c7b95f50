/* Files by their numbers: rt0's calls, with errors in errno. */

#include <errno.h>
#include <unistd.h>

#include "rt0.h"

static ssize_t or_errno(intptr_t result) {
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
}

ssize_t read(int fd, void *to, size_t size) { return or_errno(rt0_read(fd, to, size)); }
ssize_t write(int fd, const void *from, size_t size) { return or_errno(rt0_write(fd, from, size)); }
int close(int fd) { return (int)or_errno(rt0_close(fd)); }

/* arch/{x86,arm} tables of Linux; FreeBSD sys/sys/syscall.h. */
ssize_t readlink(const char *path, char *to, size_t size) {
#if defined(__FreeBSD__)
    const int number = 58;
#elif defined(__x86_64__)
    const int number = 89;
#else
    const int number = 85;
#endif
    return or_errno(rt0_syscall(number, (uintptr_t)path, (uintptr_t)to, size, 0, 0, 0));
}

pid_t getpid(void) { return rt0_getpid(); }
void _exit(int status) { rt0_exit(status); }
