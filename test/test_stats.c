/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_stats(): a sized snapshot, exact while nobody writes. */
#include "allocator_fixture.h"

static void fills_what_the_caller_knows(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct {
		struct rcumap_stats stats;
		unsigned char tail[64];
	} later;
	unsigned char zeros[64] = { 0 }, bytes[sizeof(struct rcumap_stats)];
	struct rcumap_stats whole;
	uint64_t two[2] = { 99, 99 };

	rcumap_put(map, "a", 1, "1", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_put(map, "b", 1, "1", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_delete(map, "b", 1);
	rcumap_barrier(map);

	memset(&later, 0xff, sizeof later);
	is_int(rcumap_stats(map, &later.stats, sizeof later), 0, "%s: a later caller's larger struct", fixture_name());
	is_mem(later.tail, zeros, sizeof zeros, "%s: what the library does not know is 0", fixture_name());
	is_int(later.stats.entries, 1, "%s: what it knows is filled", fixture_name());

	is_int(rcumap_stats(map, (struct rcumap_stats *)(void *)two, 8), 0, "%s: an earlier caller's smaller struct",
	       fixture_name());
	ok(two[0] == 1 && two[1] == 99, "%s: is filled, and nothing behind it", fixture_name());

	whole = fixture_stats(map);
	memset(bytes, 0xff, sizeof bytes);
	is_int(rcumap_stats(map, (struct rcumap_stats *)(void *)bytes, 21), 0, "%s: any size", fixture_name());
	is_mem(bytes, &whole, 21, "%s: gets that many bytes", fixture_name());
	ok(bytes[21] == 0xff, "%s: and no more", fixture_name());

	memset(&later, 0xff, sizeof later);
	is_int(rcumap_stats(NULL, &later.stats, sizeof later.stats), -EINVAL, "%s: a NULL map", fixture_name());
	is_int(rcumap_stats(map, NULL, sizeof later.stats), -EINVAL, "%s: NULL stats", fixture_name());
	is_int(rcumap_stats(map, &later.stats, 0), -EINVAL, "%s: size 0", fixture_name());
	ok(later.stats.entries == UINT64_MAX, "%s: errors write nothing", fixture_name());
	fixture_destroy(map);
}

static void counts_what_happened(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct rcumap_stats s = fixture_stats(map);
	uint64_t version = 0;

	ok(s.entries == 0 && s.inserted == 0 && s.replaced == 0 && s.deleted == 0 && s.reclaimed == 0 &&
		   s.retired_pending == 0 && s.grown == 0 && s.shrunk == 0 && s.growth_failed == 0,
	   "%s: a new map has counted nothing", fixture_name());
	ok(s.table_slots > 0 && s.table_bytes > 0 && s.memory_bytes >= s.table_bytes && s.overflow_lines == 0,
	   "%s: but has a table", fixture_name());

	for (unsigned i = 0; i < 10; i++)
		rcumap_put(map, &i, sizeof i, "x", 1, RCUMAP_TTL_DEFAULT, NULL); /* 10 inserted */
	for (unsigned i = 0; i < 4; i++)
		rcumap_put(map, &i, sizeof i, "y", 1, RCUMAP_TTL_DEFAULT, &version); /* 4 replaced */
	rcumap_compare_and_swap(map, (unsigned[]){ 3 }, sizeof(unsigned), version, "z", 1, RCUMAP_TTL_DEFAULT,
				&version);							    /* 5 */
	rcumap_replace(map, (unsigned[]){ 9 }, sizeof(unsigned), "z", 1, RCUMAP_TTL_DEFAULT, NULL); /* 6 */
	rcumap_add(map, (unsigned[]){ 10 }, sizeof(unsigned), "z", 1, RCUMAP_TTL_DEFAULT, NULL);    /* 11 inserted */
	rcumap_delete(map, (unsigned[]){ 0 }, sizeof(unsigned));				    /* 1 deleted */
	rcumap_delete_if(map, (unsigned[]){ 3 }, sizeof(unsigned), version);			    /* 2 */
	/* And what fails, which counts nowhere. */
	rcumap_delete(map, (unsigned[]){ 99 }, sizeof(unsigned));
	rcumap_delete_if(map, (unsigned[]){ 4 }, sizeof(unsigned), version);
	rcumap_add(map, (unsigned[]){ 4 }, sizeof(unsigned), "z", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_replace(map, (unsigned[]){ 99 }, sizeof(unsigned), "z", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_compare_and_swap(map, (unsigned[]){ 4 }, sizeof(unsigned), version, "z", 1, RCUMAP_TTL_DEFAULT, NULL);

	s = fixture_stats(map);
	is_int(s.inserted, 11, "%s: inserted", fixture_name());
	is_int(s.replaced, 6, "%s: replaced", fixture_name());
	is_int(s.deleted, 2, "%s: deleted", fixture_name());
	is_int(s.entries, 9, "%s: entries", fixture_name());
	is_int(s.reclaimed + s.retired_pending, 8, "%s: what was replaced or deleted is pending or reclaimed",
	       fixture_name());
	rcumap_clear(map);
	rcumap_barrier(map);
	s = fixture_stats(map);
	is_int(s.deleted, 11, "%s: clear deletes", fixture_name());
	is_int(s.entries, 0, "%s: no entries", fixture_name());
	is_int(s.reclaimed, 17, "%s: reclaimed", fixture_name());
	is_int(s.retired_pending, 0, "%s: pending", fixture_name());
	ok(s.grace_periods > 0, "%s: grace periods", fixture_name());
	fixture_destroy(map);
}

struct settled {
	struct rcumap *map;
	struct fault_allocator *allocator;
};

/* The reclaimer gives back its own records at its own time: look when it does not. */
static bool memory_is_what_the_allocator_gave(void *ctx)
{
	struct settled *s = ctx;
	int64_t before = atomic_load(&s->allocator->bytes);
	uint64_t told = fixture_stats(s->map).memory_bytes;

	return atomic_load(&s->allocator->bytes) == before && told == (uint64_t)before;
}

static void tells_all_memory(void)
{
	struct fault_allocator allocator;
	struct settled settled = { fault_map(&allocator, NULL), &allocator };
	const uint64_t keys = fixture_scaled(20000, 2000);

	ok(fixture_eventually(memory_is_what_the_allocator_gave, &settled),
	   "%s: memory_bytes of an empty map is what its allocator gave", fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		fixture_put(settled.map, i, i, 24 + i % 232);
	ok(fixture_eventually(memory_is_what_the_allocator_gave, &settled), "%s: of a full one likewise",
	   fixture_name());
	ok(fixture_stats(settled.map).grown > 0, "%s: it grew", fixture_name());
	for (uint64_t i = 0; i < keys; i++)
		fixture_delete(settled.map, i);
	ok(fixture_eventually(memory_is_what_the_allocator_gave, &settled), "%s: and of one that was emptied",
	   fixture_name());
	fixture_destroy(settled.map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

static void works_inside_the_callers_section(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct rcumap_stats s;
	int result;

	rcumap_read_lock(map);
	result = rcumap_stats(map, &s, sizeof s);
	rcumap_read_unlock(map);
	is_int(result, 0, "%s: inside the caller's section", fixture_name());
	fixture_destroy(map);
}

/* An entry keeps the word for its deadline when it is told to live for ever: it does not count then. */
static void counts_what_will_expire(void)
{
	const uint64_t day_ms = 86400000;
	struct rcumap *map = fixture_map(NULL);

	rcumap_put(map, "a", 1, "1", 1, day_ms, NULL);
	is_int(fixture_stats(map).expiring, 1, "%s: stored with a life", fixture_name());
	rcumap_touch(map, "a", 1, RCUMAP_TTL_NEVER);
	is_int(fixture_stats(map).expiring, 0, "%s: told to live for ever", fixture_name());
	rcumap_touch(map, "a", 1, RCUMAP_TTL_NEVER);
	is_int(fixture_stats(map).expiring, 0, "%s: twice", fixture_name());
	rcumap_touch(map, "a", 1, day_ms);
	is_int(fixture_stats(map).expiring, 1, "%s: and given a life again", fixture_name());
	rcumap_touch(map, "a", 1, 2 * day_ms);
	rcumap_touch(map, "a", 1, day_ms / 2);
	is_int(fixture_stats(map).expiring, 1, "%s: a longer and a shorter one", fixture_name());
	rcumap_touch(map, "a", 1, RCUMAP_TTL_NEVER);
	rcumap_put(map, "a", 1, "2", 1, RCUMAP_TTL_NEVER, NULL);
	is_int(fixture_stats(map).expiring, 0, "%s: replaced while it has none", fixture_name());
	rcumap_put(map, "a", 1, "3", 1, day_ms, NULL);
	rcumap_delete(map, "a", 1);
	is_int(fixture_stats(map).expiring, 0, "%s: deleted while it has one", fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	fills_what_the_caller_knows();
	counts_what_happened();
	counts_what_will_expire();
	tells_all_memory();
	works_inside_the_callers_section();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
