/* SPDX-License-Identifier: BSD-2-Clause */
#include "ledger.h"

#include <errno.h>
#include <stdlib.h>

static void store_max(_Atomic uint64_t *to, uint64_t number)
{
	uint64_t now = atomic_load_explicit(to, memory_order_relaxed);

	/* [release] what was done before, the store itself in the case of `done`, is seen by whoever acquires the number in
	 * ledger_read(). */
	while (now < number &&
	       !atomic_compare_exchange_weak_explicit(to, &now, number, memory_order_release, memory_order_relaxed))
		;
}

void ledger_init(struct ledger *ledger, struct actor *outer, struct rcumap *map, uint64_t count)
{
	ledger->map = map;
	ledger->count = count;
	ledger->page = calloc(count, sizeof ledger->page[0]);
	if (!ledger->page)
		violation(outer->run, "no memory for a ledger of %ju keys", (uintmax_t)count);
	for (uint64_t key = 0; key < count; key++) {
		struct page *page = &ledger->page[key];

		actor_demand(outer, "add", key, actor_store(outer, map, VERB_ADD, key, 1, 0, &page->version), 0);
		atomic_init(&page->begun, 1);
		atomic_init(&page->done, 1);
	}
}

void ledger_fini(struct ledger *ledger)
{
	free(ledger->page);
}

/* ------------------------------------------------------------------ writing */

/* Nobody else writes this key. */
static void write_own(struct ledger *ledger, struct actor *me, uint64_t key)
{
	struct page *page = &ledger->page[key];
	/* relaxed: this thread's own. */
	uint64_t number = atomic_load_explicit(&page->done, memory_order_relaxed) + 1, old = page->version;
	enum verb verb = (enum verb[]){ VERB_PUT, VERB_REPLACE, VERB_SWAP }[rng_below(&me->rng, 3)];

	store_max(&page->begun, number);
	actor_demand(me, "put, replace or compare_and_swap", key,
		     actor_store(me, ledger->map, verb, key, number, old, &page->version), 0);
	store_max(&page->done, number);
	if (page->version == 0 || page->version == old)
		violation(me->run, "key %ju was stored as version %ju after %ju", (uintmax_t)key,
			  (uintmax_t)page->version, (uintmax_t)old);
	if (rng_below(&me->rng, 16) == 0) {
		actor_demand(me, "add to a present key", key,
			     actor_store(me, ledger->map, VERB_ADD, key, number + 1, 0, NULL), -EEXIST);
		actor_demand(me, "compare_and_swap of an old version", key,
			     actor_store(me, ledger->map, VERB_SWAP, key, number + 1, old, NULL), -ESTALE);
		actor_demand(me, "delete_if of an old version", key, actor_delete_if(me, ledger->map, key, old),
			     -ESTALE);
	}
}

/* Once; whoever else stores the next number instead counts as well. */
static void write_shared(struct ledger *ledger, struct actor *me, uint64_t key)
{
	struct page *page = &ledger->page[key];
	struct sight old;
	uint64_t version;
	int r;

	if (!actor_get(me, ledger->map, key, &old))
		violation(me->run, "key %ju is absent, it is never deleted", (uintmax_t)key);
	store_max(&page->begun, old.number + 1);
	r = actor_store(me, ledger->map, VERB_SWAP, key, old.number + 1, old.version, &version);
	if (r == 0)
		store_max(&page->done, old.number + 1);
	else
		actor_demand(me, "compare_and_swap of a present key", key, r, -ESTALE);
}

void ledger_write(struct ledger *ledger, struct actor *me, uint64_t key)
{
	if (key % 2)
		write_shared(ledger, me, key);
	else if (key / 2 % me->run->settings->writers == me->index)
		write_own(ledger, me, key);
}

/* ------------------------------------------------------------------ reading */

void ledger_read(const struct ledger *ledger, struct actor *me, uint64_t key, uint64_t *last)
{
	struct page *page = &ledger->page[key];
	/* [acquire] pairs with store_max(): that store has ended, so what is found is it or a later one. */
	uint64_t done = atomic_load_explicit(&page->done, memory_order_acquire), begun;
	struct sight copy;
	const struct sight *sight = &copy;

	if (rng_below(&me->rng, 8) != 0)
		sight = section_find(me, key);
	else if (!actor_get(me, ledger->map, key, &copy))
		sight = NULL;
	/* relaxed: whoever stored what was found had begun before, and its publication brings that along. */
	begun = atomic_load_explicit(&page->begun, memory_order_relaxed);
	if (!sight)
		violation(me->run, "key %ju is absent, it is never deleted", (uintmax_t)key);
	if (sight->number < done || sight->number > begun || sight->number < last[key])
		violation(me->run, "key %ju has number %ju: stored before was %ju, seen before %ju, begun %ju",
			  (uintmax_t)key, (uintmax_t)sight->number, (uintmax_t)done, (uintmax_t)last[key],
			  (uintmax_t)begun);
	last[key] = sight->number;
}

void ledger_read_on(const struct ledger *ledger, struct actor *me)
{
	uint64_t *last = calloc(ledger->count, sizeof *last);

	if (!last)
		violation(me->run, "no memory for a reader");
	while (!actor_stopping(me)) {
		section_open(me, ledger->map);
		for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS) + 1; n > 0; n--)
			ledger_read(ledger, me, rng_below(&me->rng, ledger->count), last);
		section_close(me);
		actor_turn_reading(me);
	}
	free(last);
}
