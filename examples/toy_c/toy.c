/* A toy language on rt0's collector: a tutorial for the author of a language in C.

       let fib = fn(n) { if n < 2 { return n; } return fib(n - 1) + fib(n - 2); };
       print "fib(20) is", fib(20);

   It has integers, text, lists and functions that remember where they were made. It needs no C library, and does not mind one:

       cc -ffreestanding -nostdlib -static toy.c -Idist/include -Ldist/linux_amd64/lib -lrt0 -o toy     without
       cc toy.c -Idist/include -Ldist/linux_amd64/lib -lrt0 -o toy                                     with

   Five things make a language of it that lives on a collector; each has a section below.

   1. Values: what a word of the language is, so that the collector finds what it refers to.
   2. Memory: one place that allocates, and what it does when there is no more.
   3. Roots: what is reachable without an object.
   4. The parser makes a tree of objects, like any other.
   5. The evaluator holds values in variables of C, and takes no care of them: its stack is scanned. */

#include "rt0.h"

/* 1. Values ---------------------------------------------------------------------------------------------------------------

   A value is a word. An odd one is an integer, doubled and 1; an even one is the address of an object, or null, which is
   "nil". The collector is conservative: it looks at every word of an object and of the stack, and whatever points to an object
   or into one keeps it. So nothing has to tell it which words are integers. At worst one looks like an address and keeps an
   object longer than need be. */

typedef uintptr_t value;

#define NIL ((value)0)

enum kind { TEXT, LIST, FUNCTION };

struct object {
    enum kind kind;
};

struct text {
    struct object head;
    size_t length;
    char bytes[];
};

struct list {
    struct object head;
    size_t length, room;
    value *items;               /* an object of its own: it grows by being replaced */
};

struct variable {
    struct variable *next;      /* one that was made before */
    struct text *name;
    value value;
};

struct function {
    struct object head;
    struct node *code;
    struct variable *scope;     /* the variables where it was made */
};

static value integer(intptr_t number) { return (value)number << 1 | 1; }
static int is_integer(value v) { return v & 1; }
static intptr_t number_of(value v) { return (intptr_t)v >> 1; }
static value reference(void *object) { return (value)object; }
static int is(value v, enum kind kind) {
    return !is_integer(v) && v != NIL && ((struct object *)v)->kind == kind;
}

/* 2. Memory ---------------------------------------------------------------------------------------------------------------

   All that the language makes comes from here. The collector answers null only where a collection has found no room; its heap
   is whole then. So that is an error of the language like any other: it is said with its line, the statement ends, and what it
   held is garbage for the next collection. If variables hold all of the memory, not even the statement can be parsed that would
   set them to nil. So a reserve is kept, which is given up then. */

static struct {
    struct rt0_gc *gc;
    struct variable *globals;
    int line;                   /* of what is evaluated */
    const char *error;          /* why the statement ends; null as long as it does not */
    int returning;              /* a function is being left */
    value result;               /* what with */
    int depth;                  /* of calls and of nested expressions */
    void *reserve;              /* memory for the statements after one that found none */
} toy;

enum { DEPTH = 500 };           /* the heap leaves a quarter of the limit to the stack */
enum { RESERVE = 16 << 10 };

static value fail(const char *error) {
    if (toy.error == NULL) toy.error = error;
    return NIL;
}

static void out_of_memory(void) {
    toy.reserve = NULL;
    fail("out of memory");
}

/* A traced object of zeroes. Null ends the statement. */
static void *make(size_t size) {
    void *object = rt0_gc_allocate(toy.gc, size);
    if (object == NULL) out_of_memory();
    return object;
}

/* Text refers to nothing, so the collector need not look into it. */
static struct text *make_text(const char *bytes, size_t length) {
    struct text *text = rt0_gc_allocate_leaf(toy.gc, sizeof *text + length);
    if (text == NULL) {
        out_of_memory();
        return NULL;
    }
    text->head.kind = TEXT;
    text->length = length;
    for (size_t i = 0; i < length && bytes != NULL; i++) text->bytes[i] = bytes[i];
    return text;
}

