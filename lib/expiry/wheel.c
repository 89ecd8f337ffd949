/* SPDX-License-Identifier: BSD-2-Clause */
#include "expiry/wheel.h"

#include <assert.h>
#include <string.h>

#define NOW_MAX (UINT64_MAX - 1)

struct wheel_block {
	struct wheel_block *next; /* in a ring, or among the spares */
	/* Of each hint the lower 32 bits, and the upper 8. */
	uint32_t low[WHEEL_HINTS];
	uint8_t high[WHEEL_HINTS];
	uint8_t count;
};

_Static_assert(sizeof(struct wheel_block) == WHEEL_BLOCK_BYTES, "nothing is lost between what a block has");
#ifndef RCUMAP_DEBUG
_Static_assert(sizeof(struct wheel_block) == 256, "a block fills its size class");
#endif
_Static_assert(WHEEL_HINTS <= UINT8_MAX, "a byte counts them");
_Static_assert(WHEEL_HINT_BITS <= 32 + 8, "a hint fits its two parts");
_Static_assert(WHEEL_DIGIT_BITS <= 6, "the slots of a level fit a bitmap");

static void add_to(_Atomic uint64_t *statistic, uint64_t n)
{
	/* relaxed: written by the owner alone, so nothing is lost between the two; for others it is a statistic */
	uint64_t value = atomic_load_explicit(statistic, memory_order_relaxed);

	atomic_store_explicit(statistic, value + n, memory_order_relaxed);
}

static uint64_t value_of(const _Atomic uint64_t *statistic)
{
	/* relaxed: a statistic; exact for the owner */
	return atomic_load_explicit((_Atomic uint64_t *)statistic, memory_order_relaxed);
}

/* ------------------------------------------------------------------ digits */

/* The highest level at which two ticks differ; `difference` is their exclusive or, not 0. */
static unsigned level_of(uint64_t difference)
{
	return (63 - (unsigned)__builtin_clzll(difference)) / WHEEL_DIGIT_BITS;
}

static unsigned digit_of(uint64_t tick, unsigned level)
{
	return (unsigned)(tick >> (level * WHEEL_DIGIT_BITS)) & (WHEEL_SLOTS - 1);
}

/* The first tick of a slot ahead of `now`. */
static uint64_t first_tick(uint64_t now, unsigned level, unsigned slot)
{
	unsigned shift = level * WHEEL_DIGIT_BITS;

	return ((now >> shift & ~(uint64_t)(WHEEL_SLOTS - 1)) | slot) << shift;
}

static uint64_t bit(unsigned slot)
{
	return UINT64_C(1) << slot;
}

/* ------------------------------------------------------------------ blocks */

/* A block, to be filled at once. As memory_alloc(). */
static int get_block(struct wheel *wheel, struct wheel_block **block)
{
	if (wheel->spares) {
		*block = wheel->spares;
		wheel->spares = (*block)->next;
		wheel->spare_count--;
	} else {
		void *p = NULL;
		int error = memory_alloc(wheel->memory, sizeof **block, 64, &p);

		if (error)
			return error;
		add_to(&wheel->blocks, 1);
		*block = p;
	}
	(*block)->count = 0;
	return 0;
}

/* Nobody but the owner ever saw it, so it needs no grace period; and by the freer, not as discarded, it is with those
 * who allocate without waiting for the reclaimer's turn, as long as there are arrays. */
static void put_block(struct wheel *wheel, struct wheel_block *block)
{
	if (wheel->spare_count < WHEEL_SPARES) {
		block->next = wheel->spares;
		wheel->spares = block;
		wheel->spare_count++;
		return;
	}
	add_to(&wheel->blocks, (uint64_t)-1);
	memory_free(wheel->memory, wheel->freer, block, sizeof *block);
}

/* The block is not full. */
static void push_hint(struct wheel_block *block, uint64_t hint)
{
	const unsigned i = block->count++;

	assert(i < WHEEL_HINTS && hint >> WHEEL_HINT_BITS == 0);
	block->low[i] = (uint32_t)hint;
	block->high[i] = (uint8_t)(hint >> 32);
}

/* The block is not empty. */
static uint64_t pop_hint(struct wheel_block *block)
{
	const unsigned i = --block->count;

	return (uint64_t)block->high[i] << 32 | block->low[i];
}

static void move_hints(struct wheel_block *to, struct wheel_block *from, unsigned n)
{
	assert(n <= from->count && n <= WHEEL_HINTS - to->count);
	from->count = (uint8_t)(from->count - n);
	memcpy(&to->low[to->count], &from->low[from->count], n * sizeof from->low[0]);
	memcpy(&to->high[to->count], &from->high[from->count], n * sizeof from->high[0]);
	to->count = (uint8_t)(to->count + n);
}

