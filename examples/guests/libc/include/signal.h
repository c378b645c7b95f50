/* The guests' C library: a type that may be written in a signal handler. There are no handlers. */
#ifndef GUEST_SIGNAL_H
#define GUEST_SIGNAL_H
typedef int sig_atomic_t;
#endif
