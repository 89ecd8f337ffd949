/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys that live for hours, and do not stay so long: what reminds of their deadlines must go soon after them, not at the
 * deadlines, and never before.
 *
 * Each writer has keys of his own. Most that he stores nobody stored before, and he deletes each when he has stored some more;
 * some others are always there, and get ever other lives: by stores, touches and updates, longer and shorter by turns,
 * endless and not. In every other round a reader stays in his section meanwhile.
 *
 *     a key whose life is not over is found, and has the life left that it was given last
 *     hints and their memory are bounded by the keys that have a deadline, however many came and went
 *
 * The map goes by a clock of the scenario's. When the last writer of a round is done it jumps by more than any
 * life: then all keys with a deadline go, and all hints, without being looked at (run.c), and no memory is left of them.
 */
#include "actor.h"
#include "scenarios.h"

#include "harness/clock.h"

#include <stdlib.h>

#define HOUR_MS UINT64_C(3600000)
/* Lives of keys that are always there: beyond the length of a round. */
#define LIFE_MS_MIN (12 * HOUR_MS)
#define LIFE_MS_MAX (36 * HOUR_MS)
#define JUMP_MS (48 * HOUR_MS)
#define ENDLESS UINT64_MAX

/* Of each writer, always there. */
#define STAY 32u
/* Of all writers together, there at a time: half of what the wheel holds without being compacted (lib/map/expiry.c). */
#define COME 4096u
/* Keys that come have numbers from here on, far behind those that run.c takes. */
#define COME_FIRST (UINT64_C(1) << 40)

#define REST_NS_MAX UINT64_C(60000000000)

/* Constants of lib/map/expiry.c, lib/expiry/wheel.h and lib/reclaim/log.h, and sizes of their blocks. */
#ifdef RCUMAP_DEBUG
#define HINTS_SLACK 16u
#define WHEEL_HINTS 2u
#define LOG_CELLS 4u
#else
#define HINTS_SLACK 8192u
#define WHEEL_HINTS 49u
#define LOG_CELLS 508u
#endif
#define WHEEL_BLOCK_BYTES ((9u + 5u * WHEEL_HINTS + 7u) & ~7u)
#define LOG_BLOCK_BYTES (32u + 8u * LOG_CELLS)
/* However few hints there are: spares, one for each slot that is not empty, and three more. */
#define WHEEL_BLOCKS (16u + 11u * 64u + 3u)
#define WHEEL_BLOCKS_AT_REST (16u + 3u)
#define STRIPES 64u
/* Blocks of the log that wait when writers begin to help. */
#define LOG_BLOCKS_LATE (2u * STRIPES)
/* In which the log is emptied once, if that is not so. */
#define INTAKE_NS UINT64_C(250000000)

/* A key that is always there, and bounds of its deadline; its writer's alone. */
struct note {
	uint64_t earliest_ns, latest_ns; /* both ENDLESS if there is none */
};

struct writer {
	_Alignas(64) _Atomic uint64_t ready; /* rounds in which all keys that stay are there */
	_Atomic uint64_t come, gone;	     /* keys so far */
	struct note note[STAY];
};

struct lives {
	_Atomic uint64_t ahead_ns; /* of the exact clock */
	_Atomic uint64_t done;	   /* writers, in this round */
	unsigned round;		   /* that is watched, */
	uint64_t since_ns;	   /* and since when; the outer thread's */
	struct writer *writer;
};

/* ------------------------------------------------------------------ the clock */

static uint64_t ahead_ns(const struct lives *lives)
{
	/* [acquire] pairs with the release in end_round(). */
	return atomic_load_explicit(&lives->ahead_ns, memory_order_acquire);
}

static uint64_t read_clock(void *ctx)
{
	return now_ns() + ahead_ns(ctx);
}

/* ------------------------------------------------------------------ keys that stay */

static uint64_t staying_key(uint64_t writer, uint64_t i)
{
	return writer * STAY + i;
}

static uint64_t draw_life(struct actor *me)
{
	return LIFE_MS_MIN + rng_below(&me->rng, LIFE_MS_MAX - LIFE_MS_MIN);
}

