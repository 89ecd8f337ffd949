/* SPDX-License-Identifier: BSD-2-Clause */
/* ground/stripe: threads are numbered as they first ask, and share stripes when there are many. */
#include "ground/stripe.h"

#include "fixture.h"

_Static_assert((STRIPE_COUNT & (STRIPE_COUNT - 1)) == 0, "a power of two");

static void *ask(void *arg)
{
	unsigned *index = arg;

	*index = stripe_index();
	if (stripe_index() != *index)
		*index = STRIPE_COUNT; /* it must not change */
	return NULL;
}

static unsigned in_new_thread(void)
{
	unsigned index = STRIPE_COUNT;
	pthread_t thread;

	if (pthread_create(&thread, NULL, ask, &index) != 0)
		bail("pthread_create");
	pthread_join(thread, NULL);
	return index;
}

static void are_numbered_in_turn(void)
{
	unsigned first, wrong = 0, used_wrong = 0;

	is_int(stripe_used(), 0, "no stripe is used before a thread asks");
	first = stripe_index();
	is_int(stripe_index(), first, "a thread keeps its stripe");
	ok(first < STRIPE_COUNT, "which is one of them");
	is_int(stripe_used(), 1, "then one is used");
	for (unsigned i = 1; i < 3 * STRIPE_COUNT; i++) {
		unsigned want = i + 1 < STRIPE_COUNT ? i + 1 : STRIPE_COUNT;

		wrong += in_new_thread() != (first + i) % STRIPE_COUNT;
		used_wrong += stripe_used() != want;
	}
	is_int(wrong, 0, "each new thread gets the next stripe, from the first again after the last");
	is_int(used_wrong, 0, "and is counted among those used");
	is_int(stripe_index(), first, "the first thread still has its own");
}

struct context {
	_Atomic unsigned threads_of[STRIPE_COUNT];
	_Atomic unsigned bad;
};

static void ask_often(struct team_member *me)
{
	struct context *c = me->ctx;
	unsigned index = stripe_index();

	for (unsigned i = 0; i < 1000; i++)
		if (stripe_index() != index)
			atomic_fetch_add(&c->bad, 1);
	if (index < STRIPE_COUNT)
		atomic_fetch_add(&c->threads_of[index], 1);
}

static void threads_spread_evenly(void)
{
	struct context c;
	struct team_options options = {
		.threads = 2 * STRIPE_COUNT, .work = ask_often, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S
	};
	unsigned uneven = 0;

	memset(&c, 0, sizeof c);
	team_run(&options);
	for (unsigned i = 0; i < STRIPE_COUNT; i++)
		uneven += c.threads_of[i] != 2;
	is_int(uneven, 0, "%u threads that ask at once: two on each stripe", 2 * STRIPE_COUNT);
	is_int(c.bad, 0, "each keeps its own");
}

int main(void)
{
	are_numbered_in_turn();
	threads_spread_evenly();
	return tap_done();
}
