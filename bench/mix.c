/* SPDX-License-Identifier: BSD-2-Clause */
#include "mix.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>

#define SEQUENCE (UINT64_C(1) << 21)
#define ZIPF_THETA 0.99

struct mixing {
	const struct run *run;
	const struct mix *mix;
	const struct mix_sequence *sequence;
	uint64_t pairs;
	struct worker *workers;
};

struct mix_sequence mix_sequence_create(uint64_t pairs, uint64_t seed)
{
	struct mix_sequence sequence = { malloc(SEQUENCE * sizeof(uint32_t)), SEQUENCE };
	struct zipf zipf;
	struct rng rng;

	if (!sequence.ids) {
		fprintf(stderr, "no memory for a sequence of pairs\n");
		exit(2);
	}
	rng_init(&rng, seed);
	zipf_init(&zipf, pairs, ZIPF_THETA);
	/* Keys are scattered already: neighbours in rank are no neighbours in a table. */
	for (uint64_t i = 0; i < SEQUENCE; i++)
		sequence.ids[i] = (uint32_t)zipf_next(&zipf, &rng);
	return sequence;
}

void mix_sequence_free(struct mix_sequence *sequence)
{
	free(sequence->ids);
	sequence->ids = NULL;
}

bool mix_is_for(const struct mix *mix, const struct subject *subject)
{
	return mix->kind != MIX_BATCH || subject->get_batch;
}

/* ------------------------------------------------------------------------------------ single operations */

static inline void get(const struct run *run, uint64_t id, unsigned char value[PAIR_VALUE_SIZE])
{
	size_t size;

	if (!run_get(run, id, value, PAIR_VALUE_SIZE, &size))
		run_lost(run, id);
	run_check(run, id, value, size);
}

static inline void put(const struct run *run, uint64_t id, uint64_t number)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];
	int error;

	pair_key(key, id);
	pair_value(value, id, number);
	error = run->subject->put(run->map, key, sizeof key, value, sizeof value);
	if (error)
		run_failed(run, "put", id, error);
}

/* ------------------------------------------------------------------------------------ RUN_BATCH operations */

/* The pair to look up next: the high bits of a linear congruential generator (Knuth's MMIX), for it takes fewer instructions than a
 * better one, and what a lookup is measured with shall not be as long as the lookup. Whether it is a put is drawn the same way. */
static inline uint64_t next_pair(uint64_t *state, uint64_t pairs)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (uint64_t)((unsigned __int128)*state * pairs >> 64);
}

static void gets(const struct mixing *m, struct worker *w)
{
	unsigned char value[PAIR_VALUE_SIZE];
	uint64_t state = rng_u64(&w->rng);

	for (unsigned i = 0; i < RUN_BATCH; i++)
		get(m->run, next_pair(&state, m->pairs), value);
}

static void misses(const struct mixing *m, struct worker *w)
{
	unsigned char value[PAIR_VALUE_SIZE];
	uint64_t state = rng_u64(&w->rng);
	size_t size;

	for (unsigned i = 0; i < RUN_BATCH; i++) {
		uint64_t id = m->pairs + next_pair(&state, m->pairs);

		if (run_get(m->run, id, value, sizeof value, &size))
			run_wrong_value(m->run, id, "it was never stored");
	}
}

static void batch(const struct mixing *m, uint64_t *state)
{
	unsigned char keys[SUBJECT_BATCH][PAIR_KEY_SIZE], values[SUBJECT_BATCH][PAIR_VALUE_SIZE];
	const void *key[SUBJECT_BATCH];
	void *buffer[SUBJECT_BATCH];
	size_t size[SUBJECT_BATCH];
	uint64_t id[SUBJECT_BATCH];

	for (unsigned i = 0; i < SUBJECT_BATCH; i++) {
		id[i] = next_pair(state, m->pairs);
		pair_key(keys[i], id[i]);
		key[i] = keys[i];
		buffer[i] = values[i];
	}
	(void)m->run->subject->get_batch(m->run->map, SUBJECT_BATCH, key, PAIR_KEY_SIZE, buffer, PAIR_VALUE_SIZE, size);
	for (unsigned i = 0; i < SUBJECT_BATCH; i++)
		run_check(m->run, id[i], values[i], size[i]);
}

static void batches(const struct mixing *m, struct worker *w)
{
	uint64_t state = rng_u64(&w->rng);

	for (unsigned i = 0; i < RUN_BATCH; i += SUBJECT_BATCH)
		batch(m, &state);
}

