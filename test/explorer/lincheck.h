/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Is there an order of the calls that agrees with their results and with the order in which they did not overlap?
 *
 * Linearizability is local: a history is linearizable if each key's part of it is (Herlihy and Wing, 1990). So each key is
 * checked by itself, with the search of Wing and Gong (1993) and Lowe's memory of configurations seen before (2017).
 *
 * A call that did not return may have taken effect or not. clear is, for each key, a delete whose result nobody saw; it may
 * spare a key that another call overlapping it stores, and it may remove what that call stored too.
 */
#ifndef EXPLORER_LINCHECK_H
#define EXPLORER_LINCHECK_H

#include "history.h"

#include <stdbool.h>

/* initial[k]: the value of key k before the first event, 0 if absent. True if linearizable; else *key is one that is not. */
bool lincheck(const struct history *history, const unsigned initial[KEYS_MAX], unsigned *key);

/* Whether the checker tells right from wrong. */
bool lincheck_selftest(void);

#endif
