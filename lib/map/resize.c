/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/resize.h"

#include <errno.h>

#include "map/spare.h"
#include "protocol/load.h"
#include "protocol/migrate.h"

/* Groups per turn: short enough that a batch whose grace period has ended does not wait long, and a section stays
 * short. */
#define SWEEP_GROUPS 1024u
/* Groups per urgent turn of a writer: his bounded share. */
#define SWEEP_GROUPS_URGENT 8u

static void retire_table(struct reclaimer *reclaimer, struct table *table)
{
	table->retired = atomic_load_explicit(&reclaimer->retired_tables, memory_order_relaxed);
	/* [TABLES release] publishes the link; pairs with [TABLES acquire] in reclaimer_take(), which takes them all. */
	while (!atomic_compare_exchange_weak_explicit(&reclaimer->retired_tables, &table->retired, table,
						      memory_order_release, memory_order_relaxed))
		;
}

static int begin(struct rcumap *map, unsigned bits)
{
	int error = tables_begin(&map->tables, bits);

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
		error = begin(map, table->bits + 1);

	if (error == -EBUSY) {
		int sweep_error = sweep(map, SWEEP_GROUPS_URGENT);

		if (sweep_error)
			error = sweep_error;
	}
	wake_signal(&map->reclaimer.wake);
	return error;
}

/* The size below which the table must not be: what was reserved, or is being asked for. Under the lock. */
static unsigned smallest_bits(const struct reclaimer *reclaimer)
{
	unsigned min = reclaimer->bits_min;

	for (const struct reclaimer_wish *wish = reclaimer->wishes; wish; wish = wish->next)
		if (wish->bits > min)
			min = wish->bits;
	return min;
}

/* The size that the table, the current one, should have next. */
static unsigned decide_bits(struct rcumap *map, const struct table *table)
{
	const unsigned bits = table->bits;
	struct reclaimer *reclaimer = &map->reclaimer;
	uint64_t entries = map_occupied(map);
	unsigned decided = bits;

	pthread_mutex_lock(&reclaimer->lock);

	unsigned min = smallest_bits(reclaimer);

	if (bits < TABLE_BITS_MAX &&
	    (bits < min || (load_must_grow(entries, bits) && spare_may_grow(map, table, entries))))
		decided = bits + 1;
	else if (bits > min && load_may_shrink(entries, bits))
		/* From now on rcumap_reserve() waits, if it asks for what the table is about to lose. */
		decided = reclaimer->bits_now = bits - 1;
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
static void answer_wishes(struct reclaimer *reclaimer, unsigned bits, int error)
{
	pthread_mutex_lock(&reclaimer->lock);
	if (error || bits != reclaimer->bits_now) {
		reclaimer->bits_now = bits;
		for (struct reclaimer_wish *wish = reclaimer->wishes; wish && error; wish = wish->next)
			if (wish->seen && wish->bits > bits)
				wish->error = error;
		pthread_cond_broadcast(&reclaimer->changed);
	}
	pthread_mutex_unlock(&reclaimer->lock);
}

bool reclaimer_resize(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	int error = 0;
	bool more = false, growing;

	see_wishes(reclaimer);
	map->section->lock();

	struct table *table = tables_current(&map->tables);

	if (table_next(table)) {
		growing = table_next(table)->bits > table->bits;
		error = sweep(map, SWEEP_GROUPS);
		more = true;
	} else {
		unsigned bits = decide_bits(map, table);

		growing = bits > table->bits;
		if (bits != table->bits) {
			error = begin(map, bits);
			more = true;
			if (error == -EBUSY)
				error = 0; /* a writer began */
		}
	}

	const struct table *next = table_next(table);
	unsigned now = tables_current(&map->tables)->bits;

	if (next && next->bits < now)
		now = next->bits;
	map->section->unlock();
	reclaimer->resize_error = error;
	if (error && growing)
		atomic_fetch_add_explicit(&reclaimer->growth_failed, 1, memory_order_relaxed); /* a statistic */
	answer_wishes(reclaimer, now, growing ? error : 0);
	return more && !error;
}
