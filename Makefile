# rt0: `make help` says what there is. PORT=<port> picks one port, or several: PORT='linux_386 linux_arm'.

SHELL := /bin/bash -o pipefail

ifneq ($(O),)
# In a copy, for a checkout that cannot be written to: what is unchanged there is not built anew.
goals := $(or $(MAKECMDGOALS),help)
.PHONY: $(goals)
$(goals): copy
	@$(MAKE) --no-print-directory -C "$(O)" $@ O=
.PHONY: copy
copy:
	@mkdir -p "$(O)"
	@tar --exclude=./target --exclude=./dist --exclude=./.git --mode=u+w -cf - . | tar -C "$(O)" -xf -
else

PORTS := linux_386 linux_amd64 linux_arm freebsd_386 freebsd_amd64
PORT ?= $(PORTS)
PROGRAMS := $(filter-out build,$(basename $(notdir $(wildcard examples/*.rs)))) $(notdir $(patsubst %/main.rs,%,$(wildcard examples/*/main.rs)))

# The standard targets of the ports, for toolchains that cannot build core.
STANDARD_linux_386     := i686-unknown-linux-gnu
STANDARD_linux_amd64   := x86_64-unknown-linux-gnu
STANDARD_linux_arm     := armv7-unknown-linux-gnueabi
STANDARD_freebsd_386   := i686-unknown-freebsd
STANDARD_freebsd_amd64 := x86_64-unknown-freebsd

# Debian's packages that running and testing need beside a Rust toolchain.
RUN_PACKAGES := qemu-system-arm
TEST_PACKAGES := $(RUN_PACKAGES) qemu-user clang-22 lld-22 musl-tools sqlite3 qemu-system-x86 strace gdb lldb-22 makefs grub-common grub-pc-bin mtools xorriso \
	linux-libc-dev-armhf-cross linux-libc-dev

.PHONY: help new run picture charts figures test sweep mutants sanitize tools bench bench-freestanding bench-gc bench-worst bench-threads \
	bench-programs test-freebsd dist programs library header guests guests-hosted bench-guests tls layouts others pie lint clean
.DEFAULT_GOAL := help

help:
	@echo 'Begin with:'
	@echo '  make run             build each port and show what arena fits into which limit (3 minutes)'
	@echo '  make new NAME=FOLDER a project of your own there, ready for cargo (at once)'
	@echo '  make test            every test, on every port that can run; sets up what it needs (a quarter of an hour)'
	@echo 'More:'
	@echo '  make dist            dist/<port>/bin/<program> (3 minutes), for: $(PROGRAMS)'
	@echo '  make library         dist/<port>/lib/librt0.a and dist/include/rt0.h, for C; make dist makes them too'
	@echo '  make header          include/rt0.h anew, from c/src'
	@echo '  make bench           heap, start, memory functions and whole programs, measured beside others (50 minutes)'
	@echo '  make bench-gc        the collector beside the Boehm collector, with what must hold (ten minutes)'
	@echo '  make bench-worst     the patterns that hurt allocators, with the bounds that rt0 has to hold'
	@echo '  make bench-threads   one, two and four threads on one heap, measured beside others (10 minutes)'
	@echo '  make bench-programs  whole programs on rt0, glibc, musl and mimalloc (15 minutes the first time)'
	@echo '  make guests          Lua and SQLite on rt0, without a C library: dist/<port>/guests/'
	@echo '  make bench-guests    both measured beside glibc, musl and mimalloc'
	@echo '  make sweep           every limit of the specification on every port (half an hour)'
	@echo '  make mutants         break the sources on purpose, one way at a time, and see the tests turn red (over an hour)'
	@echo '  make sanitize        what runs on the host, under AddressSanitizer and valgrind (5 minutes)'
	@echo '  make test-freebsd KERNEL=FILE   the same on a real FreeBSD kernel, in QEMU (5 minutes)'
	@echo '  make lint            format, clippy, and no warning on any port'
	@echo '  make picture         docs/address-space.svg anew'
	@echo '  make figures         the tables and charts of README and docs/benchmarks.md anew, from the last make bench'
	@echo '  make charts          the charts alone, from the tables'
	@echo '  make tools           install what testing needs'
	@echo '  make clean           remove what was built'
	@echo 'The times are those of two idle cores, the first run longer.'
	@echo
	@echo 'With PORT=<port>, one or more of: $(PORTS)'
	@echo 'With O=FOLDER, in a copy there: for a checkout that cannot be written to'

unknown := $(filter-out $(PORTS),$(PORT))
ifneq ($(unknown),)
$(error no port is named $(unknown); there are: $(PORTS))
endif

# What can be made. A word that is none of these is refused before anything is installed or built.
PLAIN := help clean tools header figures charts
GOALS := $(PLAIN) new run picture test sweep mutants sanitize bench bench-freestanding bench-gc bench-worst bench-threads bench-programs test-freebsd dist programs library \
	guests guests-hosted bench-guests tls layouts others pie lint guests-% whole-% dist-% programs-% library-% tls-% layouts-% pie-% warnings-% dist/%
unknown := $(filter-out $(GOALS),$(MAKECMDGOALS))
ifneq ($(unknown),)
$(error there is no rule for $(unknown); `make help` says what there is)
endif

# What can be said beside. Another variable, or one in small letters, would have no effect.
SAID := $(foreach name,$(.VARIABLES),$(if $(filter command,$(origin $(name))),$(name)))
unknown := $(filter-out PORT NAME BENCH SEED KERNEL O SHELL MAKE,$(SAID))
ifneq ($(unknown),)
$(error nothing here reads $(unknown); there are: PORT, NAME, BENCH, SEED, KERNEL and O)
endif
ifneq ($(KERNEL),)
ifneq ($(shell test -f '$(KERNEL)' && echo yes),yes)
$(error KERNEL=$(KERNEL) is no file)
endif
endif

# Everything is built in target/ and dist/ here, whatever cargo is told elsewhere; and cargo does not know make's
# way to share jobs between processes that are no makes.
unexport CARGO_TARGET_DIR CARGO_BUILD_TARGET_DIR CARGO_MAKEFLAGS MAKEFLAGS

ifneq ($(filter-out $(PLAIN),$(or $(MAKECMDGOALS),help)),)
ifneq ($(shell mkdir -p target dist 2>/dev/null && test -w target -a -w dist && echo yes),yes)
$(error nothing can be written here; `make O=FOLDER $(MAKECMDGOALS)` builds in a copy)
endif
# The toolchain for the ports, chosen once: `make clean`, and it is chosen anew.
include target/toolchain.mk
endif
target/toolchain.mk: tools/find-toolchain
	@mkdir -p $(@D)
	@tools/find-toolchain > $@.new && mv $@.new $@

target_of = $(if $(STANDARD),$(STANDARD_$1),targets/$1.json)
out_of = target/$(if $(STANDARD),$(STANDARD_$1),$1)/release
port_cargo = $(PORT_CARGO) $2 --release $(PORT_FLAGS) --target $(call target_of,$1) \
	$(if $(PORT_LINKER),--config 'target.$1.linker="$(PORT_LINKER)"')

has_target = $(if $(STANDARD),$(if $(filter $(STANDARD_$1),$(STANDARD_TARGETS)),,\
	echo "make: $1 needs: rustup target add $(STANDARD_$1)" >&2; exit 1))

dist: $(PORT:%=dist-%)
dist-%: programs-%
	@$(MAKE) --no-print-directory library-$*

# dist/<port>/bin alone: what `make mutants` builds, whose values the checks of the C library would refuse.
programs: $(PORT:%=programs-%)
programs-%:
	@$(call has_target,$*)
	@mkdir -p dist/$*/bin
	@$(call port_cargo,$*,build)
	@cd $(call out_of,$*) && cp -u $(PROGRAMS) "$(CURDIR)/dist/$*/bin/"

# dist/<port>/lib/librt0.a, the header, the linker script and the files of pkg-config. Its code can be loaded anywhere; its
# variables are not merged (as LLVM does on ARM), so that a program has those alone that it uses.
library: $(PORT:%=library-%)
library-%:
	@$(call has_target,$*)
	@mkdir -p dist/$*/lib/pkgconfig dist/include
	@RUSTFLAGS='-Crelocation-model=pic -Cllvm-args=-enable-global-merge=false' \
		$(subst --release,--profile library,$(call port_cargo,$*,build)) --quiet -p rt0-c -p rt0-c-freestanding --target-dir target/library
	@cd $(subst target/,target/library/,$(patsubst %release,%library,$(call out_of,$*))) && \
		cargo run --quiet --manifest-path "$(CURDIR)/tools/librt0/Cargo.toml" --target-dir "$(CURDIR)/target" -- \
		$(LLD) librt0_c.a librt0_c_freestanding.a "$(CURDIR)/dist/$*/lib/librt0.a"
	@cp -u include/rt0.h dist/include/
	@cp -u linker/$*.ld linker/rt0.ld $(if $(filter freebsd_%,$*),linker/freebsd.ld) dist/$*/lib/
	@cp -u c/rt0.pc dist/$*/lib/pkgconfig/
	@sed 's/PORT/$*/' c/rt0-freestanding.pc > dist/$*/lib/pkgconfig/rt0-freestanding.pc

# include/rt0.h, from the comments and signatures in c/src. A test says whether it is current.
header:
	@RT0_WRITE_HEADER=1 cargo test --quiet -p rt0-tests --test c_header the_header_is_current

include examples/guests/guests.mk

run:
	@tools/install $(if $(filter linux_arm,$(PORT)),$(RUN_PACKAGES))
	@cargo build --quiet -p rt0-tests --bins
	@target/debug/limits-table $(PORT)

# A project of one's own, from template/.
new:
	@$(if $(NAME),,echo 'make: say where: make new NAME=FOLDER' >&2; exit 1)
	@tools/new "$(NAME)" $(PORT_LINKER)

# The README's picture, from a run of this build.
picture: dist-linux_amd64
	@tools/picture dist/linux_amd64/bin/limits > docs/address-space.svg

# What testing needs, for a machine where `make test` itself may not install it.
tools:
	@tools/install $(TEST_PACKAGES)

# Each part has its line at the end; the last line counts the tests of all suites and the runs of all ports.
test:
	@tools/install $(TEST_PACKAGES)
	@cargo build --quiet -p rt0-tests --bins
	@MAKE='$(MAKE)' PORT='$(PORT)' tools/test-parts lint dist tls layouts others pie guests guests-hosted

sweep: dist
	@tools/install $(TEST_PACKAGES)
	@cargo build --quiet -p rt0-tests --bins
	@target/debug/prove --whole $(if $(SEED),--seed=$(SEED)) $(PORT)

WHOLE := rt0 glibc musl mimalloc

# The first run builds the peers and records the traces. BENCH='--instructions' counts instructions too (valgrind).
# The drivers are built without the peers, whose programs they build themselves, with flags of their own: by the cargo that
# runs the drivers, which is that of the ports, so that one compiler builds hosted and freestanding programs.
bench_cargo = $(PORT_CARGO) run --quiet --profile bench --package rt0-bench --no-default-features --target-dir target/bench
# What it prints stays in target/bench.txt, for `make figures`.
bench: dist-linux_amd64 bench-freestanding $(WHOLE:%=whole-%)
	@{ $(bench_cargo) --bin rt0-bench -- $(BENCH) && echo && \
		$(bench_cargo) --bin scaling && echo && \
		$(bench_cargo) --bin startup && echo && \
		$(bench_cargo) --bin calls && echo && \
		$(bench_cargo) --bin memory && echo && \
		$(bench_cargo) --bin bench-programs; } | tee target/bench.new
	@mv target/bench.new target/bench.txt

# The heap's workloads in a program that rt0 starts, with the options that the hosted ones have.
bench-freestanding:
	@$(call whole_port,heap)
	@mkdir -p target/whole/rt0 && cp $(whole_out)/heap-rt0-freestanding target/whole/rt0/

# The tables of README and docs/benchmarks.md from the last `make bench`, and the charts from the page's tables.
figures:
	@test -f target/bench.txt || { echo 'make: `make bench` first: it leaves its figures in target/bench.txt' >&2; exit 1; }
	@tools/figures target/bench.txt docs/benchmarks.md README.md
	@tools/charts docs/benchmarks.md docs

charts:
	@tools/charts docs/benchmarks.md docs

# BENCH='--rounds=N --only=PROGRAM,...' picks. It has programs of all ports in it, and counts instructions (valgrind).
bench-gc: dist
	@tools/install libgc-dev valgrind
	@cargo run --quiet --profile bench --package rt0-bench-gc --target-dir target/bench -- $(BENCH)

# BENCH='--only=PATTERN,... --against=rt0,mimalloc3 --rounds=N' picks; BENCH=--list says what the patterns are.
bench-worst:
	@$(bench_cargo) --bin worst -- $(BENCH)

# BENCH='--only=WORKLOAD,... --threads=N,... --rounds=N' picks.
bench-threads:
	@$(bench_cargo) --bin bench-threads -- $(BENCH)

# Whole programs of other people's crates, target/whole/<memory>/<program>: all by the compiler of the ports, with the same
# options. BENCH='--rounds=N --only=PROGRAM,... --instructions' picks.
bench-programs: $(WHOLE:%=whole-%)
	@$(bench_cargo) --bin bench-programs -- $(BENCH)

whole_build = build --quiet --profile bench --package rt0-bench-$1 --target-dir target/whole
whole_port = $(subst --release,,$(call port_cargo,linux_amd64,$(whole_build)))
whole_out = target/whole/$(if $(STANDARD),$(STANDARD_linux_amd64),linux_amd64)/release
whole_copy = mkdir -p target/whole/$1 && cp $2/deflate $2/json $2/patterns $2/script target/whole/$1/

whole-rt0:
	@$(call whole_port,whole) --features rt0
	@$(call whole_copy,$(@:whole-%=%),$(whole_out))
whole-glibc whole-mimalloc:
	@$(PORT_CARGO) $(call whole_build,whole) --target x86_64-unknown-linux-gnu $(if $(filter %-mimalloc,$@),--features mimalloc)
	@$(call whole_copy,$(@:whole-%=%),target/whole/x86_64-unknown-linux-gnu/release)
# Distributions have no std for musl, so it is built here. Nothing unwinds, so that the library for it can be an empty one.
whole-musl:
	@$(if $(STANDARD),exit 0;) tools/install musl-tools && mkdir -p target/whole/empty && ar cr target/whole/empty/libunwind.a && \
		RUSTFLAGS='-Lnative=target/whole/empty -Clink-self-contained=no -Crelocation-model=static' \
		$(PORT_CARGO) $(call whole_build,whole) -Zbuild-std=std,panic_abort -Zbuild-std-features= --target x86_64-unknown-linux-musl \
		--config 'target.x86_64-unknown-linux-musl.linker="musl-gcc"' && \
		$(call whole_copy,$(@:whole-%=%),target/whole/x86_64-unknown-linux-musl/release)

# What can be tested on the host, under AddressSanitizer (in rustup's toolchains for Linux) and under valgrind. Some tests
# leave a heap to the end of the process, which is no leak, and one needs addresses that the sanitizer keeps for itself.
SANITIZED := -p rt0 -p rt0-tests --lib --test fuzz --test heap --test gc
sanitize:
	@tools/install valgrind
	@ASAN_OPTIONS=detect_leaks=0 RUSTC_BOOTSTRAP=1 RUSTFLAGS=-Zsanitizer=address cargo test --quiet $(SANITIZED) \
		--target x86_64-unknown-linux-gnu --target-dir target/sanitize -- --skip a_heap_grows_behind_its_end
	@CARGO_TARGET_X86_64_UNKNOWN_LINUX_GNU_RUNNER='valgrind --quiet --error-exitcode=99' \
		cargo test --quiet -p rt0-tests --test fuzz

# Breaks stubs, lock, threads and collector, one way after the other: each has to turn its test red.
mutants: dist
	@cargo run --quiet -p rt0-tests --bin mutants

test-freebsd: dist-freebsd_386 dist-freebsd_amd64
	@$(if $(KERNEL),tools/install $(TEST_PACKAGES))
	@cargo build --quiet -p rt0-tests --bins
	@target/debug/kernels freebsd $(KERNEL)

# For the tests: that this compiles says that the layouts of structures are right. Of FreeBSD's stat it is that of 11 which
# rt0 uses, and `libc` has another one unless it is told.
layouts: $(PORT:%=layouts-%)
layouts-%:
	@$(call has_target,$*)
	@$(if $(findstring freebsd,$*),RUSTFLAGS='--cfg libc_unstable_freebsd_version="11"') $(call port_cargo,$*,build) \
		--quiet -p rt0-layouts $(if $(findstring freebsd,$*),--target-dir target/layouts)

# For the tests: dist/<port>/tls/<program>, with thread-local variables, which stable Rust does not have.
tls: $(if $(STANDARD),,$(PORT:%=tls-%))
tls-%:
	@mkdir -p dist/$*/tls
	@$(call port_cargo,$*,build) --quiet -p rt0-tls
	@cd $(call out_of,$*) && cp -u $(basename $(notdir $(wildcard tests/tls/src/bin/*.rs))) $(CURDIR)/dist/$*/tls/

# For the tests: where there is no port the library is there, with the rules alone, and a program is refused by one sentence.
OTHERS := aarch64-apple-darwin x86_64-unknown-netbsd x86_64-unknown-openbsd x86_64-pc-windows-gnu x86_64-unknown-none \
	wasm32-unknown-unknown
others:
	@$(if $(STANDARD),,$(PORT_CARGO) check --quiet -p rt0 -Zbuild-std=core $(OTHERS:%=--target %))
	@$(if $(STANDARD),,for target in $(OTHERS); do tools/refused $$target $(PORT_CARGO) || exit 1; done)

# For the tests: dist/<port>/pie/<program>, static-PIEs, and dist/<port>/relr/limits, one whose relocations are packed.
pie: $(if $(STANDARD),,$(PORT:%=pie-%))
pie-%:
	@mkdir -p dist/$*/pie dist/$*/relr
	@RUSTFLAGS=-Crelocation-model=pie $(call port_cargo,$*,build) --target-dir target/pie
	@cd target/pie/$*/release && cp -u $(PROGRAMS) "$(CURDIR)/dist/$*/pie/"
	@RUSTFLAGS=-Crelocation-model=pie $(call port_cargo,$*,rustc) --quiet --target-dir target/pie \
		-p rt0-examples --bin limits -- -Clink-arg=-zpack-relative-relocs
	@cp -u target/pie/$*/release/limits dist/$*/relr/

# Clippy sees the host's port; the compiler's own warnings count on every port.
lint: $(PORT:%=warnings-%)
	@cargo fmt --all --check
	@cargo clippy --quiet -p rt0 -p rt0-tests --all-targets -- -D warnings
	@cargo clippy --quiet -p rt0-examples -- -D warnings
	@RUSTDOCFLAGS='-D warnings' cargo doc --quiet --no-deps -p rt0
warnings-%:
	@$(call has_target,$*)
	@$(call port_cargo,$*,build) --quiet $(if $(STANDARD),,-Zwarnings --config 'build.warnings="deny"')

clean:
	rm -rf target dist

endif
