/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads do. A thread's script is a list of calls, "put a; find b; cas a":
 *
 *     put add replace cas KEY [LIFE]                    keys are the letters a to h; values are given numbers; a life is 0 to 9
 *     touch KEY [LIFE]                                  hours, without end if left out
 *     update KEY [LIFE]                                 the function stores a value, and sees which one it replaces; the
 *     update_remove KEY                                 deadline is kept if the life is left out
 *     load KEY [LIFE]                                   finds a value, or loads and stores the thread's own
 *     load_error KEY [LIFE]                             the same, but the loader fails, which is remembered for a while; not
 *                                                       at all if left out
 *     delete delete_if find ttl KEY
 *     clear grow shrink                                 the last two as the reclaimer does, start to end
 *     begin_grow begin_shrink                           only starts: the others migrate what they need
 *     reclaim                                           as the reclaimer does, with its wait for a grace period
 *     tick                                              an hour passes
 *     expire                                            as the reclaimer does, until there is nothing more to do at once; in one
 *                                                       thread alone
 *     any any_life                                      a call on one of the first keys, with any_life also ttl, touch,
 *     resize                                            update and lives; grow or shrink: the seed says which
 *
 * cas and delete_if expect the version that the thread saw last of that key; that of `before` if it saw none.
 */
#ifndef EXPLORER_SCENARIO_H
#define EXPLORER_SCENARIO_H

#include "schedule.h"
#include "subject.h"

enum scenario_kind {
	SCENARIO_PLAIN,
	SCENARIO_RECLAIMS, /* a thread does the reclaiming: none between the steps */
	SCENARIO_PLANTED,  /* it has a bug, and must fail */
};

struct scenario {
	const char *name;
	enum scenario_kind kind;
	const struct subject *subject;
	unsigned variant;   /* the map: size of its first table, MAP_SAME_HASH, MAP_LIMIT. The quota: units. A toy: which bug. */
	const char *before; /* what a single thread does first */
	const char *thread[SCHEDULE_THREADS_MAX];
};

extern const struct scenario scenarios[];
extern const unsigned scenario_count;

const struct scenario *scenario_named(const char *name);

/* The calls of a script, without thread and values, appended to calls[]; how many there are then. A bad script ends the program. */
unsigned scenario_parse(const char *script, struct event calls[], unsigned count, unsigned max);

#endif
