/* SPDX-License-Identifier: BSD-2-Clause */
/* The next table before it is used: its pages are touched in turns, writers may take it, and who does not want it gives it back. */
#include "bare_fixture.h"
#include "ground/pages.h"
#include "map/spare.h"
#include "protocol/load.h"
#include "table_fixture.h"

#include <sys/mman.h>

/* Tables of several huge pages, in debug builds, too, whose lines are shorter. */
#define LARGE_CAPACITY 400000u
/* Of little more than what is mapped at all. */
#define SMALL_CAPACITY 5000u

static struct table *next_of(const struct rcumap *map)
{
	return table_next(tables_current(&map->tables));
}

/* The reclaimer wants a table of the next size. */
static void want_larger(struct rcumap *map)
{
	map->reclaimer.size_min = bare_size(map) + 1;
}

/* And has it ahead. */
static struct table *prepare_larger(struct rcumap *map)
{
	want_larger(map);
	(void)reclaimer_resize(map);
	return tables_ahead(&map->tables);
}

static void want_no_larger(struct rcumap *map)
{
	map->reclaimer.size_min = bare_size(map);
}

static size_t pages_of(const struct rcumap *map, const struct table *table)
{
	return (tables_bytes_of(&map->tables, table->size) + PAGES_SMALL - 1) / PAGES_SMALL;
}

static size_t resident_pages(const struct rcumap *map, const struct table *table)
{
	const size_t pages = pages_of(map, table);
	unsigned char *there = malloc(pages);
	size_t n = 0;

	if (!there || mincore(table->lines, pages * PAGES_SMALL, there) != 0)
		bail("mincore: %s", strerror(errno));
	for (size_t i = 0; i < pages; i++)
		n += there[i] & 1;
	free(there);
	return n;
}

static uint64_t bytes_of_tables(const struct rcumap *map)
{
	return atomic_load(&map->memory.line_bytes);
}

static bool inside(struct rcumap *map, bool (*fn)(struct rcumap *map))
{
	bool result;

	map->section->lock();
	result = fn(map);
	map->section->unlock();
	return result;
}

/* ------------------------------------------------------------------ the reclaimer's part */

static void touched_before_it_is_used(void)
{
	struct rcumap *map = bare_map_on(NULL, LARGE_CAPACITY);
	const unsigned size = bare_size(map);
	unsigned turns = 0;
	struct table *ahead;

	want_larger(map);
	ok(reclaimer_resize(map), "%s: the reclaimer begins with a larger table", fixture_name());
	ahead = tables_ahead(&map->tables);
	ok(ahead && ahead->size == size + 1 && !next_of(map), "%s: which is ahead, and not in use", fixture_name());
	while (!next_of(map) && reclaimer_resize(map))
		turns++;
	ok(turns >= tables_bytes_of(&map->tables, size + 1) / PAGES_HUGE, "%s: it takes turns, %u more", fixture_name(), turns);
	ok(next_of(map) == ahead && !tables_ahead(&map->tables), "%s: then it is in use, and none is ahead", fixture_name());
	is_int(resident_pages(map, ahead), pages_of(map, ahead), "%s: all its pages are there", fixture_name());
	bare_resize(map);
	is_int(bare_size(map), size + 1, "%s: it becomes the current one", fixture_name());
	bare_destroy(map);
}

static void a_smaller_one_too(void)
{
	struct rcumap *map = bare_map_on(NULL, LARGE_CAPACITY);
	const unsigned size = bare_size(map);

	map->reclaimer.size_min = size - 1;
	while (!next_of(map) && reclaimer_resize(map))
		;
	ok(next_of(map) && next_of(map)->size == size - 1, "%s: a smaller table follows", fixture_name());
	is_int(resident_pages(map, next_of(map)), pages_of(map, next_of(map)), "%s: all its pages are there", fixture_name());
	bare_destroy(map);
}