static void append(struct list *list, value item) {
    if (list->length == list->room) {
        size_t room = list->room * 2 + 4;
        value *items = make(room * sizeof *items);
        if (items == NULL) return;
        for (size_t i = 0; i < list->length; i++) items[i] = list->items[i];
        list->items = items;
        list->room = room;
    }
    list->items[list->length++] = item;
}

static int same_text(const struct text *a, const struct text *b) {
    if (a->length != b->length) return 0;
    for (size_t i = 0; i < a->length; i++)
        if (a->bytes[i] != b->bytes[i]) return 0;
    return 1;
}

/* 3. Roots ----------------------------------------------------------------------------------------------------------------

   The collector calls this in each collection. Variables of C on the stack it finds by itself, since "main" has told it where
   the stack begins; static ones it does not know. */

static void roots(void *context, struct rt0_gc_marker *marker) {
    (void)context;
    rt0_gc_mark(marker, toy.globals);
    rt0_gc_mark(marker, toy.reserve);
    rt0_gc_mark(marker, (void *)toy.result);
}

/* 4. The parser -----------------------------------------------------------------------------------------------------------

   A node is an object, and so is its text. That the tree of a statement is garbage when the statement has been evaluated, but
   not the tree of a function that a variable refers to, is the collector's business. */

enum node_kind { NUMBER, STRING, NAME, MAKE_LIST, MAKE_FUNCTION, CALL, INDEX, OPERATION, LET, SET, PRINT, IF, WHILE, RETURN, BLOCK };

struct node {
    enum node_kind kind;
    int line;
    int operator;               /* of an operation: its character; '=' is ==, '!' is !=, 'l' is <=, 'g' is >= */
    value value;                /* of a number or text; a name */
    struct node *a, *b, *c;     /* operands */
    struct node *next;          /* in a list of arguments, parameters or statements */
};

static const char *source, *token;
static size_t token_length;
static int line, token_line;

static int is_digit(char c) { return c >= '0' && c <= '9'; }
static int is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

/* Goes on to the next token; an empty one is the end. */
static void advance(void) {
    for (;; source++) {
        if (*source == '#') while (*source != 0 && *source != '\n') source++;
        if (*source == '\n') line++;
        else if (*source != ' ' && *source != '\t' && *source != '\r') break;
    }
    token = source, token_line = line;
    if (is_letter(*source) || is_digit(*source)) {
        while (is_letter(*source) || is_digit(*source)) source++;
    } else if (*source == '"') {
        source++;
        while (*source != 0 && *source != '"' && *source != '\n') source++;
        if (*source == '"') source++;
        else fail("the text has no end");
    } else if (*source != 0) {
        int two = source[1] == '=' && (*source == '=' || *source == '!' || *source == '<' || *source == '>');
        source += two ? 2 : 1;
    }
    token_length = (size_t)(source - token);
}

static int at(const char *word) {
    size_t i = 0;
    for (; i < token_length; i++)
        if (token[i] != word[i]) return 0;
    return word[i] == 0;
}

static int accept(const char *word) {
    if (!at(word)) return 0;
    advance();
    return 1;
}

static int expect(const char *word, const char *error) {
    if (toy.error != NULL) return 0;
    toy.line = token_line;
    if (!accept(word)) fail(error);
    return toy.error == NULL;
}

/* A node with what was parsed before. Null if there is an error, as everything here then is. */
static struct node *node(enum node_kind kind, struct node *a, struct node *b) {
    struct node *made = toy.error == NULL ? make(sizeof *made) : NULL;
    if (made != NULL) *made = (struct node){.kind = kind, .line = token_line, .a = a, .b = b};
    return made;
}

static struct node *expression(int level);
static struct node *block(void);

static struct node *name(void) {
    if (!is_letter(*token)) fail("a name is missing");
    struct node *made = node(NAME, NULL, NULL);
    if (made != NULL) made->value = reference(make_text(token, token_length));
    advance();
    return made;
}

/* Things with commas between them, up to "end". */
static struct node *sequence(const char *end, struct node *(*one)(void)) {
    struct node *first = NULL, **last = &first;
    while (toy.error == NULL && !accept(end)) {
        if (first != NULL && !expect(",", "a comma is missing")) break;
        *last = one();
        if (*last != NULL) last = &(*last)->next;
    }
    return first;
}

