/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_get_or_load() as one thread sees it: values, lives, failures, what else the map tells of them. */
#include "load_fixture.h"

/* ------------------------------------------------------------------ alone */

static void a_miss_loads_and_stores(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct source s = { .value = "loaded" };
	struct rcumap_loader loader = loader_of(&s);
	const struct rcumap_entry *entry = NULL;
	struct rcumap_stats stats;

	is_int(get(map, KEY, &loader, "loaded"), 0, "%s: a miss gives what was loaded", fixture_name());
	ok(fixture_is_text(map, KEY, "loaded") && atomic_load(&s.unloads) == 1, "%s: which is in the map", fixture_name());
	is_int(get(map, KEY, &loader, "loaded"), 0, "%s: a hit gives it again", fixture_name());
	is_int(atomic_load(&s.loads), 1, "%s: without a load", fixture_name());

	is_int(rcumap_get_or_load(map, KEY, 3, &loader, &entry), 0, "%s: what is given", fixture_name());
	is_int(fixture_stats(map).held_entries, 1, "%s: is held", fixture_name());
	is_int(rcumap_destroy(map), -EBUSY, "%s: so that the map cannot be destroyed", fixture_name());
	ok(rcumap_delete(map, KEY, 3) == 0 && rcumap_barrier(map) == 0 && is_entry(entry, KEY, "loaded"),
	   "%s: and outlives its key", fixture_name());
	rcumap_release(map, entry);
	stats = fixture_stats(map);
	ok(stats.inserted == 1 && stats.deleted == 1 && stats.expired == 0 && stats.replaced == 0,
	   "%s: the load itself counts as nothing", fixture_name());
	ok(is_tidy(map, 0), "%s: nothing is left", fixture_name());
	fixture_destroy(map);
}

static void lives_are_as_the_loader_says(void)
{
	struct fixture_clock clock;
	struct rcumap *map = fixture_clock_map(&clock, 1000 * MS);
	struct source s = { .value = "loaded", .ttl_is_set = true, .ttl_ms = HOUR_MS };
	struct rcumap_loader loader = loader_of(&s);
	const struct rcumap_entry *entry = NULL;

	is_int(get(map, KEY, &loader, "loaded"), 0, "%s: loaded for an hour", fixture_name());
	ok(fixture_ttl(map, KEY) == HOUR_MS && fixture_stats(map).expiring == 1, "%s: it has an hour", fixture_name());
	fixture_clock_advance(&clock, HOUR_MS + 1);
	ok(get(map, KEY, &loader, "loaded") == 0 && atomic_load(&s.loads) == 2, "%s: then it is loaded again",
	   fixture_name());
	s.ttl_ms = 0;
	is_int(get(map, "other", &loader, "loaded"), 0, "%s: a life of 0 gives the value", fixture_name());
	ok(fixture_is_absent(map, "other") && rcumap_count(map) == 1, "%s: and stores nothing", fixture_name());
	is_int(rcumap_get_or_load(map, "other", 5, &loader, &entry), 0, "%s: held", fixture_name());
	ok(rcumap_barrier(map) == 0 && is_entry(entry, "other", "loaded") && fixture_stats(map).held_entries == 1 &&
		   rcumap_entry_ttl(map, entry) == 0,
	   "%s: it is valid until it is released", fixture_name());
	rcumap_release(map, entry);
	s.ttl_ms = RCUMAP_TTL_KEEP;
	is_int(get(map, "other", &loader, "loaded"), -ERANGE, "%s: a life that is none is an error", fixture_name());
	ok(atomic_load(&s.unloads) == atomic_load(&s.loads), "%s: each value was given back", fixture_name());
	ok(is_tidy(map, 1), "%s: nothing else is left", fixture_name());
	fixture_destroy(map);
}

