/* SPDX-License-Identifier: BSD-2-Clause */
#include "pairs.h"

#include "clock.h"
#include "resident.h"

#include <stdlib.h>

#define WATCH_INTERVAL_NS 20000000u
/* A prime above any number of pairs that is not a multiple of it: i * STRIDE mod n visits all of n in a scattered order. */
#define STRIDE UINT64_C(2654435761)

/* One phase while it runs: what its threads share. */
struct phase {
	const struct pairs *p;
	struct worker *workers;
	/* [B1 release] by the loading writer after it inserted; pairs with [B1 acquire] in load_read(). */
	_Alignas(64) atomic_uint_fast64_t loaded;
	/* By the writer of pairs_expire() when he has stored: the last deadline. Relaxed: nothing else goes with it. */
	atomic_uint_fast64_t last_ns;
	/* Likewise: of the loading writer's inserts, those among which he was not switched away from. */
	uint64_t undisturbed_max_ns;
};

static struct team *phase_start(struct phase *phase, const struct pairs *p, void (*work)(struct team_member *me),
				const char *name)
{
	struct team_options options = {
		.threads = p->threads,
		.work = work,
		.ctx = phase,
		.name = name,
		.watchdog_s = RUN_WATCHDOG_S,
	};

	phase->p = p;
	phase->workers = workers_create(p->threads, p->seed);
	atomic_init(&phase->loaded, 0);
	atomic_init(&phase->last_ns, 0);
	phase->undisturbed_max_ns = 0;
	return team_start(&options);
}

static bool get_timed(const struct run *run, struct worker *w, uint64_t id)
{
	unsigned char value[PAIR_VALUE_SIZE];
	size_t size;

	if (!run_get_timed(run, w, id, value, sizeof value, &size))
		return false;
	run_check(run, id, value, size);
	return true;
}

/* Get a random one of the first `pairs` pairs, which are all there. */
static void get_random(const struct run *run, struct worker *w, uint64_t pairs)
{
	uint64_t id = rng_below(&w->rng, pairs);

	if (!get_timed(run, w, id))
		run_lost(run, id);
}

static uint64_t put_timed(const struct run *run, struct worker *w, uint64_t id, uint64_t number)
{
	unsigned char value[PAIR_VALUE_SIZE];

	pair_value(value, id, number);
	return run_put_timed(run, w, id, value, sizeof value);
}

/* ------------------------------------------------------------------------------------ load */

static void load_write(struct phase *phase, struct team_member *me, struct worker *w)
{
	const struct pairs *p = phase->p;
	uint64_t switches = worker_switches();

	for (uint64_t id = 0; id < p->pairs;) {
		uint64_t first = id, end = id + RUN_BATCH < p->pairs ? id + RUN_BATCH : p->pairs, longest = 0, before = switches;

		for (; id < end; id++) {
			uint64_t ns = put_timed(&p->run, w, id, 0);

			longest = ns > longest ? ns : longest;
		}
		switches = worker_switches();
		if (switches == before && longest > phase->undisturbed_max_ns)
			phase->undisturbed_max_ns = longest;
		/* [B1 release] all pairs below `id` are there for a reader that sees it. */
		atomic_store_explicit(&phase->loaded, id, memory_order_release);
		worker_pause(&p->run, w, id - first);
	}
	team_stop(me->team);
}

static void load_read(struct phase *phase, struct team_member *me, struct worker *w)
{
	const struct run *run = &phase->p->run;

	while (!team_stopping(me)) {
		/* [B1 acquire] pairs with the release in load_write(). */
		uint64_t loaded = atomic_load_explicit(&phase->loaded, memory_order_acquire);

		for (unsigned i = 0; loaded && i < RUN_BATCH; i++)
			get_random(run, w, loaded);
		worker_pause(run, w, 0);
	}
}

