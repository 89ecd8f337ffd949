/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/stripe.h"

#include <stdatomic.h>
#include <stdint.h>

static _Atomic uint64_t threads_seen;
static _Thread_local unsigned number_plus_one;

unsigned stripe_index(void)
{
	if (__builtin_expect(number_plus_one == 0, 0))
		/* [STRIPES seq_cst] pairs with [STRIPES seq_cst] in stripe_used(): whoever reads a stripe's counters
		 * that another thread wrote before, sees that stripe as used. */
		number_plus_one =
			(unsigned)(atomic_fetch_add_explicit(&threads_seen, 1, memory_order_seq_cst) % STRIPE_COUNT) + 1;
	return number_plus_one - 1;
}

unsigned stripe_used(void)
{
	/* [STRIPES seq_cst] */
	uint64_t seen = atomic_load_explicit(&threads_seen, memory_order_seq_cst);

	return seen < STRIPE_COUNT ? (unsigned)seen : STRIPE_COUNT;
}
