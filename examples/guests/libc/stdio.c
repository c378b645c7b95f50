/* Files and formatted text. A file has one buffer, for what was read ahead or for what is still to be written. */

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "rt0.h"

struct guest_file {
    int fd;
    enum { CLOSED, READING, WRITING } state;
    int at_end, failed, unbuffered;
    int pushed_back; /* a character, or EOF */
    size_t position, length;
    unsigned char buffer[BUFSIZ];
};

enum { FILES = 16 };
static struct guest_file files[FILES] = {
    {.fd = 0, .state = READING, .pushed_back = EOF},
    {.fd = 1, .state = WRITING, .pushed_back = EOF},
    {.fd = 2, .state = WRITING, .unbuffered = 1, .pushed_back = EOF},
};
FILE *const stdin = &files[0], *const stdout = &files[1], *const stderr = &files[2];

static int write_out(FILE *file, const void *bytes, size_t size) {
    int result = rt0_write_all(file->fd, bytes, size);
    if (result == 0) return 0;
    errno = -result;
    file->failed = 1;
    return EOF;
}

int fflush(FILE *file) {
    if (file == NULL) {
        int result = 0;
        for (int i = 0; i < FILES; i++) result |= fflush(&files[i]);
        return result;
    }
    if (file->state != WRITING || file->length == 0) return 0;
    size_t length = file->length;
    file->length = 0;
    return write_out(file, file->buffer, length);
}

static int open_as(FILE *file, const char *path, const char *mode) {
    int plain = mode[0] == 'r' ? RT0_O_RDONLY
                               : RT0_O_WRONLY | RT0_O_CREAT | (mode[0] == 'a' ? RT0_O_APPEND : RT0_O_TRUNC);
    int fd = rt0_open(path, plain | RT0_O_CLOEXEC, 0666);
    if (fd < 0) {
        errno = -fd;
        return -1;
    }
    *file = (struct guest_file){.fd = fd, .state = mode[0] == 'r' ? READING : WRITING, .pushed_back = EOF};
    return 0;
}

FILE *fopen(const char *path, const char *mode) {
    for (int i = 3; i < FILES; i++)
        if (files[i].state == CLOSED) return open_as(&files[i], path, mode) == 0 ? &files[i] : NULL;
    errno = EMFILE;
    return NULL;
}

int fclose(FILE *file) {
    int result = fflush(file);
    file->state = CLOSED;
    if (rt0_close(file->fd) < 0) result = EOF;
    return result;
}

FILE *freopen(const char *path, const char *mode, FILE *file) {
    fclose(file);
    return open_as(file, path, mode) == 0 ? file : NULL;
}

int feof(FILE *file) { return file->at_end; }
int ferror(FILE *file) { return file->failed; }
void clearerr(FILE *file) { file->at_end = file->failed = 0; }

/* Reads once; 0 is the end or an error. */
static size_t read_in(FILE *file, void *to, size_t size) {
    intptr_t got;
    if (file == stdin) fflush(stdout);
    do got = rt0_read(file->fd, to, size);
    while (got == -EINTR);
    if (got == 0) file->at_end = 1;
    if (got < 0) {
        errno = (int)-got;
        file->failed = 1;
    }
    return got > 0 ? (size_t)got : 0;
}

int getc(FILE *file) {
    if (file->pushed_back != EOF) {
        int c = file->pushed_back;
        file->pushed_back = EOF;
        return c;
    }
    if (file->position == file->length) {
        file->position = 0;
        file->length = read_in(file, file->buffer, sizeof file->buffer);
        if (file->length == 0) return EOF;
    }
    return file->buffer[file->position++];
}

int fgetc(FILE *file) { return getc(file); }
int getchar(void) { return getc(stdin); }

int ungetc(int c, FILE *file) {
    file->pushed_back = c;
    if (c != EOF) file->at_end = 0;
    return c;
}

char *fgets(char *line, int size, FILE *file) {
    int length = 0, c = 0;
    while (length < size - 1 && c != '\n' && (c = getc(file)) != EOF) line[length++] = (char)c;
    line[length] = 0;
    return length > 0 ? line : NULL;
}

size_t fread(void *to, size_t size, size_t count, FILE *file) {
    size_t wanted = size * count, got = 0;
    unsigned char *bytes = to;
    if (wanted == 0) return 0;
    if (file->pushed_back != EOF) bytes[got++] = (unsigned char)getc(file);
    while (got < wanted) {
        size_t part = file->length - file->position;
        if (part > wanted - got) part = wanted - got;
        if (part > 0) {
            memcpy(bytes + got, file->buffer + file->position, part);
            file->position += part;
        } else {
            part = read_in(file, bytes + got, wanted - got);
            if (part == 0) break;
        }
        got += part;
    }
    return got / size;
}

size_t fwrite(const void *from, size_t size, size_t count, FILE *file) {
    size_t length = size * count;
    if (length == 0) return 0;
    if (length > sizeof file->buffer - file->length && fflush(file) != 0) return 0;
    if (length > sizeof file->buffer || file->unbuffered) return write_out(file, from, length) == 0 ? count : 0;
    memcpy(file->buffer + file->length, from, length);
    file->length += length;
    return count;
}

