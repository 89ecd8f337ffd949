/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map with max_bytes on an allocator of the user's, which counts, and fails now and then: the limit holds by its count, and what
 * the map accounts for is exactly what it has and what it has reserved, whatever was refused.
 */
#include "bytes_fixture.h"

#include "allocator_fixture.h"

static uint64_t seed;
static struct fault_allocator allocator;

static struct rcumap *map_within(uint64_t limit, uint64_t wait_ms)
{
	struct rcumap_options options = bytes_options(limit, wait_ms);

	return fault_map(&allocator, &options);
}

/* At rest. */
static bool balances(const struct rcumap *map)
{
	struct rcumap_stats s = fixture_stats(map);
	uint64_t bytes = (uint64_t)atomic_load(&allocator.bytes);
	bool good = s.accounted_bytes - s.reserved_bytes == bytes && s.memory_bytes == bytes;

	if (!good)
		diag("allocated %llu, memory %llu, accounted %llu, of which reserved %llu", (unsigned long long)bytes,
		     (unsigned long long)s.memory_bytes, (unsigned long long)s.accounted_bytes,
		     (unsigned long long)s.reserved_bytes);
	return good;
}

/* The reclaimer may just be at it. */
static bool balances_at_rest(void *map)
{
	return rcumap_barrier(map) == 0 && balances(map);
}

static void end(struct rcumap *map, uint64_t limit, const char *name)
{
	ok(fixture_eventually(balances_at_rest, map),
	   "%s: %s: what is accounted for is what there is, and what is reserved", fixture_name(), name);
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: %s: every byte is given back", fixture_name(), name);
	ok(atomic_load(&allocator.bytes_peak) <= (int64_t)limit, "%s: %s: never more than %llu bytes: %lld",
	   fixture_name(), name, (unsigned long long)limit, (long long)atomic_load(&allocator.bytes_peak));
}

/* ------------------------------------------------------------------------------------------------ creation */

static void create_fails_cleanly(void)
{
	fault_each_of_create(&allocator, bytes_options(4 * MIB, 0), "max_bytes");
}

/* ------------------------------------------------------------------------------------------------ operations */

static int store_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	*value = *(const struct rcumap_value *)ctx;
	return 0;
}

struct step {
	unsigned verb;
	uint64_t number, ttl_ms;
	size_t size;
};

static struct step random_step(struct rng *rng, uint64_t keys, size_t size_max)
{
	struct step step = { (unsigned)rng_below(rng, 8), rng_below(rng, keys), RCUMAP_TTL_NEVER,
			     24 + rng_below(rng, size_max - 23) };

	if (rng_below(rng, 3) == 0)
		step.ttl_ms = 3600000 * (1 + rng_below(rng, 9));
	return step;
}

/* What it may return besides -ENOMEM and -ENOSPC goes to *refusal. */
static int take(struct rcumap *map, const struct step *step, int *refusal)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(step->number, key);
	const unsigned char *bytes = bytes_value(step->number, 1, step->size);
	struct rcumap_value value = { bytes, step->size, step->ttl_ms };

	*refusal = 0;
	switch (step->verb) {
	case 0:
		*refusal = -EEXIST;
		return rcumap_add(map, key, key_size, bytes, step->size, step->ttl_ms, NULL);
	case 1:
		*refusal = -ENOENT;
		return rcumap_replace(map, key, key_size, bytes, step->size, step->ttl_ms, NULL);
	case 2:
		return rcumap_update(map, key, key_size, store_it, &value, NULL);
	case 3:
		*refusal = -ENOENT;
		return rcumap_touch(map, key, key_size, step->ttl_ms);
	case 4:
		*refusal = -ENOENT;
		return rcumap_delete(map, key, key_size);
	default:
		return rcumap_put(map, key, key_size, bytes, step->size, step->ttl_ms, NULL);
	}
}

