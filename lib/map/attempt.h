/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An operation of a writer under way: what it has got hold of, and must use or give back. Everything that can fail
 * is secured here before the compare-and-swap that publishes; nothing after it can.
 *
 * Inside a read section, one thread.
 */
#ifndef RCUMAP_ATTEMPT_H
#define RCUMAP_ATTEMPT_H

#include "map/write.h"
#include "protocol/bucket.h"

/* Entries from this size on are built outside of the section. */
#ifdef RCUMAP_DEBUG
#define BUILD_OUTSIDE_MIN 36u
#else
#define BUILD_OUTSIDE_MIN 4096u
#endif

struct attempt {
	struct rcumap *map;
	struct map_stripe *stripe;
	uint64_t hash;
	uint64_t now_us; /* the coarse clock when the operation began, before it looked at anything */
	struct rcumap_entry *entry; /* built, not published */
	retire_cell *cell; /* reserved, not filled */
	log_cell *hint_cell; /* the same, for a hint */
	uint64_t version; /* for `entry`, drawn before; 0: attempt_put() draws one */
	bool hold; /* the entry is held once, from the beginning; */
	struct rcumap_entry *held; /* here it is, once it is published */
	bool unit; /* of the limit on entries, taken for `entry` (map/evict.h); and so many bytes of that limit */
	size_t bytes;
	bool returned; /* the key had been evicted a short while before */
	bool leaves; /* its section, to build a large entry: it looks again afterwards whatever it had found */
	bool own; /* of the reclaimer's, or of who does its work: it needs no waking and no help */
	bool wake; /* the reclaimer, at the end */
	bool help, help_hints; /* the reclaimer, at the end: with what is retired; with hints */
	bool yield; /* after the section */
	unsigned failures; /* exchanges lost in a row */
};

/* What an operation has found under its key. */
struct finding {
	struct table *table;
	struct bucket_view view;
	enum {
		FOUND_NONE,
		FOUND_LIVE,
		/* Its deadline had passed, and it was claimed: the key is absent, the entry in the way. */
		FOUND_EXPIRED,
	} found;
};

/* The life of what is stored. */
struct life {
	enum {
		LIFE_ENDLESS,
		/* It ends at deadline_us. */
		LIFE_FINITE,
		/* The deadline word, if there is one, of the entry that is displaced. */
		LIFE_KEPT,
		/* None: it is a placeholder, which the reclaimer removes at deadline_us, if that is not NEVER. */
		LIFE_PLACEHOLDER,
	} kind;
	uint64_t deadline_us;
};

static inline unsigned attempt_stripe(const struct attempt *attempt)
{
	return (unsigned)(attempt->stripe - attempt->map->stripe);
}

struct attempt attempt_begin(struct rcumap *map, const void *key, size_t key_size);

/* Give back what was not used, and wake whom the operation made work for. Passes `result` through. */
int attempt_end(struct attempt *attempt, int result);

/*
 * Look for the key. 0: *finding is set and true; but if its view is frozen, who wants to change anything looks again.
 * 1: the bucket migrates, look again. -ENOMEM, -EFAULT. A writer who says that a key is absent sees to it that no touch
 * revives it, and no clock that goes backward.
 */
int attempt_look(struct attempt *attempt, const void *key, size_t key_size, struct finding *finding);

/* Give attempt->entry back: another one is needed. */
void attempt_unbuild(struct attempt *attempt);

/* Secure the record of what will be displaced; of the hint. Idempotent. 0, -ENOMEM, -EFAULT. */
int attempt_secure(struct attempt *attempt);
int attempt_secure_hint(struct attempt *attempt);

/* The life that ttl_ms, which is valid, gives from now on; 0 is not for this. */
struct life attempt_life(const struct rcumap *map, uint64_t ttl_ms);

/*
 * Store `content` for a life, under a new version: in the place of what was found, or in an EMPTY slot, for which room
 * is made. The view is not frozen. The entry is built once: content and life stay the same until attempt_unbuild().
 * 0: done, *version is set. 1: the bucket has changed, look again. -ENOMEM, -EFAULT, -EOVERFLOW: nothing happened.
 */
int attempt_put(struct attempt *attempt, struct finding *finding, const struct write_content *content,
		const struct life *life, uint64_t *version);

/* Put a copy of what was found, live, in its place: with its version, and another life, not LIFE_KEPT. Results as of
 * attempt_put(). */
int attempt_copy(struct attempt *attempt, struct finding *finding, const struct life *life);

/* Take what was found, live, out. Likewise. */
int attempt_remove(struct attempt *attempt, struct finding *finding, enum rcumap_reason reason);

/* Take out a placeholder, if one was found: whoever removes an absent key takes from a load the right to store. 0, also if
 * none was; else as attempt_put(). The view may be frozen. */
int attempt_forget(struct attempt *attempt, struct finding *finding);

/* Build an entry that never gets into the map, held once: with attempt->hold. It goes when it is released. -ENOMEM, -EFAULT,
 * -EOVERFLOW. */
int attempt_keep_apart(struct attempt *attempt, const struct write_content *content, const struct life *life);

/* The version that a stripe gives to the n-th that is drawn from it: a number of the stripe's own, then the stripe. Distinct over all
 * stripes, and never 0. */
static inline uint64_t attempt_version(unsigned stripe, uint64_t n)
{
	return (n + 1) * STRIPE_COUNT + stripe;
}

/* A number that no other entry of the map ever has, or -EOVERFLOW. */
int attempt_draw_version(struct rcumap *map, uint64_t *version);

/* Make sure that an expired entry stays so: no touch revives it from now on. False: one has. */
bool attempt_claim(const struct attempt *attempt, struct rcumap_entry *entry);

/* Is the entry alive? If not, it has been claimed. */
bool attempt_is_live(const struct attempt *attempt, struct rcumap_entry *entry);

/* Account for `entry`, which the caller has unlinked with a secured cell, and retire it. */
void attempt_retire(struct attempt *attempt, struct rcumap_entry *entry, enum rcumap_reason reason);

/* Of the entries that can be found so many more, or less, have an end. */
void attempt_count_expiring(struct attempt *attempt, int change);

/* A new arm for an entry that comes after one with the arm `before`, or 0; and, once a word with it is published, the hint, which
 * was secured before. */
uint64_t attempt_new_arm(struct attempt *attempt, uint64_t before);
void attempt_remind(struct attempt *attempt, uint64_t word);

#endif
