/* SPDX-License-Identifier: BSD-2-Clause */
#include "transfer.h"

#include "clock.h"
#include "team.h"

#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/* The best of some windows counts: in the others one of the two did not run. */
#define WINDOWS 4u
#define WINDOW_NS 500000u
#define TURNS_BY_CLOCK 64u
#define WATCHDOG_S 60u

struct exchange {
	_Alignas(64) _Atomic uint64_t turn; /* the first one's if even */
	_Alignas(64) _Atomic bool over;
	int processor[2];
	double ns;
};

/* The first two; false: there are no two. */
static bool find_processors(int processor[2])
{
	cpu_set_t set;
	unsigned found = 0;

	if (sched_getaffinity(0, sizeof set, &set) != 0)
		return false;
	for (int i = 0; i < CPU_SETSIZE && found < 2; i++)
		if (CPU_ISSET(i, &set))
			processor[found++] = i;
	return found == 2;
}

static void stay_on(int processor)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(processor, &set);
	/* If it fails the figure is that of wherever the thread happens to be. */
	(void)pthread_setaffinity_np(pthread_self(), sizeof set, &set);
}

/* Wait for one's turn, and give the other his. False: it is over. */
static bool pass(struct exchange *e, uint64_t turn)
{
	/* acquire and release are each other's partners, in turn: nothing but the line itself goes over. relaxed: `over` is looked at again */
	while (atomic_load_explicit(&e->turn, memory_order_acquire) != turn)
		if (atomic_load_explicit(&e->over, memory_order_relaxed))
			return false;
	atomic_store_explicit(&e->turn, turn + 1, memory_order_release);
	return true;
}

/* ns one way. *turn goes on. */
static double measure_window(struct exchange *e, uint64_t *turn)
{
	const uint64_t start = now_ns(), first = *turn;
	uint64_t now = start;

	for (; now - start < WINDOW_NS; now = now_ns())
		for (unsigned i = 0; i < TURNS_BY_CLOCK; i++, *turn += 2)
			pass(e, *turn);
	return (double)(now - start) / (double)(*turn - first);
}

static void work(struct team_member *me)
{
	struct exchange *e = me->ctx;
	uint64_t turn = me->index;

	stay_on(e->processor[me->index]);
	if (me->index == 1) {
		while (pass(e, turn))
			turn += 2;
		return;
	}
	for (unsigned i = 0; i < WINDOWS; i++) {
		const double ns = measure_window(e, &turn);

		e->ns = i == 0 ? ns : fmin(e->ns, ns);
	}
	atomic_store_explicit(&e->over, true, memory_order_relaxed); /* as above */
}

double transfer_measure(void)
{
	struct exchange e = { .turn = 0 };
	struct team_options options = { .threads = 2, .work = work, .ctx = &e, .name = "transfer", .watchdog_s = WATCHDOG_S };

	if (!find_processors(e.processor))
		return 0;
	team_run(&options);
	return e.ns;
}
