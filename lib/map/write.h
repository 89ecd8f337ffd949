/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The write path: find the bucket, build the entry and secure the record of what will be displaced (every failure
 * happens here), publish by one compare-and-swap, retire what it displaced. On lost races, again.
 *
 * Inside a read section. Lock-free: a loop goes round again only because another operation has got on.
 */
#ifndef RCUMAP_WRITE_H
#define RCUMAP_WRITE_H

#include "map/map.h"

enum write_condition {
	WRITE_ALWAYS, /* put, delete */
	WRITE_IF_ABSENT, /* add */
	WRITE_IF_PRESENT, /* replace */
	WRITE_IF_VERSION, /* compare_and_swap, delete_if */
};

struct write_store {
	const void *key, *value;
	size_t key_size, value_size;
	enum write_condition condition;
	uint64_t expected; /* with WRITE_IF_VERSION */
	uint64_t version; /* out, on success */
	bool yield; /* out: garbage piles up, sched_yield() after the section */
};

struct write_remove {
	const void *key;
	size_t key_size;
	enum write_condition condition; /* WRITE_ALWAYS or WRITE_IF_VERSION */
	uint64_t expected;
	bool yield; /* as above */
};

/* Arguments are valid. Results as of rcumap_put(), _add() and so on. */
int write_store(struct rcumap *map, struct write_store *store);
int write_remove(struct rcumap *map, struct write_remove *remove);

/* Remove every entry of the bucket at a position in hash order; *last is set to the last hash that it covers.
 * 0, -ENOMEM, -EFAULT. */
int write_remove_all_at(struct rcumap *map, uint64_t hash, uint64_t *last);

#endif
