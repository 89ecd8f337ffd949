/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/reclaimer.h"

#include <errno.h>

#include "ground/thread.h"
#include "map/expiry.h"
#include "protocol/load.h"
#include "protocol/migrate.h"

/* Groups per turn: short enough that a batch whose grace period has ended does not wait long, and a section stays
 * short. */
#define SWEEP_GROUPS 1024u
/* Blocks (of some five hundred entries) per turn, likewise. */
#ifdef RCUMAP_DEBUG
#define GIVE_BLOCKS 1u
#else
#define GIVE_BLOCKS 64u
#endif
/* Groups per urgent turn of a writer: his bounded share. */
#define SWEEP_GROUPS_URGENT 8u
/* Blocks that are ready to be given back when writers begin to help; and what a writer then gives back for each block
 * that he fills: more than he adds, so that the backlog shrinks however little the reclaimer runs. */
#ifdef RCUMAP_DEBUG
#define HELP_BLOCKS_MIN 1u
#else
#define HELP_BLOCKS_MIN 32u
#endif
#define HELP_BLOCKS 2u
/* Blocks that await their grace period or the reclaimer when a writer gives up the processor after each block that he
 * fills. With more writers than processors most of those who wait for one are inside their sections, and a grace
 * period takes many turns of the scheduler; those who yield are outside. */
#define YIELD_BLOCKS_MIN 64u
/* After want of memory: when to try again. */
#define RETRY_NS UINT64_C(100000000)
/* After meeting a writer who helps: when to look again. */
#define RETRY_SOON_NS UINT64_C(1000000)

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

/* Tell those who wait for a barrier. */
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
						      memory_order_release, memory_order_relaxed))
		;
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
		error = tables_begin(&map->tables, table->bits + 1);

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

