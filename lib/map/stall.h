/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Readers who hold back reclamation: told to the user's callback `stalled`, and counted. What is measured is the age of the
 * grace period that the map's batch waits for; its reader has been inside for longer.
 */
#ifndef RCUMAP_STALL_H
#define RCUMAP_STALL_H

#include "map/map.h"

/* The reclaimer, with nothing held, its section paused: report what is due. *sleep_ns is lowered to when it should look
 * again. */
void stall_turn(struct rcumap *map, uint64_t *sleep_ns);

/* The age of the reader who holds back reclamation now, if that is stall_ms or more; else 0. Any thread. Wait-free. */
uint64_t stall_ms(const struct rcumap *map);

#endif
