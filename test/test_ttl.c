/* SPDX-License-Identifier: BSD-2-Clause */
/* Lives given with a store, and what rcumap_ttl() and rcumap_entry_ttl() say is left of them. */
#include "clock_fixture.h"

static struct fixture_clock the_clock;

#define KEY "key", 3
#define VALUE "value", 5

/* Every verb that stores gives the life that it is told. */
static void each_store_gives_a_life(struct rcumap *map)
{
	uint64_t version = 0;

	is_int(rcumap_put(map, KEY, VALUE, 500, &version), 0, "%s: put with a life", fixture_name());
	is_int(fixture_ttl(map, "key"), 500, "%s: all of which is left", fixture_name());
	is_int(rcumap_add(map, KEY, VALUE, 600, NULL), -EEXIST, "%s: add of a present key", fixture_name());
	is_int(fixture_ttl(map, "key"), 500, "%s: leaves its life", fixture_name());
	is_int(rcumap_replace(map, KEY, VALUE, 700, &version), 0, "%s: replace with a longer life", fixture_name());
	is_int(fixture_ttl(map, "key"), 700, "%s: which counts", fixture_name());
	is_int(rcumap_compare_and_swap(map, KEY, version + 1, VALUE, 9, NULL), -ESTALE, "%s: a stale version",
	       fixture_name());
	is_int(fixture_ttl(map, "key"), 700, "%s: changes no life", fixture_name());
	is_int(rcumap_compare_and_swap(map, KEY, version, VALUE, 300, NULL), 0, "%s: compare_and_swap, shorter",
	       fixture_name());
	is_int(fixture_ttl(map, "key"), 300, "%s: which counts", fixture_name());
	is_int(rcumap_put(map, KEY, VALUE, RCUMAP_TTL_NEVER, NULL), 0, "%s: put without end", fixture_name());
	ok(fixture_ttl(map, "key") == RCUMAP_TTL_NEVER, "%s: is without end", fixture_name());
	fixture_clock_advance(&the_clock, RCUMAP_TTL_MAX / 4);
	ok(fixture_is_text(map, "key", "value"), "%s: the deadlines that it had before have no effect", fixture_name());
	is_int(rcumap_put(map, KEY, VALUE, 10, NULL), 0, "%s: put with a life again", fixture_name());
	is_int(fixture_ttl(map, "key"), 10, "%s: which counts", fixture_name());
	fixture_clock_advance(&the_clock, 11);
	ok(fixture_is_absent(map, "key"), "%s: absent after it", fixture_name());
	is_int(rcumap_add(map, KEY, VALUE, 20, NULL), 0, "%s: so add stores", fixture_name());
	is_int(fixture_ttl(map, "key"), 20, "%s: with its life", fixture_name());
	rcumap_delete(map, KEY);
}

/* Milliseconds, rounded up, never more than was given, never less than is left. */
static void is_rounded_up(struct rcumap *map)
{
	const uint64_t begin = the_clock.ns;
	uint64_t wrong = 0, last = 3;

	for (uint64_t offset = 0; offset < 3000; offset++) {
		the_clock.ns = begin + offset;
		fixture_put_text(map, "key", "value", 3);
		wrong += fixture_ttl(map, "key") != 3;
	}
	is_int(wrong, 0, "%s: a fresh life is what was given, wherever the clock stands", fixture_name());
	the_clock.ns = begin;
	fixture_put_text(map, "key", "value", 3);
	for (uint64_t offset = 0; offset < 3 * MS; offset += 499) {
		uint64_t left, rest = 3 * MS - offset;

		the_clock.ns = begin + offset;
		left = fixture_ttl(map, "key");
		/* Deadlines and the present are in microseconds. */
		wrong += left == 0 || left > last;
		wrong += left < (rest - (rest < 1000 ? rest : 1000) + MS - 1) / MS || left > (rest + 2000 + MS - 1) / MS;
		last = left;
	}
	is_int(wrong, 0, "%s: as it passes what is left is rounded up, at least 1, and never grows", fixture_name());
	the_clock.ns = begin + 3 * MS - 1;
	ok(fixture_is_text(map, "key", "value"), "%s: a nanosecond before the deadline it is there", fixture_name());
	the_clock.ns = begin + 3 * MS + 1000;
	ok(fixture_is_absent(map, "key"), "%s: a microsecond after, it is not", fixture_name());
	rcumap_delete(map, KEY);
}

