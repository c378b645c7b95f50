/* SQLite's file system over rt0's system calls, as SQLITE_OS_OTHER wants it: sqlite3_os_init registers it.

   Locks are those of SQLite's own file system for Unix, to the byte ("File Locking And Concurrency In SQLite Version 3",
   sqlite.org/lockingv3.html; os.h of SQLite's source), so other programs may have the same database open. There is no shared
   memory, so no write-ahead log. As everywhere under POSIX, a process must not open one database twice: closing one descriptor
   gives up the locks of all. */

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "rt0.h"
#include "sqlite3.h"

struct file {
    sqlite3_file base;
    int fd;
    int level;          /* SQLITE_LOCK_* */
    const char *remove; /* what is removed when it is closed; SQLite keeps the name as long */
};

/* Where locks are: bytes that no page uses. */
static const int64_t PENDING = 0x40000000, RESERVED = 0x40000001, SHARED = 0x40000002, SHARED_SIZE = 510;

static int set_lock(struct file *file, int kind, int64_t start, int64_t length) {
    struct rt0_flock lock = {.kind = kind, .start = start, .length = length};
    int result = rt0_fcntl_setlk(file->fd, &lock);
    if (result == 0) return SQLITE_OK;
    return result == -EAGAIN || result == -EACCES ? SQLITE_BUSY : SQLITE_IOERR_LOCK;
}

static int file_lock(sqlite3_file *base, int level) {
    struct file *file = (struct file *)base;
    int result;
    if (file->level >= level) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        /* Who holds the pending byte for a moment keeps writers from starving. */
        if ((result = set_lock(file, RT0_LOCK_SHARED, PENDING, 1)) != SQLITE_OK) return result;
        result = set_lock(file, RT0_LOCK_SHARED, SHARED, SHARED_SIZE);
        int released = set_lock(file, RT0_LOCK_NONE, PENDING, 1);
        if (result == SQLITE_OK) result = released;
    } else if (level == SQLITE_LOCK_RESERVED) {
        result = set_lock(file, RT0_LOCK_EXCLUSIVE, RESERVED, 1);
    } else {
        if (file->level < SQLITE_LOCK_PENDING) {
            if ((result = set_lock(file, RT0_LOCK_EXCLUSIVE, PENDING, 1)) != SQLITE_OK) return result;
            file->level = SQLITE_LOCK_PENDING;
        }
        result = set_lock(file, RT0_LOCK_EXCLUSIVE, SHARED, SHARED_SIZE);
    }
    if (result == SQLITE_OK) file->level = level;
    return result;
}

static int file_unlock(sqlite3_file *base, int level) {
    struct file *file = (struct file *)base;
    int result = SQLITE_OK;
    if (file->level <= level) return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        result = set_lock(file, RT0_LOCK_SHARED, SHARED, SHARED_SIZE);
        if (result == SQLITE_OK) result = set_lock(file, RT0_LOCK_NONE, PENDING, 2);
    } else {
        result = set_lock(file, RT0_LOCK_NONE, 0, 0);
    }
    if (result == SQLITE_OK) file->level = level;
    return result == SQLITE_OK ? SQLITE_OK : SQLITE_IOERR_UNLOCK;
}

static int file_check_reserved(sqlite3_file *base, int *held) {
    struct file *file = (struct file *)base;
    struct rt0_flock lock = {.kind = RT0_LOCK_EXCLUSIVE, .start = RESERVED, .length = 1};
    *held = file->level >= SQLITE_LOCK_RESERVED;
    if (*held) return SQLITE_OK;
    if (rt0_fcntl_getlk(file->fd, &lock) != 0) return SQLITE_IOERR_CHECKRESERVEDLOCK;
    *held = lock.kind != RT0_LOCK_NONE;
    return SQLITE_OK;
}

static int file_close(sqlite3_file *base) {
    struct file *file = (struct file *)base;
    file_unlock(base, SQLITE_LOCK_NONE);
    int result = rt0_close(file->fd);
    if (file->remove != NULL) rt0_unlink(file->remove);
    return result == 0 ? SQLITE_OK : SQLITE_IOERR_CLOSE;
}

