/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * update: what the user's function saw is what its result replaces. It runs again only if the key's entry has changed, not
 * if the bucket has: an entry that was seen in this section is not freed in it, so its address tells. Its deadline is
 * part of what was seen: the word is sealed as it was then, before the entry is displaced, or the function runs again.
 */
#include <errno.h>

#include "map/attempt.h"
#include "map/write.h"
#include "protocol/route.h"

struct decision {
	bool made;
	const struct rcumap_entry *old; /* what it was made for; NULL: absent */
	uint64_t word; /* the deadline of `old`, if it has one */
	int verdict;
	enum rcumap_reason reason; /* with RCUMAP_REMOVE */
	struct rcumap_value value;
	struct life life;
};

/* 0 or -errno. */
static int decide(struct attempt *attempt, const struct write_update *update, const struct rcumap_entry *old,
		  struct decision *decision)
{
	if (decision->made && decision->old == old)
		return 0;
	attempt_unbuild(attempt);
	*decision = (struct decision){
		.made = true, .old = old, .reason = RCUMAP_DELETED, .value = { .ttl_ms = RCUMAP_TTL_KEEP }
	};
	if (old && entry_has_deadline(old))
		decision->word = entry_deadline(old);
	decision->verdict = update->fn(update->ctx, old, &decision->value);
	if (decision->verdict)
		return decision->verdict < 0 ? decision->verdict : decision->verdict > RCUMAP_REMOVE ? -EINVAL : 0;

	uint64_t ttl_ms = decision->value.ttl_ms;

	if (ttl_ms == RCUMAP_TTL_KEEP && old) {
		decision->life.kind = LIFE_KEPT;
	} else {
		int error = ttl_ms == RCUMAP_TTL_KEEP ? 0 : write_check_ttl(ttl_ms);

		if (error)
			return error;
		if (ttl_ms == 0) {
			decision->verdict = RCUMAP_REMOVE;
			decision->reason = RCUMAP_EXPIRED;
		} else {
			decision->life =
				attempt_life(attempt->map, ttl_ms == RCUMAP_TTL_KEEP ? RCUMAP_TTL_DEFAULT : ttl_ms);
		}
	}
	return write_check_value(decision->value.data, decision->value.size);
}

static int build(struct attempt *attempt, const struct write_update *update, const struct decision *decision)
{
	uint64_t version;

	if (attempt->entry)
		return 0;

	int error = attempt_draw_version(attempt, &version);

	return error ? error :
		       attempt_build(attempt, update->key, update->key_size, decision->value.data, decision->value.size,
				     version,
				     decision->life.kind == LIFE_FINITE ||
					     (decision->life.kind == LIFE_KEPT && entry_has_deadline(decision->old)));
}

static bool is_as_seen(struct rcumap_entry *old, uint64_t word)
{
	return !entry_has_deadline(old) || entry_deadline(old) == (word | DEADLINE_SEALED) ||
	       entry_deadline_cas(old, word, word | DEADLINE_SEALED);
}

static int carry_out(struct attempt *attempt, struct table *table, struct bucket_view *view, enum found found,
		     struct decision *decision, struct write_update *update)
{
	if (found == FOUND_LIVE && !is_as_seen(view->entry, decision->word)) {
		decision->made = false;
		return 1;
	}
	if (decision->verdict == RCUMAP_REMOVE) {
		update->version = 0;
		return found != FOUND_LIVE ? 0 : attempt_remove(attempt, table, view, decision->reason);
	}
	if (found == FOUND_NONE && !view->empty_line) {
		int error = attempt_make_room(attempt, table, view);

		return error ? error : 1;
	}

	int result = build(attempt, update, decision);

	if (result)
		return result;

	uint64_t version = attempt->entry->version;

	result = found == FOUND_NONE ? attempt_insert(attempt, table, view, &decision->life) :
				       attempt_displace(attempt, table, view, found, &decision->life);
	if (!result)
		update->version = version;
	return result;
}

/* 1: look again. */
static int try_update(struct attempt *attempt, struct write_update *update, struct decision *decision)
{
	struct bucket_view view;
	int error;
	struct table *table = route_bucket(&attempt->map->tables, attempt->hash, &view, &error);

	if (!table)
		return error;
	bucket_scan(&view, update->key, update->key_size);

	enum found found = attempt_found(attempt, &view);

	if (found == FOUND_NONE && view.frozen)
		return 1;
	error = decide(attempt, update, found == FOUND_LIVE ? view.entry : NULL, decision);
	if (error)
		return error;
	if (decision->verdict == RCUMAP_KEEP) {
		update->version = found == FOUND_LIVE ? view.entry->version : 0;
		return 0;
	}
	return view.frozen ? 1 : carry_out(attempt, table, &view, found, decision, update);
}

int write_update(struct rcumap *map, struct write_update *update)
{
	struct attempt attempt = attempt_begin(map, update->key, update->key_size);
	struct decision decision = { 0 };
	int result;

	do
		result = try_update(&attempt, update, &decision);
	while (result > 0);
	result = attempt_end(&attempt, result);
	update->yield = attempt.yield;
	return result;
}
