/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/expiry.h"

#include <sched.h>

#include "map/evict.h"
#include "map/write.h"

/* A tick of the wheel: 2^16 microseconds, a fifteenth of a second. */
#define TICK_SHIFT 16u

#ifdef RCUMAP_DEBUG
#define HINTS_PER_TURN 8u
#define HINTS_SLACK 16u
#else
/* Looked at in one turn, that is in one section. */
#define HINTS_PER_TURN 512u
/* Void hints that are no reason to compact the wheel. */
#define HINTS_SLACK 8192u
#endif

/* Blocks of the log that wait when writers begin to help: more than the stripes' own, which are taken before they are
 * full. */
#define BLOCKS_LATE (2 * STRIPE_COUNT)
/* What one who has filled a block then looks at: more than he adds. */
#define HINTS_PER_HELP (2 * LOG_CELLS)

/* Hints rest in the log for a while: most of those whose entries live shortly are void when they are first looked at. */
#define INTAKE_NS UINT64_C(250000000)
/* After meeting a writer who helps: when to look again. */
#define RETRY_SOON_NS UINT64_C(1000000)
/* A user's clock does not say when it will be what: it is read so often. */
#define POLL_NS UINT64_C(50000000)
/* After want of memory. */
#define RETRY_NS UINT64_C(100000000)
/* What the reclaimer evicts then. */
#define RELIEF_BYTES 4096u

static uint64_t tick_at(uint64_t us)
{
	return us >> TICK_SHIFT;
}

/* The first tick at which a deadline has passed. */
static uint64_t tick_after(uint64_t us)
{
	return (us + (UINT64_C(1) << TICK_SHIFT) - 1) >> TICK_SHIFT; /* deadlines have 53 bits */
}

void expiry_init(struct rcumap *map)
{
	struct expiry *expiry = &map->expiry;

	expiry->freer.helps = true;
	wheel_init(&expiry->wheel, &map->memory, &expiry->freer, tick_at(clock_coarse_us(&map->clock)));
}

static bool is_late(const struct expiry *expiry)
{
	/* relaxed: a hint */
	return log_backlog(&expiry->log) +
		       atomic_load_explicit(&((struct expiry *)expiry)->taken_left, memory_order_relaxed) >=
	       BLOCKS_LATE;
}

int expiry_reserve(struct rcumap *map, log_cell **cell, bool *late)
{
	int result = log_reserve(&map->expiry.log, &map->memory, cell);

	/* Now, too: who has begun a block may be stopped before he fills the cell, and others tell their hints in that
	 * block without waking anybody. The reclaimer looks again and again as long as there is a block. */
	if (result > 0)
		wake_signal(&map->reclaimer.wake);
	*late = result > 0 && is_late(&map->expiry);
	return result;
}

static bool try_lock(struct rcumap *map)
{
	/* [BUSY acquire] pairs with [BUSY release] in expiry_unlock(). */
	return !atomic_exchange_explicit(&map->expiry.busy, true, memory_order_acquire);
}

void expiry_lock(struct rcumap *map)
{
	while (!try_lock(map))
		sched_yield();
}

void expiry_unlock(struct rcumap *map)
{
	/* [BUSY release] pairs with [BUSY acquire] in try_lock(). */
	atomic_store_explicit(&map->expiry.busy, false, memory_order_release);
}

static void free_blocks(struct rcumap *map, struct log_block *blocks)
{
	log_reclaim_list(&map->expiry.log, &map->memory, &map->expiry.freer, blocks);
}

void expiry_fini(struct rcumap *map)
{
	struct expiry *expiry = &map->expiry;

	free_blocks(map, expiry->taken.blocks);
	free_blocks(map, expiry_drained(map));
	log_take_partly(&expiry->log, &expiry->taken);
	free_blocks(map, expiry->taken.blocks);
	wheel_fini(&expiry->wheel);
	slab_flush(&map->memory.slab, &expiry->freer);
}

/* ------------------------------------------------------------------ hints from the log */

static void set_taken_left(struct expiry *expiry, uint64_t blocks)
{
	atomic_store_explicit(&expiry->taken_left, blocks, memory_order_relaxed); /* a hint */
}

static void push_drained(struct expiry *expiry, struct log_block *block)
{
	block->next = atomic_load_explicit(&expiry->drained, memory_order_relaxed);
	/* [DRAINED release] publishes the link; pairs with [DRAINED acquire] in expiry_drained(), which takes the whole
	 * stack. */
	while (!atomic_compare_exchange_weak_explicit(&expiry->drained, &block->next, block, memory_order_release,
						      memory_order_relaxed))
		;
}

