// rt0.h: a runtime core for programs with and without a C library.
//
// Generated from c/src by `make header`; do not edit. The guide is docs/c.md.
//
// Errors are values. A function that answers an int, an intptr_t or an int64_t answers the kernel's error number, negated;
// one that answers a pointer answers null. Nothing ends the process but rt0_exit, and nothing is printed, unless something
// that is required of the caller is broken and that is noticed, as a block that is freed twice may be: one line on fd 2
// then, and status 2. Each function may be called from several threads; a structure that is handed over is used as the
// caller says.
//
// With a C library:     cc program.c -lrt0
// Without one:          cc -ffreestanding -nostdlib -static program.c -lrt0


#ifndef RT0_H
#define RT0_H

#include <stddef.h>
#include <stdint.h>

// An offset counts from the file's beginning.
#define RT0_SEEK_SET 0

// An offset counts from where the descriptor is.
#define RT0_SEEK_CUR 1

// An offset counts from the file's end.
#define RT0_SEEK_END 2

// The path leads somewhere.
#define RT0_F_OK 0

// It may be executed, or the folder passed through.
#define RT0_X_OK 1

// It may be written to.
#define RT0_W_OK 2

// It may be read.
#define RT0_R_OK 4

// The part of a mode that says what a file is.
#define RT0_S_IFMT 61440

// A folder.
#define RT0_S_IFDIR 16384

// A regular file.
#define RT0_S_IFREG 32768

// Not locked.
#define RT0_LOCK_NONE 0

// Others may have shared locks.
#define RT0_LOCK_SHARED 1

// Nobody else has a lock.
#define RT0_LOCK_EXCLUSIVE 2

// In `rt0_gc_policy.flags`: nothing of the limit is left for stacks and other mappings; `allowance` is not looked at.
#define RT0_GC_NO_ALLOWANCE 1

// In `rt0_gc_policy.flags`: all of the heap is used before each collection; `growth` and `least` are not looked at. With a
// `cap` this is a heap of that size.
#define RT0_GC_WHOLE 2

// In `rt0_heap_policy.flags`: the caller keeps threads and signal handlers from one another, and the heap needs no lock.
#define RT0_HEAP_UNLOCKED 1

// In `rt0_heap_policy.flags`: nothing of the limit is left for stacks and other mappings; `allowance` is not looked at.
// Right for a program with one thread whose stack stays within the 128 KiB that it begins with.
#define RT0_HEAP_NO_ALLOWANCE 2

// The heap is whole.
#define RT0_HEAP_WHOLE 0

// A free chunk's words contradict each other.
#define RT0_FAULT_CHUNK 1

// Two free chunks touch.
#define RT0_FAULT_UNJOINED 2

// A free chunk is in the wrong list, or its links are broken.
#define RT0_FAULT_BIN 3

// There are more or fewer free chunks than the heap has counted.
#define RT0_FAULT_COUNT 4

// A sum that the heap keeps is wrong: something was freed with another size than it has.
#define RT0_FAULT_SUM 5

// A free block lies where none can be, or stands in its list twice: it was freed twice, or written to after that.
#define RT0_FAULT_LIST 6

// Another fault, of a version that is newer than this list.
#define RT0_FAULT_OTHER 7

// There is no such value: in `rt0_decision`, and wherever else it is said.
#define RT0_NONE UINT64_MAX

// The soft limit is `limit` bytes.
#define RT0_LIMIT_BYTES 0

// There is no limit.
#define RT0_LIMIT_INFINITY 1

// The kernel would not say; `limit_error` is why.
#define RT0_LIMIT_UNKNOWN 2

// Open for reading.
#define RT0_O_RDONLY 0

// Open for writing.
#define RT0_O_WRONLY 1

// Open for both.
#define RT0_O_RDWR 2

// No access.
#define RT0_PROT_NONE 0

// Read.
#define RT0_PROT_READ 1

// Write.
#define RT0_PROT_WRITE 2

// Execute.
#define RT0_PROT_EXEC 4

// Changes are not shared.
#define RT0_MAP_PRIVATE 2

// Exactly here, whatever is there.
#define RT0_MAP_FIXED 16

#if defined(__linux__)
// Create the file if there is none.
#define RT0_O_CREAT 64
#endif

#if defined(__FreeBSD__)
// Create the file if there is none.
#define RT0_O_CREAT 512
#endif

#if defined(__linux__)
// Empty the file.
#define RT0_O_TRUNC 512
#endif

#if defined(__FreeBSD__)
// Empty the file.
#define RT0_O_TRUNC 1024
#endif

#if defined(__linux__)
// Write at the end.
#define RT0_O_APPEND 1024
#endif

#if defined(__FreeBSD__)
// Write at the end.
#define RT0_O_APPEND 8
#endif

#if defined(__linux__)
// Closed by `execve`.
#define RT0_O_CLOEXEC 524288
#endif

#if defined(__FreeBSD__)
// Closed by `execve`.
#define RT0_O_CLOEXEC 1048576
#endif

#if defined(__linux__)
// Zeroes, no file.
#define RT0_MAP_ANON 32
#endif

#if defined(__FreeBSD__)
// Zeroes, no file.
#define RT0_MAP_ANON 4096
#endif

#if defined(__linux__)
// Limit on the address space, bytes.
#define RT0_RLIMIT_AS 9
#endif

#if defined(__FreeBSD__)
// Limit on the address space, bytes.
#define RT0_RLIMIT_AS 10
#endif

#if defined(__linux__)
// A clock that is never set.
#define RT0_CLOCK_MONOTONIC 1
#endif

#if defined(__FreeBSD__)
// A clock that is never set.
#define RT0_CLOCK_MONOTONIC 4
#endif

// Limit on data, bytes.
#define RT0_RLIMIT_DATA 2

// Limit on the main thread's stack, bytes.
#define RT0_RLIMIT_STACK 3

// The clock of the day.
#define RT0_CLOCK_REALTIME 0

// Do not wait for a child that goes on.
#define RT0_WNOHANG 1

// A collector with its heap. Only pointers to it are passed around.
struct rt0_gc;

