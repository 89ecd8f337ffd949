/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One bucket: finding a key in it, and the steps by which writers change it. doc/protocol.md has the argument.
 *
 * Everything here runs inside a read section, so no entry or table that was reachable in it is freed meanwhile.
 *
 * Invariants
 * I1 At most one slot of a key's bucket holds an entry of that key, over all tables in which the bucket is not
 *    MIGRATED.
 * I2 No EMPTY word appears twice in a slot: its number is the version of the entry removed from there (E2), 0 at
 *    first.
 * I3 While ctl is BUSY(e, p), the slot at p holds e or the EMPTY word that it held when BUSY was set. So whoever
 *    takes e out of the slot first sees ctl without BUSY(e); then it never says so again, and no ctl word names a
 *    retired entry.
 * I4 Nothing writes a frozen word, and words are frozen only while ctl is FROZEN.
 * I5 An EMPTY word becomes an entry only on behalf of BUSY. So two inserts of one key cannot both scan before the
 *    other.
 */
#ifndef RCUMAP_BUCKET_H
#define RCUMAP_BUCKET_H

#include "layout/tags.h"
#include "protocol/table.h"

/*
 * The primary line of the bucket at `hash`, for reading, and the table that it lives in.
 *
 * ctl is loaded before any entry is dereferenced: after MIGRATED the words of the old line may name reclaimed
 * entries. A bucket that migrates after that load keeps its words frozen as they were, and its entries for as long as
 * this section lasts.
 */
static inline const struct line *bucket_open(const struct tables *tables, uint64_t hash, const struct table **opened)
{
	const struct table *table = tables_current(tables);
	const struct line *line = table_line(table, hash);

	while (__builtin_expect(ctl_load(line) == CTL_MIGRATED, 0)) {
		table = table_next(table);
		line = table_line(table, hash);
	}
	*opened = table;
	return line;
}

/* Where a key's entry stands. */
struct bucket_place {
	struct line *line;
	size_t slot;
	uint64_t word;
};

/* One pass over the chain of a primary line: the key's entry, and where it stands; or NULL. Wait-free. */
static inline struct rcumap_entry *bucket_locate(const struct line *line, uint64_t tag, const void *key, size_t key_size,
						 struct bucket_place *place)
{
	for (;;) {
		for (tags_mask matches = tags_match(line, tag); matches; matches &= matches - 1) {
			const uint64_t word = slot_load(line, tags_first(matches));

			if (slot_has_entry(word) && entry_has_key(slot_entry(word), key, key_size)) {
				*place = (struct bucket_place){ (struct line *)line, tags_first(matches), word };
				return slot_entry(word);
			}
		}

		const uint64_t link = link_load(line);

		if (__builtin_expect(!link_has_line(link), 1))
			return NULL;
		line = link_line(link);
	}
}

/* The reader. Wait-free: one pass over the chain, however writers interleave. */
static inline const struct rcumap_entry *bucket_find(const struct tables *tables, uint64_t hash, const void *key,
						     size_t key_size)
{
	const struct table *table;
	const struct line *line = bucket_open(tables, hash, &table);
	struct bucket_place place;

	return bucket_locate(line, table_tag(table, hash), key, key_size, &place);
}

/* What a writer saw of a bucket. */
struct bucket_view {
	struct line *line; /* primary */
	uint64_t ctl; /* IDLE, loaded before anything below */
	uint64_t tag;
	/* The key's entry, if it was found: its slot and the word there. */
	struct rcumap_entry *entry;
	struct line *entry_line;
	unsigned entry_slot;
	uint64_t entry_word;
	/* The first EMPTY slot, if there is one. */
	struct line *empty_line;
	unsigned empty_position;
	/* The chain. */
	struct line *last;
	unsigned lines;
	/* A frozen word was seen: migration is at work, and "absent" or "full" cannot be told. */
	bool frozen;
};

/* Look for a key in the chain of view->line; view->ctl has been loaded by the caller before. */
void bucket_scan(struct bucket_view *view, const void *key, size_t key_size);

/* Finish the insert that `ctl`, BUSY, announces. Idempotent: anyone may, any number at a time, however late. */
void bucket_help(const struct tables *tables, const struct table *table, struct line *line, uint64_t ctl);

/* Insert an entry whose key the view lacks into the view's EMPTY slot, which there is. False: the bucket has changed;
 * nothing happened. True: the entry is in. */
bool bucket_insert(struct bucket_view *view, struct rcumap_entry *entry);

/*
 * Before an entry leaves its slot, ctl must not name it any more (I3). The entry was seen in the slot, so BUSY of it
 * was set before; once ctl is seen without it, it has been cleared for good.
 */
static inline void bucket_settle(const struct tables *tables, const struct table *table, struct line *primary)
{
	uint64_t ctl = ctl_load(primary);

	if (__builtin_expect(ctl_is_busy(ctl), 0))
		bucket_help(tables, table, primary, ctl);
}

/* Put `entry` in a place of the bucket `primary`, whose word is not frozen (I4). False: the bucket has changed; nothing happened. True: the
 * entry that stood there is displaced, for the caller to retire. */
static inline bool bucket_replace_at(const struct tables *tables, const struct table *table, struct line *primary,
				     const struct bucket_place *place, struct rcumap_entry *entry)
{
	assert(!slot_is_frozen(place->word));
	bucket_settle(tables, table, primary);
	return slot_cas(place->line, place->slot, place->word, slot_with(place->word, entry));
}

/* Put `entry` in the place of the view's. As bucket_replace_at(). */
static inline bool bucket_replace(const struct tables *tables, const struct table *table, const struct bucket_view *view,
				  struct rcumap_entry *entry)
{
	const struct bucket_place place = { view->entry_line, view->entry_slot, view->entry_word };

	return bucket_replace_at(tables, table, view->line, &place, entry);
}

/* Remove the view's entry. As bucket_replace(). */
bool bucket_remove(const struct tables *tables, const struct table *table, struct bucket_view *view);

/* Remove whatever entry stands in `slot` of `line`, a line of the bucket `primary`, with `word`, not frozen. As
 * bucket_replace(). */
bool bucket_remove_at(const struct tables *tables, const struct table *table, struct line *primary,
		      struct line *line, unsigned slot, uint64_t word);

/* Change the marks (line.h) of an entry's word in `slot` of `line`, not frozen. Whoever saw the old word, and would
 * displace its entry, looks again. False: the word has changed; nothing happened. */
bool bucket_mark(struct line *line, unsigned slot, uint64_t word, uint64_t marks);

/* Chain `fresh`, LINE_OPEN, behind the view's last line. False: the bucket has changed, and the line is still the
 * caller's. */
bool bucket_extend(struct table *table, struct bucket_view *view, struct line *fresh);

#endif