int fputs(const char *text, FILE *file) {
    size_t length = strlen(text);
    return fwrite(text, 1, length, file) == length ? 0 : EOF;
}

int fputc(int c, FILE *file) {
    unsigned char byte = (unsigned char)c;
    return fwrite(&byte, 1, 1, file) == 1 ? byte : EOF;
}

int putc(int c, FILE *file) { return fputc(c, file); }
int putchar(int c) { return fputc(c, stdout); }
int puts(const char *text) { return fputs(text, stdout) == EOF ? EOF : fputc('\n', stdout); }

static long seek(FILE *file, long offset, int from) {
    int64_t result = rt0_lseek(file->fd, offset, from);
    if (result > LONG_MAX) result = -ERANGE;
    if (result < 0) errno = (int)-result;
    return result < 0 ? -1 : (long)result;
}

long ftell(FILE *file) {
    long at = seek(file, 0, SEEK_CUR);
    if (at < 0 || file->state == WRITING) return at < 0 ? at : at + (long)file->length;
    return at - (long)(file->length - file->position) - (file->pushed_back != EOF);
}

int fseek(FILE *file, long offset, int from) {
    if (from == SEEK_CUR && file->state == READING) {
        long at = ftell(file);
        if (at < 0) return -1;
        offset += at;
        from = SEEK_SET;
    }
    if (fflush(file) != 0 || seek(file, offset, from) < 0) return -1;
    file->position = file->length = 0;
    file->pushed_back = EOF;
    file->at_end = 0;
    return 0;
}

void rewind(FILE *file) {
    fseek(file, 0, SEEK_SET);
    file->failed = 0;
}

int fileno(FILE *file) { return file->fd; }

/* Files keep their own buffers; none is what a program may ask for. */
int setvbuf(FILE *file, char *buffer, int mode, size_t size) {
    (void)buffer, (void)size;
    file->unbuffered = mode == _IONBF;
    return 0;
}

void perror(const char *text) { fprintf(stderr, "%s: %s\n", text, strerror(errno)); }

/* Where formatted text goes: into memory as far as there is room, or to a file. */
struct sink {
    char *to;
    size_t room; /* without the final NUL */
    FILE *file;
    size_t length;
};

static void put(struct sink *sink, const char *text, size_t length) {
    if (sink->file != NULL) {
        fwrite(text, 1, length, sink->file);
    } else if (sink->length < sink->room) {
        size_t left = sink->room - sink->length;
        memcpy(sink->to + sink->length, text, length < left ? length : left);
    }
    sink->length += length;
}

static void pad(struct sink *sink, char c, int count) {
    for (; count > 0; count--) put(sink, &c, 1);
}

enum { LEFT = 1, PLUS = 2, SPACE = 4, ALTERNATE = 8, ZERO = 16 };

/* A sign or prefix, zeroes that the precision asks for, the digits; in a field. */
static void field(struct sink *sink, int flags, int width, const char *prefix, int zeroes, const char *digits,
                  int length) {
    int prefix_length = (int)strlen(prefix);
    int total = prefix_length + zeroes + length;
    if (!(flags & (LEFT | ZERO))) pad(sink, ' ', width - total);
    put(sink, prefix, (size_t)prefix_length);
    if (flags & ZERO) pad(sink, '0', width - total);
    pad(sink, '0', zeroes);
    put(sink, digits, (size_t)length);
    if (flags & LEFT) pad(sink, ' ', width - total);
}

/* Decimal floats, correctly rounded, by Rust's core: ../numbers. "conversion" is one of e, f, g, a; the answer is the length
   of the text, without a sign. */
size_t guest_format(double number, char conversion, int precision, int alternate, char *to, size_t size);

