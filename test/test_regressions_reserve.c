/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Defects that were found in rcumap_reserve() and in growing, and must not come back. What a caller waits for is driven by hand
 * where it can be: the test is the reclaimer. A wait that never ends is ended by the team's watchdog.
 */
#include "bare_fixture.h"
#include "fault/default_allocator.h"
#include "protocol/load.h"

#include <sched.h>

static void stop_and_destroy(struct rcumap *map)
{
	bool paused = map->section->pause();

	reclaimer_stop(map);
	map->section->resume(paused);
	map_free(map);
}

static void put_and_delete(struct rcumap *map, uint64_t keys)
{
	for (uint64_t n = 0; n < keys; n++)
		fixture_put(map, n, 0, 24);
	bare_resize(map);
	for (uint64_t n = 0; n < keys; n++)
		fixture_delete(map, n);
}

/* One thread in rcumap_reserve(), or several. */
struct reserve {
	struct rcumap *map;
	uint64_t capacity;
	int result[8];
	_Atomic unsigned returned;
	struct team *team;
};

static void reserve_once(struct team_member *me)
{
	struct reserve *r = me->ctx;

	r->result[me->index] = rcumap_reserve(r->map, r->capacity);
	atomic_fetch_add(&r->returned, 1);
}

static void reserve_start(struct reserve *r, struct rcumap *map, uint64_t capacity, unsigned threads)
{
	struct team_options options = { .threads = threads,
					.work = reserve_once,
					.ctx = r,
					.register_flavor = true,
					.flavor = fixture_flavor,
					.watchdog_s = TEST_WATCHDOG_S };

	memset(r, 0, sizeof *r);
	r->map = map;
	r->capacity = capacity;
	r->team = team_start(&options);
}

static void reserve_join(struct reserve *r)
{
	flavor_offline(fixture_flavor);
	team_join(r->team);
	flavor_online(fixture_flavor);
}

static unsigned waiting(struct rcumap *map)
{
	unsigned n = 0;

	pthread_mutex_lock(&map->reclaimer.lock);
	for (const struct reclaimer_wish *wish = map->reclaimer.wishes; wish; wish = wish->next)
		n++;
	pthread_mutex_unlock(&map->reclaimer.lock);
	return n;
}

/* Until so many wait, or have returned. */
static void await(struct reserve *r, unsigned threads)
{
	while (waiting(r->map) + atomic_load(&r->returned) < threads) {
		flavor_quiescent(fixture_flavor);
		sched_yield();
	}
}

/* Be the reclaimer until so many have returned. */
static void drive(struct reserve *r, unsigned threads)
{
	while (atomic_load(&r->returned) < threads) {
		(void)reclaimer_resize(r->map);
		flavor_quiescent(fixture_flavor);
		sched_yield();
	}
}

/* One failure was told to one of those who waited; the others waited for ever. */
static void a_failure_is_told_to_all_who_wait(void)
{
	enum { THREADS = 4 };
	struct fault_allocator allocator;
	struct rcumap *map = bare_map_on(&allocator, 0);
	struct reserve r;
	unsigned wrong = 0;

	for (unsigned turn = 0; turn < 10; turn++) {
		reserve_start(&r, map, 100000, THREADS);
		await(&r, THREADS);
		atomic_store(&allocator.size_max, 1);
		(void)reclaimer_resize(map); /* one failure is all there is */
		reserve_join(&r);
		for (unsigned i = 0; i < THREADS; i++)
			wrong += r.result[i] != -ENOMEM;
		atomic_store(&allocator.size_max, SIZE_MAX);
	}
	is_int(wrong, 0, "%s: no memory: each of %u who wait for one size is told", fixture_name(), THREADS);
	bare_destroy(map);

	/* With a reclaimer of its own. */
	map = fault_map(&allocator, NULL);
	atomic_store(&allocator.size_max, 1);
	for (unsigned turn = 0; turn < 10; turn++) {
		reserve_start(&r, map, 100000, THREADS);
		reserve_join(&r);
		for (unsigned i = 0; i < THREADS; i++)
			wrong += r.result[i] != -ENOMEM;
	}
	is_int(wrong, 0, "%s: likewise by the map's own thread", fixture_name());
	fixture_destroy(map);
}

