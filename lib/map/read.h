/* SPDX-License-Identifier: BSD-2-Clause */
/* The read path: hash, table, bucket, entry, and nothing else. */
#ifndef RCUMAP_READ_H
#define RCUMAP_READ_H

#include "map/map.h"
#include "protocol/bucket.h"

static inline bool read_key_valid(const void *key, size_t key_size)
{
	return key && key_size - 1 < RCUMAP_KEY_SIZE_MAX;
}

/* A time, read when first needed, by which all that is looked at together is judged. Starts as zeros. */
struct read_moment {
	bool known;
	uint64_t now_us;
};

/* Has the entry's deadline not passed yet? The clock is read only if it has one. Wait-free. */
static inline bool read_is_alive_at(const struct rcumap *map, const struct rcumap_entry *entry,
				    struct read_moment *moment)
{
	if (!entry_has_deadline(entry))
		return true;
	if (!moment->known)
		*moment = (struct read_moment){ true, clock_coarse_us(&map->clock) };
	return !deadline_has_passed(entry_deadline(entry), moment->now_us);
}

/* The entry that was found had expired by now_us, which was read after it had been found. So another may have come into
 * its place while it lived: look once more, and judge what is found by the same time. Wait-free. */
const struct rcumap_entry *read_again(const struct rcumap *map, const void *key, size_t key_size, uint64_t now_us);

/* An entry was found that has a deadline: it, another that has come into its place, or NULL. Wait-free. */
const struct rcumap_entry *read_judge(const struct rcumap *map, const struct rcumap_entry *entry, const void *key,
				      size_t key_size);

/* What a find returns of what it has found, or of NULL. Wait-free. */
static inline const struct rcumap_entry *read_found(const struct rcumap *map, const struct rcumap_entry *entry,
						    const void *key, size_t key_size)
{
	if (!entry)
		return NULL;
	if (__builtin_expect(entry_has_deadline(entry), 0))
		return read_judge(map, entry, key, key_size);
	entry_warm(entry);
	return entry;
}

/* read_find() of a key that is not short. Out of line, so that few registers are saved to find those that are. */
const struct rcumap_entry *read_find_any(const struct rcumap *map, const void *key, size_t key_size);

/* The key is valid. Inside a read section. Wait-free. As quick as it can be in callers that are declared READ_QUICK. */
static inline const struct rcumap_entry *read_find(const struct rcumap *map, const void *key, size_t key_size)
{
	const struct hash *hash = &map->tables.hash;

	if (__builtin_expect(!hash_is_short(hash, key_size), 0))
		return read_find_any(map, key, key_size);

	return read_found(map, bucket_find(&map->tables, hash_short(hash, key, key_size), key, key_size), key, key_size);
}

/* The compiler inlines all that it can in such a function, and sees which parts of the hash and the comparison are for keys that are
 * not short. */
#define READ_QUICK __attribute__((flatten))

/*
 * Find up to READ_BATCH keys; entries[i] is of keys[i], NULL if that is absent or no key. Their misses overlap, up to
 * the first lines of the values. Returns how many were found. Inside a read section. Wait-free.
 *
 * Twice the misses that a core has under way, 10 to 16; the lookups take little more than 1 KiB of stack.
 */
#ifdef RCUMAP_DEBUG
#define READ_BATCH 4u
#else
#define READ_BATCH 32u
#endif
size_t read_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n,
		  const struct rcumap_entry **entries);

/* Milliseconds that a key has left, rounded up; 0: it is absent. The clock is read before the key is looked for. Inside
 * a read section. Wait-free. */
uint64_t read_find_ttl_ms(const struct rcumap *map, const void *key, size_t key_size);

#endif
