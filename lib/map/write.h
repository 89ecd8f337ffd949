/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations that write: find the bucket, build the entry and secure what must not fail later (attempt.h), publish
 * by one compare-and-swap, retire what it displaced. On lost races, again.
 *
 * Inside a read section; arguments are valid. Lock-free: a loop goes round again only because another operation has
 * got on. `yield`, out: garbage piles up, sched_yield() after the section.
 */
#ifndef RCUMAP_WRITE_H
#define RCUMAP_WRITE_H

#include "map/map.h"

/* put and delete; add; replace; compare_and_swap and delete_if. */
enum write_condition {
	WRITE_ALWAYS,
	WRITE_IF_ABSENT,
	WRITE_IF_PRESENT,
	WRITE_IF_VERSION,
};

struct write_content {
	const void *key;
	size_t key_size;
	const void *value;
	size_t value_size;
};

struct write_store {
	struct write_content content;
	uint64_t ttl_ms;
	enum write_condition condition;
	uint64_t expected; /* with WRITE_IF_VERSION */
	uint64_t version; /* out, on success */
	struct rcumap_entry *built; /* with that content, without an end, and not published; or NULL. The store's from now on */
	bool yield;
};

struct write_remove {
	const void *key;
	size_t key_size;
	enum write_condition condition; /* WRITE_ALWAYS or WRITE_IF_VERSION */
	uint64_t expected;
	enum rcumap_reason reason;
	bool yield;
};

struct write_touch {
	const void *key;
	size_t key_size;
	uint64_t ttl_ms; /* not 0 */
	bool yield;
};

struct write_update {
	const void *key;
	size_t key_size;
	rcumap_update_fn *fn;
	void *ctx;
	uint64_t version; /* out, on success */
	bool yield;
};

/* Results as of rcumap_put(), _add() and so on. */
int write_store(struct rcumap *map, struct write_store *store);
int write_remove(struct rcumap *map, struct write_remove *remove);
int write_touch(struct rcumap *map, struct write_touch *touch);
int write_update(struct rcumap *map, struct write_update *update);

/* Remove every entry of the bucket at a position in hash order; *last is set to the last hash that it covers.
 * 0, -ENOMEM, -EFAULT. */
int write_remove_all_at(struct rcumap *map, uint64_t hash, uint64_t *last);

/*
 * Look at the place that a hint, of which the bits `known` are (layout/deadline.h), reminds of: remove what has expired there
 * and is its own. 0: the hint is of no more use. 1: keep it until *deadline_us. -ENOMEM, -EFAULT: something has expired, but could not be removed.
 */
int write_expire(struct rcumap *map, uint64_t hint, uint64_t known, uint64_t *deadline_us);

/* A put that overwrite() (map/overwrite.h) has left, with what that has built. Outside of the section. */
int write_put_in_steps(struct rcumap *map, const struct write_content *content, uint64_t *version, struct rcumap_entry *built);

/* A value that can be stored; a life that can be given. 0, -EINVAL, -EFBIG; -ERANGE. */
int write_check_value(const void *value, size_t value_size);
int write_check_ttl(uint64_t ttl_ms);

#endif