/* The next word of what was taken, which stays the next until drop_taken(); 0: there is none. */
static uint64_t next_taken(struct expiry *expiry)
{
	struct log_block *block;

	while ((block = expiry->taken.blocks)) {
		for (; expiry->taken_at < block->used; expiry->taken_at++) {
			uint64_t word = log_peek(block, expiry->taken_at, &expiry->taken_unfilled);

			if (word)
				return word;
		}
		expiry->taken.blocks = block->next;
		expiry->taken_at = 0;
		set_taken_left(expiry, --expiry->taken.count);
		if (expiry->taken_unfilled)
			log_put_back(&expiry->log, block); /* its other hints did not wait for that one */
		else
			push_drained(expiry, block); /* nobody reads it any more, but a late writer may still touch it */
		expiry->taken_unfilled = false;
	}
	return 0;
}

static void drop_taken(struct expiry *expiry)
{
	/* The block may come again, and a hint that was read twice would be filed twice. */
	log_cancel(&expiry->taken.blocks->cell[expiry->taken_at++]);
}

static void take(struct expiry *expiry, uint64_t now_ns)
{
	if (expiry->taken.blocks || !log_pending(&expiry->log))
		return;
	if (now_ns - expiry->taken_ns < INTAKE_NS && log_backlog(&expiry->log) < BLOCKS_LATE)
		return;
	expiry->taken_ns = now_ns;
	log_take_partly(&expiry->log, &expiry->taken);
	expiry->taken_at = 0;
	set_taken_left(expiry, expiry->taken.count);
}

/* ------------------------------------------------------------------ looking */

enum settled {
	SETTLED_VOID, /* the hint is of no more use */
	SETTLED_FILED,
	SETTLED_NOT, /* there is no memory: it is to be kept */
};

_Static_assert(HINT_BITS <= WHEEL_HINT_BITS, "the wheel takes short hints");

/* Look at a hint, of which these bits are known, and file it. */
static enum settled settle(struct rcumap *map, uint64_t hint, uint64_t known)
{
	uint64_t deadline_us;
	int result = write_expire(map, hint, known, &deadline_us);

	if (result == 0)
		return SETTLED_VOID;
	if (result > 0)
		result = wheel_add(&map->expiry.wheel, tick_after(deadline_us), hint_shorten(hint));
	return result == 0 ? SETTLED_FILED : SETTLED_NOT;
}

/* False: there is no memory. */
static bool settle_due(struct rcumap *map, unsigned *budget)
{
	struct wheel *wheel = &map->expiry.wheel;
	uint64_t hint;

	for (; *budget && wheel_pop(wheel, &hint); --*budget) {
		enum settled settled = settle(map, hint_of_short(hint), HINT_SHORT);

		if (settled == SETTLED_NOT) {
			wheel_unpop(wheel, hint);
			return false;
		}
		map->expiry.kept += settled == SETTLED_FILED;
	}
	return true;
}

/* Likewise. */
static bool settle_taken(struct rcumap *map, unsigned *budget)
{
	struct expiry *expiry = &map->expiry;
	uint64_t hint;

	for (; *budget && (hint = next_taken(expiry)); --*budget) {
		if (settle(map, hint, HINT_WHOLE) == SETTLED_NOT)
			return false;
		drop_taken(expiry);
	}
	return true;
}

/* More hints in the wheel are reason to compact it. H2. Where many keys share a hash, void hints may look of use: no pass
 * is made in vain, over and over. */
static uint64_t hints_most(const struct rcumap *map, uint64_t expiring)
{
	return 2 * (expiring + map->expiry.surplus) + HINTS_SLACK;
}

/* False: there is no memory to file again what is to stay. */
static bool compact(struct rcumap *map, unsigned *budget)
{
	struct expiry *expiry = &map->expiry;
	const uint64_t expiring = map_expiring(map);

	if (!expiry->compacting && wheel_hints(&expiry->wheel) > hints_most(map, expiring)) {
		wheel_compact_begin(&expiry->wheel);
		expiry->compacting = true;
		expiry->kept = expiry->expiring = 0;
	}
	if (expiry->expiring < expiring)
		expiry->expiring = expiring;
	while (expiry->compacting && *budget) {
		bool more = wheel_compact(&expiry->wheel);

		--*budget;
		if (!settle_due(map, budget))
			return false;
		if (!more && *budget) {
			/* What was of use when it was looked at may be void by now: it counts as an entry, not as
			 * surplus, for the next pass drops it. */
			expiry->surplus = expiry->kept > expiry->expiring ? expiry->kept - expiry->expiring : 0;
			expiry->compacting = false;
		}
	}
	return true;
}

