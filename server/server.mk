# SPDX-License-Identifier: BSD-2-Clause
#
# rcumapd, and its tests: part of GNUmakefile. Built where its libraries are; the library alone needs none of them.
#
# Variables: SERVER_ARGS, SERVER_BENCH_ARGS, SERVER_MEMORY_ARGS, what `make run` and the measurements pass on.

SERVER_C := $(wildcard server/*.c)
SERVER_S := $(wildcard server/*.S)
SERVER_T := $(wildcard server/test/*.t)
SERVER_VARIANTS := release debug asan tsan
DEPS_SERVER := libmicrohttpd-dev libsodium-dev libjansson-dev libsystemd-dev libjemalloc-dev
DEPS_SERVER_TEST := curl perl haproxy mandoc libjson-validator-perl
SERVER_HEADERS := microhttpd.h sodium.h jansson.h systemd/sd-daemon.h jemalloc/jemalloc.h
SERVER_MISSING := $(strip $(foreach h,$(SERVER_HEADERS),$(if $(wildcard /usr/include/$(h) /usr/include/*/$(h)),,$(h))))
SERVER_LIBS := -lmicrohttpd -lsodium -ljansson -lsystemd
# Its malloc keeps resident memory close to what is in use. Sanitizers have one of their own.
SERVER_MALLOC.release := -ljemalloc
SERVER_MALLOC.debug := -ljemalloc

# $(1) a variant: its server, and its tests as programs that know which server they are for.
define server_rules
SERVER_O.$(1) := $$(SERVER_C:%.c=build/$(1)/%.o) $$(SERVER_S:%.S=build/$(1)/%.o)

build/$(1)/server/members: FORCE
	@mkdir -p $$(@D)
	@echo '$$(LINK.$(1)) $$(SERVER_O.$(1)) $$(SERVER_LIBS) $$(SERVER_MALLOC.$(1))' | cmp -s - $$@ || \
	echo '$$(LINK.$(1)) $$(SERVER_O.$(1)) $$(SERVER_LIBS) $$(SERVER_MALLOC.$(1))' >$$@

build/$(1)/server/%.o: server/%.c build/$(1)/flags
	$$(call say,CC)
	$$(Q)mkdir -p $$(@D) && $$(COMPILE_C.$(1)) $$(SAN.$(1)) $$(INC_USER) $$(CFLAGS) -MMD -MP -c -o $$@ $$<

build/$(1)/server/%.o: server/%.S server/%.html build/$(1)/flags
	$$(call say,AS)
	$$(Q)mkdir -p $$(@D) && $$(CC.$(1)) -c -o $$@ $$<

build/$(1)/server/rcumapd: $$(SERVER_O.$(1)) build/$(1)/librcumap.a build/$(1)/server/members
	$$(call say,LINK)
	$$(Q)$$(LINK.$(1)) -o $$@ $$(filter %.o %.a,$$^) $$(SERVER_MALLOC.$(1)) $$(SERVER_LIBS) $$(LIBS) $$(LDLIBS)

build/$(1)/server/test/%.t: server/test/%.t build/$(1)/flags
	@mkdir -p $$(@D)
	@printf '#!/bin/sh\nRCUMAPD=build/$(1)/server/rcumapd exec perl -Iserver/test $$<\n' >$$@ && chmod +x $$@

# Not where it must be quick.
ifeq ($$(SERVER_MISSING)$$(filter 1,$(QUICK)),)
SERVER_TESTS.$(1) := $$(SERVER_T:%=build/$(1)/%)
tests-$(1): build/$(1)/server/rcumapd $$(SERVER_TESTS.$(1))
endif
endef
$(foreach v,$(SERVER_VARIANTS) fuzz,$(eval $(call server_rules,$(v))))
include server/fuzz/fuzz.mk

.PHONY: server run deps-server
ifeq ($(SERVER_MISSING),)
all: build/release/server/rcumapd
else
all: server-skipped
.PHONY: server-skipped
server-skipped:
	@echo "rcumapd is not built: missing $(SERVER_MISSING) (make deps-server)"
endif

deps-server: ## install the Debian packages that rcumapd needs
	@test/deps.sh $(DEPS_BUILD) $(DEPS_SERVER)

deps: deps-server-check
.PHONY: deps-server-check
deps-server-check:
	@test/deps.sh $(DEPS_SERVER) $(DEPS_SERVER_TEST)

server: deps-server ## rcumapd, the caching service
	@$(MAKE) --no-print-directory $(PARALLEL) build/release/server/rcumapd

run: server ## rcumapd on 127.0.0.1:8080, its page on http://127.0.0.1:8081/ (SERVER_ARGS="--port 80 ...")
	build/release/server/rcumapd $(SERVER_ARGS)