static struct node *argument(void) { return expression(0); }

static struct node *primary(void) {
    struct node *made = NULL;
    toy.line = token_line;
    if (is_digit(*token)) {
        intptr_t number = 0;
        for (size_t i = 0; i < token_length; i++) number = number * 10 + (token[i] - '0');
        made = node(NUMBER, NULL, NULL);
        if (made != NULL) made->value = integer(number);
        advance();
    } else if (*token == '"') {
        made = node(STRING, NULL, NULL);
        if (made != NULL) made->value = reference(make_text(token + 1, token_length - 2));
        advance();
    } else if (accept("nil")) {
        made = node(NUMBER, NULL, NULL);
    } else if (accept("(")) {
        made = expression(0);
        expect(")", "a parenthesis is not closed");
    } else if (accept("[")) {
        made = node(MAKE_LIST, sequence("]", argument), NULL);
    } else if (accept("fn")) {
        if (!expect("(", "fn wants its parameters in parentheses")) return NULL;
        struct node *parameters = sequence(")", name);
        made = node(MAKE_FUNCTION, parameters, block());
    } else if (is_letter(*token)) {
        made = name();
    } else {
        fail("an expression is missing");
    }
    while (toy.error == NULL) {
        if (accept("(")) made = node(CALL, made, sequence(")", argument));
        else if (accept("[")) {
            made = node(INDEX, made, expression(0));
            expect("]", "a bracket is not closed");
        } else break;
    }
    return toy.error == NULL ? made : NULL;
}

/* Operators by what binds more: level 0 is comparisons, 1 sums, 2 products. */
static struct node *expression(int level) {
    static const char *const operators[3][6] = {{"==", "!=", "<=", ">=", "<", ">"}, {"+", "-"}, {"*", "/", "%"}};
    if (level == 3) return primary();
    if (++toy.depth > DEPTH) fail("it is nested too deeply");
    struct node *left = toy.error == NULL ? expression(level + 1) : NULL;
    for (int i = 0; i < 6 && toy.error == NULL && operators[level][i] != NULL; i++) {
        const char *operator = operators[level][i];
        if (!accept(operator)) continue;
        left = node(OPERATION, left, expression(level + 1));
        if (left != NULL)
            left->operator = operator[1] == 0 ? operator[0] : operator[0] == '<' ? 'l' : operator[0] == '>' ? 'g' : operator[0];
        i = -1;
    }
    toy.depth--;
    return left;
}

static struct node *statement(void) {
    struct node *made;
    if (accept("let")) {
        struct node *variable = name();
        if (!expect("=", "let wants a value: let name = value;")) return NULL;
        made = node(LET, variable, expression(0));
    } else if (accept("print")) {
        made = node(PRINT, sequence(";", argument), NULL);
        return made;
    } else if (accept("return")) {
        made = node(RETURN, at(";") ? NULL : expression(0), NULL);
    } else if (accept("if")) {
        struct node *condition = expression(0);   /* first: C may evaluate arguments in any order */
        made = node(IF, condition, block());
        if (made != NULL && accept("else")) made->c = at("if") ? statement() : block();
        return made;
    } else if (accept("while")) {
        struct node *condition = expression(0);
        return node(WHILE, condition, block());
    } else {
        made = expression(0);
        if (toy.error == NULL && accept("=")) {
            if (made->kind != NAME && made->kind != INDEX) fail("a value cannot be given to that");
            made = node(SET, made, expression(0));
        }
    }
    expect(";", "a semicolon is missing");
    return made;
}

static struct node *block(void) {
    struct node *first = NULL, **last = &first;
    if (++toy.depth > DEPTH) fail("it is nested too deeply");
    if (!expect("{", "a brace is missing")) return NULL;
    while (toy.error == NULL && !accept("}")) {
        if (*token == 0) fail("a brace is not closed");
        else *last = statement();
        if (*last != NULL) last = &(*last)->next;
    }
    toy.depth--;
    return node(BLOCK, first, NULL);
}

