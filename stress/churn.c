/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys come and go. Each key has one writer, who says beforehand what he is about to do and afterwards that it is
 * done, in one word per key:
 *
 *     4 n + 0   absent: n insertions and n deletions are done
 *     4 n + 1   being inserted, with number n + 1
 *     4 n + 2   present
 *     4 n + 3   being deleted
 *
 * A reader looks at the word before and after his find. Entry n + 1 may be found only if some state from 4 n + 1 to 4 n + 3 lay
 * in between: else it is stale, or from the future. Nothing may be found only if the key was not present all the time.
 */
#include "actor.h"
#include "scenarios.h"

#include <errno.h>
#include <stdlib.h>

#define KEYS 4096u
/* In every other round only these: the same few slots empty and fill all the time. */
#define KEYS_FEW 64u
/* collide: this many keys to one hash, more than two lines hold. */
#define CROWD 12u

enum { ABSENT, INSERTING, PRESENT, DELETING };

struct churn {
	_Atomic uint64_t state[KEYS];
	uint64_t version[KEYS]; /* of the key's entry, its writer's alone */
};

static uint64_t keys_in_play(const struct run *run)
{
	return run->round % 2 ? KEYS_FEW : KEYS;
}

/* ------------------------------------------------------------------ writing */

static void set_state(struct churn *churn, uint64_t key, uint64_t state)
{
	/* seq_cst: "before" and "after" are meant in real time, as linearizability means them; pairs with get_state(). */
	atomic_store_explicit(&churn->state[key], state, memory_order_seq_cst);
}

static uint64_t get_state(const struct churn *churn, uint64_t key)
{
	return atomic_load_explicit(&churn->state[key], memory_order_seq_cst);
}

static void insert_key(struct churn *churn, struct actor *me, uint64_t key)
{
	uint64_t state = get_state(churn, key), number = state / 4 + 1;
	enum verb verb = rng_below(&me->rng, 2) ? VERB_ADD : VERB_PUT;

	if (rng_below(&me->rng, 16) == 0) {
		actor_demand(me, "delete of an absent key", key, actor_delete(me, me->run->map, key), -ENOENT);
		actor_demand(me, "replace of an absent key", key,
			     actor_store(me, me->run->map, VERB_REPLACE, key, number, 0, NULL), -ENOENT);
		actor_demand(me, "compare_and_swap of an absent key", key,
			     actor_store(me, me->run->map, VERB_SWAP, key, number, churn->version[key], NULL), -ENOENT);
		actor_demand(me, "delete_if of an absent key", key,
			     actor_delete_if(me, me->run->map, key, churn->version[key]), -ENOENT);
	}
	set_state(churn, key, state + INSERTING);
	actor_demand(me, "add or put of an absent key", key,
		     actor_store(me, me->run->map, verb, key, number, 0, &churn->version[key]), 0);
	set_state(churn, key, state + PRESENT);
}

static void delete_key(struct churn *churn, struct actor *me, uint64_t key)
{
	uint64_t state = get_state(churn, key), version = churn->version[key];

	if (rng_below(&me->rng, 16) == 0)
		actor_demand(me, "add of a present key", key,
			     actor_store(me, me->run->map, VERB_ADD, key, state / 4 + 1, 0, NULL), -EEXIST);
	set_state(churn, key, state + DELETING - PRESENT);
	if (rng_below(&me->rng, 2)) {
		actor_demand(me, "delete of a present key", key, actor_delete(me, me->run->map, key), 0);
	} else {
		actor_demand(me, "delete_if of a wrong version", key,
			     actor_delete_if(me, me->run->map, key, version + 1), -ESTALE);
		actor_demand(me, "delete_if of the right version", key, actor_delete_if(me, me->run->map, key, version),
			     0);
	}
	set_state(churn, key, state + 4 - PRESENT);
}

/* The same number once more, in another entry: the key stays present. */
static void replace_key(struct churn *churn, struct actor *me, uint64_t key)
{
	actor_demand(me, "replace of a present key", key,
		     actor_store(me, me->run->map, VERB_REPLACE, key, get_state(churn, key) / 4 + 1, 0,
				 &churn->version[key]),
		     0);
}

static void write_keys(struct actor *me)
{
	struct churn *churn = me->run->ctx;
	uint64_t writers = me->run->settings->writers, keys = keys_in_play(me->run);

	while (!actor_stopping(me)) {
		uint64_t key = rng_below(&me->rng, keys / writers) * writers + me->index;

		if (get_state(churn, key) % 4 == ABSENT)
			insert_key(churn, me, key);
		else if (rng_below(&me->rng, 4) == 0)
			replace_key(churn, me, key);
		else
			delete_key(churn, me, key);
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

/* ------------------------------------------------------------------ reading */

static void read_key(const struct churn *churn, struct actor *me, uint64_t key)
{
	uint64_t before = get_state(churn, key), after, first;
	struct sight copy;
	const struct sight *sight = &copy;

	if (rng_below(&me->rng, 8) != 0)
		sight = section_find(me, key);
	else if (!actor_get(me, me->run->map, key, &copy))
		sight = NULL;
	after = get_state(churn, key);
	if (!sight) {
		if (before == after && before % 4 == PRESENT)
			violation(me->run, "key %ju was not found, it was present all the time (state %ju)",
				  (uintmax_t)key, (uintmax_t)before);
		return;
	}
	first = 4 * (sight->number - 1);
	if (before > first + DELETING || after < first + INSERTING)
		violation(me->run,
			  "key %ju was found with number %ju, deleted before or not yet inserted (state %ju, then %ju)",
			  (uintmax_t)key, (uintmax_t)sight->number, (uintmax_t)before, (uintmax_t)after);
}

static void read_keys(struct actor *me)
{
	const struct churn *churn = me->run->ctx;
	uint64_t keys = keys_in_play(me->run);

	while (!actor_stopping(me)) {
		section_open(me, me->run->map);
		for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS) + 1; n > 0; n--)
			read_key(churn, me, rng_below(&me->rng, keys));
		section_close(me);
		actor_turn_reading(me);
	}
}

/* ------------------------------------------------------------------ the two scenarios */

static void check_states(struct actor *outer)
{
	const struct churn *churn = outer->run->ctx;

	for (uint64_t key = 0; key < KEYS; key++) {
		struct sight sight;
		bool found = actor_get(outer, outer->run->map, key, &sight);

		if (found != (get_state(churn, key) % 4 == PRESENT))
			violation(outer->run, "key %ju is %s after the round, its state is %ju", (uintmax_t)key,
				  found ? "present" : "absent", (uintmax_t)get_state(churn, key));
		flavor_quiescent(outer->run->flavor);
	}
}

static void play(struct run *run, struct rcumap_options options)
{
	struct churn *churn = calloc(1, sizeof *churn);
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys } },
			     .universe = KEYS,
			     .check = check_states };

	if (!churn)
		violation(run, "no memory");
	run->ctx = churn;
	run->map = run_create(run, options);
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	free(churn);
}

void churn_play(struct run *run)
{
	play(run, (struct rcumap_options){ .capacity = 0 });
}

/* The key's number stands first in its bytes (actor.c). */
static uint64_t crowd_hash(void *ctx, const void *key, size_t key_size)
{
	uint64_t number;

	(void)ctx;
	(void)key_size;
	__builtin_memcpy(&number, key, sizeof number);
	return number / CROWD;
}

void collide_play(struct run *run)
{
	play(run, (struct rcumap_options){ .hash = crowd_hash });
}
