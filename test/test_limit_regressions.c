/* SPDX-License-Identifier: BSD-2-Clause */
/* Defects that were found in maps with max_bytes, and must not come back. */
#include "evict_fixture.h"

#include "map/spare.h"

#define LIMIT RCUMAP_MAX_BYTES_MIN
#define KEYS 16u

static struct fault_allocator allocator;

static struct rcumap_options bytes_options(void)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.max_bytes = LIMIT;
	options.wait_ms = RCUMAP_WAIT_NONE;
	options.capacity = 4096; /* no table grows meanwhile */
	return options;
}

static int put(struct rcumap *map, uint64_t key, size_t size, uint64_t ttl_ms)
{
	static const char value[2 * LIMIT];

	return rcumap_put(map, &key, sizeof key, value, size, ttl_ms, NULL);
}

/* ------------------------------------------------------------------ records of who is refused */

static uint64_t left_of(const struct quota *quota)
{
	return quota->limit - quota_used(quota);
}

/* On an allocator of the user's each byte counts as it was asked for. All is used but `left` bytes. */
static void use_all_but(struct rcumap *map, uint64_t left)
{
	const struct quota *held = &map->memory.budget.held;
	const size_t head = entry_size(sizeof(uint64_t), 0, false) + RECORD_BYTES;
	uint64_t key = 1000;

	while (left_of(held) > left + 2 * 1024)
		if (put(map, key++, 1024 - head, RCUMAP_TTL_NEVER) != 0)
			bail("a put that fits");
	if (put(map, key, left_of(held) - left - head, RCUMAP_TTL_NEVER) != 0 || left_of(held) != left)
		bail("the last put that fits");
}

/* The cell of a record was secured first, and lost with each store that was refused for want of its reminder: blocks of records
 * beyond any limit, until a reader's stall ended. */
static void refused_stores_take_no_records(void)
{
	struct rcumap_options options = bytes_options();
	uint64_t bytes, refused = 0;

	fault_init(&allocator);
	options.allocator = fault_allocator(&allocator);

	struct rcumap *map = bare_map(&options);

	for (uint64_t key = 0; key < KEYS; key++)
		put(map, key, 8, RCUMAP_TTL_NEVER);
	use_all_but(map, entry_size(sizeof(uint64_t), 8, true) + RECORD_BYTES);
	bytes = fixture_stats(map).memory_bytes;
	for (uint64_t i = 0; i < 20000; i++)
		refused += put(map, i % KEYS, 8, 1000000) == -ENOSPC;
	is_int(refused, 20000, "there is room for an entry, and none for its reminder");
	is_int(fixture_stats(map).memory_bytes, bytes, "20000 stores that are refused take nothing");
	ok(allocator.bytes_peak <= (int64_t)LIMIT, "the limit is kept");
	bare_destroy(map);
	ok(fault_settled(&allocator), "every byte is given back");
}

/* ------------------------------------------------------------------ reminders in a map in which nothing is stored */

static bool all_expired(void *ctx)
{
	struct rcumap *map = ctx;

	return fixture_stats(map).entries == 0;
}

static int touch(struct rcumap *map, uint64_t key, uint64_t ttl_ms)
{
	int error = -ENOSPC;

	/* With qsbr it does not wait by itself. */
	for (unsigned i = 0; i < 20 && error == -ENOSPC; i++) {
		error = rcumap_touch(map, &key, sizeof key, ttl_ms);
		if (error == -ENOSPC)
			rcumap_barrier(map);
	}
	return error;
}

/* Reminders filled what was kept free, and stores alone evicted: each touch waited for its time, and was refused, and the reclaimer
 * could file no reminder any more, so that nothing expired. */
