/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_touch(): a new life for a key, and nothing else of it changes. */
#include "checked_allocator.h"
#include "clock_fixture.h"

static struct fixture_clock the_clock;

#define KEY "key", 3

static void without_a_deadline(struct rcumap *map)
{
	uint64_t version = 0;

	rcumap_put(map, KEY, "value", 5, RCUMAP_TTL_NEVER, &version);
	is_int(rcumap_touch(map, KEY, RCUMAP_TTL_NEVER), 0, "%s: touch without end of what is without end",
	       fixture_name());
	ok(fixture_ttl(map, "key") == RCUMAP_TTL_NEVER, "%s: it stays so", fixture_name());
	is_int(rcumap_touch(map, KEY, 500), 0, "%s: touch of what is without end", fixture_name());
	is_int(fixture_ttl(map, "key"), 500, "%s: has a life now", fixture_name());
	ok(fixture_holds(map, KEY, "value", 5, version), "%s: its value and version stay", fixture_name());
	is_int(rcumap_count(map), 1, "%s: it counts once", fixture_name());
	is_int(rcumap_compare_and_swap(map, KEY, version, "other", 5, 500, &version), 0,
	       "%s: compare_and_swap knows the version", fixture_name());
	is_int(rcumap_delete_if(map, KEY, version), 0, "%s: so does delete_if", fixture_name());
}

static void the_last_one_wins(struct rcumap *map)
{
	static const uint64_t lives[] = { 500, 700, 300, 300, RCUMAP_TTL_NEVER, 200,		  RCUMAP_TTL_NEVER,
					  1,   900, 100, 800, RCUMAP_TTL_MAX,	10, RCUMAP_TTL_DEFAULT, 50 };
	uint64_t version = 0, wrong = 0;

	rcumap_put(map, KEY, "value", 5, 400, &version);
	for (unsigned i = 0; i < sizeof lives / sizeof lives[0]; i++) {
		uint64_t want = lives[i] == RCUMAP_TTL_DEFAULT ? RCUMAP_TTL_NEVER : lives[i];

		wrong += rcumap_touch(map, KEY, lives[i]) != 0 || fixture_ttl(map, "key") != want;
		wrong += !fixture_holds(map, KEY, "value", 5, version);
	}
	is_int(wrong, 0, "%s: of several lives the last one counts, longer or shorter; value and version stay",
	       fixture_name());
	fixture_clock_advance(&the_clock, 49);
	ok(fixture_is_text(map, "key", "value"), "%s: it is there until then", fixture_name());
	fixture_clock_advance(&the_clock, 2);
	ok(fixture_is_absent(map, "key"), "%s: and not longer", fixture_name());
	is_int(rcumap_touch(map, KEY, 1000), -ENOENT, "%s: what has expired cannot be touched", fixture_name());
	is_int(rcumap_touch(map, KEY, RCUMAP_TTL_NEVER), -ENOENT, "%s: nor given an endless life", fixture_name());
	is_int(rcumap_touch(map, KEY, 0), -ENOENT, "%s: nor ended", fixture_name());
	fixture_clock_advance(&the_clock, SECOND_MS);
	ok(fixture_eventually_counts(map, 0), "%s: and it leaves the count", fixture_name());
}

/* A store after a touch, and a touch after a store: the later one counts. */
static void among_stores(struct rcumap *map)
{
	fixture_put_text(map, "key", "one", 100);
	rcumap_touch(map, KEY, 5000);
	fixture_put_text(map, "key", "two", 200);
	is_int(fixture_ttl(map, "key"), 200, "%s: a store ends what a touch gave", fixture_name());
	rcumap_touch(map, KEY, RCUMAP_TTL_NEVER);
	fixture_clock_advance(&the_clock, 10000);
	ok(fixture_is_text(map, "key", "two"), "%s: a touch ends what a store gave", fixture_name());
	fixture_put_text(map, "key", "three", 200);
	is_int(fixture_ttl(map, "key"), 200, "%s: a store with a life over an endless one", fixture_name());
	rcumap_delete(map, KEY);
}

static void a_life_of_0_removes(struct rcumap *map)
{
	const struct rcumap_stats before = fixture_stats(map);
	struct rcumap_stats after;

	fixture_put_text(map, "a", "1", 1000);
	fixture_put_text(map, "b", "2", RCUMAP_TTL_NEVER);
	is_int(rcumap_touch(map, "a", 1, 0), 0, "%s: touch with a life of 0", fixture_name());
	is_int(rcumap_touch(map, "b", 1, 0), 0, "%s: also of an endless one", fixture_name());
	ok(fixture_is_absent(map, "a") && fixture_is_absent(map, "b") && rcumap_count(map) == 0, "%s: removes it",
	   fixture_name());
	after = fixture_stats(map);
	ok(after.expired - before.expired == 2 && after.deleted == before.deleted, "%s: as expired", fixture_name());
	is_int(after.expiring, 0, "%s: nothing has a deadline any more", fixture_name());
}

