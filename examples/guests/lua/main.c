/* Lua on rt0: runs a script, a line of code, or what it reads.

     lua SCRIPT [ARGUMENT...]    runs a file
     lua -e CODE                 runs CODE
     lua                         reads lines, runs each, prints what it answers

   The same source is a program without a C library and one with it. Lua's memory comes from a heap of rt0's, which is given
   the old size of each block and so keeps none; compiled with GUEST_MALLOC it comes from the C library's realloc. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lauxlib.h"
#include "lua.h"
#include "lualib.h"

#ifdef GUEST_MALLOC

static int open_memory(void **memory) {
    *memory = NULL;
    return 0;
}

static void *allocate(void *memory, void *block, size_t old_size, size_t new_size) {
    (void)memory;
    (void)old_size;
    if (new_size > 0) return realloc(block, new_size);
    free(block);
    return NULL;
}

#else

#include "rt0.h"

/* A heap without a lock, since this program has one thread; or the line that says why there is none. */
static int open_memory(void **memory) {
    struct rt0_heap_policy policy = {.size = sizeof policy, .flags = RT0_HEAP_UNLOCKED};
    struct rt0_decision decision = {.size = sizeof decision};
    struct rt0_heap *heap;
    if (rt0_heap_create(&policy, &heap, &decision) != 0) {
        char line[401];
        rt0_failure_line(&decision, line, sizeof line);
        fprintf(stderr, "%s\n", line);
        return 2;
    }
    *memory = heap;
    return 0;
}

/* Lua's manual, lua_Alloc. What Lua says of the old size of no block is its kind, not a size. */
static void *allocate(void *memory, void *block, size_t old_size, size_t new_size) {
    if (new_size > 0) return rt0_heap_reallocate(memory, block, old_size, new_size);
    rt0_heap_free(memory, block, old_size);
    return NULL;
}

#endif

/* io.write and io.read, of which liolib.c would want a larger C library. */
static int io_write(lua_State *L) {
    for (int i = 1; i <= lua_gettop(L); i++) {
        size_t length;
        const char *text = luaL_checklstring(L, i, &length);
        fwrite(text, 1, length, stdout);
    }
    return 0;
}

static int io_read(lua_State *L) {
    luaL_Buffer line;
    int c, any = 0;
    luaL_buffinit(L, &line);
    while ((c = getc(stdin)) != EOF && c != '\n') {
        luaL_addchar(&line, (char)c);
        any = 1;
    }
    luaL_pushresult(&line);
    if (c == EOF && !any) lua_pushnil(L);
    return 1;
}

static int os_clock(lua_State *L) {
    lua_pushnumber(L, (lua_Number)clock() / CLOCKS_PER_SEC);
    return 1;
}

static int os_time(lua_State *L) {
    lua_pushinteger(L, (lua_Integer)time(NULL));
    return 1;
}

static int os_getenv(lua_State *L) {
    lua_pushstring(L, getenv(luaL_checkstring(L, 1)));
    return 1;
}

static int os_exit(lua_State *L) {
    exit(lua_isboolean(L, 1) ? !lua_toboolean(L, 1) : (int)luaL_optinteger(L, 1, 0));
}

static void open_libraries(lua_State *L) {
    static const luaL_Reg libraries[] = {
        {LUA_GNAME, luaopen_base},           {LUA_LOADLIBNAME, luaopen_package}, {LUA_COLIBNAME, luaopen_coroutine},
        {LUA_TABLIBNAME, luaopen_table},     {LUA_STRLIBNAME, luaopen_string},   {LUA_MATHLIBNAME, luaopen_math},
        {LUA_UTF8LIBNAME, luaopen_utf8},     {NULL, NULL},
    };
    static const luaL_Reg io[] = {{"write", io_write}, {"read", io_read}, {NULL, NULL}};
    static const luaL_Reg os[] = {
        {"clock", os_clock}, {"time", os_time}, {"getenv", os_getenv}, {"exit", os_exit}, {NULL, NULL}};
    for (const luaL_Reg *library = libraries; library->func != NULL; library++) {
        luaL_requiref(L, library->name, library->func, 1);
        lua_pop(L, 1);
    }
    luaL_newlib(L, io);
    lua_setglobal(L, "io");
    luaL_newlib(L, os);
    lua_setglobal(L, "os");
}

