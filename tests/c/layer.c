/* What the guests' C library has beside what Lua and SQLite call. It prints the same with it and with another C library. */
#define _GNU_SOURCE
#include <inttypes.h>
#include <malloc.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static void dates(void) {
    static const long long seconds[] = {0, -1, 951782400, 951868799, 1582977600, 4102444800, -2208988800, -62135596800, 253402300799};
    char line[200];
    for (size_t i = 0; i < sizeof seconds / sizeof *seconds; i++) {
        time_t at = (time_t)seconds[i];
        struct tm date, again;
        gmtime_r(&at, &date);
        strftime(line, sizeof line, "%a %A %b %B %c|%d %e %F %H %I %j %m %M %p %r %R %S %T %u %w %x %X %y %Y %%", &date);
        again = date;
        printf("%s = %lld\n", line, (long long)timegm(&again));
    }
    struct tm odd = {.tm_year = 120, .tm_mon = 13, .tm_mday = 35, .tm_hour = -5, .tm_min = 70};
    printf("%lld", (long long)timegm(&odd));
    printf(" %d-%d-%d %d:%d\n", odd.tm_year, odd.tm_mon, odd.tm_mday, odd.tm_hour, odd.tm_min);
    struct tm parsed = {0};
    const char *rest = strptime("2020-02-29  12:34:56 and more", "%Y-%m-%d %T", &parsed);
    printf("%d %d %d %d %d %d [%s]\n", parsed.tm_year, parsed.tm_mon, parsed.tm_mday, parsed.tm_hour, parsed.tm_min,
           parsed.tm_sec, rest != NULL ? rest : "none");
    printf("%d %d\n", strptime("12", "%Y-%m", &parsed) == NULL, strftime(line, 5, "%Y-%m-%d", &parsed) == 0);
    struct timeval now;
    struct timespec same;
    gettimeofday(&now, NULL);
    clock_gettime(CLOCK_REALTIME, &same);
    printf("%d\n", same.tv_sec - now.tv_sec <= 1 && difftime(time(NULL), now.tv_sec) <= 1.0);
}

static void scanning(void) {
    int a = 0, b = 0, count;
    unsigned u = 0;
    long l = 0;
    long long ll = 0;
    short s = 0;
    float f = 0;
    double d = 0;
    char word[20] = "", set[20] = "", c[4] = "";
    count = sscanf(" 12 -7 ffz 0x1F 077", "%d%i%x%*c %i %li", &a, &b, &u, &a, &l);
    printf("%d: %d %d %x %ld\n", count, a, b, u, l);
    count = sscanf("123456789 3.25e2 -0.5 word [abc]xyz]", "%3d%lld %f %lf %5s [%[a-c]]%n", &a, &ll, &f, &d, word, set, &b);
    printf("%d: %d %lld %g %g %s %s %d\n", count, a, ll, f, d, word, set, b);
    count = sscanf("key = value ; rest", "%[^= ] = %s %3c", word, set, c);
    printf("%d: %s %s %.3s\n", count, word, set, c);
    printf("%d %d %d\n", sscanf("", "%d", &a), sscanf("x", "%d", &a), sscanf("70000 5%", "%hd %d%%", &s, &b));
    printf("%d %d\n", s, b);
}

static int print_to(char *to, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    int length = vsprintf(to, format, arguments);
    va_end(arguments);
    return length;
}

static void strings(void) {
    char text[40] = "a,b;;c", copy[40], *rest = NULL;
    for (char *part = strtok_r(text, ",;", &rest); part != NULL; part = strtok_r(NULL, ",;", &rest)) printf("<%s>", part);
    strcpy(text, " x  y ");
    for (char *part = strtok(text, " "); part != NULL; part = strtok(NULL, " ")) printf("<%s>", part);
    *stpcpy(stpcpy(copy, "one"), "two") = 0;
    strncat(copy, "three", 3);
    char *dup = strndup(copy, 7);
    printf(" %s %s %d", copy, dup, print_to(text, "%s-%05d", "x", 42));
    printf(" %s %d %d %d\n", text, strcasecmp("HeLLo", "hEllO"), strcasecmp("a", "B") < 0, strncasecmp("abX", "ABy", 2));
    printf("%s\n", (char *)memrchr("a/b/c", '/', 5));
    free(dup);
    printf("%" PRId64 " %" PRIu64 " %" PRIx32 " %" PRIdPTR "\n", INT64_MIN, UINT64_MAX, UINT32_MAX, (intptr_t)-5);
    div_t q = div(-7, 2);
    lldiv_t ll = lldiv(-7, 2);
    printf("%d %d %lld %lld %lld %g\n", q.quot, q.rem, ll.quot, ll.rem, llabs(-5), (double)strtof("2.5x", NULL));
    void *block = aligned_alloc(256, 512);
    printf("%d %d\n", (uintptr_t)block % 256 == 0, malloc_usable_size(block) >= 512);
    free(block);
    char *here = alloca(10);
    strcpy(here, "alloca");
    puts(here);
}

static void numbers(void) {
    volatile double x = 0.7, y = 2.5, z = -3.5;
    printf("%.14g %.14g %.14g %.14g\n", acosh(y), asinh(x), atanh(x), erf(x));
    printf("%ld %lld %ld %lld %g %g\n", lrint(y), llrint(z), lround(y), llround(z), nearbyint(y), remainder(y, 2));
    printf("%.14g %.14g %.14g %.9g\n", tgamma(y), lgamma(y), fma(x, y, z), nextafter(1, 2) - 1);
    printf("%.6g %.6g %.6g %.6g\n", sinf(0.5f), expf(0.5f), logf(2.5f), atan2f(1, 2));
    printf("%d %d %d %d\n", fpclassify(x) == FP_NORMAL, fpclassify(x - x) == FP_ZERO, isnormal(x), signbit(z) != 0);
}

static void files(const char *path) {
    char line[40] = "";
    FILE *file = fopen(path, "w");
    fputs("line one\nline two\n", file);
    printf("%ld", ftell(file));
    fseek(file, 5, SEEK_SET);
    fputs("ONE", file);
    fclose(file);
    file = fopen(path, "r");
    fgets(line, sizeof line, file);
    printf(" %s %ld", line, ftell(file));
    fseek(file, 5, SEEK_CUR);
    printf(" %c", getc(file));
    printf(" %ld", ftell(file));
    fseek(file, -4, SEEK_END);
    printf(" %s", fgets(line, sizeof line, file));
    rewind(file);
    printf("%c %d\n", getc(file), fileno(file) > 2);
    fclose(file);
    remove(path);
    fflush(stdout);
    printf("%d\n", (int)write(STDOUT_FILENO, "plain\n", 6));
    printf("%d\n", (int)read(-1, line, 1));
}

static void last(void) { puts("last"); }
static void first(void) { puts("first"); }

int main(int argc, char **argv) {
    atexit(last);
    atexit(first);
    dates();
    scanning();
    strings();
    numbers();
    files(argc > 1 ? argv[1] : "layer.tmp");
    return 3;
}
