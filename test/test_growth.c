/* SPDX-License-Identifier: BSD-2-Clause */
/* Growing and shrinking in the background, while readers look: what stays in the map stays found. */
#include "fixture.h"

#define PINNED 500u

struct context {
	struct rcumap *map;
	uint64_t keys;
	_Atomic uint64_t finds;	 /* of all readers */
	_Atomic uint64_t missed; /* a pinned key that was not found, or found changed */
	_Atomic uint64_t torn;	 /* another key found with what is not its value */
	_Atomic uint64_t writers_done;
};

/* Pinned keys have numbers from the top, spread over the whole table. */
static uint64_t pinned(uint64_t i)
{
	return UINT64_MAX - i;
}

static void read_all_along(struct team_member *me)
{
	struct context *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 1, me->index);
	for (uint64_t t = 0; !team_stopping(me); t++) {
		uint64_t i = rng_below(&rng, PINNED), turn = 0;
		int other;

		if (fixture_check(c->map, pinned(i), &turn) != 0 || turn != i)
			atomic_fetch_add(&c->missed, 1);
		other = fixture_check(c->map, rng_below(&rng, c->keys), NULL);
		if (other != 0 && other != -ENOENT)
			atomic_fetch_add(&c->torn, 1);
		atomic_fetch_add_explicit(&c->finds, 1, memory_order_relaxed);
		if (t % 16 == 0)
			flavor_quiescent(fixture_flavor);
	}
}

static bool is_small_again(void *ctx)
{
	const struct context *c = ctx;
	struct rcumap_stats s = fixture_stats(c->map);

	/* It shrinks as long as it is less than a tenth full. */
	return s.table_slots <= PINNED * 10;
}

/* It grows as long as it is more than five sixths full. */
static bool is_large_enough(void *ctx)
{
	const struct context *c = ctx;
	struct rcumap_stats s = fixture_stats(c->map);

	return s.entries * 6 <= s.table_slots * 5;
}

static struct team *start_readers(struct context *c, unsigned threads)
{
	struct team_options options = { .threads = threads,
					.work = read_all_along,
					.ctx = c,
					.register_flavor = true,
					.flavor = fixture_flavor,
					.watchdog_s = TEST_WATCHDOG_S };

	return team_start(&options);
}

static void stop_readers(struct team *team)
{
	team_stop(team);
	flavor_offline(fixture_flavor);
	team_join(team);
	flavor_online(fixture_flavor);
}

