/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A hash that returns one value, or few: slow, then a clear error, never memory without bound. What was stored before the
 * error stays, and a deletion makes room again.
 */
#include "allocator_fixture.h"

/* More keys than the chains of a few hashes can hold. */
#define ATTEMPTS 20000u

struct classes {
	uint64_t count;
};

static uint64_t hash_of_few_values(void *ctx, const void *key, size_t key_size)
{
	const struct classes *classes = ctx;
	const unsigned char *bytes = key;

	(void)key_size;
	return (bytes[6] * 256u + bytes[7]) % classes->count;
}

static void keeps_what_it_took(struct rcumap *map, const unsigned char *taken, const char *name)
{
	uint64_t wrong = 0, turn = 0;

	for (uint64_t i = 0; i < ATTEMPTS; i++) {
		int found = fixture_check(map, i, &turn);

		wrong += taken[i] ? found != 0 || turn != i : found != -ENOENT;
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s, %s: every key that was taken is found, none that was refused", fixture_name(), name);
}

static void colliding(uint64_t classes_count, uint64_t capacity, const char *name)
{
	struct classes classes = { classes_count };
	struct fault_allocator allocator;
	struct rcumap_options options;
	unsigned char *taken = calloc(ATTEMPTS, 1);
	uint64_t stored = 0, refused = 0, other = 0, slots_first, too_sparse = 0, slots = 0, victim = 0;
	struct rcumap_stats stats;
	struct rcumap *map;

	memset(&options, 0, sizeof options);
	options.hash = hash_of_few_values;
	options.hash_ctx = &classes;
	options.capacity = capacity;
	map = fault_map(&allocator, &options);
	slots = slots_first = fixture_stats(map).table_slots;
	for (uint64_t i = 0; i < ATTEMPTS; i++) {
		int error = fixture_put(map, i, i, 24);

		taken[i] = error == 0;
		stored += error == 0;
		refused += error == -EOVERFLOW;
		other += error != 0 && error != -EOVERFLOW;
		if (fixture_stats(map).table_slots > slots) {
			/* It has doubled, perhaps more than once, since it held one entry less. */
			slots = fixture_stats(map).table_slots;
			too_sparse += stored < slots / 2 / 4;
		}
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
	rcumap_barrier(map);
	stats = fixture_stats(map);
	is_int(other, 0, "%s, %s: no error but -EOVERFLOW", fixture_name(), name);
	ok(refused > 0, "%s, %s: there comes a point at which keys are refused (%llu were stored)", fixture_name(),
	   name, (unsigned long long)stored);
	ok(stored >= 16 * classes_count, "%s, %s: but not before sixteen share a hash", fixture_name(), name);
	is_int(stats.entries, stored, "%s, %s: those that were stored count", fixture_name(), name);
	is_int(too_sparse, 0, "%s, %s: the table is not grown below a quarter full (%llu to %llu slots)",
	       fixture_name(), name, (unsigned long long)slots_first, (unsigned long long)stats.table_slots);
	ok(stats.memory_bytes < 4000000 + 16 * capacity &&
		   atomic_load(&allocator.bytes_peak) < (int64_t)(8000000 + 32 * capacity),
	   "%s, %s: memory stays bounded (%llu bytes, at most %lld)", fixture_name(), name,
	   (unsigned long long)stats.memory_bytes, (long long)atomic_load(&allocator.bytes_peak));
	keeps_what_it_took(map, taken, name);

	/* What is refused leaves no trace: try again, many times. */
	int64_t before = atomic_load(&allocator.bytes);
	uint64_t version = 99, denied = 0;
	unsigned char key[FIXTURE_KEY_MAX];

	while (taken[victim])
		victim++;
	for (uint64_t i = 0; i < 1000; i++) {
		size_t key_size = fixture_key(victim, key);

		denied += rcumap_add(map, key, key_size, "x", 1, RCUMAP_TTL_DEFAULT, &version) == -EOVERFLOW &&
			  version == 99;
	}
	rcumap_barrier(map);
	is_int(denied, 1000, "%s, %s: a refused key is refused again, and no version is written", fixture_name(), name);
	ok(atomic_load(&allocator.bytes) <= before, "%s, %s: refusals take no memory", fixture_name(), name);

	/* Keys that are in can be replaced and deleted; a deletion makes room for one of the same hash. */
	uint64_t hash = victim % classes_count, resident = hash;

	while (!taken[resident])
		resident += classes_count;
	is_int(fixture_put(map, resident, resident, 100), 0, "%s, %s: a key that is in can be replaced", fixture_name(),
	       name);
	is_int(fixture_delete(map, resident), 0, "%s, %s: and deleted", fixture_name(), name);
	taken[resident] = 0;
	is_int(fixture_put(map, victim, victim, 24), 0, "%s, %s: which makes room for the one that was refused",
	       fixture_name(), name);
	taken[victim] = 1;
	keeps_what_it_took(map, taken, name);

	for (uint64_t i = 0; i < ATTEMPTS; i++)
		if (taken[i])
			other += fixture_delete(map, i) != 0;
	is_int(other, 0, "%s, %s: all are deleted", fixture_name(), name);
	is_int(rcumap_count(map), 0, "%s, %s: none is left", fixture_name(), name);
	is_int(fixture_put(map, victim, 1, 24), 0, "%s, %s: and the map takes keys again", fixture_name(), name);
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s, %s: every byte is given back", fixture_name(), name);
	free(taken);
}

struct context {
	struct rcumap *map;
	_Atomic uint64_t stored, refused, other, lost;
};

/* Members insert and delete keys that all collide. */
static void collide(struct team_member *me)
{
	struct context *c = me->ctx;
	const uint64_t turns = fixture_scaled(6000, 300);

	for (uint64_t i = 0; i < turns; i++) {
		uint64_t number = i % 200 * 4 + me->index;
		int error = fixture_put(c->map, number, i, 24), found = fixture_check(c->map, number, NULL);

		if (error == 0 ? found != 0 : found != -ENOENT)
			atomic_fetch_add(&c->lost, 1);
		atomic_fetch_add(error == 0 ? &c->stored : error == -EOVERFLOW ? &c->refused : &c->other, 1);
		if (error == 0 && fixture_delete(c->map, number) != 0)
			atomic_fetch_add(&c->lost, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void colliding_writers(void)
{
	struct classes classes = { 1 };
	struct rcumap_options options;
	struct context c = { NULL, 0, 0, 0, 0 };

	memset(&options, 0, sizeof options);
	options.hash = hash_of_few_values;
	options.hash_ctx = &classes;
	c.map = fixture_map(&options);
	fixture_run(4, collide, &c);
	is_int(c.other + c.refused, 0, "%s: few entries at a time are never refused, however many come and go",
	       fixture_name());
	is_int(c.lost, 0, "%s: writers of colliding keys do not lose any", fixture_name());
	is_int(rcumap_count(c.map), 0, "%s: none is left", fixture_name());
	fixture_destroy(c.map);
}

static void test(void)
{
	colliding(1, 0, "one hash");
	colliding(3, 0, "three hashes");
	colliding(1, 50000, "one hash in a large table");
	colliding_writers();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
