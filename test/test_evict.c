/* SPDX-License-Identifier: BSD-2-Clause */
/* A map with max_entries: what is told of it in rcumap.h, by one thread. Who is evicted, and who not: test_evict_policy.c. */
#include "evict_fixture.h"

#include "clock_fixture.h"

#include <urcu/flavor.h>

/* ------------------------------------------------------------------------------------------------ the option */

static int create_with(uint64_t max_entries, struct rcumap **map)
{
	struct rcumap_options options = limit_options(max_entries);

	options.size = sizeof options;
	options.flavor = flavor_rcu(fixture_flavor);
	return rcumap_create(map, &options);
}

static void the_option(void)
{
	static const uint64_t good[] = { RCUMAP_MAX_ENTRIES_MIN, RCUMAP_MAX_ENTRIES_MIN + 1, RCUMAP_CAPACITY_MAX };
	struct rcumap *untouched = (struct rcumap *)(uintptr_t)0x5eed, *map = untouched;
	unsigned wrong = 0;

	for (uint64_t n = 1; n < RCUMAP_MAX_ENTRIES_MIN; n++)
		wrong += create_with(n, &map) != -EINVAL || map != untouched;
	wrong += create_with(RCUMAP_CAPACITY_MAX + 1, &map) != -EINVAL || map != untouched;
	wrong += create_with(UINT64_MAX, &map) != -EINVAL || map != untouched;
	is_int(wrong, 0, "%s: limits that are too small or too large are -EINVAL", fixture_name());
	for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
		is_int(create_with(good[i], &map), 0, "%s: a limit of %llu", fixture_name(), (unsigned long long)good[i]);
		ok(fixture_put(map, 1, 1, 24) == 0 && fixture_check(map, 1, NULL) == 0, "%s: the map works",
		   fixture_name());
		fixture_destroy(map);
	}
}

/* ------------------------------------------------------------------------------------------------ the limit */

static uint64_t hash_constant(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key;
	(void)key_size;
	return 0;
}

static void never_more(uint64_t limit, rcumap_hash_fn *hash, const char *name)
{
	struct rcumap_options options = limit_options(limit);
	uint64_t failed = 0, lost = 0, over = 0, early = 0, step = limit < 200 ? 1 : limit / 50;

	options.hash = hash;

	struct rcumap *map = fixture_map(&options);

	for (uint64_t n = 0; n < 10 * limit; n++) {
		failed += fixture_put(map, n, n, 24) != 0;
		/* Who has just come is never who goes. */
		lost += !limit_has(map, n);
		over += limit_summed(map) > limit;
		early += n < limit && limit_evicted(map) != 0;
		if (n % step == 0)
			over += limit_scanned(map) > limit;
		flavor_quiescent(fixture_flavor);
	}
	is_int(failed, 0, "%s: limit %llu%s: every put succeeds", fixture_name(), (unsigned long long)limit, name);
	is_int(lost, 0, "%s: limit %llu%s: and is there", fixture_name(), (unsigned long long)limit, name);
	is_int(over, 0, "%s: limit %llu%s: never more entries than that", fixture_name(), (unsigned long long)limit, name);
	is_int(early, 0, "%s: limit %llu%s: none is evicted as long as there is room", fixture_name(),
	       (unsigned long long)limit, name);
	is_int(rcumap_count(map), (long long)limit, "%s: limit %llu%s: the map is full in the end", fixture_name(),
	       (unsigned long long)limit, name);
	is_int(limit_evicted(map), (long long)(9 * limit), "%s: limit %llu%s: one was evicted for each beyond it",
	       fixture_name(), (unsigned long long)limit, name);
	ok(limit_balances(map), "%s: limit %llu%s: all is accounted for", fixture_name(), (unsigned long long)limit,
	   name);
	fixture_destroy(map);
}

/* However much those are asked for that are there: one goes. */
static void find_all(struct rcumap *map, uint64_t first, uint64_t end)
{
	for (uint64_t n = first; n < end; n++)
		(void)fixture_check(map, n, NULL);
	flavor_quiescent(fixture_flavor);
}