static void touches_go_on(void)
{
	struct rcumap_options options = { .max_bytes = LIMIT };
	struct rcumap *map = fixture_map(&options);
	uint64_t refused = 0, ttl_ms = 3600000;

	/* Slowly, so that no more is kept free than must be. */
	for (uint64_t key = 0; key < 1600; key++) {
		if (put(map, key, 500, ttl_ms) != 0)
			bail("a put that fits");
		if (key % 10 == 0)
			rcumap_barrier(map);
	}
	for (unsigned turn = 0; turn < 30 && !refused; turn++)
		for (uint64_t key = 0; key < 1600 && !refused; key++) {
			refused += touch(map, key, --ttl_ms) == -ENOSPC;
			if (key % 50 == 0)
				rcumap_barrier(map);
		}
	is_int(refused, 0, "%s: no touch is refused while there is anything to evict", fixture_name());
	ok(fixture_stats(map).entries > 100, "%s: most of them live on", fixture_name());
	for (uint64_t key = 0; key < 1600 && !refused; key++)
		refused += touch(map, key, 500) == -ENOSPC;
	is_int(refused, 0, "%s: likewise to the end", fixture_name());
	ok(fixture_eventually(all_expired, map), "%s: all expire, without any store", fixture_name());
	fixture_destroy(map);
}

/* The first reminder for which the reclaimer had no block kept all behind it from being looked at. */
static bool half_expired(void *ctx)
{
	struct rcumap *map = ctx;

	return fixture_stats(map).expiring <= 200;
}

