/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flights: loads that are under way (map/loading.c), and who waits for them. One list for all maps of the process, under one
 * lock: of threads that wait for each other's loads each may be in another map, and a wait that would never end is found
 * by following them. Only who misses a key comes here. The lock is held for some dozens of instructions, nothing is waited
 * for under it, and no other lock is taken.
 *
 *     outer <--> flight <--> inner --waits_for--> flight <--> inner --waits_for--> ...
 *                   '--waiters--> waiter, waiter ...
 *
 * The flights of one thread, each begun in the load of the one before, are linked; if it waits, its innermost says for which.
 *
 * A flight lies on the stack of the thread that loads, a waiter on that of the thread that waits. Both are unlinked
 * before their functions return, so nothing is allocated and nothing can be left behind.
 *
 * Invariants
 * F1 A flight is enlisted before its placeholder can be seen in the map, and delisted after its owner has replaced or removed
 *    it there, or has found it gone. So a placeholder whose flight is not there is nobody's: anyone may take its place.
 *    (One is left when a child of fork() has no owner for it, or there was no memory to remove it.)
 * F2 A flight is known by the version of its placeholder, which no other entry ever has (E2). Who saw the placeholder under
 *    his key waits for that flight, and no other: one whose placeholder has been displaced gets no new waiters but those
 *    who saw it before.
 * F3 Who is delisted, waiter or flight, is so for both sides at once: a flight gives each of its waiters a result, or the waiter
 *    has left before.
 * F4 No way from a flight over inner ones and what they wait for comes back to where it began.
 */
#ifndef RCUMAP_FLIGHT_H
#define RCUMAP_FLIGHT_H

#include "map/map.h"

struct flight_waiter;

struct flight {
	struct rcumap *map;
	uint64_t version; /* of its placeholder */
	const void *key;  /* its caller's, as long as the flight is enlisted */
	size_t key_size;
	struct flight *outer, *inner; /* of the same thread */
	struct flight *waits_for; /* what its thread does, if this is the innermost */
	struct flight *next, **link;
	struct flight_waiter *waiters;
};

/* Does the calling thread load this key already? */
bool flight_is_own(const struct rcumap *map, const void *key, size_t key_size);

/* The caller is about to load. */
void flight_enlist(struct flight *flight, struct rcumap *map, uint64_t version, const void *key, size_t key_size);

/* He is done: all who wait get `result`, and with 0 the entry, which the caller holds, each held once more. */
void flight_delist(struct flight *flight, const struct rcumap_entry *entry, int result);

#define FLIGHT_NONE 1

/*
 * Wait for the flight with this placeholder, outside of any section. 0: *entry is held for the caller. FLIGHT_NONE: it is not
 * enlisted (F1). -EDEADLK: it would not end before the caller's own (F4). -EAGAIN: it is under way, and the deadline is 0.
 * -ETIMEDOUT: the deadline, of CLOCK_MONOTONIC, has passed; UINT64_MAX: it never does. Else its result.
 */
int flight_wait(const struct rcumap *map, uint64_t version, uint64_t deadline_ns, const struct rcumap_entry **entry);

/* How many wait for loads of the map. For tests. */
unsigned flight_waiters(const struct rcumap *map);

/* Around fork(), last and first of all locks. In the child only the forking thread's own flights go on. */
void flight_before_fork(void);
void flight_after_fork_parent(void);
void flight_after_fork_child(void);

#endif
