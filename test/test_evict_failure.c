/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that cannot be had, in a map with max_entries: -ENOMEM, the key as it was, no unit lost, and the limit kept. Another
 * entry may have been evicted.
 */
#include "evict_fixture.h"

static uint64_t seed;
static struct fault_allocator allocator;

static struct rcumap *small_map(uint64_t limit, uint64_t capacity)
{
	struct rcumap_options options = limit_options(limit);

	options.capacity = capacity;
	return fault_map(&allocator, &options);
}

static void end(struct rcumap *map, const char *name)
{
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: %s: every byte is given back", fixture_name(), name);
}

/* ------------------------------------------------------------------------------------------------ creation */

static void create_fails_cleanly(uint64_t capacity)
{
	struct rcumap_options options = limit_options(1000000);

	options.capacity = capacity;
	fault_each_of_create(&allocator, options, "a limit");
}

/* ------------------------------------------------------------------------------------------------ operations */

enum verb { PUT, ADD, UPDATE, REPLACE, TOUCH, DELETE, VERBS };

struct step {
	enum verb verb;
	uint64_t number;
	size_t size;
	uint64_t ttl_ms;
};

static int store_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	*value = *(const struct rcumap_value *)ctx;
	return 0;
}

/* What it may return besides -ENOMEM goes to *refusal. */
static int take(struct rcumap *map, const struct step *step, int *refusal)
{
	static _Thread_local unsigned char bytes[1 << 14];
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(step->number, key);
	struct rcumap_value value = { bytes, step->size, step->ttl_ms };

	*refusal = 0;
	payload_fill(bytes, step->size, step->number, 1);
	switch (step->verb) {
	case PUT:
		return rcumap_put(map, key, key_size, bytes, step->size, step->ttl_ms, NULL);
	case ADD:
		*refusal = -EEXIST;
		return rcumap_add(map, key, key_size, bytes, step->size, step->ttl_ms, NULL);
	case UPDATE:
		return rcumap_update(map, key, key_size, store_it, &value, NULL);
	case REPLACE:
		*refusal = -ENOENT;
		return rcumap_replace(map, key, key_size, bytes, step->size, step->ttl_ms, NULL);
	case TOUCH:
		*refusal = -ENOENT;
		return rcumap_touch(map, key, key_size, step->ttl_ms);
	default:
		*refusal = -ENOENT;
		return rcumap_delete(map, key, key_size);
	}
}

/* Lives that do not end here: none, longer and shorter ones, which need records of different kinds. */
static struct step random_step(struct rng *rng, uint64_t keys, size_t size_max)
{
	struct step step = { (enum verb)rng_below(rng, VERBS), rng_below(rng, keys), 24 + rng_below(rng, size_max - 23), 0 };

	if (rng_below(rng, 3) == 0)
		step.verb = PUT;
	step.ttl_ms = rng_below(rng, 3) ? 3600000 * (1 + rng_below(rng, 9)) : RCUMAP_TTL_NEVER;
	return step;
}

static struct rcumap_entry *entry_of(struct rcumap *map, uint64_t number)
{
	uint64_t word = limit_word(map, number, NULL);

	return word ? slot_entry(word) : NULL;
}

/* So many units in use as there are entries, and no more than the limit. Nobody else writes. */
static bool units_are_right(struct rcumap *map)
{
	uint64_t entries = limit_summed(map);

	return entries == quota_used(&map->eviction.entries) && entries <= map->eviction.entries.limit;
}

/* With the first allocation failing, then the second, and so on until it succeeds. What was wrong is counted. */
static uint64_t take_against_all_odds(struct rcumap *map, const struct step *step, uint64_t *refused, uint64_t *evicted)
{
	uint64_t wrong = 0;

	for (uint64_t n = 1;; n++) {
		struct rcumap_entry *before = entry_of(map, step->number);
		uint64_t evicted_before = limit_evicted(map);
		int refusal, result;

		fault_arm(n, FAULT_NULL);
		result = take(map, step, &refusal);

		bool hit = fault_disarm();

		wrong += !units_are_right(map);
		if (result != -ENOMEM || n > 100)
			return wrong + (result != 0 && result != refusal);
		*refused += 1;
		*evicted += limit_evicted(map) - evicted_before;
		wrong += !hit || entry_of(map, step->number) != before;
		/* For an absent key alone, and one at most. */
		wrong += limit_evicted(map) - evicted_before > (before ? 0 : 1);
	}
}

