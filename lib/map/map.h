/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The map: what all operations share. Who owns what:
 *
 *     tables      protocol/                  changed by writers and the reclaimer
 *     next, link  map/fork.c                 the living maps
 *     closing     map/reclaimer.c
 *     memory      memory/                    what all of it lies in
 *     retire      reclaim/                   writers put in, the reclaimer takes out
 *     expiry      map/expiry.c               writers put hints in, the reclaimer looks at them
 *     stripe      map/attempt.c, hold.c      counters, lines of their own per stripe; stats.c sums them up
 *     (flights    map/flight.c, loads under way, of all maps; their placeholders are in the tables)
 *     eviction    map/evict.c                writers
 *     spare       map/spare.c                writers and the reclaimer
 *     reclaimer   map/reclaimer.c, reclaim.c, resize.c, reserve.c, stall.c   its thread, and what that touches
 *
 * All else is as map_new() has set it. Readers touch `tables` and that; what changes often lies on other lines.
 */
#ifndef RCUMAP_MAP_H
#define RCUMAP_MAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include <rcumap.h>

#include "expiry/wheel.h"
#include "ground/clock.h"
#include "ground/quota.h"
#include "ground/stripe.h"
#include "ground/tally.h"
#include "ground/wake.h"
#include "memory/memory.h"
#include "protocol/table.h"
#include "reclaim/grace.h"
#include "reclaim/retire.h"
#include "section/section.h"

struct verbs;

/* Counters of the threads that share a stripe. All relaxed: statistics, but for `versions`, where only distinctness
 * matters. */
struct map_stripe {
	_Alignas(128) _Atomic uint64_t versions; /* drawn so far */
	_Atomic uint64_t inserted, replaced, deleted, expired, evicted;
	_Atomic uint64_t placeholders, placeholders_gone; /* put into the table, and taken out, so far */
	_Atomic uint64_t retired_bytes; /* so far */
	/* These go up and down: one stripe alone may be below zero. */
	_Atomic uint64_t expiring, held_entries, held_bytes;
};

/* Somebody in rcumap_reserve(). */
struct reclaimer_wish {
	unsigned size;
	bool seen; /* by the turn of the reclaimer that is under way */
	int error; /* why the table did not get there, once a turn that had seen the wish failed */
	struct reclaimer_wish *next;
};

enum reclaimer_close {
	CLOSE_NONE,
	CLOSE_ASKED,
	CLOSE_GRANTED,
	CLOSE_REFUSED, /* something is held */
};

struct reclaimer {
	struct wake wake; /* signalled when there is something to do */
	struct grace_client grace;
	pthread_t thread;

	/* What is retired besides entries. */
	_Atomic(struct table *) retired_tables;

	/* Orphans that were released, linked by their first words; those that the reclaimer has taken from there. */
	_Atomic(struct rcumap_entry *) released;
	struct rcumap_entry *released_taken;

	/* The batch that awaits its grace period; the reclaimer's own. */
	struct log_batch batch;
	struct slab_freer freer;
	struct table *batch_tables;
	struct log_block *batch_hints; /* emptied blocks of the log of hints */
	uint64_t batch_ticket, batch_barrier, next_barrier;
	bool batch_waits; /* for its grace period, or to be given back */
	bool batch_passed; /* its grace period has ended */
	_Atomic bool idle; /* there is no batch: who begins a block of records wakes it. C4 */
	int resize_error; /* of the last attempt; 0 if it went well */
	unsigned resizes_in_vain; /* attempts in a row that lacked room within the limit on bytes */

	bool paused; /* its section, so that it holds up no grace period */
	bool in_turn; /* map/fork.h */
	bool running; /* there is a thread */
	bool orphaned; /* there is none, nor will be: in a child of fork() that could start none */

	uint64_t stall_since_ns; /* when the grace period began on which map/stall.h has looked last, */
	uint64_t stall_due_ns; /* and the age at which it is reported next */

	_Atomic bool stop;
	_Atomic uint64_t barriers_wanted, barriers_done;

	/* Who waits for the reclaimer; `changed` is signalled when anything of it changes. All under `lock`. */
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct reclaimer_wish *wishes;
	enum reclaimer_close close; /* rcumap_destroy() asks, the reclaimer answers */
	unsigned size_min; /* reserved: the table never gets smaller */
	unsigned size_now; /* of the current table, or of a smaller one that is to follow */

	/* Statistics, relaxed. */
	_Atomic uint64_t reclaimed, reclaimed_bytes; /* or left to those who hold it */
	_Atomic uint64_t growth_failed, grace_periods, stalls;
};

