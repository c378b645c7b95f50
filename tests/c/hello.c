/* The smallest program: rt0 is all it has. */
#include "rt0.h"

int main(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    return rt0_write_all(1, "hello, world\n", 13);
}
