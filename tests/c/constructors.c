/* Constructors run before main: in the order of their priorities, with main's arguments. It prints "done". */
#include "rt0.h"

static int order;

__attribute__((constructor)) static void without_priority(void) { order = order * 10 + 3; }
__attribute__((constructor(200))) static void second(void) { order = order * 10 + 2; }
__attribute__((constructor(101))) static void first(int argc, char **argv, char **envp) {
    order = order * 10 + (argc == 1 && argv[0] != NULL && argv[1] == NULL && envp != NULL);
}

int main(void) {
    if (order == 123) rt0_write_all(1, "done\n", 5);
    return order != 123;
}