// What marks during a collection: a `Marker<Program>`. Only pointers to it are passed around.
struct rt0_gc_marker;

// A heap. Only pointers to it are passed around.
struct rt0_heap;

// A time or a span of time, the same on every port.
struct rt0_timespec {
  // Seconds.
  int64_t seconds;
  // Nanoseconds, 0 to 999,999,999.
  int64_t nanoseconds;
};

// What a file is, the same on every port.
struct rt0_stat {
  // The device that the file is on. With `inode` it names the file.
  uint64_t device;
  // The file's number on its device.
  uint64_t inode;
  // How many names it has.
  uint64_t links;
  // Its size, bytes; of a device or a pipe it means nothing.
  uint64_t size;
  // When it was last written to, since 1970.
  struct rt0_timespec modified;
  // What it is, `RT0_S_IF*`, and its permissions.
  uint32_t mode;
  // Zero.
  uint32_t reserved;
};

// A lock of a part of a file, the same on every port.
struct rt0_flock {
  // `RT0_LOCK_*`.
  int kind;
  // The process that holds it, where `rt0_fcntl_getlk` has found one.
  int pid;
  // Where the part begins, bytes from the file's beginning.
  int64_t start;
  // How long it is, bytes; 0: to the end, however far that moves.
  int64_t length;
};

// Says what is reachable without an object: it calls `rt0_gc_mark` or `rt0_gc_mark_range` for all of it, and no other function
// of the collector.
typedef void (*rt0_gc_roots)(void *context, struct rt0_gc_marker *marker);

// Called during a collection, when what is reachable is marked: see `rt0_gc_policy`. It calls `rt0_gc_is_marked`, as
// `mark_more` also `rt0_gc_mark` and `rt0_gc_mark_range`, and no other function of the collector.
typedef void (*rt0_gc_marked)(void *context, struct rt0_gc_marker *marker);

// What a program wants of its collector. Zero means the default everywhere, as does a null pointer.
//
// A later version may add fields at the end. A library that does not know them takes them if they are zero and refuses
// the policy otherwise.
struct rt0_gc_policy {
  // `sizeof(struct rt0_gc_policy)`, set by the caller.
  size_t size;
  // `RT0_GC_*`, any of them.
  uint32_t flags;
  // The heap is collected when it has grown to this share of what was live after the last collection, percent, above 100;
  // 0: 200.
  uint32_t growth;
  // Bytes of the limit that are left for stacks and other mappings; 0: a quarter of the limit, at most 64 MiB.
  uint64_t allowance;
  // At most this many bytes of address space, with all that describes the heap; 0: as much as the limit leaves, at most
  // 17 GiB on 64-bit ports and 576 MiB on 32-bit ones.
  uint64_t cap;
  // The heap is not collected before it has this many bytes; 0: 4 MiB.
  uint64_t least;
  // How many handles there can be at once; 0: 512.
  uint32_t handles;
  // Zero.
  uint32_t reserved;
  // Says what is reachable without an object; may be null.
  rt0_gc_roots roots;
  // What `roots` and the two below are called with.
  void *context;
  // All that was found to be reachable is marked: it marks what is to be kept for another reason. Called again when that was
  // scanned, until nothing new is marked; and once more if finalizers keep something. May be null.
  rt0_gc_marked mark_more;
  // What `rt0_gc_is_marked` denies now is freed: weak references of the program's own, such as a table of the symbols that
  // there are, forget it here. May be null.
  rt0_gc_marked before_sweep;
};

// How the size of a heap's arena was decided. All sizes are bytes.
//
// A library that is newer than the program may have more to say than this structure has room for: set `size` to
// `sizeof(struct rt0_decision)` before the call, and nothing behind it is written.
struct rt0_decision {
  // `sizeof(struct rt0_decision)`, set by the caller.
  size_t size;
  // Where the limit came from: `RT0_LIMIT_BYTES`, `RT0_LIMIT_INFINITY` or `RT0_LIMIT_UNKNOWN`.
  uint32_t limit_source;
  // The error number of `getrlimit`; 0 if it succeeded.
  uint32_t limit_error;
  // The soft limit of the address space (`RLIMIT_AS`); `RT0_NONE` without one.
  uint64_t limit;
  // The size of a page.
  uint64_t page;
  // The program's image, from its first byte to its last.
  uint64_t image;
  // What was mapped before: the image, the initial stack and what the kernel maps of its own.
  uint64_t footprint;
  // The allowance that the program asked for; `RT0_NONE` for the default.
  uint64_t allowance_asked;
  // What was left for stacks and other mappings; 0 without a limit.
  uint64_t allowance;
  // The cap that the program asked for; `RT0_NONE` without one.
  uint64_t cap;
  // What the limit leaves: 0 if nothing, `RT0_NONE` without a limit.
  uint64_t headroom;
  // What was asked for first; 0 if nothing could fit.
  uint64_t asked;
  // How often the kernel was asked for a reservation.
  uint32_t tries;
  // System calls that this took.
  uint32_t calls;
  // The error number of the last try; 0 if it succeeded or nothing was tried.
  uint32_t error;
  // 1 if the kernel answered an address that is not a multiple of the page, else 0.
  uint32_t unaligned;
  // That address.
  uint64_t unaligned_address;
  // 1 if there is no arena, else 0.
  uint32_t failed;
  // The library's, for `rt0_failure_line`.
  uint64_t private_words[32];
};

// A root that names one object, by a number of the collector's; 0 is none.
typedef size_t rt0_gc_handle;

// Figures of a collector, in bytes where nothing else is said.
struct rt0_gc_stats {
  // `sizeof(struct rt0_gc_stats)`, set by the caller; nothing behind it is written.
  size_t size;
  // Collections so far.
  size_t collections;
  // What was live after the last one.
  size_t live;
  // What was allocated, or is about to be, since then.
  size_t taken;
  // How far the heap extends.
  size_t heap;
  // How far it may extend before the next collection.
  size_t limit;
  // How far it can extend at most.
  size_t most;
  // Memory in use at most so far, with all that describes the heap.
  size_t footprint;
  // What the program said that objects hold elsewhere.
  size_t external;
  // Handles in use.
  size_t handles;
  // The longest pause, nanoseconds; 0 where the kernel does not tell the time.
  uint64_t longest_pause;
  // All pauses together, nanoseconds.
  uint64_t pauses;
};

