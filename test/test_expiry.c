/* SPDX-License-Identifier: BSD-2-Clause */
/* What becomes of entries when their deadline has passed: for readers, for writers, and for memory, without any access. */
#include "allocator_fixture.h"
#include "clock_fixture.h"

static struct fixture_clock the_clock;

#define KEY "key", 3

/* ------------------------------------------------------------------------------------------------ the system's clock */

/* By the clock that readers go by, however far that is behind the exact one. */
static uint64_t coarse_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * UINT64_C(1000000000) + (uint64_t)t.tv_nsec;
}

/* Each find is judged by the time before it began, and after: found when the coarse clock had come to the deadline is late,
 * absent before the exact one has is early. */
static void neither_early_nor_late(void)
{
	struct rcumap *map = fixture_map(NULL);
	const uint64_t rounds = fixture_scaled(20, 5), rounding_ns = 1000; /* of deadlines, up */
	uint64_t early = 0, late = 0, seen = 0;

	for (uint64_t round = 0; round < rounds; round++) {
		uint64_t ttl_ms = 1 + round % 25, first = now_ns(), last;

		fixture_put_text(map, "key", "value", ttl_ms);
		last = now_ns(); /* the deadline is between first and last, and the life */
		for (;;) {
			uint64_t before = coarse_ns();
			bool absent = fixture_is_absent(map, "key");
			uint64_t after = now_ns();

			if (absent) {
				early += after < first + ttl_ms * MS;
				break;
			}
			seen++;
			late += before >= last + ttl_ms * MS + rounding_ns;
			flavor_quiescent(fixture_flavor);
		}
	}
	is_int(early, 0, "%s: no entry is gone before its deadline (seen %llu times)", fixture_name(),
	       (unsigned long long)seen);
	is_int(late, 0, "%s: none is found after it, by the coarse clock", fixture_name());
	fixture_destroy(map);
}