static void expiry_goes_on_without_room(void)
{
	struct rcumap_options options = { .max_bytes = LIMIT };
	struct rcumap *map = fixture_map(&options);
	uint64_t taken = 0;

	for (uint64_t key = 0; key < 1000; key++)
		put(map, key, 500, RCUMAP_TTL_NEVER);
	rcumap_barrier(map);
	for (uint64_t key = 0; key < 400; key++)
		if (put(map, key, 8, key % 2 ? 300 : 3600000) != 0)
			bail("a put that fits");
	rcumap_barrier(map);
	/* As overflow lines may, until another table takes their place. */
	for (uint64_t n = LIMIT; n; n /= 2)
		while (budget_take(&map->memory.budget, MEMORY_STRUCTURE, n))
			taken += n;
	ok(fixture_eventually(half_expired, map), "%s: what has expired goes, though there is no room for reminders",
	   fixture_name());
	budget_give(&map->memory.budget, MEMORY_STRUCTURE, taken);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ what is not given back */

static uint64_t batches_of(struct rcumap *map)
{
	pthread_mutex_lock(&map->reclaimer.lock);

	uint64_t batches = map->spare.batches;

	pthread_mutex_unlock(&map->reclaimer.lock);
	return batches;
}

/* Each turn of the reclaimer that found nothing to give back woke all who waited, and they it; and brought up what is kept free. */
static void nothing_given_wakes_nobody(void)
{
	struct rcumap_options options = { .max_bytes = LIMIT, .wait_ms = 300 };
	struct rcumap *map = fixture_map(&options);
	static const struct rcumap_entry *held[20000];
	uint64_t batches;
	unsigned n = 0;

	for (uint64_t key = 0; put(map, key, 300, RCUMAP_TTL_NEVER) == 0; key++) {
		rcumap_read_lock(map);

		const struct rcumap_entry *entry = rcumap_find(map, &key, sizeof key);

		if (entry && rcumap_hold(map, entry) == 0)
			held[n++] = entry;
		rcumap_read_unlock(map);
	}
	rcumap_barrier(map);
	batches = batches_of(map);
	is_int(put(map, 1000000, 300, RCUMAP_TTL_NEVER), -ENOSPC, "%s: all is held", fixture_name());
	/* Some ten thousand, when nothing given back counted. */
	ok(batches_of(map) - batches < 1000, "%s: who waits in vain is not woken all the time", fixture_name());
	while (n)
		rcumap_release(map, held[--n]);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ what fits */

static uint64_t fund_of(struct rcumap *map)
{
	return atomic_load(&map->spare.fund);
}

/* What was kept free for the next table stayed so, if entries went and none came, and what was larger than the rest was refused. */
static void what_fits_once_fits_again(void)
{
	struct rcumap_options options = bytes_options();
	uint64_t key;

	options.capacity = 4500; /* the table does not shrink */
	fault_init(&allocator);
	options.allocator = fault_allocator(&allocator);

	struct rcumap *map = fixture_map(&options);
	const uint64_t large = map->memory.budget.live.limit - quota_charged(&map->memory.budget.live) - 4096;

	is_int(put(map, 0, large, RCUMAP_TTL_NEVER), 0, "%s: a value of most of the limit", fixture_name());
	rcumap_clear(map);
	rcumap_barrier(map);
	for (key = 0; fund_of(map) <= 75000 && key < 100000; key++) {
		put(map, key, 0, RCUMAP_TTL_NEVER);
		if (key % 100 == 0)
			rcumap_barrier(map);
	}
	ok(fund_of(map) > 75000, "%s: the next table's memory is being collected", fixture_name());
	rcumap_clear(map);
	rcumap_barrier(map);
	is_int(put(map, 0, large - 50000, RCUMAP_TTL_NEVER), 0,
	       "%s: the same value, when the map is empty again", fixture_name());
	fixture_destroy(map);
}

static uint64_t slack_of(struct rcumap *map)
{
	return atomic_load(&map->spare.slack);
}

/* What had been kept free for garbage stayed so when there was none: nobody waits for a batch who is refused for good. */
static void what_was_kept_free_is_not_lost(void)
{
	struct rcumap_options options = { .max_bytes = LIMIT, .wait_ms = 10000, .capacity = 4500 };

	fault_init(&allocator);
	options.allocator = fault_allocator(&allocator);

	struct rcumap *map = fixture_map(&options);
	const uint64_t large = map->memory.budget.live.limit - quota_charged(&map->memory.budget.live) - 4096;

	for (unsigned i = 0; i < 200 && slack_of(map) < LIMIT / 16; i++)
		put(map, 0, LIMIT / 2, RCUMAP_TTL_NEVER);
	is_int(put(map, 0, 2 * LIMIT, RCUMAP_TTL_NEVER), -EFBIG, "%s: what never fits is refused", fixture_name());
	ok(slack_of(map) >= LIMIT / 16, "%s: much is kept free for garbage", fixture_name());
	rcumap_clear(map);
	rcumap_barrier(map);
	is_int(put(map, 0, large, RCUMAP_TTL_NEVER), 0, "%s: in the empty map what fits is stored", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ what others hold */

static bool stored_at_last(struct rcumap *map, uint64_t key, size_t size)
{
	for (unsigned i = 0; i < 20; i++) {
		if (put(map, key, size, RCUMAP_TTL_NEVER) == 0)
			return true;
		rcumap_barrier(map);
	}
	return false;
}

static int64_t orphans_of(struct rcumap *map)
{
	return atomic_load(&map->memory.budget.orphans);
}

/* Entries that were removed and are held are no garbage: nothing was evicted for them, and once they took more than is kept free
 * for that all stores were refused, beside a full map. */
static void held_entries_are_evicted_for(void)
{
	enum { HELD = 16, SIZE = 10000 };
	struct rcumap_options options = bytes_options();
	struct rcumap *map = fixture_map(&options);
	const struct rcumap_entry *held[HELD];
	unsigned refused = 0;

	for (uint64_t key = 0; key < HELD; key++) {
		put(map, key, SIZE, RCUMAP_TTL_NEVER);
		rcumap_read_lock(map);
		held[key] = rcumap_find(map, &key, sizeof key);
		if (!held[key] || rcumap_hold(map, held[key]) != 0)
			bail("hold");
		rcumap_read_unlock(map);
		rcumap_delete(map, &key, sizeof key);
	}
	for (uint64_t key = 1000; key < 5000; key++)
		refused += !stored_at_last(map, key, 500);
	is_int(refused, 0, "%s: others are stored beside what is held", fixture_name());
	ok(fixture_stats(map).evicted > 0 && orphans_of(map) >= HELD * SIZE,
	   "%s: some were evicted for that", fixture_name());
	for (unsigned i = 0; i < HELD; i++)
		rcumap_release(map, held[i]);
	rcumap_clear(map);
	rcumap_barrier(map);
	is_int(orphans_of(map), 0, "%s: what was released counts no more", fixture_name());
	fixture_destroy(map);
}

/* What is held and could be found was evicted like the rest, though its memory did not come back. */
static void held_entries_stay(void)
{
	enum { HELD = 100 };
	struct rcumap_options options = bytes_options();
	struct rcumap *map = fixture_map(&options);
	const struct rcumap_entry *held[HELD];
	unsigned gone = 0;

	for (uint64_t key = 0; key < HELD; key++) {
		put(map, key, 1000, RCUMAP_TTL_NEVER);
		rcumap_read_lock(map);
		held[key] = rcumap_find(map, &key, sizeof key);
		if (!held[key] || rcumap_hold(map, held[key]) != 0)
			bail("hold");
		rcumap_read_unlock(map);
	}
	for (uint64_t key = 1000; key < 5000; key++)
		if (!stored_at_last(map, key, 1000))
			bail("a put");
	for (uint64_t key = 0; key < HELD; key++) {
		gone += rcumap_get(map, &key, sizeof key, NULL, 0, NULL, NULL) == -ENOENT;
		rcumap_release(map, held[key]);
	}
	is_int(gone, 0, "%s: while there are others to evict, what is held stays", fixture_name());
	fixture_destroy(map);
}

struct keeper {
	struct rcumap *map;
	const struct rcumap_entry *held[4 * LIMIT / 1000];
	unsigned count;
};

static void keep(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct keeper *keeper = ctx;

	if (reason == RCUMAP_EVICTED && keeper->count < sizeof keeper->held / sizeof keeper->held[0] &&
	    rcumap_hold(keeper->map, entry) == 0)
		keeper->held[keeper->count++] = entry;
}

/* Whoever holds each entry that is evicted, to write it somewhere, and does not get on with it: evicting gives no memory back. Stores
 * went on doing so until the map was empty, one of them all alone if it could wait. */
static void who_keeps_what_is_evicted_empties_no_map(void)
{
	static struct keeper keeper;
	struct rcumap_options options = { .max_bytes = 4 * LIMIT, .wait_ms = 50, .removed = keep, .removed_ctx = &keeper };
	struct rcumap *map = fixture_map(&options);
	uint64_t key = 0, before;
	unsigned refused = 0;

	keeper.map = map;
	keeper.count = 0;
	while (fixture_stats(map).evicted == 0)
		put(map, key++, 1000, RCUMAP_TTL_NEVER);
	before = rcumap_count(map);
	for (unsigned i = 0; i < 20000 && refused < 5; i++)
		refused += put(map, key++, 1000, RCUMAP_TTL_NEVER) == -ENOSPC;
	is_int(refused, 5, "%s: stores are refused when nothing comes back", fixture_name());
	ok(rcumap_count(map) > before / 2, "%s: of %llu entries %llu are left", fixture_name(), (unsigned long long)before,
	   (unsigned long long)rcumap_count(map));
	rcumap_barrier(map);
	while (keeper.count)
		rcumap_release(map, keeper.held[--keeper.count]);
	keeper.count = sizeof keeper.held / sizeof keeper.held[0]; /* no more */
	ok(stored_at_last(map, key, 1000), "%s: and stored again when it does", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ a smaller table */

/* A full map never had the memory for one, and nobody evicted for it: a table for tiny entries stayed when large ones had come. */
static void a_full_map_shrinks(void)
{
	struct rcumap_options options = { .max_bytes = 4 * LIMIT, .wait_ms = 10000 };
	struct rcumap *map = fixture_map(&options);
	uint64_t key = 0;

	while (fixture_stats(map).evicted == 0)
		put(map, key++, 8, RCUMAP_TTL_NEVER);
	for (unsigned i = 0; i < 6000 && fixture_stats(map).shrunk < 2; i++) {
		put(map, key++, 4000, RCUMAP_TTL_NEVER);
		if (i % 8 == 0)
			rcumap_barrier(map); /* slowly: nothing is kept free for garbage */
	}
	ok(fixture_stats(map).shrunk >= 2, "%s: a table that has become too large shrinks: %llu slots for %llu entries", fixture_name(),
	   (unsigned long long)fixture_stats(map).table_slots, (unsigned long long)fixture_stats(map).entries);
	fixture_destroy(map);
}

int main(void)
{
	refused_stores_take_no_records();
	fixture_each_flavor(touches_go_on);
	fixture_each_flavor(expiry_goes_on_without_room);
	fixture_each_flavor(nothing_given_wakes_nobody);
	fixture_each_flavor(what_fits_once_fits_again);
	fixture_each_flavor(what_was_kept_free_is_not_lost);
	fixture_each_flavor(held_entries_are_evicted_for);
	fixture_each_flavor(held_entries_stay);
	fixture_each_flavor(who_keeps_what_is_evicted_empties_no_map);
	fixture_each_flavor(a_full_map_shrinks);
	return tap_done();
}
