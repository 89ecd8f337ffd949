/* SPDX-License-Identifier: BSD-2-Clause */
/* ground/wake: no wake-up is lost. A lost one would leave the sleeper asleep: the test would not end. */
#include "ground/wake.h"

#include "fixture.h"

#define SIGNALLERS 4u

struct context {
	struct wake wake;
	uint64_t turns; /* of each signaller */
	_Atomic uint64_t work;
	_Atomic uint64_t slept;
	sem_t done[SIGNALLERS]; /* for each signaller: its work was seen */
};

static void context_init(struct context *c, uint64_t turns)
{
	memset(c, 0, sizeof *c);
	wake_init(&c->wake);
	c->turns = turns;
	for (unsigned i = 0; i < SIGNALLERS; i++)
		sem_init(&c->done[i], 0, 0);
}

static void run(struct context *c, void (*work)(struct team_member *))
{
	struct team_options options = {
		.threads = SIGNALLERS + 1, .work = work, .ctx = c, .watchdog_s = TEST_WATCHDOG_S
	};

	team_run(&options);
}

static void a_signal_changes_the_value(void)
{
	struct wake wake;
	uint32_t before;

	wake_init(&wake);
	before = wake_value(&wake);
	is_int(wake_value(&wake), before, "the value stays while nobody signals");
	wake_signal(&wake);
	ok(wake_value(&wake) != before, "a signal changes it");
	wake_wait(&wake, before, WAKE_FOREVER);
	ok(true, "who waits with a value from before the signal does not sleep");
	wake_wait(&wake, before, 0);
	wake_wait(&wake, before, UINT64_C(1000000000) * 3600);
	ok(true, "nor with a time limit");
	before = wake_value(&wake);
	wake_wait(&wake, before, 0);
	wake_wait(&wake, before, 1000);
	wake_wait(&wake, before, 999999999);
	ok(true, "a sleep ends with its time, though nobody signals");
}

/* All signallers at full speed; member 0 sleeps. */
static void flood(struct team_member *me)
{
	struct context *c = me->ctx;
	uint64_t seen = 0;

	if (me->index > 0) {
		for (uint64_t i = 0; i < c->turns; i++) {
			atomic_fetch_add_explicit(&c->work, 1, memory_order_release);
			wake_signal(&c->wake);
		}
		return;
	}
	while (seen < c->turns * SIGNALLERS) {
		uint32_t value = wake_value(&c->wake);
		uint64_t work = atomic_exchange_explicit(&c->work, 0, memory_order_acquire);

		seen += work;
		if (!work) {
			atomic_fetch_add(&c->slept, 1);
			wake_wait(&c->wake, value, WAKE_FOREVER);
		}
	}
}

/* Each signaller waits until its work was seen: the sleeper sleeps all the time, and each signal is the only one. */
static void one_at_a_time(struct team_member *me)
{
	struct context *c = me->ctx;
	uint64_t seen = 0;

	if (me->index > 0) {
		for (uint64_t i = 0; i < c->turns; i++) {
			atomic_fetch_or_explicit(&c->work, UINT64_C(1) << (me->index - 1), memory_order_release);
			wake_signal(&c->wake);
			while (sem_wait(&c->done[me->index - 1]) != 0)
				;
		}
		return;
	}
	while (seen < c->turns * SIGNALLERS) {
		uint32_t value = wake_value(&c->wake);
		uint64_t work = atomic_exchange_explicit(&c->work, 0, memory_order_acquire);

		if (!work)
			wake_wait(&c->wake, value, WAKE_FOREVER);
		for (unsigned i = 0; i < SIGNALLERS; i++)
			if (work >> i & 1) {
				seen++;
				sem_post(&c->done[i]);
			}
	}
}

static void no_signal_is_lost(void)
{
	struct context c;

	context_init(&c, fixture_scaled(200000, 5000));
	run(&c, flood);
	is_int(c.work, 0, "%u threads signal at full speed: all their work is seen", SIGNALLERS);
	diag("slept %llu times", (unsigned long long)c.slept);

	context_init(&c, fixture_scaled(20000, 500));
	run(&c, one_at_a_time);
	is_int(c.work, 0, "each waits until it is seen: every single signal wakes the sleeper");
}

/* The event count's own slices are of 2, 16, 128 and 1024 ms: a wait of 300 ms once took a second. */
static void a_wait_is_no_longer_than_asked(void)
{
	struct wake wake;
	uint64_t least = UINT64_MAX;

	wake_init(&wake);
	for (unsigned i = 0; i < 30 && least > UINT64_C(600000000); i++) {
		uint64_t began = now_ns();

		wake_wait(&wake, wake_value(&wake), UINT64_C(300000000));
		if (now_ns() - began < least)
			least = now_ns() - began;
	}
	ok(least <= UINT64_C(600000000), "of thirty waits of 300 ms one at least ends well before a second");
}

int main(void)
{
	a_wait_is_no_longer_than_asked();
	a_signal_changes_the_value();
	no_signal_is_lost();
	return tap_done();
}
