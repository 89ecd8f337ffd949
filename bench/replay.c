/* SPDX-License-Identifier: BSD-2-Clause */
#include "replay.h"

#include "clock.h"
#include "payload.h"

#include <stdio.h>
#include <stdlib.h>

#define WATCH_INTERVAL_NS 20000000u

struct replay {
	const struct run *run;
	const struct trace *trace;
	unsigned threads;
	struct worker *workers;
};

static size_t value_size(uint32_t object_size)
{
	return object_size < PAYLOAD_SIZE_MIN ? PAYLOAD_SIZE_MIN : object_size;
}

/* The object's value, of its size, is made on a miss as a fetch would. */
static void request(const struct replay *r, struct worker *w, const struct request *request, unsigned thread,
		    unsigned char *buffer, size_t buffer_size)
{
	size_t size;
	enum payload_verdict verdict;

	if (!run_get_timed(r->run, w, request->key, buffer, buffer_size, &size)) {
		size = value_size(request->size);
		payload_fill(buffer, size, request->key, thread);
		run_put_timed(r->run, w, request->key, buffer, size);
		return;
	}
	verdict = payload_verify(buffer, size, request->key, NULL);
	if (verdict != PAYLOAD_OK)
		run_wrong_value(r->run, request->key, payload_verdict_name(verdict));
}

static void work(struct team_member *me)
{
	struct replay *r = me->ctx;
	const struct trace *trace = r->trace;
	struct worker *w = &r->workers[me->index];
	size_t buffer_size = value_size(trace->size_max);
	unsigned char *buffer = malloc(buffer_size);
	uint64_t in_batch = 0;

	if (!buffer) {
		fprintf(stderr, "no memory for an object of %zu bytes\n", buffer_size);
		exit(2);
	}
	worker_begin(r->run, w);
	for (uint64_t i = me->index; i < trace->count; i += r->threads) {
		request(r, w, &trace->requests[i], me->index, buffer, buffer_size);
		if (++in_batch == RUN_BATCH) {
			worker_pause(r->run, w, in_batch);
			in_batch = 0;
		}
	}
	worker_pause(r->run, w, in_batch);
	worker_end(r->run, w);
	free(buffer);
}

void replay_run(const struct run *run, const struct trace *trace, unsigned threads, struct progress *progress,
		uint64_t base, struct replay_result *result)
{
	struct replay r = { run, trace, threads, workers_create(threads, 0) };
	struct team_options options = {
		.threads = threads,
		.work = work,
		.ctx = &r,
		.name = "replay",
		.watchdog_s = RUN_WATCHDOG_S,
	};
	struct team *team = team_start(&options);
	uint64_t done;

	while ((done = workers_done(r.workers, threads)) < trace->count) {
		progress_update(progress, base + done, run->subject->name);
		sleep_ns(WATCH_INTERVAL_NS);
	}
	team_join(team);
	run_expect_count(run, trace->keys);

	result->seconds = workers_seconds(r.workers, threads);
	result->requests = trace->count;
	result->hits = result->served_bytes = 0;
	for (unsigned i = 0; i < threads; i++) {
		result->hits += r.workers[i].hits;
		result->served_bytes += r.workers[i].served_bytes;
		histogram_merge(&result->get, &r.workers[i].get);
		histogram_merge(&result->put, &r.workers[i].put);
	}
	run->subject->settle(run->map);
	result->entries = run->subject->count(run->map);
	result->memory_bytes = run->subject->memory(run->map);
	free(r.workers);
}
