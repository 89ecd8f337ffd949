/* SPDX-License-Identifier: BSD-2-Clause */
/* map/reclaimer: the parts of its turn, one at a time, on maps without a thread; and writers who help. */
#include "bare_fixture.h"
#include "protocol/load.h"

static unsigned put_keys(struct rcumap *map, uint64_t from, uint64_t to)
{
	unsigned failed = 0;

	for (uint64_t n = from; n < to; n++)
		failed += fixture_put(map, n, 0, 24) != 0;
	return failed;
}

static unsigned missing(struct rcumap *map, uint64_t from, uint64_t to)
{
	unsigned n = 0;

	for (uint64_t k = from; k < to; k++)
		n += fixture_check(map, k, NULL) != 0;
	return n;
}

/* ------------------------------------------------------------------ resizing */

static void grows_and_shrinks_to_fit(void)
{
	struct rcumap *map = bare_map(NULL);
	const uint64_t keys = 3000;
	unsigned turns = 0, size;

	ok(!reclaimer_resize(map), "%s: an empty map has its size", fixture_name());
	is_int(bare_size(map), SIZE_FIRST, "%s: the smallest", fixture_name());
	is_int(put_keys(map, 0, keys), 0, "%s: entries are put", fixture_name());
	while (reclaimer_resize(map))
		turns++;
	ok(turns > 0, "%s: the table grows, in %u turns", fixture_name(), turns);
	size = bare_size(map);
	ok(!load_must_grow(keys, size), "%s: until it is large enough", fixture_name());
	is_int(map->reclaimer.size_now, size, "%s: which is told", fixture_name());
	is_int(missing(map, 0, keys), 0, "%s: nothing is lost", fixture_name());
	ok(!reclaimer_resize(map), "%s: then it stays", fixture_name());
	for (uint64_t n = 20; n < keys; n++)
		fixture_delete(map, n);
	bare_resize(map);
	ok(bare_size(map) < size && (bare_size(map) == SIZE_FIRST || !load_may_shrink(20, bare_size(map))),
	   "%s: it shrinks when most are gone", fixture_name());
	is_int(map->reclaimer.size_now, bare_size(map), "%s: which is told", fixture_name());
	is_int(missing(map, 0, 20), 0, "%s: nothing is lost", fixture_name());
	bare_destroy(map);
}

static void never_below_what_was_reserved(void)
{
	struct rcumap *map = bare_map_on(NULL, 2000);
	unsigned size = bare_size(map);

	is_int(size, table_size_for(2000), "%s: a capacity is there from the start", fixture_name());
	bare_resize(map);
	is_int(bare_size(map), size, "%s: it stays, though the map is empty", fixture_name());
	put_keys(map, 0, 10000);
	bare_resize(map);
	ok(bare_size(map) > size, "%s: it grows beyond", fixture_name());
	for (uint64_t n = 0; n < 10000; n++)
		fixture_delete(map, n);
	bare_resize(map);
	is_int(bare_size(map), size, "%s: and shrinks to it, no further", fixture_name());
	bare_destroy(map);
}

static void a_wish_makes_it_grow(void)
{
	struct rcumap *map = bare_map(NULL);
	struct reclaimer_wish wish = { .size = SIZE_FIRST + 4 };

	map->reclaimer.wishes = &wish;
	bare_resize(map);
	is_int(bare_size(map), wish.size, "%s: the table grows as large as somebody wishes", fixture_name());
	is_int(wish.error, 0, "%s: without error", fixture_name());
	map->reclaimer.wishes = NULL;
	bare_resize(map);
	is_int(bare_size(map), SIZE_FIRST, "%s: a wish that was dropped binds nobody", fixture_name());
	bare_destroy(map);
}

static void without_memory_it_does_not_grow(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = bare_map_on(&allocator, 0);
	struct reclaimer_wish wish = { .size = SIZE_FIRST + 4 }, met = { .size = SIZE_FIRST, .next = &wish };

	map->reclaimer.wishes = &met;
	fault_arm(1, FAULT_NULL);
	ok(!reclaimer_resize(map), "%s: without memory there is nothing more to do", fixture_name());
	ok(fault_disarm(), "%s: an allocation failed", fixture_name());
	is_int(map->reclaimer.resize_error, -ENOMEM, "%s: which is kept", fixture_name());
	is_int(wish.error, -ENOMEM, "%s: and told to whoever wishes more", fixture_name());
	is_int(met.error, 0, "%s: not to him who has what he wished", fixture_name());
	is_int(fixture_stats(map).growth_failed, 1, "%s: and counted", fixture_name());
	is_int(bare_size(map), SIZE_FIRST, "%s: the table is as it was", fixture_name());
	wish.error = 0;
	bare_resize(map);
	is_int(bare_size(map), wish.size, "%s: with memory it grows", fixture_name());
	is_int(map->reclaimer.resize_error, 0, "%s: the error is forgotten", fixture_name());
	map->reclaimer.wishes = NULL;
	bare_destroy(map);
	ok(fault_settled(&allocator), "%s: all is given back", fixture_name());
}

