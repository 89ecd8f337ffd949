/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/reclaim.h"

#include "map/expiry.h"
#include "map/removed.h"
#include "map/spare.h"

/* Blocks (of some five hundred entries) per turn: short enough that a table does not wait long to grow. */
#ifdef RCUMAP_DEBUG
#define GIVE_BLOCKS 1u
#else
#define GIVE_BLOCKS 64u
#endif
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
/* Blocks that await them when the grace period for which nobody waits shall come soon nevertheless. */
#ifdef RCUMAP_DEBUG
#define HASTE_BLOCKS_MIN 128u
#else
#define HASTE_BLOCKS_MIN 256u
#endif
/* With max_bytes: entries that each store gives back, so that the allocator finds what it is about to give out, and the batch is
 * done well before the next one; and for how long the reclaimer leaves it to them. */
#define SHARE_CELLS 2u
#define SHARE_BLOCKS_MAX 16u /* before writers begin to help */
#define SHARE_NS UINT64_C(1000000)
/* Blocks of the slab per turn that were given back while there was no array for them. */
#define RECOVERED_PER_TURN 4096u
/* Released orphans per turn. */
#ifdef RCUMAP_DEBUG
#define RELEASED_PER_TURN 2u
#else
#define RELEASED_PER_TURN 16384u
#endif
/* After meeting a writer who helps: when to look again. */
#define RETRY_SOON_NS UINT64_C(1000000)

/* ------------------------------------------------------------------ what was held */

/* The entry is the caller's alone. Who reads its version had held it. */
static void set_link(struct rcumap_entry *entry, struct rcumap_entry *next)
{
	entry_set_head(entry, (uintptr_t)next, 0, false);
}

static struct rcumap_entry *link_of(const struct rcumap_entry *entry)
{
	return (struct rcumap_entry *)(uintptr_t)entry_version(entry);
}

void reclaimer_hand_over(struct rcumap *map, struct rcumap_entry *entry)
{
	struct reclaimer *reclaimer = &map->reclaimer;
	struct rcumap_entry *next = atomic_load_explicit(&reclaimer->released, memory_order_relaxed);

	do
		set_link(entry, next);
	/* [RELEASED release] publishes the link; pairs with [RELEASED acquire] in give_released(). E4. */
	while (!atomic_compare_exchange_weak_explicit(&reclaimer->released, &next, entry, memory_order_release,
						      memory_order_relaxed));
	wake_signal(&reclaimer->wake);
}

/* Give back a turn's share. True: there is more. */
static bool give_released(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	if (!reclaimer->released_taken)
		/* [RELEASED acquire] takes the stack; pairs with [RELEASED release] in reclaimer_hand_over(). */
		reclaimer->released_taken = atomic_exchange_explicit(&reclaimer->released, NULL, memory_order_acquire);
	for (unsigned i = 0; i < RELEASED_PER_TURN && reclaimer->released_taken; i++) {
		struct rcumap_entry *entry = reclaimer->released_taken;

		reclaimer->released_taken = link_of(entry);
		if (budget_is_on(&map->memory.budget))
			budget_orphan(&map->memory.budget,
				      -(int64_t)memory_entry_bytes(&map->memory, entry, entry_size_of(entry)));
		memory_free_for(&map->memory, MEMORY_ENTRY, &reclaimer->freer, entry, entry_size_of(entry));
	}
	return reclaimer->released_taken != NULL;
}

/* ------------------------------------------------------------------ batches */

/* Whose memory goes back where. */
struct giver {
	struct rcumap *map;
	struct slab_freer *freer;
	uint64_t given, bytes;
};

/* Somebody may hold it, or is to be told of it. */
static void give_after_a_look(struct giver *giver, void *unlinked, unsigned reason)
{
	struct memory *memory = &giver->map->memory;
	const size_t size = entry_size_of(unlinked);
	/* Of an orphan: its last holder may release it at once, and then it is gone. */
	const size_t bytes = budget_is_on(&memory->budget) ? memory_entry_bytes(memory, unlinked, size) : 0;
	const bool apart = entry_is_apart(unlinked);

	if (!apart)
		removed_tell(giver->map, unlinked, (enum rcumap_reason)reason);
	if (entry_orphan(unlinked))
		memory_free_for(memory, MEMORY_ENTRY, giver->freer, unlinked, size);
	else if (bytes)
		budget_orphan(&memory->budget, (int64_t)bytes);
	if (apart)
		return;
	giver->given++;
	giver->bytes += size;
}

