/* The guests' C library: the C locale, which is all there is. */
#ifndef GUEST_LOCALE_H
#define GUEST_LOCALE_H
#define LC_ALL 6
struct lconv {
    char *decimal_point;
};
struct lconv *localeconv(void);
char *setlocale(int category, const char *locale);
#endif