/* 5. The evaluator --------------------------------------------------------------------------------------------------------

   Values lie in C's variables, arguments and registers while others are made. Nothing is registered, pushed or popped: that is
   what a scanned stack is for. After an error each function returns at once, and what it returns is not looked at. */

static void print_text(const char *bytes, size_t length) { rt0_write_all(1, bytes, length); }

static void print_number(intptr_t number) {
    char digits[24];
    size_t at = sizeof digits;
    uintptr_t left = number < 0 ? 0 - (uintptr_t)number : (uintptr_t)number;
    do digits[--at] = (char)('0' + left % 10);
    while ((left /= 10) > 0);
    if (number < 0) digits[--at] = '-';
    print_text(digits + at, sizeof digits - at);
}

static void print_value(value v, int depth) {
    if (is_integer(v)) print_number(number_of(v));
    else if (v == NIL) print_text("nil", 3);
    else if (is(v, TEXT)) print_text(((struct text *)v)->bytes, ((struct text *)v)->length);
    else if (is(v, FUNCTION)) print_text("fn", 2);
    else if (depth > 8) print_text("...", 3);
    else {
        struct list *list = (struct list *)v;
        print_text("[", 1);
        for (size_t i = 0; i < list->length; i++) {
            if (i > 0) print_text(", ", 2);
            print_value(list->items[i], depth + 1);
        }
        print_text("]", 1);
    }
}

static struct variable *find(struct variable *scope, value name) {
    for (; scope != NULL; scope = scope->next)
        if (same_text(scope->name, (struct text *)name)) return scope;
    for (scope = toy.globals; scope != NULL; scope = scope->next)
        if (same_text(scope->name, (struct text *)name)) return scope;
    fail("no variable has this name");
    return NULL;
}

static void declare(struct variable **scope, value name, value v) {
    struct variable *made = make(sizeof *made);
    if (made == NULL) return;
    *made = (struct variable){*scope, (struct text *)name, v};
    *scope = made;
}

static value evaluate(struct node *node, struct variable *scope);
static void run(struct node *node, struct variable **scope);

static value operate(int operator, value a, value b) {
    if (operator == '=' || operator == '!') {
        int equal = a == b || (is(a, TEXT) && is(b, TEXT) && same_text((struct text *)a, (struct text *)b));
        return integer(equal == (operator == '='));
    }
    if (operator == '+' && is(a, TEXT) && is(b, TEXT)) {
        struct text *left = (struct text *)a, *right = (struct text *)b;
        struct text *both = make_text(NULL, left->length + right->length);
        if (both == NULL) return NIL;
        for (size_t i = 0; i < left->length; i++) both->bytes[i] = left->bytes[i];
        for (size_t i = 0; i < right->length; i++) both->bytes[left->length + i] = right->bytes[i];
        return reference(both);
    }
    if (operator == '+' && is(a, LIST)) {
        append((struct list *)a, b);
        return a;
    }
    if (!is_integer(a) || !is_integer(b)) return fail("an operand is no number");
    intptr_t x = number_of(a), y = number_of(b);
    switch (operator) {
    /* What exceeds a word wraps around, which only unsigned words of C do. */
    case '+': return integer((intptr_t)((uintptr_t)x + (uintptr_t)y));
    case '-': return integer((intptr_t)((uintptr_t)x - (uintptr_t)y));
    case '*': return integer((intptr_t)((uintptr_t)x * (uintptr_t)y));
    case '/': return y == 0 ? fail("division by zero") : integer(x / y);
    case '%': return y == 0 ? fail("division by zero") : integer(x % y);
    case '<': return integer(x < y);
    case '>': return integer(x > y);
    case 'l': return integer(x <= y);
    default: return integer(x >= y);
    }
}

/* The item of a list that "node" names. */
static value *item(struct node *node, struct variable *scope) {
    value list = evaluate(node->a, scope), index = evaluate(node->b, scope);
    toy.line = node->line;
    if (toy.error != NULL) return NULL;
    if (!is(list, LIST) || !is_integer(index)) fail("only a list has items, by their numbers");
    else if (number_of(index) >= 0 && (size_t)number_of(index) < ((struct list *)list)->length)
        return &((struct list *)list)->items[number_of(index)];
    else fail("the list has no such item");
    return NULL;
}

