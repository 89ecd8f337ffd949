/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file actor.h
 * A thread of a scenario and what it does to a map: every operation checks all that can be said about it without
 * knowing the scenario.
 *
 * What is checked here: a value is whole, and its own key's; the entry's key is the one that was asked for; what was found
 * is the same at the end of the section as when it was found; a version stands for one value of one key only;
 * outcomes are among those documented. Which number a value may have is for the scenario to judge.
 */
#ifndef STRESS_ACTOR_H
#define STRESS_ACTOR_H

#include "run.h"

#include "harness/random.h"
#include "harness/team.h"

#define ACTOR_SIGHTS 16u
#define ACTOR_VERSIONS 512u

/** What was found under a key. */
struct sight {
	const struct rcumap_entry *entry; /* NULL if it was copied out */
	uint64_t key, number, version;
};

struct actor {
	struct run *run;
	const struct part *part;
	unsigned index;			  /* in its part */
	const struct team_member *member; /* NULL for the outer thread */
	struct tally *tally;
	struct rng rng;
	struct rcumap *map; /* of the open section */
	unsigned sights;    /* found in the open section; the last ACTOR_SIGHTS are kept */
	struct sight sight[ACTOR_SIGHTS];
	struct {
		const struct rcumap *map;
		struct sight sight;
	} versions[ACTOR_VERSIONS]; /* seen lately */
	unsigned breaths;
};

enum verb {
	VERB_PUT,
	VERB_ADD,
	VERB_REPLACE,
	VERB_SWAP,
};

/** Start with a stream of random numbers of its own. */
void actor_init(struct actor *me, struct run *run, uint64_t stream);

/** Is the round over? */
bool actor_stopping(const struct actor *me);

/** After each operation, outside any section: count it, and announce a quiescent state. */
void actor_turn(struct actor *me);

/** The same for a reader, who now and then gives up the processor: with 64 readers on two of them, writers would
 * else get a thirtieth of the time, and little would ever change under the readers' eyes. */
void actor_turn_reading(struct actor *me);

/** For writers, outside any section, in each turn: pause while too much awaits reclamation. */
void actor_breathe(struct actor *me, const struct rcumap *map);

/** Let others run, as a thread that is not in a read section with any flavor. */
void actor_yield(struct actor *me);

/** Open a section. */
void section_open(struct actor *me, struct rcumap *map);
/** Look at all that was found in the section once more, and close it. */
void section_close(struct actor *me);
/** Find a key in the open section and verify what is found; NULL if absent. Good for ACTOR_SIGHTS - 1 further finds. */
const struct sight *section_find(struct actor *me, uint64_t key);

/** Hold an entry that was found in the open section, or is held already; and release it, unchanged. */
void actor_hold(struct actor *me, struct rcumap *map, const struct sight *sight);
void actor_release(struct actor *me, struct rcumap *map, const struct sight *sight);

/** The key that a reader who stays looks at in place i. */
typedef uint64_t key_fn(struct actor *me, uint64_t i);

/** In every other round: a section for half of it, or for ten seconds, with what is found of ACTOR_SIGHTS keys in hand. It stays as it
 * is, whatever becomes of the keys meanwhile. */
void actor_stay(struct actor *me, key_fn *key);

/** As section_find(), by rcumap_get(), in a section or outside. */
bool actor_get(struct actor *me, const struct rcumap *map, uint64_t key, struct sight *sight);

/** Store `number` (not 0) under a key; the library's return. `expected` is for VERB_SWAP; `version` may be NULL. */
int actor_store(struct actor *me, struct rcumap *map, enum verb verb, uint64_t key, uint64_t number, uint64_t expected,
		uint64_t *version);
/** The same with a life; actor_store() leaves it to the map. */
int actor_store_for(struct actor *me, struct rcumap *map, enum verb verb, uint64_t key, uint64_t number,
		    uint64_t expected, uint64_t ttl_ms, uint64_t *version);
int actor_touch(struct actor *me, struct rcumap *map, uint64_t key, uint64_t ttl_ms);
/** The life that a key has left; 0: it is absent. */
uint64_t actor_ttl(struct actor *me, const struct rcumap *map, uint64_t key);

/** What an update makes of a key. */
struct change {
	int verdict;	 /* 0: store `number`; RCUMAP_KEEP, RCUMAP_REMOVE */
	uint64_t number; /* not 0 */
	uint64_t ttl_ms; /* preset to RCUMAP_TTL_KEEP */
};

/** `old`: what is there, NULL if nothing is. May be called several times. */
typedef void change_fn(void *ctx, const struct sight *old, struct change *change);

/** The library's return, 0 but in a plan that `may_refuse`. */
int actor_update(struct actor *me, struct rcumap *map, uint64_t key, change_fn *fn, void *ctx, uint64_t *version);

/** What a loader makes of a key. */
struct loaded {
	int result;	 /* 0: load `number` */
	uint64_t number; /* not 0 */
	uint64_t ttl_ms; /* preset to RCUMAP_TTL_DEFAULT */
};

/** Called outside of any section; a qsbr thread is offline. */
typedef void load_fn(void *ctx, struct actor *me, uint64_t key, struct loaded *loaded);

/** get_or_load, outside of any section. `forgets_ms`: how long an error is remembered. With 0, *sight is held until
 * actor_release(). */
int actor_load(struct actor *me, struct rcumap *map, uint64_t key, load_fn *fn, void *ctx, uint64_t timeout_ms,
	       uint64_t forgets_ms, struct sight *sight);

int actor_delete(struct actor *me, struct rcumap *map, uint64_t key);
int actor_delete_if(struct actor *me, struct rcumap *map, uint64_t key, uint64_t expected);

/** A violation unless `got`, the return of `what` on a key, is `want`. */
void actor_demand(const struct actor *me, const char *what, uint64_t key, int got, int want);

/** The largest key and value that are ever stored, in bytes. */
#define ACTOR_KEY_MAX 100u
#define ACTOR_VALUE_MAX 2000u

#endif
