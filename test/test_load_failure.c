/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_get_or_load() when memory fails: each allocation once; all from one on. Nothing is stored by half, nothing is lost. */
#include "checked_allocator.h"
#include "load_fixture.h"

#include "map/map.h"

static struct fault_allocator allocator;

enum kind {
	VALUE,
	LARGE_VALUE,
	LIFE,
	NO_LIFE,
	OVERTAKEN,
	ERROR,
	KINDS
};

static const char *const kind_names[KINDS] = { "a value", "a large value", "a value for an hour", "a value for no time",
					       "a value that is overtaken", "an error that is remembered" };

static char large[20000];

static int remove_same(struct source *s)
{
	int result;

	flavor_online(fixture_flavor);
	result = rcumap_delete(s->map, KEY, 3);
	flavor_offline(fixture_flavor);
	return result;
}

static void prepare(struct source *s, struct rcumap *map, enum kind kind, struct rcumap_loader *loader)
{
	*s = (struct source){ .map = map, .value = kind == LARGE_VALUE ? large : "loaded" };
	s->ttl_is_set = kind == LIFE || kind == NO_LIFE;
	s->ttl_ms = kind == LIFE ? HOUR_MS : 0;
	s->result = kind == ERROR ? -EIO : 0;
	s->inside = kind == OVERTAKEN ? remove_same : NULL;
	*loader = loader_of(s);
	loader->error_ttl_ms = HOUR_MS;
}

static bool is_stored(enum kind kind)
{
	return kind == VALUE || kind == LARGE_VALUE || kind == LIFE;
}

/* After a call that returned `result`: is the map as it should be? */
static bool is_right(const struct source *s, enum kind kind, int result)
{
	const int good = kind == ERROR ? -EIO : 0;
	/* A delete that failed removes nothing. */
	const bool overtaken = kind == OVERTAKEN && s->inside_result == -ENOENT;
	const bool stored = result == 0 && (is_stored(kind) || (kind == OVERTAKEN && !overtaken));

	if (result != good && result != -ENOMEM)
		return false;
	if (rcumap_count(s->map) != stored)
		return false;
	return stored ? fixture_is_text(s->map, KEY, s->value) : fixture_is_absent(s->map, KEY);
}

static struct rcumap *map_of_allocator(void)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.allocator = fault_allocator(&allocator);
	return fixture_map(&options);
}

/* All threads' allocations fail from the n-th on, or this thread's n-th alone; then they succeed again. False: there was no
 * such allocation. */
static bool fail_at(struct rcumap *map, enum kind kind, int64_t n, bool all, unsigned *wrong)
{
	struct rcumap_loader loader;
	struct source s;
	bool hit;
	int result;

	prepare(&s, map, kind, &loader);
	if (all)
		atomic_store(&allocator.fail_from, n);
	else
		fault_arm((uint64_t)n, FAULT_NULL);
	result = get(map, KEY, &loader, s.value);
	if (all) {
		hit = atomic_exchange(&allocator.fail_from, INT64_MAX) <= 0;
	} else {
		hit = fault_disarm();
	}
	*wrong += !is_right(&s, kind, result) || atomic_load(&s.unloads) != (s.result == 0 ? atomic_load(&s.loads) : 0);

	/* Whatever was left is in nobody's way. */
	prepare(&s, map, kind == ERROR ? VALUE : kind, &loader);
	s.inside = NULL;
	while (rcumap_delete(map, KEY, 3) == 0)
		;
	*wrong += get(map, KEY, &loader, s.value) != 0 || atomic_load(&s.loads) != 1;
	*wrong += rcumap_clear(map) != 0;
	return hit;
}

static void check(enum kind kind, bool all)
{
	struct rcumap *map = map_of_allocator();
	unsigned wrong = 0, met = 0;

	/* Of records for what is retired one allocation serves several. */
	for (unsigned turn = 0; turn < 40; turn++)
		for (int64_t n = 1; fail_at(map, kind, n, all, &wrong) && n < 30; n++)
			met++;
	is_int(wrong, 0, "%s: %s, %s", fixture_name(), kind_names[kind],
	       all ? "all allocations fail from one on" : "one allocation fails");
	ok(met > 0, "%s: some do", fixture_name());
	ok(is_tidy(map, 0), "%s: nothing is left", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

/* A placeholder that could not even be removed is displaced by the next load, and removed by a delete. */
static void what_is_nobodys_is_in_nobodys_way(void)
{
	struct rcumap *map = map_of_allocator();
	struct rcumap_loader loader;
	struct source s;
	unsigned left = 0, wrong = 0;

	for (unsigned turn = 0; turn < 2000 && left < 20; turn++) {
		prepare(&s, map, VALUE, &loader);
		atomic_store(&allocator.fail_from, 2);
		(void)get(map, KEY, &loader, "loaded");
		atomic_store(&allocator.fail_from, INT64_MAX);
		left += map_occupied(map) > rcumap_count(map);
		loader.timeout_ms = 0;
		wrong += get(map, KEY, &loader, "loaded") != 0 || !fixture_is_text(map, KEY, "loaded");
		wrong += map_occupied(map) != 1 || rcumap_delete(map, KEY, 3) != 0;
		flavor_quiescent(fixture_flavor);
	}
	diag("%u placeholders were left", left);
	is_int(wrong, 0, "%s: who loads next does not wait", fixture_name());
#ifdef RCUMAP_DEBUG /* blocks of records are small there */
	ok(left > 0, "%s: for a placeholder that was left", fixture_name());
#endif
	ok(is_tidy(map, 0), "%s: nothing is left", fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	for (unsigned kind = 0; kind < KINDS; kind++) {
		check((enum kind)kind, false);
		check((enum kind)kind, true);
	}
	what_is_nobodys_is_in_nobodys_way();
}

int main(void)
{
	memset(large, 'x', sizeof large - 1);
	fault_init(&allocator);
	fixture_each_flavor(test);
	return tap_done();
}