/* Makes a trace of the stack of an error's message. */
static int trace(lua_State *L) {
    const char *message = lua_tostring(L, 1);
    luaL_traceback(L, L, message != NULL ? message : luaL_tolstring(L, 1, NULL), 1);
    return 1;
}

/* Calls what is on top of the stack. An error goes to stderr, with its trace where there is memory for one. */
static int call(lua_State *L, int results) {
    int base = lua_gettop(L);
    lua_pushcfunction(L, trace);
    lua_insert(L, base);
    int status = lua_pcall(L, 0, results, base);
    lua_remove(L, base);
    return status;
}

static int report(lua_State *L, int status) {
    if (status == LUA_OK) return 0;
    const char *message = lua_tostring(L, -1);
    fflush(stdout);
    fprintf(stderr, "lua: %s\n", message != NULL ? message : "an error that is no text");
    lua_pop(L, 1);
    return 1;
}

/* Whether a line is the beginning of something longer. */
static int incomplete(lua_State *L, int status) {
    if (status != LUA_ERRSYNTAX) return 0;
    size_t length;
    const char *message = lua_tolstring(L, -1, &length);
    return length >= 5 && strcmp(message + length - 5, "<eof>") == 0;
}

static int load(lua_State *L, const char *code, size_t length) { return luaL_loadbuffer(L, code, length, "=stdin"); }

/* Reads lines, runs each as soon as it is whole, and prints the values of expressions. */
static int read_and_run(lua_State *L) {
    static char code[16384];
    size_t length = 0;
    while (length + 2 < sizeof code && fgets(code + length, (int)(sizeof code - length), stdin) != NULL) {
        length += strlen(code + length);
        lua_pushfstring(L, "return %s", code);
        size_t expression_length;
        const char *expression = lua_tolstring(L, -1, &expression_length);
        int status = load(L, expression, expression_length);
        lua_remove(L, 1); /* the text */
        if (status != LUA_OK) {
            lua_pop(L, 1);
            status = load(L, code, length);
        }
        if (incomplete(L, status)) {
            lua_pop(L, 1);
            continue;
        }
        length = 0;
        if (status == LUA_OK) status = call(L, LUA_MULTRET);
        if (status == LUA_OK && lua_gettop(L) > 0) {
            lua_getglobal(L, "print");
            lua_insert(L, 1);
            status = lua_pcall(L, lua_gettop(L) - 1, 0, 0);
        }
        report(L, status);
        lua_settop(L, 0);
    }
    return 0;
}

static int run(lua_State *L, int argc, char **argv) {
    int status;
    if (argc < 2) return read_and_run(L);
    lua_createtable(L, argc, 0);
    for (int i = 0; i < argc; i++) {
        lua_pushstring(L, argv[i]);
        lua_rawseti(L, -2, i - 1);
    }
    lua_setglobal(L, "arg");
    if (strcmp(argv[1], "-e") == 0 && argc == 3) status = luaL_loadbuffer(L, argv[2], strlen(argv[2]), "=(code)");
    else status = luaL_loadfile(L, argv[1]);
    if (status == LUA_OK) status = call(L, 0);
    return report(L, status);
}

/* All that needs memory is done under a protected call: without it an error would end the program. */
static int protected_main(lua_State *L) {
    int argc = (int)lua_tointeger(L, 1);
    char **argv = lua_touserdata(L, 2);
    open_libraries(L);
    lua_settop(L, 0);
    lua_pushinteger(L, run(L, argc, argv));
    return 1;
}

int main(int argc, char **argv) {
    void *memory;
    if (open_memory(&memory) != 0) return 2;
    lua_State *L = lua_newstate(allocate, memory);
    if (L == NULL) {
        fprintf(stderr, "lua: not enough memory\n");
        return 2;
    }
    lua_pushcfunction(L, protected_main);
    lua_pushinteger(L, argc);
    lua_pushlightuserdata(L, argv);
    int status = lua_pcall(L, 2, 1, 0);
    int result = status == LUA_OK ? (int)lua_tointeger(L, -1) : report(L, status);
    lua_close(L);
    fflush(stdout);
    return result;
}
