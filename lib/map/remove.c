/* SPDX-License-Identifier: BSD-2-Clause */
/* delete and delete_if, and removing by position for clear. */
#include <errno.h>

#include "layout/placeholder.h"
#include "map/attempt.h"
#include "map/evict.h"
#include "protocol/route.h"

/* 1: look again. */
static int try_remove(struct attempt *attempt, const struct write_remove *remove)
{
	struct finding finding;
	int result = attempt_look(attempt, remove->key, remove->key_size, &finding);

	if (result)
		return result;
	/* What has expired is the reclaimer's; a load that is under way shall not store. */
	if (finding.found != FOUND_LIVE) {
		result = attempt_forget(attempt, &finding);
		return result ? result : -ENOENT;
	}
	if (remove->condition == WRITE_IF_VERSION && entry_version(finding.view.entry) != remove->expected)
		return -ESTALE;
	return finding.view.frozen ? 1 : attempt_remove(attempt, &finding, remove->reason);
}

int write_remove(struct rcumap *map, struct write_remove *remove)
{
	struct attempt attempt = attempt_begin(map, remove->key, remove->key_size);
	int result;

	do
		result = try_remove(&attempt, remove);
	while (result > 0);
	result = attempt_end(&attempt, result);
	remove->yield = attempt.yield;
	return result;
}

/* ------------------------------------------------------------------ by position */

/* Remove what stands in one slot. 1: it is still there, route again. */
static int remove_slot(struct attempt *attempt, const struct table *table, struct bucket_view *view, struct line *line,
		       unsigned slot)
{
	uint64_t word = slot_load(line, slot);

	if (slot_is_frozen(word))
		return 1;
	if (!slot_has_entry(word))
		return 0;

	int error = attempt_secure(attempt);

	if (error)
		return error;
	if (bucket_remove_at(&attempt->map->tables, table, view->line, line, slot, word)) {
		attempt_retire(attempt, slot_entry(word), RCUMAP_CLEARED);
		evict_leave(attempt, word);
		return 0;
	}

	/* Removed or replaced by somebody else, that settles it; not if it was frozen meanwhile, or has got a mark, nor if it
	 * was a load, whose value has come in its place: what was loaded before a clear is not there after it. */
	uint64_t now = slot_load(line, slot);

	return slot_is_frozen(now) || (slot_has_entry(now) && (slot_entry(now) == slot_entry(word) ||
							       entry_is_placeholder(slot_entry(word))));
}

int write_remove_all_at(struct rcumap *map, uint64_t hash, uint64_t *last)
{
	struct attempt attempt = attempt_begin(map, NULL, 0);
	int result;

	do {
		struct bucket_view view;
		struct table *table = route_bucket(&map->tables, hash, &view, &result);

		if (!table)
			break;
		*last = table_last_hash(table, hash);
		result = 0;
		for (struct line *line = view.line; line && !result; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS && !result; i++)
				result = remove_slot(&attempt, table, &view, line, i);
	} while (result > 0);
	return attempt_end(&attempt, result);
}
