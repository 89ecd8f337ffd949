/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What most puts do, in one pass: an entry without an end takes the place of another such, in a map without a limit, while the bucket
 * is at rest. Everything else, and whoever loses a race, goes on in steps (write_store()), with the entry that has been built.
 *
 * In a large map two misses of the cache follow each other in a put, the bucket's line and the old entry, and what it costs is
 * whether the processor gets from there to the next operation's misses before it has to wait for these: some hundreds of
 * instructions are all that it can have under way. So this is short; the line is fetched first, and the new entry built
 * meanwhile; no branch depends on which slot of the line has what; and no instruction is locked but the three that take a block,
 * reserve a cell, and exchange the slot.
 *
 * The argument is that of bucket_replace() (doc/protocol.md): ctl is loaded before any entry is looked at, and was not MIGRATED;
 * the word that is exchanged is not frozen; and ctl is looked at once more before it is. That the table has no next is no part of
 * it: whoever finds one helps to migrate.
 */
#ifndef RCUMAP_OVERWRITE_H
#define RCUMAP_OVERWRITE_H

#include "ground/prefetch.h"
#include "map/attempt.h"
#include "map/read.h"

/* In steps, then. */
#define OVERWRITE_NOT 1

/* At the creation of a map: which entries can be overwritten in one pass. */
void overwrite_init(struct rcumap *map);

static inline bool overwrite_is_small(size_t key_size, size_t value_size)
{
	return key_size - 8 <= 8 && copy_value_is_inline(value_size);
}

static inline bool overwrite_is_endless(const struct rcumap *map, uint64_t ttl_ms)
{
	return (ttl_ms == RCUMAP_TTL_DEFAULT ? map->default_ttl_ms : ttl_ms) == RCUMAP_TTL_NEVER;
}

/* May this put be tried here, and is it of the most usual kind: an entry of one line from the slab, a key that is hashed and
 * compared inline? Its arguments are valid then. */
static inline bool overwrite_suits_small(const struct rcumap *map, const void *key, size_t key_size, const void *value,
					 size_t value_size, uint64_t ttl_ms)
{
	if (!map || !key || !value || !overwrite_is_small(key_size, value_size))
		return false;
	map_assert_alive(map);
	return map->overwrite.small && !map->closing && overwrite_is_endless(map, ttl_ms);
}

/* May it be tried at all? Its arguments are valid then. */
static inline bool overwrite_suits(const struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
				   uint64_t ttl_ms)
{
	if (!map || !read_key_valid(key, key_size))
		return false;
	map_assert_alive(map);
	return value && value_size <= map->overwrite.size_max &&
	       entry_size(key_size, value_size, false) <= map->overwrite.size_max && !map->closing &&
	       overwrite_is_endless(map, ttl_ms);
}

/* There is no memory: free blocks may rest with the reclaimer. Passes the error through. */
int overwrite_refused(struct rcumap *map, int error);

/* Allocate *entry and fill it. 0; or OVERWRITE_NOT: there is no block at hand; -ENOMEM, -EFAULT. */
static inline int overwrite_build(struct rcumap *map, unsigned stripe, const struct write_content *content, bool small,
				  struct rcumap_entry **entry)
{
	const size_t size = entry_size(content->key_size, content->value_size, false);
	void *p = NULL;

	if (small) {
		p = slab_alloc_line(&map->memory.slab, stripe);
		if (__builtin_expect(!p, 0))
			return OVERWRITE_NOT;
	} else {
		int error = memory_alloc_for(&map->memory, MEMORY_ENTRY, size, entry_align(size), &p);

		if (error)
			return overwrite_refused(map, error);
	}
	*entry = p;
	entry_set_head(*entry, attempt_version(stripe, stripe_add(stripe, &map->stripe[stripe].versions, 1)), ENTRY_HOT, false);
	entry_fill(*entry, content->key, content->key_size, content->value, content->value_size, false);
	return 0;
}

/* 0: done. OVERWRITE_NOT: nothing has happened; *built is an entry with the content, for write_store(), or NULL. -ENOMEM, -EFAULT. Inside a
 * read section. The put suits, `hash` is its key's; if it is `small`, that is a constant. Lock-free. */
static inline int overwrite(struct rcumap *map, const struct write_content *content, uint64_t hash, uint64_t *version, bool small,
			    struct rcumap_entry **built)
{
	const void *key = content->key;
	const size_t key_size = content->key_size;
	const struct table *table = tables_current(&map->tables);
	const uint64_t tag = table_tag(table, hash);
	const unsigned stripe = stripe_index();
	/* With a hash of the user's all keys may have one: who is refused for that, again and again, shall take no memory. */
	const bool early = small || !map->tables.hash.fn;
	struct line *line = table_line(table, hash);
	struct bucket_place place;
	int error;

	prefetch_to_write(line);
	*built = NULL;
	if (early) {
		error = overwrite_build(map, stripe, content, small, built);
		if (__builtin_expect(error, 0))
			return error;
	}
	if (__builtin_expect(!ctl_is_idle(ctl_load(line)) || table_next(table), 0))
		return OVERWRITE_NOT;

	struct rcumap_entry *old = bucket_locate(line, tag, key, key_size, &place);

	if (__builtin_expect(!old || slot_is_frozen(place.word) || entry_has_deadline(old), 0))
		return OVERWRITE_NOT;
	if (!early) {
		error = overwrite_build(map, stripe, content, small, built);
		if (error)
			return error;
	}

	retire_cell *cell = retire_reserve_here(&map->retire, stripe);

	if (__builtin_expect(!cell, 0))
		return OVERWRITE_NOT;

	/* As soon as it is in, the entry belongs to all. */
	const uint64_t drawn = entry_version(*built);
	const size_t old_size = entry_size(key_size, entry_value_size(old), false);

	if (__builtin_expect(!bucket_replace_at(&map->tables, table, line, &place, *built, tag), 0)) {
		retire_cancel(cell);
		return OVERWRITE_NOT;
	}
	if (version)
		*version = drawn;
	stripe_add_two(stripe, &map->stripe[stripe].replaced, 1, &map->stripe[stripe].retired_bytes, old_size);
	retire_fill(cell, old, RCUMAP_REPLACED, old_size);
	return 0;
}

#endif