static value call(struct node *node, struct variable *scope) {
    struct node *argument = node->b;
    if (node->a->kind == NAME && node->a->value != NIL) {   /* the one function that the language has by itself */
        static const char length[] = "len";
        struct text *name = (struct text *)node->a->value;
        int same = name->length == 3;
        for (size_t i = 0; i < 3 && same; i++) same = name->bytes[i] == length[i];
        if (same && argument != NULL) {
            value v = evaluate(argument, scope);
            if (toy.error != NULL) return NIL;
            if (is(v, TEXT)) return integer((intptr_t)((struct text *)v)->length);
            return is(v, LIST) ? integer((intptr_t)((struct list *)v)->length) : fail("that has no length");
        }
    }
    value called = evaluate(node->a, scope);
    toy.line = node->line;
    if (toy.error != NULL) return NIL;
    if (!is(called, FUNCTION)) return fail("only functions can be called");
    struct function *function = (struct function *)called;
    struct variable *inner = function->scope;
    struct node *parameter = function->code->a;
    for (; parameter != NULL && argument != NULL; parameter = parameter->next, argument = argument->next)
        declare(&inner, parameter->value, evaluate(argument, scope));
    toy.line = node->line;
    if (parameter != NULL || argument != NULL) return fail("the function has another number of parameters");
    run(function->code->b, &inner);
    value result = toy.result;
    toy.returning = 0, toy.result = NIL;
    return result;
}

static value evaluate_inner(struct node *node, struct variable *scope) {
    switch (node->kind) {
    case NUMBER:
    case STRING: return node->value;
    case NAME: {
        struct variable *variable = find(scope, node->value);
        return variable != NULL ? variable->value : NIL;
    }
    case MAKE_LIST: {
        struct list *list = make(sizeof *list);
        if (list == NULL) return NIL;
        list->head.kind = LIST;
        for (struct node *at = node->a; at != NULL && toy.error == NULL; at = at->next) append(list, evaluate(at, scope));
        return reference(list);
    }
    case MAKE_FUNCTION: {
        struct function *function = make(sizeof *function);
        if (function != NULL) *function = (struct function){{FUNCTION}, node, scope};
        return reference(function);
    }
    case CALL: return call(node, scope);
    case INDEX: {
        value *found = item(node, scope);
        return found != NULL ? *found : NIL;
    }
    default: {
        value a = evaluate(node->a, scope), b = evaluate(node->b, scope);
        toy.line = node->line;
        return toy.error == NULL ? operate(node->operator, a, b) : NIL;
    }
    }
}

static value evaluate(struct node *node, struct variable *scope) {
    if (toy.error != NULL) return NIL;
    toy.line = node->line;
    if (toy.depth >= DEPTH) return fail("it calls too deeply");
    toy.depth++;
    value result = evaluate_inner(node, scope);
    toy.depth--;
    return result;
}

static int is_true(struct node *node, struct variable *scope) {
    value v = evaluate(node, scope);
    return v != NIL && v != integer(0) && toy.error == NULL;
}

/* Runs one statement. A variable that it makes is at the head of "scope" afterwards. */
static void run(struct node *node, struct variable **scope) {
    if (toy.error != NULL || toy.returning || node == NULL) return;
    switch (node->kind) {
    case LET: {
        value v = evaluate(node->b, *scope);
        if (toy.error == NULL) declare(scope, node->a->value, v);
        break;
    }
    case SET: {
        value v = evaluate(node->b, *scope);
        if (toy.error != NULL) break;
        if (node->a->kind == INDEX) {
            value *to = item(node->a, *scope);
            if (to != NULL) *to = v;
        } else {
            struct variable *variable = find(*scope, node->a->value);
            if (variable != NULL) variable->value = v;
        }
        break;
    }
    case PRINT: {
        struct list *values = make(sizeof *values);
        for (struct node *at = node->a; at != NULL && toy.error == NULL; at = at->next) append(values, evaluate(at, *scope));
        for (size_t i = 0; toy.error == NULL && i < values->length; i++) {
            if (i > 0) print_text(" ", 1);
            print_value(values->items[i], 0);
        }
        if (toy.error == NULL) print_text("\n", 1);
        break;
    }
    case IF: {
        struct variable *inner = *scope;
        run(is_true(node->a, *scope) ? node->b : node->c, &inner);
        break;
    }
    case WHILE:
        while (!toy.returning && is_true(node->a, *scope)) {
            struct variable *inner = *scope;
            run(node->b, &inner);
        }
        break;
    case RETURN:
        toy.result = node->a != NULL ? evaluate(node->a, *scope) : NIL;
        toy.returning = 1;
        break;
    case BLOCK: {
        struct variable *inner = *scope;
        for (struct node *at = node->a; at != NULL; at = at->next) run(at, &inner);
        break;
    }
    default: evaluate(node, *scope);
    }
}