/* ------------------------------------------------------------------ rings */

static void ring_append(wheel_ring *ring, struct wheel_block *block)
{
	if (*ring) {
		block->next = (*ring)->next;
		(*ring)->next = block;
	} else {
		block->next = block;
	}
	*ring = block;
}

/* Take out the first block; NULL if there is none. */
static struct wheel_block *ring_pop(wheel_ring *ring)
{
	struct wheel_block *last = *ring, *first;

	if (!last)
		return NULL;
	first = last->next;
	if (first == last)
		*ring = NULL;
	else
		last->next = first->next;
	return first;
}

/* Put all of `from` behind `ring`, in O(1). Of their last blocks, which may both be partly filled, one is made full or
 * given back (X4). */
static void ring_join(struct wheel *wheel, wheel_ring *ring, wheel_ring from)
{
	struct wheel_block *last = *ring;

	if (!last) {
		*ring = from;
		return;
	}
	if (last->count + from->count > WHEEL_HINTS) {
		move_hints(last, from, WHEEL_HINTS - last->count);
	} else if (from->next == from) {
		move_hints(last, from, from->count);
		put_block(wheel, from);
		return;
	} else {
		/* What is in both fits into one, and `last` is filled by the first of `from`, which is full. */
		struct wheel_block *first = ring_pop(&from);

		move_hints(from, last, last->count);
		move_hints(last, first, first->count);
		put_block(wheel, first);
	}

	struct wheel_block *first = last->next;

	last->next = from->next;
	from->next = first;
	*ring = from;
}

/* Move all hints of some slots of a level. */
static void take_slots(struct wheel *wheel, unsigned level, uint64_t slots, wheel_ring *ring)
{
	slots &= wheel->occupied[level];
	wheel->occupied[level] &= ~slots;
	wheel->unvisited[level] &= ~slots;
	for (; slots; slots &= slots - 1) {
		unsigned slot = (unsigned)__builtin_ctzll(slots);

		ring_join(wheel, ring, wheel->slot[level][slot]);
		wheel->slot[level][slot] = NULL;
	}
}

/* ------------------------------------------------------------------ the wheel */

static uint64_t limited(uint64_t now)
{
	return now < NOW_MAX ? now : NOW_MAX;
}

void wheel_init(struct wheel *wheel, struct memory *memory, struct slab_freer *freer, uint64_t now)
{
	memset(wheel, 0, sizeof *wheel);
	wheel->memory = memory;
	wheel->freer = freer;
	wheel->now = limited(now);
}

static void abandon(struct wheel *wheel, struct wheel_block *block)
{
	if (block)
		memory_abandon(wheel->memory, block, sizeof *block);
}

static void abandon_ring(struct wheel *wheel, wheel_ring *ring)
{
	while (*ring)
		abandon(wheel, ring_pop(ring));
}

void wheel_fini(struct wheel *wheel)
{
	if (!memory_has_large(wheel->memory))
		return; /* blocks in the slab go with it */
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++)
			abandon_ring(wheel, &wheel->slot[level][slot]);
	abandon_ring(wheel, &wheel->due);
	abandon_ring(wheel, &wheel->again);
	abandon(wheel, wheel->popping);
	while (wheel->spares) {
		struct wheel_block *block = wheel->spares;

		wheel->spares = block->next;
		abandon(wheel, block);
	}
}

int wheel_add(struct wheel *wheel, uint64_t tick, uint64_t hint)
{
	if (tick <= wheel->now)
		tick = wheel->now + 1;

	unsigned level = level_of(tick ^ wheel->now);
	unsigned slot = digit_of(tick, level);
	wheel_ring *ring = &wheel->slot[level][slot];

	if (!*ring || (*ring)->count == WHEEL_HINTS) {
		struct wheel_block *block = NULL;
		int error = get_block(wheel, &block);

		if (error)
			return error;
		ring_append(ring, block);
		wheel->occupied[level] |= bit(slot);
	}
	push_hint(*ring, hint);
	add_to(&wheel->hints, 1);
	return 0;
}

static void take_all(struct wheel *wheel, wheel_ring *ring)
{
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		take_slots(wheel, level, UINT64_MAX, ring);
}

void wheel_advance(struct wheel *wheel, uint64_t now)
{
	if (now == UINT64_MAX)
		take_all(wheel, &wheel->due); /* the last tick, too, which stays ahead of the wheel's `now` */
	now = limited(now);
	if (now <= wheel->now)
		return;

	unsigned top = level_of(now ^ wheel->now);
	unsigned digit = digit_of(now, top);

	/* Below the level at which `now` changes, all is for ticks before the change (X2); above, all is still ahead. */
	for (unsigned level = 0; level < top; level++)
		take_slots(wheel, level, UINT64_MAX, &wheel->due);
	take_slots(wheel, top, bit(digit) - 1, &wheel->due);
	take_slots(wheel, top, bit(digit), top == 0 ? &wheel->due : &wheel->again);
	wheel->now = now;
}

