/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map with max_bytes whose structures have taken all there is: lines for full buckets, and for those that migrate, cannot be had
 * before somebody evicts. Everybody goes on nevertheless.
 */
#include "bare_fixture.h"
#include "bytes_fixture.h"

#include "protocol/route.h"

#define SIZE 24u
/* A try evicts, the next one finds the memory; a few more, for who is unlucky, but for LATE of all: of 75,000 keys ten needed 9 tries or more, one 15. */
#define TRIES 8u
#define LATE 2u
/* For ever. */
#define TRIES_MOST 64u
/* Each time what others have evicted is taken away: more, and nothing would be left to evict. */
#define KEYS 50u

/* A map of which so much is in use. */
static struct rcumap *used_map(uint64_t bytes)
{
	struct rcumap_options options = bytes_options(MIB, RCUMAP_WAIT_NONE);
	struct rcumap *map = bare_map(&options);

	for (uint64_t n = 0; budget_accounted(&map->memory.budget) < bytes; n++) {
		(void)bytes_put(map, n, n, SIZE);
		bare_resize(map);
		bare_reclaim(map);
	}
	return map;
}

/* What lines draw on, and all that nobody holds, is used for structures: more than may live. */
static void take_all(struct rcumap *map, uint64_t *taken)
{
	struct budget *budget = &map->memory.budget;
	uint64_t left, ahead = 0;

	while (budget_take(budget, MEMORY_LINE, 1))
		++*taken;
	while ((left = quota_left(&budget->held) + quota_reserved(&budget->held)) && quota_take(&budget->held, stripe_index(), left)) {
		quota_charge(&budget->live, left);
		*taken += left;
	}
	/* And no stripe has any room ahead. */
	while (quota_take(&budget->live, stripe_index(), 1))
		ahead++;
	while (ahead--)
		quota_give(&budget->live, stripe_index(), 1);
}

static void give_all(struct rcumap *map, uint64_t taken)
{
	while (taken--)
		budget_give(&map->memory.budget, MEMORY_STRUCTURE, 1);
}

/* *late counts those who need more than TRIES. */
static bool is_stored(struct rcumap *map, uint64_t number, unsigned *late)
{
	for (unsigned i = 0; i < TRIES_MOST; i++) {
		*late += i == TRIES;

		int result = bytes_put(map, number, number, SIZE);

		if (result != -ENOSPC)
			return result == 0;
		bare_resize(map); /* as the reclaimer would */
		bare_reclaim(map);
	}
	return false;
}

/* Is there no free slot in the bucket of a key? */
static bool needs_line(struct rcumap *map, uint64_t number)
{
	unsigned char key[FIXTURE_KEY_MAX];
	const size_t size = fixture_key(number, key);
	struct bucket_view view;
	int error;

	map->section->lock();
	if (!route_bucket(&map->tables, hash_key(&map->tables.hash, key, size), &view, &error))
		bail("no bucket");
	bucket_scan(&view, key, size);
	map->section->unlock();
	return !view.empty_line;
}

/* A key whose bucket has no free slot needs a line, and nobody had evicted for that: it was refused for ever, while all who
 * found a slot were stored. */
static void full_buckets_get_lines(void)
{
	struct rcumap *map = used_map(MIB - MIB / 16);
	uint64_t taken = 0, stuck = 0, next = 1000000;
	unsigned late = 0;

	for (unsigned n = 0; n < KEYS; n++) {
		while (!needs_line(map, ++next))
			;
		take_all(map, &taken);
		stuck += !is_stored(map, next, &late);
	}
	ok(stuck == 0 && late <= LATE, "%s: no key is refused for ever, whatever its bucket", fixture_name());
	give_all(map, taken);
	bare_destroy(map);
}

/* Entries of a bucket. */
static unsigned load_of(struct line *line)
{
	unsigned n = 0;

	for (; line; line = line_next(line))
		for (unsigned i = 0; i < LINE_SLOTS; i++)
			n += slot_has_entry(slot_load(line, i));
	return n;
}