static int file_read(sqlite3_file *base, void *to, int size, sqlite3_int64 offset) {
    struct file *file = (struct file *)base;
    char *bytes = to;
    while (size > 0) {
        intptr_t got = rt0_pread(file->fd, bytes, (size_t)size, offset);
        if (got == -EINTR) continue;
        if (got < 0) return SQLITE_IOERR_READ;
        if (got == 0) { /* what is behind the end reads as zeroes, SQLite asks */
            memset(bytes, 0, (size_t)size);
            return SQLITE_IOERR_SHORT_READ;
        }
        bytes += got, size -= (int)got, offset += got;
    }
    return SQLITE_OK;
}

static int file_write(sqlite3_file *base, const void *from, int size, sqlite3_int64 offset) {
    struct file *file = (struct file *)base;
    const char *bytes = from;
    while (size > 0) {
        intptr_t put = rt0_pwrite(file->fd, bytes, (size_t)size, offset);
        if (put == -EINTR) continue;
        if (put == -ENOSPC) return SQLITE_FULL;
        if (put <= 0) return SQLITE_IOERR_WRITE;
        bytes += put, size -= (int)put, offset += put;
    }
    return SQLITE_OK;
}

static int file_truncate(sqlite3_file *base, sqlite3_int64 size) {
    return rt0_ftruncate(((struct file *)base)->fd, size) == 0 ? SQLITE_OK : SQLITE_IOERR_TRUNCATE;
}

static int file_sync(sqlite3_file *base, int flags) {
    (void)flags;
    return rt0_fsync(((struct file *)base)->fd) == 0 ? SQLITE_OK : SQLITE_IOERR_FSYNC;
}

static int file_size(sqlite3_file *base, sqlite3_int64 *size) {
    struct rt0_stat stat;
    if (rt0_fstat(((struct file *)base)->fd, &stat) != 0) return SQLITE_IOERR_FSTAT;
    *size = (sqlite3_int64)stat.size;
    return SQLITE_OK;
}

static int file_control(sqlite3_file *base, int operation, void *argument) {
    (void)base, (void)operation, (void)argument;
    return SQLITE_NOTFOUND;
}

static int file_sector_size(sqlite3_file *base) {
    (void)base;
    return 4096;
}

static int file_characteristics(sqlite3_file *base) {
    (void)base;
    return 0; /* nothing is promised of what a power failure leaves */
}

static const sqlite3_io_methods METHODS = {
    .iVersion = 1,
    .xClose = file_close,
    .xRead = file_read,
    .xWrite = file_write,
    .xTruncate = file_truncate,
    .xSync = file_sync,
    .xFileSize = file_size,
    .xLock = file_lock,
    .xUnlock = file_unlock,
    .xCheckReservedLock = file_check_reserved,
    .xFileControl = file_control,
    .xSectorSize = file_sector_size,
    .xDeviceCharacteristics = file_characteristics,
};

static int vfs_open(sqlite3_vfs *vfs, const char *path, sqlite3_file *base, int flags, int *given) {
    struct file *file = (struct file *)base;
    (void)vfs;
    memset(file, 0, sizeof *file);
    if (path == NULL) return SQLITE_CANTOPEN; /* temporary files are in memory: SQLITE_TEMP_STORE=3 */
    int mode = RT0_O_CLOEXEC | (flags & SQLITE_OPEN_CREATE ? RT0_O_CREAT : 0);
    int fd = rt0_open(path, mode | (flags & SQLITE_OPEN_READWRITE ? RT0_O_RDWR : RT0_O_RDONLY), 0644);
    if (fd < 0 && (flags & SQLITE_OPEN_READWRITE)) { /* perhaps it can be read */
        flags = (flags & ~(SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE)) | SQLITE_OPEN_READONLY;
        fd = rt0_open(path, RT0_O_CLOEXEC | RT0_O_RDONLY, 0);
    }
    if (fd < 0) return SQLITE_CANTOPEN;
    file->fd = fd;
    file->remove = flags & SQLITE_OPEN_DELETEONCLOSE ? path : NULL;
    file->base.pMethods = &METHODS;
    if (given != NULL) *given = flags;
    return SQLITE_OK;
}

