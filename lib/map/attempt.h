/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation of a writer under way: what it has got hold of, and must use or give back. Everything that can fail
 * is secured here before the compare-and-swap that publishes; nothing after it can.
 *
 * Inside a read section, one thread.
 */
#ifndef RCUMAP_ATTEMPT_H
#define RCUMAP_ATTEMPT_H

#include "map/map.h"
#include "protocol/bucket.h"

struct attempt {
	struct rcumap *map;
	struct map_stripe *stripe;
	uint64_t hash;
	uint64_t now_us; /* the coarse clock when the operation began, before it looked at anything */
	struct rcumap_entry *entry; /* built, not published */
	retire_cell *cell; /* reserved, not filled */
	log_cell *hint_cell; /* the same, for a hint */
	bool own; /* of the reclaimer's, or of who does its work: it needs no waking and no help */
	bool wake; /* the reclaimer, at the end */
	bool help, help_hints; /* the reclaimer, at the end: with what is retired; with hints */
	bool yield; /* after the section */
	unsigned failures; /* exchanges lost in a row */
};

/* What a view holds for the operation. */
enum found {
	FOUND_NONE,
	FOUND_LIVE,
	FOUND_EXPIRED, /* its deadline had passed, and it was claimed: the key is absent, the entry in the way */
};

/* The life of what is stored. */
struct life {
	enum {
		LIFE_ENDLESS,
		LIFE_FINITE, /* it ends at deadline_us */
		LIFE_KEPT,   /* the deadline word, if there is one, of the entry that is displaced */
	} kind;
	uint64_t deadline_us;
};

struct attempt attempt_begin(struct rcumap *map, const void *key, size_t key_size);

/* Give back what was not used, and wake whom the operation made work for. Passes `result` through. */
int attempt_end(struct attempt *attempt, int result);

/* Another operation was faster: let it finish before the line is fought for again. */
void attempt_back_off(struct attempt *attempt);

/* A number that is drawn once in the map's life, or -EOVERFLOW. */
int attempt_draw_version(struct attempt *attempt, uint64_t *version);

/* Allocate attempt->entry and fill it: version, key, value; not the deadline. 0, -ENOMEM, -EFAULT. */
int attempt_build(struct attempt *attempt, const void *key, size_t key_size, const void *value, size_t value_size,
		  uint64_t version, bool has_deadline);
/* Give it back: another one is needed. */
void attempt_unbuild(struct attempt *attempt);

/* Secure the record of what will be displaced; of the hint. Idempotent. 0, -ENOMEM, -EFAULT. */
int attempt_secure(struct attempt *attempt);
int attempt_secure_hint(struct attempt *attempt);

/* A writer who says that a key is absent sees to it that no touch revives it, and no clock that goes backward. */
enum found attempt_found(const struct attempt *attempt, const struct bucket_view *view);

/* The life that ttl_ms, which is valid, gives from now on; 0 is not for this. */
struct life attempt_life(const struct rcumap *map, uint64_t ttl_ms);

/*
 * Put attempt->entry in the place of the view's entry, or into the view's EMPTY slot. Its deadline, if it was built with
 * a word for one, is as `life` says. 0: done, attempt->entry is everybody's now. 1: the bucket has changed, look again.
 * -ENOMEM, -EFAULT: nothing happened.
 */
int attempt_displace(struct attempt *attempt, const struct table *table, struct bucket_view *view, enum found found,
		     const struct life *life);
int attempt_insert(struct attempt *attempt, const struct table *table, struct bucket_view *view,
		   const struct life *life);

/* The view has no EMPTY slot: chain a line, or let the table grow. 0: look again. -ENOMEM, -EFAULT, -EOVERFLOW. */
int attempt_make_room(struct attempt *attempt, struct table *table, struct bucket_view *view);

/* Make sure that an expired entry stays so: no touch revives it from now on. False: one has. */
bool attempt_claim(const struct attempt *attempt, struct rcumap_entry *entry);

/* Take the view's entry, live, out. As attempt_displace(). */
int attempt_remove(struct attempt *attempt, const struct table *table, struct bucket_view *view,
		   enum rcumap_reason reason);

/* Account for `entry`, which the caller has unlinked with a secured cell, and retire it. */
void attempt_retire(struct attempt *attempt, struct rcumap_entry *entry, enum rcumap_reason reason);

/* Of the entries that can be found so many more, or less, have an end. */
void attempt_count_expiring(struct attempt *attempt, int change);

/* A fresh arm; and, once a word with it is published, the hint, which was secured before. */
uint64_t attempt_draw_arm(struct attempt *attempt);
void attempt_remind(struct attempt *attempt, uint64_t word);

#endif
