/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file migrate_fixture.h
 * What tests of migration ask of a table: is each bucket as it must be, and is each entry there once?
 */
#ifndef MIGRATE_FIXTURE_H
#define MIGRATE_FIXTURE_H

#include "table_fixture.h"

#include "protocol/migrate.h"

static inline unsigned chain_entries(const struct table *table)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < table_buckets(table); i++)
		n += chain_count(&table->lines[i]);
	return n;
}

/* Is it open, with nothing frozen or unfilled, each word with the tag of its entry's hash, and the chain no longer than needed? */
static inline bool bucket_is_sound(const struct chain *chain, const struct table *table, const struct line *bucket, bool fresh)
{
	unsigned entries = chain_count(bucket), lines = chain_lines(bucket);
	bool sound = !ctl_is_busy(ctl_load(bucket)) && (ctl_load(bucket) & 3) == 1;

	if (fresh)
		sound = sound && lines == (entries <= LINE_SLOTS ? 1 : (entries + LINE_SLOTS - 1) / LINE_SLOTS);
	for (const struct line *line = bucket; line; line = line_next(line)) {
		if (!line_next(line))
			sound = sound && link_load(line) == LINK_END;
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			uint64_t word = slot_load(line, i), hash;

			sound = sound && !slot_is_frozen(word) && word != SLOT_UNFILLED;
			if (!slot_has_entry(word))
				continue;
			hash = hash_key(&chain->tables.hash, slot_entry(word)->bytes, slot_entry(word)->key_size);
			sound = sound && slot_has_tag(word, table_tag(table, hash)) &&
				table_line(table, hash) == bucket;
		}
	}
	return sound;
}

static inline unsigned unsound_buckets(const struct chain *chain, const struct table *table)
{
	unsigned n = 0;

	for (uint64_t i = 0; i < table_buckets(table); i++)
		n += !bucket_is_sound(chain, table, &table->lines[i], true);
	return n;
}

/* Migrate all of the current table by sweeps of a few groups, and free it. False: it failed. */
static inline bool chain_sweep(struct chain *chain)
{
	struct table *retired = NULL;

	while (!retired)
		if (migrate_sweep(&chain->tables, 3, &retired) != 0)
			return false;
	table_free(&chain->tables, retired, &chain->freer);
	return true;
}

static inline bool chain_resize(struct chain *chain, unsigned size)
{
	return tables_begin(&chain->tables, size) == 0 && chain_sweep(chain);
}

#endif
