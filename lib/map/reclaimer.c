/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/reclaimer.h"

#include <errno.h>

#include "ground/thread.h"
#include "protocol/load.h"
#include "protocol/migrate.h"

/* Groups per turn: short enough that a batch whose grace period has ended does not wait long, and a section stays short. */
#define SWEEP_GROUPS 1024u
/* Groups per urgent turn of a writer: his bounded share. */
#define SWEEP_GROUPS_URGENT 8u
/* After want of memory: when to try again. */
#define RETRY_NS UINT64_C(100000000)

void reclaimer_init(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	wake_init(&reclaimer->wake);
	pthread_mutex_init(&reclaimer->lock, NULL);
	pthread_cond_init(&reclaimer->changed, NULL);
}

void reclaimer_fini(struct rcumap *map)
{
	pthread_mutex_destroy(&map->reclaimer.lock);
	pthread_cond_destroy(&map->reclaimer.changed);
}

/* Tell those who wait for a barrier or for a larger table. */
static void notify(struct reclaimer *reclaimer)
{
	pthread_mutex_lock(&reclaimer->lock);
	pthread_cond_broadcast(&reclaimer->changed);
	pthread_mutex_unlock(&reclaimer->lock);
}

/* ------------------------------------------------------------------ resizing */

static void retire_table(struct reclaimer *reclaimer, struct table *table)
{
	table->retired = atomic_load_explicit(&reclaimer->retired_tables, memory_order_relaxed);
	/* [TABLES release] publishes the link; pairs with [TABLES acquire] in take(), which takes the whole stack. */
	while (!atomic_compare_exchange_weak_explicit(&reclaimer->retired_tables, &table->retired, table,
						      memory_order_release, memory_order_relaxed));
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

int reclaimer_grow_urgently(struct rcumap *map)
{
	int error = tables_begin(&map->tables, tables_current(&map->tables)->bits + 1);

	if (error == -EBUSY)
		(void)sweep(map, SWEEP_GROUPS_URGENT); /* want of memory shows again when the caller needs some */
	wake_signal(&map->reclaimer.wake);
	return error;
}

/* The size that the current table should have next. */
static unsigned wanted_bits(const struct rcumap *map, unsigned bits)
{
	/* relaxed: whoever raises it wakes the reclaimer afterwards, which has an order of its own */
	unsigned min = atomic_load_explicit(&map->reclaimer.bits_min, memory_order_relaxed);
	uint64_t entries = map_count(map);

	if (bits < TABLE_BITS_MAX && (bits < min || load_must_grow(entries, bits)))
		return bits + 1;
	if (bits > min && load_may_shrink(entries, bits))
		return bits - 1;
	return bits;
}

bool reclaimer_resize(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	int error = 0;
	bool more = false;

	map->section->lock();

	struct table *table = tables_current(&map->tables);

	if (table_next(table)) {
		error = sweep(map, SWEEP_GROUPS);
		more = true;
	} else {
		unsigned bits = wanted_bits(map, table->bits);

		if (bits != table->bits) {
			error = tables_begin(&map->tables, bits);
			more = true;
			if (error == -EBUSY)
				error = 0; /* a writer began */
		}
	}
	/* [BITS release] pairs with [BITS acquire] in wait_for_bits(). */
	atomic_store_explicit(&reclaimer->bits_now, tables_current(&map->tables)->bits, memory_order_release);
	map->section->unlock();

	/* relaxed: the exchange below orders it. The error of the last attempt, or 0. */
	atomic_store_explicit(&reclaimer->grow_error, error, memory_order_relaxed);
	if (error)
		/* [FAILED release] pairs with [FAILED acquire] in wait_for_bits(): the error is there. */
		atomic_fetch_add_explicit(&reclaimer->growth_failed, 1, memory_order_release);
	if (more)
		notify(reclaimer);
	return more && !error;
}

/* ------------------------------------------------------------------ reclaiming */

static void reclaim_entry(void *ctx, void *unlinked)
{
	struct rcumap *map = ctx;

	memory_free(&map->memory, unlinked, entry_size_of(unlinked));
	atomic_fetch_add_explicit(&map->reclaimer.reclaimed, 1, memory_order_relaxed);
}

/* Is there anything that a batch would take? */
static bool work_waits(const struct rcumap *map)
{
	struct reclaimer *reclaimer = (struct reclaimer *)&map->reclaimer;

	/* seq_cst: between wake_value() and wake_wait() (ground/wake.h) */
	return retire_pending(&map->retire) ||
	       atomic_load_explicit(&reclaimer->retired_tables, memory_order_seq_cst) ||
	       slab_has_spent(&map->memory.slab);
}

bool reclaimer_take(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	/* [WANTED acquire] pairs with [WANTED release] in rcumap_barrier(): what its caller retired is in the cells. */
	uint64_t barrier = atomic_load_explicit(&reclaimer->barriers_wanted, memory_order_acquire);

	/* [TABLES acquire] takes the stack; pairs with [TABLES release] in retire_table(). */
	reclaimer->batch_tables = atomic_exchange_explicit(&reclaimer->retired_tables, NULL, memory_order_acquire);

	bool stays = retire_take(&map->retire, &reclaimer->batch);

	/* C3: what a barrier waits for may be in a block that stays for the next batch. */
	if (!stays)
		reclaimer->batch_barrier = barrier;
	slab_rest(&map->memory.slab);
	return stays || reclaimer->batch.blocks || reclaimer->batch_tables || map->memory.slab.resting;
}

void reclaimer_give_back(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	retire_reclaim(&reclaimer->batch, &map->memory, reclaim_entry, map);
	while (reclaimer->batch_tables) {
		struct table *table = reclaimer->batch_tables;

		reclaimer->batch_tables = table->retired;
		table_free(&map->tables, table);
	}
	slab_revive(&map->memory.slab);
	/* [DONE release] pairs with [DONE acquire] in rcumap_barrier(). */
	atomic_store_explicit(&reclaimer->barriers_done, reclaimer->batch_barrier, memory_order_release);
	notify(reclaimer);
}

/* One turn: give back the batch whose grace period has ended, take the next. */
static void reclaim(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	if (reclaimer->batch_waits) {
		if (!grace_passed(&reclaimer->grace, reclaimer->batch_ticket))
			return;
		reclaimer_give_back(map);
		atomic_fetch_add_explicit(&reclaimer->grace_periods, 1, memory_order_relaxed);
	}
	reclaimer->batch_waits = reclaimer_take(map);
	if (reclaimer->batch_waits)
		reclaimer->batch_ticket = grace_request(&reclaimer->grace);
	else
		reclaimer_give_back(map); /* nothing: barriers are done */
}

/* ------------------------------------------------------------------ the thread */

static bool must_stop(const struct rcumap *map)
{
	/* [STOP acquire] pairs with [STOP release] in reclaimer_stop(). */
	return atomic_load_explicit(&((struct rcumap *)map)->reclaimer.stop, memory_order_acquire);
}

static void *run(void *arg)
{
	struct rcumap *map = arg;
	struct reclaimer *reclaimer = &map->reclaimer;
	const struct section_ops *section = map->section;

	section->thread_register();
	for (;;) {
		uint32_t value = wake_value(&reclaimer->wake);
		bool stop = must_stop(map), more = !stop && reclaimer_resize(map);

		reclaim(map);
		if (stop && !reclaimer->batch_waits && !work_waits(map))
			break;

		/* Also a quiescent state, for a qsbr thread that goes on. */
		bool paused = section->pause();

		if (!more) {
			/* relaxed: the thread's own */
			int error = atomic_load_explicit(&reclaimer->grow_error, memory_order_relaxed);

			wake_wait(&reclaimer->wake, value, error ? RETRY_NS : WAKE_FOREVER);
		}
		section->resume(paused);
	}
	section->thread_unregister();
	return NULL;
}

int reclaimer_start(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	int error = grace_attach(&reclaimer->grace, map->section, &reclaimer->wake);

	if (error)
		return error;

	char name[THREAD_NAME_SIZE];

	thread_name(name, "rcumap", map->section->name);
	error = thread_start(&reclaimer->thread, name, run, map);
	if (error)
		grace_detach(&reclaimer->grace);
	return error;
}

void reclaimer_stop(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	/* [STOP release] pairs with [STOP acquire] in must_stop(). */
	atomic_store_explicit(&reclaimer->stop, true, memory_order_release);
	wake_signal(&reclaimer->wake);
	pthread_join(reclaimer->thread, NULL);
	grace_detach(&reclaimer->grace);
}

/* ------------------------------------------------------------------ waiting for it */

/* Before waiting for the reclaimer. 0: *paused goes to the section's resume(); -EDEADLK: the caller would wait for himself. */
static int leave_section(const struct rcumap *map, bool *paused)
{
	if (map->section->inside())
		return -EDEADLK;
	*paused = map->section->pause();
	return 0;
}

int rcumap_barrier(struct rcumap *map)
{
	bool paused;

	if (!map)
		return -EINVAL;
	map_assert_alive(map);

	int error = leave_section(map, &paused);

	if (error)
		return error;

	struct reclaimer *reclaimer = &map->reclaimer;
	/* [WANTED release] pairs with [WANTED acquire] in reclaimer_take(). */
	uint64_t mine = atomic_fetch_add_explicit(&reclaimer->barriers_wanted, 1, memory_order_acq_rel) + 1;

	wake_signal(&reclaimer->wake);
	pthread_mutex_lock(&reclaimer->lock);
	/* [DONE acquire] pairs with [DONE release] in reclaimer_give_back(). */
	while (atomic_load_explicit(&reclaimer->barriers_done, memory_order_acquire) < mine)
		pthread_cond_wait(&reclaimer->changed, &reclaimer->lock);
	pthread_mutex_unlock(&reclaimer->lock);
	map->section->resume(paused);
	return 0;
}

/* Raise the smallest size to `bits`; what it was before. */
static unsigned raise_bits_min(struct reclaimer *reclaimer, unsigned bits)
{
	/* relaxed: wake_signal() follows */
	unsigned min = atomic_load_explicit(&reclaimer->bits_min, memory_order_relaxed);

	while (min < bits && !atomic_compare_exchange_weak_explicit(&reclaimer->bits_min, &min, bits,
								    memory_order_relaxed, memory_order_relaxed));
	return min;
}

/* Wait until the table has `bits`, or growing has failed. */
static int wait_for_bits(struct rcumap *map, unsigned bits, uint64_t failed)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	int error = 0;

	pthread_mutex_lock(&reclaimer->lock);
	for (;;) {
		/* [BITS acquire] pairs with [BITS release] in reclaimer_resize(). */
		if (atomic_load_explicit(&reclaimer->bits_now, memory_order_acquire) >= bits)
			break;
		/* [FAILED acquire] pairs with [FAILED release] in reclaimer_resize(): its error is there. */
		if (atomic_load_explicit(&reclaimer->growth_failed, memory_order_acquire) != failed) {
			error = atomic_load_explicit(&reclaimer->grow_error, memory_order_relaxed);
			if (error)
				break;
			failed = atomic_load_explicit(&reclaimer->growth_failed, memory_order_relaxed);
		}
		pthread_cond_wait(&reclaimer->changed, &reclaimer->lock);
	}
	pthread_mutex_unlock(&reclaimer->lock);
	return error;
}

int rcumap_reserve(struct rcumap *map, uint64_t capacity)
{
	bool paused;

	if (!map || capacity > RCUMAP_CAPACITY_MAX)
		return -EINVAL;
	map_assert_alive(map);

	int error = leave_section(map, &paused);

	if (error)
		return error;

	struct reclaimer *reclaimer = &map->reclaimer;
	unsigned bits = table_bits_for(capacity);
	uint64_t failed = atomic_load_explicit(&reclaimer->growth_failed, memory_order_acquire);
	unsigned before = raise_bits_min(reclaimer, bits);

	wake_signal(&reclaimer->wake);
	error = wait_for_bits(map, bits, failed);
	/* The wish goes with the error, unless somebody else has wished for more. */
	if (error && before < bits)
		atomic_compare_exchange_strong_explicit(&reclaimer->bits_min, &bits, before, memory_order_relaxed,
							memory_order_relaxed);
	map->section->resume(paused);
	return error;
}
