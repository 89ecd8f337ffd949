/* SPDX-License-Identifier: BSD-2-Clause */
/* A map with max_entries among threads: the limit holds at any instant, and at rest no unit is lost and none is there twice. */
#include "evict_fixture.h"

#include "harness/census.h"

#define WRITERS 8u

static uint64_t seed;

struct crowd {
	struct rcumap *map;
	uint64_t limit, keys, turns;
	bool own_keys; /* each writer has some, else all have the same */
	bool lives;    /* some of them short */
	_Atomic unsigned writing;
	_Atomic uint64_t wrong, over;
	_Atomic uint64_t looks, most; /* of the watcher */
};

/* ------------------------------------------------------------------------------------------------ writing */

static int count_up(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	uint64_t *text = ctx;

	text[0]++;
	value->data = text;
	value->size = 8;
	return old && text[0] % 8 == 0 ? RCUMAP_REMOVE : text[0] % 8 == 1 ? RCUMAP_KEEP : 0;
}

/* 1: not an outcome that is documented. */
static unsigned write_once(struct crowd *c, unsigned index, struct rng *rng)
{
	unsigned char key[FIXTURE_KEY_MAX], value[200];
	uint64_t number = rng_below(rng, c->keys) + (c->own_keys ? c->keys * index : 0), dice = rng_below(rng, 100);
	uint64_t ttl_ms = c->lives && dice % 4 == 0 ? 1 + dice % 8 : RCUMAP_TTL_NEVER, text;
	size_t size = fixture_key(number, key), value_size = 24 + rng_below(rng, sizeof value - 23);
	int result;

	payload_fill(value, value_size, number, 1);
	if (dice < 45)
		return rcumap_put(c->map, key, size, value, value_size, ttl_ms, NULL) != 0;
	if (dice < 65) {
		result = rcumap_add(c->map, key, size, value, value_size, ttl_ms, NULL);
		return result != 0 && result != -EEXIST;
	}
	if (dice < 80) {
		text = number;
		return rcumap_update(c->map, key, size, count_up, &text, NULL) != 0;
	}
	if (dice < 85) {
		result = rcumap_touch(c->map, key, size, ttl_ms);
		return result != 0 && result != -ENOENT;
	}
	if (dice < 90) {
		result = rcumap_get(c->map, key, size, value, sizeof value, NULL, NULL);
		return result != 0 && result != -ENOENT;
	}
	if (dice < 99 || rng_below(rng, c->limit) != 0) {
		result = rcumap_delete(c->map, key, size);
		return result != 0 && result != -ENOENT;
	}
	return rcumap_clear(c->map) != 0;
}

/* ------------------------------------------------------------------------------------------------ watching */

static void watch(struct crowd *c)
{
	struct census census;

	census_init(&census, c->limit);
	while (atomic_load(&c->writing)) {
		uint64_t there = census_take(&census, c->map);

		if (there > atomic_load(&c->most))
			atomic_store(&c->most, there);
		atomic_fetch_add(&c->over, there > c->limit);
		atomic_fetch_add(&c->looks, 1);
		flavor_quiescent(fixture_flavor);
	}
	census_fini(&census);
}

static void play(struct team_member *me)
{
	struct crowd *c = me->ctx;
	struct rng rng;
	uint64_t wrong = 0;

	if (me->index == WRITERS) {
		watch(c);
		return;
	}
	rng_init_stream(&rng, seed, c->limit << 8 | me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		wrong += write_once(c, me->index, &rng);
		flavor_quiescent(fixture_flavor);
	}
	atomic_fetch_add(&c->wrong, wrong);
	atomic_fetch_sub(&c->writing, 1);
}

/* ------------------------------------------------------------------------------------------------ at rest */

static bool nothing_ends(void *map)
{
	return fixture_stats(map).expiring == 0;
}

static void crowd(uint64_t limit, uint64_t keys, bool own_keys, bool lives, bool growth)
{
	struct rcumap_options options = limit_options(limit);
	struct crowd c = { .limit = limit, .keys = keys, .own_keys = own_keys, .lives = lives };
	char name[120];

	snprintf(name, sizeof name, "%s: limit %llu, %llu %s keys%s%s", fixture_name(), (unsigned long long)limit,
		 (unsigned long long)keys, own_keys ? "own" : "common", lives ? ", short lives" : "",
		 growth ? ", from a tiny table" : "");
	options.capacity = growth ? 0 : limit;
	c.map = fixture_map(&options);
	for (unsigned round = 0; round < 3; round++) {
		c.turns = fixture_scaled(10000, 1500);
		atomic_store(&c.writing, WRITERS);
		fixture_run(WRITERS + 1, play, &c);
		is_int(c.wrong, 0, "%s: every call returns what it may", name);
		is_int(c.over, 0, "%s: never more entries than that (%llu looks, up to %llu at once)", name,
		       (unsigned long long)c.looks, (unsigned long long)c.most);
		ok(fixture_eventually(nothing_ends, c.map), "%s: what has expired goes", name);
		rcumap_barrier(c.map);
		ok(limit_balances(c.map), "%s: all is accounted for at rest", name);
		is_int(fixture_stats(c.map).retired_pending, 0, "%s: nothing waits", name);

		/* Units that a thread left behind are had, too. */
		uint64_t left = limit - rcumap_count(c.map);

		is_int((long long)limit_room(c.map, UINT64_C(1) << 40 | round << 24, limit), (long long)left,
		       "%s: who comes next finds all the room that is left", name);
	}
	ok(fixture_stats(c.map).evicted > 0, "%s: entries were evicted", name);
	fixture_destroy(c.map);
}

static void test(void)
{
	crowd(RCUMAP_MAX_ENTRIES_MIN, 3, false, false, false);
	crowd(RCUMAP_MAX_ENTRIES_MIN, 64, false, true, false);
	crowd(RCUMAP_MAX_ENTRIES_MIN, 64, true, false, false);
	crowd(200, 1000, false, false, true);
	crowd(200, 200, true, true, true);
	crowd(5000, 20000, false, true, true);
	crowd(5000, 5000, true, false, false);
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
