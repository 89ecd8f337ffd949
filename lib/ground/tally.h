/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A sum that many threads add to and many look at: the total may be behind by less than a grain for each stripe, and is
 * written once for each grain.
 *
 * All accesses are relaxed: nothing but the number is told by it.
 */
#ifndef RCUMAP_TALLY_H
#define RCUMAP_TALLY_H

#include <stdatomic.h>
#include <stdint.h>

#include "ground/stripe.h"

struct tally {
	int64_t grain; /* at least 1 */
	_Alignas(64) _Atomic int64_t total;
	struct {
		_Alignas(64) _Atomic int64_t behind;
	} stripe[STRIPE_COUNT];
};

/* Wait-free. */
static inline void tally_add(struct tally *tally, unsigned stripe, int64_t n)
{
	_Atomic int64_t *behind = &tally->stripe[stripe].behind;
	int64_t sum = atomic_fetch_add_explicit(behind, n, memory_order_relaxed) + n;

	if (sum >= tally->grain || sum <= -tally->grain)
		/* Of two who get here one moves all of it. */
		atomic_fetch_add_explicit(&tally->total, atomic_exchange_explicit(behind, 0, memory_order_relaxed),
					  memory_order_relaxed);
}

/* In a child of fork(), alone: the sum is n. */
static inline void tally_adopt(struct tally *tally, int64_t n)
{
	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		atomic_store_explicit(&tally->stripe[s].behind, 0, memory_order_relaxed);
	atomic_store_explicit(&tally->total, n, memory_order_relaxed);
}

/* Wait-free. */
static inline int64_t tally_total(const struct tally *tally)
{
	return atomic_load_explicit(&((struct tally *)tally)->total, memory_order_relaxed);
}

#endif