static int guest_vprintf(struct sink *sink, const char *format, va_list arguments) {
    for (; *format != 0; format++) {
        const char *plain = format;
        while (*format != 0 && *format != '%') format++;
        put(sink, plain, (size_t)(format - plain));
        if (*format == 0) break;

        int flags = 0, width = 0, precision = -1, size = 0;
        for (;;) {
            const char *known = "-+ #0", *flag = *++format != 0 ? strchr(known, *format) : NULL;
            if (flag == NULL) break;
            flags |= 1 << (flag - known);
        }
        if (*format == '*') {
            width = va_arg(arguments, int);
            if (width < 0) flags |= LEFT, width = -width;
            format++;
        } else {
            while (isdigit((unsigned char)*format)) width = width * 10 + (*format++ - '0');
        }
        if (*format == '.') {
            precision = 0;
            if (*++format == '*') {
                precision = va_arg(arguments, int);
                format++;
            } else {
                while (isdigit((unsigned char)*format)) precision = precision * 10 + (*format++ - '0');
            }
        }
        for (;; format++) {
            if (*format == 'l') size++;
            else if (*format == 'h') size--;
            else if (*format == 'j' || *format == 'L') size = 2;
            else if (*format == 'z' || *format == 't') size = sizeof(size_t) > sizeof(int) ? 1 : 0;
            else break;
        }
        if (flags & LEFT) flags &= ~ZERO;

        char text[400]; /* more than the whole part of any double has digits */
        switch (*format) {
        case '%':
            put(sink, "%", 1);
            break;
        case 'c':
            text[0] = (char)va_arg(arguments, int);
            field(sink, flags & ~ZERO, width, "", 0, text, 1);
            break;
        case 's': {
            const char *string = va_arg(arguments, const char *);
            if (string == NULL) string = "(null)";
            int length = (int)(precision < 0 ? strlen(string) : strnlen(string, (size_t)precision));
            field(sink, flags & ~ZERO, width, "", 0, string, length);
            break;
        }
        case 'd':
        case 'i':
        case 'u':
        case 'o':
        case 'x':
        case 'X':
        case 'p': {
            unsigned long long number;
            const char *prefix = "";
            unsigned base = 10;
            if (*format == 'p') {
                number = (uintptr_t)va_arg(arguments, void *);
                flags |= ALTERNATE;
            } else if (*format == 'd' || *format == 'i') {
                long long value = size >= 2   ? va_arg(arguments, long long)
                                  : size == 1 ? va_arg(arguments, long)
                                              : va_arg(arguments, int);
                if (size == -1) value = (short)value;
                if (size <= -2) value = (signed char)value;
                prefix = value < 0 ? "-" : flags & PLUS ? "+" : flags & SPACE ? " " : "";
                number = value < 0 ? 0 - (unsigned long long)value : (unsigned long long)value;
            } else {
                number = size >= 2   ? va_arg(arguments, unsigned long long)
                         : size == 1 ? va_arg(arguments, unsigned long)
                                     : va_arg(arguments, unsigned);
                if (size == -1) number = (unsigned short)number;
                if (size <= -2) number = (unsigned char)number;
            }
            if (*format == 'o') base = 8;
            if (*format == 'x' || *format == 'X' || *format == 'p') base = 16;
            if (base == 16 && (flags & ALTERNATE) && number != 0) prefix = *format == 'X' ? "0X" : "0x";
            char *end = text + 64, *digit = end;
            for (unsigned long long rest = number; rest != 0; rest /= base)
                *--digit = (*format == 'X' ? "0123456789ABCDEF" : "0123456789abcdef")[rest % base];
            int length = (int)(end - digit), zeroes = 0;
            if (precision < 0) zeroes = length == 0;
            else zeroes = precision > length ? precision - length : 0, flags &= ~ZERO;
            if (base == 8 && (flags & ALTERNATE) && zeroes == 0) zeroes = 1;
            field(sink, flags, width, prefix, zeroes, digit, length);
            break;
        }
        case 'e':
        case 'E':
        case 'f':
        case 'F':
        case 'g':
        case 'G':
        case 'a':
        case 'A': {
            double number = va_arg(arguments, double);
            int negative = __builtin_signbit(number) != 0;
            if (!__builtin_isfinite(number)) flags &= ~ZERO;
            char conversion = (char)(*format | 32);
            size_t length = guest_format(negative ? -number : number, conversion, precision,
                                         (flags & ALTERNATE) != 0, text, sizeof text);
            const char *prefix = negative ? "-" : flags & PLUS ? "+" : flags & SPACE ? " " : "";
            char with_0x[4];
            const char *digits = text;
            if (conversion == 'a' && __builtin_isfinite(number)) { /* zeroes come behind the 0x */
                snprintf(with_0x, sizeof with_0x, "%s0%c", prefix, *format == 'A' ? 'X' : 'x');
                prefix = with_0x;
                digits += 2;
                length -= 2;
            }
            if (isupper((unsigned char)*format))
                for (size_t i = 0; i < sizeof text && text[i] != 0; i++) text[i] = (char)toupper((unsigned char)text[i]);
            field(sink, flags, width, prefix, 0, digits, (int)length);
            break;
        }
        default: /* not one of C's: as it stands */
            put(sink, "%", 1);
            if (*format == 0) return (int)sink->length;
            put(sink, format, 1);
        }
    }
    return (int)sink->length;
}

int vsnprintf(char *to, size_t size, const char *format, va_list arguments) {
    struct sink sink = {.to = to, .room = size > 0 ? size - 1 : 0};
    int length = guest_vprintf(&sink, format, arguments);
    if (size > 0) to[(size_t)length < size ? (size_t)length : size - 1] = 0;
    return length;
}

int snprintf(char *to, size_t size, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(to, size, format, arguments);
    va_end(arguments);
    return length;
}

int vsprintf(char *to, const char *format, va_list arguments) {
    return vsnprintf(to, (size_t)INT32_MAX, format, arguments);
}

int sprintf(char *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsprintf(to, format, arguments);
    va_end(arguments);
    return length;
}

int vfprintf(FILE *file, const char *format, va_list arguments) {
    struct sink sink = {.file = file};
    return guest_vprintf(&sink, format, arguments);
}

int vprintf(const char *format, va_list arguments) { return vfprintf(stdout, format, arguments); }

int fprintf(FILE *file, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vfprintf(file, format, arguments);
    va_end(arguments);
    return length;
}

int printf(const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vfprintf(stdout, format, arguments);
    va_end(arguments);
    return length;
}
