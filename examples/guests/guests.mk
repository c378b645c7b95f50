# make guests: dist/<port>/guests/{lua,sqlite}, without a C library, for every port: clang and LLD cross-compile them.
# make guests-hosted: dist/hosted/<guest>-<library>, the same sources under a C library, for comparison.
#
# The guests' own sources are those of two packages (examples/guests/sources), which cargo fetches; nothing is changed.

GUEST_PACKAGES := clang-22 lld-22 musl-tools sqlite3
GUEST_CC := clang-22
GUEST_CFLAGS := -std=c11 -O2 -ffunction-sections -fno-asynchronous-unwind-tables

CLANG_linux_386     := --target=i686-unknown-linux-gnu -march=pentium4
CLANG_linux_amd64   := --target=x86_64-unknown-linux-gnu
CLANG_linux_arm     := --target=armv7-unknown-linux-gnueabi -mfloat-abi=soft
CLANG_freebsd_386   := --target=i686-unknown-freebsd -march=pentium4
CLANG_freebsd_amd64 := --target=x86_64-unknown-freebsd

G := examples/guests

# Where cargo has put the packages.
guest_source = $(shell cargo metadata --format-version 1 --manifest-path $G/sources/Cargo.toml 2>/dev/null | \
	tr ',' '\n' | sed -n 's|.*"manifest_path":"\(.*/$1-[0-9.]*\)/Cargo.toml".*|\1|p' | head -n 1)
LUA = $(call guest_source,lua-src)/lua-5.4.9
SQLITE = $(call guest_source,libsqlite3-sys)/sqlite3

# All of Lua but its own libraries io, os, debug and the list of them.
LUA_FILES = $(filter-out %/liolib.c %/loslib.c %/ldblib.c %/linit.c,$(wildcard $1/*.c))
# For size, in every variant: SQLite's code is two thirds of the address space that a small job takes, and no slower.
SQLITE_OPTIONS := -Os -DSQLITE_OS_OTHER=1 -DSQLITE_THREADSAFE=0 -DSQLITE_TEMP_STORE=3 -DSQLITE_OMIT_LOAD_EXTENSION \
	-DSQLITE_OMIT_LOCALTIME -DSQLITE_OMIT_DEPRECATED -DSQLITE_OMIT_WAL -DSQLITE_DEFAULT_MEMSTATUS=0
GUEST_LIBC := $(wildcard $G/libc/*.c) $G/libc/setjmp.S

comma := ,

# How a program without a C library is linked for a port; the script makes its image as small as those of Rust.
GUEST_LINK = -nostdlib -static --ld-path=$(or $(shell command -v $(LLD)),$(LLD)) -Wl,--gc-sections \
	$(if $(filter linux_arm,$1),-Wl$(comma)-z$(comma)max-page-size=4096) -Llinker -Wl,-T,$1.ld
guest_cc = $(GUEST_CC) $(CLANG_$1) $(GUEST_CFLAGS) -Wno-unused-command-line-argument -nostdlibinc $(GUEST_LINK) \
	-Dmain=guest_main -I$G/libc/include -Iinclude $2 $(GUEST_LIBC) -Ldist/$1/lib -lrt0 dist/$1/lib/libguest_numbers.a -o $@
GUEST_FILES := $(GUEST_LIBC) $(wildcard $G/libc/include/*.h $G/libc/include/sys/*.h) $G/guests.mk $G/sources/Cargo.toml include/rt0.h
LUA_MAIN := $G/lua/main.c
SQLITE_MAIN := $G/sqlite/main.c $G/sqlite/vfs.c

guests: $(PORT:%=guests-%)
guests-%: library-%
	@tools/install $(GUEST_PACKAGES)
	@mkdir -p dist/$*/guests
	@RUSTFLAGS=-Crelocation-model=pic $(subst --release,--profile library,$(call port_cargo,$*,build)) --quiet \
		-p guest-numbers --target-dir target/library
	@cp -u $(subst target/,target/library/,$(patsubst %release,%library,$(call out_of,$*)))/libguest_numbers.a dist/$*/lib/
	@$(MAKE) --no-print-directory dist/$*/guests/lua dist/$*/guests/sqlite

dist/%/guests/lua: $(LUA_MAIN) $(GUEST_FILES) dist/%/lib/librt0.a dist/%/lib/libguest_numbers.a
	@lua='$(LUA)' && $(call guest_cc,$*,-Wall -Wextra -I$$lua $(LUA_MAIN) $(call LUA_FILES,$(LUA)))
dist/%/guests/sqlite: $(SQLITE_MAIN) $(GUEST_FILES) dist/%/lib/librt0.a dist/%/lib/libguest_numbers.a
	@sqlite='$(SQLITE)' && \
		$(call guest_cc,$*,$(SQLITE_OPTIONS) -DSQLITE_ZERO_MALLOC=1 -I$$sqlite $(SQLITE_MAIN) $$sqlite/sqlite3.c)

# <guest>-glibc and -musl are static, with the C library's malloc; -dynamic is for another malloc, preloaded; -rt0 is under
# glibc with a heap of rt0's. SQLite's file system is rt0's in all of them.
HOSTED := glibc musl dynamic rt0
HOSTED_CC_glibc   := $(GUEST_CC) -static -DGUEST_MALLOC
HOSTED_CC_musl    := musl-gcc -static -DGUEST_MALLOC
HOSTED_CC_dynamic := $(GUEST_CC) -DGUEST_MALLOC
HOSTED_CC_rt0     := $(GUEST_CC)
HOSTED_RT0 := -Ldist/linux_amd64/lib -lrt0

guests-hosted: library-linux_amd64
	@tools/install $(GUEST_PACKAGES)
	@mkdir -p dist/hosted
	@$(MAKE) --no-print-directory $(HOSTED:%=dist/hosted/lua-%) $(HOSTED:%=dist/hosted/sqlite-%)

dist/hosted/lua-%: $(LUA_MAIN) $(GUEST_FILES) dist/linux_amd64/lib/librt0.a
	@lua='$(LUA)' && $(HOSTED_CC_$*) $(GUEST_CFLAGS) -I$$lua -Iinclude $(LUA_MAIN) $(call LUA_FILES,$(LUA)) $(HOSTED_RT0) \
		-lm -o $@
dist/hosted/sqlite-%: $(SQLITE_MAIN) $(GUEST_FILES) dist/linux_amd64/lib/librt0.a
	@sqlite='$(SQLITE)' && $(HOSTED_CC_$*) $(GUEST_CFLAGS) $(SQLITE_OPTIONS) -I$$sqlite -Iinclude $(SQLITE_MAIN) \
		$$sqlite/sqlite3.c $(HOSTED_RT0) -o $@

# Both guests on each, measured in one interleaved run. BENCH=ROUNDS.
bench-guests: guests-linux_amd64 guests-hosted
	@tools/install libmimalloc2.0
	@$(bench_cargo) --bin guests -- $(BENCH)
