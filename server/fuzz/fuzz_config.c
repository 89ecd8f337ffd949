/* SPDX-License-Identifier: BSD-2-Clause */
/* A configuration file, and after its first zero byte words of a command line, each ended by one. What is accepted is within
 * its bounds. */
#include "fuzz.h"

#include "../config.h"

#include <getopt.h>
#include <rcumap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORDS_MAX 20

static bool within(uint64_t number, uint64_t least, uint64_t most)
{
	return number >= least && number <= most;
}

static void check(const struct config *c)
{
	must(*c->address || *c->unix_path, "it listens somewhere");
	must(c->port <= 65535 && c->admin_port <= 65535, "ports");
	must(within(c->max_key, 1, RCUMAP_KEY_SIZE_MAX) && c->max_value <= 1 << 30, "sizes");
	must(c->threads <= 1024 && within(c->max_connections, 1, 1000000), "threads and connections");
	must(!c->max_memory || within(c->max_memory, RCUMAP_MAX_BYTES_MIN, RCUMAP_MAX_BYTES_MAX), "memory");
	must(!c->max_entries || within(c->max_entries, RCUMAP_MAX_ENTRIES_MIN, RCUMAP_CAPACITY_MAX), "entries");
	must(c->upload_memory >= c->max_value && c->upload_memory >= c->max_batch, "room for one body");
	must(c->default_ttl_ms == UINT64_MAX || within(c->default_ttl_ms, 1, RCUMAP_TTL_MAX), "the life");
	must(within(c->idle_timeout_ms, 1000, 86400000) && c->drain_timeout_ms <= 86400000, "times");
	must(within(c->request_timeout_ms, 1000, 86400000), "times");
	must(c->log_level <= LOG_LEVEL_DEBUG && c->log_format <= LOG_FORMAT_JSON, "the log");
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size), *words, path[64], *argv[WORDS_MAX + 4] = { "rcumapd", "--config", path };
	size_t file_size = strlen(text), left = file_size < size ? size - file_size - 1 : 0;
	int argc = 3, file = memfd_create("configuration", MFD_CLOEXEC);
	enum config_result result;
	struct config config;

	must(file >= 0 && write(file, text, file_size) == (ssize_t)file_size, "a file");
	snprintf(path, sizeof path, "/proc/self/fd/%d", file);
	words = calloc(1, left + 1);
	memcpy(words, bytes + size - left, left);
	for (char *p = words; p < words + left && argc < WORDS_MAX; p += strlen(p) + 1)
		argv[argc++] = p;
	optind = 0; /* getopt_long() begins anew */
	result = config_read(&config, argc, argv);
	if (result == CONFIG_RUN)
		check(&config);
	config_free(&config);
	close(file);
	free(words);
	free(text);
	return 0;
}
