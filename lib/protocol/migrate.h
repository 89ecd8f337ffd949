/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Moving the entries of a table into the next one, a group of buckets at a time (S3): one bucket into two, or two into three,
 * when growing, and back when shrinking. Anyone may migrate any group at any time, together with others, and stop anywhere;
 * nobody waits.
 *
 * Invariants
 * M1 A source becomes MIGRATED only when all sources of its group are frozen whole and every slot of the targets is
 *    filled.
 * M2 What goes where follows from the frozen words and where they stand, so all who fill write the same words.
 * M3 A target opens (INIT to IDLE) only after all its sources are MIGRATED. Until then nobody but migrators writes
 *    there.
 * M4 The targets have room for all words of the group when the last source is frozen: helpers never allocate.
 */
#ifndef RCUMAP_MIGRATE_H
#define RCUMAP_MIGRATE_H

#include "protocol/bucket.h"

/* Groups of `table`'s buckets, which migrates into `next`. */
uint64_t migrate_groups(const struct table *table, const struct table *next);

/* Migrate the group of the bucket that `hash` belongs to; `table` has a next. 0: the bucket is MIGRATED and its
 * targets are open. -ENOMEM, -EFAULT: no memory for overflow lines; what was not frozen before is usable as before.
 * Lock-free. */
int migrate_bucket(struct tables *tables, struct table *table, uint64_t hash);

/*
 * Migrate up to `groups` groups of the current table in order, and advance to the next table when all are done.
 * 0: there is more to do, or nothing under way; -ENOMEM, -EFAULT: as migrate_bucket().
 * *retired is set to a table that the caller must retire, or NULL. Lock-free.
 */
int migrate_sweep(struct tables *tables, uint64_t groups, struct table **retired);

#endif
