/* SPDX-License-Identifier: BSD-2-Clause */
#include "schedule.h"

#include "coroutine.h"
#include "report.h"

#include <stddef.h>
#include <string.h>

enum state { RUNNABLE, WAITING, LOCKED_OUT, PARKED, FINISHED };

static struct thread {
	struct coroutine co;
	enum state state;
	unsigned atomics;
	bool plain; /* has loaded plainly since its last point */
	unsigned locks; /* it holds */
	unsigned depth; /* of sections */
	uint64_t section; /* sections so far */
	struct schedule_grace grace; /* what it waits for; */
	const int *lock; /* likewise */
} threads[SCHEDULE_THREADS_MAX];

static struct coroutine outside;
static bool initialized;
static const struct strategy *strategy;
static void (*body)(unsigned thread);
static void (*watch)(void);
static unsigned thread_count, step, step_limit = 20000, masked;
static int self = SCHEDULE_NOBODY;
static int park_thread = SCHEDULE_NOBODY;
static unsigned park_nth;
static uint64_t now;
static struct {
	uintptr_t start;
	size_t size;
} quiet[SCHEDULE_QUIET_MAX];
static unsigned quiet_count;

static void wake_waiting(void)
{
	for (unsigned i = 0; i < thread_count; i++)
		if ((threads[i].state == WAITING && schedule_grace_ended(&threads[i].grace)) ||
		    (threads[i].state == LOCKED_OUT && !*threads[i].lock))
			threads[i].state = RUNNABLE;
}

static unsigned runnable(void)
{
	unsigned mask = 0;

	for (unsigned i = 0; i < thread_count; i++)
		if (threads[i].state == RUNNABLE)
			mask |= 1u << i;
	return mask;
}

static struct coroutine *context_of(int thread)
{
	return thread == SCHEDULE_NOBODY ? &outside : &threads[thread].co;
}

static void go_to(int next)
{
	int from = self;

	if (next == from)
		return;
	self = next;
	coroutine_switch(context_of(from), context_of(next));
}

/* Ask who goes on and go there; outside if nobody can. */
static void hand_over(bool yield)
{
	struct schedule_view view = { .step = step, .current = SCHEDULE_NOBODY, .runnable = runnable() };
	unsigned next;

	if (view.runnable == 0) {
		go_to(SCHEDULE_NOBODY);
		return;
	}
	if (yield && view.runnable != 1u << self)
		view.runnable &= ~(1u << self);
	else if (self != SCHEDULE_NOBODY && threads[self].state == RUNNABLE)
		view.current = self;
	next = strategy->pick(&view);
	if (next >= thread_count || (view.runnable & 1u << next) == 0)
		report_failure("the strategy chose thread %u, which cannot run (another program or another scenario?)",
			       next);
	go_to((int)next);
}

static void thread_main(void *arg)
{
	struct thread *thread = arg;

	body((unsigned)(thread - threads));
	thread->state = FINISHED;
	hand_over(false);
}

static void initialize(void)
{
	coroutine_init_current(&outside);
	for (unsigned i = 0; i < SCHEDULE_THREADS_MAX; i++)
		coroutine_init(&threads[i].co);
	initialized = true;
}

/* From outside: let them run until nobody can. */
static enum schedule_end run_all(void)
{
	enum schedule_end end = SCHEDULE_FINISHED;

	hand_over(false);
	for (unsigned i = 0; i < thread_count; i++) {
		if (threads[i].state == PARKED)
			end = SCHEDULE_PARKED;
		else if (threads[i].state == WAITING && park_thread == SCHEDULE_NOBODY)
			report_failure("thread %u waits for a grace period that cannot end", i);
		else if (threads[i].state == LOCKED_OUT)
			report_failure("thread %u waits for a lock that nobody gives back", i);
	}
	return end;
}

enum schedule_end schedule_run(unsigned count, void (*run)(unsigned thread), const struct strategy *with)
{
	if (!initialized)
		initialize();
	strategy = with;
	body = run;
	thread_count = count;
	step = 0;
	masked = 0;
	for (unsigned i = 0; i < count; i++) {
		threads[i].state = RUNNABLE;
		threads[i].atomics = 0;
		threads[i].plain = true;
		threads[i].locks = 0;
		threads[i].depth = 0;
		threads[i].section = 0;
		coroutine_set(&threads[i].co, thread_main, &threads[i]);
	}
	return run_all();
}