static void load_work(struct team_member *me)
{
	struct phase *phase = me->ctx;
	struct worker *w = &phase->workers[me->index];

	worker_begin(&phase->p->run, w);
	if (me->index == 0)
		load_write(phase, me, w);
	else
		load_read(phase, me, w);
	worker_end(&phase->p->run, w);
}

void pairs_load(const struct pairs *p, struct load_result *result)
{
	struct phase phase;
	uint64_t before = resident_bytes_trimmed(), peak = before, done;
	struct team *team = phase_start(&phase, p, load_work, "load");

	while ((done = workers_done(phase.workers, 1)) < p->pairs) {
		uint64_t now = resident_bytes();

		peak = now > peak ? now : peak;
		progress_update(p->progress, p->progress_base + done, p->run.subject->name);
		sleep_ns(WATCH_INTERVAL_NS);
	}
	team_join(team);
	run_expect_count(&p->run, p->pairs);

	result->seconds = workers_seconds(phase.workers, 1);
	result->insert = phase.workers[0].put;
	result->switches = phase.workers[0].switches;
	result->undisturbed_max_ns = phase.undisturbed_max_ns;
	for (unsigned i = 1; i < p->threads; i++)
		histogram_merge(&result->get, &phase.workers[i].get);
	free(phase.workers);
	p->run.subject->settle(p->run.map);
	result->memory_bytes = p->run.subject->memory(p->run.map);
	result->resident_bytes = resident_bytes_trimmed() - before;
	result->resident_peak_bytes = peak - before;
}

/* ------------------------------------------------------------------------------------ get */

static void get_work(struct team_member *me)
{
	struct phase *phase = me->ctx;
	const struct run *run = &phase->p->run;
	uint64_t pairs = phase->p->pairs;
	struct worker *w = &phase->workers[me->index];
	unsigned char value[PAIR_VALUE_SIZE];
	size_t size;

	worker_begin(run, w);
	while (!team_stopping(me)) {
		for (unsigned i = 0; i < RUN_BATCH; i++) {
			uint64_t id = rng_below(&w->rng, pairs);

			if (!run_get(run, id, value, sizeof value, &size))
				run_lost(run, id);
			run_check(run, id, value, size);
		}
		worker_pause(run, w, RUN_BATCH);
	}
	worker_end(run, w);
}

/* Let the team work for some seconds, then stop and join it. */
static void run_for(const struct pairs *p, struct team *team, double seconds)
{
	uint64_t start = now_ns(), elapsed, length = (uint64_t)(seconds * 1e9);

	while ((elapsed = now_ns() - start) < length) {
		progress_update(p->progress, p->progress_base + elapsed / 1000000, p->run.subject->name);
		sleep_ns(length - elapsed < WATCH_INTERVAL_NS ? length - elapsed : WATCH_INTERVAL_NS);
	}
	team_stop(team);
	team_join(team);
}

double pairs_get(const struct pairs *p, double seconds)
{
	struct phase phase;
	double rate;

	run_for(p, phase_start(&phase, p, get_work, "get"), seconds);
	rate = (double)workers_done(phase.workers, p->threads) / workers_seconds(phase.workers, p->threads);
	free(phase.workers);
	return rate;
}

/* ------------------------------------------------------------------------------------ 95/5 */

static void mixed_write(const struct pairs *p, struct team_member *me, struct worker *w)
{
	/* The others only get, so the writer's share is that of all threads. */
	double share = PAIRS_PUT_SHARE * p->threads;
	uint64_t number = 0;

	while (!team_stopping(me)) {
		for (unsigned i = 0; i < RUN_BATCH; i++) {
			if (rng_double(&w->rng) < share)
				put_timed(&p->run, w, rng_below(&w->rng, p->pairs), ++number);
			else
				get_random(&p->run, w, p->pairs);
		}
		worker_pause(&p->run, w, RUN_BATCH);
	}
}

static void mixed_read(const struct pairs *p, struct team_member *me, struct worker *w)
{
	while (!team_stopping(me)) {
		for (unsigned i = 0; i < RUN_BATCH; i++)
			get_random(&p->run, w, p->pairs);
		worker_pause(&p->run, w, RUN_BATCH);
	}
}

