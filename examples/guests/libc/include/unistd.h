/* The guests' C library: files by their numbers. */
#ifndef GUEST_UNISTD_H
#define GUEST_UNISTD_H
#include <sys/types.h>
#define STDIN_FILENO 0
#define STDOUT_FILENO 1
#define STDERR_FILENO 2
ssize_t read(int fd, void *to, size_t size);
ssize_t write(int fd, const void *from, size_t size);
int close(int fd);
ssize_t readlink(const char *path, char *to, size_t size);
pid_t getpid(void);
void _exit(int status) __attribute__((noreturn));
#endif
