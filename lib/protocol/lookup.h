/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * bucket_find() in steps, for many keys in turn: each step ends by fetching what the next one looks at, so that their
 * misses overlap. All steps are in one read section: what bucket.h says of ctl and of words that have been loaded holds
 * from one to the next.
 */
#ifndef RCUMAP_LOOKUP_H
#define RCUMAP_LOOKUP_H

#include "protocol/bucket.h"

struct lookup {
	uint64_t hash, tag;
	const struct table *table;	      /* NULL once its bucket has been seen not to be MIGRATED */
	const struct line *line;	      /* to look at next; NULL: none */
	const struct rcumap_entry *candidate; /* its tag matches; not looked at yet */
};

static inline void lookup_begin(struct lookup *lookup, const struct tables *tables, uint64_t hash)
{
	const struct table *table = tables_current(tables);

	*lookup = (struct lookup){ .hash = hash, .table = table, .line = table_line(table, hash) };
	__builtin_prefetch(lookup->line);
}

/* Is another step due? */
static inline bool lookup_goes_on(const struct lookup *lookup)
{
	return lookup->line && !lookup->candidate;
}

/* Fetch the lines of an entry that comparing its key takes. */
static inline void lookup_prefetch_key(const struct rcumap_entry *entry, size_t key_size)
{
	const unsigned char *first = (const unsigned char *)entry;

	__builtin_prefetch(first);
	if (((uintptr_t)first & 63) + entry_size(key_size, 0, true) > 64)
		__builtin_prefetch(first + 64);
}

/* One line: to the next table, to a candidate, or to the next line. Wait-free. */
static inline void lookup_step(struct lookup *lookup, size_t key_size)
{
	const struct line *line = lookup->line;

	if (lookup->table) {
		if (ctl_load(line) == CTL_MIGRATED) {
			lookup->table = table_next(lookup->table);
			lookup->line = table_line(lookup->table, lookup->hash);
			__builtin_prefetch(lookup->line);
			return;
		}
		lookup->tag = table_tag(lookup->table, lookup->hash);
		lookup->table = NULL;
	}
	for (tags_mask matches = tags_match(line, lookup->tag); matches; matches &= matches - 1) {
		uint64_t word = slot_load(line, tags_first(matches));

		if (slot_has_entry(word)) {
			lookup->candidate = slot_entry(word);
			lookup_prefetch_key(lookup->candidate, key_size);
			return;
		}
	}
	lookup->line = line_next(line);
	if (lookup->line)
		__builtin_prefetch(lookup->line);
}

/* No more steps are due. Wait-free. */
static inline const struct rcumap_entry *lookup_end(const struct lookup *lookup, const struct tables *tables,
						    const void *key, size_t key_size)
{
	if (!lookup->candidate || entry_has_key(lookup->candidate, key, key_size))
		return lookup->candidate;
	/* Another key of the same tag: one in thousands. Once more, as any find. */
	return bucket_find(tables, lookup->hash, key, key_size);
}

#endif
