/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_create() and struct rcumap_options: defaults, other versions' sizes, and every refusal. */
#include "checked_allocator.h"
#include "clock_fixture.h"

#include <urcu/flavor.h>

#define UNTOUCHED ((struct rcumap *)(uintptr_t)0x5eed)

/* A caller compiled against a later version. */
struct later_options {
	struct rcumap_options options;
	unsigned char tail[64];
};

static struct later_options zeroed(void)
{
	struct later_options later;

	memset(&later, 0, sizeof later);
	later.options.size = sizeof later.options;
	return later;
}

static void is_refused(const struct rcumap_options *options, int error, const char *name)
{
	struct rcumap *map = UNTOUCHED;

	is_int(rcumap_create(&map, options), error, "%s", name);
	ok(map == UNTOUCHED, "%s: nothing is written", name);
}

static void is_accepted(const struct rcumap_options *options, const char *name)
{
	struct rcumap *map = NULL;

	if (is_int(rcumap_create(&map, options), 0, "%s", name)) {
		ok(map && rcumap_put(map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL) == 0 &&
			   fixture_holds(map, "key", 3, "value", 5, 0) && rcumap_count(map) == 1,
		   "%s: the map works", name);
		is_int(rcumap_destroy(map), 0, "%s: and can be destroyed", name);
	}
}

static void sizes(void)
{
	struct later_options later = zeroed();
	struct rcumap_options *large = calloc(1, 1 << 20);

	is_accepted(NULL, "NULL options");
	is_accepted(&later.options, "zeroed options");
	is_int(rcumap_create(NULL, NULL), -EINVAL, "a NULL output");
	is_int(rcumap_create(NULL, &later.options), -EINVAL, "a NULL output with options");

	later.options.size = 0;
	is_refused(&later.options, -EINVAL, "size 0");
	later.options.size = sizeof(size_t);
	is_refused(&later.options, -EINVAL, "size of the size alone");
	later.options.size = offsetof(struct rcumap_options, default_ttl_ms) - 1;
	is_refused(&later.options, -EINVAL, "one byte shorter than the first release's");
	later.options.size++;
	later.options.default_ttl_ms = RCUMAP_TTL_MAX + 1;
	is_accepted(&later.options, "the first release's size: what lies behind is not looked at");
	later.options.default_ttl_ms = 0;

	later.options.size = sizeof later;
	is_accepted(&later.options, "a larger size with a zero tail");
	later.options.size = sizeof later.options + 1;
	is_accepted(&later.options, "a size larger by one byte that is zero");
	for (size_t i = 0; i < sizeof later.tail; i += 21) {
		later = zeroed();
		later.options.size = sizeof later;
		later.tail[i] = 1;
		is_refused(&later.options, -E2BIG, "a larger size with a tail that is not zero");
	}
	later = zeroed();
	later.tail[0] = 1;
	is_accepted(&later.options, "what lies behind the size is not looked at");

	if (large) {
		large->size = 4096;
		is_accepted(large, "the largest size, of zeros");
		((unsigned char *)large)[4095] = 1;
		is_refused(large, -E2BIG, "the largest size, ending with a one");
		((unsigned char *)large)[4095] = 0;
		large->size = 4097;
		is_refused(large, -E2BIG, "a size that no version has");
		large->size = SIZE_MAX;
		is_refused(large, -E2BIG, "a size that is none: what lies behind the struct is not looked at");
	}
	free(large);
}

static uint64_t any_hash(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key;
	return key_size;
}

static void bad_values(void)
{
	struct fault_allocator allocator;
	struct rcu_flavor_struct mine;
	struct fixture_clock clock = { 0, 0 };
	struct later_options later = zeroed();

	later.options.capacity = RCUMAP_CAPACITY_MAX + 1;
	is_refused(&later.options, -EINVAL, "a capacity above the maximum");
	later.options.capacity = UINT64_MAX;
	is_refused(&later.options, -EINVAL, "the largest capacity there is");

	later = zeroed();
	memcpy(&mine, flavor_rcu(FLAVOR_BP), sizeof mine);
	later.options.flavor = &mine;
	is_refused(&later.options, -EINVAL, "a copy of a flavor");

	later = zeroed();
	later.options.hash_ctx = &later;
	is_refused(&later.options, -EINVAL, "hash_ctx without hash");
	later = zeroed();
	later.options.clock_ctx = &later;
	is_refused(&later.options, -EINVAL, "clock_ctx without clock");
	later = zeroed();
	later.options.default_ttl_ms = RCUMAP_TTL_MAX + 1;
	is_refused(&later.options, -EINVAL, "a default life out of range");
	later.options.default_ttl_ms = RCUMAP_TTL_DEFAULT;
	is_refused(&later.options, -EINVAL, "a default life that is the default");
	later.options.default_ttl_ms = RCUMAP_TTL_KEEP;
	is_refused(&later.options, -EINVAL, "a default life that is kept");
	later.options.default_ttl_ms = RCUMAP_TTL_NEVER;
	is_accepted(&later.options, "a default life without end");
	later.options.default_ttl_ms = RCUMAP_TTL_MAX;
	is_accepted(&later.options, "the longest default life");
	later.options.default_ttl_ms = HOUR_MS;
	is_accepted(&later.options, "a default life of an hour");
	later = zeroed();
	later.options.clock = fixture_clock_read;
	later.options.clock_ctx = &clock;
	is_accepted(&later.options, "a clock with its ctx");
	ok(clock.calls > 0, "which is read");

	fault_init(&allocator);
	later = zeroed();
	later.options.allocator = fault_allocator(&allocator);
	later.options.allocator.free = NULL;
	is_refused(&later.options, -EINVAL, "alloc without free");
	later.options.allocator = fault_allocator(&allocator);
	later.options.allocator.alloc = NULL;
	is_refused(&later.options, -EINVAL, "free without alloc");
	is_int(allocator.allocated, 0, "a refused allocator is not called");

	/* Refused for what they are, before anything is allocated or started. */
	later = zeroed();
	later.options.allocator = fault_allocator(&allocator);
	later.options.capacity = RCUMAP_CAPACITY_MAX;
	atomic_store(&allocator.bytes_max, 16 << 20);
	is_refused(&later.options, -ENOMEM, "the maximal capacity, without the memory");
	ok(fault_settled(&allocator), "which leaves no byte behind");
}

