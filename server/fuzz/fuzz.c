/* SPDX-License-Identifier: BSD-2-Clause */
#include "fuzz.h"

#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void must(bool holds, const char *what)
{
	if (holds)
		return;
	fprintf(stderr, "does not hold: %s\n", what);
	abort();
}

char *fuzz_text(const uint8_t *bytes, size_t size)
{
	size_t length = strnlen((const char *)bytes, size);
	char *text = malloc(length + 1);

	must(text != NULL, "memory");
	memcpy(text, bytes, length);
	text[length] = '\0';
	return text;
}

bool fuzz_matches(const char *text, const char *pattern)
{
	static struct {
		const char *pattern;
		regex_t compiled;
	} known[8];
	unsigned i = 0;

	while (known[i].pattern && known[i].pattern != pattern)
		i++;
	if (!known[i].pattern) {
		must(regcomp(&known[i].compiled, pattern, REG_EXTENDED | REG_NOSUB) == 0, "a regular expression");
		known[i].pattern = pattern;
	}
	return regexec(&known[i].compiled, text, 0, NULL, 0) == 0;
}

static struct cache cache;

/* So that what is left then is a leak. */
static void close_cache(void)
{
	cache_close(&cache);
}

struct data *fuzz_data(void)
{
	static struct config config = { .max_memory = 4 << 20,
					.default_ttl_ms = UINT64_MAX,
					.upload_memory = 1 << 20,
					.max_key = 64,
					.max_value = 4096,
					.max_batch = 64 << 10 };
	static struct data data = { .cache = &cache, .config = &config, .budget = { .limit = 1 << 20 } };

	if (!cache.map) {
		must(cache_open(&cache, &config) == 0, "a map");
		cache.epoch = FUZZ_EPOCH;
		atexit(close_cache);
	}
	return &data;
}
