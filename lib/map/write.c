/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/write.h"

#include <ck_pr.h>
#include <errno.h>

#include "map/read.h"
#include "map/reclaimer.h"
#include "map/verbs.h"
#include "protocol/load.h"
#include "protocol/route.h"

/* An operation under way: what it has got hold of and must use or give back. */
struct attempt {
	struct rcumap *map;
	struct map_stripe *stripe;
	uint64_t hash;
	struct rcumap_entry *entry; /* built, not published */
	retire_cell *cell; /* reserved, not filled */
	bool wake; /* the reclaimer, at the end */
	bool help; /* the reclaimer, at the end */
	bool yield; /* after the section */
	unsigned failures; /* exchanges lost in a row */
};

static struct attempt begin(struct rcumap *map, const void *key, size_t key_size)
{
	return (struct attempt){
		.map = map,
		.stripe = &map->stripe[stripe_index()],
		.hash = key ? hash_key(&map->tables.hash, key, key_size) : 0,
	};
}

/* Give back what was not used, and wake whom this operation made work for. Passes `result` through. */
static int end(struct attempt *attempt, int result)
{
	if (attempt->entry) {
		memory_discard(&attempt->map->memory, attempt->entry, entry_size_of(attempt->entry));
		attempt->wake = true; /* only the reclaimer makes it usable again */
	}
	if (attempt->cell)
		retire_cancel(attempt->cell);
	/* Free blocks may rest with the reclaimer. */
	attempt->wake |= result == -ENOMEM;
	if (attempt->wake)
		wake_signal(&attempt->map->reclaimer.wake);
	if (attempt->help)
		attempt->yield = reclaimer_help(attempt->map);
	return result;
}

static int draw_version(struct attempt *attempt, uint64_t *version)
{
	uint64_t drawn = atomic_fetch_add_explicit(&attempt->stripe->versions, 1, memory_order_relaxed);

	/* A number of the stripe's own, then the stripe: distinct over all stripes, and never 0. */
	*version = (drawn + 1) * STRIPE_COUNT + (uint64_t)(attempt->stripe - attempt->map->stripe);
	return *version >> ENTRY_VERSION_BITS ? -EOVERFLOW : 0;
}

/* Build the entry to store, unless that is done. */
static int build(struct attempt *attempt, const struct write_store *store)
{
	if (attempt->entry)
		return 0;

	size_t size = entry_size(store->key_size, store->value_size);
	uint64_t version;
	void *p = NULL;
	int error = draw_version(attempt, &version);

	if (!error)
		error = memory_alloc(&attempt->map->memory, size, entry_align(size), &p);
	if (error)
		return error;
	attempt->entry = p;
	attempt->entry->version = version;
	entry_fill(attempt->entry, store->key, store->key_size, store->value, store->value_size);
	return 0;
}

/* Secure the record of what this operation will displace, unless that is done. */
static int secure(struct attempt *attempt)
{
	if (attempt->cell)
		return 0;

	int result = retire_reserve(&attempt->map->retire, &attempt->map->memory, &attempt->cell);

	attempt->wake |= result > 0;
	attempt->help |= result > 0;
	return result < 0 ? result : 0;
}

static void retire(struct attempt *attempt, struct rcumap_entry *displaced, enum rcumap_reason reason)
{
	retire_fill(attempt->cell, displaced, reason);
	attempt->cell = NULL;
}

/* Another operation was faster: let it finish before the line is fought for again. */
static void back_off(struct attempt *attempt)
{
	if (attempt->failures < 8)
		attempt->failures++;
	for (unsigned i = 0; i < 1u << attempt->failures; i++)
		ck_pr_stall();
}

/* The bucket is full and its chain long. 0: look again, the table grows; 1: chain one more line; -EOVERFLOW: growing
 * would not help; -ENOMEM, -EFAULT: it would, but cannot be. */