static void old_tables_are_given_back(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = bare_map_on(&allocator, 0);
	int64_t before;

	put_keys(map, 0, 500);
	bare_resize(map);
	before = atomic_load(&allocator.bytes);
	ok(reclaimer_take(map), "%s: tables that were left are retired", fixture_name());
	is_int(atomic_load(&allocator.bytes), before, "%s: and stay while somebody may read them", fixture_name());
	ok(reclaimer_give_back(map), "%s: a grace period later", fixture_name());
	ok(atomic_load(&allocator.bytes) < before, "%s: they are freed", fixture_name());
	is_int(missing(map, 0, 500), 0, "%s: nothing is lost", fixture_name());
	bare_destroy(map);
	ok(fault_settled(&allocator), "%s: all is given back", fixture_name());
}

/* ------------------------------------------------------------------ urgent growth */

static void writers_grow_a_map_by_themselves(void)
{
	struct rcumap *map = bare_map(NULL);
	const uint64_t keys = fixture_scaled(20000, 2000);
	struct rcumap_stats stats;

	is_int(put_keys(map, 0, keys), 0, "%s: without a reclaimer every put succeeds", fixture_name());
	stats = fixture_stats(map);
	ok(stats.grown > 3, "%s: writers made the table grow %llu times", fixture_name(),
	   (unsigned long long)stats.grown);
	ok(stats.overflow_lines * LINE_SLOTS < 4 * keys, "%s: chains stay short", fixture_name());
	is_int(missing(map, 0, keys), 0, "%s: nothing is lost", fixture_name());
	bare_destroy(map);
}

static void urgent_growth_is_bounded_work(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = bare_map_on(&allocator, 1000);
	struct table *table = tables_current(&map->tables);
	uint32_t value = wake_value(&map->reclaimer.wake);
	uint64_t swept;

	map->section->lock();
	fault_arm(1, FAULT_NULL);
	is_int(reclaimer_grow_urgently(map, table), -ENOMEM, "%s: no memory to grow", fixture_name());
	ok(fault_disarm() && !table_next(table), "%s: nothing has begun", fixture_name());
	is_int(reclaimer_grow_urgently(map, table), 0, "%s: growth begins", fixture_name());
	ok(table_next(table) && table_next(table)->size == table->size + 1, "%s: into a table of the next size",
	   fixture_name());
	ok(wake_value(&map->reclaimer.wake) != value, "%s: the reclaimer is woken", fixture_name());
	is_int(table->swept, 0, "%s: no bucket is migrated yet", fixture_name());
	is_int(reclaimer_grow_urgently(map, table), -EBUSY, "%s: the next one is told that it is under way",
	       fixture_name());
	swept = table->swept;
	ok(swept > 0 && swept < table_buckets(table), "%s: and migrates %llu buckets of %llu", fixture_name(),
	   (unsigned long long)swept, (unsigned long long)table_buckets(table));
	map->section->unlock();
	bare_resize(map);
	bare_destroy(map);
	ok(fault_settled(&allocator), "%s: all is given back", fixture_name());
}

/* ------------------------------------------------------------------ taking and giving back */

static void nothing_to_take(void)
{
	struct rcumap *map = bare_map(NULL);

	ok(!reclaimer_take(map), "%s: an empty map has nothing to take", fixture_name());
	ok(reclaimer_give_back(map), "%s: nor to give back", fixture_name());
	put_keys(map, 0, 1);
	ok(!reclaimer_take(map), "%s: what was put is not retired", fixture_name());
	ok(reclaimer_give_back(map), "%s: nor given back", fixture_name());
	bare_destroy(map);
}