static void each_allocation_of_each_operation(uint64_t limit, uint64_t capacity, size_t size_max, const char *name)
{
	const uint64_t turns = fixture_scaled(15000, 2000);
	struct rcumap *map = small_map(limit, capacity);
	uint64_t wrong = 0, refused = 0, evicted = 0, unbalanced = 0;
	struct rng rng;

	rng_init_stream(&rng, seed, limit + size_max);
	for (uint64_t t = 0; t < turns; t++) {
		struct step step = random_step(&rng, 4 * limit, size_max);

		wrong += take_against_all_odds(map, &step, &refused, &evicted);
		if (t % 64 == 0)
			unbalanced += !limit_balances(map);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: %s: refused without effect on the key, no unit lost, until it succeeds", fixture_name(), name);
	is_int(unbalanced, 0, "%s: %s: all is accounted for meanwhile", fixture_name(), name);
	ok(refused > 0, "%s: %s: %llu were refused, of which %llu had evicted somebody", fixture_name(), name,
	   (unsigned long long)refused, (unsigned long long)evicted);
	rcumap_clear(map);
	is_int((long long)limit_room(map, 1000000, limit), (long long)limit, "%s: %s: the map can be filled to the limit",
	       fixture_name(), name);
	end(map, name);
}

/* Unusable addresses, too, are given back with the unit. */
static void unusable_addresses(void)
{
	struct rcumap *map = small_map(64, 0);
	uint64_t wrong = 0, refused = 0;
	struct rng rng;

	rng_init_stream(&rng, seed, 1);
	for (uint64_t t = 0; t < 2000; t++) {
		struct step step = random_step(&rng, 300, 6000);
		int refusal, result;

		fault_arm(1 + rng_below(&rng, 3), t % 2 ? FAULT_MISALIGNED : FAULT_HIGH);
		result = take(map, &step, &refusal);
		fault_disarm();
		refused += result == -EFAULT;
		wrong += (result != 0 && result != refusal && result != -EFAULT) || !units_are_right(map);
		flavor_quiescent(fixture_flavor);
	}
	ok(wrong == 0 && refused > 0, "%s: %llu refusals for unusable addresses, no unit lost", fixture_name(),
	   (unsigned long long)refused);
	ok(limit_balances(map), "%s: all is accounted for", fixture_name());
	end(map, "unusable addresses");
}

/* All allocations of all threads fail from the n-th on, for a while. */
static void droughts(void)
{
	const uint64_t longest = fixture_scaled(300, 40);
	uint64_t wrong = 0, refused = 0;

	for (uint64_t n = 1; n <= longest; n += 1 + n / 8) {
		struct rcumap *map = small_map(64, 0);
		struct rng rng;

		rng_init_stream(&rng, seed, n);
		for (uint64_t t = 0; t < 600; t++) {
			struct step step = random_step(&rng, 300, 3000);
			int refusal, result;

			if (t == 100)
				atomic_store(&allocator.fail_from, (int64_t)n);
			if (t == 500)
				atomic_store(&allocator.fail_from, INT64_MAX);
			result = take(map, &step, &refusal);
			refused += result == -ENOMEM;
			wrong += (result != 0 && result != refusal && result != -ENOMEM) || !units_are_right(map);
			flavor_quiescent(fixture_flavor);
		}
		rcumap_clear(map);
		wrong += limit_room(map, 1000000, 64) != 64 || !limit_balances(map);
		fixture_destroy(map);
		wrong += !fault_settled(&allocator);
	}
	ok(wrong == 0 && refused > 0, "%s: no memory for any thread for a while: %llu refusals, no unit lost", fixture_name(),
	   (unsigned long long)refused);
}

/* ------------------------------------------------------------------------------------------------ threads */

#define THREADS 4u

struct crowd {
	struct rcumap *map;
	uint64_t keys, turns;
	_Atomic uint64_t wrong, refused;
};

static void suffer(struct team_member *me)
{
	struct crowd *c = me->ctx;
	uint64_t wrong = 0, refused = 0;
	struct rng rng;

	rng_init_stream(&rng, seed, 1000 + me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		struct step step = random_step(&rng, c->keys, 300);
		int refusal, result;

		if (rng_below(&rng, 2))
			fault_arm(1 + rng_below(&rng, 4), FAULT_NULL);
		result = take(c->map, &step, &refusal);
		fault_disarm();
		refused += result == -ENOMEM;
		wrong += result != 0 && result != refusal && result != -ENOMEM;
		flavor_quiescent(fixture_flavor);
	}
	atomic_fetch_add(&c->wrong, wrong);
	atomic_fetch_add(&c->refused, refused);
}

static void threads_suffer(uint64_t limit, uint64_t keys)
{
	struct crowd c = { small_map(limit, 0), keys, fixture_scaled(30000, 3000), 0, 0 };

	for (unsigned round = 0; round < 3; round++) {
		fixture_run(THREADS, suffer, &c);
		rcumap_barrier(c.map);
		ok(limit_balances(c.map), "%s: limit %llu: among threads, too, all is accounted for at rest",
		   fixture_name(), (unsigned long long)limit);
	}
	is_int(c.wrong, 0, "%s: limit %llu: every call returns what it may", fixture_name(), (unsigned long long)limit);
	ok(c.refused > 0, "%s: limit %llu: %llu operations were refused", fixture_name(), (unsigned long long)limit,
	   (unsigned long long)c.refused);
	rcumap_clear(c.map);
	is_int((long long)limit_room(c.map, 1000000, limit), (long long)limit,
	       "%s: limit %llu: the map can be filled to the limit", fixture_name(), (unsigned long long)limit);
	end(c.map, "threads");
}

static void test(void)
{
	create_fails_cleanly(0);
	create_fails_cleanly(1000000);
	each_allocation_of_each_operation(16, 0, 200, "limit 16, small values");
	each_allocation_of_each_operation(300, 0, 200, "limit 300, from a tiny table");
	each_allocation_of_each_operation(40, 40, 1 << 14, "limit 40, large values");
	unusable_addresses();
	droughts();
	threads_suffer(16, 64);
	threads_suffer(1000, 3000);
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