/* The reclaimer told the size only when it had changed it itself. */
static void a_size_that_writers_made_counts(void)
{
	struct rcumap *map = bare_map(NULL);
	unsigned size = bare_size(map);
	struct reserve r;

	/* Enough for the table to stay as it is, when it is twice as large. */
	for (uint64_t n = 0; n < load_slots(size) / 2; n++)
		fixture_put(map, n, 0, 24);
	map->section->lock();
	while (bare_size(map) < size + 1)
		(void)reclaimer_grow_urgently(map, tables_current(&map->tables));
	map->section->unlock();
	ok(bare_size(map) > size, "%s: writers made the table grow, and nobody else has had a turn", fixture_name());
	if (reclaimer_start(map) != 0)
		bail("reclaimer_start");
	reserve_start(&r, map, load_slots(size), 1);
	reserve_join(&r);
	is_int(r.result[0], 0, "%s: reserving the size that it has returns", fixture_name());
	stop_and_destroy(map);
}

/* The table was as large as asked, but on its way to half of that. */
static void a_table_that_shrinks_is_not_taken_for_what_it_was(void)
{
	const uint64_t capacity = 1000;
	struct rcumap *map = bare_map(NULL);
	struct reserve r;
	struct table *large;
	unsigned size = table_size_for(capacity), newest;

	put_and_delete(map, capacity);
	large = tables_current(&map->tables);
	is_int(large->size, size, "%s: a table that was filled and emptied", fixture_name());
	(void)reclaimer_resize(map);
	ok(table_next(large) && table_next(large)->size < size, "%s: has begun to shrink", fixture_name());

	reserve_start(&r, map, capacity, 1);
	await(&r, 1);
	drive(&r, 1);
	reserve_join(&r);
	is_int(r.result[0], 0, "%s: its size is reserved meanwhile", fixture_name());
	for (newest = bare_size(map); reclaimer_resize(map);)
		newest = bare_size(map) < newest ? bare_size(map) : newest;
	ok(newest >= size && bare_size(map) >= size, "%s: then the table has it, and keeps it", fixture_name());
	bare_destroy(map);
}

/* What one had been granted was the other's to lose. */
static void one_failure_does_not_take_back_anothers_success(void)
{
	const uint64_t modest = 2000, huge = 100000000;
	struct fault_allocator allocator;
	struct rcumap *map = bare_map_on(&allocator, 0);
	unsigned size = table_size_for(modest);
	struct reserve one, other;

	reserve_start(&one, map, huge, 1);
	await(&one, 1);
	while (bare_size(map) < size)
		(void)reclaimer_resize(map);
	reserve_start(&other, map, modest, 1);
	drive(&other, 1); /* nothing is migrated further than need be: it may have returned at once */
	reserve_join(&other);
	is_int(other.result[0], 0, "%s: one reserves a modest size", fixture_name());
	atomic_store(&allocator.size_max, 1000);
	drive(&one, 1);
	reserve_join(&one);
	is_int(one.result[0], -ENOMEM, "%s: another fails to reserve a huge one", fixture_name());
	bare_resize(map);
	atomic_store(&allocator.size_max, SIZE_MAX);
	bare_resize(map);
	ok(bare_size(map) >= size, "%s: the table does not shrink below the first", fixture_name());
	bare_destroy(map);
	ok(fault_settled(&allocator), "%s: all is given back", fixture_name());
}

static uint64_t memory_peak_kib(void)
{
	char line[256];
	unsigned long long kib = 0;
	FILE *file = fopen("/proc/self/status", "r");

	while (file && fgets(line, sizeof line, file))
		if (sscanf(line, "VmHWM: %llu", &kib) == 1)
			break;
	if (file)
		fclose(file);
	return kib;
}