static void dropped_if_not_wanted(void)
{
	struct rcumap *map = bare_map_on(NULL, LARGE_CAPACITY);
	uint64_t before;

	before = bytes_of_tables(map);
	(void)prepare_larger(map);
	ok(bytes_of_tables(map) > before && fixture_stats(map).table_bytes >= bytes_of_tables(map), "%s: what is ahead is counted", fixture_name());
	want_no_larger(map);
	ok(!reclaimer_resize(map), "%s: it is no longer wanted", fixture_name());
	ok(!tables_ahead(&map->tables) && !next_of(map), "%s: none is ahead then", fixture_name());
	bare_reclaim(map);
	is_int(bytes_of_tables(map), before, "%s: its memory comes back", fixture_name());
	bare_destroy(map);
}

/* It was, time and again, by a few entries that came and went at the border: each such table was garbage, and the map never grew. */
static void kept_at_the_border(void)
{
	struct rcumap *map = bare_map_on(NULL, SMALL_CAPACITY);
	const unsigned size = bare_size(map);
	struct table *ahead = prepare_larger(map);
	uint64_t n = 0;

	while (!load_must_grow(n, size))
		fixture_put(map, n++, 0, 24);
	want_no_larger(map);
	for (unsigned i = 0; i < 100; i++)
		fixture_delete(map, --n);
	ok(ahead && tables_ahead(&map->tables) == ahead && !load_must_grow(n, size),
	   "%s: a larger table is ahead, and some entries go", fixture_name());
	(void)reclaimer_resize(map);
	ok(next_of(map) == ahead, "%s: the map grows all the same", fixture_name());
	bare_resize(map);
	bare_destroy(map);
}

static void kept_at_the_other_border(void)
{
	struct rcumap *map = bare_map_on(NULL, LARGE_CAPACITY);
	const unsigned size = bare_size(map);
	struct table *ahead;
	uint64_t n = 0;

	map->reclaimer.size_min = size - 1;
	(void)reclaimer_resize(map);
	ahead = tables_ahead(&map->tables);
	is_int(map->reclaimer.size_now, size - 1, "%s: a smaller table is ahead: that is the map's size from now on", fixture_name());
	while (load_may_shrink(n, size))
		fixture_put(map, n++, 0, 24);
	while (!next_of(map) && reclaimer_resize(map))
		;
	ok(ahead && next_of(map) == ahead, "%s: some entries more, and it shrinks all the same", fixture_name());
	bare_resize(map);
	bare_destroy(map);
}

static void dropped_if_another_was_faster(void)
{
	struct rcumap *map = bare_map_on(NULL, LARGE_CAPACITY);
	const unsigned size = bare_size(map);
	struct table *ahead;

	ahead = prepare_larger(map);
	map->section->lock();
	is_int(tables_begin(&map->tables, size + 1), 0, "%s: somebody who had seen none begins with another", fixture_name());
	map->section->unlock();
	(void)reclaimer_resize(map);
	ok(!tables_ahead(&map->tables) && next_of(map) != ahead, "%s: then what is ahead is dropped", fixture_name());
	bare_resize(map);
	is_int(bare_size(map), size + 1, "%s: growth goes on with the other", fixture_name());
	bare_destroy(map);
}

/* ------------------------------------------------------------------ the writers' part */

static bool take_and_lose(struct rcumap *map)
{
	const unsigned size = bare_size(map) + 1;
	struct table *taken = tables_take_ahead(&map->tables, size);

	ok(!tables_take_ahead(&map->tables, size), "%s: what was taken is not taken again", fixture_name());
	return taken && tables_begin(&map->tables, size) == 0 && tables_begin_with(&map->tables, taken) == -EBUSY &&
	       next_of(map) != taken;
}