static void hot_ones_make_room(uint64_t limit)
{
	struct rcumap *map = limit_map(limit);
	const uint64_t more = limit < 100 ? 20 * limit : limit / 5;
	uint64_t failed = 0;

	for (uint64_t n = 0; n < limit; n++)
		failed += fixture_put(map, n, n, 24) != 0;
	for (uint64_t n = limit; n < limit + more; n++) {
		for (unsigned turn = 0; turn < 3; turn++)
			find_all(map, n > 2 * limit ? n - 2 * limit : 0, n);
		failed += fixture_put(map, n, n, 24) != 0;
	}
	is_int(failed, 0, "%s: limit %llu: a put succeeds though all that is there was found again and again",
	       fixture_name(), (unsigned long long)limit);
	is_int(rcumap_count(map), (long long)limit, "%s: limit %llu: the map is full", fixture_name(),
	       (unsigned long long)limit);
	ok(limit_balances(map), "%s: limit %llu: all is accounted for", fixture_name(), (unsigned long long)limit);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ what evicts nothing */

static int keep(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	(void)old;
	(void)value;
	return RCUMAP_KEEP;
}

static int give_up(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	(void)old;
	(void)value;
	return -EIO;
}

static int remove_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	(void)old;
	(void)value;
	return RCUMAP_REMOVE;
}

static int overwrite(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	value->data = ctx;
	value->size = 3;
	return 0;
}