static void grows_and_shrinks_under_readers(void)
{
	struct context c = { .map = fixture_map(NULL), .keys = fixture_scaled(300000, 20000) };
	struct rcumap_stats full, empty;
	struct team *readers;
	uint64_t bad = 0, finds;

	for (uint64_t i = 0; i < PINNED; i++)
		bad += fixture_put(c.map, pinned(i), i, 24) != 0;
	readers = start_readers(&c, 2);
	for (uint64_t i = 0; i < c.keys; i++) {
		bad += fixture_put(c.map, i, i, 24 + i % 16) != 0;
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
	is_int(bad, 0, "%s: every put succeeds while the table grows", fixture_name());
	for (uint64_t i = 0; i < c.keys; i++) {
		uint64_t turn = 0;

		bad += fixture_check(c.map, i, &turn) != 0 || turn != i;
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
	is_int(bad, 0, "%s: every key is there", fixture_name());
	ok(fixture_eventually(is_large_enough, &c), "%s: the table grows", fixture_name());
	full = fixture_stats(c.map);
	ok(full.grown >= 8, "%s: the table grew %llu times", fixture_name(), (unsigned long long)full.grown);
	is_int(full.growth_failed, 0, "%s: and never failed to", fixture_name());
	is_int(full.entries, c.keys + PINNED, "%s: entries", fixture_name());

	for (uint64_t i = 0; i < c.keys; i++) {
		bad += fixture_delete(c.map, i) != 0;
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
	is_int(bad, 0, "%s: every delete succeeds", fixture_name());
	ok(fixture_eventually(is_small_again, &c), "%s: the table shrinks again", fixture_name());
	for (uint64_t i = 0; i < c.keys; i += 7)
		bad += fixture_check(c.map, i, NULL) != -ENOENT;
	is_int(bad, 0, "%s: what was deleted stays away", fixture_name());
	finds = atomic_load(&c.finds);
	stop_readers(readers);
	rcumap_barrier(c.map);
	empty = fixture_stats(c.map);
	ok(empty.shrunk > 0 && empty.table_slots < full.table_slots / 4, "%s: it shrank %llu times", fixture_name(),
	   (unsigned long long)empty.shrunk);
	ok(empty.table_bytes < full.table_bytes / 4, "%s: and takes less memory", fixture_name());
	ok(finds > 0, "%s: readers found %llu times meanwhile", fixture_name(), (unsigned long long)finds);
	is_int(c.missed, 0, "%s: a key that stays is always found", fixture_name());
	is_int(c.torn, 0, "%s: nothing else is found under a key", fixture_name());
	for (uint64_t i = 0; i < PINNED; i++)
		bad += fixture_check(c.map, pinned(i), NULL) != 0;
	is_int(bad, 0, "%s: and is there in the end", fixture_name());
	fixture_destroy(c.map);
}

/* Up and down, time and again, by several writers with keys of their own. */
static void breathe(struct team_member *me)
{
	struct context *c = me->ctx;
	uint64_t share = c->keys / 8;

	if (me->index >= 2) {
		read_all_along(me);
		return;
	}
	for (unsigned breath = 0; breath < 4; breath++) {
		for (uint64_t i = 0; i < share; i++) {
			uint64_t number = 2 * i + me->index, turn = 0;

			if (fixture_put(c->map, number, breath, 24) != 0 || fixture_check(c->map, number, &turn) != 0 ||
			    turn != breath)
				atomic_fetch_add(&c->missed, 1);
			flavor_quiescent(fixture_flavor);
		}
		for (uint64_t i = 0; i < share; i++) {
			if (fixture_delete(c->map, 2 * i + me->index) != 0)
				atomic_fetch_add(&c->missed, 1);
			flavor_quiescent(fixture_flavor);
		}
	}
	if (atomic_fetch_add(&c->writers_done, 1) == 1)
		team_stop(me->team);
}

static void breathes(void)
{
	struct context c = { .map = fixture_map(NULL), .keys = fixture_scaled(300000, 20000) };

	for (uint64_t i = 0; i < PINNED; i++)
		fixture_put(c.map, pinned(i), i, 24);
	fixture_run(4, breathe, &c);
	is_int(c.missed, 0, "%s: two writers fill and empty the map in turns: nothing is lost", fixture_name());
	is_int(c.torn, 0, "%s: nor torn", fixture_name());
	is_int(rcumap_count(c.map), PINNED, "%s: what stays is what is left", fixture_name());
	rcumap_barrier(c.map);
	is_int(fixture_stats(c.map).retired_pending, 0, "%s: all the rest is reclaimed", fixture_name());
	fixture_destroy(c.map);
}

/*
 * Filled and emptied time and again, a map needs no more than it did at first, but for free memory: at most as much as
 * the garbage of two turns took. All of one may wait at once; and that of the one before, which has been given back, may still rest in
 * arrays that nobody may take from yet (memory/slab.h). What is lost in each turn adds up to more.
 */
static void memory_is_flat(void)
{
	struct rcumap *map = fixture_map(NULL);
	const uint64_t keys = fixture_scaled(20000, 1000);
	uint64_t full = 0, early = 0, late = UINT64_MAX, wrong = 0;

	for (unsigned cycle = 0; cycle < 80; cycle++) {
		uint64_t bytes;

		for (uint64_t i = 0; i < keys; i++) {
			wrong += fixture_put(map, i + cycle * 7, cycle, 24 + i % 100) != 0;
			flavor_quiescent(fixture_flavor);
		}
		if (cycle == 0)
			full = fixture_stats(map).memory_bytes;
		for (uint64_t i = 0; i < keys; i++) {
			wrong += fixture_delete(map, i + cycle * 7) != 0;
			flavor_quiescent(fixture_flavor);
		}
		rcumap_barrier(map);
		bytes = fixture_stats(map).memory_bytes;
		if (cycle < 5 && bytes > early)
			early = bytes;
		if (cycle >= 75 && bytes < late)
			late = bytes;
	}
	is_int(wrong, 0, "%s: a map is filled and emptied eighty times", fixture_name());
	if (!ok(late <= early + 2 * full, "%s: memory is flat", fixture_name()))
		diag("at most %llu bytes in the first five turns, %llu when full, at least %llu in the last",
		     (unsigned long long)early, (unsigned long long)full, (unsigned long long)late);
	fixture_destroy(map);
}

static void test(void)
{
	memory_is_flat();
	grows_and_shrinks_under_readers();
	breathes();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
