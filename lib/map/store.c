/* SPDX-License-Identifier: BSD-2-Clause */
/* put, add, replace, compare_and_swap: one operation with a condition. */
#include <errno.h>

#include "map/attempt.h"
#include "map/write.h"
#include "protocol/route.h"

/* Is the store to happen, with what was found? 0 or -errno. */
static int judge(const struct write_store *store, enum found found, const struct bucket_view *view)
{
	switch (store->condition) {
	case WRITE_IF_ABSENT:
		return found == FOUND_LIVE ? -EEXIST : 0;
	case WRITE_IF_PRESENT:
		return found == FOUND_LIVE ? 0 : -ENOENT;
	case WRITE_IF_VERSION:
		if (found != FOUND_LIVE)
			return -ENOENT;
		return view->entry->version == store->expected ? 0 : -ESTALE;
	default:
		return 0;
	}
}

/* Build the entry, unless that is done. */
static int build(struct attempt *attempt, const struct write_store *store, const struct life *life)
{
	uint64_t version;

	if (attempt->entry)
		return 0;

	int error = attempt_draw_version(attempt, &version);

	return error ? error :
		       attempt_build(attempt, store->key, store->key_size, store->value, store->value_size, version,
				     life->kind == LIFE_FINITE);
}

/* A life of 0: what is stored is gone at once, and with it what was there. */
static int store_nothing(struct attempt *attempt, const struct table *table, struct bucket_view *view, enum found found,
			 struct write_store *store)
{
	store->version = 0;
	return found == FOUND_LIVE ? attempt_remove(attempt, table, view, RCUMAP_EXPIRED) : 0;
}

static int store_into(struct attempt *attempt, struct table *table, struct bucket_view *view, enum found found,
		      struct write_store *store, const struct life *life)
{
	if (found == FOUND_NONE && !view->empty_line) {
		int error = attempt_make_room(attempt, table, view);

		return error ? error : 1;
	}

	int result = build(attempt, store, life);

	if (result)
		return result;

	uint64_t version = attempt->entry->version;

	result = found == FOUND_NONE ? attempt_insert(attempt, table, view, life) :
				       attempt_displace(attempt, table, view, found, life);
	if (!result)
		store->version = version;
	return result;
}

/* 1: look again. */
static int try_store(struct attempt *attempt, struct write_store *store, const struct life *life)
{
	struct bucket_view view;
	int error;
	struct table *table = route_bucket(&attempt->map->tables, attempt->hash, &view, &error);

	if (!table)
		return error;
	bucket_scan(&view, store->key, store->key_size);

	enum found found = attempt_found(attempt, &view);

	/* What is seen in a frozen bucket is so; what is not seen, perhaps not. */
	if (found == FOUND_NONE && view.frozen)
		return 1;

	int refusal = judge(store, found, &view);

	if (refusal)
		return refusal;
	if (view.frozen)
		return 1;
	return store->ttl_ms == 0 ? store_nothing(attempt, table, &view, found, store) :
				    store_into(attempt, table, &view, found, store, life);
}

int write_store(struct rcumap *map, struct write_store *store)
{
	struct attempt attempt = attempt_begin(map, store->key, store->key_size);
	struct life life = attempt_life(map, store->ttl_ms);
	int result;

	do
		result = try_store(&attempt, store, &life);
	while (result > 0);
	result = attempt_end(&attempt, result);
	store->yield = attempt.yield;
	return result;
}
