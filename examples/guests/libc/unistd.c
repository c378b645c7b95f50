/* Files by their numbers: rt0's calls, with errors in errno. */

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "rt0.h"

static ssize_t or_errno(intptr_t result) {
    if (result >= 0) return result;
    errno = (int)-result;
    return -1;
}

ssize_t read(int fd, void *to, size_t size) { return or_errno(rt0_read(fd, to, size)); }
ssize_t write(int fd, const void *from, size_t size) { return or_errno(rt0_write(fd, from, size)); }
int remove(const char *path) { return (int)or_errno(rt0_unlink(path)); }
int close(int fd) { return (int)or_errno(rt0_close(fd)); }

ssize_t readlink(const char *path, char *to, size_t size) { return or_errno(rt0_readlink(path, to, size)); }

pid_t getpid(void) { return rt0_getpid(); }
void _exit(int status) { rt0_exit(status); }
