/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Defects that were found in barriers, and in the log of what is retired, and must not come back. The log is compiled into this
 * program, with two of its atomic operations replaced: there a thread can be made to stop, which elsewhere takes luck.
 */
#include "bare_fixture.h"
#include "reclaim/log.h"

/* A writer has put a fresh block in the place of a full one; the reclaimer has taken a list of blocks. */
static void after_a_block_was_replaced(void);
static void after_a_list_was_taken(const void *list);

static bool replace_block(_Atomic(struct log_block *) *list, struct log_block **head, struct log_block *block)
{
	bool replaced =
		atomic_compare_exchange_strong_explicit(list, head, block, memory_order_acq_rel, memory_order_acquire);

	if (replaced)
		after_a_block_was_replaced();
	return replaced;
}

static struct log_block *take_list(_Atomic(struct log_block *) *list, struct log_block *none)
{
	struct log_block *taken = atomic_exchange_explicit(list, none, memory_order_acq_rel);

	after_a_list_was_taken(list);
	return taken;
}

#undef atomic_compare_exchange_strong_explicit
#define atomic_compare_exchange_strong_explicit(object, expected, desired, success, failure) \
	replace_block(object, expected, desired)
#undef atomic_exchange_explicit
#define atomic_exchange_explicit(object, desired, order) take_list(object, desired)
#include "reclaim/log.c"

static struct rcumap *map;

/* For a thread that stops when it has replaced a block. */
static _Thread_local bool stops;
static sem_t stopped, may_go;

static void after_a_block_was_replaced(void)
{
	if (!stops)
		return;
	stops = false;
	sem_post(&stopped);
	while (sem_wait(&may_go) != 0)
		;
}

/* When the reclaimer has taken the list: let that thread go on, to its end. */
static pthread_t stopped_thread;
static bool release_it;

static void after_a_list_was_taken(const void *list)
{
	if (!release_it || list != &map->retire.log.stripe[0].current)
		return;
	release_it = false;
	sem_post(&may_go);
	pthread_join(stopped_thread, NULL);
}

static uint64_t ask_for_barrier(void)
{
	return atomic_fetch_add(&map->reclaimer.barriers_wanted, 1) + 1;
}

static bool barrier_is_done(uint64_t barrier)
{
	return atomic_load(&map->reclaimer.barriers_done) >= barrier;
}

/* One turn of the reclaimer, with its grace period. */
static void turn(void)
{
	(void)reclaimer_take(map);
	section_bp.synchronize();
	(void)reclaimer_give_back(map);
}

/* A barrier waited until a take met no unfilled cell at all: with busy writers, for ever. */
static void busy_writers_do_not_starve_a_barrier(void)
{
	unsigned late = 0, early = 0;

	map = bare_map(NULL);
	for (uint64_t round = 0; round < 20; round++) {
		uint64_t barrier;
		unsigned turns = 0;

		fixture_put(map, 1, round, 24);
		fixture_delete(map, 1);
		barrier = ask_for_barrier();
		for (; turns < 10 && !barrier_is_done(barrier); turns++) {
			retire_cell *cell = NULL;

			/* Another writer is between reserving and filling at every take. */
			section_bp.lock();
			if (retire_reserve(&map->retire, &map->memory, &cell) < 0)
				bail("no cell");
			(void)reclaimer_take(map);
			retire_cancel(cell);
			section_bp.unlock();
			section_bp.synchronize();
			(void)reclaimer_give_back(map);
		}
		late += turns > 2;
		early += barrier_is_done(barrier) && fixture_stats(map).reclaimed < round + 1;
	}
	is_int(late, 0, "a barrier is done after two turns, though at each take some cell is unfilled");
	is_int(early, 0, "then what was retired before it is given back");
	bare_destroy(map);
}

/* ------------------------------------------------------------------ blocks on their way */

/* One that many threads share, the last. */
#define STRIPE (STRIPE_COUNT - 1)

/* Keys that a thread of the crowd deletes, on that stripe. */
struct job {
	uint64_t key;
	uint64_t count; /* UINT64_MAX: until a new block is begun */
	bool stops;
	bool done;
};

static unsigned cells_reserved; /* by until_a_block_begins() */

static void *run_job(void *arg)
{
	struct job *job = arg;

	if (stripe_index() != STRIPE)
		return NULL;
	stops = job->stops;
	for (uint64_t i = 0; i < job->count; i++) {
		uint64_t blocks = retire_blocks(&map->retire);

		if (fixture_delete(map, job->key + i) != 0)
			bail("delete");
		cells_reserved++;
		if (job->count == UINT64_MAX && i > 0 && retire_blocks(&map->retire) > blocks)
			break;
	}
	job->done = true;
	return NULL;
}

/* Run a job in a new thread of the stripe: threads that get another stripe come and go. */
static void run_on_stripe(struct job *job)
{
	pthread_t thread;

	while (!job->done) {
		if (pthread_create(&thread, NULL, run_job, job) != 0)
			bail("pthread_create");
		pthread_join(thread, NULL);
	}
}