static void give_entry(void *ctx, void *unlinked, unsigned reason, size_t size)
{
	struct giver *giver = ctx;

	if (!size || retire_is_read(&giver->map->retire)) {
		give_after_a_look(giver, unlinked, reason);
		return;
	}
	memory_free_for(&giver->map->memory, MEMORY_ENTRY, giver->freer, unlinked, size);
	giver->given++;
	giver->bytes += size;
}

static bool count_given(struct rcumap *map, const struct giver *giver, int result)
{
	/* relaxed: statistics */
	if (giver->given) {
		atomic_fetch_add_explicit(&map->reclaimer.reclaimed, giver->given, memory_order_relaxed);
		atomic_fetch_add_explicit(&map->reclaimer.reclaimed_bytes, giver->bytes, memory_order_relaxed);
	}
	if (result == 2)
		wake_signal(&map->reclaimer.wake); /* it may wait for this to take the next batch */
	return result > 0;
}

/* Reclaim one ready block; false if there was none to be had. */
static bool give_block(struct rcumap *map, struct slab_freer *freer)
{
	struct giver giver = { .map = map, .freer = freer };
	/* A fork() may come in the midst of a callback: the child shall find the rest of the block. */
	int result = (removed_is_told(map) ? retire_reclaim_in_place : retire_reclaim)(&map->retire, &map->memory,
										       freer, give_entry, &giver);

	return count_given(map, &giver, result);
}

static bool writers_share(const struct rcumap *map)
{
	/* The callback is for the reclaimer's thread alone. */
	return budget_is_on(&map->memory.budget) && !removed_is_told(map);
}

void reclaimer_share(struct rcumap *map, unsigned stripe)
{
	if (!writers_share(map) || !retire_unreclaimed(&map->retire))
		return;

	struct slab_freer freer = { .helps = true };
	struct giver giver = { .map = map, .freer = &freer };

	(void)count_given(map, &giver,
			  retire_reclaim_share(&map->retire, &map->memory, &freer, stripe, SHARE_CELLS, give_entry, &giver));
	slab_flush(&map->memory.slab, &freer);
}

/* For memory, for a barrier, or for the thread's end. */
static bool is_waited_for(const struct rcumap *map)
{
	struct reclaimer *reclaimer = (struct reclaimer *)&map->reclaimer;

	/* relaxed: a hint; who comes later wakes the reclaimer */
	return budget_is_claimed(&map->memory.budget) ||
	       atomic_load_explicit(&reclaimer->barriers_wanted, memory_order_relaxed) !=
		       atomic_load_explicit(&reclaimer->barriers_done, memory_order_relaxed) ||
	       atomic_load_explicit(&reclaimer->stop, memory_order_relaxed);
}

/* Stores are likely to come, and will be done with it soon. */
static bool leave_to_writers(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	return writers_share(map) && reclaimer->batch.blocks && reclaimer->batch.count <= SHARE_BLOCKS_MAX && !is_waited_for(map) &&
	       retire_ready(&map->retire, &reclaimer->batch);
}

bool reclaimer_help(struct rcumap *map)
{
	/* The callback is for the reclaimer's thread alone. */
	if (!removed_is_told(map) && retire_unreclaimed(&map->retire) >= HELP_BLOCKS_MIN) {
		struct slab_freer freer = { .helps = true };

		for (unsigned i = 0; i < HELP_BLOCKS; i++)
			if (!give_block(map, &freer))
				break;
		slab_flush(&map->memory.slab, &freer);
	}

	const uint64_t blocks = retire_blocks(&map->retire);

	if (blocks >= HASTE_BLOCKS_MIN)
		wake_signal(&map->reclaimer.wake);
	return blocks >= YIELD_BLOCKS_MIN;
}