/* Given between `before_ns` and now. Deadlines are rounded up to the next microsecond. */
static void set_life(struct note *note, struct lives *lives, uint64_t before_ns, uint64_t ttl_ms)
{
	bool endless = ttl_ms == RCUMAP_TTL_NEVER;

	note->earliest_ns = endless ? ENDLESS : before_ns + ttl_ms * 1000000;
	note->latest_ns = endless ? ENDLESS : read_clock(lives) + ttl_ms * 1000000 + 1000;
}

static void check_life(struct actor *me, const struct note *note, uint64_t key)
{
	struct lives *lives = me->run->ctx;
	uint64_t before_ns = read_clock(lives), ttl_ms = actor_ttl(me, me->run->map, key);
	uint64_t after_ns = read_clock(lives), least = RCUMAP_TTL_NEVER, most = RCUMAP_TTL_NEVER;

	if (note->latest_ns != ENDLESS) {
		least = (note->earliest_ns - after_ns) / 1000000;
		most = (note->latest_ns - before_ns) / 1000000 + 1;
	}
	if (ttl_ms < least || ttl_ms > most)
		violation(me->run, "key %ju has %ju ms left, must be %ju to %ju", (uintmax_t)key, (uintmax_t)ttl_ms,
			  (uintmax_t)least, (uintmax_t)most);
}

static void count_up(void *ctx, const struct sight *old, struct change *change)
{
	change->number = old ? old->number + 1 : 1;
	*(bool *)ctx = old != NULL;
}

static void update(struct actor *me, uint64_t key)
{
	bool there = false;

	actor_update(me, me->run->map, key, count_up, &there, NULL);
	if (!there)
		violation(me->run, "an update did not see key %ju, hours before its deadline", (uintmax_t)key);
}

static void store(struct actor *me, uint64_t key, enum verb verb, uint64_t ttl_ms)
{
	actor_demand(me, "put or replace", key,
		     actor_store_for(me, me->run->map, verb, key, rng_below(&me->rng, 1000) + 1, 0, ttl_ms, NULL), 0);
}

/* Another life for a key that stays, longer or shorter than before. */
static void change_life(struct actor *me, struct writer *writer)
{
	struct lives *lives = me->run->ctx;
	uint64_t i = rng_below(&me->rng, STAY), key = staying_key(me->index, i);
	struct note *note = &writer->note[i];
	uint64_t before_ns = read_clock(lives), ttl_ms = draw_life(me), dice = rng_below(&me->rng, 16);

	if (dice == 0)
		check_life(me, note, key);
	if (dice < 4) {
		update(me, key);
		return; /* the deadline is kept */
	}
	if (dice < 6)
		ttl_ms = RCUMAP_TTL_NEVER;
	else if (dice < 9)
		ttl_ms = i % 2 ? LIFE_MS_MIN : LIFE_MS_MAX;
	if (dice % 2)
		actor_demand(me, "touch", key, actor_touch(me, me->run->map, key, ttl_ms), 0);
	else
		store(me, key, dice % 4 ? VERB_PUT : VERB_REPLACE, ttl_ms);
	set_life(note, lives, before_ns, ttl_ms);
}

/* Those whose life was not endless are gone since the clock jumped. */
static void begin_round(struct actor *me, struct writer *writer)
{
	struct lives *lives = me->run->ctx;

	for (uint64_t i = 0; i < STAY; i++) {
		uint64_t before_ns = read_clock(lives);

		store(me, staying_key(me->index, i), VERB_PUT, LIFE_MS_MIN);
		set_life(&writer->note[i], lives, before_ns, LIFE_MS_MIN);
	}
	/* [release] pairs with the acquire in read_staying(): the keys are there. */
	atomic_store_explicit(&writer->ready, me->run->round + 1, memory_order_release);
}

/* ------------------------------------------------------------------ keys that come and go */

static uint64_t coming_key(const struct run *run, uint64_t writer, uint64_t n)
{
	return COME_FIRST + n * run->settings->writers + writer;
}

static uint64_t come_at_once(const struct run *run)
{
	return COME / run->settings->writers + 1;
}

static void come(struct actor *me, struct writer *writer)
{
	/* relaxed, here and below: his own; for a reader a hint where to look. */
	uint64_t n = atomic_load_explicit(&writer->come, memory_order_relaxed);
	uint64_t key = coming_key(me->run, me->index, n);

	actor_demand(me, "add of an absent key", key,
		     actor_store_for(me, me->run->map, VERB_ADD, key, n + 1, 0, HOUR_MS, NULL), 0);
	atomic_store_explicit(&writer->come, n + 1, memory_order_relaxed);
}