/* Of each group of two buckets that one line cannot hold, one is as a migrator leaves it who gets no line: frozen. */
static unsigned freeze_some(struct rcumap *map)
{
	struct table *table = tables_current(&map->tables);
	unsigned frozen = 0;

	for (uint64_t b = 0; b + 1 < table_buckets(table); b += 2) {
		struct line *line = &table->lines[b];
		uint64_t ctl = ctl_load(line);

		if (load_of(line) + load_of(line + 1) > LINE_SLOTS && !ctl_is_busy(ctl))
			frozen += ctl_cas(line, ctl, CTL_FROZEN);
	}
	return frozen;
}

/* Whoever came to such a bucket in search of what to evict was refused, and so was everybody, for ever. */
static void frozen_buckets_hold_up_nobody(void)
{
	struct rcumap *map = used_map(MIB / 2);
	uint64_t taken = 0, stuck = 0, next = 1000000;
	unsigned late = 0;

	/* A table of half the size, for as many entries: each group needs lines. */
	map->section->lock();
	if (tables_begin(&map->tables, bare_size(map) - 1) != 0)
		bail("no table");

	const unsigned frozen = freeze_some(map);

	map->section->unlock();
	ok(frozen > 100, "%s: %u buckets are frozen", fixture_name(), frozen);
	for (unsigned n = 0; n < KEYS; n++, next++) {
		take_all(map, &taken);
		stuck += !is_stored(map, next, &late);
	}
	ok(stuck == 0 && late <= LATE, "%s: they hold up nobody for ever", fixture_name());
	give_all(map, taken);
	bare_destroy(map);
}

/* Nobody stores anything: what is needed to go on is the reclaimer's to evict. */
static void a_table_goes_on_alone(void)
{
	struct rcumap *map = used_map(MIB / 2);
	uint64_t taken = 0;
	unsigned turns = 0;

	map->section->lock();
	if (tables_begin(&map->tables, bare_size(map) - 1) != 0)
		bail("no table");
	(void)freeze_some(map);
	map->section->unlock();
	take_all(map, &taken);
	for (; table_next(tables_current(&map->tables)) && turns < 10000; turns++) {
		(void)reclaimer_resize(map);
		bare_reclaim(map);
	}
	ok(!table_next(tables_current(&map->tables)), "%s: a table that gets no lines is done in %u turns", fixture_name(), turns);
	give_all(map, taken);
	bare_destroy(map);
}

static int64_t credit(const struct rcumap *map)
{
	return atomic_load(&((struct rcumap *)map)->memory.budget.line_credit);
}

static int begin_larger(struct rcumap *map)
{
	return tables_begin(&map->tables, bare_size(map) + 1);
}

static int prepare_larger(struct rcumap *map)
{
	return tables_prepare(&map->tables, bare_size(map) + 1);
}

/* A writer who had chained lines to an overfull table took those that the next one had brought, and it could not be filled. */
static void writers_leave_what_a_table_brings(int (*bring)(struct rcumap *map), const char *when)
{
	struct rcumap *map = used_map(MIB / 2);
	struct tables *tables = &map->tables;
	struct line *before, *line, *filled;
	int64_t had;

	map->section->lock();
	had = credit(map);
	is_int(table_alloc_line(tables, LINE_OPEN, &before), 0, "%s: a writer's line", fixture_name());
	ok(credit(map) < had, "%s: comes from what the table has brought", fixture_name());
	if (bring(map) != 0)
		bail("no table");
	had = credit(map);
	is_int(table_alloc_line(tables, LINE_OPEN, &line), 0, "%s: one more, while %s", fixture_name(), when);
	ok(credit(map) >= had, "%s: leaves it to those who migrate", fixture_name());
	had = credit(map);
	is_int(table_alloc_line(tables, LINE_UNFILLED, &filled), 0, "%s: and one of theirs", fixture_name());
	ok(credit(map) < had, "%s: does not", fixture_name());
	table_discard_line(tables, before);
	table_discard_line(tables, line);
	table_discard_line(tables, filled);
	map->section->unlock();
	bare_destroy(map);
}

static void test(void)
{
	writers_leave_what_a_table_brings(begin_larger, "entries migrate");
	writers_leave_what_a_table_brings(prepare_larger, "its pages are touched");
	full_buckets_get_lines();
	frozen_buckets_hold_up_nobody();
	a_table_goes_on_alone();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