/* The size that the current table, of `bits`, should have next. */
static unsigned decide_bits(struct rcumap *map, unsigned bits)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	uint64_t entries = map_count(map);
	unsigned decided = bits;

	pthread_mutex_lock(&reclaimer->lock);

	unsigned min = smallest_bits(reclaimer);

	if (bits < TABLE_BITS_MAX && (bits < min || load_must_grow(entries, bits)))
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
		unsigned bits = decide_bits(map, table->bits);

		growing = bits > table->bits;
		if (bits != table->bits) {
			error = tables_begin(&map->tables, bits);
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

/* ------------------------------------------------------------------ reclaiming */

/* Whose memory goes back where. */
struct giver {
	struct rcumap *map;
	struct slab_freer *freer;
	uint64_t given, bytes;
};

static void give_entry(void *ctx, void *unlinked, unsigned reason)
{
	struct giver *giver = ctx;
	size_t size = entry_size_of(unlinked);

	(void)reason;
	memory_free(&giver->map->memory, giver->freer, unlinked, size);
	giver->given++;
	giver->bytes += size;
}

/* Reclaim one ready block; false if there was none to be had. */
static bool give_block(struct rcumap *map, struct slab_freer *freer)
{
	struct giver giver = { .map = map, .freer = freer };
	int result = retire_reclaim(&map->retire, &map->memory, freer, give_entry, &giver);

	/* relaxed: statistics */
	atomic_fetch_add_explicit(&map->reclaimer.reclaimed, giver.given, memory_order_relaxed);
	atomic_fetch_add_explicit(&map->reclaimer.reclaimed_bytes, giver.bytes, memory_order_relaxed);
	if (result == 2)
		wake_signal(&map->reclaimer.wake); /* it may wait for this to take the next batch */
	return result > 0;
}

bool reclaimer_help(struct rcumap *map)
{
	if (retire_unreclaimed(&map->retire) >= HELP_BLOCKS_MIN) {
		struct slab_freer freer = { 0 };

		for (unsigned i = 0; i < HELP_BLOCKS; i++)
			if (!give_block(map, &freer))
				break;
		slab_flush(&map->memory.slab, &freer);
	}
	return retire_blocks(&map->retire) >= YIELD_BLOCKS_MIN;
}

/* Is there anything that a batch would take? */
static bool work_waits(const struct rcumap *map)
{
	struct reclaimer *reclaimer = (struct reclaimer *)&map->reclaimer;

	/* [TABLES seq_cst] between wake_value() and wake_wait() (ground/wake.h), against retire_table() and
	 * wake_signal(). */
	return retire_pending(&map->retire) || atomic_load_explicit(&reclaimer->retired_tables, memory_order_seq_cst) ||
	       slab_has_spent(&map->memory.slab);
}

bool reclaimer_take(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	/* [WANTED acquire] pairs with [WANTED release] in rcumap_barrier(): what its caller retired is in the cells. */
	uint64_t barrier = atomic_load_explicit(&reclaimer->barriers_wanted, memory_order_acquire);

	/* [TABLES acquire] takes the stack; pairs with [TABLES release] in retire_table(). */
	reclaimer->batch_tables = atomic_exchange_explicit(&reclaimer->retired_tables, NULL, memory_order_acquire);

	reclaimer->batch_hints = expiry_drained(map);

	bool stays = retire_take(&map->retire, &reclaimer->batch);

	/* C3: what a barrier waits for may be in a block that stays. It stays for one batch only: those who had
	 * reserved cells in it were inside sections, which the next grace period outlasts. */
	reclaimer->batch_barrier = stays ? reclaimer->next_barrier : barrier;
	reclaimer->next_barrier = barrier;
	slab_rest(&map->memory.slab);
	return stays || reclaimer->batch.blocks || reclaimer->batch_tables || reclaimer->batch_hints ||
	       map->memory.slab.resting;
}

/* Give back a turn's share of the batch; how many blocks it was. */
static unsigned give_share(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	unsigned given = 0;

	while (reclaimer->batch_tables) {
		struct table *table = reclaimer->batch_tables;

		reclaimer->batch_tables = table->retired;
		table_free(&map->tables, table, &reclaimer->freer);
	}
	while (reclaimer->batch_hints) {
		struct log_block *block = reclaimer->batch_hints;

		reclaimer->batch_hints = block->next;
		log_reclaim_block(&map->expiry.log, &map->memory, &reclaimer->freer, block);
	}
	slab_revive(&map->memory.slab, &reclaimer->freer);
	if (retire_ready(&map->retire, &reclaimer->batch))
		while (given < GIVE_BLOCKS && give_block(map, &reclaimer->freer))
			given++;
	return given;
}

/* Has all of the batch been given back? Then say so. */
static bool finish_batch(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	if (reclaimer->batch.blocks || retire_unreclaimed(&map->retire))
		return false;
	/* [DONE release] pairs with [DONE acquire] in rcumap_barrier(). */
	atomic_store_explicit(&reclaimer->barriers_done, reclaimer->batch_barrier, memory_order_release);
	notify(reclaimer);
	return true;
}

bool reclaimer_give_back(struct rcumap *map)
{
	while (give_share(map))
		;
	return finish_batch(map);
}

/* One turn: give back the batch whose grace period has ended, take the next. How long the reclaimer may sleep then. */
static uint64_t reclaim(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	if (reclaimer->batch_waits) {
		if (!grace_passed(&reclaimer->grace, reclaimer->batch_ticket))
			return WAKE_FOREVER;

		if (!reclaimer->batch_passed)
			atomic_fetch_add_explicit(&reclaimer->grace_periods, 1, memory_order_relaxed); /* a statistic */
		reclaimer->batch_passed = true;

		unsigned given = give_share(map);

		if (!finish_batch(map))
			/* There is more; or a writer who helps is not done, or holds up the list. */
			return given ? 0 : RETRY_SOON_NS;
		reclaimer->batch_waits = false;
	}
	reclaimer->batch_passed = false;
	reclaimer->batch_waits = reclaimer_take(map);
	if (reclaimer->batch_waits)
		reclaimer->batch_ticket = grace_request(&reclaimer->grace);
	else
		(void)reclaimer_give_back(map); /* nothing: barriers are done */
	return WAKE_FOREVER;
}

/* ------------------------------------------------------------------ the thread */

static bool must_stop(const struct rcumap *map)
{
	/* [STOP acquire] pairs with [STOP release] in reclaimer_stop(). */
	return atomic_load_explicit(&((struct rcumap *)map)->reclaimer.stop, memory_order_acquire);
}

static bool expire(struct rcumap *map, uint64_t *idle_ns)
{
	map->section->lock();

	bool more = expiry_turn(map, idle_ns);

	map->section->unlock();
	return more;
}

static void *run(void *arg)
{
	struct rcumap *map = arg;
	struct reclaimer *reclaimer = &map->reclaimer;
	const struct section_ops *section = map->section;

	section->thread_register();
	for (;;) {
		uint32_t value = wake_value(&reclaimer->wake);
		uint64_t idle_ns = WAKE_FOREVER;
		bool stop = must_stop(map), more = !stop && reclaimer_resize(map);

		more |= !stop && expire(map, &idle_ns);
		/* What follows needs no section: a qsbr thread holds up nobody meanwhile. */
		bool paused = section->pause();
		uint64_t sleep_ns = reclaim(map);

		if (stop && !reclaimer->batch_waits && !work_waits(map)) {
			section->resume(paused);
			break;
		}
		if (reclaimer->resize_error && sleep_ns > RETRY_NS)
			sleep_ns = RETRY_NS;
		if (sleep_ns > idle_ns)
			sleep_ns = idle_ns;
		if (!more && sleep_ns)
			wake_wait(&reclaimer->wake, value, sleep_ns);
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

/* Before waiting for the reclaimer. 0: *paused goes to the section's resume(); -EDEADLK: the caller would wait for
 * himself. */
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

static void add_wish(struct reclaimer *reclaimer, struct reclaimer_wish *wish)
{
	wish->next = reclaimer->wishes;
	reclaimer->wishes = wish;
}

static void drop_wish(struct reclaimer *reclaimer, struct reclaimer_wish *wish)
{
	struct reclaimer_wish **link = &reclaimer->wishes;

	while (*link != wish)
		link = &(*link)->next;
	*link = wish->next;
}

/* Wait until the table has `bits`, or the reclaimer has failed to make it grow. */
static int wait_for_bits(struct reclaimer *reclaimer, unsigned bits)
{
	struct reclaimer_wish wish = { .bits = bits };

	pthread_mutex_lock(&reclaimer->lock);
	add_wish(reclaimer, &wish);
	wake_signal(&reclaimer->wake);
	while (!wish.error && reclaimer->bits_now < bits)
		pthread_cond_wait(&reclaimer->changed, &reclaimer->lock);
	drop_wish(reclaimer, &wish);
	if (reclaimer->bits_now >= bits) {
		wish.error = 0;
		if (reclaimer->bits_min < bits)
			reclaimer->bits_min = bits;
	}
	pthread_mutex_unlock(&reclaimer->lock);
	return wish.error;
}

int rcumap_reserve(struct rcumap *map, uint64_t capacity)
{
	bool paused;

	if (!map || capacity > RCUMAP_CAPACITY_MAX)
		return -EINVAL;
	map_assert_alive(map);

	unsigned bits = table_bits_for(capacity);
	int error = leave_section(map, &paused);

	if (error)
		return error;
	/* Each doubling on the way might be granted, and fill the machine, before the last is refused. */
	error = table_could_have(&map->tables, bits) ? wait_for_bits(&map->reclaimer, bits) : -ENOMEM;
	map->section->resume(paused);
	return error;
}