static void go(struct actor *me, struct writer *writer)
{
	uint64_t n = atomic_load_explicit(&writer->gone, memory_order_relaxed);
	uint64_t key = coming_key(me->run, me->index, n);

	actor_demand(me, "delete of a present key", key, actor_delete(me, me->run->map, key), 0);
	atomic_store_explicit(&writer->gone, n + 1, memory_order_relaxed);
}

static uint64_t there(const struct writer *writer)
{
	return atomic_load_explicit(&writer->come, memory_order_relaxed) -
	       atomic_load_explicit(&writer->gone, memory_order_relaxed);
}

/* Half of the writers leave the keys that are there to the jump of the clock. */
static void end_round(struct actor *me, struct writer *writer)
{
	struct lives *lives = me->run->ctx;

	while (me->index % 2 == 0 && there(writer) > 0) {
		go(me, writer);
		actor_turn(me);
	}
	atomic_store_explicit(&writer->gone, atomic_load_explicit(&writer->come, memory_order_relaxed),
			      memory_order_relaxed);
	/* [acq_rel] pairs with itself: nobody needs the old time any more. */
	if (atomic_fetch_add_explicit(&lives->done, 1, memory_order_acq_rel) + 1 == me->run->settings->writers)
		/* [release] pairs with ahead_ns(). */
		atomic_fetch_add_explicit(&lives->ahead_ns, JUMP_MS * 1000000, memory_order_release);
}

static void write_keys(struct actor *me)
{
	struct lives *lives = me->run->ctx;
	struct writer *writer = &lives->writer[me->index];
	uint64_t most = come_at_once(me->run);

	begin_round(me, writer);
	while (!actor_stopping(me)) {
		if (rng_below(&me->rng, 4) == 0) {
			change_life(me, writer);
		} else {
			come(me, writer);
			if (there(writer) > most)
				go(me, writer);
		}
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
	end_round(me, writer);
}

/* ------------------------------------------------------------------ reading */

/* The key is there all the time, but for the end of the round. */
static void read_staying(struct actor *me, uint64_t jumped_ns)
{
	struct lives *lives = me->run->ctx;
	uint64_t writer = rng_below(&me->rng, me->run->settings->writers);
	uint64_t key = staying_key(writer, rng_below(&me->rng, STAY));
	struct sight copy;
	bool found;

	/* [acquire] pairs with begin_round(). */
	if (atomic_load_explicit(&lives->writer[writer].ready, memory_order_acquire) != me->run->round + 1)
		return;
	found = rng_below(&me->rng, 4) ? section_find(me, key) != NULL : actor_get(me, me->run->map, key, &copy);
	/* Whoever removed it after the clock jumped brings that along. */
	if (!found && ahead_ns(lives) == jumped_ns)
		violation(me->run, "key %ju is absent, hours before its deadline", (uintmax_t)key);
}

static void read_coming(struct actor *me)
{
	const struct lives *lives = me->run->ctx;
	uint64_t writer = rng_below(&me->rng, me->run->settings->writers);
	const struct writer *of = &lives->writer[writer];
	uint64_t n = atomic_load_explicit(&of->gone, memory_order_relaxed) + rng_below(&me->rng, there(of) + 1);
	const struct sight *sight = section_find(me, coming_key(me->run, writer, n));

	if (sight && sight->number != n + 1)
		violation(me->run, "key %ju has number %ju, only %ju was ever stored", (uintmax_t)sight->key,
			  (uintmax_t)sight->number, (uintmax_t)n + 1);
}

static void read_keys(struct actor *me)
{
	uint64_t jumped_ns = JUMP_MS * 1000000 * me->run->round;

	while (!actor_stopping(me)) {
		section_open(me, me->run->map);
		for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS / 2) + 1; n > 0; n--) {
			read_staying(me, jumped_ns);
			read_coming(me);
		}
		section_close(me);
		actor_turn_reading(me);
	}
}

/* ------------------------------------------------------------------ a reader who stays */

static uint64_t some_staying_key(struct actor *me, uint64_t i)
{
	return staying_key(i % me->run->settings->writers, i / 2);
}

static void stay_inside(struct actor *me)
{
	actor_stay(me, some_staying_key);
}

/* ------------------------------------------------------------------ from outside */

