# rt0: `make help` says what there is. PORT=<port> picks one port (or several, quoted).

PORTS := linux_386 linux_amd64 linux_arm freebsd_386 freebsd_amd64
PORT ?= $(PORTS)
PROGRAMS := $(basename $(notdir $(wildcard examples/*.rs)))
PROGRAMS := $(filter-out build,$(PROGRAMS))

# The standard targets of the ports, for toolchains that cannot build core.
STANDARD_linux_386     := i686-unknown-linux-gnu
STANDARD_linux_amd64   := x86_64-unknown-linux-gnu
STANDARD_linux_arm     := armv7-unknown-linux-gnueabi
STANDARD_freebsd_386   := i686-unknown-freebsd
STANDARD_freebsd_amd64 := x86_64-unknown-freebsd

.PHONY: help run test dist lint clean $(PORTS:%=dist-%)
.DEFAULT_GOAL := help

help:
	@echo 'make run             build for all ports and show, for each and each limit, what arena fits'
	@echo 'make test            every test; sets up what it needs'
	@echo 'make dist            dist/<port>/bin/<program>, for: $(PROGRAMS)'
	@echo 'make lint            format, clippy, warnings on every port'
	@echo 'make clean           remove what was built'
	@echo
	@echo 'With PORT=<port>, one or more of: $(PORTS)'

unknown := $(filter-out $(PORTS),$(PORT))
ifneq ($(unknown),)
$(error no port is named $(unknown); there are: $(PORTS))
endif

# Chosen once; remove the file to choose anew.
TOOLCHAIN_FILE := target/toolchain.mk
ifneq ($(filter-out help clean,$(or $(MAKECMDGOALS),help)),)
include $(TOOLCHAIN_FILE)
endif
$(TOOLCHAIN_FILE): targets/find-toolchain
	@mkdir -p $(@D)
	@targets/find-toolchain > $@.new && mv $@.new $@

# target_of PORT: what --target is given; out_of PORT: where its programs then are.
target_of = $(if $(STANDARD),$(STANDARD_$1),targets/$1.json)
out_of = target/$(if $(STANDARD),$(STANDARD_$1),$1)/release
cargo_for = $(PORT_CARGO) $1 --release $(PORT_FLAGS) --target $(call target_of,$2) \
	$(if $(PORT_LINKER),--config 'target.$2.linker="$(PORT_LINKER)"')

dist: $(PORT:%=dist-%)

$(PORTS:%=dist-%): dist-%: $(TOOLCHAIN_FILE)
	@$(if $(STANDARD),$(if $(filter $(STANDARD_$*),$(STANDARD_TARGETS)),,\
		echo "make: $* needs: rustup target add $(STANDARD_$*)" >&2; exit 1))
	@mkdir -p dist/$*/bin
	@$(call cargo_for,build,$*)
	@cd $(call out_of,$*) && cp -u $(PROGRAMS) $(CURDIR)/dist/$*/bin/

clean:
	rm -rf target dist
