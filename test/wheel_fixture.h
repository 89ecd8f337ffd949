/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file wheel_fixture.h
 * A timing wheel beside the list of what was filed in it: the owner as the wheel expects him, who looks at each hint
 * that comes out and files again what came too early.
 */
#ifndef TEST_WHEEL_FIXTURE_H
#define TEST_WHEEL_FIXTURE_H

#include "checked_allocator.h"
#include "expiry/wheel.h"
#include "fixture.h"

#define ITEMS_MAX 3000u
/* What an empty wheel may hold. */
#define SPARES_BYTES (WHEEL_SPARES * WHEEL_BLOCK_BYTES)

/* What a hint, which has its index here, stands for: the owner's knowledge. */
struct item {
	uint64_t tick; /* asked for */
	uint64_t at;   /* when it must have come out: behind the `now` of its adding */
	unsigned pops;
	bool filed;
	bool seen; /* since the compaction began */
};

/* Another in each of its bits, for the first items. */
static inline uint64_t item_hint(uint64_t item)
{
	return item << (WHEEL_HINT_BITS - 12) | (item * UINT64_C(0x9e3779b1) & ((UINT64_C(1) << (WHEEL_HINT_BITS - 12)) - 1));
}

_Static_assert(ITEMS_MAX <= 1u << 12, "an item's number is in its hint");

/* ITEMS_MAX: it is none of an item. */
static inline unsigned hint_item(uint64_t hint)
{
	const uint64_t item = hint >> (WHEEL_HINT_BITS - 12);

	return item < ITEMS_MAX && item_hint(item) == hint ? (unsigned)item : ITEMS_MAX;
}

struct model {
	struct wheel wheel;
	struct memory memory;
	struct slab_freer freer;
	struct fault_allocator allocator;
	struct item items[ITEMS_MAX];
	unsigned next;	/* the index that is tried first for a new item */
	unsigned filed; /* items that the wheel has */
	uint64_t now;
	uint64_t turn_limit; /* hints that a drain may pop */
	unsigned pops_max;
	unsigned wrong; /* hints that came out twice, or that nobody filed */
	unsigned shift; /* of random distances, which are below 2^(64 - shift) */
	bool failed;	/* the last drain stopped for want of memory */
};

static inline struct model *model_new(uint64_t now, bool own_allocator)
{
	struct model *m = aligned_alloc(64, (sizeof *m + 63) & ~(size_t)63);
	struct rcumap_allocator user = { 0 };

	memset(m, 0, sizeof *m);
	fault_init(&m->allocator);
	if (own_allocator)
		user = fault_allocator(&m->allocator);
	memory_init(&m->memory, &user);
	wheel_init(&m->wheel, &m->memory, &m->freer, now);
	m->now = now;
	m->turn_limit = UINT64_MAX;
	return m;
}

/* True if no block is left. */
static inline bool model_delete(struct model *m)
{
	bool settled;

	wheel_fini(&m->wheel);
	slab_flush(&m->memory.slab, &m->freer);
	settled = fault_settled(&m->allocator) && !memory_has_large(&m->memory);
	memory_fini(&m->memory);
	free(m);
	return settled;
}

/* The tick at which a hint must come out. */
static inline uint64_t must_come(uint64_t tick, uint64_t now)
{
	if (tick > now)
		return tick;
	return now < UINT64_MAX ? now + 1 : UINT64_MAX;
}

/* File a new item; 0 or the wheel's error. */
static inline int add(struct model *m, uint64_t tick)
{
	while (m->items[m->next % ITEMS_MAX].filed)
		m->next++;

	unsigned i = m->next % ITEMS_MAX;
	int error = wheel_add(&m->wheel, tick, item_hint(i));

	if (error)
		return error;
	m->items[i] = (struct item){ .tick = tick, .at = must_come(tick, m->now), .filed = true };
	m->filed++;
	m->next++;
	return 0;
}

/* A hint has come out: is it over, or to be added again? False: there is no memory, it is put back. */
static inline bool look(struct model *m, uint64_t hint)
{
	const unsigned i = hint_item(hint);
	struct item *item = &m->items[i % ITEMS_MAX];

	if (i == ITEMS_MAX || !item->filed) {
		m->wrong++;
		return true;
	}
	if (item->at > m->now && wheel_add(&m->wheel, item->tick, hint) != 0) {
		wheel_unpop(&m->wheel, hint);
		return false;
	}
	item->seen = true;
	if (++item->pops > m->pops_max)
		m->pops_max = item->pops;
	if (item->at <= m->now) {
		item->filed = false;
		m->filed--;
	}
	return true;
}

/* Pop what is due, as the owner would; how many hints came out. */
static inline uint64_t drain(struct model *m)
{
	uint64_t hint = UINT64_MAX, popped = 0;

	m->failed = false;
	while (popped < m->turn_limit && wheel_pop(&m->wheel, &hint)) {
		popped++;
		m->failed = !look(m, hint);
		if (m->failed)
			break;
	}
	return popped;
}

static inline void advance(struct model *m, uint64_t now)
{
	m->now = now;
	wheel_advance(&m->wheel, now);
}

/* Items that should have come out and have not. */
static inline unsigned late(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ITEMS_MAX; i++)
		n += m->items[i].filed && m->items[i].at <= m->now;
	return n;
}

/* Slots that are not empty. */
static inline unsigned slots_in_use(const struct wheel *wheel)
{
	unsigned n = 0;

	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		n += (unsigned)__builtin_popcountll(wheel->occupied[level]);
	return n;
}

/* More memory than the wheel's promise? */
static inline bool too_large(const struct model *m)
{
	const struct wheel *wheel = &m->wheel;
	uint64_t blocks = wheel_hints(wheel) / WHEEL_HINTS + slots_in_use(wheel) + WHEEL_SPARES + 3;

	return (uint64_t)atomic_load(&m->allocator.blocks) > blocks ||
	       wheel_bytes(wheel) != (uint64_t)atomic_load(&m->allocator.bytes);
}

/* What must hold when the owner is about to wait. */
static inline unsigned faults(const struct model *m)
{
	return m->wrong + (m->failed ? 0 : late(m)) + (wheel_hints(&m->wheel) != m->filed) + !wheel_check(&m->wheel) +
	       too_large(m);
}

/* Ahead of `now`; each magnitude is as likely. */
static inline uint64_t random_later(const struct model *m, struct rng *rng)
{
	uint64_t distance = rng_u64(rng) >> m->shift >> rng_below(rng, 64 - m->shift);

	return distance < UINT64_MAX - m->now ? m->now + distance : UINT64_MAX;
}

/* As above, and sometimes in the past. */
static inline uint64_t random_tick(const struct model *m, struct rng *rng)
{
	uint64_t distance = random_later(m, rng) - m->now;

	return rng_below(rng, 16) ? m->now + distance : m->now - (distance < m->now ? distance : m->now);
}

#endif
