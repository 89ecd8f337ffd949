/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is there an order of the calls that agrees with their results and with the order in which they did not overlap?
 *
 * Linearizability is local: a history is linearizable if each key's part of it is (Herlihy and Wing, 1990). So each key is
 * checked by itself, with the search of Wing and Gong (1993) and Lowe's memory of configurations seen before (2017).
 *
 * A call sees the clock at any moment between its begin and its end, each call for itself. A key whose deadline passes meanwhile
 * may be present or absent for it; so a touch that overlaps this moment may succeed although a find missed the key before.
 *
 * In a map with a limit a call that stores under an absent key may remove any other at one moment, and its own before it stores.
 * So each of them is there for each key, as a call that may have removed the key or not. With a limit on bytes likewise each
 * call that stores anything, and twice: it looks on for more room, and another may have stored the key again.
 *
 * A call that did not return may have taken effect or not. clear is, for each key, a delete whose result nobody saw; it may
 * spare a key that another call overlapping it stores or touches, and it may remove what that call stored too.
 */
#ifndef EXPLORER_LINCHECK_H
#define EXPLORER_LINCHECK_H

#include "history.h"

#include <stdbool.h>

/* What a key holds. Its deadline is known as well as the results tell: it is one of these hours. */
struct lincheck_state {
	unsigned value;		  /* 0: absent */
	unsigned soonest, latest; /* both ENDLESS: no deadline */
};

/* initial[k]: key k before the first event. True if linearizable; else *key is one that is not. */
bool lincheck(const struct history *history, const struct lincheck_state initial[KEYS_MAX], unsigned *key);

/* What the event, which nothing overlapped, makes of *state: of its key, or any with a clear. False: its result contradicts. */
bool lincheck_apply(const struct event *event, struct lincheck_state *state);

/* Whether the checker tells right from wrong. */
bool lincheck_selftest(void);

#endif