static void set_time(struct rcumap *map, uint64_t now_us)
{
	struct wheel *wheel = &map->expiry.wheel;

	if (tick_at(now_us) < wheel->now)
		wheel_restart(wheel, tick_at(now_us)); /* a user's clock went backward */
	else
		wheel_advance(wheel, tick_at(now_us));
}

/* Until there is something to do by itself. */
static uint64_t idle_ns(const struct rcumap *map, uint64_t now_us)
{
	const struct expiry *expiry = &map->expiry;
	uint64_t next = wheel_next(&expiry->wheel), sleep_ns = WAKE_FOREVER;

	if (next != UINT64_MAX) {
		uint64_t us = next << TICK_SHIFT;

		sleep_ns = us > now_us ? (us - now_us) * 1000 : 0; /* ticks are those of deadlines: no overflow */
		/* The coarse clock follows the exact one by which the reclaimer sleeps. */
		sleep_ns += 10000000;
		if (map->clock.fn && sleep_ns > POLL_NS)
			sleep_ns = POLL_NS;
	}
	if (log_pending(&expiry->log) && sleep_ns > INTAKE_NS)
		sleep_ns = INTAKE_NS;
	return sleep_ns;
}

/* Look at so many hints that are due, and so many that were told; alone. False: there is no memory. */
static bool work(struct rcumap *map, uint64_t now_us, unsigned *due, unsigned *taken)
{
	set_time(map, now_us);
	take(&map->expiry, clock_system_ns(CLOCK_MONOTONIC));

	/* Neither waits for the other to be done. */
	bool enough = settle_due(map, due);

	enough = settle_taken(map, taken) && enough;
	return enough && compact(map, due);
}

bool expiry_turn(struct rcumap *map, uint64_t *sleep_ns)
{
	unsigned due = HINTS_PER_TURN, taken = HINTS_PER_TURN;

	if (!try_lock(map)) {
		if (*sleep_ns > RETRY_SOON_NS)
			*sleep_ns = RETRY_SOON_NS;
		return false;
	}

	uint64_t now_us = clock_coarse_us(&map->clock);
	bool enough = work(map, now_us, &due, &taken);
	uint64_t idle = enough ? idle_ns(map, now_us) : RETRY_NS;

	expiry_unlock(map);
	if (!enough)
		evict_relieve(map, RELIEF_BYTES); /* perhaps nobody stores anything */
	if (*sleep_ns > idle)
		*sleep_ns = idle;
	return enough && (!due || !taken);
}

void expiry_help(struct rcumap *map)
{
	unsigned due = HINTS_PER_HELP, taken = HINTS_PER_HELP;

	if (!try_lock(map))
		return;
	(void)work(map, clock_coarse_us(&map->clock), &due, &taken); /* without memory the reclaimer tries again */
	expiry_unlock(map);
}

struct log_block *expiry_drained(struct rcumap *map)
{
	/* [DRAINED acquire] takes the stack; pairs with [DRAINED release] in push_drained(). */
	return atomic_exchange_explicit(&map->expiry.drained, NULL, memory_order_acquire);
}

/* ------------------------------------------------------------------ for others */

static uint64_t count_blocks(const struct log_block *block)
{
	uint64_t count = 0;

	for (; block; block = block->next)
		count++;
	return count;
}

void expiry_adopt(struct rcumap *map)
{
	struct expiry *expiry = &map->expiry;
	/* relaxed: nobody else is there */
	const struct log_block *drained = atomic_load_explicit(&expiry->drained, memory_order_relaxed);

	log_adopt(&expiry->log, log_adopt_list(expiry->taken.blocks) + count_blocks(drained) +
					count_blocks(map->reclaimer.batch_hints));
}

uint64_t expiry_hints(const struct rcumap *map)
{
	return wheel_hints(&map->expiry.wheel);
}

uint64_t expiry_bytes(const struct rcumap *map)
{
	return wheel_bytes(&map->expiry.wheel) + log_bytes(&map->expiry.log);
}
