/* Objects of C++ in place of a C library: constructors before main, one made where it is first used, virtual functions, and
   an object whose destructor is never called. It prints "done". */
#include <rt0.h>

/* What the compiler asks for: no destructor is registered, since none is called. */
extern "C" {
[[gnu::visibility("hidden")]] void *__dso_handle;
int __cxa_atexit(void (*)(void *), void *, void *) { return 0; }
int __aeabi_atexit(void *, void (*)(void *), void *) { return 0; } /* the same on ARM */
[[noreturn]] void __cxa_pure_virtual() { rt0_exit(3); }
}

struct Shape {
    virtual int area() const = 0;
    virtual ~Shape() {}
};

struct Square : Shape {
    int side;
    explicit Square(int of) : side(of) {}
    int area() const override { return side * side; }
    ~Square() override { rt0_write_all(1, "destroyed\n", 10); }
};

static Square before_main(3);

static const Shape &first_used(int side) {
    static Square square(side);
    return square;
}

void operator delete(void *) noexcept {}
void operator delete(void *, decltype(sizeof 0)) noexcept {}

extern "C" int main(int, char **, char **) {
    const Shape *shapes[] = {&before_main, &first_used(4), &first_used(5)};
    int sum = 0;
    for (const Shape *shape : shapes) sum += shape->area();
    if (sum != 9 + 16 + 16) return 1;
    return static_cast<int>(rt0_write_all(1, "done\n", 5));
}
