/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/resize.h"

#include <errno.h>

#include "map/evict.h"
#include "map/spare.h"
#include "protocol/load.h"
#include "protocol/migrate.h"

/* Groups per turn: short enough that a batch whose grace period has ended does not wait long, and a section stays
 * short. */
#define SWEEP_GROUPS 1024u
/* Turns in a row that lack room within the limit on bytes, after which whoever waits for the table is told so. */
#define SWEEPS_IN_VAIN 100u
/* Groups per urgent turn of a writer: his bounded share. */
#define SWEEP_GROUPS_URGENT 1u

static void retire_table(struct reclaimer *reclaimer, struct table *table)
{
	table->retired = atomic_load_explicit(&reclaimer->retired_tables, memory_order_relaxed);
	/* [TABLES release] publishes the link; pairs with [TABLES acquire] in reclaimer_take(), which takes them all. */
	while (!atomic_compare_exchange_weak_explicit(&reclaimer->retired_tables, &table->retired, table,
						      memory_order_release, memory_order_relaxed))
		;
}

/* With the table that is ahead, touched or not, if it is of that size. */
static int begin(struct rcumap *map, unsigned size)
{
	struct table *ahead = tables_take_ahead(&map->tables, size);
	int error = ahead ? tables_begin_with(&map->tables, ahead) : tables_begin(&map->tables, size);

	if (error && ahead)
		retire_table(&map->reclaimer, ahead);
	if (!error)
		spare_begun(map);
	return error;
}

static int sweep(struct rcumap *map, uint64_t groups)
{
	struct table *retired;
	int error = migrate_sweep(&map->tables, groups, &retired);

	if (retired) {
		retire_table(&map->reclaimer, retired);
		wake_signal(&map->reclaimer.wake);
	}
	return error;
}

int reclaimer_grow_urgently(struct rcumap *map, const struct table *table)
{
	int error = -EBUSY;

	/* Once is enough, however many have seen the same long chain. */
	if (tables_current(&map->tables) == table)
		error = begin(map, table->size + 1);

	if (error == -EBUSY) {
		int sweep_error = sweep(map, SWEEP_GROUPS_URGENT);

		if (sweep_error)
			error = sweep_error;
	}
	wake_signal(&map->reclaimer.wake);
	return error;
}

/* The size below which the table must not be: what was reserved, or is being asked for. Under the lock. */
static unsigned smallest_size(const struct reclaimer *reclaimer)
{
	unsigned min = reclaimer->size_min;

	for (const struct reclaimer_wish *wish = reclaimer->wishes; wish; wish = wish->next)
		if (wish->size > min)
			min = wish->size;
	return min;
}

/* Where a table is ahead it has been decided upon, and has its room; a few entries more or fewer do not change that, here and below: or it would
 * be taken back time and again, and all these tables be garbage. */
static bool wants_larger(const struct rcumap *map, const struct table *table, uint64_t entries)
{
	return tables_have_ahead(&map->tables, table->size + 1) ? !load_is_sparse(entries, table->size) :
					       load_must_grow(entries, table->size) && spare_may_grow(map, table, entries);
}

static bool wants_smaller(const struct rcumap *map, const struct table *table, uint64_t entries)
{
	return tables_have_ahead(&map->tables, table->size - 1) ? load_is_sparse(entries, table->size) :
								   load_may_shrink(entries, table->size);
}

/* The size that the table, the current one, should have next. */
static unsigned decide_size(struct rcumap *map, const struct table *table)
{
	const unsigned size = table->size;
	struct reclaimer *reclaimer = &map->reclaimer;
	uint64_t entries = map_occupied(map);
	unsigned decided = size;

	pthread_mutex_lock(&reclaimer->lock);

	unsigned min = smallest_size(reclaimer);

	if (size < SIZE_LAST && (size < min || wants_larger(map, table, entries)))
		decided = size + 1;
	else if (size > min && wants_smaller(map, table, entries))
		/* From now on rcumap_reserve() waits, if it asks for what the table is about to lose. */
		decided = reclaimer->size_now = size - 1;
	pthread_mutex_unlock(&reclaimer->lock);
	return decided;
}

/* At the beginning of a turn: what fails in it is no answer to those who come later. */
static void see_wishes(struct reclaimer *reclaimer)
{
	pthread_mutex_lock(&reclaimer->lock);
	for (struct reclaimer_wish *wish = reclaimer->wishes; wish; wish = wish->next)
		wish->seen = true;
	pthread_mutex_unlock(&reclaimer->lock);
}

/* Tell those who wait for a larger table how large it is, or why it does not grow. Writers, too, resize: so at each
 * turn. */
static void answer_wishes(struct reclaimer *reclaimer, unsigned size, int error)
{
	pthread_mutex_lock(&reclaimer->lock);
	if (error || size != reclaimer->size_now) {
		reclaimer->size_now = size;
		for (struct reclaimer_wish *wish = reclaimer->wishes; wish && error; wish = wish->next)
			if (wish->seen && wish->size > size)
				wish->error = error;
		pthread_cond_broadcast(&reclaimer->changed);
	}
	pthread_mutex_unlock(&reclaimer->lock);
}

