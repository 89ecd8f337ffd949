/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocol/migrate.h"

/* The buckets of one group: one into two, or two into one. */
struct group {
	struct tables *tables;
	struct table *from, *to;
	struct line *source[2], *target[2];
	unsigned sources, targets;
};

static struct group group_at(struct tables *tables, struct table *from, struct table *to, uint64_t index)
{
	struct group group = { .tables = tables, .from = from, .to = to };
	bool grow = to->bits > from->bits;

	group.sources = grow ? 1 : 2;
	group.targets = grow ? 2 : 1;
	for (unsigned i = 0; i < group.sources; i++)
		group.source[i] = &from->lines[index * group.sources + i];
	for (unsigned i = 0; i < group.targets; i++)
		group.target[i] = &to->lines[index * group.targets + i];
	return group;
}

uint64_t migrate_groups(const struct table *table, const struct table *next)
{
	return table_buckets(next->bits > table->bits ? table : next);
}

/* Where an entry's word goes: which target, and the word there. From the word alone, or from the key. */
struct move {
	unsigned target;
	uint64_t word;
};

static struct move move_of(const struct group *group, uint64_t word)
{
	const struct table *to = group->to;
	unsigned bit = 64 - to->bits; /* tells two targets apart */
	struct move move = { .word = word & ~WORD_FROZEN };

	if (to->same_tag) {
		if (group->targets > 1)
			move.target = word >> (48 + bit - to->tag_shift) & 1;
		return move;
	}

	const struct rcumap_entry *entry = slot_entry(word);
	uint64_t hash = hash_key(&group->tables->hash, entry_key(entry), entry->key_size);

	if (group->targets > 1)
		move.target = hash >> bit & 1;
	move.word = slot_of(entry, table_tag(to, hash), word & SLOT_MARKS);
	return move;
}

/* Upper bounds of the entries that each target gets: exact while no insert begins in an unfrozen source. */
static void count_words(const struct group *group, unsigned count[2])
{
	count[0] = count[1] = 0;
	for (unsigned s = 0; s < group->sources; s++)
		for (struct line *line = group->source[s]; line; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS; i++) {
				uint64_t word = slot_load(line, i);

				if (slot_has_entry(word))
					count[move_of(group, word).target]++;
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

			unsigned count[2];

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
	struct cursor cursor[2] = { { group->target[0], 0 }, { group->target[1], 0 } };

	for (unsigned s = 0; s < group->sources; s++)
		for (struct line *line = group->source[s]; line; line = frozen_next(line))
			for (unsigned i = 0; i < LINE_SLOTS; i++)
				(void)frozen_slot(line, i);
	for (unsigned s = 0; s < group->sources; s++)
		for (struct line *line = group->source[s]; line; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS; i++) {
				uint64_t word = slot_load(line, i);

				if (slot_has_entry(word)) {
					struct move move = move_of(group, word);

					place(&cursor[move.target], move.word);
				}
			}
	for (unsigned t = 0; t < group->targets; t++)
		close_target(&cursor[t]);
}

/* Of two buckets that become one the last to come has its say. */
static void carry_ghosts(const struct group *group)
{
	if (!group->from->ghosts || !group->to->ghosts)
		return;
	for (unsigned s = 0; s < group->sources; s++)
		for (unsigned t = 0; t < group->targets; t++)
			ghost_carry(&group->from->ghosts[group->source[s] - group->from->lines],
				    &group->to->ghosts[group->target[t] - group->to->lines]);
}

static bool all_migrated(const struct group *group)
{
	for (unsigned s = 0; s < group->sources; s++)
		if (ctl_load(group->source[s]) != CTL_MIGRATED)
			return false;
	return true;
}

static int migrate_group(const struct group *group)
{
	if (!all_migrated(group)) {
		int error = freeze_sources(group);

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
	unsigned bits = table->bits < next->bits ? table->bits : next->bits;
	struct group group = group_at(tables, table, next, hash >> (64 - bits));

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