static void mixed_work(struct team_member *me)
{
	struct phase *phase = me->ctx;
	struct worker *w = &phase->workers[me->index];

	worker_begin(&phase->p->run, w);
	if (me->index == 0)
		mixed_write(phase->p, me, w);
	else
		mixed_read(phase->p, me, w);
	worker_end(&phase->p->run, w);
}

void pairs_mixed(const struct pairs *p, double seconds, struct mixed_result *result)
{
	struct phase phase;

	run_for(p, phase_start(&phase, p, mixed_work, "mixed"), seconds);
	run_expect_count(&p->run, p->pairs);
	result->rate = (double)workers_done(phase.workers, p->threads) / workers_seconds(phase.workers, p->threads);
	result->put = phase.workers[0].put;
	for (unsigned i = 0; i < p->threads; i++)
		histogram_merge(&result->get, &phase.workers[i].get);
	free(phase.workers);
}

/* ------------------------------------------------------------------------------------ delete */

static uint64_t deletions(const struct pairs *p)
{
	return p->pairs / PAIRS_DELETE_EVERY;
}

static void delete_write(const struct pairs *p, struct team_member *me, struct worker *w)
{
	for (uint64_t i = 0, n = deletions(p); i < n; i++) {
		run_delete_timed(&p->run, w, i * STRIDE % n * PAIRS_DELETE_EVERY);
		if (i % RUN_BATCH == RUN_BATCH - 1)
			worker_pause(&p->run, w, RUN_BATCH);
	}
	worker_pause(&p->run, w, deletions(p) % RUN_BATCH);
	team_stop(me->team);
}

/* A pair that is never deleted must be found; one that is may be there or not, but not with a wrong value. */
static void delete_read(const struct pairs *p, struct team_member *me, struct worker *w)
{
	while (!team_stopping(me)) {
		for (unsigned i = 0; i < RUN_BATCH; i++) {
			uint64_t id = rng_below(&w->rng, p->pairs);

			if (!get_timed(&p->run, w, id) && id % PAIRS_DELETE_EVERY != 0)
				run_lost(&p->run, id);
		}
		worker_pause(&p->run, w, 0);
	}
}

static void delete_work(struct team_member *me)
{
	struct phase *phase = me->ctx;
	struct worker *w = &phase->workers[me->index];

	worker_begin(&phase->p->run, w);
	if (me->index == 0)
		delete_write(phase->p, me, w);
	else
		delete_read(phase->p, me, w);
	worker_end(&phase->p->run, w);
}

void pairs_delete(const struct pairs *p, struct delete_result *result)
{
	struct phase phase;
	struct team *team = phase_start(&phase, p, delete_work, "delete");
	uint64_t done;

	while ((done = workers_done(phase.workers, 1)) < deletions(p)) {
		progress_update(p->progress, p->progress_base + done, p->run.subject->name);
		sleep_ns(WATCH_INTERVAL_NS);
	}
	team_join(team);
	run_expect_count(&p->run, p->pairs - deletions(p));
	result->deleted = deletions(p);
	result->delete = phase.workers[0].delete;
	free(phase.workers);
}

/* ------------------------------------------------------------------------------------ expire */

static uint64_t expiries(const struct pairs *p)
{
	return p->pairs / PAIRS_EXPIRE_EVERY;
}

/* Of those the first is never deleted. */
static uint64_t expiring_id(uint64_t i)
{
	return i * PAIRS_EXPIRE_EVERY + 1;
}

static bool is_for_ever(const struct pairs *p, uint64_t id)
{
	return id % PAIRS_DELETE_EVERY != 0 && (id % PAIRS_EXPIRE_EVERY != 1 || id >= expiring_id(expiries(p)));
}