// What a program wants of its heap. Zero means the default everywhere: `struct rt0_heap_policy policy = {sizeof policy};`
// is one, and so is a null pointer.
//
// A later version may add fields at the end. A library that does not know them takes them if they are zero and refuses
// the policy otherwise.
struct rt0_heap_policy {
  // `sizeof(struct rt0_heap_policy)`, set by the caller.
  size_t size;
  // `RT0_HEAP_*`, any of them.
  uint32_t flags;
  // Zero.
  uint32_t reserved;
  // Bytes of the limit that are left for stacks and other mappings; 0: a quarter of the limit, at most 64 MiB.
  uint64_t allowance;
  // At most this many bytes of address space; 0: as much as the limit leaves.
  uint64_t cap;
  // How many free bytes stay committed; 0: 32 MiB on 64-bit ports, 8 MiB on 32-bit ones. A quarter of what is in use
  // may always stay.
  uint64_t purge_threshold;
  // From how many bytes in use on the heap grows by huge pages, where the kernel has them; 0: 16 MiB; `RT0_NONE`:
  // never.
  uint64_t huge_from;
};

// Figures of a heap, in bytes where nothing else is said.
struct rt0_heap_stats {
  // `sizeof(struct rt0_heap_stats)`, set by the caller; nothing behind it is written.
  size_t size;
  // In blocks that the program holds.
  size_t live;
  // The most that was ever in blocks, those in the heap's own lists with them.
  size_t peak;
  // In free blocks that wait in the lists of their size.
  size_t listed;
  // In free memory that is joined.
  size_t free;
  // Readable and writable, the heap's own records included.
  size_t committed;
  // Of address space.
  size_t reserved;
  // Number of segments.
  size_t segments;
};

// A soft and a hard resource limit, bytes; `RT0_NONE` is the kernel's infinity.
struct rt0_rlimit {
  // What the kernel enforces.
  uint64_t soft;
  // As far as the soft limit may be raised.
  uint64_t hard;
};

// A thread that was started. Its words are the library's.
struct rt0_thread {
  // The library's.
  size_t private_words[4];
};

// What a thread runs.
typedef void (*rt0_thread_entry)(void *argument);

// A lock: spins for a short while, then sleeps in the kernel. Not fair, not re-entrant. All zeroes is one that is free.
struct rt0_lock {
  // The library's.
  uint32_t private_words[2];
};