/* It was mapped without being reserved, and touched: the process was killed. */
static void a_capacity_that_no_machine_has_is_refused(void)
{
	struct rcumap_options options = { .size = sizeof options,
					  .capacity = UINT64_C(1000000000000),
					  .flavor = flavor_rcu(fixture_flavor) };
	int64_t mapped = default_allocator_mapped();
	struct rcumap *map = (struct rcumap *)&options;
	uint64_t peak;

	if (overcommits_always()) {
		skip(7, "this kernel grants everything");
		return;
	}
	peak = memory_peak_kib();
	is_int(rcumap_create(&map, &options), -ENOMEM, "%s: a map for 10^12 entries is refused", fixture_name());
	ok(map == (struct rcumap *)&options, "%s: nothing is written", fixture_name());
	ok(memory_peak_kib() < peak + 65536, "%s: nor touched", fixture_name());
	is_int(default_allocator_mapped(), mapped, "%s: nothing is left", fixture_name());

	/* Nor does a map that there is double towards it, filling the machine on the way. */
	map = fixture_map(NULL);
	is_int(rcumap_reserve(map, options.capacity), -ENOMEM, "%s: reserving 10^12 is refused", fixture_name());
	is_int(fixture_stats(map).grown, 0, "%s: without a first step", fixture_name());
	ok(memory_peak_kib() < peak + 65536, "%s: nor is anything touched", fixture_name());
	fixture_destroy(map);
}

/* Each writer who had met a long chain made the table grow once more. */
static void many_who_saw_one_long_chain_grow_the_table_once(void)
{
	struct rcumap *map = bare_map(NULL);
	struct table *seen = tables_current(&map->tables);
	unsigned size = seen->size, begun = 0;

	map->section->lock();
	for (unsigned writer = 0; writer < 20; writer++)
		begun += reclaimer_grow_urgently(map, seen) == 0;
	is_int(begun, 1, "%s: of 20 writers who saw one table with a long chain one makes it grow", fixture_name());
	is_int(bare_size(map), size + 1, "%s: once", fixture_name());
	ok(table_next(tables_current(&map->tables)) == NULL, "%s: and no more is under way", fixture_name());
	map->section->unlock();
	bare_destroy(map);
}

/* The reclaimer waited for a helper who was parked while he held the list of ready blocks, and did nothing else. */
static void a_parked_helper_does_not_stop_growth(void)
{
	struct rcumap *map = bare_map(NULL);
	struct reserve r;

	fixture_put(map, 1, 0, 24);
	fixture_put(map, 1, 1, 24); /* something to give back */
	atomic_store(&map->retire.popping, true);
	if (reclaimer_start(map) != 0)
		bail("reclaimer_start");
	for (uint64_t capacity = 1000; capacity <= 16000; capacity *= 4) {
		reserve_start(&r, map, capacity, 1);
		reserve_join(&r);
		is_int(r.result[0], 0, "%s: %llu entries are reserved while a helper is parked", fixture_name(),
		       (unsigned long long)capacity);
	}
	is_int(fixture_stats(map).reclaimed, 0, "%s: what he holds up is not given back", fixture_name());
	atomic_store(&map->retire.popping, false);
	is_int(rcumap_barrier(map), 0, "%s: when he goes on", fixture_name());
	is_int(fixture_stats(map).reclaimed, 1, "%s: it is", fixture_name());
	stop_and_destroy(map);
}

static void test(void)
{
	a_failure_is_told_to_all_who_wait();
	a_size_that_writers_made_counts();
	a_table_that_shrinks_is_not_taken_for_what_it_was();
	one_failure_does_not_take_back_anothers_success();
	a_capacity_that_no_machine_has_is_refused();
	many_who_saw_one_long_chain_grow_the_table_once();
	a_parked_helper_does_not_stop_growth();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
