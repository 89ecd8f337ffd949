/* SPDX-License-Identifier: BSD-2-Clause */
/* The user's allocator: what it is asked for, what it gets back, and what becomes of addresses that cannot be used. */
#include "allocator_fixture.h"

static void everything_comes_from_it(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = fault_map(&allocator, NULL);
	const uint64_t keys = fixture_scaled(20000, 2000);
	uint64_t asked = atomic_load(&allocator.allocated);

	ok(asked > 0 && atomic_load(&allocator.bytes) > 0, "%s: a new map's memory comes from the allocator",
	   fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, i, 24 + i % 232);
	ok(atomic_load(&allocator.allocated) >= asked + keys, "%s: and that of every entry", fixture_name());
	ok(atomic_load(&allocator.bytes) > (int64_t)(keys * (24 + 8)), "%s: with its key and value", fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		if (i % 2)
			fixture_delete(map, i);
		else
			fixture_put(map, i, i + 1, 24);
	rcumap_barrier(map);
	is_int(atomic_load(&allocator.broken), 0,
	       "%s: sizes are not 0, alignments powers of two, every free has its block's size", fixture_name());
	rcumap_destroy(map);
	is_int(atomic_load(&allocator.blocks), 0, "%s: destroy frees every block", fixture_name());
	is_int(atomic_load(&allocator.bytes), 0, "%s: and every byte", fixture_name());
	is_int(atomic_load(&allocator.broken), 0, "%s: each once, untouched around it", fixture_name());
}

static void blocks_may_have_any_address(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = fault_map(&allocator, NULL);
	unsigned char value[100];
	uint64_t wrong = 0;

	memset(value, 0x5a, sizeof value);
	/* Entries of every size from a little to a lot: what the allocator aligns as asked is good enough. */
	for (size_t size = 0; size <= sizeof value; size++)
		for (uint8_t key_size = 1; key_size < 20; key_size++) {
			unsigned char key[20] = { 0 };

			key[key_size - 1] = (unsigned char)size;
			wrong += rcumap_put(map, key, key_size, value, size, RCUMAP_TTL_DEFAULT, NULL) != 0 ||
				 !fixture_holds(map, key, key_size, value, size, 0);
		}
	is_int(wrong, 0, "%s: entries of all small sizes", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

/* ------------------------------------------------------------------------------------------------ unusable addresses */

static const char *kind_name(enum fault_kind kind)
{
	return kind == FAULT_MISALIGNED ? "a misaligned address" : "an address that is too high";
}

static void create_refuses(enum fault_kind kind)
{
	uint64_t n = 0;
	int error;

	/* The first, the second, ... allocation of a creation. */
	do {
		struct fault_allocator allocator;
		struct rcumap *map = NULL;
		struct rcumap_options options;
		bool hit;

		fault_init(&allocator);
		memset(&options, 0, sizeof options);
		options.size = sizeof options;
		options.flavor = flavor_rcu(fixture_flavor);
		options.allocator = fault_allocator(&allocator);
		fault_arm(++n, kind);
		error = rcumap_create(&map, &options);
		hit = fault_disarm();
		if (hit) {
			is_int(error, -EFAULT, "%s: create, %s at allocation %llu", fixture_name(), kind_name(kind),
			       (unsigned long long)n);
			ok(!map && fault_settled(&allocator), "%s: gives everything back, it too", fixture_name());
		} else {
			is_int(error, 0, "%s: create, without it", fixture_name());
			rcumap_destroy(map);
		}
		if (!hit)
			break;
	} while (n < 100);
	ok(n > 1 && n < 100, "%s: create allocates", fixture_name());
}

/* The verbs that allocate, on a map that holds "key" under a version. */
static int store(struct rcumap *map, unsigned verb, uint64_t version, uint64_t *stored)
{
	switch (verb) {
	case 0:
		return rcumap_put(map, "key", 3, "new", 3, RCUMAP_TTL_DEFAULT, stored);
	case 1:
		return rcumap_put(map, "new", 3, "new", 3, RCUMAP_TTL_DEFAULT, stored);
	case 2:
		return rcumap_add(map, "new", 3, "new", 3, RCUMAP_TTL_DEFAULT, stored);
	case 3:
		return rcumap_replace(map, "key", 3, "new", 3, RCUMAP_TTL_DEFAULT, stored);
	default:
		return rcumap_compare_and_swap(map, "key", 3, version, "new", 3, RCUMAP_TTL_DEFAULT, stored);
	}
}

static void stores_refuse(enum fault_kind kind)
{
	static const char *const names[] = { "put of a present key", "put of an absent key", "add", "replace",
					     "compare_and_swap" };

	for (unsigned verb = 0; verb < 5; verb++) {
		struct fault_allocator allocator;
		struct rcumap *map = fault_map(&allocator, NULL);
		uint64_t version = 0, stored = 99;
		bool hit;
		int error;

		rcumap_put(map, "key", 3, "old", 3, RCUMAP_TTL_DEFAULT, &version);
		fault_arm(1, kind);
		error = store(map, verb, version, &stored);
		hit = fault_disarm();
		ok(hit && error == -EFAULT, "%s: %s, %s", fixture_name(), names[verb], kind_name(kind));
		ok(fixture_holds(map, "key", 3, "old", 3, version) && fixture_lacks(map, "new", 3) &&
			   rcumap_count(map) == 1 && stored == 99,
		   "%s: leaves the map as it was", fixture_name());
		is_int(atomic_load(&allocator.bad_returned), 1, "%s: the address is given back at once",
		       fixture_name());
		is_int(store(map, verb, version, &stored), 0, "%s: and the next attempt succeeds", fixture_name());
		fixture_destroy(map);
		ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
	}
}

/* The record by which entries are retired is one allocation in several hundred: try before every deletion. */
static void deletes_refuse(enum fault_kind kind)
{
	struct fault_allocator allocator;
	struct rcumap *map = fault_map(&allocator, NULL);
	const uint64_t keys = 3000;
	uint64_t refused = 0, wrong = 0;

	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, i, 24);
	for (uint64_t i = 0; i < keys; i++) {
		bool hit;
		int error;

		fault_arm(1, kind);
		error = fixture_delete(map, i);
		hit = fault_disarm();
		refused += hit;
		/* What a deletion only helped with, it can do without. */
		if (hit && error)
			wrong += error != -EFAULT || fixture_check(map, i, NULL) != 0 || fixture_delete(map, i) != 0;
		else
			wrong += error != 0;
		wrong += fixture_check(map, i, NULL) != -ENOENT;
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: delete, %s: refused, or done", fixture_name(), kind_name(kind));
	ok(refused > 0 && refused < keys, "%s: %llu of %llu deletions needed memory", fixture_name(),
	   (unsigned long long)refused, (unsigned long long)keys);
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

/* An allocator that gives unusable addresses for tables only: the map works on with the one that it has. */
static void *odd_tables(void *ctx, size_t size, size_t align)
{
	struct fault_allocator *a = ctx;

	if (size > atomic_load(&a->size_max)) {
		atomic_fetch_add(&a->failed, 1);
		return fault_bad_address(a, size, align, FAULT_HIGH);
	}
	return fault_alloc(ctx, size, align);
}

static void odd_free(void *ctx, void *p, size_t size)
{
	struct fault_allocator *a = ctx;

	/* The reclaimer and the writers may both get one at a time: sizes are not compared. */
	if ((uint64_t)(uintptr_t)p >= FAULT_HIGH_ADDRESS)
		atomic_store(&a->bad_size, size);
	fault_free(ctx, p, size);
}

static bool growth_failed(void *map)
{
	return fixture_stats(map).growth_failed > 0;
}

static void growth_does_without(void)
{
	struct fault_allocator allocator;
	struct rcumap_options options;
	struct rcumap *map = NULL;
	const uint64_t keys = 300;
	uint64_t wrong = 0;

	fault_init(&allocator);
	memset(&options, 0, sizeof options);
	options.size = sizeof options;
	options.flavor = flavor_rcu(fixture_flavor);
	options.allocator = fault_allocator(&allocator);
	options.allocator.alloc = odd_tables;
	options.allocator.free = odd_free;
	if (rcumap_create(&map, &options) != 0)
		bail("rcumap_create");
	atomic_store(&allocator.size_max, 4096);
	for (uint64_t i = 0; i < keys; i++)
		wrong += fixture_put(map, i, i, 24) != 0;
	is_int(wrong, 0, "%s: entries are stored though no larger table can be had", fixture_name());
	is_int(rcumap_reserve(map, 1000000), -EFAULT, "%s: reserve says why", fixture_name());
	ok(fixture_eventually(growth_failed, map), "%s: the failure is counted", fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		wrong += fixture_check(map, i, NULL) != 0;
	is_int(wrong, 0, "%s: and every entry is found", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

static void test(void)
{
	everything_comes_from_it();
	blocks_may_have_any_address();
	for (int kind = FAULT_MISALIGNED; kind <= FAULT_HIGH; kind++) {
		create_refuses((enum fault_kind)kind);
		stores_refuse((enum fault_kind)kind);
		deletes_refuse((enum fault_kind)kind);
	}
	growth_does_without();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
