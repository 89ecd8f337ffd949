/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * update: what the user's function saw is what its result replaces. It runs again only if the key's entry has changed,
 * not if the bucket has: an entry that was seen in this section is not freed in it, so its address tells. Its deadline
 * is part of what was seen: the word is sealed as it was then, before the entry is displaced, or the function runs
 * again.
 */
#include <errno.h>

#include "map/attempt.h"

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

/* Seal the word of `old`, which the function saw as `word`: it was so all along, and stays so from now on. False: it
 * has changed since. */
static bool seal_as_seen(struct rcumap_entry *old, uint64_t word)
{
	return !entry_has_deadline(old) || entry_deadline(old) == (word | DEADLINE_SEALED) ||
	       entry_deadline_cas(old, word, word | DEADLINE_SEALED);
}

static int carry_out(struct attempt *attempt, struct finding *finding, struct decision *decision,
		     struct write_update *update)
{
	const bool present = finding->found == FOUND_LIVE;
	const struct rcumap_value *value = &decision->value;

	if (present && !seal_as_seen(finding->view.entry, decision->word)) {
		decision->made = false;
		return 1;
	}
	if (decision->verdict == RCUMAP_REMOVE) {
		update->version = 0;
		return present ? attempt_remove(attempt, finding, decision->reason) : attempt_forget(attempt, finding);
	}

	const struct write_content content = { update->key, update->key_size, value->data, value->size };

	return attempt_put(attempt, finding, &content, &decision->life, &update->version);
}

/* 1: look again. */
static int try_update(struct attempt *attempt, struct write_update *update, struct decision *decision)
{
	struct finding finding;
	int result = attempt_look(attempt, update->key, update->key_size, &finding);

	if (result)
		return result;

	const struct rcumap_entry *old = finding.found == FOUND_LIVE ? finding.view.entry : NULL;

	result = decide(attempt, update, old, decision);
	if (result)
		return result;
	if (decision->verdict == RCUMAP_KEEP) {
		update->version = old ? entry_version(old) : 0;
		return 0;
	}
	return finding.view.frozen ? 1 : carry_out(attempt, &finding, decision, update);
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