bool reclaimer_has_work(const struct rcumap *map)
{
	struct reclaimer *reclaimer = (struct reclaimer *)&map->reclaimer;

	/* [TABLES seq_cst] between wake_value() and wake_wait() (ground/wake.h), against retire_table() and
	 * wake_signal(). */
	return retire_pending(&map->retire) || atomic_load_explicit(&reclaimer->retired_tables, memory_order_seq_cst) ||
	       slab_has_spent(&map->memory.slab) || reclaimer->released_taken ||
	       /* [RELEASED seq_cst] likewise, against reclaimer_hand_over() */
	       atomic_load_explicit(&reclaimer->released, memory_order_seq_cst);
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
	/* Each callback may take its time. */
	const unsigned share = removed_is_told(map) ? 1 : GIVE_BLOCKS;
	unsigned given = 0;

	while (reclaimer->batch_tables) {
		struct table *table = reclaimer->batch_tables;

		reclaimer->batch_tables = table->retired;
		table_free(&map->tables, table, &reclaimer->freer);
	}
	log_reclaim_list(&map->expiry.log, &map->memory, &reclaimer->freer, reclaimer->batch_hints);
	reclaimer->batch_hints = NULL;
	slab_revive(&map->memory.slab, &reclaimer->freer);
	if (retire_ready(&map->retire, &reclaimer->batch))
		while (given < share && give_block(map, &reclaimer->freer))
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
	spare_given(map); /* it wakes those who wait for a barrier, too */
	return true;
}

bool reclaimer_give_back(struct rcumap *map)
{
	while (give_released(map))
		;
	while (give_share(map))
		;
	return finish_batch(map);
}

/* The grace period that was asked for shall come soon, if there is a reason. */
static void hasten(struct rcumap *map)
{
	if (is_waited_for(map) || retire_blocks(&map->retire) >= HASTE_BLOCKS_MIN)
		grace_hasten(&map->reclaimer.grace);
}

/* How long the reclaimer may sleep then. */
static uint64_t reclaim_batch(struct rcumap *map)
{
	struct reclaimer *reclaimer = &map->reclaimer;

	if (reclaimer->batch_waits) {
		if (!grace_passed(&reclaimer->grace, reclaimer->batch_ticket)) {
			hasten(map);
			return WAKE_FOREVER;
		}

		const bool passed = reclaimer->batch_passed;

		reclaimer->batch_passed = true;
		if (!passed) {
			atomic_fetch_add_explicit(&reclaimer->grace_periods, 1, memory_order_relaxed); /* a statistic */
			if (leave_to_writers(map))
				return SHARE_NS;
		}

		unsigned given = give_share(map);

		if (!finish_batch(map))
			/* There is more; or a writer who helps is not done, or holds up the list. */
			return given ? 0 : RETRY_SOON_NS;
		reclaimer->batch_waits = false;
	}
	reclaimer->batch_passed = false;
	/* [IDLE seq_cst] before [BLOCK seq_cst] in log_take(): pairs with reclaimer_is_idle(). C4. */
	atomic_store_explicit(&reclaimer->idle, true, memory_order_seq_cst);
	reclaimer->batch_waits = reclaimer_take(map);
	if (reclaimer->batch_waits) {
		/* [IDLE seq_cst] The take at its end sees what is begun from now on. C4. */
		atomic_store_explicit(&reclaimer->idle, false, memory_order_seq_cst);
		reclaimer->batch_ticket = grace_request(&reclaimer->grace);
		hasten(map);
	} else {
		(void)reclaimer_give_back(map); /* nothing: barriers are done */
	}
	return WAKE_FOREVER;
}

uint64_t reclaimer_reclaim(struct rcumap *map)
{
	bool more = give_released(map);

	more |= slab_recover(&map->memory.slab, &map->reclaimer.freer, RECOVERED_PER_TURN);

	uint64_t sleep_ns = reclaim_batch(map);

	return more ? 0 : sleep_ns;
}

/* ------------------------------------------------------------------ after fork() */

struct pending {
	uint64_t entries, bytes;
};

static void count_pending(void *ctx, void *unlinked, unsigned reason, size_t size)
{
	struct pending *pending = ctx;

	(void)reason;
	(void)size;
	if (entry_is_apart(unlinked))
		return;
	pending->entries++;
	pending->bytes += entry_size_of(unlinked);
}

void reclaim_adopt(struct rcumap *map)
{
	struct pending pending = { 0 };

	retire_adopt(&map->retire, &map->reclaimer.batch);
	retire_each(&map->retire, &map->reclaimer.batch, count_pending, &pending);
	map_adopt_retired(map, pending.entries, pending.bytes);
}

void reclaim_drain(struct rcumap *map)
{
	do {
		(void)reclaimer_give_back(map);
		while (give_released(map));
	} while (reclaimer_take(map));
}