/* A pair that has an end may be there or not, and a get that does not find it is a get. */
static void expire_read(const struct pairs *p, struct team_member *me, struct worker *w)
{
	while (!team_stopping(me)) {
		for (unsigned i = 0; i < RUN_BATCH; i++) {
			uint64_t id = rng_below(&w->rng, p->pairs);

			if (!get_timed(&p->run, w, id) && is_for_ever(p, id))
				run_lost(&p->run, id);
		}
		worker_pause(&p->run, w, 0);
	}
}

static void expire_write(struct phase *phase, struct worker *w)
{
	const struct pairs *p = phase->p;
	uint64_t last_ns = 0, n = expiries(p);
	unsigned char value[PAIR_VALUE_SIZE];

	for (uint64_t i = 0; i < n; i++) {
		uint64_t id = expiring_id(i * STRIDE % n), end_ns;
		uint64_t ttl_ms = PAIRS_LIFE_MS_MIN + rng_below(&w->rng, PAIRS_LIFE_MS_MAX - PAIRS_LIFE_MS_MIN + 1);

		pair_value(value, id, i);
		run_put_for_timed(&p->run, w, id, value, sizeof value, ttl_ms);
		end_ns = now_ns() + ttl_ms * 1000000;
		last_ns = end_ns > last_ns ? end_ns : last_ns;
		if (i % RUN_BATCH == RUN_BATCH - 1)
			worker_pause(&p->run, w, RUN_BATCH);
	}
	worker_pause(&p->run, w, n % RUN_BATCH);
	atomic_store_explicit(&phase->last_ns, last_ns, memory_order_relaxed);
}

static void expire_work(struct team_member *me)
{
	struct phase *phase = me->ctx;
	struct worker *w = &phase->workers[me->index];

	worker_begin(&phase->p->run, w);
	if (me->index == 0)
		expire_write(phase, w);
	w->finish_ns = now_ns();
	expire_read(phase->p, me, w);
	phase->p->run.subject->thread_leave();
}

static uint64_t difference(uint64_t a, uint64_t b)
{
	return a > b ? a - b : b - a;
}

/* The map's own account against what all phases have done to it. */
static uint64_t unaccounted(const struct pairs *p, const struct subject_books *b)
{
	return difference(b->inserted, p->pairs) + difference(b->deleted, deletions(p)) +
	       difference(b->expired, expiries(p)) + difference(b->left, p->pairs - deletions(p) - expiries(p)) +
	       difference(b->reclaimed, b->replaced + b->deleted + b->expired);
}

/* Wait until all are gone; when that was. */
static uint64_t watch_expiry(const struct pairs *p, struct phase *phase)
{
	uint64_t left = p->pairs - deletions(p) - expiries(p), count;

	while ((count = p->run.subject->count(p->run.map)) > left ||
	       atomic_load_explicit(&phase->last_ns, memory_order_relaxed) == 0) {
		progress_update(p->progress, p->progress_base + left + expiries(p) - count, p->run.subject->name);
		sleep_ns(WATCH_INTERVAL_NS);
	}
	return now_ns();
}

void pairs_expire(const struct pairs *p, struct expire_result *result)
{
	struct phase phase;
	struct team *team = phase_start(&phase, p, expire_work, "expire");
	uint64_t gone_ns = watch_expiry(p, &phase), last_ns;

	team_stop(team);
	team_join(team);
	p->run.subject->settle(p->run.map);
	run_expect_count(&p->run, p->pairs - deletions(p) - expiries(p));
	last_ns = atomic_load_explicit(&phase.last_ns, memory_order_relaxed);
	result->books = p->run.subject->books(p->run.map);
	result->expired = expiries(p);
	result->unaccounted = unaccounted(p, &result->books);
	result->store_seconds = workers_seconds(phase.workers, 1);
	result->late_seconds = gone_ns > last_ns ? (double)(gone_ns - last_ns) / 1e9 : 0;
	result->put = phase.workers[0].put;
	for (unsigned i = 0; i < p->threads; i++)
		histogram_merge(&result->get, &phase.workers[i].get);
	free(phase.workers);
}