static void an_entry_found_outlives_its_deadline(struct rcumap *map)
{
	const struct rcumap_entry *entry;

	fixture_put_text(map, "key", "value", 5);
	rcumap_read_lock(map);
	entry = rcumap_find(map, KEY);
	fixture_clock_advance(&the_clock, 6);
	ok(entry && memcmp(rcumap_entry_value(entry), "value", 5) == 0, "%s: an entry that was found stays in its section",
	   fixture_name());
	is_int(rcumap_entry_ttl(map, entry), 0, "%s: and tells that nothing is left of its life", fixture_name());
	ok(rcumap_find(map, KEY) == NULL, "%s: it is not found again", fixture_name());
	rcumap_read_unlock(map);
}

static void a_life_of_0(struct rcumap *map)
{
	uint64_t version = 99;

	is_int(rcumap_put(map, KEY, VALUE, 0, &version), 0, "%s: put of an absent key with a life of 0", fixture_name());
	ok(version == 0 && fixture_is_absent(map, "key"), "%s: leaves it absent", fixture_name());
	version = 99;
	is_int(rcumap_add(map, KEY, VALUE, 0, &version), 0, "%s: add likewise", fixture_name());
	ok(version == 0 && fixture_is_absent(map, "key"), "%s: leaves it absent", fixture_name());
	version = 99;
	is_int(rcumap_replace(map, KEY, VALUE, 0, &version), -ENOENT, "%s: replace of an absent key", fixture_name());
	is_int(rcumap_compare_and_swap(map, KEY, 1, VALUE, 0, &version), -ENOENT, "%s: compare_and_swap of one",
	       fixture_name());
	is_int(version, 99, "%s: write no version", fixture_name());

	fixture_put_text(map, "key", "old", RCUMAP_TTL_NEVER);
	is_int(rcumap_add(map, KEY, VALUE, 0, &version), -EEXIST, "%s: add of a present key", fixture_name());
	ok(version == 99 && fixture_is_text(map, "key", "old"), "%s: leaves it", fixture_name());
	is_int(rcumap_compare_and_swap(map, KEY, 1, VALUE, 0, &version), -ESTALE, "%s: compare_and_swap of another",
	       fixture_name());
	ok(version == 99 && fixture_is_text(map, "key", "old"), "%s: leaves it", fixture_name());
	is_int(rcumap_compare_and_swap(map, KEY, fixture_version(map, "key"), VALUE, 0, &version), 0,
	       "%s: compare_and_swap of the right version", fixture_name());
	ok(version == 0 && fixture_is_absent(map, "key"), "%s: ends it", fixture_name());
	fixture_put_text(map, "key", "old", 1000);
	is_int(rcumap_replace(map, KEY, VALUE, 0, &version), 0, "%s: replace of a present key", fixture_name());
	ok(fixture_is_absent(map, "key"), "%s: ends it", fixture_name());
	fixture_put_text(map, "key", "old", 1000);
	is_int(rcumap_put(map, KEY, VALUE, 0, NULL), 0, "%s: put of a present key", fixture_name());
	ok(fixture_is_absent(map, "key") && rcumap_count(map) == 0, "%s: ends it", fixture_name());
	is_int(rcumap_put(map, KEY, NULL, 1, 0, NULL), -EINVAL, "%s: a bad value is one, whatever its life",
	       fixture_name());
}