void wheel_restart(struct wheel *wheel, uint64_t now)
{
	take_all(wheel, &wheel->again);
	wheel->now = limited(now);
}

bool wheel_pop(struct wheel *wheel, uint64_t *hint)
{
	struct wheel_block *block = wheel->popping;

	if (!block || block->count == 0) {
		if (block)
			put_block(wheel, block);
		block = ring_pop(wheel->due ? &wheel->due : &wheel->again);
		wheel->popping = block;
		if (!block)
			return false;
	}
	*hint = pop_hint(block);
	add_to(&wheel->hints, (uint64_t)-1);
	return true;
}

void wheel_unpop(struct wheel *wheel, uint64_t hint)
{
	struct wheel_block *block = wheel->popping;

	assert(block);
	push_hint(block, hint);
	add_to(&wheel->hints, 1);
}

uint64_t wheel_next(const struct wheel *wheel)
{
	if (wheel->due || wheel->again || (wheel->popping && wheel->popping->count))
		return wheel->now;
	/* What is at a lower level comes before everything above (X2). */
	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		if (wheel->occupied[level])
			return first_tick(wheel->now, level, (unsigned)__builtin_ctzll(wheel->occupied[level]));
	return UINT64_MAX;
}

void wheel_compact_begin(struct wheel *wheel)
{
	memcpy(wheel->unvisited, wheel->occupied, sizeof wheel->unvisited);
}

bool wheel_compact(struct wheel *wheel)
{
	/* Upwards: what `now` brings down to a lower level meanwhile meets slots that were visited before. */
	for (unsigned level = 0; level < WHEEL_LEVELS; level++) {
		uint64_t unvisited = wheel->unvisited[level];

		if (unvisited) {
			take_slots(wheel, level, unvisited & -unvisited, &wheel->again);
			return true;
		}
	}
	return false;
}

uint64_t wheel_hints(const struct wheel *wheel)
{
	return value_of(&wheel->hints);
}

uint64_t wheel_bytes(const struct wheel *wheel)
{
	return value_of(&wheel->blocks) * sizeof(struct wheel_block);
}

/* ------------------------------------------------------------------ check */

struct sum {
	uint64_t blocks, hints;
};

/* X4, and the sums of what is in the ring. */
static bool check_ring(const struct wheel *wheel, struct wheel_block *last, struct sum *sum)
{
	struct wheel_block *block = last;

	if (!last)
		return true;
	do {
		block = block->next;
		if (block->count == 0 || block->count > WHEEL_HINTS || (block != last && block->count < WHEEL_HINTS))
			return false;
		sum->hints += block->count;
		if (++sum->blocks > value_of(&wheel->blocks))
			return false;
	} while (block != last);
	return true;
}

/* X2, and that bitmaps and rings agree. */
static bool check_level(const struct wheel *wheel, unsigned level, struct sum *sum)
{
	unsigned first = digit_of(wheel->now, level) + 1, last = digit_of(UINT64_MAX, level);

	for (unsigned slot = 0; slot < WHEEL_SLOTS; slot++) {
		wheel_ring ring = wheel->slot[level][slot];

		if ((ring != NULL) != !!(wheel->occupied[level] & bit(slot)))
			return false;
		if (ring && (slot < first || slot > last))
			return false;
		if (!check_ring(wheel, ring, sum))
			return false;
	}
	return !(wheel->unvisited[level] & ~wheel->occupied[level]);
}

bool wheel_check(const struct wheel *wheel)
{
	struct sum sum = { 0, 0 };
	unsigned spares = 0;

	for (unsigned level = 0; level < WHEEL_LEVELS; level++)
		if (!check_level(wheel, level, &sum))
			return false;
	if (!check_ring(wheel, wheel->due, &sum) || !check_ring(wheel, wheel->again, &sum))
		return false;
	if (wheel->popping) {
		sum.blocks++;
		sum.hints += wheel->popping->count;
	}
	for (const struct wheel_block *block = wheel->spares; block && spares <= WHEEL_SPARES; block = block->next)
		spares++;
	return spares == wheel->spare_count && spares <= WHEEL_SPARES && wheel->now <= NOW_MAX &&
	       sum.hints == value_of(&wheel->hints) && sum.blocks + spares == value_of(&wheel->blocks);
}