static int relieve(struct attempt *attempt, const struct table *table, const struct bucket_view *view)
{
	uint64_t entries = map_count(attempt->map);

	if (view->lines >= LOAD_CHAIN_LONG && load_is_sparse(entries, table->bits))
		return -EOVERFLOW;
	if (view->lines < LOAD_CHAIN_LONG && !load_must_grow(entries, table->bits))
		return 1;

	/* The reclaimer is late: grow here and now, with bounded work. */
	int error = reclaimer_grow_urgently(attempt->map, table);

	if (!error)
		return 0;
	if (view->lines < LOAD_CHAIN_MAX)
		return 1;
	/* Somebody grows it: help on, until this bucket has its turn. */
	return error == -EBUSY ? 0 : error;
}

/* The bucket is full: chain a line, or let the table grow. 0: look again. */
static int make_room(struct attempt *attempt, struct table *table, struct bucket_view *view)
{
	struct tables *tables = &attempt->map->tables;
	struct line *line = NULL;

	if (view->lines >= LOAD_CHAIN_LATE) {
		int result = relieve(attempt, table, view);

		if (result <= 0)
			return result;
	}

	int error = table_alloc_line(tables, LINE_OPEN, &line);

	if (!error && !bucket_extend(table, view, line))
		table_discard_line(tables, line);
	return error;
}

static void count_inserted(struct attempt *attempt, const struct table *table)
{
	uint64_t inserted = atomic_fetch_add_explicit(&attempt->stripe->inserted, 1, memory_order_relaxed) + 1;

	/* Summing up all stripes is for one insert in as many as let the table be a tenth too full at most. */
	unsigned shift = table->bits < 7 ? 0 : table->bits > 17 ? 10 : table->bits - 7;

	if ((inserted & ((UINT64_C(1) << shift) - 1)) == 0 && !table_next(table) &&
	    load_must_grow(map_count(attempt->map), table->bits))
		attempt->wake = true;
}

/* The key was found: replace its entry. 1: look again. */
static int store_over(struct attempt *attempt, const struct table *table, struct bucket_view *view,
		      struct write_store *store)
{
	if (store->condition == WRITE_IF_ABSENT)
		return -EEXIST;
	if (store->condition == WRITE_IF_VERSION && view->entry->version != store->expected)
		return -ESTALE;
	if (view->frozen)
		return 1;

	int error = secure(attempt);

	if (!error)
		error = build(attempt, store);
	if (error)
		return error;
	if (!bucket_replace(&attempt->map->tables, table, view, attempt->entry)) {
		back_off(attempt);
		return 1;
	}
	store->version = attempt->entry->version;
	attempt->entry = NULL;
	retire(attempt, view->entry, RCUMAP_REPLACED);
	atomic_fetch_add_explicit(&attempt->stripe->replaced, 1, memory_order_relaxed);
	return 0;
}

/* The key is absent: insert it. 1: look again. */
static int store_new(struct attempt *attempt, struct table *table, struct bucket_view *view,
		     struct write_store *store)
{
	if (view->frozen)
		return 1;
	if (store->condition == WRITE_IF_PRESENT || store->condition == WRITE_IF_VERSION)
		return -ENOENT;

	int error = view->empty_line ? build(attempt, store) : make_room(attempt, table, view);

	if (error || !view->empty_line)
		return error ? error : 1;
	/* As soon as it is in, the entry belongs to all: another thread may have removed it already. */
	uint64_t version = attempt->entry->version;

	if (!bucket_insert(view, attempt->entry)) {
		back_off(attempt);
		return 1;
	}
	store->version = version;
	attempt->entry = NULL;
	count_inserted(attempt, table);
	return 0;
}

int write_store(struct rcumap *map, struct write_store *store)
{
	struct attempt attempt = begin(map, store->key, store->key_size);
	int result;

	do {
		struct bucket_view view;
		struct table *table = route_bucket(&map->tables, attempt.hash, &view, &result);

		if (!table)
			break;
		bucket_scan(&view, store->key, store->key_size);
		result = view.entry ? store_over(&attempt, table, &view, store) :
				      store_new(&attempt, table, &view, store);
	} while (result > 0);
	result = end(&attempt, result);
	store->yield = attempt.yield;
	return result;
}