static void what_evicts_nothing(void)
{
	enum { LIMIT = 50 };
	struct rcumap *map = limit_map(LIMIT);
	unsigned char key[FIXTURE_KEY_MAX], absent[FIXTURE_KEY_MAX];
	size_t size, absent_size = fixture_key(LIMIT, absent);
	uint64_t version, wrong = 0;
	char text[] = "new";

	for (uint64_t n = 0; n < LIMIT; n++)
		fixture_put(map, n, n, 24);
	wrong += rcumap_replace(map, absent, absent_size, "x", 1, RCUMAP_TTL_NEVER, NULL) != -ENOENT;
	wrong += rcumap_compare_and_swap(map, absent, absent_size, 1, "x", 1, RCUMAP_TTL_NEVER, NULL) != -ENOENT;
	wrong += rcumap_touch(map, absent, absent_size, 1000) != -ENOENT;
	wrong += rcumap_update(map, absent, absent_size, keep, NULL, NULL) != 0;
	wrong += rcumap_update(map, absent, absent_size, give_up, NULL, NULL) != -EIO;
	wrong += rcumap_update(map, absent, absent_size, remove_it, NULL, NULL) != 0;
	wrong += rcumap_delete(map, absent, absent_size) != -ENOENT;
	wrong += rcumap_put(map, absent, absent_size, "x", 1, 0, NULL) != 0;
	wrong += rcumap_put(map, absent, absent_size, NULL, 1, RCUMAP_TTL_NEVER, NULL) != -EINVAL;
	is_int(wrong, 0, "%s: calls that store nothing, on an absent key, in a full map", fixture_name());
	ok(limit_evicted(map) == 0 && limit_balances(map), "%s: evict nothing", fixture_name());

	wrong = 0;
	for (uint64_t n = 0; n < LIMIT; n++) {
		size = fixture_key(n, key);
		wrong += rcumap_add(map, key, size, "x", 1, RCUMAP_TTL_NEVER, NULL) != -EEXIST;
		wrong += rcumap_put(map, key, size, "put", 3, RCUMAP_TTL_NEVER, &version) != 0;
		wrong += rcumap_compare_and_swap(map, key, size, version + 1, "x", 1, RCUMAP_TTL_NEVER, NULL) != -ESTALE;
		wrong += rcumap_compare_and_swap(map, key, size, version, "new", 3, RCUMAP_TTL_NEVER, &version) != 0;
		wrong += rcumap_replace(map, key, size, "replace", 7, 3600000, &version) != 0;
		wrong += rcumap_touch(map, key, size, 7200000) != 0;
		wrong += rcumap_touch(map, key, size, RCUMAP_TTL_NEVER) != 0;
		wrong += rcumap_put(map, key, size, "put", 3, RCUMAP_TTL_NEVER, &version) != 0;
		wrong += rcumap_touch(map, key, size, 7200000) != 0; /* a copy */
		wrong += rcumap_update(map, key, size, keep, NULL, NULL) != 0;
		wrong += rcumap_update(map, key, size, give_up, NULL, NULL) != -EIO;
		wrong += rcumap_update(map, key, size, overwrite, text, &version) != 0;
		wrong += rcumap_delete_if(map, key, size, version + 1) != -ESTALE;
		wrong += !fixture_holds(map, key, size, "new", 3, version);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: all that can be done to keys that are there, in a full map", fixture_name());
	ok(limit_evicted(map) == 0 && rcumap_count(map) == LIMIT && limit_balances(map), "%s: evicts nothing",
	   fixture_name());
	is_int(fixture_put(map, LIMIT, 1, 24), 0, "%s: one more", fixture_name());
	is_int(limit_evicted(map), 1, "%s: evicts one", fixture_name());
	wrong = rcumap_update(map, absent, absent_size, overwrite, text, NULL) != 0;
	size = fixture_key(LIMIT + 1, key);
	wrong += rcumap_update(map, key, size, overwrite, text, NULL) != 0;
	size = fixture_key(LIMIT + 2, key);
	wrong += rcumap_add(map, key, size, "x", 1, RCUMAP_TTL_NEVER, NULL) != 0;
	is_int(wrong, 0, "%s: update and add of absent keys", fixture_name());
	is_int(limit_evicted(map), 3, "%s: evict one each", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ who is told */

#define REASONS 8u

struct told {
	uint64_t by_reason[REASONS], *by_key, keys, foreign;
};

static void note(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct told *told = ctx;
	const unsigned char *key = rcumap_entry_key(entry);
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | key[i];
	if ((unsigned)reason >= REASONS || number >= told->keys ||
	    payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), number, NULL) != PAYLOAD_OK) {
		told->foreign++;
		return;
	}
	told->by_reason[reason]++;
	told->by_key[number]++;
}

static void each_is_told_of(void)
{
	const uint64_t limit = 100, keys = 1000, turns = fixture_scaled(30000, 5000);
	struct told told = { .by_key = calloc(keys, sizeof(uint64_t)), .keys = keys };
	uint64_t *stored = calloc(keys, sizeof *stored), differ = 0;
	struct rcumap_options options = limit_options(limit);
	struct rcumap_stats s;
	struct rcumap *map;
	struct rng rng;

	options.removed = note;
	options.removed_ctx = &told;
	map = fixture_map(&options);
	rng_init(&rng, 1);
	for (uint64_t t = 0; t < turns; t++) {
		uint64_t number = rng_below(&rng, keys), dice = rng_below(&rng, 20);

		if (dice < 15)
			stored[number] += fixture_put(map, number, t, 24 + rng_below(&rng, 100)) == 0;
		else if (dice < 17)
			(void)fixture_check(map, number, NULL);
		else if (dice < 19)
			(void)fixture_delete(map, number);
		else if (t % 64 == 0)
			(void)rcumap_clear(map);
		flavor_quiescent(fixture_flavor);
	}
	rcumap_barrier(map);
	s = fixture_stats(map);
	ok(s.evicted > turns / 10 && told.by_reason[RCUMAP_EVICTED] == s.evicted,
	   "%s: %llu entries were evicted, and told of as such", fixture_name(), (unsigned long long)s.evicted);
	ok(told.by_reason[RCUMAP_REPLACED] == s.replaced &&
		   told.by_reason[RCUMAP_DELETED] + told.by_reason[RCUMAP_CLEARED] == s.deleted &&
		   told.by_reason[RCUMAP_EXPIRED] == s.expired && told.foreign == 0,
	   "%s: the others with their reasons", fixture_name());
	ok(s.retired_pending == 0 && s.reclaimed == s.replaced + s.deleted + s.expired + s.evicted && limit_balances(map),
	   "%s: the counters agree", fixture_name());
	fixture_destroy(map);
	for (uint64_t n = 0; n < keys; n++)
		differ += told.by_key[n] != stored[n];
	is_int(differ, 0, "%s: each that was ever stored was told of once", fixture_name());
	is_int(told.by_reason[RCUMAP_DESTROYED], (long long)s.entries, "%s: the last ones with the map", fixture_name());
	free(told.by_key);
	free(stored);
}

/* ------------------------------------------------------------------------------------------------ the table */

static uint64_t slots_for(uint64_t capacity, uint64_t max_entries)
{
	struct rcumap_options options = limit_options(max_entries);
	struct rcumap *map;
	uint64_t slots;

	options.capacity = capacity;
	map = fixture_map(&options);
	slots = fixture_stats(map).table_slots;
	fixture_destroy(map);
	return slots;
}

static void the_table_is_cut(void)
{
	const uint64_t limit = 1000, slots = slots_for(limit, 0);
	struct rcumap_options options = limit_options(limit);
	struct rcumap *map;
	uint64_t failed = 0, larger = 0;

	is_int(slots_for(1000000, limit), (long long)slots, "%s: a capacity beyond the limit is cut", fixture_name());
	is_int(slots_for(limit, limit), (long long)slots, "%s: one of the limit is not", fixture_name());
	ok(slots_for(0, limit) < slots, "%s: nor one below", fixture_name());
	map = fixture_map(&options);
	is_int(rcumap_reserve(map, 10 * limit), 0, "%s: reserve beyond the limit", fixture_name());
	is_int(fixture_stats(map).table_slots, (long long)slots, "%s: makes the table as large as the limit needs",
	       fixture_name());
	is_int(rcumap_reserve(map, RCUMAP_CAPACITY_MAX), 0, "%s: reserve of whatever may be reserved", fixture_name());
	is_int(rcumap_reserve(map, RCUMAP_CAPACITY_MAX + 1), -EINVAL, "%s: and of what may not", fixture_name());
	for (uint64_t n = 0; n < 10 * limit; n++) {
		failed += fixture_put(map, n, n, 24) != 0;
		larger += fixture_stats(map).table_slots != slots;
		flavor_quiescent(fixture_flavor);
	}
	rcumap_barrier(map);
	larger += fixture_stats(map).table_slots != slots;
	ok(failed == 0 && larger == 0, "%s: and it stays so, however many come", fixture_name());
	fixture_destroy(map);
}

/* A sum over stripes that change meanwhile may be more than there ever were. */
static void a_count_too_high_lets_nothing_grow(void)
{
	const uint64_t limit = 1000;
	struct rcumap *map = limit_bare_map(limit);
	const unsigned size = bare_size(map);

	for (uint64_t n = 0; n < limit; n++)
		fixture_put(map, n, n, 24);
	atomic_fetch_add(&map->stripe[0].inserted, 100 * limit);
	bare_resize(map);
	is_int(bare_size(map), size, "%s: the table never gets larger than what the limit needs", fixture_name());
	ok(rcumap_count(map) <= limit, "%s: nor does the count", fixture_name());
	atomic_fetch_sub(&map->stripe[0].inserted, 100 * limit);
	bare_destroy(map);
}

static bool table_fits(void *ctx)
{
	struct rcumap_stats s = fixture_stats(ctx);

	return s.table_slots * 4 >= s.entries * 5;
}

static void grows_while_it_evicts(void)
{
	const uint64_t limit = fixture_scaled(100000, 20000);
	struct rcumap *map = limit_map(limit);
	uint64_t failed = 0, over = 0;

	for (uint64_t n = 0; n < 3 * limit; n++) {
		failed += fixture_put(map, n, n, 24) != 0;
		if (n % 1024 == 0)
			over += limit_summed(map) > limit;
		flavor_quiescent(fixture_flavor);
	}
	ok(failed == 0 && over == 0, "%s: from a tiny table to %llu entries and beyond", fixture_name(),
	   (unsigned long long)limit);
	is_int(rcumap_count(map), (long long)limit, "%s: the map is full", fixture_name());
	ok(fixture_eventually(table_fits, map), "%s: the table has room for them", fixture_name());
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	fixture_destroy(map);
}

/* The table is moved a step now and then, while all but its first entries come by eviction. */
static void evicts_while_it_moves(void)
{
	const uint64_t limit = 3000;
	const unsigned size = table_size_for(limit);
	struct rcumap *map = limit_bare_map(limit);
	uint64_t failed = 0, moved = 0;

	for (uint64_t n = 0; n < 10 * limit; n++) {
		failed += fixture_put(map, n, n, 24) != 0;
		if (n >= limit && n % 16 == 0) {
			rcumap_read_lock(map);

			struct table *table = tables_current(&map->tables), *retired = NULL;

			if (!table_next(table))
				(void)tables_begin(&map->tables, table->size < size ? size : size - 1);
			(void)migrate_sweep(&map->tables, 16, &retired);
			if (retired) {
				moved++;
				retired->retired = atomic_load(&map->reclaimer.retired_tables);
				atomic_store(&map->reclaimer.retired_tables, retired);
			}
			rcumap_read_unlock(map);
		}
		if (n % 256 == 0)
			bare_reclaim(map);
	}
	ok(failed == 0 && moved > 2, "%s: evictions while %llu tables come and go", fixture_name(),
	   (unsigned long long)moved);
	ok(rcumap_count(map) == limit && limit_balances(map), "%s: all is accounted for", fixture_name());
	bare_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ units come back */

static void units_come_back(void)
{
	enum { LIMIT = 200 };
	struct fixture_clock clock = { 0 };
	struct rcumap_options options = limit_options(LIMIT);
	unsigned char key[FIXTURE_KEY_MAX];
	struct rcumap *map;
	uint64_t wrong = 0, version;

	options.clock = fixture_clock_read;
	options.clock_ctx = &clock;
	atomic_store(&clock.ns, 1000000000);
	map = fixture_map(&options);
	is_int((long long)limit_room(map, 0, LIMIT), LIMIT, "%s: room for as many as the limit says", fixture_name());
	for (uint64_t n = 0; n < LIMIT / 2; n++)
		wrong += limit_has(map, n) != (fixture_delete(map, n) == 0);

	uint64_t left = LIMIT - rcumap_count(map);

	is_int(wrong, 0, "%s: deleted", fixture_name());
	is_int((long long)limit_room(map, 10000, LIMIT), (long long)left, "%s: the room of what was deleted can be had",
	       fixture_name());
	is_int(rcumap_clear(map), 0, "%s: clear", fixture_name());
	is_int((long long)limit_room(map, 20000, LIMIT), LIMIT, "%s: of what was cleared", fixture_name());
	rcumap_clear(map);
	for (uint64_t n = 0; n < LIMIT; n++)
		wrong += fixture_put_ttl(map, n, n, 1000) != 0;
	fixture_clock_advance(&clock, 10000);
	ok(fixture_eventually_counts(map, 0), "%s: all expires", fixture_name());
	is_int((long long)limit_room(map, 30000, LIMIT), LIMIT, "%s: of what has expired", fixture_name());

	rcumap_clear(map);
	for (uint64_t n = 0; n < LIMIT; n++) {
		size_t size = fixture_key(n, key);

		wrong += fixture_put_ttl(map, n, n, 1000) != 0;
		wrong += rcumap_get(map, key, size, NULL, 0, NULL, &version) != -ENOBUFS;
		switch (n % 4) {
		case 0:
			wrong += rcumap_delete_if(map, key, size, version) != 0;
			break;
		case 1:
			wrong += rcumap_update(map, key, size, remove_it, NULL, NULL) != 0;
			break;
		case 2:
			wrong += rcumap_touch(map, key, size, 0) != 0;
			break;
		default:
			wrong += rcumap_put(map, key, size, "x", 1, 0, NULL) != 0;
			break;
		}
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: removed in all other ways", fixture_name());
	is_int((long long)limit_room(map, 40000, LIMIT), LIMIT, "%s: of what was removed in other ways", fixture_name());
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ expired, held */

static void expired_is_not_evicted(void)
{
	enum { LIMIT = 64 };
	struct fixture_clock clock = { 0 };
	struct rcumap_options options = limit_options(LIMIT);
	struct rcumap *map;
	uint64_t failed = 0;

	options.clock = fixture_clock_read;
	options.clock_ctx = &clock;
	options.capacity = LIMIT;
	atomic_store(&clock.ns, 1000000000);
	map = bare_map(&options); /* nobody else removes what has expired */
	for (uint64_t n = 0; n < LIMIT; n++)
		failed += fixture_put_ttl(map, n, n, n % 2 ? RCUMAP_TTL_NEVER : 1000) != 0;
	fixture_clock_advance(&clock, 10000);
	failed += fixture_put(map, 0, 1, 24) != 0;
	ok(failed == 0 && fixture_stats(map).expired == 1 && limit_evicted(map) == 0 && rcumap_count(map) == LIMIT,
	   "%s: who is stored in the place of an expired entry takes over its unit", fixture_name());
	for (uint64_t n = 0; n < 10 * LIMIT; n++)
		failed += fixture_put(map, 1000 + n, 1, 24) != 0;
	is_int(failed, 0, "%s: puts in a map with expired entries", fixture_name());
	is_int(fixture_stats(map).expired, LIMIT / 2, "%s: what had expired is removed as such", fixture_name());
	is_int(limit_evicted(map), 10 * LIMIT - (LIMIT / 2 - 1), "%s: the rest was evicted", fixture_name());
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	bare_destroy(map);
}

/* What was evicted long before its deadline leaves a reminder behind, which goes as if it had been deleted. */
static void reminders_go(void)
{
	const uint64_t limit = 500, slack = 8192; /* of lib/map/expiry.c */
	struct rcumap *map = limit_map(limit);
	uint64_t failed = 0;

	for (uint64_t n = 0; n < fixture_scaled(100000, 40000); n++) {
		failed += fixture_put_ttl(map, n, n, HOUR_MS) != 0;
		flavor_quiescent(fixture_flavor);
	}
	is_int(failed, 0, "%s: keys with a life of an hour", fixture_name());
	ok(fixture_eventually_hints_at_most(map, 2 * limit + slack), "%s: of evicted ones the reminders go", fixture_name());
	is_int(fixture_stats(map).expiring, (long long)limit, "%s: those that are there have a deadline", fixture_name());
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	rcumap_clear(map);
	is_int(fixture_stats(map).expiring, 0, "%s: and none when they are gone", fixture_name());
	fixture_destroy(map);
}

struct held {
	struct rcumap *map;
	const struct rcumap_entry *entry[64];
	unsigned count;
};

static int hold_it(void *ctx, const struct rcumap_entry *entry)
{
	struct held *held = ctx;

	held->entry[held->count++] = entry;
	return rcumap_hold(held->map, entry);
}

static void held_ones_stay_valid(void)
{
	enum { LIMIT = 32 };
	struct rcumap *map = limit_map(LIMIT);
	struct held held = { .map = map };
	uint64_t wrong = 0, cursor = 0;
	bool seen[LIMIT] = { false };

	for (uint64_t n = 0; n < LIMIT; n++)
		wrong += fixture_put(map, n, n, 100) != 0;
	while (rcumap_scan(map, &cursor, LIMIT, hold_it, &held) > 0)
		;
	for (uint64_t n = 0; n < 20 * LIMIT; n++) {
		wrong += fixture_put(map, 1000 + n, n, 24) != 0;
		flavor_quiescent(fixture_flavor);
	}
	rcumap_barrier(map);
	is_int(limit_present(map, 0, LIMIT), 0, "%s: entries that are held are evicted like others", fixture_name());
	is_int(fixture_stats(map).held_entries, LIMIT, "%s: and are held", fixture_name());
	for (unsigned i = 0; i < held.count; i++) {
		const struct rcumap_entry *entry = held.entry[i];
		uint64_t number = ((const unsigned char *)rcumap_entry_key(entry))[7], turn = LIMIT;

		wrong += payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), number, &turn) !=
				 PAYLOAD_OK ||
			 turn != number || number >= LIMIT || seen[number % LIMIT];
		seen[number % LIMIT] = true;
		rcumap_release(map, entry);
	}
	is_int(wrong, 0, "%s: and stay as they are until they are released", fixture_name());
	rcumap_barrier(map);
	ok(fixture_stats(map).held_entries == 0 && rcumap_count(map) == LIMIT && limit_balances(map),
	   "%s: all is accounted for", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ */

static void test(void)
{
	the_option();
	never_more(RCUMAP_MAX_ENTRIES_MIN, NULL, "");
	never_more(17, NULL, "");
	never_more(100, NULL, "");
	never_more(5000, NULL, "");
	never_more(16, hash_constant, ", one hash");
	never_more(30, hash_constant, ", one hash");
	hot_ones_make_room(16);
	hot_ones_make_room(19);
	hot_ones_make_room(40);
	hot_ones_make_room(63);
	hot_ones_make_room(64);
	hot_ones_make_room(500);
	what_evicts_nothing();
	each_is_told_of();
	the_table_is_cut();
	a_count_too_high_lets_nothing_grow();
	grows_while_it_evicts();
	evicts_while_it_moves();
	units_come_back();
	expired_is_not_evicted();
	reminders_go();
	held_ones_stay_valid();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
