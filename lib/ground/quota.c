/* SPDX-License-Identifier: BSD-2-Clause */
#include "ground/quota.h"

/* A stripe gets at most this part of the pool ahead, so all of them at most an eighth. */
#define AHEAD_PART ((int64_t)(8 * STRIPE_COUNT))

void quota_init(struct quota *quota, uint64_t limit)
{
	quota->limit = limit;
	atomic_init(&quota->pool, (int64_t)limit);
	atomic_init(&quota->dry, true);
}

static int64_t load(const _Atomic int64_t *units)
{
	return atomic_load_explicit((_Atomic int64_t *)units, memory_order_relaxed); /* Q1 */
}

static void add(_Atomic int64_t *units, int64_t n)
{
	atomic_fetch_add_explicit(units, n, memory_order_relaxed); /* Q1 */
}

/* At least `least` units, more than 0, up to `most`; 0: there are too few. */
static int64_t draw(_Atomic int64_t *units, int64_t least, int64_t most)
{
	/* [DRY seq_cst] pairs with give_credit(). Q2. */
	int64_t there = atomic_load_explicit(units, memory_order_seq_cst), n;

	do {
		if (there < least)
			return 0;
		n = there < most ? there : most;
	} while (!atomic_compare_exchange_weak_explicit(units, &there, there - n, memory_order_relaxed,
							memory_order_relaxed)); /* Q1 */
	return n;
}

static void give_credit(struct quota *quota, unsigned stripe, int64_t n)
{
	/* [DRY seq_cst] pairs with gather(), which sets `dry` before it looks for credit: either it finds this, or this
	 * clears `dry` again. Q1, Q2. Who believes it dry until then goes without these units once. */
	atomic_fetch_add_explicit(&quota->stripe[stripe].credit, n, memory_order_seq_cst);
	if (atomic_load_explicit(&quota->dry, memory_order_seq_cst))
		atomic_store_explicit(&quota->dry, false, memory_order_seq_cst);
}

/* What a stripe may have ahead, now. */
static int64_t ahead_of(const struct quota *quota)
{
	int64_t pool = load(&quota->pool);

	return pool > 0 ? pool / AHEAD_PART : 0;
}

/* What all stripes have, and the pool: n units of it, the rest to the pool. */
static bool gather(struct quota *quota, int64_t n)
{
	int64_t got = 0;

	/* [DRY seq_cst] pairs with give_credit(). Q2. */
	if (atomic_load_explicit(&quota->dry, memory_order_seq_cst))
		return false;
	atomic_store_explicit(&quota->dry, true, memory_order_seq_cst);
	for (unsigned s = 0; s < stripe_used() && got < n; s++)
		got += draw(&quota->stripe[s].credit, 1, INT64_MAX);
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
	if (n > INT64_MAX)
		return false;

	const int64_t wanted = (int64_t)n;

	if (n == 0 || draw(&quota->stripe[stripe].credit, wanted, wanted))
		return true;

	int64_t ahead = ahead_of(quota);
	int64_t got = draw(&quota->pool, wanted, wanted <= INT64_MAX - ahead ? wanted + ahead : wanted);

	if (!got)
		return gather(quota, wanted);
	if (got > wanted)
		give_credit(quota, stripe, got - wanted);
	return true;
}

void quota_give(struct quota *quota, unsigned stripe, uint64_t n)
{
	const int64_t given = (int64_t)n, ahead = ahead_of(quota);

	if (given <= ahead && load(&quota->stripe[stripe].credit) <= ahead - given)
		give_credit(quota, stripe, given);
	else
		add(&quota->pool, given);
}

void quota_charge(struct quota *quota, uint64_t n)
{
	add(&quota->pool, -(int64_t)n);
	add(&quota->charged, (int64_t)n);
}

void quota_owe(struct quota *quota, uint64_t n)
{
	add(&quota->pool, -(int64_t)n);
}

void quota_discharge(struct quota *quota, uint64_t n)
{
	add(&quota->charged, -(int64_t)n);
	add(&quota->pool, (int64_t)n);
}

void quota_recharge(struct quota *quota, uint64_t before, uint64_t after)
{
	if (after > before)
		quota_charge(quota, after - before);
	else if (after < before)
		quota_discharge(quota, before - after);
}

uint64_t quota_charged(const struct quota *quota)
{
	int64_t charged = load(&quota->charged);

	return charged > 0 ? (uint64_t)charged : 0;
}

bool quota_in_debt(const struct quota *quota)
{
	return load(&quota->pool) < 0;
}

uint64_t quota_left(const struct quota *quota)
{
	int64_t left = load(&quota->pool);

	return left > 0 ? (uint64_t)left : 0;
}

uint64_t quota_reserved(const struct quota *quota)
{
	int64_t reserved = 0;

	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		reserved += load(&quota->stripe[s].credit);
	return (uint64_t)reserved;
}

uint64_t quota_used(const struct quota *quota)
{
	int64_t left = load(&quota->pool) + (int64_t)quota_reserved(quota), used = (int64_t)quota->limit - left;

	return used > 0 ? (uint64_t)used : 0; /* units on their way may be seen twice */
}

void quota_adopt(struct quota *quota, uint64_t used)
{
	/* relaxed: nobody else is there */
	for (unsigned s = 0; s < STRIPE_COUNT; s++)
		atomic_store_explicit(&quota->stripe[s].credit, 0, memory_order_relaxed);
	atomic_store_explicit(&quota->pool, (int64_t)(quota->limit - used), memory_order_relaxed);
	atomic_store_explicit(&quota->dry, true, memory_order_relaxed);
}