#ifdef __cplusplus
extern "C" {
#endif // __cplusplus

// Writes the kernel's name of an error number, such as `ENOMEM`, to the `size` bytes at `buffer`, as `snprintf` does:
// cut where there is no room, ended by a NUL unless `size` is 0.
//
// `error` is the number itself or its negation, as other functions answer it. Answers the length of the whole name,
// without the NUL; 0 for a number without a name. `buffer` may be null if `size` is 0.
//
// Required of the caller:
//
// `buffer` is null or has `size` writable bytes.
size_t rt0_error_name(int error,
                      char *buffer,
                      size_t size);

// Sets where the next `rt0_read` or `rt0_write` of `fd` begins: `offset` bytes from what `whence` says, `RT0_SEEK_*`. Answers
// the new place, bytes from the file's beginning.
int64_t rt0_lseek(int fd,
                  int64_t offset,
                  int whence);

// Reads up to `size` bytes from `offset` of the file on, and leaves where the descriptor is as it was. Answers how many, 0 at
// the end of the file.
//
// Required of the caller:
//
// `buffer` has `size` writable bytes.
ptrdiff_t rt0_pread(int fd,
                    void *buffer,
                    size_t size,
                    int64_t offset);

// Writes up to `size` bytes at `offset` of the file, and leaves where the descriptor is as it was. Answers how many.
//
// Required of the caller:
//
// `bytes` has `size` readable bytes.
ptrdiff_t rt0_pwrite(int fd,
                     const void *bytes,
                     size_t size,
                     int64_t offset);

// Makes a file `length` bytes long: what is behind goes, what is added is zero. Answers 0.
int rt0_ftruncate(int fd, int64_t length);

// Answers 0 when what was written to the file is on its device.
int rt0_fsync(int fd);

// Stores what the file behind `fd` is. Answers 0; `-EINVAL` if `stat` is null.
//
// Required of the caller:
//
// `stat` is null or points to a structure.
int rt0_fstat(int fd, struct rt0_stat *stat);

// Locks a part of a file for this process, or unlocks it (`RT0_LOCK_NONE`). It does not wait.
//
// The locks are advice: they hold for those who ask for them. A process has one lock of a byte, whatever the descriptor, and
// loses all of a file's when it closes any descriptor of it; a fork has none.
//
// Answers 0; `-EAGAIN` or `-EACCES` if another process has a lock of it, `-EINVAL` also if `lock` is null or says what is none.
//
// Required of the caller:
//
// `lock` is null or points to a structure.
int rt0_fcntl_setlk(int fd,
                    const struct rt0_flock *lock);

// Looks for a lock of another process that keeps this one from `*lock`, and stores that one there; where there is none, its
// `kind` becomes `RT0_LOCK_NONE`.
//
// Answers 0; `-EINVAL` also if `lock` is null or says what is none.
//
// Required of the caller:
//
// `lock` is null or points to a structure.
int rt0_fcntl_getlk(int fd,
                    struct rt0_flock *lock);

// Answers 0 if this process's real user may use the file that a path leads to: `mode` is `RT0_F_OK`, or any of `RT0_R_OK`,
// `RT0_W_OK` and `RT0_X_OK`.
//
// Required of the caller:
//
// `path` is a C string.
int rt0_access(const char *path,
               int mode);

// Writes where a symbolic link leads to `buffer`, cut where it does not fit, without a NUL. Answers its length.
//
// Required of the caller:
//
// `path` is a C string; `buffer` has `size` writable bytes.
ptrdiff_t rt0_readlink(const char *path,
                       char *buffer,
                       size_t size);

// Removes a name of a file; the file goes with its last name and its last descriptor. Answers 0.
//
// Required of the caller:
//
// `path` is a C string.
int rt0_unlink(const char *path);

// Answers 1 if `fd` is a terminal, else 0.
int rt0_isatty(int fd);

// Writes random bytes that are good for keys to `buffer`. Answers how many: all of up to 256 bytes; of more it may be fewer.
//
// Required of the caller:
//
// `buffer` has `size` writable bytes.
ptrdiff_t rt0_getrandom(void *buffer,
                        size_t size);

// Makes a collector and stores it where `gc` points. `policy` may be null, for the defaults.
//
// The heap is one range of address space, which is reserved whole and fits the limit; memory is taken of it as it grows, and
// two pages beside it. Where that fails for want of address space, `decision` is not null and its `size` is set, it is told how
// the size was decided.
//
// Answers 0; `-EINVAL` if `gc` is null or `policy` asks for what this library does not know; `-ENOMEM`, or what the kernel
// says, if nothing fits: `rt0_failure_line` makes a line of the decision then. After an error `*gc` is null.
//
// Required of the caller:
//
// - `policy` and `decision` are null or point to as many bytes as their `size` says; `gc` is null or points to a pointer.
// - Objects that the program uses after a collection are reachable in it: from what `roots` marks, from handles, from a stack
//   that is scanned, or from a word of a reachable object that is traced. A pointer that is stored otherwise (in a leaf, in
//   another heap, in a variable that nobody marks) keeps nothing.
// - One thread uses the collector, or threads exclude one another from it and all their stacks are marked by `roots`.
int rt0_gc_create(const struct rt0_gc_policy *policy,
                  struct rt0_gc **gc,
                  struct rt0_decision *decision);

// Gives a collector back with all its objects. Null is no collector, and nothing happens.
//
// Required of the caller:
//
// Nobody uses the collector or an object of it any more.
void rt0_gc_destroy(struct rt0_gc *gc);

// An object of `size` bytes, zeroed, aligned to a word, whose words may refer to others: it is traced. One of no bytes has a
// word.
//
// It may collect first, so that what is needed later has to be reachable now. Null only where a collection has found no room,
// if `size` is more than an object can have or `gc` is null; the heap is whole then, and the program goes on.
//
// Required of the caller:
//
// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
void *rt0_gc_allocate(struct rt0_gc *gc,
                      size_t size);

// The same, but the object refers to no other: it is never looked into. Text, numbers.
//
// Required of the caller:
//
// As for `rt0_gc_allocate`; a pointer in the object keeps nothing.
void *rt0_gc_allocate_leaf(struct rt0_gc *gc, size_t size);

// Has the stack and the registers of the calling thread scanned in each collection, from where it is then up to `base`: every
// word is a root. An address in `main`, such as `__builtin_frame_address(0)`, is a base for all that `main` calls; `main`'s own
// variables may lie above it.
//
// A pointer to the byte behind an object's last does not keep the object: a loop that goes down from there, and allocates,
// needs the object's address elsewhere.
//
// Answers 0, or `-EINVAL` if `gc` or `base` is null.
//
// Required of the caller:
//
// `gc` is null or a collector. As long as it is used, `base` is null or an address on the stack of the thread that uses it,
// above every frame that holds references to objects.
int rt0_gc_scan_stack(struct rt0_gc *gc,
                      const void *base);

// Marks the object that `word` points to or into, with all that it refers to, if there is one. For `roots` and `mark_more`
// alone. Nothing happens if `marker` is null.
//
// Required of the caller:
//
// `marker` is null or what one of the two was called with, which has not returned.
void rt0_gc_mark(struct rt0_gc_marker *marker,
                 const void *word);

// Marks what any word between `from` and `to` points to: an array of references, another thread's stack. For `roots` and
// `mark_more` alone. Nothing happens if a pointer is null or the range is none.
//
// Required of the caller:
//
// `marker` is null or what one of the two was called with, which has not returned; the range can be read.
void rt0_gc_mark_range(struct rt0_gc_marker *marker,
                       const void *from,
                       const void *to);

// Whether an object was found to be reachable so far. For `mark_more` and `before_sweep` alone. 1 or 0; `-EINVAL` if a pointer
// is null.
//
// Required of the caller:
//
// `marker` is null or what one of the two was called with, which has not returned; `object` is null or the first byte of an
// object of this heap.
int rt0_gc_is_marked(const struct rt0_gc_marker *marker,
                     const void *object);

// A handle for an object: it is kept until `rt0_gc_release`. 0 if all handles are in use, or `gc` or `object` is null.
//
// Required of the caller:
//
// `gc` is null or a collector, `object` null or an object of it.
rt0_gc_handle rt0_gc_hold(struct rt0_gc *gc,
                          const void *object);

// The object of a handle; null if it is none that is in use.
//
// Required of the caller:
//
// `gc` is null or a collector.
void *rt0_gc_get(struct rt0_gc *gc, rt0_gc_handle handle);

// Takes a handle back: it keeps its object no more. Answers 0, or `-EINVAL` if it is none that is in use or `gc` is null.
//
// Required of the caller:
//
// `gc` is null or a collector.
int rt0_gc_release(struct rt0_gc *gc,
                   rt0_gc_handle handle);

// Collects now: frees what is not reachable. Nothing happens if `gc` is null.
//
// Required of the caller:
//
// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
void rt0_gc_collect(struct rt0_gc *gc);

// No collection but by `rt0_gc_collect` until `rt0_gc_allow` was called as often: allocation takes new memory as long as there is some, and then
// answers null. For a stretch of code whose objects are not reachable yet. Nothing happens if `gc` is null.
//
// Required of the caller:
//
// `gc` is null or a collector.
void rt0_gc_inhibit(struct rt0_gc *gc);

// Ends what `rt0_gc_inhibit` began. Nothing happens if `gc` is null.
//
// Required of the caller:
//
// `gc` is null or a collector.
void rt0_gc_allow(struct rt0_gc *gc);

// Says that objects hold this many bytes more, or less if it is negative, outside of the heap. Much of it makes the next
// `rt0_gc_safepoint` collect. Nothing happens if `gc` is null.
//
// Required of the caller:
//
// `gc` is null or a collector.
void rt0_gc_external(struct rt0_gc *gc,
                     ptrdiff_t bytes);

// Says that everything which is needed is reachable now, and collects if that is due. Nothing happens if `gc` is null.
//
// Required of the caller:
//
// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
void rt0_gc_safepoint(struct rt0_gc *gc);

// The start of the object that `word` points to or into, any word; null if it points into none, or `gc` is null. Nothing is
// freed between two collections, so that an object is found that is dead but was not collected yet.
//
// Required of the caller:
//
// `gc` is null or a collector.
void *rt0_gc_find(struct rt0_gc *gc,
                  const void *word);

// The length of the object that `word` points to or into, bytes: what was asked for, in whole words. 0 if it points into none.
//
// Required of the caller:
//
// `gc` is null or a collector.
size_t rt0_gc_object_size(struct rt0_gc *gc,
                          const void *word);

// A weak cell that refers to `object`: an object that does not keep what it refers to, and is itself kept as any other one. It
// may collect first, but not the two. Null if there is no memory, `gc` is null or `object` is no object's first byte.
//
// Required of the caller:
//
// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
void *rt0_gc_weak(struct rt0_gc *gc,
                  const void *object);

// What a weak cell refers to; null once that was not reachable in a collection, and if a pointer is null.
//
// Required of the caller:
//
// `gc` is null or a collector, `weak` null or a weak cell of it.
void *rt0_gc_weak_get(struct rt0_gc *gc, const void *weak);

// A table of ephemerons, empty: an object that leads from objects, the keys, to values, and keeps a value only as long as its
// key is reachable otherwise. It does not keep its keys, and is itself kept as any other object. It may collect first. Null if
// there is no memory or `gc` is null.
//
// Required of the caller:
//
// `gc` is null or a collector; what is used later is reachable, as `rt0_gc_create` has it.
void *rt0_gc_ephemerons(struct rt0_gc *gc);

// Gives `key` a value, in place of the one that it has in the table. The value is any word: one that points to an object or
// into it keeps that, as a word of a traced object does, but only as long as the key is reachable otherwise. It may collect
// first, but not the table, the key or what the value points to.
//
// Answers 0; `-ENOMEM`, and the table is as it was; `-EINVAL` if `gc` or `table` is null or `key` is no object's first byte.
//
// Required of the caller:
//
// `gc` is null or a collector, `table` null or a table of it; what is used later is reachable, as `rt0_gc_create` has it.
int rt0_gc_ephemeron_set(struct rt0_gc *gc,
                         void *table,
                         const void *key,
                         size_t value);

// The value of `key`. Answers 1 and stores it where `value` points, unless that is null; 0 if the key has none; `-EINVAL` if
// `gc` or `table` is null or `key` is no object's first byte. Where the answer is not 1 nothing is stored.
//
// Required of the caller:
//
// `gc` is null or a collector, `table` null or a table of it; `value` is null or points to a `size_t`.
int rt0_gc_ephemeron_get(struct rt0_gc *gc,
                         void *table,
                         const void *key,
                         size_t *value);

// Removes `key` from the table. Answers as `rt0_gc_ephemeron_get` does, with the value that the key had.
//
// Required of the caller:
//
// As for `rt0_gc_ephemeron_get`.
int rt0_gc_ephemeron_remove(struct rt0_gc *gc, void *table, const void *key, size_t *value);

// Has `rt0_gc_next_unreachable` answer the object when it is not reachable any more: for what it holds outside of the heap.
// An object for which this was called twice is answered twice.
//
// Answers 0; `-ENOMEM`; `-EINVAL` if `gc` is null or `object` is no object's first byte.
//
// Required of the caller:
//
// As for `rt0_gc_weak`.
int rt0_gc_finalize(struct rt0_gc *gc,
                    const void *object);

// The next object that was found unreachable and was to be answered then; null if there is none, or `gc` is null. Until it is
// answered it is kept, with all that it refers to; then it is an object like others.
//
// Required of the caller:
//
// `gc` is null or a collector.
void *rt0_gc_next_unreachable(struct rt0_gc *gc);

// Figures of the collector. Answers 0, or `-EINVAL` if `gc` or `stats` is null. As much is written as `stats->size` has room
// for.
//
// Required of the caller:
//
// `gc` is null or a collector; `stats` is null or points to as many bytes as its `size` says.
int rt0_gc_statistics(struct rt0_gc *gc,
                      struct rt0_gc_stats *stats);

// Looks at the whole heap. Answers 0 if it is whole, 1 if something was written to that was not the program's, or `-EINVAL` if
// `gc` is null. The address of the fault is stored where `where` points, unless that is null; 0 if there is none.
//
// Required of the caller:
//
// `gc` is null or a collector; `where` is null or points to a `size_t`.
int rt0_gc_check(struct rt0_gc *gc,
                 size_t *where);

// Makes a heap and stores it where `heap` points. `policy` may be null, for the defaults.
//
// The heap reserves address space that fits the limit and commits of it what it needs; it takes three pages for itself (two
// on 32-bit ports).
// Blocks of one heap must not be given to another. Where `decision` is not null and its `size` is set, it is told how
// the size was decided, whether or not that succeeded.
//
// Answers 0; `-EINVAL` if `heap` is null or `policy` asks for what this library does not know; `-ENOMEM`, or what the
// kernel says, if nothing fits: `rt0_failure_line` makes a line of the decision then. After an error `*heap` is null.
//
// Required of the caller:
//
// `policy` and `decision` are null or point to as many bytes as their `size` says; `heap` is null or points to a pointer.
int rt0_heap_create(const struct rt0_heap_policy *policy,
                    struct rt0_heap **heap,
                    struct rt0_decision *decision);

// Gives a heap back with all its memory, whether or not its blocks were freed. Null is no heap, and nothing happens.
//
// Required of the caller:
//
// Nobody uses the heap or a block of it any more.
void rt0_heap_destroy(struct rt0_heap *heap);

// A block of at least `size` bytes, aligned for every type of C: to 16 bytes on 64-bit ports, to 8 on 32-bit ones.
//
// A request of no bytes gets a block of its own. Null if there is no memory, if `size` exceeds `PTRDIFF_MAX` or `heap`
// is null; the heap is as it was then.
//
// Required of the caller:
//
// `heap` is null or a heap.
void *rt0_heap_allocate(struct rt0_heap *heap,
                        size_t size);

// The same, and the block's bytes are zero.
//
// Required of the caller:
//
// `heap` is null or a heap.
void *rt0_heap_allocate_zeroed(struct rt0_heap *heap, size_t size);

// A block of at least `size` bytes at a multiple of `alignment`, a power of two: null if it is not one. It goes back
// with `rt0_heap_free_aligned`.
//
// Required of the caller:
//
// `heap` is null or a heap.
void *rt0_heap_allocate_aligned(struct rt0_heap *heap,
                                size_t size,
                                size_t alignment);

// Makes a block `new_size` bytes long, where it is if that can be, else in another place. Its bytes up to the lesser
// size are kept. A null `block` is allocated anew.
//
// Null if there is no memory, if a size exceeds `PTRDIFF_MAX` or `heap` is null; the block is as it was then, and still
// the caller's. A `new_size` of 0 does not free the block.
//
// Required of the caller:
//
// `heap` is null or a heap. `block` is null, or came from this heap (`rt0_heap_allocate`, `_zeroed` or `_reallocate`) for
// `old_size` bytes; once another pointer is answered it is not used any more.
void *rt0_heap_reallocate(struct rt0_heap *heap,
                          void *block,
                          size_t old_size,
                          size_t new_size);

// The same for a block from `rt0_heap_allocate_aligned`, which keeps its alignment. Null as well if `alignment` is no power
// of two.
//
// Required of the caller:
//
// As for `rt0_heap_reallocate`; the block came with this `alignment`.
void *rt0_heap_reallocate_aligned(struct rt0_heap *heap,
                                  void *block,
                                  size_t old_size,
                                  size_t new_size,
                                  size_t alignment);

// Takes a block back. Nothing happens if `block` or `heap` is null.
//
// Required of the caller:
//
// `heap` is null or a heap. `block` is null, or came from this heap (`rt0_heap_allocate`, `_zeroed` or `_reallocate`) for
// `size` bytes and is not used any more.
void rt0_heap_free(struct rt0_heap *heap,
                   void *block,
                   size_t size);

// Takes a block from `rt0_heap_allocate_aligned` back. Nothing happens if `block` or `heap` is null.
//
// Required of the caller:
//
// As for `rt0_heap_free`; the block came with this `alignment`.
void rt0_heap_free_aligned(struct rt0_heap *heap, void *block, size_t size, size_t alignment);

// The bytes that a block for `size` bytes really has, aligned as all are: what exceeds `size` may be used if the block is
// given back with a size between the two. 0 if `size` exceeds what a block can have.
size_t rt0_heap_block_size(size_t size);

// Figures of the heap. It walks the heap's free lists.
//
// Answers 0, or `-EINVAL` if `heap` or `stats` is null. As much is written as `stats->size` has room for.
//
// Required of the caller:
//
// `heap` is null or a heap; `stats` is null or points to as many bytes as its `size` says.
int rt0_heap_statistics(struct rt0_heap *heap, struct rt0_heap_stats *stats);

// How the size of the heap's arena was decided.
//
// Answers 0, or `-EINVAL` if `heap` or `decision` is null. As much is written as `decision->size` has room for.
//
// Required of the caller:
//
// `heap` is null or a heap; `decision` is null or points to as many bytes as its `size` says.
int rt0_heap_decision(struct rt0_heap *heap,
                      struct rt0_decision *decision);

// Gives back to the kernel whatever can be: pages that hold nothing. Nothing happens if `heap` is null.
//
// Required of the caller:
//
// `heap` is null or a heap.
void rt0_heap_trim(struct rt0_heap *heap);

// Takes all locks of the heap, so that it is whole in the copy that a fork makes of the process: for `pthread_atfork`,
// with the two below. Who registers first is called last before the fork. Until one of the two is called the calling
// thread does not use the heap, and others wait. Nothing happens if `heap` is null.
//
// Required of the caller:
//
// `heap` is null or a heap.
void rt0_heap_before_fork(struct rt0_heap *heap);

// Releases, in the process that goes on, what `rt0_heap_before_fork` has taken, whether or not there was a fork. Nothing
// happens if `heap` is null.
//
// Required of the caller:
//
// `heap` is null or a heap. This thread has called `rt0_heap_before_fork` of it, and since then nothing else.
void rt0_heap_after_fork_in_parent(struct rt0_heap *heap);

// The same in the copy. What other threads had in their lists is the heap's as before. Nothing happens if `heap` is
// null.
//
// Required of the caller:
//
// `heap` is null or a heap. This process is a copy that was made by a fork, and has one thread, which had called
// `rt0_heap_before_fork` of it before, and nothing else since then.
void rt0_heap_after_fork_in_child(struct rt0_heap *heap);

// Looks at the whole heap. Answers `RT0_HEAP_WHOLE` (0), the first fault that it finds (`RT0_FAULT_*`, positive), or
// `-EINVAL` if `heap` is null. The address of the fault is stored where `where` points, unless that is null; 0 if it has
// none.
//
// Required of the caller:
//
// `heap` is null or a heap; `where` is null or points to a `size_t`.
int rt0_heap_check(struct rt0_heap *heap,
                   size_t *where);

// The soft limit of this process's address space (`RLIMIT_AS`).
//
// Answers 1 and stores its bytes where `bytes` points, 0 if there is none, or the negated error number of `getrlimit`.
// `bytes` may be null.
//
// Required of the caller:
//
// `bytes` is null or points to a writable `uint64_t`.
int rt0_limit(uint64_t *bytes);

// Writes the line that says why there is no arena, without a newline, to the `size` bytes at `buffer`, as `snprintf`
// does: cut where there is no room, ended by a NUL unless `size` is 0.
//
// `decision` is what `rt0_heap_create` stored when it failed. The line begins with
// `rt0: cannot reserve arena virtual address space` and names the limit, what was tried and the least that would do; it
// is at most 400 bytes long. Answers the length of the whole line, without the NUL; 0 if `decision` is null, its `size` is
// another than this library's, or it is not a failure.
//
// Required of the caller:
//
// `decision` is null or points to a structure that `rt0_heap_create` has written; `buffer` is null or has `size`
// writable bytes.
size_t rt0_failure_line(const struct rt0_decision *decision,
                        char *buffer,
                        size_t size);

// A block of at least `size` bytes, aligned for every type of C. Null if there is no memory, if `size` is more than a block
// can have or `heap` is null. A request of no bytes gets a block of its own.
//
// Required of the caller:
//
// `heap` is null or a heap.
void *rt0_malloc(struct rt0_heap *heap,
                 size_t size);

// A block of `count` times `size` bytes that are zero. Null as `rt0_malloc` has it, and if the product is too large.
//
// Required of the caller:
//
// `heap` is null or a heap.
void *rt0_calloc(struct rt0_heap *heap,
                 size_t count,
                 size_t size);

// A block of at least `size` bytes at a multiple of `alignment`, a power of two: null if it is not one. The prefix is then
// as long as the alignment.
//
// Required of the caller:
//
// `heap` is null or a heap.
void *rt0_aligned_alloc(struct rt0_heap *heap,
                        size_t alignment,
                        size_t size);

// Makes a block `size` bytes long, where it is if that can be. Its bytes up to the lesser size are kept. A null `block` is
// allocated anew. A block from `rt0_aligned_alloc` keeps its alignment.
//
// Null as `rt0_malloc` has it; the block is as it was then, and still the caller's. A `size` of 0 does not free it.
//
// Required of the caller:
//
// `heap` is null or a heap. `block` is null, or came from this heap by a function that has no `heap_` in its name; once
// another pointer is answered it is not used any more.
void *rt0_realloc(struct rt0_heap *heap,
                  void *block,
                  size_t size);

// Takes a block back. Nothing happens if `block` or `heap` is null.
//
// Required of the caller:
//
// `heap` is null or a heap. `block` is null, or came from this heap by a function that has no `heap_` in its name, and is
// not used any more.
void rt0_free(struct rt0_heap *heap,
              void *block);

// The bytes that were asked for when the block was made; 0 for a null pointer.
//
// Required of the caller:
//
// `block` is null, or came from a function that has no `heap_` in its name and has not been freed.
size_t rt0_malloc_size(const void *block);

// The size of a page, bytes, a power of two. A hosted program, whose start rt0 does not see, is told 4096.
size_t rt0_page_size(void);

// Reserves `size` bytes of address space, without access, and stores where they begin. They count against the limit in
// full.
//
// Answers 0; `-EINVAL` if `base` is null or `size` is 0 or no multiple of the page; `-ENOMEM`, or what the kernel says.
// After an error `*base` is null.
//
// Required of the caller:
//
// `base` is null or points to a pointer.
int rt0_reserve(size_t size,
                void **base);

// Makes pages of a reservation readable and writable. They read as zeroes when they are committed for the first time.
//
// Answers 0, `-EINVAL`, or `-ENOMEM`: the kernel has no more memory or mappings, and the pages are as they were.
//
// Required of the caller:
//
// The range is one that the caller has reserved.
int rt0_commit(void *base,
               size_t size);

// Gives the memory of committed pages back. They can still be used; what they hold afterwards is not specified (Linux:
// zeroes; FreeBSD: zeroes or what was there).
//
// Answers 0 or `-EINVAL`.
//
// Required of the caller:
//
// The range is committed and the caller's, and nothing in it is needed.
int rt0_reset(void *base,
              size_t size);

// Gives address space back, a whole reservation or pages of one, committed or not.
//
// Answers 0; `-EINVAL`, or `-ENOMEM` if that would split a mapping and the kernel has too many: it stays reserved then.
//
// Required of the caller:
//
// The range is one that the caller has reserved, and nobody uses it any more.
int rt0_release(void *base,
                size_t size);

// The value of the environment variable `name`; null if there is none, if `name` is null, and in a hosted program, whose
// libc has it.
//
// Required of the caller:
//
// `name` is null or a C string.
const char *rt0_env(const char *name);

// The entry `kind` (`AT_*`, the kernel's numbers) of the auxiliary vector. Answers 1 and stores it where `value` points
// unless that is null; 0 if there is none, and in a hosted program.
//
// Required of the caller:
//
// `value` is null or points to a `size_t`.
int rt0_auxv(size_t kind,
             size_t *value);

// Makes the system call `number` of this kernel with up to six words of arguments; those that it does not take are
// ignored. A 64-bit argument of a 32-bit port is two words, which on ARM begin at an even argument.
//
// Answers what the kernel answers, or the negated error number.
//
// Required of the caller:
//
// What the call does to memory is the caller's to know.
ptrdiff_t rt0_syscall(size_t number,
                      size_t a,
                      size_t b,
                      size_t c,
                      size_t d,
                      size_t e,
                      size_t f);

// Ends the process, all its threads, with `status & 0xff`. Nothing is flushed and no function is called before.
void rt0_exit(int status) __attribute__((noreturn));

// Reads up to `size` bytes; answers how many, 0 at the end of the file.
//
// Required of the caller:
//
// `buffer` has `size` writable bytes.
ptrdiff_t rt0_read(int fd, void *buffer, size_t size);

// Writes up to `size` bytes; answers how many.
//
// Required of the caller:
//
// `bytes` has `size` readable bytes.
ptrdiff_t rt0_write(int fd, const void *bytes, size_t size);

// Writes all `size` bytes, however often the kernel takes only a part or a signal comes between.
//
// Answers 0, or what the kernel says other than `-EINTR`; `-EIO` where it takes nothing at all.
//
// Required of the caller:
//
// `bytes` has `size` readable bytes.
int rt0_write_all(int fd, const void *bytes, size_t size);

// Opens a file, of any size on every port: `flags` are `RT0_O_*`, `mode` the permissions of one that is created. Answers its descriptor.
//
// Required of the caller:
//
// `path` is a C string.
int rt0_open(const char *path,
             int flags,
             uint32_t mode);

// Closes a file descriptor.
int rt0_close(int fd);

// Makes `to` another name for the open file `from`, closing what `to` was. Answers `to`.
int rt0_dup2(int from, int to);

// Maps `size` bytes of the file `fd` from `offset`, or zeroes with `RT0_MAP_ANON` (`fd` -1, `offset` 0), and stores where
// they are.
//
// Answers 0; `-EINVAL` if `result` is null, or what the kernel says. After an error `*result` is null.
//
// Required of the caller:
//
// `result` is null or points to a pointer. With `RT0_MAP_FIXED` nobody uses what is at `address` now.
int rt0_mmap(void *address,
             size_t size,
             int protection,
             int flags,
             int fd,
             uint64_t offset,
             void **result);

// Unmaps the pages of a range.
//
// Required of the caller:
//
// The range is the caller's and nobody uses it any more.
int rt0_munmap(void *address, size_t size);

// Sets the access to the pages of a range, `RT0_PROT_*`.
//
// Required of the caller:
//
// The range is the caller's, and nobody needs the access that is taken away.
int rt0_mprotect(void *address, size_t size, int protection);

// Advises the kernel about the pages of a range; the advice is a number of this kernel's (`MADV_*`).
//
// Required of the caller:
//
// The range is the caller's, and nobody needs the content that the advice gives up.
int rt0_madvise(void *address, size_t size, int advice);

// Stores the limits of a resource, `RT0_RLIMIT_*`.
//
// Answers 0; `-EINVAL` for a resource that the kernel does not know, and if `limit` is null.
//
// Required of the caller:
//
// `limit` is null or points to a structure.
int rt0_getrlimit(int resource, struct rt0_rlimit *limit);

// Sets the limits of a resource, `RT0_RLIMIT_*`. What the kernel's word cannot hold is set to infinity.
//
// Answers 0; `-EPERM` (raising the hard limit), `-EINVAL` (soft above hard, or `limit` is null).
//
// Required of the caller:
//
// `limit` is null or points to a structure.
int rt0_setrlimit(int resource, const struct rt0_rlimit *limit);

// This process's number.
int rt0_getpid(void);

// Sends a signal to a process or, negative, to a group; signal 0 only asks whether one could.
int rt0_kill(int pid, int signal);

// Makes a copy of this process: 0 in the copy, the copy's number in the original.
//
// Required of the caller:
//
// Only the calling thread is in the copy: a lock that another thread holds stays locked there for ever, and one that the
// calling thread holds is made free there by zeroes, not by `rt0_lock_release`, since those who waited for it are not there. In
// a hosted program the libc does not learn of it. For a heap see `rt0_heap_before_fork`.
int rt0_fork(void);

// Becomes the program at `path`. It returns only if that fails, with the negated error number.
//
// Required of the caller:
//
// `path` is a C string; `argv` and `envp` point to arrays of pointers to C strings, each ended by a null pointer.
int rt0_execve(const char *path,
               const char *const *argv,
               const char *const *envp);

// Waits for the child `pid`, or any with -1. Answers its number, 0 with `RT0_WNOHANG` where none has ended, and stores the
// kernel's word of how it ended where `wait_status` points, unless that is null.
//
// Required of the caller:
//
// `wait_status` is null or points to an `int`.
int rt0_wait4(int pid,
              int *wait_status,
              int options);

// Sleeps. Answers 0; `-EINTR`, or `-EINVAL`, also if `time` is null.
//
// Required of the caller:
//
// `time` is null or points to a structure.
int rt0_nanosleep(const struct rt0_timespec *time);

// Stores the time of a clock, `RT0_CLOCK_*`. Answers 0, or `-EINVAL`, also if `time` is null.
//
// Required of the caller:
//
// `time` is null or points to a structure.
int rt0_clock_gettime(int clock, struct rt0_timespec *time);

// Starts a thread that calls `entry(argument)` on the `size` bytes at `stack`, and ends when that returns.
//
// It may run before this returns. What was written before this call it can read.
//
// Answers 0; `-EINVAL` if `thread`, `stack` or `entry` is null or the stack is shorter than 4096 bytes and what is kept at
// its top: 256 bytes at most, and the program's thread-local variables with three times their alignment. `-EAGAIN`,
// `-EPROCLIM` or `-ENOMEM`: no more threads. The stack is the caller's again then.
//
// Required of the caller:
//
// - The stack is readable and writable, as long as `entry` needs, and the thread's alone until `rt0_thread_join` returns. A
//   thread that uses more writes to what lies below: a page there without access makes that a fault, and is the caller's
//   to arrange.
// - A heap that threads share was made without `RT0_HEAP_UNLOCKED`.
// - In a hosted program the thread calls nothing of the libc: it would share the caller's thread-local storage.
int rt0_thread_start(struct rt0_thread *thread,
                     void *stack,
                     size_t size,
                     rt0_thread_entry entry,
                     void *argument);

// Waits until a thread has ended. Its stack is the caller's again then, and what the thread wrote can be read.
//
// Answers 0, or `-EINVAL` if `thread` is null.
//
// Required of the caller:
//
// `thread` is null, or was started and has not been waited for.
int rt0_thread_join(struct rt0_thread *thread);

// Waits until nobody else holds the lock, and takes it. Nothing happens if it is null.
//
// Required of the caller:
//
// `lock` is null or a lock, and does not move while somebody holds it or waits.
void rt0_lock_take(struct rt0_lock *lock);

// Lets the next one have the lock. Nothing happens if it is null.
//
// Required of the caller:
//
// `lock` is null or a lock that the caller holds.
void rt0_lock_release(struct rt0_lock *lock);

#ifdef __cplusplus
}  // extern "C"
#endif  // __cplusplus

#endif  /* RT0_H */
