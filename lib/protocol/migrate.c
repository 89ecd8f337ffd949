/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocol/migrate.h"

#include <string.h>

/* The buckets of one group (S3): one or two that become two or three, or back. */
#define GROUP_MAX 3u
struct group {
	struct tables *tables;
	struct table *from, *to;
	uint64_t first_source, first_target; /* buckets */
	struct line *source[GROUP_MAX], *target[GROUP_MAX];
	unsigned sources, targets;
	uint64_t first_hash[GROUP_MAX + 1]; /* of each source, and of what is behind the last one, if group_hashes() was called */
};

static struct group group_at(struct tables *tables, struct table *from, struct table *to, uint64_t index)
{
	struct group group = { .tables = tables, .from = from, .to = to };

	group.sources = size_group_of(from->size, to->size);
	group.targets = size_group_of(to->size, from->size);
	group.first_source = index * group.sources;
	group.first_target = index * group.targets;
	for (unsigned i = 0; i < group.sources; i++)
		group.source[i] = &from->lines[group.first_source + i];
	for (unsigned i = 0; i < group.targets; i++)
		group.target[i] = &to->lines[group.first_target + i];
	return group;
}

uint64_t migrate_groups(const struct table *table, const struct table *next)
{
	return table_buckets(table) / size_group_of(table->size, next->size);
}

static void group_hashes(struct group *group)
{
	for (unsigned s = 0; s <= group->sources; s++)
		group->first_hash[s] = size_first_hash(table_buckets(group->from), group->first_source + s);
}

/* Which of the targets. */
static unsigned target_of(const struct group *group, uint64_t hash)
{
	const uint64_t target = table_bucket(group->to, hash) - group->first_target;

	assert(target < group->targets);
	return (unsigned)target;
}

static uint64_t entry_hash(const struct group *group, const struct rcumap_entry *entry)
{
	return hash_key(&group->tables->hash, entry_key(entry), entry->key_size);
}

/* The target of an entry in that source, by its tag. The entry is read if that leaves two of them. All of this follows from the
 * word and its place, so all who migrate the group find the same (M2). */
static unsigned target_by_tag(const struct group *group, unsigned source, uint64_t word)
{
	const struct tag_range bucket = { group->first_hash[source], group->first_hash[source + 1] - 1 };
	const struct tag_range range = tag_range(group->from->tag_shift, bucket, word >> 48);
	const unsigned target = target_of(group, range.first);

	if (__builtin_expect(target == target_of(group, range.last), 1))
		return target;
	return target_of(group, entry_hash(group, slot_entry(word)));
}

/* Where an entry's word goes: which target, and the word there. From the word and its place, or from the key. */
struct move {
	unsigned target;
	uint64_t word;
};

static struct move move_of(const struct group *group, unsigned source, uint64_t word)
{
	if (group->to->same_tag)
		return (struct move){ group->targets > 1 ? target_by_tag(group, source, word) : 0, word & ~WORD_FROZEN };

	const struct rcumap_entry *entry = slot_entry(word);
	const uint64_t hash = entry_hash(group, entry);

	return (struct move){ target_of(group, hash), slot_of(entry, table_tag(group->to, hash), word & SLOT_MARKS) };
}

/* Upper bounds of the entries that each target gets: exact while no insert begins in an unfrozen source. */
static void count_words(const struct group *group, unsigned count[GROUP_MAX])
{
	memset(count, 0, GROUP_MAX * sizeof *count);
	for (unsigned s = 0; s < group->sources; s++)
		for (struct line *line = group->source[s]; line; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS; i++) {
				uint64_t word = slot_load(line, i);

				if (slot_has_entry(word))
					count[move_of(group, s, word).target]++;
			}
}

