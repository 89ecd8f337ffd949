/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * touch: the deadline word changes in place, by one compare-and-swap. An entry that has none, or whose word is sealed,
 * is copied with its version, and the copy takes its place.
 */
#include <errno.h>

#include "map/attempt.h"

/* Whatever becomes of the bucket meanwhile: the entry was in it when it was seen, after this call began. If it has
 * been displaced since, this happened just before. */
static int touch_in_place(struct attempt *attempt, struct rcumap_entry *entry, uint64_t word, const struct life *life)
{
	uint64_t us = life->kind == LIFE_FINITE ? life->deadline_us : DEADLINE_NEVER;

	/* The hint comes early enough. */
	if (us >= deadline_us(word)) {
		if (!entry_deadline_cas(entry, word, deadline_word(us, deadline_arm(word))))
			return 1;
		if (us == DEADLINE_NEVER && deadline_is_finite(word))
			attempt_count_expiring(attempt, -1);
		return 0;
	}

	int error = attempt_secure_hint(attempt);

	if (error)
		return error;

	uint64_t shorter = deadline_word(us, attempt_new_arm(attempt, deadline_arm(word)));

	if (!entry_deadline_cas(entry, word, shorter))
		return 1;
	if (!deadline_is_finite(word))
		attempt_count_expiring(attempt, 1);
	attempt_remind(attempt, shorter);
	return 0;
}

static int touch_copy(struct attempt *attempt, struct finding *finding, const struct life *life)
{
	return finding->view.frozen ? 1 : attempt_copy(attempt, finding, life);
}

/* 1: look again. */
static int try_touch(struct attempt *attempt, const struct write_touch *touch, const struct life *life)
{
	struct finding finding;
	int result = attempt_look(attempt, touch->key, touch->key_size, &finding);

	if (result)
		return result;
	if (finding.found != FOUND_LIVE)
		return -ENOENT;

	struct rcumap_entry *entry = finding.view.entry;

	entry_warm(entry);

	if (!entry_has_deadline(entry))
		return life->kind == LIFE_FINITE ? touch_copy(attempt, &finding, life) : 0;

	uint64_t word = entry_deadline(entry);

	if (deadline_has_passed(word, attempt->now_us))
		return 1; /* a shorter life was given meanwhile, or it was claimed */
	return deadline_is_sealed(word) ? touch_copy(attempt, &finding, life) :
					  touch_in_place(attempt, entry, word, life);
}

int write_touch(struct rcumap *map, struct write_touch *touch)
{
	struct attempt attempt = attempt_begin(map, touch->key, touch->key_size);
	struct life life = attempt_life(map, touch->ttl_ms);
	int result;

	do
		result = try_touch(&attempt, touch, &life);
	while (result > 0);
	result = attempt_end(&attempt, result);
	touch->yield = attempt.yield;
	return result;
}
