/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Expiry without any access: hints, each of which reminds of a living entry with a deadline (layout/deadline.h). Writers
 * put them into a log; the reclaimer takes them out, looks at each, and files it in the timing wheel until its time.
 *
 * Looking (write_expire()) is all there is to do with a hint, when it comes from the log, when its slot of the wheel is due,
 * and when the wheel is compacted: what has expired is removed, what is void dropped, all else filed again.
 *
 * That work is done by one thread at a time, for which nobody waits: the reclaimer, or, when it is late, a writer who has
 * filled a block of the log.
 *
 * Invariants
 * H1 Each entry that can be found and has a finite deadline, and each placeholder that ends by itself
 *    (layout/placeholder.h), has a hint with its arm: in a cell of the log that is reserved or filled, in the hands of
 *    whoever is at work, or in the wheel; there for a tick that is not after its deadline's.
 * H2 The wheel holds at most twice as many hints as there are entries with a deadline, and HINTS_SLACK, before it is
 *    compacted. For each block of the log that a writer fills, BLOCKS_LATE waiting, he has two looked at.
 *    A pass drops void ones but for those that pass for good (layout/deadline.h).
 */
#ifndef RCUMAP_EXPIRY_H
#define RCUMAP_EXPIRY_H

#include "map/map.h"

void expiry_init(struct rcumap *map);

/* At the end, alone with the map. */
void expiry_fini(struct rcumap *map);

/* A writer: as log_reserve(). *late: the reclaimer is; help, at the end of the operation. */
int expiry_reserve(struct rcumap *map, log_cell **cell, bool *late);

/* A writer, inside his section: some of what waits. Lock-free. */
void expiry_help(struct rcumap *map);

/* The reclaimer, inside a read section: a bounded share of what is to be looked at. True: there is more at once. Else
 * *sleep_ns is lowered to when it should look again. */
bool expiry_turn(struct rcumap *map, uint64_t *sleep_ns);

/* The reclaimer: blocks of the log that have been emptied, to be freed a grace period from now. NULL: none. */
struct log_block *expiry_drained(struct rcumap *map);

/* Keep others from working, as around fork(). */
void expiry_lock(struct rcumap *map);
void expiry_unlock(struct rcumap *map);

/* In a child of fork(), alone with the map. */
void expiry_adopt(struct rcumap *map);

/* Anyone: hints that are kept, and the memory they take. */
uint64_t expiry_hints(const struct rcumap *map);
uint64_t expiry_bytes(const struct rcumap *map);

#endif
