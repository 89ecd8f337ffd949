/* SPDX-License-Identifier: BSD-2-Clause */
/* Included once by each verbs_<flavor>.c, which defines SECTION_LOCK, SECTION_UNLOCK and VERBS. */

#include <errno.h>
#include <sched.h>
#include <string.h>

#include "map/read.h"
#include "map/spare.h"
#include "map/verbs.h"

/* Of 16 to 32 bytes: the first and the last sixteen, which may overlap. As most small values are: without a call a get executes
 * 170 instructions instead of 180. */
static inline void copy_small(unsigned char *to, const unsigned char *from, size_t size)
{
	struct {
		unsigned char byte[16];
	} first, last;

	memcpy(&first, from, 16);
	memcpy(&last, from + size - 16, 16);
	memcpy(to, &first, 16);
	memcpy(to + size - 16, &last, 16);
}

static inline void copy_value(void *to, const void *from, size_t size)
{
	if (size - 16 <= 16)
		copy_small(to, from, size);
	else if (size)
		memcpy(to, from, size);
}

/* What rcumap_get() says of an entry, or of NULL. */
static inline int copy_out(const struct rcumap_entry *entry, void *buffer, size_t buffer_size, size_t *value_size,
			   uint64_t *version)
{
	if (!entry)
		return -ENOENT;

	size_t size = entry_value_size(entry);

	if (value_size)
		*value_size = size;
	if (version)
		*version = entry_version(entry);
	if (size > buffer_size)
		return -ENOBUFS;
	copy_value(buffer, entry_value(entry), size);
	return 0;
}

READ_QUICK static int get(const struct rcumap *map, const void *key, size_t key_size, void *buffer, size_t buffer_size,
	       size_t *value_size, uint64_t *version)
{
	SECTION_LOCK();

	int result = copy_out(read_find(map, key, key_size), buffer, buffer_size, value_size, version);

	SECTION_UNLOCK();
	return result;
}

/* `n` is at most READ_BATCH. */
static size_t get_some(const struct rcumap *map, const struct rcumap_key *keys, size_t n, struct rcumap_copy *copies)
{
	const struct rcumap_entry *entries[READ_BATCH];
	size_t copied = 0;

	SECTION_LOCK();
	read_batch(map, keys, n, entries);
	for (size_t i = 0; i < n; i++) {
		struct rcumap_copy *copy = &copies[i];

		if (!read_key_valid(keys[i].data, keys[i].size) || (!copy->buffer && copy->buffer_size))
			copy->result = -EINVAL;
		else
			copy->result = copy_out(entries[i], copy->buffer, copy->buffer_size, &copy->value_size,
						&copy->version);
		copied += copy->result == 0;
	}
	SECTION_UNLOCK();
	return copied;
}

static size_t get_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n, struct rcumap_copy *copies)
{
	size_t copied = 0;

	for (size_t i = 0; i < n; i += READ_BATCH)
		copied += get_some(map, keys + i, n - i < READ_BATCH ? n - i : READ_BATCH, copies + i);
	return copied;
}

static int ttl(const struct rcumap *map, const void *key, size_t key_size, uint64_t *ttl_ms)
{
	SECTION_LOCK();

	uint64_t left = read_find_ttl_ms(map, key, key_size);

	SECTION_UNLOCK();
	if (left == 0)
		return -ENOENT;
	*ttl_ms = left;
	return 0;
}

#define WRITER(name, type, write)                              \
	static int name(struct rcumap *map, struct type *what) \
	{                                                      \
		struct spare_wait wait = { 0 };                \
		int result;                                    \
                                                               \
		do {                                           \
			SECTION_LOCK();                        \
			result = write(map, what);             \
			SECTION_UNLOCK();                      \
			if (what->yield)                       \
				sched_yield();                 \
		} while (result == -ENOSPC && spare_wait(map, &wait)); \
		if (result || wait.claims)                     \
			spare_end(map, &wait, result);         \
		return result;                                 \
	}

WRITER(store, write_store, write_store)
WRITER(remove_key, write_remove, write_remove)
WRITER(touch, write_touch, write_touch)
WRITER(update, write_update, write_update)

const struct verbs VERBS = {
	.get = get,
	.get_batch = get_batch,
	.store = store,
	.remove = remove_key,
	.touch = touch,
	.update = update,
	.ttl = ttl,
};
