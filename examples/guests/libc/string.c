/* Strings and classes of characters, plainly. What takes time is rt0's: memcpy, memmove, memset, memcmp, strlen. */

#include <ctype.h>
#include <string.h>

void *memchr(const void *from, int byte, size_t size) {
    const unsigned char *at = from;
    for (; size > 0; at++, size--)
        if (*at == (unsigned char)byte) return (void *)at;
    return NULL;
}

size_t strnlen(const char *text, size_t size) {
    const char *end = memchr(text, 0, size);
    return end != NULL ? (size_t)(end - text) : size;
}

int strncmp(const char *a, const char *b, size_t size) {
    for (; size > 0; a++, b++, size--)
        if (*a != *b || *a == 0) return (unsigned char)*a - (unsigned char)*b;
    return 0;
}

int strcmp(const char *a, const char *b) {
    while (*a == *b && *a != 0) a++, b++;
    return (unsigned char)*a - (unsigned char)*b;
}

int strcoll(const char *a, const char *b) { return strcmp(a, b); }

char *strcpy(char *restrict to, const char *restrict from) { return memcpy(to, from, strlen(from) + 1); }

char *strncpy(char *restrict to, const char *restrict from, size_t size) {
    size_t length = strnlen(from, size);
    memcpy(to, from, length);
    memset(to + length, 0, size - length);
    return to;
}

char *strcat(char *restrict to, const char *restrict from) {
    strcpy(to + strlen(to), from);
    return to;
}

char *strchr(const char *text, int c) {
    for (;; text++) {
        if (*text == (char)c) return (char *)text;
        if (*text == 0) return NULL;
    }
}

char *strrchr(const char *text, int c) {
    const char *found = NULL;
    for (;; text++) {
        if (*text == (char)c) found = text;
        if (*text == 0) return (char *)found;
    }
}

char *strstr(const char *text, const char *part) {
    size_t length = strlen(part);
    if (length == 0) return (char *)text;
    for (; (text = strchr(text, *part)) != NULL; text++)
        if (strncmp(text, part, length) == 0) return (char *)text;
    return NULL;
}

size_t strcspn(const char *text, const char *set) {
    size_t length = 0;
    while (text[length] != 0 && strchr(set, text[length]) == NULL) length++;
    return length;
}

size_t strspn(const char *text, const char *set) {
    size_t length = 0;
    while (text[length] != 0 && strchr(set, text[length]) != NULL) length++;
    return length;
}

char *strpbrk(const char *text, const char *set) {
    text += strcspn(text, set);
    return *text != 0 ? (char *)text : NULL;
}

int isdigit(int c) { return (unsigned)c - '0' < 10; }
int islower(int c) { return (unsigned)c - 'a' < 26; }
int isupper(int c) { return (unsigned)c - 'A' < 26; }
int isalpha(int c) { return islower(c | 32); }
int isalnum(int c) { return isalpha(c) || isdigit(c); }
int isblank(int c) { return c == ' ' || c == '\t'; }
int iscntrl(int c) { return (unsigned)c < 32 || c == 127; }
int isgraph(int c) { return (unsigned)c - 33 < 94; }
int isprint(int c) { return (unsigned)c - 32 < 95; }
int ispunct(int c) { return isgraph(c) && !isalnum(c); }
int isspace(int c) { return c == ' ' || (unsigned)c - 9 < 5; }
int isxdigit(int c) { return isdigit(c) || (unsigned)(c | 32) - 'a' < 6; }
int tolower(int c) { return isupper(c) ? c | 32 : c; }
int toupper(int c) { return islower(c) ? c & ~32 : c; }

char *strncat(char *restrict to, const char *restrict from, size_t size) {
    size_t length = strlen(to), part = strnlen(from, size);
    memcpy(to + length, from, part);
    to[length + part] = 0;
    return to;
}

char *stpcpy(char *restrict to, const char *restrict from) {
    size_t length = strlen(from);
    memcpy(to, from, length + 1);
    return to + length;
}

char *strtok_r(char *restrict text, const char *restrict set, char **restrict rest) {
    if (text == NULL) text = *rest;
    text += strspn(text, set);
    char *end = text + strcspn(text, set);
    *rest = end;
    if (end == text) return NULL;
    if (*end != 0) *end = 0, *rest = end + 1;
    return text;
}

char *strtok(char *restrict text, const char *restrict set) {
    static char *rest;
    return strtok_r(text, set, &rest);
}

void *memrchr(const void *from, int byte, size_t size) {
    const unsigned char *bytes = from;
    while (size-- > 0)
        if (bytes[size] == (unsigned char)byte) return (void *)(bytes + size);
    return NULL;
}

int strncasecmp(const char *a, const char *b, size_t size) {
    for (; size > 0; a++, b++, size--) {
        int difference = tolower((unsigned char)*a) - tolower((unsigned char)*b);
        if (difference != 0 || *a == 0) return difference;
    }
    return 0;
}

int strcasecmp(const char *a, const char *b) { return strncasecmp(a, b, (size_t)-1); }
