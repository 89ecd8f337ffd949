/* SPDX-License-Identifier: BSD-2-Clause */
/* map/expire: a hint finds what it reminds of, however large the table; and what it does not remind of any more it seldom matches. */
#include "bare_fixture.h"
#include "clock_fixture.h"
#include "map/expiry.h"

#define KEY "key", 3
/* A bit for each of the low ends that arms have. */
#define ARMS 16u
#define ALL_ARMS ((1u << ARMS) - 1)

static struct fixture_clock the_clock;

static struct rcumap *new_map(uint64_t capacity)
{
	struct rcumap_options options = { .capacity = capacity, .clock = fixture_clock_read, .clock_ctx = &the_clock };

	the_clock.ns = 0;
	return bare_map(&options);
}

/* As the reclaimer, until there is nothing to do at once. */
static void look(struct rcumap *map)
{
	uint64_t sleep_ns = UINT64_MAX;
	bool more;

	do {
		map->expiry.taken_ns = 0; /* hints do not rest in the log */
		rcumap_read_lock(map);
		more = expiry_turn(map, &sleep_ns);
		rcumap_read_unlock(map);
	} while (more || log_pending(&map->expiry.log) || map->expiry.taken.blocks);
}

/* Hints lack bits of the tag, and some name two buckets: what is in the second one is found, too. */
static void hints_with_a_part_of_the_tag(void)
{
	const uint64_t keys = fixture_scaled(20000, 4000);
	struct rcumap *map = new_map((uint64_t)LINE_SLOTS << 21);
	const struct table *table = tables_current(&map->tables);
	uint64_t wrong = 0;

	ok(table_tag(table, HINT_SHORT) != table_tag(table, HINT_WHOLE), "a table so large that hints lack a part of the tag");
	for (uint64_t i = 0; i < 2 * keys; i++)
		wrong += fixture_put_ttl(map, i, 0, i < keys ? SECOND_MS : HOUR_MS) != 0;
	look(map);
	is_int(wrong + (fixture_stats(map).hints != 2 * keys), 0, "each entry has a hint, which finds it");
	fixture_clock_advance(&the_clock, SECOND_MS + 100);
	look(map);
	is_int(rcumap_count(map), keys, "all that has expired is removed");
	for (uint64_t i = keys; i < 2 * keys; i++)
		wrong += fixture_check(map, i, NULL) != 0;
	is_int(wrong, 0, "nothing else is");
	fixture_clock_advance(&the_clock, HOUR_MS);
	look(map);
	ok(rcumap_count(map) == 0 && fixture_stats(map).hints == 0, "in the end nothing is left, no hint either");
	bare_destroy(map);
}

static uint64_t same_hash(void *ctx, const void *key, size_t size)
{
	(void)ctx, (void)key, (void)size;
	return 0;
}

/* Void hints match the entry of another key if that has the same hash and comes to have their arm. */
static void hints_of_one_hash(void)
{
	const uint64_t keys = 40, touches = fixture_scaled(1000000, 300000);
	struct rcumap_options options = { .clock = fixture_clock_read, .clock_ctx = &the_clock, .hash = same_hash };
	uint64_t wrong = 0, most = 0;

	the_clock.ns = 0;

	struct rcumap *map = bare_map(&options);

	for (uint64_t i = 0; i < keys; i++)
		wrong += fixture_put_ttl(map, i, 0, HOUR_MS) != 0;
	for (uint64_t t = 0; t < touches; t++) {
		unsigned char key[FIXTURE_KEY_MAX];
		const size_t size = fixture_key(t % keys, key);

		wrong += rcumap_touch(map, key, size, 2 * HOUR_MS + t % 7) != 0;
		wrong += rcumap_touch(map, key, size, HOUR_MS) != 0;
		if (t % 1000)
			continue;
		look(map);
		if (fixture_stats(map).hints > most)
			most = fixture_stats(map).hints;
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "keys of one hash are touched time and again");
	ok(most <= 2 * keys + 8192 + 2000, "hints stay few: %llu at most", (unsigned long long)most);
	bare_destroy(map);
}

