/* SPDX-License-Identifier: BSD-2-Clause */
/* Defects that were found in maps with max_bytes, and must not come back. */
#include "evict_fixture.h"

#include "map/spare.h"

#define LIMIT RCUMAP_MAX_BYTES_MIN
#define KEYS 16u

static struct fault_allocator allocator;

static struct rcumap_options bytes_options(void)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.max_bytes = LIMIT;
	options.wait_ms = RCUMAP_WAIT_NONE;
	options.capacity = 4096; /* no table grows meanwhile */
	return options;
}

static int put(struct rcumap *map, uint64_t key, size_t size, uint64_t ttl_ms)
{
	static const char value[LIMIT];

	return rcumap_put(map, &key, sizeof key, value, size, ttl_ms, NULL);
}

/* ------------------------------------------------------------------ records of who is refused */

static uint64_t left_of(const struct quota *quota)
{
	return quota->limit - quota_used(quota);
}

/* On an allocator of the user's each byte counts as it was asked for. All is used but `left` bytes. */
static void use_all_but(struct rcumap *map, uint64_t left)
{
	const struct quota *held = &map->memory.budget.held;
	const size_t head = entry_size(sizeof(uint64_t), 0, false) + RECORD_BYTES;
	uint64_t key = 1000;

	while (left_of(held) > left + 2 * 1024)
		if (put(map, key++, 1024 - head, RCUMAP_TTL_NEVER) != 0)
			bail("a put that fits");
	if (put(map, key, left_of(held) - left - head, RCUMAP_TTL_NEVER) != 0 || left_of(held) != left)
		bail("the last put that fits");
}

/* The cell of a record was secured first, and lost with each store that was refused for want of its reminder: blocks of records
 * beyond any limit, until a reader's stall ended. */
static void refused_stores_take_no_records(void)
{
	struct rcumap_options options = bytes_options();
	uint64_t bytes, refused = 0;

	fault_init(&allocator);
	options.allocator = fault_allocator(&allocator);

	struct rcumap *map = bare_map(&options);

	for (uint64_t key = 0; key < KEYS; key++)
		put(map, key, 8, RCUMAP_TTL_NEVER);
	use_all_but(map, entry_size(sizeof(uint64_t), 8, true) + RECORD_BYTES);
	bytes = fixture_stats(map).memory_bytes;
	for (uint64_t i = 0; i < 20000; i++)
		refused += put(map, i % KEYS, 8, 1000000) == -ENOSPC;
	is_int(refused, 20000, "there is room for an entry, and none for its reminder");
	is_int(fixture_stats(map).memory_bytes, bytes, "20000 stores that are refused take nothing");
	ok(allocator.bytes_peak <= (int64_t)LIMIT, "the limit is kept");
	bare_destroy(map);
	ok(fault_settled(&allocator), "every byte is given back");
}

int main(void)
{
	refused_stores_take_no_records();
	return tap_done();
}
