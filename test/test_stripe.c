/* SPDX-License-Identifier: BSD-2-Clause */
/* ground/stripe: threads are numbered as they first ask; the first have stripes of their own, those that come later share the others. */
#include "ground/stripe.h"

#include "fixture.h"

#include <signal.h>
#include <sys/time.h>

_Static_assert((STRIPE_COUNT & (STRIPE_COUNT - 1)) == 0, "a power of two");
_Static_assert((STRIPE_OWN & (STRIPE_OWN - 1)) == 0 && STRIPE_OWN < STRIPE_COUNT, "likewise, and some are left to share");

/* The stripe of the thread with this number. */
static unsigned stripe_of(unsigned number)
{
	return number < STRIPE_OWN ? number : STRIPE_OWN + (number - STRIPE_OWN) % (STRIPE_COUNT - STRIPE_OWN);
}

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
	is_int(first, 0, "which is the first");
	is_int(stripe_used(), 1, "then one is used");
	for (unsigned i = 1; i < 3 * STRIPE_COUNT; i++) {
		unsigned want = i + 1 < STRIPE_COUNT ? i + 1 : STRIPE_COUNT;

		wrong += in_new_thread() != stripe_of(i);
		used_wrong += stripe_used() != want;
	}
	is_int(wrong, 0, "each new thread gets the next stripe, after the last one the first of those that are shared");
	is_int(used_wrong, 0, "and is counted among those used");
	is_int(stripe_index(), first, "the first thread still has its own");
}

#define THREADS (2 * STRIPE_COUNT)
#define ADDITIONS 1000000u /* longer than a thread has the processor */

struct context {
	_Atomic unsigned threads_of[STRIPE_COUNT];
	_Atomic uint64_t counter[STRIPE_COUNT];
	_Atomic unsigned bad;
};

static void ask_often(struct team_member *me)
{
	struct context *c = me->ctx;
	unsigned index = stripe_index();

	if (index >= STRIPE_COUNT) {
		atomic_fetch_add(&c->bad, 1);
		return;
	}
	atomic_fetch_add(&c->threads_of[index], 1);
	for (unsigned i = 0; i < ADDITIONS; i++) {
		if (stripe_index() != index)
			atomic_fetch_add(&c->bad, 1);
		stripe_add(index, &c->counter[index], 3);
	}
}

/* All have numbers above those of the threads before: none has a stripe of its own. */
static void threads_spread_evenly(void)
{
	static struct context c;
	struct team_options options = { .threads = THREADS, .work = ask_often, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S };
	unsigned uneven = 0, miscounted = 0;

	team_run(&options);
	for (unsigned i = 0; i < STRIPE_COUNT; i++) {
		const unsigned threads = i < STRIPE_OWN ? 0 : THREADS / (STRIPE_COUNT - STRIPE_OWN);

		uneven += c.threads_of[i] != threads;
		miscounted += c.counter[i] != (uint64_t)threads * ADDITIONS * 3;
	}
	is_int(uneven, 0, "%u threads that ask at once: as many on each stripe that is shared, none on the others", THREADS);
	is_int(c.bad, 0, "each keeps its own");
	is_int(miscounted, 0, "what they add at once is all counted");
}

/* Few enough for a machine that is busy, and more than can all come between two instructions that are not next to each other. */
#define INTERRUPTIONS 1000u
#define ADDITIONS_MAX (200 * ADDITIONS) /* where signals are kept back */

static _Atomic uint64_t interrupted_counter, interruptions;

static void add_meanwhile(int signal)
{
	(void)signal;
	stripe_add(STRIPE_OWN, &interrupted_counter, 1);
	atomic_fetch_add(&interruptions, 1);
}

/* As two threads of one stripe with one processor: a signal's handler adds wherever it comes. */
static void an_addition_may_be_interrupted(void)
{
	const struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = add_meanwhile, .sa_flags = SA_RESTART };
	uint64_t additions = 0;

	if (sigaction(SIGALRM, &action, NULL) != 0 || setitimer(ITIMER_REAL, &often, NULL) != 0)
		bail("setitimer");
	for (; interruptions < INTERRUPTIONS && additions < ADDITIONS_MAX; additions++)
		stripe_add(STRIPE_OWN, &interrupted_counter, 1);
	setitimer(ITIMER_REAL, &never, NULL);
	diag("%lu additions, interrupted %lu times", (unsigned long)additions, (unsigned long)interruptions);
	ok(interrupted_counter == additions + interruptions, "an addition to what is shared is counted wherever another comes between");
}

static void an_own_counter_is_counted(void)
{
	static _Atomic uint64_t counter;
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < ADDITIONS; i++)
		wrong += stripe_add(stripe_index(), &counter, 2) != 2 * i;
	ok(wrong == 0 && counter == 2 * ADDITIONS, "an addition tells what there was before");
}

int main(void)
{
	are_numbered_in_turn();
	threads_spread_evenly();
	an_own_counter_is_counted();
	an_addition_may_be_interrupted();
	return tap_done();
}