/* Threads are numbered in turn: use numbers up until the next one is the stripe's. */
static void *ask_stripe(void *arg)
{
	*(unsigned *)arg = stripe_index();
	return NULL;
}

static void next_thread_is_on_stripe(void)
{
	unsigned last = STRIPE;

	do {
		pthread_t thread;

		if (pthread_create(&thread, NULL, ask_stripe, &last) != 0)
			bail("pthread_create");
		pthread_join(thread, NULL);
	} while (last + 1 != STRIPE);
}

/*
 * A block is full. Thread C puts a fresh one in its place, and stops. Others go on, and fill the fresh one but for C's cell. Now
 * the reclaimer takes the stripe's blocks; only then C fills his cell: nothing that was taken looks unfinished. The barrier
 * must not be done, if the first block is not among it. (C pushed it to a list of full blocks, at first.)
 */
static void a_barrier_waits_for_a_block_that_was_just_replaced(void)
{
	struct job fill, stop, go_on;
	unsigned cells;
	uint64_t barrier, before, retired;

	map = bare_map(NULL);
	for (uint64_t n = 0; n < 4000; n++)
		if (fixture_put(map, n, 0, 24) != 0)
			bail("put");

	/* How many cells has a block? The first delete begins one; the delete that begins the next is one too many. */
	cells_reserved = 0;
	fill = (struct job){ .key = 0, .count = UINT64_MAX };
	run_on_stripe(&fill);
	cells = cells_reserved - 1;
	bare_reclaim(map);
	before = fixture_stats(map).reclaimed;

	fill = (struct job){ .key = 1000, .count = cells };
	run_on_stripe(&fill);
	next_thread_is_on_stripe();
	stop = (struct job){ .key = 2000, .count = 1, .stops = true };
	if (pthread_create(&stopped_thread, NULL, run_job, &stop) != 0)
		bail("pthread_create");
	while (sem_wait(&stopped) != 0)
		;
	go_on = (struct job){ .key = 3000, .count = cells };
	run_on_stripe(&go_on);
	retired = 2 * cells; /* all but what the stopped thread removes */
	barrier = ask_for_barrier();
	release_it = true;
	(void)reclaimer_take(map);
	ok(stop.done, "a cell was filled after its block was taken");
	section_bp.synchronize();
	(void)reclaimer_give_back(map);
	ok(!barrier_is_done(barrier) || fixture_stats(map).reclaimed - before >= retired,
	   "a barrier is not done before what is in it is given back");
	turn();
	ok(barrier_is_done(barrier), "it is done a turn later");
	is_int(fixture_stats(map).retired_pending, 0, "then all is given back");
	bare_destroy(map);
}

/* ------------------------------------------------------------------ a log alone */

static struct log the_log;
static struct memory memory;

static void count_word(void *ctx, uint64_t word)
{
	(void)word;
	++*(unsigned *)ctx;
}

/* Fill a block, begin another, and stop. */
static void *fill_and_stop(void *arg)
{
	(void)arg;
	section_bp.lock();
	for (unsigned i = 0; i <= LOG_CELLS; i++) {
		log_cell *cell = NULL;

		stops = i == LOG_CELLS;
		if (log_reserve(&the_log, &memory, &cell) < 0)
			bail("no cell");
		log_fill(cell, i + 1);
	}
	section_bp.unlock();
	return NULL;
}

/* It was out of reach as long as its writer had not pushed it to the list; in a child of fork() for ever. */
static void a_full_block_waits_for_nobody(void)
{
	struct rcumap_allocator none = { 0 };
	struct slab_freer freer = { 0 };
	struct log_batch batch;
	unsigned words = 0;
	pthread_t thread;

	memory_init(&memory, &none);
	if (pthread_create(&thread, NULL, fill_and_stop, NULL) != 0)
		bail("pthread_create");
	while (sem_wait(&stopped) != 0)
		;
	log_each(&the_log, count_word, &words);
	is_int(words, LOG_CELLS, "who stops when he has replaced a full block hides nothing that is in it");
	is_int(log_backlog(&the_log), 1, "it is among those that wait for the consumer");
	ok(log_take(&the_log, &batch), "his own stays behind");
	ok(batch.count == 1 && batch.blocks->used == LOG_CELLS, "the full one is taken");
	is_int(log_backlog(&the_log), 0, "none waits then");
	sem_post(&may_go);
	pthread_join(thread, NULL);
	log_reclaim_list(&the_log, &memory, &freer, batch.blocks);
	ok(!log_take(&the_log, &batch) && batch.count == 1, "then his own is taken, too");
	log_reclaim_list(&the_log, &memory, &freer, batch.blocks);
	slab_flush(&memory.slab, &freer);
	memory_fini(&memory);
}

int main(void)
{
	sem_init(&stopped, 0, 0);
	sem_init(&may_go, 0, 0);
	busy_writers_do_not_starve_a_barrier();
	a_barrier_waits_for_a_block_that_was_just_replaced();
	a_full_block_waits_for_nobody();
	return tap_done();
}