static void what_is_retired_is_given_back(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = bare_map_on(&allocator, 1000);
	struct rcumap_stats stats;
	int64_t blocks;

	put_keys(map, 0, 100);
	blocks = atomic_load(&allocator.blocks);
	put_keys(map, 0, 50);
	for (uint64_t n = 50; n < 100; n++)
		fixture_delete(map, n);
	stats = fixture_stats(map);
	ok(stats.retired_pending == 100 && stats.reclaimed == 0, "%s: 100 entries are retired", fixture_name());
	ok(reclaimer_take(map), "%s: they are taken", fixture_name());
	is_int(fixture_stats(map).reclaimed, 0, "%s: that reclaims nothing yet", fixture_name());
	ok(atomic_load(&allocator.blocks) >= blocks + 50, "%s: nor frees", fixture_name());
	fixture_put(map, 0, 1, 24); /* retired after the take */
	ok(reclaimer_give_back(map), "%s: a grace period later", fixture_name());
	stats = fixture_stats(map);
	ok(stats.reclaimed == 100 && stats.retired_pending == 1, "%s: they are given back, and no later one",
	   fixture_name());
	bare_reclaim(map);
	is_int(fixture_stats(map).reclaimed, 101, "%s: that is with the next batch", fixture_name());
	is_int(atomic_load(&allocator.blocks), blocks - 50, "%s: all of it to the allocator", fixture_name());
	bare_destroy(map);
	ok(fault_settled(&allocator), "%s: all is given back", fixture_name());
}

struct reasons {
	struct rcumap *map;
	unsigned seen[RETIRE_REASON_MAX + 1], sizes_wrong;
};

static void count_reason(void *ctx, void *unlinked, unsigned reason, size_t size)
{
	struct reasons *reasons = ctx;

	reasons->seen[reason]++;
	reasons->sizes_wrong += size != entry_size_of(unlinked);
	memory_free(&reasons->map->memory, &reasons->map->reclaimer.freer, unlinked, size);
}

static void what_is_retired_has_its_reason(void)
{
	struct reasons reasons = { .map = bare_map(NULL) };
	struct rcumap *map = reasons.map;
	struct log_batch batch;

	(void)put_keys(map, 0, 10);
	(void)put_keys(map, 0, 4);
	for (uint64_t n = 0; n < 3; n++)
		(void)fixture_delete(map, n);
	(void)rcumap_clear(map);
	(void)retire_take(&map->retire, &batch);
	(void)retire_ready(&map->retire, &batch);
	while (retire_reclaim(&map->retire, &map->memory, &map->reclaimer.freer, count_reason, &reasons))
		;
	is_int(reasons.sizes_wrong, 0, "%s: each is told of with its size", fixture_name());
	is_int(reasons.seen[RCUMAP_REPLACED], 4, "%s: replaced", fixture_name());
	is_int(reasons.seen[RCUMAP_DELETED], 3, "%s: deleted", fixture_name());
	is_int(reasons.seen[RCUMAP_CLEARED], 7, "%s: cleared", fixture_name());
	bare_destroy(map);
}

static void barriers_are_done_after_their_batch(void)
{
	struct rcumap *map = bare_map(NULL);
	struct reclaimer *reclaimer = &map->reclaimer;

	put_keys(map, 0, 1);
	put_keys(map, 0, 1);
	atomic_store(&reclaimer->barriers_wanted, 1);
	(void)reclaimer_take(map);
	is_int(reclaimer->barriers_done, 0, "%s: a barrier is not done when its batch is taken", fixture_name());
	put_keys(map, 0, 1);
	atomic_store(&reclaimer->barriers_wanted, 2);
	(void)reclaimer_give_back(map);
	is_int(reclaimer->barriers_done, 1, "%s: but when it was given back; not the one that came later",
	       fixture_name());
	(void)reclaimer_take(map);
	(void)reclaimer_give_back(map);
	is_int(reclaimer->barriers_done, 2, "%s: which is done with the next", fixture_name());
	atomic_store(&reclaimer->barriers_wanted, 3);
	ok(!reclaimer_take(map) && reclaimer_give_back(map), "%s: with nothing retired", fixture_name());
	is_int(reclaimer->barriers_done, 3, "%s: a barrier is done at once", fixture_name());
	bare_destroy(map);
}

/* ------------------------------------------------------------------ writers who help */

static void count_away(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	(void)ctx;
	(void)entry;
	(void)reason;
}

