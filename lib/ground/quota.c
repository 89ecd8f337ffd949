/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/quota.h"

/* A stripe gets at most this part of the pool ahead, so all of them at most an eighth. */
#define AHEAD_PART (8u * STRIPE_COUNT)

void quota_init(struct quota *quota, uint64_t limit)
{
	quota->limit = limit;
	atomic_init(&quota->pool, limit);
	atomic_init(&quota->dry, true);
}

static uint64_t load(const _Atomic uint64_t *units)
{
	return atomic_load_explicit((_Atomic uint64_t *)units, memory_order_relaxed); /* Q1 */
}

static void add(_Atomic uint64_t *units, uint64_t n)
{
	atomic_fetch_add_explicit(units, n, memory_order_relaxed); /* Q1 */
}

/* At least `least` units, up to `most`; 0: there are too few. */
static uint64_t draw(_Atomic uint64_t *units, uint64_t least, uint64_t most)
{
	/* [DRY seq_cst] pairs with give_credit(). Q2. */
	uint64_t there = atomic_load_explicit(units, memory_order_seq_cst), n;

	do {
		if (there < least)
			return 0;
		n = there < most ? there : most;
	} while (!atomic_compare_exchange_weak_explicit(units, &there, there - n, memory_order_relaxed,
							memory_order_relaxed)); /* Q1 */
	return n;
}

static void give_credit(struct quota *quota, unsigned stripe, uint64_t n)
{
	/* [DRY seq_cst] pairs with gather(), which sets `dry` before it looks for credit: either it finds this, or this
	 * clears `dry` again. Q1, Q2. Who believes it dry until then goes without these units once. */
	atomic_fetch_add_explicit(&quota->stripe[stripe].credit, n, memory_order_seq_cst);
	if (atomic_load_explicit(&quota->dry, memory_order_seq_cst))
		atomic_store_explicit(&quota->dry, false, memory_order_seq_cst);
}

/* What all stripes have, and the pool: n units of it, the rest to the pool. */
static bool gather(struct quota *quota, uint64_t n)
{
	uint64_t got = 0;

	/* [DRY seq_cst] pairs with give_credit(). Q2. */
	if (atomic_load_explicit(&quota->dry, memory_order_seq_cst))
		return false;
	atomic_store_explicit(&quota->dry, true, memory_order_seq_cst);
	for (unsigned s = 0; s < stripe_used() && got < n; s++)
		got += draw(&quota->stripe[s].credit, 1, UINT64_MAX);
	if (got < n)
		got += draw(&quota->pool, 1, n - got);
	else
		/* [DRY seq_cst] Not all stripes were asked. Q2. */
		atomic_store_explicit(&quota->dry, false, memory_order_seq_cst);
	if (got < n) {
		add(&quota->pool, got);
		return false;
	}
	add(&quota->pool, got - n);
	return true;
}

bool quota_take(struct quota *quota, unsigned stripe, uint64_t n)
{
	if (n == 0 || draw(&quota->stripe[stripe].credit, n, n))
		return true;

	uint64_t ahead = load(&quota->pool) / AHEAD_PART;
	uint64_t got = n <= UINT64_MAX - ahead ? draw(&quota->pool, n, n + ahead) : 0;

	if (!got)
		return gather(quota, n);
	if (got > n)
		give_credit(quota, stripe, got - n);
	return true;
}

void quota_give(struct quota *quota, unsigned stripe, uint64_t n)
{
	uint64_t ahead = load(&quota->pool) / AHEAD_PART;

	if (n <= ahead && load(&quota->stripe[stripe].credit) <= ahead - n)
		give_credit(quota, stripe, n);
	else
		add(&quota->pool, n);
}

uint64_t quota_reserved(const struct quota *quota)
{
	uint64_t reserved = 0;

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		reserved += load(&quota->stripe[s].credit);
	return reserved;
}

uint64_t quota_used(const struct quota *quota)
{
	uint64_t left = load(&quota->pool) + quota_reserved(quota);

	return left < quota->limit ? quota->limit - left : 0; /* units on their way may be seen twice */
}

void quota_adopt(struct quota *quota, uint64_t used)
{
	/* relaxed: nobody else is there */
	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		atomic_store_explicit(&quota->stripe[s].credit, 0, memory_order_relaxed);
	atomic_store_explicit(&quota->pool, used < quota->limit ? quota->limit - used : 0, memory_order_relaxed);
	atomic_store_explicit(&quota->dry, true, memory_order_relaxed);
}
