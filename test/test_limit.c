/* SPDX-License-Identifier: BSD-2-Clause */
/* A map with max_bytes: what is told of it in rcumap.h, by one thread, with nobody staying in a section (test_limit_wait.c). */
#include "bytes_fixture.h"
#include "evict_fixture.h"

#include <urcu/flavor.h>

/* ------------------------------------------------------------------------------------------------ the options */

static int create_with(uint64_t max_bytes, uint64_t wait_ms, struct rcumap **map)
{
	struct rcumap_options options = bytes_options(max_bytes, wait_ms);

	options.size = sizeof options;
	options.flavor = flavor_rcu(fixture_flavor);
	return rcumap_create(map, &options);
}

static void the_options(void)
{
	static const uint64_t bad[] = { 1, 4096, RCUMAP_MAX_BYTES_MIN - 1, RCUMAP_MAX_BYTES_MAX + 1, UINT64_MAX };
	static const uint64_t good[] = { RCUMAP_MAX_BYTES_MIN, RCUMAP_MAX_BYTES_MIN + 1, 64 * MIB + 12345,
					 RCUMAP_MAX_BYTES_MAX };
	static const uint64_t bad_waits[] = { RCUMAP_TTL_MAX + 1, RCUMAP_TTL_KEEP, RCUMAP_TTL_DEFAULT };
	static const uint64_t good_waits[] = { 0, 1, RCUMAP_TTL_MAX, RCUMAP_WAIT_NONE };
	struct rcumap *untouched = (struct rcumap *)(uintptr_t)0x5eed, *map = untouched;
	struct rcumap_options shorter = bytes_options(1, 0);
	unsigned wrong = 0;

	for (unsigned i = 0; i < sizeof bad / sizeof bad[0]; i++)
		wrong += create_with(bad[i], 0, &map) != -EINVAL || map != untouched;
	is_int(wrong, 0, "%s: limits that are too small or too large are -EINVAL", fixture_name());
	wrong = 0;
	for (unsigned i = 0; i < sizeof bad_waits / sizeof bad_waits[0]; i++)
		wrong += create_with(MIB, bad_waits[i], &map) != -EINVAL || map != untouched;
	is_int(wrong, 0, "%s: waits out of range are, too", fixture_name());
	for (unsigned i = 0; i < sizeof good / sizeof good[0]; i++) {
		is_int(create_with(good[i], 0, &map), 0, "%s: a limit of %llu", fixture_name(),
		       (unsigned long long)good[i]);
		ok(fixture_put(map, 1, 1, 24) == 0 && fixture_check(map, 1, NULL) == 0 && bytes_within(map, good[i]),
		   "%s: the map works", fixture_name());
		fixture_destroy(map);
	}
	for (unsigned i = 0; i < sizeof good_waits / sizeof good_waits[0]; i++) {
		is_int(create_with(MIB, good_waits[i], &map), 0, "%s: a wait of %llu", fixture_name(),
		       (unsigned long long)good_waits[i]);
		fixture_destroy(map);
	}
	shorter.size = offsetof(struct rcumap_options, max_bytes);
	is_int(rcumap_create(&map, &shorter), 0, "%s: options of an earlier version have no limit", fixture_name());
	is_int(fixture_stats(map).accounted_bytes, 0, "%s: and count nothing", fixture_name());
	rcumap_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ the limit */

/* All that is there was stored, whole, and is the last that was. */
static uint64_t count_good(const struct rcumap *map, uint64_t keys, uint64_t *wrong)
{
	uint64_t there = 0;

	for (uint64_t n = 0; n < keys; n++) {
		int result = fixture_check(map, n, NULL);

		there += result == 0;
		*wrong += result != 0 && result != -ENOENT;
		flavor_quiescent(fixture_flavor);
	}
	return there;
}

/* What entries count may look too large for a moment, while the reclaimer changes what it charges. */
static struct evict_watch watch_before(struct rcumap *map)
{
	struct evict_watch first = evict_watch(map), second = evict_watch(map);

	return first.stats.entry_bytes < second.stats.entry_bytes ? first : second;
}

/* Or too small. */
struct least_left {
	const struct rcumap *map;
	uint64_t bytes;
};

static bool is_left(void *ctx)
{
	const struct least_left *left = ctx;

	return fixture_stats(left->map).entry_bytes >= left->bytes;
}

/* Has a put of `size` bytes, with entries of `least` to `most`, evicted more than twice its size and one more? So few entries are no
 * more than that, whatever bytes seem to be missing: the reclaimer may stand still where they look too many. What it evicts itself,
 * for a table that gets no line, is not the put's. */
static bool evicted_too_much(const struct rcumap *map, uint64_t entry_bytes_before, const struct evict_since *since, size_t size,
			     size_t least, size_t most)
{
	const uint64_t all = entry_bytes_before + bytes_least(size), gone = 2 * bytes_most(size) + bytes_most(most);
	struct least_left left = { map, all > gone ? all - gone : 0 };

	if (since->theirs)
		return !since->migrated || since->own * bytes_least(least) > gone;
	return since->own * bytes_most(most) > gone && !is_left(&left) && !fixture_eventually(is_left, &left);
}

/* One thread, ten times the limit. Each put succeeds, is there, and evicts no more than it may. */
static void never_more(uint64_t limit, size_t least, size_t most)
{
	const uint64_t full = limit / ((least + most) / 2 + 64), keys = fixture_scaled(10 * full, 3 * full);
	struct rcumap *map = bytes_map(limit, BYTES_WAIT_LONG);
	struct evict_watch before = evict_watch(map), now = before;
	const struct rcumap_stats *after = &now.stats;
	uint64_t failed = 0, lost = 0, outside = 0, storms = 0, wrong = 0, early = 0;
	struct rng rng;
	char name[100];

	snprintf(name, sizeof name, "%s: limit %llu KiB, values of %zu to %zu bytes", fixture_name(),
		 (unsigned long long)(limit / KIB), least, most);
	rng_init(&rng, limit);
	for (uint64_t n = 0; n < keys; n++) {
		size_t size = least + rng_below(&rng, most - least + 1);

		failed += bytes_put(map, n, n, size) != 0;

		const bool lacks = fixture_check(map, n, NULL) != 0;

		now = evict_watch(map);

		const struct evict_since since = evict_since(&before, &now);

		lost += lacks && !since.theirs; /* the reclaimer may have taken just that */
		outside += after->accounted_bytes > limit;
		if (!since.waited)
			storms += evicted_too_much(map, before.stats.entry_bytes, &since, size, least, most);
		early += after->evicted && after->accounted_bytes < limit / 4;
		before = watch_before(map);
		flavor_quiescent(fixture_flavor);
	}
	is_int(failed, 0, "%s: every put succeeds", name);
	is_int(lost, 0, "%s: and is there", name);
	is_int(outside, 0, "%s: never more than that is accounted for", name);
	is_int(storms, 0, "%s: none evicts more than twice its size and one more", name);
	is_int(early, 0, "%s: none is evicted as long as there is room", name);
	ok(after->evicted > 0, "%s: %llu were evicted", name, (unsigned long long)after->evicted);

	uint64_t there = count_good(map, keys, &wrong);

	is_int(wrong, 0, "%s: what is there is whole", name);
	is_int(there, after->entries, "%s: as many as are counted", name);
	/* Small entries need much of a table, and of two while it grows; garbage has up to an eighth. */
	ok(after->entry_bytes > limit / 4, "%s: most of the limit is of use: %llu KiB are entries", name,
	   (unsigned long long)(after->entry_bytes / KIB));
	ok(after->refused == 0, "%s: none was refused", name);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ what is counted */

static void what_is_counted(void)
{
	enum { ENTRIES = 100, SIZE = 1000 };
	struct rcumap *map = fixture_map(NULL);
	struct rcumap_stats s, fresh;

	fixture_put(map, 1, 1, 24);
	s = fixture_stats(map);
	ok(s.accounted_bytes == 0 && s.reserved_bytes == 0 && s.entry_bytes == 0 && s.refused == 0 && s.waited == 0,
	   "%s: without a limit nothing is", fixture_name());
	fixture_destroy(map);

	map = bytes_map(4 * MIB, RCUMAP_WAIT_NONE);
	fresh = fixture_stats(map);
	is_int(fresh.entry_bytes, 0, "%s: no entries, no bytes", fixture_name());
	ok(fresh.accounted_bytes == fresh.memory_bytes + fresh.reserved_bytes && fresh.accounted_bytes < MIB,
	   "%s: an empty map counts what it has, and has reserved: %llu and %llu bytes", fixture_name(),
	   (unsigned long long)fresh.memory_bytes, (unsigned long long)fresh.reserved_bytes);
	for (uint64_t n = 0; n < ENTRIES; n++)
		bytes_put(map, n, n, SIZE);
	rcumap_barrier(map);
	s = fixture_stats(map);
	ok(s.entry_bytes >= ENTRIES * bytes_least(SIZE) && s.entry_bytes <= ENTRIES * bytes_most(SIZE),
	   "%s: %u entries of %u bytes count %llu", fixture_name(), ENTRIES, SIZE, (unsigned long long)s.entry_bytes);
	ok(s.accounted_bytes >= s.memory_bytes && s.memory_bytes >= ENTRIES * bytes_least(SIZE) + s.table_bytes,
	   "%s: which is accounted for", fixture_name());
	for (uint64_t n = 0; n < ENTRIES; n++)
		bytes_put(map, n, n, 2 * SIZE);
	s = fixture_stats(map);
	ok(s.entry_bytes >= ENTRIES * bytes_least(2 * SIZE) && s.entry_bytes <= ENTRIES * bytes_most(2 * SIZE),
	   "%s: replaced by larger ones they count as these", fixture_name());
	for (uint64_t n = 0; n < ENTRIES; n++)
		fixture_delete(map, n);
	s = fixture_stats(map);
	is_int(s.entry_bytes, 0, "%s: deleted ones count no more as entries", fixture_name());
	rcumap_barrier(map);
	s = fixture_stats(map);
	/* Each stripe that has given memory back may have some ahead. */
	ok(s.accounted_bytes - s.reserved_bytes <= fresh.accounted_bytes - fresh.reserved_bytes + s.table_bytes + 16 * KIB,
	   "%s: nor at all after their grace period: %llu bytes, and %llu reserved, fresh %llu and %llu", fixture_name(),
	   (unsigned long long)(s.accounted_bytes - s.reserved_bytes), (unsigned long long)s.reserved_bytes,
	   (unsigned long long)(fresh.accounted_bytes - fresh.reserved_bytes), (unsigned long long)fresh.reserved_bytes);
	is_int(s.refused + s.waited + s.evicted, 0, "%s: nobody was refused, waited or evicted", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ too large */

static int store_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	*value = *(const struct rcumap_value *)ctx;
	return 0;
}

static void too_large(uint64_t limit)
{
	struct rcumap *map = bytes_map(limit, BYTES_WAIT_LONG);
	const size_t size = limit;
	unsigned char *bytes = calloc(1, 4 * limit), key[FIXTURE_KEY_MAX], absent[FIXTURE_KEY_MAX];
	struct rcumap_value value = { bytes, size, RCUMAP_TTL_NEVER };
	size_t key_size = fixture_key(1, key), absent_size = fixture_key(UINT64_C(1) << 40, absent);
	const uint64_t count = limit / 4 / KIB;
	struct rcumap_stats before, after;
	uint64_t version = 0, wrong = 0;

	for (uint64_t n = 0; n < count; n++)
		bytes_put(map, n, n, KIB);
	rcumap_get(map, key, key_size, NULL, 0, NULL, &version);
	before = fixture_stats(map);
	wrong += rcumap_put(map, absent, absent_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != -EFBIG;
	wrong += rcumap_add(map, absent, absent_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != -EFBIG;
	wrong += rcumap_update(map, absent, absent_size, store_it, &value, NULL) != -EFBIG;
	wrong += rcumap_put(map, key, key_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != -EFBIG;
	wrong += rcumap_put(map, key, key_size, bytes, 4 * limit, 1000, NULL) != -EFBIG;
	wrong += rcumap_replace(map, key, key_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != -EFBIG;
	wrong += rcumap_compare_and_swap(map, key, key_size, version, bytes, size, RCUMAP_TTL_NEVER, NULL) != -EFBIG;
	wrong += rcumap_update(map, key, key_size, store_it, &value, NULL) != -EFBIG;
	after = fixture_stats(map);
	is_int(wrong, 0, "%s: %llu KiB: what is larger than the limit is -EFBIG, by each verb", fixture_name(),
	       (unsigned long long)(limit / KIB));
	ok(after.refused - before.refused == 8 && after.waited == before.waited, "%s: counted, and at once",
	   fixture_name());
	wrong = 0;
	for (uint64_t n = 0; n < count; n++)
		wrong += fixture_check(map, n, NULL) != 0;
	ok(wrong == 0 && after.evicted == 0 && after.entries == before.entries &&
		   fixture_lacks(map, absent, absent_size),
	   "%s: nothing is evicted for it, nothing changes", fixture_name());
	wrong = rcumap_add(map, key, key_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != -EEXIST;
	wrong += rcumap_replace(map, absent, absent_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != -ENOENT;
	is_int(wrong, 0, "%s: who would not store it is told so instead", fixture_name());

	/* From which size on, depends on what else there is: but always the one or the other. */
	unsigned stored = 0, refused = 0;

	for (size_t part = limit / 16; part < limit + limit / 8; part += limit / 16) {
		int result = rcumap_put(map, absent, absent_size, bytes, part, RCUMAP_TTL_NEVER, NULL);

		stored += result == 0 && !refused;
		refused += result == -EFBIG;
		wrong += !bytes_within(map, limit) || (result != 0 && result != -EFBIG);
		rcumap_delete(map, absent, absent_size);
		flavor_quiescent(fixture_flavor);
	}
	ok(wrong == 0 && stored >= 4 && refused >= 2 && stored + refused == 17,
	   "%s: up to %u sixteenths of the limit are stored, beyond that nothing is", fixture_name(), stored);
	free(bytes);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ the verbs, at the limit */

static void fill_up(struct rcumap *map, size_t size)
{
	for (uint64_t n = 0; fixture_stats(map).evicted == 0; n++) {
		if (bytes_put(map, n + (UINT64_C(1) << 32), n, size) != 0)
			bail("put %llu", (unsigned long long)n);
		flavor_quiescent(fixture_flavor);
	}
}

/* Who is about to be replaced may be evicted for it: then he is absent. */
static void the_verbs(void)
{
	const uint64_t limit = 2 * MIB, turns = fixture_scaled(3000, 300);
	struct rcumap *map = bytes_map(limit, BYTES_WAIT_LONG);
	uint64_t wrong = 0, absent = 0, outside = 0;
	struct rng rng;

	fill_up(map, 2000);
	rng_init(&rng, 1);
	for (uint64_t n = 0; n < turns; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t key_size = fixture_key(n, key), size = 24 + rng_below(&rng, 8000);
		const unsigned char *bytes = bytes_value(n, n, size);
		struct rcumap_value value = { bytes, size, RCUMAP_TTL_NEVER };
		uint64_t version = 0;
		int result;

		wrong += rcumap_add(map, key, key_size, bytes, size, RCUMAP_TTL_NEVER, &version) != 0;
		wrong += rcumap_add(map, key, key_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != -EEXIST;
		result = rcumap_compare_and_swap(map, key, key_size, version, bytes, size, 3600000, &version);
		wrong += result != 0 && result != -ENOENT;
		absent += result == -ENOENT;
		result = rcumap_touch(map, key, key_size, 7200000);
		wrong += result != 0 && result != -ENOENT;
		result = rcumap_replace(map, key, key_size, bytes, size, RCUMAP_TTL_NEVER, NULL);
		wrong += result != 0 && result != -ENOENT;
		absent += result == -ENOENT;
		result = rcumap_touch(map, key, key_size, 3600000); /* a copy */
		wrong += result != 0 && result != -ENOENT;
		wrong += rcumap_update(map, key, key_size, store_it, &value, &version) != 0;
		wrong += !fixture_holds(map, key, key_size, bytes, size, version);
		wrong += rcumap_put(map, key, key_size, bytes, size, RCUMAP_TTL_NEVER, NULL) != 0;
		if (n % 8 == 0)
			wrong += rcumap_delete(map, key, key_size) != 0;
		outside += !bytes_within(map, limit);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: each verb does what it says, in a full map", fixture_name());
	ok(absent <= turns / 20, "%s: %llu of %llu keys were evicted before they were replaced", fixture_name(),
	   (unsigned long long)absent, (unsigned long long)turns);
	is_int(outside, 0, "%s: within the limit", fixture_name());
	is_int(fixture_stats(map).refused, 0, "%s: nobody is refused", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ with other options */

static void capacity_is_cut(void)
{
	struct rcumap_options options = bytes_options(2 * MIB, BYTES_WAIT_LONG);
	uint64_t failed = 0;
	struct rcumap *map;
	int result;

	options.capacity = 1000000000;
	map = fixture_map(&options);
	ok(fixture_stats(map).table_bytes <= MIB && bytes_within(map, 2 * MIB),
	   "%s: a capacity that would not fit is cut: the table takes %llu bytes", fixture_name(),
	   (unsigned long long)fixture_stats(map).table_bytes);
	for (uint64_t n = 0; n < 4000; n++) {
		failed += bytes_put(map, n, n, 900) != 0 || fixture_check(map, n, NULL) != 0;
		flavor_quiescent(fixture_flavor);
	}
	is_int(failed, 0, "%s: there is room for entries", fixture_name());
	result = rcumap_reserve(map, 1000000000);
	ok(result == 0 || result == -ENOMEM, "%s: reserve of as much returns %d", fixture_name(), result);
	ok(bytes_within(map, 2 * MIB) && fixture_stats(map).table_bytes <= 2 * MIB,
	   "%s: and takes no more than there is", fixture_name());
	for (uint64_t n = 0; n < 4000; n++) {
		failed += bytes_put(map, n, n, 900) != 0 || fixture_check(map, n, NULL) != 0;
		flavor_quiescent(fixture_flavor);
	}
	is_int(failed, 0, "%s: nor anything from those who come then", fixture_name());
	fixture_destroy(map);
}

static void both_limits(void)
{
	struct rcumap_options options = bytes_options(4 * MIB, BYTES_WAIT_LONG);
	uint64_t failed = 0, over = 0;
	struct rcumap *map;

	options.max_entries = 100;
	map = fixture_map(&options);
	for (uint64_t n = 0; n < 1000; n++) {
		failed += bytes_put(map, n, n, 100) != 0;
		over += rcumap_count(map) > 100 || !bytes_within(map, 4 * MIB);
		flavor_quiescent(fixture_flavor);
	}
	ok(failed == 0 && over == 0 && rcumap_count(map) == 100, "%s: small entries meet the limit on entries",
	   fixture_name());
	for (uint64_t n = 1000; n < 2000; n++) {
		failed += bytes_put(map, n, n, 120000) != 0;
		over += rcumap_count(map) > 100 || !bytes_within(map, 4 * MIB);
		flavor_quiescent(fixture_flavor);
	}
	ok(failed == 0 && over == 0 && rcumap_count(map) > 10 && rcumap_count(map) < 100,
	   "%s: large ones the one on bytes: %llu are there", fixture_name(), (unsigned long long)rcumap_count(map));
	for (uint64_t n = 2000; n < 4000; n++) {
		failed += bytes_put(map, n, n, 100) != 0;
		over += rcumap_count(map) > 100 || !bytes_within(map, 4 * MIB);
		flavor_quiescent(fixture_flavor);
	}
	ok(failed == 0 && over == 0 && rcumap_count(map) == 100, "%s: and small ones the other again", fixture_name());
	fixture_destroy(map);
}

/* Expired entries make room, and what reminds of them is within the limit. */
static void short_lives(void)
{
	const uint64_t limit = 2 * MIB;
	struct rcumap *map = bytes_map(limit, BYTES_WAIT_LONG);
	uint64_t failed = 0, outside = 0;

	for (uint64_t n = 0; n < fixture_scaled(60000, 6000); n++) {
		failed += bytes_put_for(map, n, n, 24 + n % 200, 1 + n % 100) != 0;
		if (n % 16 == 0)
			outside += !bytes_within(map, limit);
		flavor_quiescent(fixture_flavor);
	}
	ok(failed == 0 && outside == 0, "%s: short lives, within the limit", fixture_name());
	ok(fixture_eventually(bytes_are_none, map), "%s: all go, with their bytes", fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	the_options();
	what_is_counted();
	never_more(RCUMAP_MAX_BYTES_MIN, 24, 24);
	never_more(RCUMAP_MAX_BYTES_MIN, KIB, 32 * KIB);
	never_more(4 * MIB, 24, 2000);
	never_more(8 * MIB, KIB, 64 * KIB);
	too_large(RCUMAP_MAX_BYTES_MIN);
	too_large(5 * MIB);
	the_verbs();
	capacity_is_cut();
	both_limits();
	short_lives();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
