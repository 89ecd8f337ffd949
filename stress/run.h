/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file run.h
 * One run: a scenario under one flavor, played in rounds, with the checks that hold for every scenario.
 *
 * A round starts all threads of a plan at once, lets them go on for a share of the time, and joins them. Then,
 * with nobody writing, all that has a deadline must go, the books must balance, and the memory must be what it was after earlier rounds.
 */
#ifndef STRESS_RUN_H
#define STRESS_RUN_H

#include "harness/flavor.h"
#include "harness/progress.h"

#include <rcumap.h>

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define RUN_ROUNDS 6u

/**
 * Entries that may await their grace period before writers pause (actor_breathe()). It bounds what the map's own
 * allocator keeps for reuse, without which no bound could be set for run_flat(). Writers reach it only if the
 * reclaimer gets too little of a processor, as it does among 64 readers on two of them.
 */
#define RUN_PENDING_MAX 32768u
/** For a plan's slack_bytes where writers do little but write, on a machine with more threads than processors: what was
 * reclaimed rests for one more grace period before it is reused, and they reach that limit again and again meanwhile. */
#define RUN_RESTING_BYTES (RUN_PENDING_MAX * UINT64_C(512))

struct actor;
struct counting;
struct scenario;

struct settings {
	uint64_t seconds, readers, writers, seed;
};

/** Threads that do the same. */
struct part {
	const char *name;
	unsigned threads;
	void (*play)(struct actor *me); /* until actor_stopping() */
};

#define PLAN_PARTS 4u

struct plan {
	struct part parts[PLAN_PARTS]; /* unused ones have no threads */
	bool unregistered;	       /* the threads must not be registered with the flavor: they do not use the map */
	bool may_refuse; /* the map has a limit on bytes: stores may return -ENOSPC, and nothing is kept for reuse */
	uint64_t universe;	       /* all keys that are ever stored are below */
	uint64_t capacity;	       /* the most that is ever reserved */
	uint64_t slack_bytes;	       /* run_flat(): what the map may keep for reuse in one round and not in another */
	void (*tick)(struct actor *outer);  /* now and then while a round is played; NULL: nothing */
	void (*close)(struct actor *outer); /* after the time, before the threads are stopped; NULL: nothing */
	void (*check)(
		struct
		actor *outer); /* after each round, when all threads have ended and all deadlines have passed; NULL: nothing */
};

struct tally {
	_Alignas(64) _Atomic uint64_t operations;
};

struct run {
	const struct settings *settings;
	const struct scenario *scenario;
	enum flavor flavor;
	struct counting *counting; /* the allocator of the run's maps; NULL: the built-in one */
	uint64_t ns;		   /* for all rounds together */
	unsigned round;
	const struct plan *plan;
	void *ctx;	     /* the scenario's own */
	struct rcumap *map;  /* what the progress line and the checks look at */
	struct tally *tally; /* of the outer thread, then of each other one */
	unsigned tallies;
	uint64_t operations; /* of earlier rounds */
	uint64_t memory[RUN_ROUNDS];
	uint64_t warmed; /* keys added and deleted before the first round */
	struct progress progress;
};

/** A scenario: creates run->map and calls run_rounds(). */
struct scenario {
	const char *name;
	const char *about;
	void (*play)(struct run *run);
};

/** Say what was seen and how to see it again, and exit with status 1. From any thread. */
_Noreturn void violation(const struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));

/** Play the scenario; then all that a counting allocator gave out must have come back. */
void run_play(struct run *run);

/** Create a map of the run's flavor and allocator. The size of options and what else is 0 in it is filled in. */
struct rcumap *run_create(struct run *run, struct rcumap_options options);

/** Destroy it. */
void run_destroy(struct run *run, struct rcumap *map);

/** Play the plan on run->map, in RUN_ROUNDS rounds, with all checks. */
void run_rounds(struct run *run, const struct plan *plan);

/**
 * With nobody writing: wait until the map has come to rest, and check its counters against each other and against the keys
 * below `universe` that can be found, and its table against what is in it and the `capacity` that it may keep.
 *
 * @return the map's memory in bytes, less the table's.
 */
uint64_t run_settle(struct actor *outer, struct rcumap *map, uint64_t universe, uint64_t capacity);

/** The map's counters. */
struct rcumap_stats run_stats(const struct run *run, const struct rcumap *map);

/** Operations of all threads so far. */
uint64_t run_operations(const struct run *run);

#endif
