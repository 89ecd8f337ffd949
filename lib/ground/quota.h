/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A number of units of which no more than a limit are in use, at any instant, taken and given by many threads mostly
 * without a line that all of them write: what is free lies in a common pool, and some of it as credit with the stripes.
 * The less there is in the pool, the less the stripes get ahead, down to none; who finds the pool empty takes back what
 * the others have.
 *
 * Invariant
 * Q1 Units in use, in the pool and with the stripes are as many as the limit; what is on its way between them is in
 *    use. Each changes by an exchange that says how many units moved. What is charged is in use before it counts as
 *    charged, and until it does not.
 * Q2 While `dry` is set no stripe has credit but what somebody is about to tell of: who gives some looks at `dry` after
 *    that, who is about to look at all credit sets it before; so one of the two sees the other.
 *
 * Some users cannot wait: what they charge is taken from the pool even if it is not there. Then the pool is in debt, nothing
 * but credit is to be had until others have given as much, and more than the limit may be in use, by that much.
 *
 * All else is relaxed: the units are numbers, what they stand for is handed on elsewhere.
 */
#ifndef RCUMAP_QUOTA_H
#define RCUMAP_QUOTA_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "ground/stripe.h"

struct quota {
	uint64_t limit;
	_Alignas(64) _Atomic int64_t pool; /* below zero: a debt */
	_Atomic int64_t charged;
	_Atomic bool dry; /* no stripe has had credit since somebody looked. Q2 */
	struct {
		_Alignas(64) _Atomic int64_t credit;
	} stripe[STRIPE_COUNT];
};

/* `quota` is zeroed. At most INT64_MAX. */
void quota_init(struct quota *quota, uint64_t limit);

/* Take n units. False: they are not to be had, nothing was taken. Lock-free. */
bool quota_take(struct quota *quota, unsigned stripe, uint64_t n);

/* Give n units back. Lock-free. */
void quota_give(struct quota *quota, unsigned stripe, uint64_t n);

/* Take n units, whether they are there or not; give them back. n fits an int64_t. Wait-free. */
void quota_charge(struct quota *quota, uint64_t n);
void quota_discharge(struct quota *quota, uint64_t n);

/* What was charged as `before` is charged as `after` from now on. Wait-free. */
void quota_recharge(struct quota *quota, uint64_t before, uint64_t after);

/* As quota_charge(), without being remembered as charged: it is given back as what was taken is. */
void quota_owe(struct quota *quota, uint64_t n);

/* In a child of fork(), alone: so many units are in use. Those that vanished threads had in their hands are free. */
void quota_adopt(struct quota *quota, uint64_t used);

/* Units in use, and not: those with stripes count as free. Exact while nobody takes or gives. Wait-free. */
uint64_t quota_used(const struct quota *quota);
uint64_t quota_reserved(const struct quota *quota);

/* Of those in use, what is charged. Wait-free. */
uint64_t quota_charged(const struct quota *quota);

/* Is more in use than the limit? Wait-free. */
bool quota_in_debt(const struct quota *quota);

/* Units in the pool, about; none if it is in debt. Wait-free. */
uint64_t quota_left(const struct quota *quota);

#endif
