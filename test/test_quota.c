/* SPDX-License-Identifier: BSD-2-Clause */
/* ground/quota: never more in use than the limit, and all of it to be had. */
#include "ground/quota.h"

#include "fixture.h"

static struct quota *fresh(uint64_t limit)
{
	struct quota *quota = NULL;

	if (posix_memalign((void **)&quota, 64, sizeof *quota))
		bail("no memory");
	memset(quota, 0, sizeof *quota);
	quota_init(quota, limit);
	return quota;
}

static void all_of_it_by_one(uint64_t limit, uint64_t each)
{
	struct quota *quota = fresh(limit);
	uint64_t taken = 0, over = 0, given = 0;

	while (quota_take(quota, stripe_index(), each)) {
		taken += each;
		over += quota_used(quota) != taken;
	}
	ok(taken <= limit && limit - taken < each && !over, "%llu by %llu: taken to the last whole one",
	   (unsigned long long)limit, (unsigned long long)each);
	if (each > 1) {
		while (quota_take(quota, stripe_index(), 1))
			taken++;
		is_int(taken, limit, "and what is left one by one");
	}
	is_int(quota_used(quota), limit, "all is in use");
	ok(!quota_take(quota, stripe_index(), 1), "none is left");
	while (given < limit) {
		uint64_t n = limit - given < each ? limit - given : each;

		quota_give(quota, stripe_index(), n);
		given += n;
	}
	is_int(quota_used(quota), 0, "all is given back");
	ok(quota_take(quota, stripe_index(), limit), "and can be had in one, credits and all");
	quota_give(quota, stripe_index(), limit);
	ok(!quota_take(quota, stripe_index(), limit + 1), "one more than there is cannot");
	is_int(quota_used(quota), 0, "and takes nothing");
	free(quota);
}

static void borders(void)
{
	struct quota *quota = fresh(UINT64_C(1) << 62);

	ok(quota_take(quota, stripe_index(), 0), "none of something can be had");
	ok(!quota_take(quota, stripe_index(), UINT64_MAX), "more than any limit cannot");
	ok(quota_take(quota, stripe_index(), UINT64_C(1) << 62), "a large limit can, at once");
	ok(quota_take(quota, stripe_index(), 0), "nothing of nothing, too");
	ok(!quota_take(quota, stripe_index(), 1), "something of nothing cannot");
	free(quota);
	quota = fresh(0);
	ok(!quota_take(quota, stripe_index(), 1), "where the limit is zero there is nothing");
	free(quota);
}

/* Who cannot wait takes what is not there; what others give pays for it. */
static void debts(void)
{
	struct quota *quota = fresh(1000);

	ok(quota_take(quota, stripe_index(), 1000), "all is taken");
	quota_charge(quota, 600);
	ok(quota_in_debt(quota) && quota_left(quota) == 0 && quota_used(quota) == 1600 && quota_charged(quota) == 600,
	   "more than there is is charged");
	quota_give(quota, stripe_index(), 400);
	ok(quota_in_debt(quota) && !quota_take(quota, stripe_index(), 1), "what is given is not to be had,");
	quota_give(quota, stripe_index(), 200);
	ok(!quota_in_debt(quota) && !quota_take(quota, stripe_index(), 1), "until the debt is paid,");
	quota_give(quota, stripe_index(), 100);
	ok(quota_take(quota, stripe_index(), 100), "and no longer");
	quota_owe(quota, 50);
	ok(quota_in_debt(quota) && quota_charged(quota) == 600, "what is owed is not remembered");
	quota_give(quota, stripe_index(), 50);
	quota_discharge(quota, 600);
	ok(quota_charged(quota) == 0 && quota_used(quota) == 400, "what was charged is given back");
	ok(quota_take(quota, stripe_index(), 600) && !quota_take(quota, stripe_index(), 1), "to the last unit");
	free(quota);
}

/* ------------------------------------------------------------------------------------------------ by many */

/* Takes and gives while others charge and discharge: all is there in the end. */
static void charge_and_discharge(struct team_member *me)
{
	struct quota *quota = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 4, me->index);
	for (uint64_t t = 0, turns = fixture_scaled(50000, 2000); t < turns; t++) {
		uint64_t n = 1 + rng_below(&rng, 1000);

		if (me->index % 2) {
			quota_charge(quota, n);
			quota_discharge(quota, n);
		} else if (quota_take(quota, stripe_index(), n)) {
			quota_give(quota, stripe_index(), n);
		}
	}
}

