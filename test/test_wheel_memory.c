/* SPDX-License-Identifier: BSD-2-Clause */
/* expiry/wheel: what it holds, and what happens when there is no more memory. */
#include "wheel_fixture.h"

#include <limits.h>

/* Due hints that nobody pops for long: their blocks are filled up, not strung together half empty. */
static void a_lazy_owner(struct rng *rng)
{
	struct model *m = model_new(0, true);
	unsigned wrong = 0;

	for (unsigned turn = 0; m->filed < ITEMS_MAX; turn++) {
		for (uint64_t n = 1 + rng_below(rng, WHEEL_HINTS); n > 0 && m->filed < ITEMS_MAX; n--)
			(void)add(m, m->now + 1 + rng_below(rng, 3 * WHEEL_SLOTS));
		m->turn_limit = rng_below(rng, 3);
		drain(m);
		advance(m, m->now + 1 + rng_below(rng, WHEEL_SLOTS));
		wrong += m->wrong != 0 || !wheel_check(&m->wheel) || too_large(m);
	}
	is_int(wrong, 0, "what is due and not popped takes no more memory than was promised");
	m->turn_limit = UINT64_MAX;
	advance(m, m->now + 4 * WHEEL_SLOTS);
	drain(m);
	is_int(m->filed, 0, "and all of it comes out");
	is_int(m->wrong, 0, "once");
	ok(model_delete(m), "all blocks are freed");
}

/* A put-back hint is there again, whatever happened since it was popped. */
static void a_hint_is_put_back(void)
{
	struct model *m = model_new(0, true);
	unsigned wrong = 0;

	for (unsigned i = 0; i < 4 * WHEEL_HINTS; i++)
		(void)add(m, 1 + i % 2);
	advance(m, 1);
	atomic_store(&m->allocator.fail_from, 1);
	for (unsigned turn = 0; turn < 4; turn++)
		for (unsigned i = 0; i < 2 * WHEEL_HINTS; i++) {
			uint64_t hint = UINT64_MAX, again = UINT64_MAX;

			wrong += !wheel_pop(&m->wheel, &hint);
			if (turn == 1)
				wheel_advance(&m->wheel, 2);
			if (turn == 2)
				wheel_restart(&m->wheel, 2);
			while (turn == 3 && wheel_add(&m->wheel, 1000, 7777) == 0)
				; /* until the last spare block is full */
			wheel_unpop(&m->wheel, hint);
			wrong += !wheel_check(&m->wheel) || !wheel_pop(&m->wheel, &again) || again != hint;
			if (turn < 3) {
				wheel_unpop(&m->wheel, again);
				continue;
			}
			wrong += hint_item(again) == ITEMS_MAX || !m->items[hint_item(again)].filed;
			m->items[hint_item(again) % ITEMS_MAX].filed = false;
		}
	is_int(wrong, 0, "a hint that was put back is popped next, whatever happened in between");
	atomic_store(&m->allocator.fail_from, INT64_MAX);
	ok(model_delete(m), "all blocks are freed");
}

/* A life in which the n-th allocation fails; what could not be filed is tried again. False if there was no n-th. */
static bool failing_life(struct model *m, struct rng *rng, uint64_t n, enum fault_kind kind, unsigned *wrong)
{
	int want = kind == FAULT_NULL ? -ENOMEM : -EFAULT;

	m->shift = 44;
	fault_arm(n, kind);
	for (unsigned turn = 0; turn < 60; turn++) {
		for (uint64_t k = rng_below(rng, 12); k > 0; k--) {
			uint64_t tick = random_tick(m, rng);
			uint64_t bytes = wheel_bytes(&m->wheel), hints = wheel_hints(&m->wheel);
			int error = add(m, tick);

			*wrong += error && (error != want || bytes != wheel_bytes(&m->wheel) ||
					    hints != wheel_hints(&m->wheel) || add(m, tick) != 0);
		}
		advance(m, m->now + rng_below(rng, 4 * WHEEL_SLOTS));
		drain(m);
		*wrong += faults(m) != 0;
		*wrong += m->failed && (drain(m) == 0 || m->failed || faults(m) != 0);
	}

	bool hit = fault_disarm();

	advance(m, UINT64_MAX);
	drain(m);
	*wrong += m->filed != 0 || faults(m) != 0;
	return hit;
}