static void out_of_range(struct rcumap *map)
{
	const uint64_t bad[] = { RCUMAP_TTL_MAX + 1, RCUMAP_TTL_KEEP, RCUMAP_TTL_KEEP - 1, UINT64_C(1) << 63 };
	uint64_t wrong = 0, version = 99, v;

	rcumap_put(map, KEY, VALUE, 1000, &v);
	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		wrong += rcumap_put(map, KEY, "x", 1, bad[i], &version) != -ERANGE;
		wrong += rcumap_add(map, "new", 3, "x", 1, bad[i], &version) != -ERANGE;
		wrong += rcumap_replace(map, KEY, "x", 1, bad[i], &version) != -ERANGE;
		wrong += rcumap_compare_and_swap(map, KEY, v, "x", 1, bad[i], &version) != -ERANGE;
		wrong += rcumap_touch(map, KEY, bad[i]) != -ERANGE;
	}
	is_int(wrong, 0, "%s: lives out of range are refused", fixture_name());
	ok(version == 99 && fixture_is_text(map, "key", "value") && fixture_ttl(map, "key") == 1000 &&
		   rcumap_count(map) == 1,
	   "%s: without effect", fixture_name());
	is_int(rcumap_put(map, KEY, VALUE, RCUMAP_TTL_MAX, NULL), 0, "%s: the longest life is accepted", fixture_name());
	ok(fixture_ttl(map, "key") == RCUMAP_TTL_MAX, "%s: and told", fixture_name());
	is_int(rcumap_put(map, KEY, VALUE, 1, NULL), 0, "%s: so is the shortest", fixture_name());
	is_int(fixture_ttl(map, "key"), 1, "%s: and told", fixture_name());
	rcumap_delete(map, KEY);
}

static void ttl_refuses(struct rcumap *map)
{
	uint64_t ttl_ms = 99;

	is_int(rcumap_ttl(map, "none", 4, &ttl_ms), -ENOENT, "%s: ttl of an absent key", fixture_name());
	is_int(rcumap_ttl(NULL, KEY, &ttl_ms), -EINVAL, "%s: ttl, NULL map", fixture_name());
	is_int(rcumap_ttl(map, NULL, 3, &ttl_ms), -EINVAL, "%s: ttl, NULL key", fixture_name());
	is_int(rcumap_ttl(map, "x", 0, &ttl_ms), -EINVAL, "%s: ttl, key of 0 bytes", fixture_name());
	is_int(rcumap_ttl(map, "x", 65536, &ttl_ms), -EINVAL, "%s: ttl, key too large", fixture_name());
	is_int(rcumap_ttl(map, KEY, NULL), -EINVAL, "%s: ttl, NULL output", fixture_name());
	is_int(ttl_ms, 99, "%s: nothing is written", fixture_name());
}

/* The clock's whole range. */
static void wherever_the_clock_stands(void)
{
	static const uint64_t starts[] = { 0,
					   1,
					   999,
					   1000,
					   UINT64_C(1) << 32,
					   UINT64_C(1) << 53,
					   UINT64_C(1) << 61,
					   (UINT64_C(1) << 62) - 3 * SECOND_MS * MS };
	uint64_t wrong = 0;

	for (unsigned i = 0; i < sizeof starts / sizeof starts[0]; i++) {
		struct rcumap *map = fixture_clock_map(&the_clock, starts[i]);

		fixture_put_text(map, "short", "1", SECOND_MS);
		fixture_put_text(map, "long", "2", RCUMAP_TTL_MAX);
		fixture_put_text(map, "touched", "3", 1);
		wrong += rcumap_touch(map, "touched", 7, RCUMAP_TTL_NEVER) != 0;
		wrong += fixture_ttl(map, "short") != SECOND_MS || fixture_ttl(map, "touched") != RCUMAP_TTL_NEVER;
		fixture_clock_advance(&the_clock, SECOND_MS - 1);
		wrong += !fixture_is_text(map, "short", "1") || !fixture_is_text(map, "touched", "3");
		fixture_clock_advance(&the_clock, 2);
		wrong += !fixture_is_absent(map, "short") || !fixture_is_text(map, "long", "2") ||
			 !fixture_is_text(map, "touched", "3");
		fixture_clock_advance(&the_clock, SECOND_MS - 1); /* by then it must be noticed */
		wrong += !fixture_eventually_counts(map, 2);
		wrong += !fixture_is_text(map, "long", "2") || !fixture_is_text(map, "touched", "3");
		fixture_destroy(map);
	}
	is_int(wrong, 0, "%s: lives end when they should, wherever the clock stands", fixture_name());

	/* Beyond what a clock may say nothing ends, early or at all. */
	struct rcumap *map = fixture_clock_map(&the_clock, UINT64_MAX - 10 * SECOND_MS * MS);

	fixture_put_text(map, "short", "1", SECOND_MS);
	fixture_put_text(map, "touched", "2", SECOND_MS);
	rcumap_touch(map, "touched", 7, RCUMAP_TTL_NEVER);
	ok(fixture_is_text(map, "short", "1") && fixture_is_text(map, "touched", "2"),
	   "%s: a clock out of its range ends no life early", fixture_name());
	fixture_destroy(map);
}

