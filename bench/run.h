/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file run.h
 * One map under measurement, one thread that works on it, and the timed, checked operations of such a thread.
 *
 * A wrong value, a lost key or an operation that fails ends the program with a message: no figure is printed of a
 * map that does not work.
 */
#ifndef BENCH_RUN_H
#define BENCH_RUN_H

#include "histogram.h"
#include "pair.h"
#include "random.h"
#include "subject.h"
#include "team.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>

/** After so many operations a worker pauses: looks whether to stop, and lets the subject have its quiescent state. */
#define RUN_BATCH 64u
/** A phase that lasts longer than this many seconds hangs. */
#define RUN_WATCHDOG_S 300u

/** A subject with one map of it. */
struct run {
	const struct subject *subject;
	void *map;
};

/** What one thread did. On lines of its own. */
struct worker {
	/* Relaxed: only the progress line reads it while it moves. */
	_Alignas(64) atomic_uint_fast64_t done;
	uint64_t hits, misses;	      /* of gets */
	uint64_t served_bytes;	      /* copied out by gets */
	uint64_t start_ns, finish_ns; /* when its work began and ended */
	uint64_t switches;	      /* involuntary context switches meanwhile */
	struct rng rng;
	struct histogram get, put, delete;
};

/** A fresh map for so many pairs, or the end of the program. */
struct run run_create(const struct subject *subject, uint64_t pairs);
void run_destroy(struct run *run);

/** `threads` workers, all zero, generators started from the seed. */
struct worker *workers_create(unsigned threads, uint64_t seed);
/** The sum of what they have done so far. */
uint64_t workers_done(const struct worker *workers, unsigned threads);
/** First start to last finish. */
double workers_seconds(const struct worker *workers, unsigned threads);

/** Enter the subject and start the worker's time; and the other way round. */
void worker_begin(const struct run *run, struct worker *w);
void worker_end(const struct run *run, struct worker *w);
/** Involuntary context switches of this thread so far: a system call. */
uint64_t worker_switches(void);
/** Between two batches. */
static inline void worker_pause(const struct run *run, struct worker *w, uint64_t operations)
{
	atomic_fetch_add_explicit(&w->done, operations, memory_order_relaxed);
	run->subject->thread_pause();
}

/* What went wrong with a pair; all end the program. */
_Noreturn void run_failed(const struct run *run, const char *verb, uint64_t id, int error);
/** A get brought something else than what was stored. */
_Noreturn void run_wrong_value(const struct run *run, uint64_t id, const char *how);
/** The value must be one of the pair, and whole. */
static inline void run_check(const struct run *run, uint64_t id, const unsigned char value[PAIR_VALUE_SIZE], size_t size)
{
	if (size != PAIR_VALUE_SIZE || !pair_value_is_of(value, id))
		run_wrong_value(run, id, "not a value that was stored for it");
}
/** A pair is absent though it must be there. */
_Noreturn void run_lost(const struct run *run, uint64_t id);

/** Get pair `id`: true if it is there. Not timed. */
static inline bool run_get(const struct run *run, uint64_t id, void *buffer, size_t buffer_size, size_t *value_size)
{
	unsigned char key[PAIR_KEY_SIZE];
	int error;

	pair_key(key, id);
	error = run->subject->get(run->map, key, sizeof key, buffer, buffer_size, value_size);
	if (error && error != -ENOENT)
		run_failed(run, "get", id, error);
	return !error;
}

/** The same, counted, and timed into w->get: the call only, not the making of the key. */
bool run_get_timed(const struct run *run, struct worker *w, uint64_t id, void *buffer, size_t buffer_size,
		   size_t *value_size);
/** Store pair `id`; timed into w->put. Returns ns. */
uint64_t run_put_timed(const struct run *run, struct worker *w, uint64_t id, const void *value, size_t value_size);
/** Store it for a life of so many milliseconds; timed likewise. */
void run_put_for_timed(const struct run *run, struct worker *w, uint64_t id, const void *value, size_t value_size,
		       uint64_t ttl_ms);
/** Delete pair `id`, which is there; timed into w->delete. */
void run_delete_timed(const struct run *run, struct worker *w, uint64_t id);

/** The map must hold that many entries, or the program ends. */
void run_expect_count(const struct run *run, uint64_t count);

#endif
