/* SPDX-License-Identifier: BSD-2-Clause */
/* Included once by each verbs_<flavor>.c, which defines SECTION_LOCK, SECTION_UNLOCK, SECTION_ENTER, SECTION_LEAVE and VERBS. */

#include <errno.h>
#include <sched.h>

#include "ground/copy.h"
#include "map/overwrite.h"
#include "map/read.h"
#include "map/spare.h"
#include "map/verbs.h"

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

/* What a get needs once it has found something. */
struct wanted {
	const struct rcumap *map;
	void *buffer;
	size_t buffer_size;
	size_t *value_size;
	uint64_t *version;
};

/* In the section that the caller has opened, which this leaves. */
static inline int get_end(const struct wanted *wanted, const struct rcumap_entry *entry)
{
	const int result = copy_out(entry, wanted->buffer, wanted->buffer_size, wanted->value_size, wanted->version);

	SECTION_UNLOCK();
	return result;
}

/* Any arguments, and a thread's first section. */
static __attribute__((noinline)) int get_any(const void *key, size_t key_size, const struct wanted *wanted)
{
	if (!read_key_valid(key, key_size) || (!wanted->buffer && wanted->buffer_size))
		return -EINVAL;
	SECTION_LOCK();
	return get_end(wanted, read_find_any(wanted->map, key, key_size));
}

/* Of an entry that has a deadline, or whose value is not as short as most are. */
static __attribute__((noinline)) int get_found(const struct wanted *wanted, const void *key, size_t key_size,
					       const struct rcumap_entry *entry)
{
	return get_end(wanted, read_found(wanted->map, entry, key, key_size));
}

READ_QUICK static int get(const struct rcumap *map, const void *key, size_t key_size, void *buffer, size_t buffer_size,
	       size_t *value_size, uint64_t *version)
{
	const struct hash *hash = &map->tables.hash;
	struct wanted wanted;

	wanted.map = map;
	wanted.buffer = buffer;
	wanted.buffer_size = buffer_size;
	wanted.value_size = value_size;
	/* They wait in memory for as long as the key is looked for, which needs all the registers that need not be saved. Says no
	 * more than that they may have been changed. The version's place is in memory already. */
	__asm__("" : "+m"(wanted.map), "+m"(wanted.buffer), "+m"(wanted.buffer_size), "+m"(wanted.value_size));
	if (__builtin_expect(!key || (!buffer && buffer_size) || key_size - HASH_SHORT_MIN >= map->short_keys, 0))
		goto any;

	const uint64_t hashed = hash_short(hash, key, key_size);
	void *const section = SECTION_ENTER();

	if (__builtin_expect(!section, 0))
		goto any;

	const struct rcumap_entry *entry = bucket_find(&map->tables, hashed, key, key_size);

	if (!entry) {
		SECTION_LEAVE(section);
		return -ENOENT;
	}

	/* The bit of a deadline makes it too large: what is copied here has none, and its key is as long as this one. */
	const size_t size = entry->value_bits;

	if (__builtin_expect(!copy_value_is_inline(size) || size > wanted.buffer_size, 0)) {
		wanted.version = version;
		return get_found(&wanted, key, key_size, entry);
	}
	entry_warm(entry);
	if (wanted.value_size)
		*wanted.value_size = size;
	if (version)
		*version = entry_version(entry);
	copy_value(wanted.buffer, entry->bytes + key_size, size);
	SECTION_LEAVE(section);
	return 0;
any:
	wanted.version = version;
	return get_any(key, key_size, &wanted);
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

/* Out of line: put() saves no registers for what it leaves to them. */
#define WRITER(name, type, write)                              \
	static __attribute__((noinline)) int name(struct rcumap *map, struct type *what) \
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

/* What is left of a put that was tried in one pass. The content is copied for the steps, or it would have to be in memory before. */
#define OVERWRITE_END(result, built)                                                                                      \
	(__builtin_expect((result) != OVERWRITE_NOT, 1) ?                                                                 \
		 (result) :                                                                                               \
		 write_put_in_steps(map, &(struct write_content){ key, key_size, value, value_size }, version, built))

static __attribute__((noinline)) int put(struct rcumap *map, const void *key, size_t key_size, const void *value,
					 size_t value_size, uint64_t ttl_ms, uint64_t *version)
{
	const struct write_content content = { key, key_size, value, value_size };
	struct rcumap_entry *built = NULL;

	(void)ttl_ms;
	SECTION_LOCK();

	const int result = overwrite(map, &content, hash_key(&map->tables.hash, key, key_size), version, &built);

	SECTION_UNLOCK();
	return OVERWRITE_END(result, built);
}

/* What overwrite_small() has left, in the section that the caller has opened, which this leaves. */
static __attribute__((noinline)) int put_far(struct rcumap *map, const void *key, size_t key_size, const void *value,
					     size_t value_size, uint64_t *version, struct rcumap_entry *built, bool perhaps)
{
	const struct write_content content = { key, key_size, value, value_size };
	const int result = perhaps ? overwrite(map, &content, hash_short(&map->tables.hash, key, key_size), version, &built) : OVERWRITE_NOT;

	SECTION_UNLOCK();
	return OVERWRITE_END(result, built);
}

READ_QUICK static int put_small(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
				uint64_t ttl_ms, uint64_t *version)
{
	const struct write_content content = { key, key_size, value, value_size };
	struct rcumap_entry *built;

	/* The caller has asked. Here it says so to the compiler. */
	if (!overwrite_is_small(key_size, value_size))
		__builtin_unreachable();

	const uint64_t hashed = hash_short(&map->tables.hash, key, key_size);
	void *const section = SECTION_ENTER();

	if (__builtin_expect(!section, 0))
		return put(map, key, key_size, value, value_size, ttl_ms, version);

	const int result = overwrite_small(map, &content, hashed, version, &built);

	if (__builtin_expect(result, 0))
		return put_far(map, key, key_size, value, value_size, version, built, result == OVERWRITE_PERHAPS);
	SECTION_LEAVE(section);
	return 0;
}

const struct verbs VERBS = {
	.get = get,
	.get_batch = get_batch,
	.put_small = put_small,
	.put = put,
	.store = store,
	.remove = remove_key,
	.touch = touch,
	.update = update,
	.ttl = ttl,
};
