/* SPDX-License-Identifier: BSD-2-Clause */
/* The request target: path, key, query. A key that is accepted is the same when every byte of it is escaped. */
#include "fuzz.h"

#include "../target.h"

#include <rcumap.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the library does: the whole target first, then without its query. */
static void parse(struct target *target, char *text)
{
	target_begin(target, text);
	text[strcspn(text, "?")] = '\0';
	target_decode(target, text);
}

static void check_key(const struct target *target)
{
	char *escaped = malloc(sizeof TARGET_KEY_PREFIX + 3 * target->key_size);
	char *p = escaped + sprintf(escaped, "%s", TARGET_KEY_PREFIX);
	struct target again;

	for (size_t i = 0; i < target->key_size; i++)
		p += sprintf(p, i % 2 ? "%%%02x" : "%%%02X", (unsigned char)target->key[i]);
	parse(&again, escaped);
	must(!again.error && again.key_size == target->key_size, "an escaped key has the same size");
	must(memcmp(again.key, target->key, target->key_size) == 0, "an escaped key is the same");
	free(escaped);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	char *text = fuzz_text(bytes, size);
	size_t length = strlen(text);
	struct target target;

	parse(&target, text);
	must(target.raw_size == length, "its size as it came");
	must(target.path >= text && target.path <= text + length, "the path lies within");
	if (target.key && !target.error) {
		must(target.key_size <= length, "decoding never grows");
		must(target.key[target.key_size] == '\0', "a key is terminated");
		check_key(&target);
	}
	if (target.has_ttl && !target.error)
		must(target.ttl_ms <= RCUMAP_TTL_MAX, "a life that the map knows");
	free(text);
	return 0;
}