/* The next pair depends on all bytes of the value before. */
static void dependent_gets(const struct mixing *m, struct worker *w)
{
	unsigned char value[PAIR_VALUE_SIZE];
	uint64_t id = rng_below(&w->rng, m->pairs);

	for (unsigned i = 0; i < RUN_BATCH; i++) {
		uint64_t words[PAIR_VALUE_SIZE / 8];

		get(m->run, id, value);
		memcpy(words, value, sizeof words);
		id = (uint64_t)((unsigned __int128)rng_mix(3 * words[0] + words[1] + 2 * words[2] + words[3] + i) * m->pairs >> 64);
	}
}

/* Is this operation a put? By the low half of the state, which is a generator of its own and tells nothing of the pair. */
static inline bool is_put(uint64_t state, uint32_t puts)
{
	return (uint32_t)state < puts;
}

static void mixed(const struct mixing *m, struct worker *w)
{
	const uint32_t puts = (uint32_t)(m->mix->puts * 0x1.0p32);
	unsigned char value[PAIR_VALUE_SIZE];
	uint64_t state = rng_u64(&w->rng);

	for (unsigned i = 0; i < RUN_BATCH; i++) {
		uint64_t id = next_pair(&state, m->pairs);

		if (is_put(state, puts))
			put(m->run, id, state);
		else
			get(m->run, id, value);
	}
}

static void mixed_zipf(const struct mixing *m, struct worker *w)
{
	const uint32_t puts = (uint32_t)(m->mix->puts * 0x1.0p32);
	const uint64_t mask = m->sequence->count - 1;
	uint64_t state = rng_u64(&w->rng), at = rng_u64(&w->rng);
	unsigned char value[PAIR_VALUE_SIZE];

	for (unsigned i = 0; i < RUN_BATCH; i++) {
		uint64_t id = m->sequence->ids[at++ & mask];

		(void)next_pair(&state, 0);
		if (is_put(state, puts))
			put(m->run, id, at);
		else
			get(m->run, id, value);
	}
}

static void mixed_timed(const struct mixing *m, struct worker *w)
{
	unsigned char value[PAIR_VALUE_SIZE];
	size_t size;

	for (unsigned i = 0; i < RUN_BATCH; i++) {
		uint64_t id = rng_below(&w->rng, m->pairs);

		if (rng_double(&w->rng) < m->mix->puts) {
			pair_value(value, id, i);
			run_put_timed(m->run, w, id, value, sizeof value);
		} else {
			if (!run_get_timed(m->run, w, id, value, sizeof value, &size))
				run_lost(m->run, id);
			run_check(m->run, id, value, size);
		}
	}
}

/* ------------------------------------------------------------------------------------ threads */

static void work(struct team_member *me)
{
	static void (*const turn[])(const struct mixing *m, struct worker *w) = {
		[MIX_GET] = gets,	       [MIX_MISS] = misses, [MIX_BATCH] = batches,     [MIX_DEPENDENT] = dependent_gets,
		[MIX_PUT] = mixed,	       [MIX_ZIPF] = mixed_zipf, [MIX_TIMED] = mixed_timed,
	};
	struct mixing *m = me->ctx;
	struct worker *w = &m->workers[me->index];

	/* A turn at least, also of who starts when it is over already: no rate is 0. */
	worker_begin(m->run, w);
	do {
		turn[m->mix->kind](m, w);
		worker_pause(m->run, w, RUN_BATCH);
	} while (!team_stopping(me));
	worker_end(m->run, w);
}

void mix_run(const struct run *run, uint64_t pairs, const struct mix *mix, const struct mix_sequence *sequence, double seconds,
	     uint64_t seed, struct mix_result *result)
{
	struct mixing m = { .run = run, .mix = mix, .sequence = sequence, .pairs = pairs, .workers = workers_create(mix->threads, seed) };
	struct team_options options = {
		.threads = mix->threads, .work = work, .ctx = &m, .name = mix->name, .watchdog_s = (unsigned)seconds + RUN_WATCHDOG_S
	};
	struct team *team = team_start(&options);

	sleep_ns((uint64_t)(seconds * 1e9));
	team_stop(team);
	team_join(team);
	memset(result, 0, sizeof *result);
	result->rate = (double)workers_done(m.workers, mix->threads) / workers_seconds(m.workers, mix->threads);
	for (unsigned i = 0; i < mix->threads; i++) {
		result->switches += m.workers[i].switches;
		histogram_merge(&result->get, &m.workers[i].get);
		histogram_merge(&result->put, &m.workers[i].put);
	}
	free(m.workers);
}
