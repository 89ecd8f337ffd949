/* SPDX-License-Identifier: BSD-2-Clause */
#include "run.h"

#include "clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

static _Noreturn void fail(const struct run *run, const char *verb, uint64_t id, const char *why)
{
	fprintf(stderr, "\n%s: %s of pair %" PRIu64 ": %s\n", run->subject->name, verb, id, why);
	exit(1);
}

void run_failed(const struct run *run, const char *verb, uint64_t id, int error)
{
	fail(run, verb, id, strerror(-error));
}

void run_wrong_value(const struct run *run, uint64_t id, const char *how)
{
	fail(run, "get", id, how);
}

void run_lost(const struct run *run, uint64_t id)
{
	fail(run, "get", id, "lost: it was stored and never deleted");
}

struct run run_create(const struct subject *subject, uint64_t pairs)
{
	struct run run = { subject, subject->create(pairs) };

	if (!run.map) {
		fprintf(stderr, "%s: cannot create a map\n", subject->name);
		exit(2);
	}
	return run;
}

void run_destroy(struct run *run)
{
	run->subject->destroy(run->map);
	run->map = NULL;
}

struct worker *workers_create(unsigned threads, uint64_t seed)
{
	struct worker *workers = aligned_alloc(_Alignof(struct worker), threads * sizeof *workers);

	if (!workers) {
		fprintf(stderr, "no memory for %u threads\n", threads);
		exit(2);
	}
	memset(workers, 0, threads * sizeof *workers);
	for (unsigned i = 0; i < threads; i++)
		rng_init_stream(&workers[i].rng, seed, i);
	return workers;
}

uint64_t workers_done(const struct worker *workers, unsigned threads)
{
	uint64_t done = 0;

	for (unsigned i = 0; i < threads; i++)
		done += atomic_load_explicit(&workers[i].done, memory_order_relaxed);
	return done;
}

double workers_seconds(const struct worker *workers, unsigned threads)
{
	uint64_t start = UINT64_MAX, finish = 0;

	for (unsigned i = 0; i < threads; i++) {
		if (workers[i].start_ns < start)
			start = workers[i].start_ns;
		if (workers[i].finish_ns > finish)
			finish = workers[i].finish_ns;
	}
	return (double)(finish - start) / 1e9;
}

uint64_t worker_switches(void)
{
	struct rusage usage;

	return getrusage(RUSAGE_THREAD, &usage) == 0 ? (uint64_t)usage.ru_nivcsw : 0;
}

void worker_begin(const struct run *run, struct worker *w)
{
	run->subject->thread_enter();
	w->switches = worker_switches();
	w->start_ns = now_ns();
}

void worker_end(const struct run *run, struct worker *w)
{
	w->finish_ns = now_ns();
	w->switches = worker_switches() - w->switches;
	run->subject->thread_leave();
}

bool run_get_timed(const struct run *run, struct worker *w, uint64_t id, void *buffer, size_t buffer_size,
		   size_t *value_size)
{
	unsigned char key[PAIR_KEY_SIZE];
	uint64_t start;
	int error;

	pair_key(key, id);
	start = ticks_now();
	error = run->subject->get(run->map, key, sizeof key, buffer, buffer_size, value_size);
	histogram_add(&w->get, ticks_to_ns(ticks_now() - start));
	if (error == -ENOENT) {
		w->misses++;
		return false;
	}
	if (error)
		run_failed(run, "get", id, error);
	w->hits++;
	w->served_bytes += *value_size;
	return true;
}

void run_put_for_timed(const struct run *run, struct worker *w, uint64_t id, const void *value, size_t value_size,
		       uint64_t ttl_ms)
{
	unsigned char key[PAIR_KEY_SIZE];
	uint64_t start;
	int error;

	pair_key(key, id);
	start = ticks_now();
	error = run->subject->put_for(run->map, key, sizeof key, value, value_size, ttl_ms);
	histogram_add(&w->put, ticks_to_ns(ticks_now() - start));
	if (error)
		run_failed(run, "put", id, error);
}

uint64_t run_put_timed(const struct run *run, struct worker *w, uint64_t id, const void *value, size_t value_size)
{
	unsigned char key[PAIR_KEY_SIZE];
	uint64_t start, ns;
	int error;

	pair_key(key, id);
	start = ticks_now();
	error = run->subject->put(run->map, key, sizeof key, value, value_size);
	ns = ticks_to_ns(ticks_now() - start);
	histogram_add(&w->put, ns);
	if (error)
		run_failed(run, "put", id, error);
	return ns;
}

void run_delete_timed(const struct run *run, struct worker *w, uint64_t id)
{
	unsigned char key[PAIR_KEY_SIZE];
	uint64_t start;
	int error;

	pair_key(key, id);
	start = ticks_now();
	error = run->subject->remove(run->map, key, sizeof key);
	histogram_add(&w->delete, ticks_to_ns(ticks_now() - start));
	if (error)
		run_failed(run, "delete", id, error);
}

void run_expect_count(const struct run *run, uint64_t count)
{
	uint64_t got = run->subject->count(run->map);

	if (got == count)
		return;
	fprintf(stderr, "\n%s: holds %" PRIu64 " entries, must hold %" PRIu64 "\n", run->subject->name, got, count);
	exit(1);
}
