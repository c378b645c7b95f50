/* The guests' C library: assertions. Included more than once, as C has it. */
#undef assert
#ifdef NDEBUG
#define assert(condition) ((void)0)
#else
void guest_assert_failed(const char *condition, const char *file, int line) __attribute__((noreturn));
#define assert(condition) ((condition) ? (void)0 : guest_assert_failed(#condition, __FILE__, __LINE__))
#endif