/* Nobody accesses the map: the count falls, and all memory of the entries comes back. */
static void memory_comes_back(void)
{
	const uint64_t keys = fixture_scaled(20000, 2000);
	struct fault_allocator allocator;
	struct rcumap_options options;
	struct rcumap_stats stats;
	struct rcumap *map;
	int64_t empty, full;

	memset(&options, 0, sizeof options);
	options.capacity = keys; /* the table stays */
	map = fault_map(&allocator, &options);
	empty = allocator.bytes;
	for (uint64_t i = 0; i < keys; i++)
		fixture_put_ttl(map, i, 0, 300 + i % 100);
	full = allocator.bytes;
	ok(fixture_eventually_counts(map, 0), "%s: the count falls to 0 without any access", fixture_name());
	rcumap_barrier(map);
	ok(fixture_eventually_hints_are(map, 0), "%s: nothing reminds of them any more", fixture_name());
	stats = fixture_stats(map);
	ok(stats.expired == keys && stats.reclaimed == keys && stats.retired_pending == 0 && stats.expiring == 0 &&
		   stats.deleted == 0,
	   "%s: the counters say so", fixture_name());
	ok(allocator.bytes - empty < (full - empty) / 10, "%s: memory is back: %lld, %lld, %lld bytes", fixture_name(),
	   (long long)empty, (long long)full, (long long)allocator.bytes);
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

/* A reader who stays in his section holds back memory, and nothing else. */
static void goes_on_while_a_reader_stalls(void)
{
	const uint64_t keys = 1000;
	struct rcumap *map;
	struct fixture_target none;
	uint64_t deadline = now_ns() + UINT64_C(60000000000);
	const struct rcumap_entry *entry;

	map = fixture_map(NULL);
	none = (struct fixture_target){ map, 0 };
	for (uint64_t i = 0; i < keys; i++)
		fixture_put_ttl(map, i, 0, 200);
	fixture_put_text(map, "key", "value", 200);
	rcumap_read_lock(map);
	entry = rcumap_find(map, KEY);
	/* A qsbr thread stays online, too. */
	while (!fixture_counts(&none) && now_ns() < deadline)
		sleep_ns(1 * MS);
	is_int(rcumap_count(map), 0, "%s: entries expire while a reader stalls", fixture_name());
	ok(!entry || memcmp(rcumap_entry_value(entry), "value", 5) == 0, "%s: what he found stays", fixture_name());
	ok(fixture_stats(map).retired_pending > 0 || !entry, "%s: and is not given back", fixture_name());
	rcumap_read_unlock(map);
	rcumap_barrier(map);
	is_int(fixture_stats(map).retired_pending, 0, "%s: afterwards it is", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ a clock that jumps */

static void every_writer_finds_it_absent(void)
{
	struct rcumap *map = fixture_clock_map(&the_clock, 1000 * MS);
	uint64_t version = 0, other = 0, wrong = 0;

	/* The clock stands just behind the deadline: the reclaimer does not mind yet. */
	for (unsigned verb = 0; verb < 7; verb++) {
		wrong += rcumap_put(map, KEY, "old", 3, 10, &version) != 0;
		fixture_clock_advance(&the_clock, 11);
		switch (verb) {
		case 0:
			wrong += rcumap_delete(map, KEY) != -ENOENT;
			break;
		case 1:
			wrong += rcumap_delete_if(map, KEY, version) != -ENOENT;
			break;
		case 2:
			wrong += rcumap_replace(map, KEY, "new", 3, 10, &other) != -ENOENT;
			break;
		case 3:
			wrong += rcumap_compare_and_swap(map, KEY, version, "new", 3, 10, &other) != -ENOENT;
			break;
		case 4:
			wrong += rcumap_touch(map, KEY, HOUR_MS) != -ENOENT;
			break;
		case 5:
			wrong += rcumap_put(map, KEY, "new", 3, 0, &other) != 0 || other != 0;
			break;
		default:
			wrong += rcumap_touch(map, KEY, 0) != -ENOENT;
			break;
		}
		wrong += !fixture_is_absent(map, "key");
		/* Found absent by a writer, it does not come back. */
		the_clock.ns -= 11 * MS;
		wrong += !fixture_is_absent(map, "key");
		wrong += rcumap_touch(map, KEY, HOUR_MS) != -ENOENT;
		if (wrong)
			diag("verb %u", verb);
	}
	is_int(wrong, 0, "%s: an expired key is absent for every writer, and does not come back with the clock",
	       fixture_name());

	struct rcumap_stats before = fixture_stats(map), after;

	rcumap_put(map, KEY, "old", 3, 10, &version);
	fixture_clock_advance(&the_clock, 11);
	is_int(rcumap_put(map, KEY, "new", 3, HOUR_MS, &other), 0, "%s: a put", fixture_name());
	after = fixture_stats(map);
	/* One insert each; the first of them over what was left. */
	ok(after.inserted == before.inserted + 2 && after.replaced == before.replaced, "%s: is a fresh insert",
	   fixture_name());
	fixture_clock_advance(&the_clock, 60 * SECOND_MS);
	ok(fixture_eventually_hints_at_most(map, 1), "%s: what reminded of the old one is gone", fixture_name());
	ok(fixture_is_text(map, "key", "new") && rcumap_count(map) == 1, "%s: an expiry removes nothing newer",
	   fixture_name());
	fixture_destroy(map);
}

static void the_clock_goes_back(void)
{
	struct rcumap *map = fixture_clock_map(&the_clock, HOUR_MS * MS);

	fixture_put_text(map, "key", "value", 60 * SECOND_MS);
	fixture_put_text(map, "read", "value", SECOND_MS);
	ok(fixture_eventually_hints_are(map, 2), "%s: the reclaimer knows of them", fixture_name());
	the_clock.ns = SECOND_MS * MS;
	ok(fixture_is_text(map, "key", "value"), "%s: the clock goes back: what is there stays", fixture_name());
	fixture_put_text(map, "new", "value", 5 * SECOND_MS);
	the_clock.ns += 7 * SECOND_MS * MS;
	ok(fixture_is_absent(map, "new"), "%s: lives go by the clock as it is", fixture_name());
	ok(fixture_eventually_counts(map, 2), "%s: for memory, too", fixture_name());
	ok(fixture_is_text(map, "key", "value") && fixture_is_text(map, "read", "value"),
	   "%s: deadlines that are ahead again are waited for", fixture_name());
	the_clock.ns = (HOUR_MS + 50 * SECOND_MS) * MS;
	ok(fixture_eventually_counts(map, 1) && fixture_is_text(map, "key", "value"), "%s: one by one", fixture_name());
	the_clock.ns += 11 * SECOND_MS * MS;
	ok(fixture_eventually_counts(map, 0) && fixture_is_absent(map, "key"), "%s: to the last", fixture_name());
	the_clock.ns = 0;
	ok(fixture_is_absent(map, "key") && fixture_is_absent(map, "new"), "%s: what was taken does not come back",
	   fixture_name());
	fixture_destroy(map);
}

/* Those that expire are looked at, not those that live. */
static void work_is_proportional_to_what_expires(void)
{
	const uint64_t mortal = fixture_scaled(100000, 10000), living = fixture_scaled(1000000, 100000) / 4;
	struct rcumap *map = fixture_clock_map(&the_clock, 0);
	uint64_t calls;

	for (uint64_t i = 0; i < mortal + living; i++) {
		fixture_put_ttl(map, i, 0, i < mortal ? 10 * SECOND_MS : HOUR_MS);
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
	ok(fixture_eventually_hints_are(map, mortal + living), "%s: as many hints as entries with a deadline", fixture_name());
	is_int(fixture_stats(map).expiring, mortal + living, "%s: as many as there are", fixture_name());
	atomic_store(&the_clock.calls, 0);
	fixture_clock_advance(&the_clock, 11 * SECOND_MS);
	ok(fixture_eventually_counts(map, living), "%s: %llu entries expire among %llu that live on", fixture_name(),
	   (unsigned long long)mortal, (unsigned long long)living);
	calls = the_clock.calls;
	diag("%s: the clock was read %llu times", fixture_name(), (unsigned long long)calls);
	/* Each look reads the clock once, each turn of the reclaimer too. */
	ok(calls < 2 * mortal + mortal / 2, "%s: those that live are not looked at", fixture_name());
	/* A hint of what has expired may pass for one of a neighbour that lives (deadline.h): one in ten thousand or so. */
	ok(fixture_eventually_hints_at_most(map, living + 16) && fixture_stats(map).hints >= living,
	   "%s: a hint is left for each", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ bounds */

struct churn {
	struct rcumap *map;
	uint64_t turns; /* of each thread */
	bool overwrite; /* the same few keys; else each is deleted again */
	uint64_t keys;
	_Atomic uint64_t wrong, most_hints, most_hint_bytes, most_memory;
};

static void raise_to(_Atomic uint64_t *most, uint64_t n)
{
	uint64_t now = atomic_load(most);

	while (n > now && !atomic_compare_exchange_weak(most, &now, n))
		;
}

static void churn(struct team_member *me)
{
	struct churn *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 1, me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		uint64_t number = c->overwrite ? rng_below(&rng, c->keys) : (uint64_t)me->index << 32 | t;
		uint64_t ttl_ms = HOUR_MS + (c->overwrite ? rng_below(&rng, HOUR_MS) : 0);

		if (fixture_put_ttl(c->map, number, t, ttl_ms) != 0 ||
		    (!c->overwrite && fixture_delete(c->map, number) != 0))
			atomic_fetch_add(&c->wrong, 1);
		if (t % 256 == 0) {
			struct rcumap_stats stats = fixture_stats(c->map);

			raise_to(&c->most_hints, stats.hints);
			raise_to(&c->most_hint_bytes, stats.hint_bytes);
			raise_to(&c->most_memory, stats.memory_bytes);
		}
		flavor_quiescent(fixture_flavor);
	}
}

static void hints_are_bounded(unsigned threads, bool overwrite)
{
	struct churn c = { .map = fixture_map(NULL),
			   .turns = fixture_scaled(200000, 30000) / threads,
			   .overwrite = overwrite,
			   .keys = 1000 };
	const char *what = overwrite ? "overwritten keys" : "keys that come and go";
	uint64_t left;

	fixture_run(threads, churn, &c);
	left = rcumap_count(c.map);
	diag("%s, %u threads, %s, %llu turns each: at most %llu hints, %llu bytes for them, %llu bytes in all",
	     fixture_name(), threads, what, (unsigned long long)c.turns, (unsigned long long)c.most_hints,
	     (unsigned long long)c.most_hint_bytes, (unsigned long long)c.most_memory);
	is_int(c.wrong, 0, "%s, %u threads, %s: every call succeeds", fixture_name(), threads, what);
	is_int(left, overwrite ? c.keys : 0, "%s, %u threads, %s: entries", fixture_name(), threads, what);
	ok(c.most_hints < 2 * c.keys + 10000 + threads * 1024, "%s, %u threads, %s: never more than %llu hints",
	   fixture_name(), threads, what, (unsigned long long)c.most_hints);
	rcumap_barrier(c.map);
	ok(fixture_eventually_hints_at_most(c.map, 2 * left + 10000), "%s, %u threads, %s: few are left", fixture_name(),
	   threads, what);
	fixture_destroy(c.map);
}

/* ------------------------------------------------------------------------------------------------ no memory */

static void nothing_is_lost_without_memory(void)
{
	const uint64_t keys = fixture_scaled(20000, 2000);
	struct fault_allocator allocator;
	struct rcumap_options options;
	struct rcumap *map;
	uint64_t stored = 0, wrong = 0;

	memset(&options, 0, sizeof options);
	options.clock = fixture_clock_read;
	options.clock_ctx = &the_clock;
	the_clock.ns = 0;
	map = fault_map(&allocator, &options);
	for (uint64_t i = 0; i < keys; i++)
		stored += fixture_put_ttl(map, i, i, 10 * SECOND_MS + i) == 0;
	/* Neither can hints be filed, nor what has expired be retired. */
	atomic_store(&allocator.fail_from, 1);
	fixture_clock_advance(&the_clock, 5 * SECOND_MS);
	sleep_ns(150 * MS); /* for the reclaimer to try; it need not */
	for (uint64_t i = 0; i < keys; i++)
		wrong += fixture_check(map, i, NULL) != 0;
	is_int(stored, keys, "%s: entries are stored", fixture_name());
	is_int(wrong, 0, "%s: no memory: what lives is there", fixture_name());
	fixture_clock_advance(&the_clock, 6 * SECOND_MS + keys);
	for (uint64_t i = 0; i < keys; i++)
		wrong += fixture_check(map, i, NULL) != -ENOENT;
	is_int(wrong, 0, "%s: what has expired is not", fixture_name());
	sleep_ns(150 * MS);
	atomic_store(&allocator.fail_from, INT64_MAX);
	ok(fixture_eventually_counts(map, 0), "%s: when there is memory again, all of it goes", fixture_name());
	is_int(fixture_stats(map).expired, keys, "%s: as expired", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

static void test(void)
{
	neither_early_nor_late();
	memory_comes_back();
	goes_on_while_a_reader_stalls();
	every_writer_finds_it_absent();
	the_clock_goes_back();
	work_is_proportional_to_what_expires();
	for (unsigned overwrite = 0; overwrite < 2; overwrite++) {
		hints_are_bounded(1, overwrite);
		hints_are_bounded(8, overwrite);
		hints_are_bounded(64, overwrite);
	}
	nothing_is_lost_without_memory();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
