/* The least that a process can do: exit. */
void _start(void) { __asm__ volatile("syscall" : : "a"(60), "D"(0)); __builtin_unreachable(); }
