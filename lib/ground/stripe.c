/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/stripe.h"

static _Atomic uint64_t threads_seen;

_Thread_local unsigned stripe_mine = STRIPE_NONE;

unsigned stripe_assign(void)
{
	/* [STRIPES seq_cst] pairs with [STRIPES seq_cst] in stripe_used(): whoever reads a stripe's counters that another
	 * thread wrote before, sees that stripe as used. */
	const uint64_t number = atomic_fetch_add_explicit(&threads_seen, 1, memory_order_seq_cst);

	stripe_mine = (unsigned)(number < STRIPE_OWN ? number :
						       STRIPE_OWN + (number - STRIPE_OWN) % (STRIPE_COUNT - STRIPE_OWN));
	return stripe_mine;
}

unsigned stripe_used(void)
{
	/* [STRIPES seq_cst] */
	uint64_t seen = atomic_load_explicit(&threads_seen, memory_order_seq_cst);

	return seen < STRIPE_COUNT ? (unsigned)seen : STRIPE_COUNT;
}
