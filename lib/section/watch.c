/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/watch.h"

#if defined(RCUMAP_DEBUG) && !defined(RCUMAP_EXPLORER)

#include <pthread.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ground/clock.h"
#include "section/section.h"

#define WATCHED 256u

/* All relaxed: what is read here is printed, and nothing else depends on it. A record that changes hands while it is read
 * may name a thread that has just left. */
struct record {
	_Atomic int64_t thread; /* 0: free */
	_Atomic uint64_t entered_ns[SECTION_FLAVORS]; /* 0: outside */
};

static struct record pool[WATCHED];

static _Thread_local struct record *mine;
static _Thread_local unsigned depth[SECTION_FLAVORS];

static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_key_t at_exit;

static void set(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static void give_up(struct record *record)
{
	for (unsigned f = 0; f < SECTION_FLAVORS; f++)
		set(&record->entered_ns[f], 0);
	atomic_store_explicit(&record->thread, 0, memory_order_relaxed);
}

static void thread_exits(void *record)
{
	mine = NULL;
	give_up(record);
}

static void create_key(void)
{
	(void)pthread_key_create(&at_exit, thread_exits);
}

static int64_t self(void)
{
	return (int64_t)syscall(SYS_gettid);
}

static struct record *claim(void)
{
	pthread_once(&once, create_key);
	for (unsigned i = 0; i < WATCHED; i++) {
		int64_t nobody = 0;

		if (!atomic_compare_exchange_strong_explicit(&pool[i].thread, &nobody, self(), memory_order_relaxed,
							     memory_order_relaxed))
			continue;
		if (pthread_setspecific(at_exit, &pool[i])) {
			give_up(&pool[i]);
			return NULL;
		}
		return &pool[i];
	}
	return NULL;
}

void watch_enter(unsigned flavor)
{
	if (depth[flavor]++)
		return;
	if (!mine)
		mine = claim();
	if (mine)
		set(&mine->entered_ns[flavor], clock_system_ns(CLOCK_MONOTONIC));
}

void watch_leave(unsigned flavor)
{
	if (--depth[flavor] == 0 && mine)
		set(&mine->entered_ns[flavor], 0);
}

int64_t watch_longest(unsigned flavor, uint64_t entered_ns)
{
	int64_t thread = 0;

	for (unsigned i = 0; i < WATCHED; i++) {
		uint64_t at = atomic_load_explicit(&pool[i].entered_ns[flavor], memory_order_relaxed);

		if (!at || at > entered_ns)
			continue;
		entered_ns = at;
		thread = atomic_load_explicit(&pool[i].thread, memory_order_relaxed);
	}
	return thread;
}

void watch_after_fork_child(void)
{
	for (unsigned i = 0; i < WATCHED; i++)
		if (&pool[i] != mine)
			give_up(&pool[i]);
	if (mine)
		atomic_store_explicit(&mine->thread, self(), memory_order_relaxed);
}

#else

typedef int section_watch_is_empty;

#endif
