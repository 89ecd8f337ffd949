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
		size_t size = entry_value_size(entry);

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

static int ttl(const struct rcumap *map, const void *key, size_t key_size, uint64_t *ttl_ms)
{
	uint64_t left = 0;

	SECTION_LOCK();

	const struct rcumap_entry *entry = read_find(map, key, key_size);

	if (entry)
		left = read_ttl_ms(map, entry);
	SECTION_UNLOCK();
	if (left == 0)
		return -ENOENT;
	*ttl_ms = left;
	return 0;
}

#define WRITER(name, type, write)                              \
	static int name(struct rcumap *map, struct type *what) \
	{                                                      \
		SECTION_LOCK();                                \
                                                               \
		int result = write(map, what);                 \
                                                               \
		SECTION_UNLOCK();                              \
		if (what->yield)                               \
			sched_yield();                         \
		return result;                                 \
	}

WRITER(store, write_store, write_store)
WRITER(remove_key, write_remove, write_remove)
WRITER(touch, write_touch, write_touch)
WRITER(update, write_update, write_update)

const struct verbs VERBS = {
	.get = get, .store = store, .remove = remove_key, .touch = touch, .update = update, .ttl = ttl
};