static void refusals(struct rcumap *map)
{
	fixture_put_text(map, "key", "value", 500);
	is_int(rcumap_touch(map, "none", 4, 500), -ENOENT, "%s: touch of an absent key", fixture_name());
	is_int(rcumap_touch(map, "none", 4, 0), -ENOENT, "%s: with a life of 0, too", fixture_name());
	is_int(rcumap_touch(map, "none", 4, RCUMAP_TTL_MAX + 1), -ERANGE, "%s: a life out of range comes first",
	       fixture_name());
	is_int(rcumap_touch(map, KEY, RCUMAP_TTL_MAX + 1), -ERANGE, "%s: a life out of range", fixture_name());
	is_int(rcumap_touch(map, KEY, RCUMAP_TTL_KEEP), -ERANGE, "%s: keeping it is no life", fixture_name());
	is_int(rcumap_touch(NULL, KEY, 500), -EINVAL, "%s: NULL map", fixture_name());
	is_int(rcumap_touch(NULL, KEY, 0), -EINVAL, "%s: NULL map and a life of 0", fixture_name());
	is_int(rcumap_touch(map, NULL, 3, 500), -EINVAL, "%s: NULL key", fixture_name());
	is_int(rcumap_touch(map, NULL, 3, 0), -EINVAL, "%s: NULL key and a life of 0", fixture_name());
	is_int(rcumap_touch(map, "x", 0, 500), -EINVAL, "%s: key of 0 bytes", fixture_name());
	is_int(rcumap_touch(map, "x", 65536, 500), -EINVAL, "%s: key too large", fixture_name());
	is_int(fixture_ttl(map, "key"), 500, "%s: none has an effect", fixture_name());
	rcumap_delete(map, KEY);
}

/* -ENOMEM at each allocation; then the life is as before. */
static void without_memory(void)
{
	struct fault_allocator allocator;
	struct rcumap_options options;
	struct rcumap *map;
	uint64_t wrong = 0, refused = 0;
	struct rng rng;

	memset(&options, 0, sizeof options);
	fault_init(&allocator);
	options.allocator = fault_allocator(&allocator);
	options.clock = fixture_clock_read;
	options.clock_ctx = &the_clock;
	map = fixture_map(&options);
	rng_init(&rng, 1);
	fixture_put_text(map, "key", "value", RCUMAP_TTL_NEVER);
	for (uint64_t turn = 0, life = RCUMAP_TTL_NEVER; turn < 3000; turn++) {
		uint64_t want = 1000 + rng_below(&rng, 100000);

		if (turn % 5 == 0)
			want = RCUMAP_TTL_NEVER;
		if (turn % 7 == 0) { /* without a deadline word */
			fixture_put_text(map, "key", "value", RCUMAP_TTL_NEVER);
			life = RCUMAP_TTL_NEVER;
		}
		for (uint64_t n = 1;; n++) {
			int result;
			bool hit;

			fault_arm(n, FAULT_NULL);
			result = rcumap_touch(map, KEY, want);
			hit = fault_disarm();
			if (result == 0)
				break;
			refused++;
			wrong += !hit || result != -ENOMEM || fixture_ttl(map, "key") != life;
			if (n > 100)
				break;
		}
		life = want;
		wrong += fixture_ttl(map, "key") != life || !fixture_is_text(map, "key", "value");
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: refused for want of memory, the life is as before", fixture_name());
	ok(refused > 0, "%s: which was so %llu times", fixture_name(), (unsigned long long)refused);
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

/* Keys that are touched without pause, with any life: what reminds of them stays in bounds. */
static void storms_leave_few_hints(void)
{
	const uint64_t keys = 100, turns = fixture_scaled(1000000, 50000);
	static const char *const names[] = { "shorter and shorter", "longer and longer", "now endless, now not", "any" };

	for (unsigned kind = 0; kind < 4; kind++) {
		struct rcumap *map = fixture_clock_map(&the_clock, 0);
		uint64_t most = 0, most_bytes = 0, wrong = 0;
		struct rng rng;

		rng_init(&rng, kind);
		for (uint64_t i = 0; i < keys; i++)
			fixture_put_ttl(map, i, 0, HOUR_MS);
		for (uint64_t t = 0; t < turns; t++) {
			uint64_t ttl_ms = kind == 0 ? 100 * HOUR_MS - t :
					  kind == 1 ? HOUR_MS + t :
					  kind == 2 ? (t / keys % 2 ? HOUR_MS : RCUMAP_TTL_NEVER) :
						      HOUR_MS + rng_below(&rng, HOUR_MS);

			wrong += fixture_touch(map, t % keys, ttl_ms) != 0;
			if (t % 1024 == 0) {
				struct rcumap_stats stats = fixture_stats(map);

				most = stats.hints > most ? stats.hints : most;
				most_bytes = stats.hint_bytes > most_bytes ? stats.hint_bytes : most_bytes;
				flavor_quiescent(fixture_flavor);
			}
		}
		diag("%s: touched %llu times, %s: at most %llu hints, %llu bytes for them", fixture_name(),
		     (unsigned long long)turns, names[kind], (unsigned long long)most, (unsigned long long)most_bytes);
		is_int(wrong, 0, "%s: touches succeed, %s", fixture_name(), names[kind]);
		/* See expiry.h: twice the entries with a deadline and some thousands, once what writers told is looked at. */
		ok(fixture_eventually_hints_at_most(map, 2 * keys + 10000), "%s: %llu hints are left, %s", fixture_name(),
		   (unsigned long long)fixture_stats(map).hints, names[kind]);
		ok(most < 2 * keys + 10000, "%s: there were never more than %llu", fixture_name(),
		   (unsigned long long)most);
		is_int(rcumap_count(map), keys, "%s: all keys are there", fixture_name());
		fixture_destroy(map);
	}
}

static void test(void)
{
	struct rcumap *map = fixture_clock_map(&the_clock, 12345678901);

	without_a_deadline(map);
	the_last_one_wins(map);
	among_stores(map);
	a_life_of_0_removes(map);
	refusals(map);
	fixture_destroy(map);
	without_memory();
	storms_leave_few_hints();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