/* ---------------------------------------------------------------------------------------------------------------------------- */

static void say(const char *text) {
    size_t length = 0;
    while (text[length] != 0) length++;
    print_text(text, length);
}

/* Reads a whole file into one leaf, which grows as it must. Null: "toy.error" says why not. */
static const char *read_all(int fd) {
    size_t length = 0, room = 4096;
    char *text = rt0_gc_allocate_leaf(toy.gc, room);
    while (text != NULL) {
        intptr_t got = rt0_read(fd, text + length, room - length - 1);
        if (got == 0) return text;      /* the rest of it is zero */
        if (got < 0) {
            fail("the program cannot be read");
            return NULL;
        }
        length += (size_t)got;
        if (length + 1 < room) continue;
        char *longer = rt0_gc_allocate_leaf(toy.gc, room *= 2);
        for (size_t i = 0; longer != NULL && i < length; i++) longer[i] = text[i];
        text = longer;
    }
    fail("out of memory");
    return NULL;
}

/* Whether there is more room than the reserve takes. To allocate as much and forget it would not do: what a conservative
   collector finds on the stack may be left from that. */
static int has_room(void) {
    struct rt0_gc_stats stats = {.size = sizeof stats};
    rt0_gc_collect(toy.gc);
    rt0_gc_statistics(toy.gc, &stats);
    return stats.live + 4 * RESERVE <= stats.most;
}

int main(int argc, char **argv) {
    struct rt0_gc_policy policy = {.size = sizeof policy, .roots = roots};
    struct rt0_decision why = {.size = sizeof why};
    policy.least = 256 << 10;
    if (rt0_gc_create(&policy, &toy.gc, &why) != 0) {
        char reason[401];
        size_t length = rt0_failure_line(&why, reason, sizeof reason);
        if (length > 0) rt0_write_all(2, reason, length);   /* the limit, what was tried, what would do */
        else rt0_write_all(2, "toy: no room for a heap", 23);
        rt0_write_all(2, "\n", 1);
        return 2;
    }
    rt0_gc_scan_stack(toy.gc, __builtin_frame_address(0));

    /* toy FILE, toy -e PROGRAM, or a program on standard input. It is kept by this variable; "source" is a static one. */
    int given = argc > 2 && argv[1][0] == '-' && argv[1][1] == 'e' && argv[1][2] == 0;
    const char *volatile program = given ? argv[2] : read_all(argc > 1 ? rt0_open(argv[1], RT0_O_RDONLY, 0) : 0);
    int failures = toy.error != NULL;
    if (failures) say(toy.error), say("\n");
    source = program, line = 1;
    if (program != NULL) advance();
    while (program != NULL && *token != 0) {
        toy.error = NULL, toy.depth = 0, toy.returning = 0, toy.result = NIL, toy.line = token_line;
        if (toy.reserve == NULL && has_room()) toy.reserve = rt0_gc_allocate_leaf(toy.gc, RESERVE);
        struct node *parsed = statement();
        int syntax = toy.error != NULL;
        if (!syntax) run(parsed, &toy.globals);
        if (toy.error == NULL) continue;
        say("line "), print_number(toy.line), say(": "), say(toy.error), say("\n");
        failures++;
        if (syntax) break;      /* what follows would not make sense */
    }
    rt0_gc_destroy(toy.gc);
    return failures > 0;
}