/* `entries` were deleted, and their grace period has ended. How many stores it takes until none is left; UINT_MAX: more than there were. */
static unsigned stores_until_given(const struct rcumap_options *options, unsigned entries)
{
	struct rcumap *map = bare_map(options);
	unsigned stores = 0;

	put_keys(map, 0, entries);
	for (uint64_t n = 0; n < entries; n++)
		(void)fixture_delete(map, n);
	(void)reclaimer_take(map);
	if (!retire_ready(&map->retire, &map->reclaimer.batch))
		bail("somebody holds the list");
	while (retire_unreclaimed(&map->retire) && stores <= entries)
		fixture_put(map, entries + stores++, 0, 24);
	if (retire_unreclaimed(&map->retire))
		stores = UINT_MAX;
	(void)reclaimer_give_back(map); /* what else was taken */
	bare_destroy(map);
	return stores;
}

/* Who takes memory gives some back first. */
static void stores_give_back_what_is_ready(void)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.max_bytes = 4 * RCUMAP_MAX_BYTES_MIN;
	is_int(stores_until_given(&options, 200), 100, "%s: max_bytes: each store gives back two of those that are ready",
	       fixture_name());
	options.removed = count_away;
	is_int(stores_until_given(&options, 200), UINT_MAX, "%s: none where a callback is told", fixture_name());
}

/* Replace one entry until some twenty more blocks of retired ones are there than at the least. */
static void retire_twenty_blocks(struct rcumap *map)
{
	uint64_t least = retire_blocks(&map->retire), now = least;

	while (now < least + 20) {
		fixture_put(map, 0, now, 24);
		now = retire_blocks(&map->retire);
		least = now < least ? now : least;
	}
}

/* The reclaimer takes batches and lets them get ready, but gives nothing back: it never gets the processor. */
static void writers_help_when_it_is_late(void)
{
	struct rcumap *map = bare_map_on(NULL, 1000);
	const unsigned rounds = 50;
	uint64_t most = 0, bytes_half = 0;

	(void)reclaimer_help(map);
	is_int(fixture_stats(map).reclaimed, 0, "%s: with nothing ready there is nothing to help with", fixture_name());
	for (unsigned round = 0; round < rounds; round++) {
		retire_twenty_blocks(map);
		(void)reclaimer_take(map);
		slab_revive(&map->memory.slab, &map->reclaimer.freer);
		(void)slab_recover(&map->memory.slab, &map->reclaimer.freer, UINT_MAX);
		if (!retire_ready(&map->retire, &map->reclaimer.batch))
			bail("somebody holds the list");
		if (retire_unreclaimed(&map->retire) > most)
			most = retire_unreclaimed(&map->retire);
		if (round == rounds / 2)
			bytes_half = fixture_stats(map).memory_bytes;
	}
	ok(fixture_stats(map).reclaimed > 0, "%s: writers give back what is ready", fixture_name());
	ok(most < 200, "%s: of %u blocks no more than %llu were ever waiting", fixture_name(), 20 * rounds,
	   (unsigned long long)most);
	ok(fixture_stats(map).memory_bytes <= bytes_half + (1 << 20), "%s: memory is flat", fixture_name());
	bare_destroy(map);
}

/* ------------------------------------------------------------------ the thread */

static void the_thread_does_all_of_it(void)
{
	struct rcumap *map = bare_map(NULL);
	unsigned before = fixture_threads_at_rest();
	bool paused;

	put_keys(map, 0, 2000);
	put_keys(map, 0, 1000);
	is_int(reclaimer_start(map), 0, "%s: it starts on a map that was in use before", fixture_name());
	is_int(rcumap_barrier(map), 0, "%s: a barrier is done", fixture_name());
	ok(fixture_stats(map).retired_pending == 0, "%s: what was retired before it started is given back",
	   fixture_name());
	is_int(rcumap_reserve(map, 10000), 0, "%s: it grows the table", fixture_name());
	for (uint64_t n = 0; n < 2000; n++)
		fixture_delete(map, n);
	paused = map->section->pause();
	reclaimer_stop(map);
	map->section->resume(paused);
	is_int(fixture_stats(map).retired_pending, 0, "%s: it gives everything back before it stops", fixture_name());
	ok(fixture_eventually(fixture_threads_are, &before), "%s: and takes the grace-period thread along",
	   fixture_name());
	map_free(map);
}

static void test(void)
{
	grows_and_shrinks_to_fit();
	never_below_what_was_reserved();
	a_wish_makes_it_grow();
	without_memory_it_does_not_grow();
	old_tables_are_given_back();
	writers_grow_a_map_by_themselves();
	urgent_growth_is_bounded_work();
	nothing_to_take();
	what_is_retired_is_given_back();
	what_is_retired_has_its_reason();
	barriers_are_done_after_their_batch();
	stores_give_back_what_is_ready();
	writers_help_when_it_is_late();
	the_thread_does_all_of_it();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