/* Make the target's chain long enough for `count` entries. */
static int make_room(const struct group *group, struct line *target, unsigned count)
{
	for (unsigned room = LINE_SLOTS; room < count; room += LINE_SLOTS) {
		if (link_load(target) == LINK_UNFILLED) {
			struct line *fresh = NULL;
			int error = table_alloc_line(group->tables, LINE_UNFILLED, &fresh);

			if (error)
				return error;
			/* Fails if another migrator linked one, or if the chain has been closed meanwhile: then the
			 * group is frozen, whoever froze it last made room enough, and this count is out of date. */
			if (link_cas(target, LINK_UNFILLED, (uint64_t)(uintptr_t)fresh))
				table_own_line(group->to, fresh);
			else
				table_discard_line(group->tables, fresh);
		}

		struct line *next = line_next(target);

		if (!next)
			return 0;
		target = next;
	}
	return 0;
}

/* Freeze every source (M4: with room made for what it holds). */
static int freeze_sources(const struct group *group)
{
	for (unsigned s = 0; s < group->sources; s++) {
		struct line *source = group->source[s];
		uint64_t ctl;

		while ((ctl = ctl_load(source)) != CTL_FROZEN && ctl != CTL_MIGRATED) {
			if (ctl_is_busy(ctl)) {
				bucket_help(group->tables, group->from, source, ctl);
				continue;
			}

			unsigned count[GROUP_MAX];

			count_words(group, count);
			for (unsigned t = 0; t < group->targets; t++) {
				int error = make_room(group, group->target[t], count[t]);

				if (error)
					return error;
			}
			/* Fails if an insert began here since ctl was loaded: the count may be short. */
			ctl_cas(source, ctl, CTL_FROZEN);
		}
	}
	return 0;
}

/* The next slot of a target to fill. */
struct cursor {
	struct line *line;
	unsigned slot;
};

static void place(struct cursor *cursor, uint64_t word)
{
	if (cursor->slot == LINE_SLOTS) {
		cursor->line = line_next(cursor->line); /* M4: there is one */
		cursor->slot = 0;
	}
	/* Fails if another migrator has placed the same word (M2). */
	slot_cas(cursor->line, cursor->slot++, SLOT_UNFILLED, word);
}

/* Fill the rest of the chain with EMPTY(0), and close it. */
static void close_target(struct cursor *cursor)
{
	for (;;) {
		while (cursor->slot < LINE_SLOTS)
			slot_cas(cursor->line, cursor->slot++, SLOT_UNFILLED, slot_empty(0));
		/* Fails if a line is there, or came this moment, or if the chain is closed. */
		link_cas(cursor->line, LINK_UNFILLED, LINK_END);

		struct line *next = line_next(cursor->line);

		if (!next)
			return;
		cursor->line = next;
		cursor->slot = 0;
	}
}

static uint64_t frozen_slot(struct line *line, unsigned i)
{
	uint64_t word = slot_load(line, i);

	return slot_is_frozen(word) ? word : slot_freeze(line, i);
}

static struct line *frozen_next(struct line *line)
{
	uint64_t link = link_load(line);

	return link_line(link & WORD_FROZEN ? link : link_freeze(line));
}

/* All sources are FROZEN or MIGRATED: freeze their words, and place them. */
static void fill_targets(const struct group *group)
{
	struct cursor cursor[GROUP_MAX];

	for (unsigned t = 0; t < group->targets; t++)
		cursor[t] = (struct cursor){ group->target[t], 0 };
	for (unsigned s = 0; s < group->sources; s++)
		for (struct line *line = group->source[s]; line; line = frozen_next(line))
			for (unsigned i = 0; i < LINE_SLOTS; i++)
				(void)frozen_slot(line, i);
	for (unsigned s = 0; s < group->sources; s++)
		for (struct line *line = group->source[s]; line; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS; i++) {
				uint64_t word = slot_load(line, i);

				if (slot_has_entry(word)) {
					struct move move = move_of(group, s, word);

					place(&cursor[move.target], move.word);
				}
			}
	for (unsigned t = 0; t < group->targets; t++)
		close_target(&cursor[t]);
}

