/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_count(): exact while nobody writes, whoever wrote. */
#include "fixture.h"

#define THREADS 4u

struct context {
	struct rcumap *map;
	uint64_t keys;
};

static void follows_each_verb(struct rcumap *map)
{
	uint64_t version = 0;

	is_int(rcumap_count(NULL), 0, "%s: NULL counts 0", fixture_name());
	is_int(rcumap_count(map), 0, "%s: an empty map counts 0", fixture_name());
	rcumap_put(map, "a", 1, "1", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_add(map, "b", 1, "1", 1, RCUMAP_TTL_DEFAULT, &version);
	rcumap_add(map, "b", 1, "2", 1, RCUMAP_TTL_DEFAULT, NULL);
	is_int(rcumap_count(map), 2, "%s: put and add count, a refused add does not", fixture_name());
	rcumap_put(map, "a", 1, "2", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_replace(map, "a", 1, "3", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_replace(map, "c", 1, "3", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_compare_and_swap(map, "b", 1, version, "3", 1, RCUMAP_TTL_DEFAULT, NULL);
	is_int(rcumap_count(map), 2, "%s: replacements do not", fixture_name());
	rcumap_read_lock(map);
	rcumap_delete(map, "a", 1);
	is_int(rcumap_count(map), 1, "%s: delete counts, also inside a section", fixture_name());
	rcumap_read_unlock(map);
	rcumap_delete(map, "a", 1);
	rcumap_delete_if(map, "b", 1, version);
	is_int(rcumap_count(map), 1, "%s: what removes nothing does not", fixture_name());
	rcumap_clear(map);
	is_int(rcumap_count(map), 0, "%s: clear counts", fixture_name());
}

/* Each member inserts its own keys and deletes its neighbour's of the turn before. */
static void insert_own(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i++)
		fixture_put(c->map, i * THREADS + me->index, 1, 24);
}

static void delete_the_neighbours(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i += 2)
		fixture_delete(c->map, i * THREADS + (me->index + 1) % THREADS);
}

static void adds_up_over_threads(struct rcumap *map)
{
	struct context c = { map, fixture_scaled(10000, 1000) & ~UINT64_C(1) };

	fixture_run(THREADS, insert_own, &c);
	is_int(rcumap_count(map), THREADS * c.keys, "%s: inserts of several threads add up", fixture_name());
	fixture_run(THREADS, delete_the_neighbours, &c);
	is_int(rcumap_count(map), THREADS * (c.keys / 2), "%s: though others delete what one inserted", fixture_name());
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);

	follows_each_verb(map);
	adds_up_over_threads(map);
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
