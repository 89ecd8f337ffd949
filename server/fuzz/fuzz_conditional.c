/* SPDX-License-Identifier: BSD-2-Clause */
/* If-Match and If-None-Match, against an entry and against none: a list is what the grammar says, and its tag is in it or not. */
#include "fuzz.h"

#include "../conditional.h"
#include "../store.h"

#include <stdlib.h>
#include <string.h>

#define TAG "(W/)?\"[^\"]*\"[ \t]*"
static const char list_grammar[] = "^[ \t,]*" TAG "(,[ \t,]*" TAG ")*(,[ \t,]*)?$";

/* In a list, a quote is where a tag begins or ends. */
static bool is_in(const char *list, const char *etag, bool weak)
{
	for (const char *p = list; (p = strstr(p, etag)); p++)
		if (weak || p < list + 2 || memcmp(p - 2, "W/", 2))
			return true;
	return false;
}

static void check(const struct cache *cache, const char *list, const struct rcumap_entry *entry, const char *etag)
{
	enum conditional match = conditional_judge(cache, list, NULL, entry);
	enum conditional none_match = conditional_judge(cache, NULL, list, entry);

	if (strcmp(list, "*") == 0) {
		must(match == (entry ? CONDITIONAL_GO_ON : CONDITIONAL_FAILED), "If-Match: *");
		must(none_match == (entry ? CONDITIONAL_UNCHANGED : CONDITIONAL_GO_ON), "If-None-Match: *");
	} else if (!fuzz_matches(list, list_grammar)) {
		must(match == CONDITIONAL_MALFORMED && none_match == CONDITIONAL_MALFORMED, "what is no list is told");
	} else {
		must(match == (entry && is_in(list, etag, false) ? CONDITIONAL_GO_ON : CONDITIONAL_FAILED), "If-Match");
		must(none_match == (entry && is_in(list, etag, true) ? CONDITIONAL_UNCHANGED : CONDITIONAL_GO_ON),
		     "If-None-Match");
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static uint64_t version;
	struct cache *cache = fuzz_data()->cache;
	const struct rcumap_entry *entry;
	char *list = fuzz_text(bytes, size), etag[ETAG_SIZE];

	if (!version) {
		unsigned char value[8];
		struct store store = { .key = "key",
				       .key_size = 3,
				       .value = value,
				       .value_size = sizeof value,
				       .ttl_ms = RCUMAP_TTL_NEVER };

		must(store_run(cache, &store) == 0 && store.version, "an entry");
		version = store.version;
	}
	etag_write(cache, version, etag);
	rcumap_read_lock_bp();
	entry = rcumap_find(cache->map, "key", 3);
	must(entry != NULL, "the entry is there");
	check(cache, list, entry, etag);
	check(cache, list, NULL, "");
	rcumap_read_unlock_bp();
	must(conditional_if_range(list, etag) == (strcmp(list, etag) == 0), "If-Range");
	free(list);
	return 0;
}
