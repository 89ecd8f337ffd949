/* SPDX-License-Identifier: BSD-2-Clause */
/* Reading many keys at once: the lookups of a few tens of keys take turns, so that their misses overlap. */
#include "map/read.h"
#include "map/verbs.h"
#include "protocol/lookup.h"

/* Lines of a value that are fetched ahead of its reader; behind them the processor fetches on by itself. */
#define VALUE_LINES 4u

static void prefetch_value(const struct rcumap_entry *entry)
{
	uintptr_t value = (uintptr_t)entry_value(entry), end = value + entry_value_size(entry);

	value &= ~(uintptr_t)63;
	for (unsigned i = 0; i < VALUE_LINES && value < end; i++, value += 64)
		__builtin_prefetch((const void *)value);
}

/* Until no key has anything left to look at but its candidate. */
static void step_all(struct lookup *lookups, const struct rcumap_key *keys, size_t n)
{
	bool again;

	do {
		again = false;
		for (size_t i = 0; i < n; i++)
			if (lookup_goes_on(&lookups[i])) {
				lookup_step(&lookups[i], keys[i].size);
				again |= lookup_goes_on(&lookups[i]);
			}
	} while (again);
}

size_t read_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n,
		  const struct rcumap_entry **entries)
{
	struct lookup lookups[READ_BATCH];
	struct read_moment moment = { 0 };
	size_t found = 0;

	for (size_t i = 0; i < n; i++)
		if (read_key_valid(keys[i].data, keys[i].size))
			lookup_begin(&lookups[i], &map->tables,
				     hash_key(&map->tables.hash, keys[i].data, keys[i].size));
		else
			lookups[i] = (struct lookup){ 0 };
	step_all(lookups, keys, n);
	for (size_t i = 0; i < n; i++) {
		const struct rcumap_entry *entry = lookup_end(&lookups[i], &map->tables, keys[i].data, keys[i].size);

		if (entry && !read_is_alive_at(map, entry, &moment))
			entry = read_again(map, keys[i].data, keys[i].size, moment.now_us);
		if (entry) {
			prefetch_value(entry);
			entry_warm(entry);
		}
		entries[i] = entry;
		found += entry != NULL;
	}
	return found;
}

size_t rcumap_find_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n,
			 const struct rcumap_entry **entries)
{
	size_t found = 0;

	if (!map || !keys || !entries)
		return 0;
	map_assert_alive(map);
	for (size_t i = 0; i < n; i += READ_BATCH)
		found += read_batch(map, keys + i, n - i < READ_BATCH ? n - i : READ_BATCH, entries + i);
	return found;
}

size_t rcumap_get_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n, struct rcumap_copy *copies)
{
	if (!map || !keys || !copies)
		return 0;
	map_assert_alive(map);
	return map->verbs->get_batch(map, keys, n, copies);
}