void schedule_park(int thread, unsigned nth)
{
	park_thread = thread;
	park_nth = nth;
}

void schedule_unpark(void)
{
	threads[park_thread].state = RUNNABLE;
	park_thread = SCHEDULE_NOBODY;
	run_all();
}

unsigned schedule_length(void)
{
	return step;
}

void schedule_limit(unsigned steps)
{
	step_limit = steps;
}

static void point(bool plain, bool yield)
{
	struct thread *thread;

	if (self == SCHEDULE_NOBODY || masked != 0)
		return;
	thread = &threads[self];
	thread->plain = plain;
	if (++step > step_limit)
		report_failure("no end after %u steps: livelock", step_limit);
	if (watch != NULL) {
		schedule_mask();
		watch();
		schedule_unmask();
	}
	if (self == park_thread && thread->locks == 0 && ++thread->atomics == park_nth) {
		report_step("thread %d is parked", self);
		thread->state = PARKED;
	}
	wake_waiting();
	hand_over(yield && threads[self].state == RUNNABLE);
}

void schedule_point(void)
{
	point(false, false);
}

void schedule_point_plain(void)
{
	if (self != SCHEDULE_NOBODY && masked == 0 && !threads[self].plain)
		point(true, false);
}

void schedule_yield(void)
{
	if (self != SCHEDULE_NOBODY && masked != 0)
		report_failure("waits for a thread that cannot run now");
	point(false, true);
}

void schedule_lock_taken(void)
{
	if (self != SCHEDULE_NOBODY)
		threads[self].locks++;
}

void schedule_lock_given_back(void)
{
	if (self != SCHEDULE_NOBODY)
		threads[self].locks--;
	wake_waiting();
}

void schedule_lock_wait(const int *lock)
{
	if (self == SCHEDULE_NOBODY || masked != 0)
		report_failure("waits for a lock of a thread that cannot run now");
	threads[self].lock = lock;
	threads[self].state = LOCKED_OUT;
	hand_over(false);
}

void schedule_quiet(const volatile void *p, size_t size)
{
	if (quiet_count == SCHEDULE_QUIET_MAX)
		report_failure("too many quiet ranges");
	quiet[quiet_count].start = (uintptr_t)p;
	quiet[quiet_count++].size = size;
}

void schedule_no_quiet(void)
{
	quiet_count = 0;
}

bool schedule_is_quiet(const volatile void *p)
{
	for (unsigned i = 0; i < quiet_count; i++)
		if ((uintptr_t)p - quiet[i].start < quiet[i].size)
			return true;
	return false;
}

bool schedule_spurious(void)
{
	return self != SCHEDULE_NOBODY && masked == 0 && strategy->spurious != NULL && strategy->spurious();
}

void schedule_watch(void (*look)(void))
{
	watch = look;
}

int schedule_self(void)
{
	return self;
}

void schedule_mask(void)
{
	masked++;
}

void schedule_unmask(void)
{
	masked--;
}

uint64_t schedule_time(void)
{
	return ++now;
}

void schedule_section_enter(void)
{
	if (self != SCHEDULE_NOBODY && threads[self].depth++ == 0)
		threads[self].section++;
}

void schedule_section_leave(void)
{
	if (self == SCHEDULE_NOBODY)
		return;
	if (threads[self].depth-- == 0)
		report_failure("thread %d leaves a section that it is not in", self);
	wake_waiting();
}

bool schedule_section_inside(void)
{
	return self != SCHEDULE_NOBODY && threads[self].depth != 0;
}

void schedule_grace_begin(struct schedule_grace *grace)
{
	memset(grace, 0, sizeof *grace);
	for (unsigned i = 0; i < thread_count; i++)
		if (threads[i].depth != 0)
			grace->section[i] = threads[i].section;
}

bool schedule_grace_ended(const struct schedule_grace *grace)
{
	for (unsigned i = 0; i < thread_count; i++)
		if (grace->section[i] != 0 && threads[i].depth != 0 && grace->section[i] == threads[i].section)
			return false;
	return true;
}

void schedule_grace_wait(void)
{
	struct thread *thread = &threads[self];

	if (thread->depth != 0)
		report_failure("thread %d waits for a grace period inside a read section", self);
	schedule_grace_begin(&thread->grace);
	if (schedule_grace_ended(&thread->grace))
		return;
	thread->state = WAITING;
	hand_over(false);
}
