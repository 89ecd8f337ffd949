/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way of a writer to the bucket that a key is to be changed in: through the chain of tables, finishing on the way
 * what others began with that bucket.
 */
#ifndef RCUMAP_ROUTE_H
#define RCUMAP_ROUTE_H

#include "protocol/migrate.h"

/*
 * Set view->line, ctl (IDLE) and tag for `hash`, and return the table. Its bucket may be one that should have
 * migrated, but could not for want of memory: then *error says so, and the bucket is usable nevertheless; else *error
 * is 0. NULL: the bucket is frozen half-way and there is no memory to finish it (*error). Inside a read section.
 * Lock-free.
 */
struct table *route_bucket(struct tables *tables, uint64_t hash, struct bucket_view *view, int *error);

#endif
