/* SPDX-License-Identifier: BSD-2-Clause */
/* Defects that were found in how many reminders of deadlines are kept, and must not come back. */
#include "clock_fixture.h"

/* No reason to compact the wheel (lib/map/expiry.c); debug builds have fewer. */
#define HINTS_SLACK 8192u

#define CALM 50u

struct context {
	struct rcumap *map;
	uint64_t wanted, last;
	unsigned calm;
};

static bool has_hints(void *ctx)
{
	const struct context *c = ctx;

	return fixture_stats(c->map).hints == c->wanted;
}

/* Some are gone, and no more go. */
static bool has_come_to_rest(void *ctx)
{
	struct context *c = ctx;
	uint64_t hints = fixture_stats(c->map).hints;

	c->calm = hints < c->wanted && hints == c->last ? c->calm + 1 : 0;
	c->last = hints;
	return c->calm == CALM;
}

static bool has_few_hints(void *ctx)
{
	const struct context *c = ctx;

	return fixture_stats(c->map).hints <= HINTS_SLACK;
}

static uint64_t delete_keys(struct rcumap *map, uint64_t from, uint64_t to)
{
	uint64_t wrong = 0;

	for (uint64_t i = from; i < to; i++) {
		wrong += fixture_delete(map, i) != 0;
		flavor_quiescent(fixture_flavor);
	}
	return wrong;
}

/*
 * The wheel was compacted while most of its keys were still there. The number of hints that were of use then was the least at which it
 * would be compacted again, whatever became of the keys: so their hints were kept until the time of their deadlines.
 */
static void hints_go_after_a_compaction_that_kept_them(void)
{
	struct context c = { .map = fixture_map(NULL), .wanted = 5 * HINTS_SLACK };
	const uint64_t keys = c.wanted, some = keys / 2 + HINTS_SLACK;
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < keys; i++) {
		wrong += fixture_put_ttl(c.map, i, 0, HOUR_MS) != 0;
		flavor_quiescent(fixture_flavor);
	}
	ok(fixture_eventually(has_hints, &c), "%s: each key has a hint", fixture_name());
	wrong += delete_keys(c.map, 0, some);
	ok(fixture_eventually(has_come_to_rest, &c), "%s: most of them go, and so do hints", fixture_name());
	wrong += delete_keys(c.map, some, keys);
	is_int(wrong, 0, "%s: all of them go", fixture_name());
	if (!ok(fixture_eventually(has_few_hints, &c), "%s: and so do all hints but a few", fixture_name()))
		diag("%llu hints, %llu entries with a deadline", (unsigned long long)fixture_stats(c.map).hints,
		     (unsigned long long)fixture_stats(c.map).expiring);
	fixture_destroy(c.map);
}

static void test(void)
{
	hints_go_after_a_compaction_that_kept_them();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