/* What has a deadline; map/expiry.h. */
struct expiry {
	struct log log; /* hints on their way */
	_Atomic(struct log_block *) drained; /* blocks of the log that were read to the end, and are not free yet */
	_Atomic uint64_t taken_left; /* blocks in `taken`: a hint for writers */
	_Atomic bool busy; /* guards what follows */
	struct wheel wheel;
	struct slab_freer freer;
	struct log_batch taken; /* from the log, */
	uint64_t taken_ns; /* when, */
	uint64_t taken_at; /* and read up to this cell of the first block */
	bool taken_unfilled; /* one of the cells before it was not filled yet */
	bool compacting;
	uint64_t kept; /* hints that were taken out of the wheel and filed again since the compaction began */
	uint64_t expiring; /* the most entries with a deadline there were meanwhile */
	uint64_t surplus; /* hints that the last compaction found to be of use, beyond one for each of these */
};

/* Where a hand goes on for the threads of a stripe; map/evict.c. */
struct hand_share {
	_Atomic uint64_t hash, rest;
};

/* What keeps the limits; map/evict.h. */
struct eviction {
	bool on; /* there is a limit on entries, or on bytes */
	struct quota entries; /* limit 0: none */
	struct tally main; /* how many entries are in the main part; with max_bytes, how many bytes */
	_Alignas(64) _Atomic uint64_t hand[2]; /* of probation, of the main part: the next share begins here */
	struct {
		_Alignas(64) struct hand_share of[2];
	} share[STRIPE_COUNT];
};

/* What is kept free in a map with max_bytes; map/spare.h. */
struct spare {
	uint64_t wait_ns; /* 0: not at all */
	_Atomic uint64_t fund; /* charged for the next table */
	_Atomic uint64_t wanted; /* of it, at least: for a smaller table that could not be had; 0: none is wanted */
	_Atomic uint64_t refused, waited; /* statistics */
	_Atomic uint64_t slack; /* charged for garbage */
	/* Under the reclaimer's lock. */
	uint64_t batches; /* given back so far */
	uint64_t waits, waits_seen; /* for one of them; as many when the last one was given back */
	unsigned calm; /* batches in a row that nobody waited for */
};

struct rcumap {
	struct tables tables;
	struct clock clock;
	const struct verbs *verbs;
	const struct section_ops *section;
	uint64_t default_ttl_ms;
	size_t short_keys; /* as the hash's, where sections are quick (section/section.h); else 0 */
	struct {
		uint64_t endless; /* a put's ttl from here on has no end */
		size_t size_max; /* of the entries that are overwritten in one pass (map/overwrite.h) */
		size_t small_keys; /* as short_keys, where overwrite_small() may be used; else 0 */
	} overwrite;
	rcumap_removed_fn *removed; /* map/removed.h; NULL: none */
	void *removed_ctx;
	rcumap_stalled_fn *stalled; /* map/stall.h; NULL: none */
	void *stalled_ctx;
	uint64_t stall_ns;
	struct rcumap *next, **link; /* among the living maps of its flavor; map/fork.h */
	bool closing; /* rcumap_destroy() will succeed. The reclaimer's: nobody else uses the map any more */

	struct memory memory;
	struct retire retire;
	struct expiry expiry;
	struct eviction eviction;
	struct spare spare;
	struct map_stripe stripe[STRIPE_COUNT];
	struct reclaimer reclaimer;
};

/* Entries in the map; with placeholders, which take slots, too; entries with a deadline. Wait-free. */
uint64_t map_count(const struct rcumap *map);
uint64_t map_occupied(const struct rcumap *map);
uint64_t map_expiring(const struct rcumap *map);
/* Is any entry held? Exact while nobody holds or releases. */
bool map_holds(const struct rcumap *map);
/* Bytes of entries that await their grace period. Wait-free. */
uint64_t map_retired_bytes(const struct rcumap *map);
/* In a child of fork(): this is what still awaits its grace period; whatever else was retired counts as reclaimed. */
void map_adopt_retired(struct rcumap *map, uint64_t entries, uint64_t bytes);

/* In debug builds: abort if `map` was destroyed. */
#ifdef RCUMAP_DEBUG
void map_assert_alive(const struct rcumap *map);
#else
static inline void map_assert_alive(const struct rcumap *map)
{
	(void)map;
}
#endif

/* Create a map without its threads: nothing is reclaimed and no table grows by itself. For rcumap_create(), and for
 * tests that bring threads of their own. Errors as there, but for -EAGAIN. */
int map_new(struct rcumap **map, const struct rcumap_options *options);

/* Alone with the map: call `visit` for the slot word of each entry in it. */
void map_each_word(struct rcumap *map, void (*visit)(void *ctx, uint64_t word), void *ctx);

/* Free a map that nobody else uses, with all its entries; retired ones must have been reclaimed before. */
void map_free(struct rcumap *map);

#endif