static void one_alone_takes_it(void)
{
	struct chain *chain = chain_new(7);
	struct tables *tables = &chain->tables;
	struct table *taken;

	ok(!tables_ahead(tables) && !tables_take_ahead(tables, 8), "none is ahead at first");
	is_int(tables_prepare(tables, SIZE_LAST + 1), -ENOMEM, "none is larger than the largest");
	is_int(tables_prepare(tables, 8), 0, "one is");
	ok(!tables_take_ahead(tables, 6) && tables_ahead(tables), "it is not taken for one of another size");
	taken = tables_take_ahead(tables, 8);
	ok(taken && !tables_take_ahead(tables, 8), "one alone takes it");
	is_int(tables_begin_with(tables, taken), 0, "and begins with it");
	ok(table_next(chain_table(chain)) == taken, "it follows");
	is_int(tables_prepare(tables, 9), 0, "the next one is ahead");
	ok(chain_delete(chain), "all tables are freed");
}

static void who_loses_keeps_it(void)
{
	struct rcumap *map = bare_map_on(NULL, SMALL_CAPACITY);

	(void)prepare_larger(map);
	ok(inside(map, take_and_lose), "%s: who takes it, and finds another in use, has it still", fixture_name());
	bare_destroy(map);
}

static bool grow_urgently(struct rcumap *map)
{
	return reclaimer_grow_urgently(map, tables_current(&map->tables)) == 0;
}

static void taken_as_it_is(void)
{
	struct rcumap *map = bare_map_on(NULL, LARGE_CAPACITY);
	struct table *ahead;

	ahead = prepare_larger(map);
	ok(!table_is_touched(ahead), "%s: a table is ahead, and not wholly touched", fixture_name());
	ok(inside(map, grow_urgently), "%s: a writer grows", fixture_name());
	ok(next_of(map) == ahead && !tables_ahead(&map->tables), "%s: with that", fixture_name());
	bare_resize(map);
	bare_destroy(map);
}

/* Chains grow while it is being touched, but not for long. */
static void writers_wait_for_an_eighth(void)
{
	struct rcumap *map = bare_map_on(NULL, SMALL_CAPACITY);
	const uint64_t late = load_slots(bare_size(map)) / 16 * 15, slots = load_slots(bare_size(map));
	struct table *ahead = prepare_larger(map);
	unsigned failed = 0;
	uint64_t n = 0;

	while (!next_of(map) && n < 4 * slots)
		failed += fixture_put(map, n++, 0, 24) != 0;
	ok(ahead && next_of(map) == ahead && n > late, "%s: writers go on without it for an eighth: to %ju entries of %ju slots",
	   fixture_name(), (uintmax_t)n, (uintmax_t)slots);
	is_int(failed, 0, "%s: all puts succeed", fixture_name());
	bare_resize(map);
	bare_destroy(map);
}

/* ------------------------------------------------------------------ with a limit on bytes */

static void charged_once(void)
{
	struct rcumap_options options = { .max_bytes = (size_t)256 << 20, .capacity = LARGE_CAPACITY };
	struct rcumap *map = bare_map(&options);
	const struct quota *live = &map->memory.budget.live;
	uint64_t charged;

	(void)prepare_larger(map);
	ok(tables_ahead(&map->tables), "%s: a table is ahead in a map with max_bytes", fixture_name());
	charged = quota_charged(live);
	spare_plan(map, tables_current(&map->tables), load_most(bare_size(map)));
	is_int(quota_charged(live), charged, "%s: nothing is kept free for it besides", fixture_name());
	while (!next_of(map) && reclaimer_resize(map))
		;
	is_int(quota_charged(live), charged, "%s: nor is it charged again when it is used", fixture_name());
	bare_resize(map);
	bare_destroy(map);
}

static void test(void)
{
	touched_before_it_is_used();
	a_smaller_one_too();
	dropped_if_not_wanted();
	kept_at_the_border();
	kept_at_the_other_border();
	dropped_if_another_was_faster();
	who_loses_keeps_it();
	taken_as_it_is();
	writers_wait_for_an_eighth();
	charged_once();
}

int main(void)
{
	one_alone_takes_it();
	fixture_each_flavor(test);
	return tap_done();
}