static void every_allocation_fails(uint64_t seed)
{
	static const enum fault_kind kinds[] = { FAULT_NULL, FAULT_MISALIGNED, FAULT_HIGH };
	unsigned wrong = 0, leaks = 0;

	for (unsigned k = 0; k < 3; k++) {
		uint64_t n = 0;
		bool hit = true;

		while (hit) {
			struct model *m = model_new(0, true);
			struct rng rng;

			rng_init(&rng, seed);
			hit = failing_life(m, &rng, ++n, kinds[k], &wrong);
			leaks += !model_delete(m);
		}
		ok(n > 20, "each of %llu allocations of a life fails in turn", (unsigned long long)n - 1);
	}
	is_int(wrong, 0, "nothing is lost or changed by it, and the next attempt succeeds");
	is_int(leaks, 0, "all blocks are freed");
}

/* Memory that comes and goes at random: what is due stays due until there is some. */
static void memory_fails_often(struct rng *rng)
{
	struct model *m = model_new(0, true);
	unsigned wrong = 0, stopped = 0;

	m->shift = 44;
	for (uint64_t turn = fixture_scaled(6000, 1000); turn > 0; turn--) {
		atomic_store(&m->allocator.fail_from, rng_below(rng, 3) ? 1 + (int64_t)rng_below(rng, 4) : INT64_MAX);
		for (uint64_t n = rng_below(rng, 20); n > 0 && m->filed < ITEMS_MAX; n--)
			(void)add(m, random_tick(m, rng));
		if (rng_below(rng, 20) == 0)
			wheel_compact_begin(&m->wheel);
		(void)wheel_compact(&m->wheel);
		advance(m, m->now + rng_below(rng, 300));
		drain(m);
		stopped += m->failed;
		wrong += faults(m) != 0;
	}
	ok(stopped > 0, "%u drains stop for want of memory", stopped);
	is_int(wrong, 0, "and go on where they stopped");
	atomic_store(&m->allocator.fail_from, INT64_MAX);
	advance(m, UINT64_MAX);
	drain(m);
	is_int(m->filed + m->wrong, 0, "with memory again, all comes out");
	ok(model_delete(m), "all blocks are freed");
}

/* In the built-in allocator: hints come and go for long, memory does not grow. */
static void memory_stays(struct rng *rng)
{
	struct model *m = model_new(0, false);
	uint64_t turns = fixture_scaled(6000, 2000), half = 0, popped = 0;

	for (uint64_t turn = 0; turn < turns; turn++) {
		while (m->filed < ITEMS_MAX)
			(void)add(m, m->now + 1 + rng_below(rng, 40 * WHEEL_SLOTS));
		advance(m, m->now + WHEEL_SLOTS);
		popped += drain(m);
		slab_rest(&m->memory.slab);
		slab_revive(&m->memory.slab, &m->freer);
		(void)slab_recover(&m->memory.slab, &m->freer, UINT_MAX);
		if (turn == turns / 2)
			half = memory_bytes(&m->memory);
	}
	ok(popped > 50 * ITEMS_MAX, "many more hints pass through than fit (%llu)", (unsigned long long)popped);
	ok(memory_bytes(&m->memory) <= half + half / 4,
	   "memory stays as it was: %llu bytes after half of the time, %llu at the end", (unsigned long long)half,
	   (unsigned long long)memory_bytes(&m->memory));
	is_int(late(m) + m->wrong + !wheel_check(&m->wheel), 0, "and all comes out in time");
	advance(m, UINT64_MAX);
	drain(m);
	is_int(m->filed, 0, "to the last");
	ok(wheel_bytes(&m->wheel) <= SPARES_BYTES, "an empty wheel holds its spares alone");
	ok(model_delete(m), "and is freed with the map");
}

int main(int argc, char **argv)
{
	uint64_t seed = fixture_seed(argc, argv);
	struct rng rng;

	rng_init(&rng, seed);
	a_lazy_owner(&rng);
	a_hint_is_put_back();
	every_allocation_fails(seed);
	memory_fails_often(&rng);
	memory_stays(&rng);
	return tap_done();
}
