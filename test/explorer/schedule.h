/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The scheduler of the logical threads. Exactly one runs; before each of its atomic operations the strategy says
 * who goes on. Everything else is deterministic, so the strategy's answers alone determine the run.
 *
 * It also knows who is inside a read section, which models the grace period: one has ended when everyone who was
 * inside when it began has left.
 */
#ifndef EXPLORER_SCHEDULE_H
#define EXPLORER_SCHEDULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SCHEDULE_THREADS_MAX 6u
#define SCHEDULE_NOBODY (-1)

/* What a strategy may look at. */
struct schedule_view {
	unsigned step; /* scheduling points so far in this run */
	int current; /* who reached this point; SCHEDULE_NOBODY if he finished or was parked, or nobody ran yet */
	unsigned runnable; /* a bit for each thread that can go on; `current` among them */
};

struct strategy {
	/* One of view->runnable. */
	unsigned (*pick)(const struct schedule_view *view);
	/* Whether this weak compare-and-swap fails for no reason; NULL: never. */
	bool (*spurious)(void);
};

enum schedule_end { SCHEDULE_FINISHED, SCHEDULE_PARKED };

/* Run body(0) to body(threads - 1) until all have finished, or all but the parked one. */
enum schedule_end schedule_run(unsigned threads, void (*body)(unsigned thread), const struct strategy *strategy);

/* In the next run stop `thread` before its nth atomic (1 is the first) for good. thread SCHEDULE_NOBODY: don't. */
void schedule_park(int thread, unsigned nth);
/* Let the parked thread finish. */
void schedule_unpark(void);

/* Scheduling points of the last run. */
unsigned schedule_length(void);

/* End the run as a livelock after so many points. */
void schedule_limit(unsigned steps);

/* --- for the runtime and the threads' bodies */

/* Before an atomic operation, or wherever a switch is wanted. Outside a run, or while masked: nothing. */
void schedule_point(void);
bool schedule_spurious(void);

/*
 * Before a plain load from memory that others may free: a point too, but only the first after each atomic. Between the load
 * of a pointer and the use of what it points to others get their chance; further loads would only repeat it.
 */
void schedule_point_plain(void);

/* The thread cannot go on before others have: they get their turn, if there are any. */
void schedule_yield(void);

/* Between these the thread is not parked, for it holds a lock; they nest. */
void schedule_lock_taken(void);
void schedule_lock_given_back(void);
/* Until it is 0. */
void schedule_lock_wait(const int *lock);

/* Atomics in [p, p + size) are no points: counters that nobody decides by. Up to SCHEDULE_QUIET_MAX ranges. */
#define SCHEDULE_QUIET_MAX 10u
void schedule_quiet(const volatile void *p, size_t size);
void schedule_no_quiet(void);
bool schedule_is_quiet(const volatile void *p);

/* Call `look` at each point, before others may go on; NULL: nothing. */
void schedule_watch(void (*look)(void));

/* The running thread, or SCHEDULE_NOBODY. */
int schedule_self(void);

/* Between these no switch happens; they nest. */
void schedule_mask(void);
void schedule_unmask(void);

/* Never the same twice, growing. */
uint64_t schedule_time(void);

/* --- read sections and grace periods */

/* They nest. */
void schedule_section_enter(void);
void schedule_section_leave(void);
bool schedule_section_inside(void);

struct schedule_grace {
	uint64_t section[SCHEDULE_THREADS_MAX]; /* the number of the section that the thread was in, or 0 */
};

void schedule_grace_begin(struct schedule_grace *grace);
bool schedule_grace_ended(const struct schedule_grace *grace);

/* Wait for a grace period, as the caller's only blocking call: not in a section. */
void schedule_grace_wait(void);

#endif