int write_remove(struct rcumap *map, struct write_remove *remove)
{
	struct attempt attempt = begin(map, remove->key, remove->key_size);
	int result;

	for (;;) {
		struct bucket_view view;
		struct table *table = route_bucket(&map->tables, attempt.hash, &view, &result);

		if (!table)
			break;
		bucket_scan(&view, remove->key, remove->key_size);
		if (view.frozen && !view.entry)
			continue;
		result = -ENOENT;
		if (!view.entry)
			break;
		result = -ESTALE;
		if (remove->condition == WRITE_IF_VERSION && view.entry->version != remove->expected)
			break;
		if (view.frozen)
			continue;
		result = secure(&attempt);
		if (result)
			break;
		if (bucket_remove(&map->tables, table, &view)) {
			retire(&attempt, view.entry, RCUMAP_DELETED);
			atomic_fetch_add_explicit(&attempt.stripe->deleted, 1, memory_order_relaxed);
			break;
		}
		back_off(&attempt);
	}
	result = end(&attempt, result);
	remove->yield = attempt.yield;
	return result;
}

/* Remove what stands in one slot. 1: it is frozen, route again. */
static int remove_slot(struct attempt *attempt, const struct table *table, struct bucket_view *view,
		       struct line *line, unsigned slot)
{
	uint64_t word = slot_load(line, slot);

	if (slot_is_frozen(word))
		return 1;
	if (!slot_has_entry(word))
		return 0;

	int error = secure(attempt);

	if (error)
		return error;
	if (bucket_remove_at(&attempt->map->tables, table, view->line, line, slot, word)) {
		retire(attempt, slot_entry(word), RCUMAP_CLEARED);
		atomic_fetch_add_explicit(&attempt->stripe->deleted, 1, memory_order_relaxed);
		return 0;
	}
	/* Frozen meanwhile; or removed or replaced by somebody else, which settles it. */
	return slot_is_frozen(slot_load(line, slot));
}

int write_remove_all_at(struct rcumap *map, uint64_t hash, uint64_t *last)
{
	struct attempt attempt = begin(map, NULL, 0);
	int result;

	do {
		struct bucket_view view;
		struct table *table = route_bucket(&map->tables, hash, &view, &result);

		if (!table)
			break;
		*last = hash | (UINT64_MAX >> table->bits);
		result = 0;
		for (struct line *line = view.line; line && !result; line = line_next(line))
			for (unsigned i = 0; i < LINE_SLOTS && !result; i++)
				result = remove_slot(&attempt, table, &view, line, i);
	} while (result > 0);
	return end(&attempt, result);
}

static int store(struct rcumap *map, struct write_store what, uint64_t *version)
{
	if (!map || !read_key_valid(what.key, what.key_size) || (!what.value && what.value_size))
		return -EINVAL;
	if (what.value_size > RCUMAP_VALUE_SIZE_MAX)
		return -EFBIG;
	map_assert_alive(map);

	int result = map->verbs->store(map, &what);

	if (!result && version)
		*version = what.version;
	return result;
}

static int remove_key(struct rcumap *map, struct write_remove *what)
{
	if (!map || !read_key_valid(what->key, what->key_size))
		return -EINVAL;
	map_assert_alive(map);
	return map->verbs->remove(map, what);
}

int rcumap_put(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t *version)
{
	return store(map, (struct write_store){ key, value, key_size, value_size, WRITE_ALWAYS, 0, 0, false }, version);
}

int rcumap_add(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t *version)
{
	return store(map, (struct write_store){ key, value, key_size, value_size, WRITE_IF_ABSENT, 0, 0, false },
		     version);
}

int rcumap_replace(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
		   uint64_t *version)
{
	return store(map, (struct write_store){ key, value, key_size, value_size, WRITE_IF_PRESENT, 0, 0, false },
		     version);
}

int rcumap_compare_and_swap(struct rcumap *map, const void *key, size_t key_size, uint64_t expected,
			    const void *value, size_t value_size, uint64_t *version)
{
	return store(map, (struct write_store){ key, value, key_size, value_size, WRITE_IF_VERSION, expected, 0, false },
		     version);
}

int rcumap_delete(struct rcumap *map, const void *key, size_t key_size)
{
	return remove_key(map, &(struct write_remove){ key, key_size, WRITE_ALWAYS, 0, false });
}

int rcumap_delete_if(struct rcumap *map, const void *key, size_t key_size, uint64_t expected)
{
	return remove_key(map, &(struct write_remove){ key, key_size, WRITE_IF_VERSION, expected, false });
}
