/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file ledger.h
 * Keys that are always there, and whose numbers only grow: readers must find each one, never with a number below
 * what was stored before they began, below what they saw before, or above what anybody has begun to store.
 *
 * Keys 0 to count - 1 of a map. Each even key has one writer, who uses every verb and knows its outcome; odd
 * keys are for all, by compare_and_swap.
 */
#ifndef STRESS_LEDGER_H
#define STRESS_LEDGER_H

#include "actor.h"

struct page {
	_Atomic uint64_t begun, done; /* the highest number that a store was begun with, and ended with */
	uint64_t version;	      /* of the last store, the owner's alone */
};

struct ledger {
	struct rcumap *map;
	uint64_t count;
	struct page *page;
};

/** Store all keys, with number 1. */
void ledger_init(struct ledger *ledger, struct actor *outer, struct rcumap *map, uint64_t count);
void ledger_fini(struct ledger *ledger);

/** For a writer: store the next number of a key, if it is his or everybody's; outside a section. */
void ledger_write(struct ledger *ledger, struct actor *me, uint64_t key);

/** In an open section of the map. `last` has the numbers that this thread has seen, one per key, at first 0. */
void ledger_read(const struct ledger *ledger, struct actor *me, uint64_t key, uint64_t *last);

/** A reader's part: sections of a few finds each, over all keys, until he is stopped. */
void ledger_read_on(const struct ledger *ledger, struct actor *me);

#endif