static void capacity_is_room(void)
{
	struct later_options later = zeroed();
	const uint64_t capacity = fixture_scaled(50000, 5000);
	struct rcumap *map = NULL;
	uint64_t slots;

	later.options.capacity = capacity;
	rcumap_create(&map, &later.options);
	slots = fixture_stats(map).table_slots;
	ok(slots >= capacity, "a capacity is there from the beginning");
	for (uint64_t i = 0; i < capacity; i++)
		fixture_put(map, i, i, 24);
	rcumap_barrier(map);
	is_int(fixture_stats(map).grown, 0, "as many entries fit before the table first grows");
	for (uint64_t i = 0; i < capacity; i++)
		fixture_delete(map, i);
	rcumap_barrier(map);
	is_int(fixture_stats(map).table_slots, slots, "and it never shrinks below");
	rcumap_destroy(map);

	later.options.capacity = 1;
	is_accepted(&later.options, "a capacity of 1");
}

static void each_flavor_is_accepted(void)
{
	struct later_options later = zeroed();

	later.options.flavor = flavor_rcu(fixture_flavor);
	is_accepted(&later.options, fixture_name());
}

/* What the hash was called with. */
struct hash_seen {
	_Atomic uint64_t calls, wrong;
};

static uint64_t watching_hash(void *ctx, const void *key, size_t key_size)
{
	struct hash_seen *seen = ctx;

	atomic_fetch_add(&seen->calls, 1);
	if (!key || key_size != 5 || memcmp(key, "hello", 5) != 0)
		atomic_fetch_add(&seen->wrong, 1);
	return 42;
}

static void hash_is_called_with_ctx_and_key(void)
{
	struct later_options later = zeroed();
	struct hash_seen seen = { 0, 0 };
	struct rcumap *map = NULL;

	later.options.hash = any_hash;
	is_accepted(&later.options, "a hash without ctx");
	later.options.hash = watching_hash;
	later.options.hash_ctx = &seen;
	rcumap_create(&map, &later.options);
	rcumap_put(map, "hello", 5, "1", 1, RCUMAP_TTL_DEFAULT, NULL);
	ok(fixture_holds(map, "hello", 5, "1", 1, 0), "a user's hash");
	rcumap_delete(map, "hello", 5);
	ok(seen.calls > 0 && seen.wrong == 0, "is called with ctx and the key");
	rcumap_destroy(map);
}

static void options_are_not_kept(void)
{
	struct later_options *later = malloc(sizeof *later);
	struct fault_allocator allocator;
	struct hash_seen seen = { 0, 0 };
	struct rcumap *map = NULL;

	fault_init(&allocator);
	*later = zeroed();
	later->options.allocator = fault_allocator(&allocator);
	later->options.hash = watching_hash;
	later->options.hash_ctx = &seen;
	rcumap_create(&map, &later->options);
	memset(later, 0xff, sizeof *later);
	free(later);
	rcumap_put(map, "hello", 5, "1", 1, RCUMAP_TTL_DEFAULT, NULL);
	ok(fixture_holds(map, "hello", 5, "1", 1, 0), "the caller may free the options after the call");
	ok(allocator.blocks > 0 && seen.calls > 0, "the allocator and the hash stay in use");
	rcumap_destroy(map);
	ok(fault_settled(&allocator), "until the map is destroyed");
}

/* One map per purpose: what happens in one does not show in another. */
static void maps_are_independent(void)
{
	struct rcumap *a = NULL, *b = NULL;

	rcumap_create(&a, NULL);
	rcumap_create(&b, NULL);
	rcumap_put(a, "key", 3, "a", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_put(b, "key", 3, "b", 1, RCUMAP_TTL_DEFAULT, NULL);
	ok(fixture_holds(a, "key", 3, "a", 1, 0) && fixture_holds(b, "key", 3, "b", 1, 0), "two maps are independent");
	rcumap_destroy(a);
	ok(fixture_holds(b, "key", 3, "b", 1, 0), "also when one is destroyed");
	rcumap_destroy(b);
}

int main(void)
{
	sizes();
	bad_values();
	capacity_is_room();
	fixture_each_flavor(each_flavor_is_accepted);
	hash_is_called_with_ctx_and_key();
	options_are_not_kept();
	maps_are_independent();
	return tap_done();
}
