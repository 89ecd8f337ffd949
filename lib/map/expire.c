/* SPDX-License-Identifier: BSD-2-Clause */
/* What a hint reminds of: looking at it, and removing what has expired. */
#include "layout/placeholder.h"
#include "map/attempt.h"
#include "map/evict.h"
#include "map/write.h"
#include "protocol/route.h"

/* What is the hint's own in a bucket. */
struct sight {
	bool expired; /* something has */
	bool ahead; /* something will, the first of it at next_us */
	uint64_t next_us;
};

_Static_assert(SIZE_CELL_BITS <= 64 - DEADLINE_ARM_BITS, "a whole hint names one bucket in every table (S1)");

/* A hint, and which of its bits are known: HINT_WHOLE or HINT_SHORT. */
struct clue {
	uint64_t hint, known;
};

/* Does the slot word have what is known of the tag? */
static bool may_be_own(const struct table *table, uint64_t slot, struct clue clue)
{
	return ((slot ^ table_tag(table, clue.hint)) & table_tag(table, clue.known)) == 0;
}

/* The entry in a slot word, if the hint is of it and it has a deadline, which goes to *word; else NULL. */
static struct rcumap_entry *own_entry(const struct table *table, uint64_t slot, struct clue clue, uint64_t *word)
{
	if (!may_be_own(table, slot, clue) || !slot_has_entry(slot))
		return NULL;

	struct rcumap_entry *entry = slot_entry(slot);

	if (!entry_has_deadline(entry))
		return NULL;
	*word = entry_is_placeholder(entry) ? placeholder_word(entry) : entry_deadline(entry);
	return hint_is_of(clue.hint, clue.known, *word) && deadline_is_finite(*word) ? entry : NULL;
}

/* As bucket_find(), but each slot: one pass. */
static void look_in(const struct table *table, const struct line *line, struct clue clue, uint64_t now_us, struct sight *sight)
{
	for (; line; line = line_next(line))
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			uint64_t word;

			if (!own_entry(table, slot_load(line, i), clue, &word))
				continue;
			if (deadline_has_passed(word, now_us)) {
				sight->expired = true;
				continue;
			}
			sight->ahead = true;
			if (deadline_us(word) < sight->next_us)
				sight->next_us = deadline_us(word);
		}
}

/* Has the bucket of `*hash` in that table the last of the hashes that the clue may be of? If not, the next one's is *hash. */
static bool was_last(const struct table *table, struct clue clue, uint64_t *hash)
{
	const uint64_t last = hint_last_hash(clue.hint, clue.known);

	if (*hash == last)
		return true;

	const uint64_t covered = table_last_hash(table, *hash);

	if (covered >= last)
		return true;
	*hash = covered + 1;
	return false;
}

static struct sight look(const struct rcumap *map, struct clue clue, uint64_t now_us)
{
	struct sight sight = { .next_us = DEADLINE_NEVER };
	uint64_t hash = hint_first_hash(clue.hint);
	const struct table *table;

	do {
		const struct line *line = bucket_open(&map->tables, hash, &table);

		look_in(table, line, clue, now_us, &sight);
	} while (!was_last(table, clue, &hash));
	return sight;
}

/* Remove what stands in one slot, if it is the hint's own and has expired. By identity: what has come into its place is left
 * alone. 0: done, or nothing to do. 1: look again. */
static int expire_slot(struct attempt *attempt, const struct table *table, struct bucket_view *view, struct line *line,
		       unsigned slot, struct clue clue)
{
	uint64_t at = slot_load(line, slot), word;
	struct rcumap_entry *entry = own_entry(table, at, clue, &word);

	if (!entry || !deadline_has_passed(word, attempt->now_us))
		return 0;
	if (slot_is_frozen(at))
		return 1;

	int error = attempt_secure(attempt);

	if (error)
		return error;
	if (!attempt_claim(attempt, entry))
		return 1;
	if (!bucket_remove_at(&attempt->map->tables, table, view->line, line, slot, at))
		return 1;
	attempt_retire(attempt, entry, RCUMAP_EXPIRED);
	evict_leave(attempt, at);
	return 0;
}

/* As expire_slot(), of all that the clue may be of. */
static int expire_all(struct attempt *attempt, struct clue clue)
{
	uint64_t hash = hint_first_hash(clue.hint);
	struct table *table;
	int result = 0;

	do {
		struct bucket_view view;

		table = route_bucket(&attempt->map->tables, hash, &view, &result);
		if (!table)
			return result;
		result = 0;
		for (struct line *line = view.line; line && !result; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS && !result; i++)
				result = expire_slot(attempt, table, &view, line, i, clue);
	} while (!result && !was_last(table, clue, &hash));
	return result;
}

/*
 * What the last look does not find is gone for good, or has another hint: an entry comes to have this hint's arm only by
 * taking it over from one in its place that has it (attempt.c), or as a new one, together with a hint of its own.
 */
int write_expire(struct rcumap *map, uint64_t hint, uint64_t known, uint64_t *deadline_us)
{
	const struct clue clue = { hint, known };
	struct attempt attempt = attempt_begin(map, NULL, 0);
	int result = 0;

	attempt.own = true;

	for (;;) {
		struct sight sight = look(map, clue, attempt.now_us);

		*deadline_us = sight.next_us;
		if (!sight.expired) {
			result = sight.ahead;
			break;
		}
		do
			result = expire_all(&attempt, clue);
		while (result > 0);
		if (result)
			break;
	}
	return attempt_end(&attempt, result);
}