/*
 * The wheel: twice as many hints as there are entries with a deadline, and HINTS_SLACK; then it is compacted. Meanwhile no more
 * are filed than are looked at; and what was of use when it was looked at may be void when the pass ends. Twice
 * that is allowed for all of it.
 */
static uint64_t hints_most(const struct run *run)
{
	uint64_t writers = run->settings->writers;

	return 2 * (2 * writers * (come_at_once(run) + 1 + STAY) + HINTS_SLACK);
}

/*
 * The log: for each stripe the block in use; full ones, of which so many may wait before writers help; and emptied ones that
 * await a grace period, as what was retired meanwhile does, of which there are RUN_PENDING_MAX entries and some per
 * writer at most (actor_breathe()): a turn tells a hint at most, and three in four retire an entry. Twice that, for one batch
 * comes together while another waits, and twice again to be sure. Blocks that were taken before they were full come
 * on top: one for each stripe when the log is emptied because it is late, or because a while has passed.
 */
static uint64_t log_blocks_most(const struct run *run, uint64_t ns)
{
	uint64_t words = 4 * (RUN_PENDING_MAX + 128 * run->settings->writers);
	uint64_t full = words / LOG_CELLS + LOG_BLOCKS_LATE;

	return STRIPES + full + full / 2 + STRIPES * (ns / INTAKE_NS + 1);
}

static void watch(struct actor *outer)
{
	struct lives *lives = outer->run->ctx;
	struct rcumap_stats stats = run_stats(outer->run, outer->run->map);
	uint64_t hints = hints_most(outer->run), now = now_ns(), bytes;

	if (lives->since_ns == 0 || lives->round != outer->run->round) {
		lives->round = outer->run->round;
		lives->since_ns = now;
	}
	bytes = (hints / WHEEL_HINTS + WHEEL_BLOCKS) * WHEEL_BLOCK_BYTES +
		log_blocks_most(outer->run, now - lives->since_ns) * LOG_BLOCK_BYTES;
	if (stats.hints > hints)
		violation(outer->run, "there are %ju hints of %ju entries with a deadline, at most %ju may be",
			  (uintmax_t)stats.hints, (uintmax_t)stats.expiring, (uintmax_t)hints);
	if (stats.hint_bytes > bytes)
		violation(outer->run, "%ju hints and their log take %ju bytes, at most %ju may be",
			  (uintmax_t)stats.hints, (uintmax_t)stats.hint_bytes, (uintmax_t)bytes);
}

/* All hints are gone. A block of the log is freed a grace period after it was emptied, and emptied soon after it was begun. */
static void check_rest(struct actor *outer)
{
	struct lives *lives = outer->run->ctx;
	uint64_t end = now_ns() + REST_NS_MAX;
	struct rcumap_stats stats;

	for (;;) {
		actor_demand(outer, "barrier", 0, rcumap_barrier(outer->run->map), 0);
		stats = run_stats(outer->run, outer->run->map);
		if (stats.hint_bytes <= WHEEL_BLOCKS_AT_REST * WHEEL_BLOCK_BYTES)
			break;
		if (now_ns() > end)
			violation(outer->run, "no hints are left, and %ju bytes for them", (uintmax_t)stats.hint_bytes);
	}
	if (stats.entries > outer->run->settings->writers * STAY)
		violation(outer->run, "%ju entries are left, at most %ju may have an endless life",
			  (uintmax_t)stats.entries, (uintmax_t)outer->run->settings->writers * STAY);
	atomic_store_explicit(&lives->done, 0, memory_order_relaxed);
}

void lives_play(struct run *run)
{
	uint64_t writers = run->settings->writers;
	struct lives lives = { .since_ns = 0 };
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)writers, write_keys },
					{ "stalled", 1, stay_inside } },
			     .universe = writers * STAY,
			     .slack_bytes = RUN_RESTING_BYTES,
			     .tick = watch,
			     .check = check_rest };

	lives.writer = aligned_alloc(64, writers * sizeof lives.writer[0]);
	if (!lives.writer)
		violation(run, "no memory");
	for (uint64_t i = 0; i < writers; i++)
		lives.writer[i] = (struct writer){ .ready = 0 };
	run->ctx = &lives;
	run->map = run_create(run, (struct rcumap_options){ .clock = read_clock, .clock_ctx = &lives });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	free(lives.writer);
}
