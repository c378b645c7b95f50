/* The guests' C library: error numbers. One variable: guests have one thread. */
#ifndef GUEST_ERRNO_H
#define GUEST_ERRNO_H
extern int errno;
/* The same on Linux and FreeBSD, but for EAGAIN (include/uapi/asm-generic/errno-base.h; sys/sys/errno.h). */
#define EPERM 1
#define ENOENT 2
#define EINTR 4
#define EIO 5
#define E2BIG 7
#define EBADF 9
#define ENOMEM 12
#define EACCES 13
#define EEXIST 17
#define ENOTDIR 20
#define EISDIR 21
#define EINVAL 22
#define EMFILE 24
#define ENOSPC 28
#if defined(__FreeBSD__)
#define EAGAIN 35
#else
#define EAGAIN 11
#endif
#define EDOM 33
#define ERANGE 34
#endif
