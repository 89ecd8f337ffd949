# SPDX-License-Identifier: BSD-2-Clause
#
# libFuzzer's programs, for what rcumapd parses: part of server.mk. A fuzzer is a file fuzz_NAME.c; what it has found out goes to
# build/fuzz/corpus/NAME, what has failed to build/fuzz/NAME-crash-...
#
# Variables: FUZZ_SECONDS, for each; FUZZ=name for one; FUZZ_ARGS, of libFuzzer.

FUZZ_NAMES := $(patsubst server/fuzz/fuzz_%.c,%,$(wildcard server/fuzz/fuzz_*.c))
FUZZ_SECONDS ?= 60
FUZZ ?= $(FUZZ_NAMES)
# In the gate: the seeds, and so many more, the same each time.
FUZZ_SMOKE_RUNS ?= 5000
DEPS_FUZZ := clang libclang-rt-dev g++

# An archive, so that a fuzzer takes what it needs, and may stand for the rest itself.
build/fuzz/server/librcumapd.a: $(patsubst %.c,build/fuzz/%.o,$(filter-out server/main.c,$(SERVER_C))) \
		$(SERVER_S:%.S=build/fuzz/%.o) build/fuzz/server/fuzz/fuzz.o build/fuzz/server/members
	$(call say,AR)
	$(Q)rm -f $@ && $(AR) rcs $@ $(filter %.o,$^)

# The map is as it is released: its own memory errors are looked for elsewhere.
build/fuzz/server/fuzz/fuzz_%: build/fuzz/server/fuzz/fuzz_%.o build/fuzz/server/librcumapd.a build/release/librcumap.a
	$(call say,LINK)
	$(Q)$(CC.fuzz) -fsanitize=fuzzer,address,undefined $(LDFLAGS) -o $@ $(filter %.o %.a,$^) $(SERVER_LIBS) $(LIBS) -lm $(LDLIBS)

# $(1) a fuzzer, $(2) libFuzzer's arguments. It alone sees its stderr: others complain there of each input. Leaks are looked
# for at the end: what a map holds would be taken for one, for its pointers carry tags.
fuzz_run = mkdir -p build/fuzz/corpus/$(1) build/fuzz/smoke && build/fuzz/server/fuzz/fuzz_$(1) -artifact_prefix=build/fuzz/$(1)- -close_fd_mask=3 \
	-timeout=60 -detect_leaks=0 -max_len=4096 $(if $(wildcard server/fuzz/$(1).dict),-dict=server/fuzz/$(1).dict) $(2) $(FUZZ_ARGS)

.PHONY: fuzz fuzz-smoke fuzzers
ifeq ($(SERVER_MISSING),)
fuzzers: $(FUZZ:%=build/fuzz/server/fuzz/fuzz_%)
else
fuzzers:
	@echo "rcumapd is not fuzzed: missing $(SERVER_MISSING) (make deps-server)"; exit 1
endif

fuzz: deps-server ## libFuzzer on all that rcumapd parses, FUZZ_SECONDS each (FUZZ=name for one)
	@test/deps.sh $(DEPS_FUZZ)
	@$(MAKE) --no-print-directory $(PARALLEL) fuzzers
	@set -e; $(foreach f,$(FUZZ),echo "fuzz: $(f)"; \
		$(call fuzz_run,$(f),-max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 build/fuzz/corpus/$(f) server/fuzz/seeds/$(f));)

fuzz-smoke: fuzzers ## the same for seconds: the seeds, and a few thousand inputs more
	@set -e; $(foreach f,$(FUZZ),echo "fuzz: $(f)"; rm -rf build/fuzz/smoke; \
		$(call fuzz_run,$(f),-seed=1 -runs=$(FUZZ_SMOKE_RUNS) build/fuzz/smoke server/fuzz/seeds/$(f));)