/* One thread: each operation with its first allocation failing, then the second, and so on until it succeeds. */
static void each_allocation_of_each_operation(uint64_t limit, size_t size_max, const char *name)
{
	const uint64_t turns = fixture_scaled(6000, 600), keys = 3 * limit / (size_max / 2 + 64);
	struct rcumap *map = map_within(limit, BYTES_WAIT_LONG);
	uint64_t wrong = 0, refused = 0, outside = 0;
	struct rcumap_stats s;
	struct rng rng;

	rng_init_stream(&rng, seed, limit + size_max);
	for (uint64_t t = 0; t < turns; t++) {
		struct step step = random_step(&rng, keys, size_max);
		int refusal, result = -ENOMEM;

		for (uint64_t n = 1; result == -ENOMEM && n < 100; n++) {
			bool there = fixture_check(map, step.number, NULL) == 0;

			fault_arm(n, FAULT_NULL);
			result = take(map, &step, &refusal);
			wrong += !fault_disarm() && result == -ENOMEM;
			refused += result == -ENOMEM;
			/* It may be evicted for itself, but nothing comes of it. */
			wrong += result == -ENOMEM && !there && fixture_check(map, step.number, NULL) != -ENOENT;
		}
		wrong += result != 0 && result != refusal;
		outside += !bytes_within(map, limit);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: %s: refused without effect on the key, until it succeeds", fixture_name(), name);
	ok(refused > 0, "%s: %s: %llu were refused", fixture_name(), name, (unsigned long long)refused);
	is_int(outside, 0, "%s: %s: within the limit", fixture_name(), name);
	ok(fixture_eventually(balances_at_rest, map), "%s: %s: all is accounted for, with the map full", fixture_name(),
	   name);
	rcumap_clear(map);
	rcumap_barrier(map);
	s = fixture_stats(map);
	ok(s.entry_bytes == 0 && s.entries == 0, "%s: %s: and with the map empty: %llu bytes of entries",
	   fixture_name(), name, (unsigned long long)s.entry_bytes);
	end(map, limit, name);
}

/* Unusable addresses are given back with what was taken for them. */
static void unusable_addresses(void)
{
	struct rcumap *map = map_within(RCUMAP_MAX_BYTES_MIN, BYTES_WAIT_LONG);
	uint64_t wrong = 0, refused = 0;
	struct rng rng;

	rng_init_stream(&rng, seed, 1);
	for (uint64_t t = 0; t < fixture_scaled(6000, 1000); t++) {
		struct step step = random_step(&rng, 1000, 6000);
		int refusal, result;

		fault_arm(1 + rng_below(&rng, 3), t % 2 ? FAULT_MISALIGNED : FAULT_HIGH);
		result = take(map, &step, &refusal);
		fault_disarm();
		refused += result == -EFAULT;
		wrong += (result != 0 && result != refusal && result != -EFAULT) ||
			 !bytes_within(map, RCUMAP_MAX_BYTES_MIN);
		flavor_quiescent(fixture_flavor);
	}
	ok(wrong == 0 && refused > 0, "%s: %llu refusals for unusable addresses", fixture_name(),
	   (unsigned long long)refused);
	rcumap_clear(map);
	rcumap_barrier(map);
	is_int(fixture_stats(map).entry_bytes, 0, "%s: no byte is lost", fixture_name());
	end(map, RCUMAP_MAX_BYTES_MIN, "unusable addresses");
}

/* ------------------------------------------------------------------------------------------------ threads */

struct crowd {
	struct rcumap *map;
	uint64_t keys, turns, limit;
	size_t size_max;
	_Atomic uint64_t wrong, refused, outside;
};

static void suffer(struct team_member *me)
{
	struct crowd *c = me->ctx;
	uint64_t wrong = 0, refused = 0, outside = 0;
	struct rng rng;

	rng_init_stream(&rng, seed, 1000 + me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		struct step step = random_step(&rng, c->keys, c->size_max);
		int refusal, result;

		if (rng_below(&rng, 2))
			fault_arm(1 + rng_below(&rng, 4), FAULT_NULL);
		result = take(c->map, &step, &refusal);
		fault_disarm();
		refused += result == -ENOMEM;
		wrong += result != 0 && result != refusal && result != -ENOMEM;
		outside += !bytes_within(c->map, c->limit);
		flavor_quiescent(fixture_flavor);
	}
	atomic_fetch_add(&c->wrong, wrong);
	atomic_fetch_add(&c->refused, refused);
	atomic_fetch_add(&c->outside, outside);
}

static void threads_suffer(uint64_t limit, size_t size_max, const char *name)
{
	struct crowd c = { .map = map_within(limit, 60000), .limit = limit, .size_max = size_max };
	struct rcumap_stats s;

	c.keys = 3 * limit / (size_max / 2 + 64);
	c.turns = fixture_scaled(12000, 1200);
	for (unsigned round = 0; round < 2; round++) {
		fixture_run(4, suffer, &c);
		ok(fixture_eventually(balances_at_rest, c.map),
		   "%s: %s: among threads, too, all is accounted for at rest", fixture_name(), name);
	}
	is_int(c.wrong, 0, "%s: %s: every call returns what it may", fixture_name(), name);
	ok(c.refused > 0, "%s: %s: %llu were refused", fixture_name(), name, (unsigned long long)c.refused);
	is_int(c.outside, 0, "%s: %s: within the limit", fixture_name(), name);
	rcumap_clear(c.map);
	rcumap_barrier(c.map);
	s = fixture_stats(c.map);
	ok(s.entry_bytes == 0, "%s: %s: no byte is lost", fixture_name(), name);
	end(c.map, limit, name);
}

/* ------------------------------------------------------------------------------------------------ tables */

/* The table wants to grow, and cannot: entries come and go nevertheless, and when memory is to be had again it grows. */
static bool has_grown(void *map)
{
	return fixture_stats(map).grown >= 3;
}

static void tables_fail(void)
{
	const uint64_t limit = 4 * MIB;
	struct rcumap *map = map_within(limit, BYTES_WAIT_LONG);
	uint64_t wrong = 0, n;

	atomic_store(&allocator.size_max, 2048);
	for (n = 0; n < fixture_scaled(6000, 500); n++) {
		int result = bytes_put(map, n, n, 32);

		wrong += result != 0 && result != -ENOMEM && result != -EOVERFLOW;
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: without a larger table some entries are refused", fixture_name());
	atomic_store(&allocator.size_max, SIZE_MAX);
	for (n = 0; n < fixture_scaled(60000, 6000); n++) {
		wrong += !bytes_put_at_last(map, n, 32);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: with it all are stored", fixture_name());
	ok(fixture_eventually(has_grown, map), "%s: it grows", fixture_name());
	end(map, limit, "tables");
}

static void test(void)
{
	create_fails_cleanly();
	each_allocation_of_each_operation(RCUMAP_MAX_BYTES_MIN, 200, "small values");
	each_allocation_of_each_operation(2 * MIB, 20000, "large values");
	unusable_addresses();
	threads_suffer(RCUMAP_MAX_BYTES_MIN, 200, "small values");
	threads_suffer(4 * MIB, 20000, "large values");
	tables_fail();
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
