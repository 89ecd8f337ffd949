/* SPDX-License-Identifier: BSD-2-Clause */
/* Calls that load: how they are made, and what must hold of them besides what lincheck.h says. */
#ifndef EXPLORER_LOAD_H
#define EXPLORER_LOAD_H

#include "history.h"

struct rcumap;

/* Does it have a loader? */
bool load_is(enum verb verb);

/* rcumap_get_or_load() as the running thread. ttl_ms: of what is loaded, or remembered of the error. */
void load_apply(struct rcumap *map, struct event *event, uint64_t ttl_ms);

/* Can another call have displaced the placeholder of this one, which has loaded, before its end? */
bool load_may_be_overtaken(const struct history *history, const struct event *load);

/* Report a failure if two loaders of one key ran at a time for no reason, a call was given what was loaded before a store
 * or removal that had returned when it began, or something was stored though one came while it was loaded. */
void load_check(const struct history *history);

#endif