/* What is ahead, and no longer wanted. */
static void drop_ahead(struct rcumap *map)
{
	const struct table *ahead = tables_ahead(&map->tables);
	struct table *taken = ahead ? tables_take_ahead(&map->tables, ahead->size) : NULL;

	if (taken)
		retire_table(&map->reclaimer, taken);
}

/*
 * The pages of a new table are touched before it is used: the kernel has to clear them, 100 us to 1 ms for each two megabytes, and writers who
 * had just begun with the table would wait for nearly all of them, one put after the other. So it takes some turns until it begins.
 * Chains grow meanwhile; a writer who meets a long one when the table is far too full (map/room.c) begins with what is ahead, touched or not.
 *
 * As begin(). *touch: the table that is ahead, for a part of it to be touched outside of the section; NULL: none is.
 */
static int begin_touched(struct rcumap *map, unsigned size, struct table **touch)
{
	struct table *ahead = tables_ahead(&map->tables);

	if (ahead && ahead->size != size) {
		drop_ahead(map);
		ahead = NULL;
	}
	if (!tables_are_mapped(&map->tables, size))
		return begin(map, size);
	if (!ahead) {
		int error = tables_prepare(&map->tables, size);

		if (error)
			return error;
		spare_begun(map);
		ahead = tables_ahead(&map->tables);
	}
	if (ahead && table_is_touched(ahead))
		return begin(map, size);
	*touch = ahead;
	return 0;
}

/* A part of the reclaimer's turn, and what came of it. */
struct turn {
	bool sweeps; /* a table is on the move */
	bool growing;
	bool more;
	struct table *touch; /* ahead: a part of it is to be touched, outside of the section */
	int error;
};

/* `table`, the current one, is followed by another already. */
static void sweep_on(struct rcumap *map, const struct table *table, struct turn *turn)
{
	turn->sweeps = true;
	turn->growing = table_next(table)->size > table->size;
	drop_ahead(map);
	turn->error = sweep(map, SWEEP_GROUPS);
	turn->more = true;
	if (turn->error == -ENOSPC)
		evict_relieve(map, EVICT_LINE_BYTES); /* perhaps nobody stores anything */
}

/* It is not: it stays, or another begins. */
static void begin_if_wanted(struct rcumap *map, const struct table *table, struct turn *turn)
{
	const unsigned size = decide_size(map, table);

	turn->growing = size > table->size;
	turn->more = size != table->size;
	if (turn->more)
		turn->error = begin_touched(map, size, &turn->touch);
	else
		drop_ahead(map);
	if (turn->error == -EBUSY)
		turn->error = 0; /* a writer began */
	if (budget_is_on(&map->memory.budget))
		spare_want(map, turn->error == -ENOSPC && !turn->growing ?
					budget_table_bytes(tables_bytes_of(&map->tables, size)) : 0);
}

/* The size that the table has, or is about to have if that is less; `table` was current at the beginning of the turn. */
static unsigned least_size(struct rcumap *map, const struct table *table, const struct table *touch)
{
	const struct table *next = table_next(table);
	unsigned size = tables_current(&map->tables)->size;

	if (next && next->size < size)
		size = next->size;
	return touch && touch->size < size ? touch->size : size;
}

/* It does not grow, and whoever waits for that is told so. What a sweep lacks within the limit has been evicted for it, and comes back soon
 * if no reader stays. */
static bool fails_to_grow(const struct reclaimer *reclaimer, const struct turn *turn)
{
	const bool waits = turn->sweeps && turn->error == -ENOSPC && reclaimer->resizes_in_vain < SWEEPS_IN_VAIN;

	return turn->error && turn->growing && !waits;
}

bool reclaimer_resize(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	struct turn turn = { .touch = NULL };

	see_wishes(reclaimer);
	map->section->lock();

	const struct table *table = tables_current(&map->tables);

	if (table_next(table))
		sweep_on(map, table, &turn);
	else
		begin_if_wanted(map, table, &turn);

	const unsigned size = least_size(map, table, turn.touch);

	map->section->unlock();
	/* Whoever takes it meanwhile, it is this thread that will free it. */
	if (turn.touch)
		table_touch(&map->tables, turn.touch);
	reclaimer->resize_error = turn.error;
	reclaimer->resizes_in_vain = turn.error == -ENOSPC ? reclaimer->resizes_in_vain + 1 : 0;

	const bool fails = fails_to_grow(reclaimer, &turn);

	if (fails)
		atomic_fetch_add_explicit(&reclaimer->growth_failed, 1, memory_order_relaxed); /* a statistic */
	answer_wishes(reclaimer, size, fails ? turn.error : 0);
	return turn.more && !turn.error;
}