# ------------------------------------------------------------------------------------------------ how fast, how large, how long

# Needed by these alone: rivals, and who drives them.
DEPS_SERVER_BENCH := perl wrk nginx-light memcached redis-server
SECONDS ?= 3600

build/release/server/bench/fill: build/release/server/bench/fill.o
	$(call say,LINK)
	$(Q)$(LINK.release) -o $@ $<

.PHONY: server-bench server-memory server-soak server-soak-short
server-bench: server ## GET by wrk, beside nginx on the same core (two minutes)
	@test/deps.sh $(DEPS_SERVER_BENCH)
	server/bench/throughput.pl $(SERVER_BENCH_ARGS)

server-memory: server ## resident bytes an entry at 10 million, beside memcached and Redis (five minutes)
	@test/deps.sh $(DEPS_SERVER_BENCH)
	@$(MAKE) --no-print-directory $(PARALLEL) build/release/server/bench/fill
	server/bench/memory.pl build/release/server/bench/fill $(SERVER_MEMORY_ARGS)

server-soak: server ## mixed load with clients who come and go, break off and hang: is anything lost, or leaked? (SECONDS=3600)
	@test/deps.sh perl
	RCUMAPD=build/release/server/rcumapd server/bench/soak.pl --seconds $(SECONDS)

server-soak-short: ## the same for some seconds, then with AddressSanitizer
	@$(MAKE) --no-print-directory $(PARALLEL) build/release/server/rcumapd build/asan/server/rcumapd
	RCUMAPD=build/release/server/rcumapd server/bench/soak.pl --seconds 6
	RCUMAPD=build/asan/server/rcumapd $(FIXED_LAYOUT) server/bench/soak.pl --seconds 4 --sanitized

# ------------------------------------------------------------------------------------------------ installation

SBINDIR ?= $(PREFIX)/sbin
MANDIR ?= $(PREFIX)/share/man
UNITDIR ?= $(PREFIX)/lib/systemd/system
DATADIR ?= $(PREFIX)/share/rcumapd
SYSCONFDIR ?= $(if $(filter /usr,$(PREFIX)),/etc,$(PREFIX)/etc)

SERVER_CONF := $(SYSCONFDIR)/rcumapd.conf
SERVER_DATA := server/deploy/rcumapd.conf server/deploy/haproxy.cfg doc/openapi.yaml
SERVER_INSTALLED := $(SBINDIR)/rcumapd $(MANDIR)/man8/rcumapd.8 $(UNITDIR)/rcumapd.service $(UNITDIR)/rcumapd.socket \
	$(addprefix $(DATADIR)/,$(notdir $(SERVER_DATA)))
# What is said of places holds for the usual ones.
SERVER_PLACES := sed -e 's|/usr/local/sbin/|$(SBINDIR)/|' -e 's|/usr/local/etc/|$(SYSCONFDIR)/|' \
	-e 's|/usr/local/lib/systemd/system/|$(UNITDIR)/|' -e 's|/usr/local/share/rcumapd/|$(DATADIR)/|'

.PHONY: install-server uninstall-server
ifeq ($(SERVER_MISSING),)
install: install-server
endif
uninstall: uninstall-server

# A configuration that is there stays, and goes only as it came.
install-server: build/release/server/rcumapd
	install -d $(DESTDIR)$(SBINDIR) $(DESTDIR)$(MANDIR)/man8 $(DESTDIR)$(UNITDIR) $(DESTDIR)$(DATADIR) $(DESTDIR)$(SYSCONFDIR)
	install -m 755 build/release/server/rcumapd $(DESTDIR)$(SBINDIR)/rcumapd
	$(SERVER_PLACES) server/rcumapd.8 | install -m 644 /dev/stdin $(DESTDIR)$(MANDIR)/man8/rcumapd.8
	$(SERVER_PLACES) server/deploy/rcumapd.service | install -m 644 /dev/stdin $(DESTDIR)$(UNITDIR)/rcumapd.service
	install -m 644 server/deploy/rcumapd.socket $(DESTDIR)$(UNITDIR)/rcumapd.socket
	install -m 644 $(SERVER_DATA) $(DESTDIR)$(DATADIR)/
	[ -e $(DESTDIR)$(SERVER_CONF) ] || install -m 644 server/deploy/rcumapd.conf $(DESTDIR)$(SERVER_CONF)

uninstall-server:
	! cmp -s server/deploy/rcumapd.conf $(DESTDIR)$(SERVER_CONF) || rm -f $(DESTDIR)$(SERVER_CONF)
	rm -f $(SERVER_INSTALLED:%=$(DESTDIR)%)
	[ ! -d $(DESTDIR)$(DATADIR) ] || rmdir $(DESTDIR)$(DATADIR)
