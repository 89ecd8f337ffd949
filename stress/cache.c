/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#include "actor.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

#define LIFE_MS_MAX 20u

struct cache {
	uint64_t keys;
	_Atomic uint64_t begun[]; /* of each key: the highest number that a store was begun with */
};

struct cache *cache_new(const struct run *run, uint64_t keys)
{
	struct cache *cache = calloc(1, sizeof *cache + keys * sizeof cache->begun[0]);

	if (!cache)
		violation(run, "no memory");
	cache->keys = keys;
	return cache;
}

void cache_free(struct cache *cache)
{
	free(cache);
}

/* Each range of keys that is half as large is met twice as often. */
static uint64_t draw_key(struct actor *me, uint64_t i)
{
	const struct cache *cache = me->run->ctx;

	(void)i;
	return rng_below(&me->rng, cache->keys >> rng_below(&me->rng, 8));
}

/* ------------------------------------------------------------------ writing */

uint64_t cache_next_number(struct cache *cache, uint64_t key)
{
	/* seq_cst: "begun before it was found" is meant in real time; pairs with check_number(). */
	return atomic_fetch_add_explicit(&cache->begun[key], 1, memory_order_seq_cst) + 1;
}

struct renewal {
	struct cache *cache;
	uint64_t key;
};

static void renew(void *ctx, const struct sight *old, struct change *change)
{
	struct renewal *renewal = ctx;

	(void)old;
	change->number = cache_next_number(renewal->cache, renewal->key);
}

static void write_key(struct cache *cache, struct actor *me, uint64_t key)
{
	struct rcumap *map = me->run->map;
	uint64_t dice = rng_below(&me->rng, 100);
	struct renewal renewal = { cache, key };

	if (dice < 45)
		(void)actor_store(me, map, VERB_PUT, key, cache_next_number(cache, key), 0, NULL);
	else if (dice < 60)
		(void)actor_store(me, map, VERB_ADD, key, cache_next_number(cache, key), 0, NULL);
	else if (dice < 65)
		(void)actor_store(me, map, VERB_REPLACE, key, cache_next_number(cache, key), 0, NULL);
	else if (dice < 75)
		(void)actor_update(me, map, key, renew, &renewal, NULL);
	else if (dice < 85)
		(void)actor_delete(me, map, key);
	else if (dice < 90)
		(void)actor_touch(me, map, key, 1 + rng_below(&me->rng, LIFE_MS_MAX));
	else
		(void)actor_store_for(me, map, VERB_PUT, key, cache_next_number(cache, key), 0,
				      1 + rng_below(&me->rng, LIFE_MS_MAX), NULL);
}

void cache_write(struct actor *me)
{
	while (!actor_stopping(me)) {
		write_key(me->run->ctx, me, draw_key(me, 0));
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

/* ------------------------------------------------------------------ reading */

static void check_number(const struct cache *cache, struct actor *me, const struct sight *sight)
{
	uint64_t begun = atomic_load_explicit(&((struct cache *)cache)->begun[sight->key], memory_order_seq_cst);

	if (sight->number > begun)
		violation(me->run, "key %ju was found with number %ju, only %ju was ever begun", (uintmax_t)sight->key,
			  (uintmax_t)sight->number, (uintmax_t)begun);
}

void cache_read(struct actor *me)
{
	const struct cache *cache = me->run->ctx;

	while (!actor_stopping(me)) {
		section_open(me, me->run->map);
		for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS) + 1; n > 0; n--) {
			uint64_t key = draw_key(me, 0);
			struct sight copy;
			const struct sight *sight = rng_below(&me->rng, 8)		    ? section_find(me, key) :
						    actor_get(me, me->run->map, key, &copy) ? &copy :
											      NULL;

			if (sight)
				check_number(cache, me, sight);
		}
		section_close(me);
		actor_turn_reading(me);
	}
}

void cache_stay(struct actor *me)
{
	actor_stay(me, draw_key);
}