/* As it is kept. */
static uint64_t arm_of_key(struct rcumap *map)
{
	rcumap_read_lock(map);

	const struct rcumap_entry *entry = rcumap_find(map, KEY);
	uint64_t arm = entry ? entry_deadline(entry) & (ARMS - 1) : 0;

	rcumap_read_unlock(map);
	return arm;
}

static int shorter_by_update(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	*value = (struct rcumap_value){ .data = "update", .size = 6, .ttl_ms = *(const uint64_t *)ctx };
	return 0;
}

/* Give the key a life that ends sooner, one way or another. */
static int shorten(struct rcumap *map, unsigned way, uint64_t ttl_ms)
{
	switch (way) {
	case 0:
		return rcumap_put(map, KEY, "put", 3, ttl_ms, NULL);
	case 1:
		return rcumap_touch(map, KEY, ttl_ms);
	case 2:
		return rcumap_update(map, KEY, shorter_by_update, &ttl_ms, NULL);
	default:
		/* One that has expired, and is still there, is displaced. */
		fixture_clock_advance(&the_clock, ttl_ms + 2 * HOUR_MS);
		return rcumap_put(map, KEY, "again", 5, ttl_ms, NULL);
	}
}

static void arms_in_a_row_differ(void)
{
	for (unsigned way = 0; way < 4; way++) {
		struct rcumap *map = new_map(0);
		unsigned seen = 0, wrong = 0;

		for (uint64_t i = 0; i < ARMS; i++) {
			const uint64_t ttl_ms = (100 - i) * HOUR_MS;

			wrong += i == 0 ? rcumap_put(map, KEY, "first", 5, ttl_ms, NULL) != 0 : shorten(map, way, ttl_ms) != 0;
			seen |= 1u << arm_of_key(map);
		}
		ok(wrong == 0 && seen == ALL_ARMS, "way %u: each life that ends sooner has another arm, sixteen in a row (%x)", way,
		   seen);

		const uint64_t arm = arm_of_key(map);

		wrong += rcumap_put(map, KEY, "longer", 6, 200 * HOUR_MS, NULL) != 0;
		wrong += rcumap_touch(map, KEY, 300 * HOUR_MS) != 0;
		ok(wrong == 0 && arm_of_key(map) == arm, "way %u: with one that ends later it keeps it", way);
		look(map);
		ok(fixture_stats(map).hints == 1, "way %u: of all hints the one is left", way);
		bare_destroy(map);
	}
}

/* Stored and deleted in turns with others, of whatever number. */
static void arms_of_absent_keys_are_drawn(void)
{
	struct rcumap *map = new_map(0);
	unsigned wrong = 0, few = 0;

	for (uint64_t others = 0; others < 32; others++) {
		unsigned seen = 0;

		for (unsigned round = 0; round < 300; round++) {
			wrong += rcumap_put(map, KEY, "value", 5, HOUR_MS, NULL) != 0;
			seen |= 1u << arm_of_key(map);
			for (uint64_t i = 0; i < others; i++)
				wrong += fixture_put_ttl(map, i, 0, HOUR_MS) != 0 || fixture_delete(map, i) != 0;
			wrong += rcumap_delete(map, KEY) != 0;
			flavor_quiescent(fixture_flavor);
		}
		few += seen != ALL_ARMS;
	}
	is_int(wrong + few, 0, "a key that comes and goes has every arm at some time");
	bare_destroy(map);
}

int main(void)
{
	flavor_register(fixture_flavor);
	hints_with_a_part_of_the_tag();
	hints_of_one_hash();
	arms_in_a_row_differ();
	arms_of_absent_keys_are_drawn();
	flavor_unregister(fixture_flavor);
	return tap_done();
}
