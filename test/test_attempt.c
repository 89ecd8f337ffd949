/* SPDX-License-Identifier: BSD-2-Clause */
/* map/attempt: a writer who does the reclaimer's work for a while leaves it what comes of that, and wakes it then. */
#include "bare_fixture.h"

/* Puts after which writers help with hints, there being no reclaimer. */
#define LATE ((2 * STRIPE_COUNT + 2) * LOG_CELLS)

static struct rcumap *map; /* NULL: not made yet */
static uint64_t time_ns;
static uint32_t value_before; /* of the reclaimer's wake, when the clock was last looked at */

/* Whoever helps looks at it before each entry that he removes. */
static uint64_t noting_clock(void *ctx)
{
	(void)ctx;
	if (map)
		value_before = wake_value(&map->reclaimer.wake);
	return time_ns;
}

static void put_next(uint64_t *key)
{
	if (rcumap_put(map, key, sizeof *key, "value", 5, 1000, NULL) != 0)
		bail("rcumap_put");
	++*key;
}

/* The signal came first, and went to a reclaimer that might be back asleep before there was anything to take. */
static void who_has_helped_wakes_the_reclaimer(void)
{
	struct rcumap_options options = { .capacity = 2 * LATE, .clock = noting_clock };
	uint64_t key = 0;

	time_ns = 1000000000;
	map = NULL;
	map = bare_map(&options);
	while (key < LATE)
		put_next(&key);
	time_ns += UINT64_C(10000000000);
	while (key < 2 * LATE && fixture_stats(map).expired == 0)
		put_next(&key);
	ok(fixture_stats(map).expired > 0, "%s: a put has removed what had expired", fixture_name());

	/* The statistics look at no clock. */
	ok(wake_value(&map->reclaimer.wake) != value_before, "%s: the reclaimer is woken after that", fixture_name());
	bare_destroy(map);
}

int main(void)
{
	fixture_each_flavor(who_has_helped_wakes_the_reclaimer);
	return tap_done();
}