/* Removes a file; with `sync` its directory is written out before this returns. */
static int vfs_delete(sqlite3_vfs *vfs, const char *path, int sync) {
    char folder[512];
    (void)vfs;
    intptr_t result = rt0_unlink(path);
    if (result == -ENOENT) return SQLITE_IOERR_DELETE_NOENT;
    if (result < 0) return SQLITE_IOERR_DELETE;
    if (!sync) return SQLITE_OK;
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] != '/') length--;
    if (length >= sizeof folder) return SQLITE_IOERR_DIR_FSYNC;
    memcpy(folder, path, length);
    strcpy(folder + length, length == 0 ? "." : "");
    int fd = rt0_open(folder, RT0_O_RDONLY | RT0_O_CLOEXEC, 0);
    if (fd < 0) return SQLITE_OK; /* not every file system lets one open a directory */
    result = rt0_fsync(fd);
    rt0_close(fd);
    return result == 0 || result == -EINVAL ? SQLITE_OK : SQLITE_IOERR_DIR_FSYNC;
}

static int vfs_access(sqlite3_vfs *vfs, const char *path, int how, int *answer) {
    (void)vfs;
    *answer = rt0_access(path, how == SQLITE_ACCESS_EXISTS ? RT0_F_OK : RT0_R_OK | RT0_W_OK) == 0;
    return SQLITE_OK;
}

/* A name as it is: this program does not change its directory. */
static int vfs_full_path(sqlite3_vfs *vfs, const char *path, int size, char *to) {
    size_t length = strlen(path) + 1;
    (void)vfs;
    if (length > (size_t)size) return SQLITE_CANTOPEN;
    memcpy(to, path, length);
    return SQLITE_OK;
}

/* A seed for SQLite's generator; it asks once. */
static int vfs_randomness(sqlite3_vfs *vfs, int size, char *to) {
    (void)vfs;
    intptr_t length = rt0_getrandom(to, (size_t)size);
    if (length < 0) length = 0;
    memset(to + length, 0, (size_t)(size - length));
    return (int)length;
}

static int vfs_sleep(sqlite3_vfs *vfs, int microseconds) {
    struct rt0_timespec time = {microseconds / 1000000, microseconds % 1000000 * INT64_C(1000)};
    (void)vfs;
    rt0_nanosleep(&time);
    return microseconds;
}

/* Milliseconds since noon of 24 November 4714 BC, as SQLite counts; the clock's zero is 2440587.5 days later. */
static int vfs_time(sqlite3_vfs *vfs, sqlite3_int64 *milliseconds) {
    struct rt0_timespec now = {0, 0};
    (void)vfs;
    rt0_clock_gettime(RT0_CLOCK_REALTIME, &now);
    rt0_clock_gettime(RT0_CLOCK_REALTIME, &now);
    *milliseconds = INT64_C(210866760000000) + now.seconds * 1000 + now.nanoseconds / 1000000;
    return SQLITE_OK;
}

static int vfs_days(sqlite3_vfs *vfs, double *days) {
    sqlite3_int64 milliseconds;
    vfs_time(vfs, &milliseconds);
    *days = (double)milliseconds / 86400000.0;
    return SQLITE_OK;
}

static int vfs_last_error(sqlite3_vfs *vfs, int size, char *to) {
    (void)vfs, (void)size, (void)to;
    return 0;
}

int sqlite3_os_init(void) {
    static sqlite3_vfs vfs = {
        .iVersion = 2,
        .szOsFile = sizeof(struct file),
        .mxPathname = 512,
        .zName = "rt0",
        .xOpen = vfs_open,
        .xDelete = vfs_delete,
        .xAccess = vfs_access,
        .xFullPathname = vfs_full_path,
        .xRandomness = vfs_randomness,
        .xSleep = vfs_sleep,
        .xCurrentTime = vfs_days,
        .xGetLastError = vfs_last_error,
        .xCurrentTimeInt64 = vfs_time,
    };
    return sqlite3_vfs_register(&vfs, 1);
}

int sqlite3_os_end(void) { return SQLITE_OK; }