static void charges_by_many(void)
{
	const uint64_t limit = 4000;
	struct quota *quota = fresh(limit);
	struct team_options options = { .threads = 8, .work = charge_and_discharge, .ctx = quota,
					.watchdog_s = TEST_WATCHDOG_S };

	team_join(team_start(&options));
	ok(quota_used(quota) == 0 && quota_charged(quota) == 0 && !quota_in_debt(quota), "many charge: none is lost");
	ok(quota_take(quota, stripe_index(), limit), "and all can be had");
	free(quota);
}

struct crowd {
	struct quota *quota;
	uint64_t limit, most, turns;
	_Atomic uint64_t in_use, over, vain, got;
};

static void take_and_give(struct team_member *me)
{
	struct crowd *c = me->ctx;
	struct rng rng;
	uint64_t mine[8] = { 0 };

	rng_init_stream(&rng, 3, me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		uint64_t *n = &mine[rng_below(&rng, 8)];

		if (*n) {
			atomic_fetch_sub(&c->in_use, *n);
			quota_give(c->quota, stripe_index(), *n);
			*n = 0;
			continue;
		}
		*n = 1 + rng_below(&rng, c->most);
		if (!quota_take(c->quota, stripe_index(), *n)) {
			*n = 0;
			atomic_fetch_add(&c->vain, 1);
			continue;
		}
		atomic_fetch_add(&c->got, 1);
		if (atomic_fetch_add(&c->in_use, *n) + *n > c->limit)
			atomic_fetch_add(&c->over, 1);
	}
	for (unsigned i = 0; i < 8; i++)
		if (mine[i]) {
			atomic_fetch_sub(&c->in_use, mine[i]);
			quota_give(c->quota, stripe_index(), mine[i]);
		}
}

static void never_over_by_many(uint64_t limit, uint64_t most)
{
	struct crowd c = { .quota = fresh(limit), .limit = limit, .most = most, .turns = fixture_scaled(200000, 5000) };
	struct team_options options = { .threads = 8, .work = take_and_give, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S };

	team_join(team_start(&options));
	is_int(c.over, 0, "%llu, up to %llu at once: never more in use than the limit", (unsigned long long)limit,
	       (unsigned long long)most);
	ok(c.got > 0, "%llu were taken, %llu times there were too few", (unsigned long long)c.got,
	   (unsigned long long)c.vain);
	is_int(quota_used(c.quota), 0, "none is lost");
	ok(quota_take(c.quota, stripe_index(), limit), "and none is left with who has gone");
	free(c.quota);
}

/* What one thread has ahead another one gets when there is nothing else. */
static void have_ahead(struct team_member *me)
{
	struct crowd *c = me->ctx;

	quota_take(c->quota, stripe_index(), 1);
	quota_give(c->quota, stripe_index(), 1);
}

static void idle_credits_come_back(void)
{
	const uint64_t limit = UINT64_C(1) << 20;
	struct crowd c = { .quota = fresh(limit) };
	struct team_options options = { .threads = STRIPE_COUNT < 8 ? STRIPE_COUNT : 8, .work = have_ahead, .ctx = &c,
					.watchdog_s = TEST_WATCHDOG_S };
	uint64_t taken = 0;

	team_join(team_start(&options));
	ok(quota_reserved(c.quota) > 0 && quota_used(c.quota) == 0, "stripes have %llu ahead, none is in use",
	   (unsigned long long)quota_reserved(c.quota));
	while (quota_take(c.quota, stripe_index(), 1))
		taken++;
	is_int(taken, limit, "one thread can have it all, one by one");
	is_int(quota_reserved(c.quota), 0, "no stripe has anything ahead then");
	free(c.quota);
}

int main(void)
{
	all_of_it_by_one(1, 1);
	all_of_it_by_one(100000, 1);
	all_of_it_by_one(100000, 7);
	all_of_it_by_one(UINT64_C(1) << 30, 65537);
	borders();
	debts();
	charges_by_many();
	never_over_by_many(64, 4);
	never_over_by_many(100000, 3);
	never_over_by_many(UINT64_C(1) << 20, 65536);
	idle_credits_come_back();
	return tap_done();
}