/* As parts of the group; off by a cell at most. */
static bool share_hashes(const struct group *group, unsigned source, unsigned target)
{
	return source * group->targets < (target + 1) * group->sources && target * group->sources < (source + 1) * group->targets;
}

static void carry_ghosts(const struct group *group)
{
	if (!group->from->ghosts || !group->to->ghosts)
		return;
	for (unsigned s = 0; s < group->sources; s++)
		for (unsigned t = 0; t < group->targets; t++)
			if (share_hashes(group, s, t))
				ghost_carry(&group->from->ghosts[group->first_source + s],
					    &group->to->ghosts[group->first_target + t]);
}

static bool all_migrated(const struct group *group)
{
	for (unsigned s = 0; s < group->sources; s++)
		if (ctl_load(group->source[s]) != CTL_MIGRATED)
			return false;
	return true;
}

static int migrate_group(struct group *group)
{
	if (!all_migrated(group)) {
		int error;

		if (group->to->same_tag && group->targets > 1)
			group_hashes(group);
		error = freeze_sources(group);

		if (error)
			return error;
		/* A source that is MIGRATED may have let go of its entries: only a section that saw one of them
		 * before that may read them. All are, if one is, but for the moment between two exchanges below; then
		 * the words are placed already (M1). */
		bool untouched = true;

		for (unsigned s = 0; s < group->sources; s++)
			untouched &= ctl_load(group->source[s]) == CTL_FROZEN;
		if (untouched) {
			fill_targets(group);
			carry_ghosts(group);
		}
		for (unsigned s = 0; s < group->sources; s++)
			ctl_cas(group->source[s], CTL_FROZEN, CTL_MIGRATED);
	}
	for (unsigned t = 0; t < group->targets; t++)
		if (ctl_load(group->target[t]) == CTL_INIT)
			ctl_cas(group->target[t], CTL_INIT, ctl_idle(0));
	return 0;
}

int migrate_bucket(struct tables *tables, struct table *table, uint64_t hash)
{
	struct table *next = table_next(table);
	struct group group = group_at(tables, table, next, table_bucket(table, hash) / size_group_of(table->size, next->size));

	return migrate_group(&group);
}

/* Lines ahead of the sweep that are fetched: far enough to cover a miss, near enough not to be evicted again. */
#define SWEEP_AHEAD 8u

static void prefetch_group(struct table *from, struct table *to, uint64_t index)
{
	if (index >= migrate_groups(from, to))
		return;

	struct group group = group_at(NULL, from, to, index);

	for (unsigned s = 0; s < group.sources; s++)
		__builtin_prefetch(group.source[s], 1);
	for (unsigned t = 0; t < group.targets; t++)
		__builtin_prefetch(group.target[t], 1);
}

int migrate_sweep(struct tables *tables, uint64_t groups, struct table **retired)
{
	struct table *from = tables_current(tables), *to = table_next(from);
	int error = 0;

	*retired = NULL;
	if (!to)
		return 0;

	/* [SWEPT seq_cst] pairs with the exchange below: all groups before were seen to be migrated. T2. */
	uint64_t start = atomic_load_explicit(&from->swept, memory_order_seq_cst), at = start;
	const uint64_t total = migrate_groups(from, to);

	for (; at < total && at - start < groups; at++) {
		struct group group = group_at(tables, from, to, at);

		prefetch_group(from, to, at + SWEEP_AHEAD);
		error = migrate_group(&group);
		if (error)
			break;
	}
	/* [SWEPT seq_cst] Fails if somebody else has swept on meanwhile: then his word counts. */
	atomic_compare_exchange_strong_explicit(&from->swept, &start, at, memory_order_seq_cst, memory_order_seq_cst);
	if (at == total && tables_advance(tables, from))
		*retired = from;
	return error;
}