static void failures_are_passed_on(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct source s = { .result = -ENOENT };
	struct rcumap_loader loader = loader_of(&s);

	is_int(get(map, KEY, &loader, ""), -ENOENT, "%s: absent", fixture_name());
	s.result = -EIO;
	is_int(get(map, KEY, &loader, ""), -EIO, "%s: an error", fixture_name());
	s.result = 1;
	is_int(get(map, KEY, &loader, ""), -EINVAL, "%s: a positive number", fixture_name());
	ok(atomic_load(&s.loads) == 3 && atomic_load(&s.unloads) == 0, "%s: each was loaded anew, nothing to give back",
	   fixture_name());
	s.result = 0;
	is_int(get(map, KEY, &loader, ""), 0, "%s: an empty value", fixture_name());
	ok(fixture_is_text(map, KEY, "") && is_tidy(map, 1), "%s: is one", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ what failed is remembered */

static void check_remembered(int result, uint64_t absent_ttl_ms, uint64_t error_ttl_ms)
{
	struct fixture_clock clock;
	struct rcumap *map = fixture_clock_map(&clock, 1000 * MS);
	struct source s = { .result = result, .value = "loaded" };
	struct rcumap_loader loader = loader_of(&s);
	const char *name = strerrorname_np(-result);

	loader.absent_ttl_ms = absent_ttl_ms;
	loader.error_ttl_ms = error_ttl_ms;
	ok(get(map, KEY, &loader, "") == result && get(map, KEY, &loader, "") == result, "%s: %s, twice", fixture_name(), name);
	is_int(atomic_load(&s.loads), 1, "%s: %s: loaded once", fixture_name(), name);
	ok(fixture_is_absent(map, KEY) && rcumap_count(map) == 0 && fixture_stats(map).expiring == 0,
	   "%s: %s: the key is absent to all", fixture_name(), name);
	fixture_clock_advance(&clock, 999);
	ok(get(map, KEY, &loader, "") == result && atomic_load(&s.loads) == 1, "%s: %s: remembered for a second",
	   fixture_name(), name);
	fixture_clock_advance(&clock, 2);
	ok(get(map, KEY, &loader, "") == result && atomic_load(&s.loads) == 2, "%s: %s: and no longer", fixture_name(),
	   name);
	is_int(rcumap_delete(map, KEY, 3), -ENOENT, "%s: %s: a delete finds nothing", fixture_name(), name);
	ok(get(map, KEY, &loader, "") == result && atomic_load(&s.loads) == 3, "%s: %s: but makes forget it",
	   fixture_name(), name);
	is_int(fixture_put_text(map, KEY, "put", RCUMAP_TTL_NEVER), 0, "%s: %s: a put", fixture_name(), name);
	ok(get(map, KEY, &loader, "put") == 0 && atomic_load(&s.loads) == 3, "%s: %s: is found", fixture_name(), name);
	is_int(rcumap_clear(map), 0, "%s: %s: clear", fixture_name(), name);
	ok(get(map, KEY, &loader, "") == result && rcumap_clear(map) == 0 && get(map, KEY, &loader, "") == result &&
		   atomic_load(&s.loads) == 5,
	   "%s: %s: makes forget it too", fixture_name(), name);
	s.result = 0;
	/* By a tick of the wheel more, for this clock stands still then: a hint may have been filed by now. */
	fixture_clock_advance(&clock, 1100);
	ok(get(map, KEY, &loader, "loaded") == 0 && fixture_is_text(map, KEY, "loaded"), "%s: %s: then a value comes",
	   fixture_name(), name);
	ok(is_tidy(map, 1) && fixture_eventually_hints_are(map, 0), "%s: %s: nothing is left, no hint either",
	   fixture_name(), name);
	fixture_destroy(map);
}

static void failures_are_remembered(void)
{
	check_remembered(-ENOENT, 1000, 0);
	check_remembered(-EIO, 0, 1000);
}

struct memory_target {
	struct rcumap *map;
	uint64_t most;
};

static bool table_is_small(void *ctx)
{
	const struct memory_target *t = ctx;

	return fixture_stats(t->map).table_slots <= t->most && fixture_stats(t->map).hints == 0;
}

static bool table_is_large(void *ctx)
{
	const struct memory_target *t = ctx;

	return fixture_stats(t->map).table_slots >= t->most;
}

static void memories_of_failures_come_back_by_themselves(void)
{
	struct fixture_clock clock;
	struct rcumap *map = fixture_clock_map(&clock, 1000 * MS);
	struct source s = { .result = -ENOENT };
	struct rcumap_loader loader = loader_of(&s);
	const uint64_t keys = fixture_scaled(20000, 2000);
	struct memory_target target = { map, fixture_stats(map).table_slots }, large = { map, keys };
	unsigned wrong = 0;

	loader.absent_ttl_ms = 1000;
	for (unsigned turn = 0; turn < 2; turn++)
		for (uint64_t i = 0; i < keys; i++) {
			unsigned char key[FIXTURE_KEY_MAX];
			size_t key_size = fixture_key(i, key);
			const struct rcumap_entry *entry;

			wrong += rcumap_get_or_load(map, key, key_size, &loader, &entry) != -ENOENT;
			flavor_quiescent(fixture_flavor);
		}
	ok(wrong == 0 && atomic_load(&s.loads) == keys, "%s: many absent keys, each loaded once", fixture_name());
	ok(rcumap_count(map) == 0 && fixture_eventually(table_is_large, &large),
	   "%s: no entries, but the table has room for them", fixture_name());
	fixture_clock_advance(&clock, 2000);
	ok(fixture_eventually(table_is_small, &target), "%s: afterwards all is gone without an access", fixture_name());
	ok(is_tidy(map, 0), "%s: nothing is left", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ callbacks, limits */

struct told {
	_Atomic unsigned count, wrong;
};

static void tell(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct told *told = ctx;

	atomic_fetch_add(&told->count, 1);
	if (!is_entry(entry, KEY, "loaded") || reason != RCUMAP_DESTROYED)
		atomic_fetch_add(&told->wrong, 1);
}

static void the_callback_is_told_of_values_alone(void)
{
	struct told told = { .count = 0 };
	struct rcumap_options options = { .removed = tell, .removed_ctx = &told };
	struct rcumap *map = fixture_map(&options);
	struct source s = { .value = "loaded" }, none = { .result = -ENOENT };
	struct rcumap_loader loader = loader_of(&s), remembers = loader_of(&none);
	struct shared f;

	remembers.absent_ttl_ms = HOUR_MS;
	take_off(&f, map, "overtaken", 0);
	ok(rcumap_delete(map, KEY, 3) == -ENOENT && land(&f) == 0, "%s: a load that was overtaken", fixture_name());
	ok(get(map, KEY, &loader, "loaded") == 0, "%s: a load that is stored", fixture_name());
	ok(get(map, "a", &remembers, "") == -ENOENT && get(map, "b", &remembers, "") == -ENOENT &&
		   rcumap_delete(map, "a", 1) == -ENOENT,
	   "%s: failures, remembered and forgotten", fixture_name());
	ok(rcumap_barrier(map) == 0 && atomic_load(&told.count) == 0, "%s: nothing is told of them", fixture_name());
	fixture_destroy(map);
	ok(atomic_load(&told.count) == 1 && atomic_load(&told.wrong) == 0, "%s: but the value, at the end", fixture_name());
}

static void a_limit_holds_for_loads(void)
{
	const unsigned limit = RCUMAP_MAX_ENTRIES_MIN;
	struct rcumap_options options = { .max_entries = limit };
	struct rcumap *map = fixture_map(&options);
	struct source s = { .value = "loaded" }, none = { .result = -ENOENT };
	struct rcumap_loader loader = loader_of(&s), remembers = loader_of(&none);
	unsigned wrong = 0, too_many = 0;
	struct shared f;

	remembers.absent_ttl_ms = HOUR_MS;
	take_off(&f, map, "loaded", 0);
	for (unsigned i = 0; i < 50 * limit; i++) {
		char key[32];

		snprintf(key, sizeof key, "key %u", i);
		wrong += i % 3 ? get(map, key, &loader, "loaded") != 0 : get(map, key, &remembers, "") != -ENOENT;
		too_many += rcumap_count(map) >= limit;
	}
	ok(wrong == 0 && too_many == 0, "%s: loads under a limit, one under way all the time", fixture_name());
	ok(land(&f) == 0 && fixture_is_text(map, KEY, "loaded"), "%s: which is stored in the end", fixture_name());
	is_int(rcumap_clear(map), 0, "%s: clear", fixture_name());
	for (unsigned i = 0; i < limit; i++) {
		char key[32];

		snprintf(key, sizeof key, "key %u", i);
		wrong += fixture_put_text(map, key, "value", RCUMAP_TTL_NEVER) != 0;
	}
	ok(wrong == 0 && rcumap_count(map) == limit, "%s: then there is room for as many as ever", fixture_name());
	fixture_destroy(map);
}

static int delete_same(struct source *s)
{
	int result;

	flavor_online(fixture_flavor);
	result = rcumap_delete(s->map, KEY, 3);
	flavor_offline(fixture_flavor);
	return result;
}

static void a_limit_on_bytes_holds_for_loads(void)
{
	static char value[3000];
	struct rcumap_options options = { .max_bytes = RCUMAP_MAX_BYTES_MIN, .wait_ms = HOUR_MS };
	struct rcumap *map = fixture_map(&options);
	struct source s = { .map = map, .value = value }, none = { .result = -ENOENT };
	struct rcumap_loader loader = loader_of(&s), remembers = loader_of(&none);
	unsigned wrong = 0, too_many = 0;

	memset(value, 'x', sizeof value - 1);
	remembers.absent_ttl_ms = HOUR_MS;
	for (unsigned i = 0; i < fixture_scaled(3000, 1000); i++) {
		char key[32];

		snprintf(key, sizeof key, "key %u", i);
		s.inside = i % 5 == 0 ? delete_same : NULL;
		s.ttl_is_set = i % 7 == 0;
		wrong += get(map, s.inside ? KEY : key, &loader, value) != 0;
		if (i % 3 == 0)
			wrong += get(map, key, &remembers, value) != (s.inside || s.ttl_is_set ? -ENOENT : 0);
		too_many += fixture_stats(map).accounted_bytes > options.max_bytes;
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: loads under a limit on bytes, stored or not", fixture_name());
	is_int(too_many, 0, "%s: it is kept", fixture_name());
	ok(rcumap_clear(map) == 0 && is_tidy(map, 0) && fixture_stats(map).entry_bytes == 0, "%s: and nothing of it is lost",
	   fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	a_miss_loads_and_stores();
	lives_are_as_the_loader_says();
	failures_are_passed_on();
	failures_are_remembered();
	memories_of_failures_come_back_by_themselves();
	the_callback_is_told_of_values_alone();
	a_limit_holds_for_loads();
	a_limit_on_bytes_holds_for_loads();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