static void defaults(void)
{
	struct rcumap_options options;
	struct rcumap *map;

	memset(&options, 0, sizeof options);
	options.clock = fixture_clock_read;
	options.clock_ctx = &the_clock;
	options.default_ttl_ms = 400;
	map = fixture_map(&options);
	rcumap_put(map, KEY, VALUE, RCUMAP_TTL_DEFAULT, NULL);
	is_int(fixture_ttl(map, "key"), 400, "%s: the default life is what the options say", fixture_name());
	rcumap_put(map, KEY, VALUE, RCUMAP_TTL_NEVER, NULL);
	ok(fixture_ttl(map, "key") == RCUMAP_TTL_NEVER, "%s: without end is, whatever the default", fixture_name());
	rcumap_touch(map, KEY, RCUMAP_TTL_DEFAULT);
	is_int(fixture_ttl(map, "key"), 400, "%s: touch knows the default, too", fixture_name());
	rcumap_put(map, KEY, VALUE, 500, NULL);
	is_int(fixture_ttl(map, "key"), 500, "%s: a life of its own goes before", fixture_name());
	fixture_destroy(map);

	options.default_ttl_ms = RCUMAP_TTL_NEVER;
	map = fixture_map(&options);
	rcumap_put(map, KEY, VALUE, 400, NULL);
	rcumap_touch(map, KEY, RCUMAP_TTL_DEFAULT);
	ok(fixture_ttl(map, "key") == RCUMAP_TTL_NEVER, "%s: the default may be without end", fixture_name());
	fixture_destroy(map);
}

/* By the system's clock: never more than was given, and there until it has passed. */
static void by_the_systems_clock(void)
{
	struct rcumap *map = fixture_map(NULL);
	uint64_t wrong = 0, ttl_ms = 0;

	for (unsigned i = 0; i < 2000; i++) {
		uint64_t before = now_ns(), given = 60000 + i, passed_ms;

		rcumap_put(map, KEY, VALUE, given, NULL);
		wrong += rcumap_ttl(map, KEY, &ttl_ms) != 0;
		passed_ms = (now_ns() - before + MS - 1) / MS;
		wrong += ttl_ms > given || ttl_ms + passed_ms < given;
	}
	is_int(wrong, 0, "%s: by the system's clock a fresh life is never told longer than it was given", fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	struct rcumap *map = fixture_clock_map(&the_clock, 12345678901);

	each_store_gives_a_life(map);
	is_rounded_up(map);
	an_entry_found_outlives_its_deadline(map);
	fixture_clock_advance(&the_clock, SECOND_MS);
	ok(fixture_eventually_counts(map, 0), "%s: what has expired leaves the count", fixture_name());
	a_life_of_0(map);
	fixture_destroy(map);

	map = fixture_clock_map(&the_clock, 77 * MS);
	out_of_range(map);
	ttl_refuses(map);
	fixture_destroy(map);

	wherever_the_clock_stands();
	the_clock.ns = 5 * MS;
	defaults();
	by_the_systems_clock();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
