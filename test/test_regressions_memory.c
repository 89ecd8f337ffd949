/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Defects that were found in memory, and must not come back. The slab is compiled into this program, so that its counters can be set
 * to what takes hours to reach, and a thread can be made to lose a race: slab_alloc() calls out.
 */
#include "map/reclaim.h"

#include "fault/default_allocator.h"
#include "fixture.h"

void *slab_alloc_inner(struct slab *slab, unsigned stripe, size_t size);
#define slab_alloc slab_alloc_inner
#include "memory/slab.c"
#undef slab_alloc

/* What the calling thread does in its next allocation of that size. */
static _Thread_local void (*meanwhile)(void);
static _Thread_local size_t meanwhile_size;

void *slab_alloc(struct slab *slab, unsigned stripe, size_t size)
{
	if (meanwhile && size == meanwhile_size) {
		void (*act)(void) = meanwhile;

		meanwhile = NULL;
		act();
	}
	return slab_alloc_inner(slab, stripe, size);
}

/* ------------------------------------------------------------------ what was never published */

static uint64_t same_hash(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key;
	(void)key_size;
	return 42;
}

/* Each built an entry before it was known that there was no place for it, and only a busy reclaimer took it back. */
static void refused_puts_take_no_memory(void)
{
	struct rcumap_options options = { .size = sizeof options, .hash = same_hash };
	const uint64_t puts = fixture_scaled(1000000, 20000);
	uint64_t key = 0, bytes, changed = 0, wrong = 0;
	struct rcumap *map = NULL;
	char value[900] = "";
	int error;

	if (map_new(&map, &options) != 0)
		bail("map_new");
	while ((error = rcumap_put(map, &key, sizeof key, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL)) == 0)
		key++;
	is_int(error, -EOVERFLOW, "keys of one hash are refused at some time");
	bytes = fixture_stats(map).memory_bytes;
	for (uint64_t i = 0; i < puts; i++) {
		wrong += rcumap_put(map, &key, sizeof key, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL) != -EOVERFLOW;
		changed += fixture_stats(map).memory_bytes != bytes;
	}
	is_int(wrong, 0, "and %llu times more", (unsigned long long)puts);
	is_int(changed, 0, "that takes no memory, though no reclaimer takes anything back");
	while (reclaimer_take(map))
		(void)reclaimer_give_back(map);
	map_free(map);
}

#define RACE_VALUE 800u

static struct rcumap *race_map;
static const uint64_t race_key = 7;

static void *add_first(void *result)
{
	char value[RACE_VALUE] = "first";

	*(int *)result =
		rcumap_add(race_map, &race_key, sizeof race_key, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL);
	return NULL;
}

static int add_first_result = -1;

/* Another thread is faster, between the look at the bucket and the insert. */
static void lose_the_race(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, add_first, &add_first_result) != 0)
		bail("pthread_create");
	pthread_join(thread, NULL);
}

static bool something_is_discarded(const struct slab *slab)
{
	for (unsigned c = 0; c < SLAB_CLASSES; c++)
		if (atomic_load(&((struct slab *)slab)->class[c].discarded))
			return true;
	return false;
}

/* What the loser of a race had built waited until somebody else woke the reclaimer: with adds alone, for ever. */
static void what_a_lost_race_leaves_is_taken_back(void)
{
	char value[RACE_VALUE] = "second";
	uint32_t wake;
	int error;

	if (map_new(&race_map, NULL) != 0)
		bail("map_new");
	wake = wake_value(&race_map->reclaimer.wake);
	meanwhile_size = entry_size(sizeof race_key, RACE_VALUE, false);
	meanwhile = lose_the_race;
	error = rcumap_add(race_map, &race_key, sizeof race_key, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL);
	is_int(add_first_result, 0, "two add one key: the faster succeeds");
	is_int(error, -EEXIST, "the other does not");
	ok(something_is_discarded(&race_map->memory.slab), "what it had built is left");
	ok(wake_value(&race_map->reclaimer.wake) != wake, "the reclaimer is woken");
	(void)reclaimer_reclaim(race_map);
	ok(!something_is_discarded(&race_map->memory.slab), "to take it back in its next turn");
	map_free(race_map);
}

/* ------------------------------------------------------------------ counters near their wrap */

_Static_assert(sizeof(((struct magazine *)0)->taken) == 8, "no number of failed attempts makes it wrap");

/* Each attempt to allocate without memory counts one up in an exhausted magazine; at 2^32 its blocks came again. */
static void failures_do_not_hand_out_blocks_again(void)
{
	struct slab *slab = aligned_alloc(64, (sizeof *slab + 63) & ~(size_t)63);
	struct magazine *magazine;
	unsigned got = 0;

	memset(slab, 0, sizeof *slab);
	slab_init(slab);
	default_allocator_arm(2);
	while (slab_alloc_inner(slab, 0, 4096) && got < 1000)
		got++;
	ok(default_allocator_disarm(), "%u blocks are handed out, then there is no memory", got);
	default_allocator_fail_from(1);
	magazine = atomic_load(&slab->stripe[0].current[class_of(4096)]);
	ok(atomic_load(&magazine->taken) > magazine->count, "attempts are counted in the exhausted magazine");
	atomic_store(&magazine->taken, UINT32_MAX - 10);
	got = 0;
	for (unsigned i = 0; i < 100; i++)
		got += slab_alloc_inner(slab, 0, 4096) != NULL;
	default_allocator_fail_from(INT64_MAX);
	is_int(got, 0, "four thousand million attempts later still none is handed out");
	ok(atomic_load(&magazine->taken) > UINT32_MAX, "the count goes on");
	slab_fini(slab);
	free(slab);
}

int main(void)
{
	refused_puts_take_no_memory();
	what_a_lost_race_leaves_is_taken_back();
	failures_do_not_hand_out_blocks_again();
	return tap_done();
}
