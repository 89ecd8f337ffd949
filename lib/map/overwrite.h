/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What most puts do, in one pass: an entry without an end takes the place of another such, in a map without a limit, while the bucket
 * is at rest. Everything else, and whoever loses a race, goes on in steps (write_store()), with the entry that has been built.
 *
 * In a large map two misses of the cache follow each other in a put, the bucket's line and the old entry, and what it costs is
 * whether the processor gets from there to the next operation's misses before it has to wait for these: some hundreds of
 * instructions are all that it can have under way, and of those that leave a result in a register half as many. So this is short;
 * the line is fetched first, and the new entry built meanwhile; the cell is reserved before the old entry is looked at; no branch depends on
 * which slot of the line has what; and no instruction is locked but the three that take a block, reserve a cell, and exchange the slot.
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
/* Not by overwrite_small(), but perhaps by overwrite(). */
#define OVERWRITE_PERHAPS 2

/* At the creation of a map: which entries can be overwritten in one pass. */
void overwrite_init(struct rcumap *map);

/* What overwrite_small() displaces has a value of so many bytes at most: so one comparison of value_bits tells both that it has no
 * deadline, and is no placeholder, and that its size fits the record. */
#define OVERWRITE_OLD_MAX 32767u
_Static_assert(OVERWRITE_OLD_MAX < ENTRY_HAS_DEADLINE, "the bit makes it larger");
_Static_assert(OVERWRITE_OLD_MAX + sizeof(struct rcumap_entry) + HASH_SHORT_MIN + HASH_SHORT_KEYS <= RETIRE_SIZE_MAX, "it is recorded");

static inline bool overwrite_is_small(size_t key_size, size_t value_size)
{
	return key_size - HASH_SHORT_MIN < HASH_SHORT_KEYS && copy_value_is_inline(value_size);
}

/* May this put be tried here, and is it of the most usual kind: an entry of one line from the slab, a key that is hashed and
 * compared inline? Its arguments are valid then. */
static inline bool overwrite_suits_small(const struct rcumap *map, const void *key, size_t key_size, const void *value,
					 size_t value_size, uint64_t ttl_ms)
{
	if (!map || !value)
		return false;
	map_assert_alive(map);
	return key_size - HASH_SHORT_MIN < map->overwrite.small_keys && key && copy_value_is_inline(value_size) &&
	       ttl_ms >= map->overwrite.endless && !map->closing;
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
	       ttl_ms >= map->overwrite.endless;
}

static inline void overwrite_fill(struct rcumap *map, unsigned stripe, const struct write_content *content, struct rcumap_entry *entry)
{
	const uint64_t drawn = stripe_add(stripe, &map->stripe[stripe].versions, 1);

	entry_set_head(entry, attempt_version(stripe, drawn), ENTRY_HOT, false);
	entry_fill(entry, content->key, content->key_size, content->value, content->value_size, false);
}

/* Put `built` in a place whose entry lives without an end, and takes old_size bytes; `cell` is for that, or given up. 0, or
 * OVERWRITE_NOT. */
static inline int overwrite_displace(struct rcumap *map, unsigned stripe, const struct table *table, struct line *line,
				     const struct bucket_place *place, size_t old_size, retire_cell *cell, struct rcumap_entry *built,
				     uint64_t *version)
{
	struct map_stripe *const own = &map->stripe[stripe];

	if (__builtin_expect(!bucket_replace_at(&map->tables, table, line, place, built), 0)) {
		retire_cancel(cell);
		return OVERWRITE_NOT;
	}
	/* Others may have displaced it by now, but in this section it stays as it is. */
	if (version)
		*version = entry_version(built);
	stripe_add_two(stripe, &own->replaced, 1, &own->retired_bytes, old_size);
	retire_fill(cell, slot_entry(place->word), RCUMAP_REPLACED, old_size);
	return 0;
}

/*
 * 0: done. OVERWRITE_NOT: nothing has happened; *built is an entry with the content, for write_store(), or NULL. -ENOMEM, -EFAULT. Inside a
 * read section. The put suits, `hash` is its key's; *built may be an entry with the content already. Lock-free.
 */
int overwrite(struct rcumap *map, const struct write_content *content, uint64_t hash, uint64_t *version, struct rcumap_entry **built);

/* The same of a put that suits as a small one, with nothing in *built; where there is a block at hand, and the first entry with the key's
 * tag in the bucket's first line is the key's. OVERWRITE_PERHAPS: these are not so, but overwrite() may still do it. */
static inline int overwrite_small(struct rcumap *map, const struct write_content *content, uint64_t hash, uint64_t *version,
				  struct rcumap_entry **built)
{
	const size_t key_size = content->key_size;
	const struct table *table = tables_current(&map->tables);
	const unsigned stripe = stripe_index();
	struct line *line = table_line(table, hash);

	prefetch_to_write(line);

	struct rcumap_entry *const entry = slab_alloc_line(&map->memory.slab, stripe);

	*built = entry;
	if (__builtin_expect(!entry, 0))
		return OVERWRITE_PERHAPS;
	overwrite_fill(map, stripe, content, entry);
	if (__builtin_expect(!ctl_is_idle(ctl_load(line)) || table_next(table), 0))
		return OVERWRITE_NOT;

	const tags_mask matches = tags_match(line, table_tag(table, hash));

	if (__builtin_expect(!matches, 0))
		return link_has_line(link_load(line)) ? OVERWRITE_PERHAPS : OVERWRITE_NOT;

	const struct bucket_place place = { line, tags_first(matches), slot_load(line, tags_first(matches)) };
	const struct rcumap_entry *old = slot_entry(place.word);

	if (__builtin_expect((place.word & (SLOT_EMPTY | WORD_FROZEN)) || !old, 0))
		return OVERWRITE_PERHAPS;

	retire_cell *const cell = retire_reserve_here(&map->retire, stripe);

	if (__builtin_expect(!cell, 0))
		return OVERWRITE_NOT;

	/* From here on it waits for the old entry. */
	const size_t old_value = old->value_bits;

	if (__builtin_expect(old->key_size != key_size, 0) || __builtin_expect(old_value > OVERWRITE_OLD_MAX, 0) ||
	    __builtin_expect(!entry_equal_short(old->bytes, content->key, key_size), 0)) {
		retire_cancel(cell);
		return OVERWRITE_PERHAPS;
	}
	return overwrite_displace(map, stripe, table, line, &place, entry_size(key_size, old_value, false), cell, entry, version);
}

#endif
