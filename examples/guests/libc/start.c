/* The end of a program: what was printed is written out when "main" returns, which rt0's start knows nothing of. Programs are
   compiled with -Dmain=guest_main. */

#include <stdlib.h>

#undef main

int guest_main(int argc, char **argv, char **envp);

int main(int argc, char **argv, char **envp) { exit(guest_main(argc, argv, envp)); }
