/* SPDX-License-Identifier: BSD-2-Clause */
/* put, add, replace, compare_and_swap: one operation with a condition. */
#include <errno.h>

#include "map/attempt.h"

/* Is the store to happen, with what was found? 0 or -errno. */
static int judge(const struct write_store *store, const struct finding *finding)
{
	const bool present = finding->found == FOUND_LIVE;

	switch (store->condition) {
	case WRITE_IF_ABSENT:
		return present ? -EEXIST : 0;
	case WRITE_IF_PRESENT:
		return present ? 0 : -ENOENT;
	case WRITE_IF_VERSION:
		if (!present)
			return -ENOENT;
		return entry_version(finding->view.entry) == store->expected ? 0 : -ESTALE;
	default:
		return 0;
	}
}

/* A life of 0: what is stored is gone at once, and with it what was there. */
static int store_nothing(struct attempt *attempt, struct finding *finding, struct write_store *store)
{
	store->version = 0;
	return finding->found == FOUND_LIVE ? attempt_remove(attempt, finding, RCUMAP_EXPIRED) :
					      attempt_forget(attempt, finding);
}

/* 1: look again. */
static int try_store(struct attempt *attempt, struct write_store *store, const struct life *life)
{
	struct finding finding;
	int result = attempt_look(attempt, store->content.key, store->content.key_size, &finding);

	if (!result)
		result = judge(store, &finding);
	if (result)
		return result;
	if (finding.view.frozen)
		return 1;
	return store->ttl_ms == 0 ? store_nothing(attempt, &finding, store) :
				    attempt_put(attempt, &finding, &store->content, life, &store->version);
}

int write_store(struct rcumap *map, struct write_store *store)
{
	struct attempt attempt = attempt_begin(map, store->content.key, store->content.key_size);
	struct life life = attempt_life(map, store->ttl_ms);
	int result;

	attempt.leaves = true;
	attempt.entry = store->built;
	store->built = NULL;
	do
		result = try_store(&attempt, store, &life);
	while (result > 0);
	result = attempt_end(&attempt, result);
	store->yield = attempt.yield;
	return result;
}
