/* SPDX-License-Identifier: BSD-2-Clause */
/* Included once by each verbs_<flavor>.c, which defines SECTION_LOCK, SECTION_UNLOCK and VERBS. */

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "map/read.h"
#include "map/verbs.h"

static int get(const struct rcumap *map, const void *key, size_t key_size, void *buffer, size_t buffer_size,
	       size_t *value_size, uint64_t *version)
{
	int result = -ENOENT;

	SECTION_LOCK();

	const struct rcumap_entry *entry = read_find(map, key, key_size);

	if (entry) {
		size_t size = entry->value_size;

		if (value_size)
			*value_size = size;
		if (version)
			*version = entry->version;
		result = size <= buffer_size ? 0 : -ENOBUFS;
		if (!result && size)
			memcpy(buffer, entry_value(entry), size);
	}
	SECTION_UNLOCK();
	return result;
}

static int store(struct rcumap *map, struct write_store *what)
{
	SECTION_LOCK();

	int result = write_store(map, what);

	SECTION_UNLOCK();
	if (what->yield)
		sched_yield();
	return result;
}

static int remove_key(struct rcumap *map, struct write_remove *what)
{
	SECTION_LOCK();

	int result = write_remove(map, what);

	SECTION_UNLOCK();
	if (what->yield)
		sched_yield();
	return result;
}

const struct verbs VERBS = { .get = get, .store = store, .remove = remove_key };
