/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys that live for milliseconds. Each has one writer, who stores, touches, updates and deletes it, and notes what he knows:
 * which number it has, and between which two moments its deadline lies. A life counts from a moment during the call, so the
 * deadline is that life after the clock read before the call, at the earliest, and after the clock read afterwards, at the latest.
 *
 * Nobody measures how long anything takes. The map goes by the coarse clock, which is never ahead of the exact one, and
 * no clock goes back. So whatever the scheduler does:
 *
 *     found: the deadline was after the coarse clock as it was before the call
 *     not found: the deadline was not after the exact clock as it was after the call
 *
 * A reader looks at the note before and after his find; if it is the same, and nobody is about to change it, it
 * must agree with what he found. A writer demands the same of each outcome. When a round is over, all that has a
 * deadline goes without being looked at (run.c), and what has none is still there.
 */
#include "actor.h"
#include "scenarios.h"

#include "harness/clock.h"

#include <errno.h>
#include <stdlib.h>

#define KEYS 16384u
/* In every other round only these: deadlines of keys that are written all the time. */
#define KEYS_FEW 64u
#define LIFE_MS_MAX 200u
#define LIFE_MS_DEFAULT 20u
/* Many keys share a deadline: the next multiple of this. */
#define STORM_MS 50u
#define ENDLESS UINT64_MAX

/* What is known of a key. */
struct note {
	uint64_t number;		 /* 0: absent */
	uint64_t version;		 /* not if absent */
	uint64_t earliest_us, latest_us; /* bounds of the deadline; both ENDLESS if there is none */
};

/* The note of a key, where all can read it. */
struct page {
	_Atomic uint64_t turn;	/* odd while an operation is under way */
	_Atomic uint64_t begun; /* the highest number that a store was begun with */
	_Atomic uint64_t number, version, earliest_us, latest_us;
};

struct expire {
	_Atomic uint64_t stored, touched, deleted; /* operations that were told to have succeeded */
	struct page page[KEYS];
};

/* ------------------------------------------------------------------ clocks */

static uint64_t exact_us(void)
{
	return now_ns() / 1000;
}

static uint64_t coarse_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* The clocks before an operation. */
struct before {
	uint64_t coarse_us, exact_us;
};

static struct before now(void)
{
	return (struct before){ coarse_us(), exact_us() };
}

enum fate { GONE, THERE, EITHER };

/* What an operation must have met that began at `before` and has ended. */
static enum fate fate(const struct note *note, const struct before *before)
{
	if (note->number == 0 || note->latest_us <= before->coarse_us)
		return GONE;
	return exact_us() < note->earliest_us ? THERE : EITHER;
}

/* A life has been given by an operation that began at `before`. Deadlines are rounded up to the next microsecond. */
static void set_life(struct note *note, const struct before *before, uint64_t ttl_ms)
{
	if (ttl_ms == RCUMAP_TTL_DEFAULT)
		ttl_ms = LIFE_MS_DEFAULT;
	note->earliest_us = ttl_ms == RCUMAP_TTL_NEVER ? ENDLESS : before->exact_us + ttl_ms * 1000;
	note->latest_us = ttl_ms == RCUMAP_TTL_NEVER ? ENDLESS : exact_us() + ttl_ms * 1000 + 1;
}

static uint64_t draw_life(struct actor *me)
{
	switch (rng_below(&me->rng, 16)) {
	case 0:
		return 0;
	case 1:
		return RCUMAP_TTL_NEVER;
	case 2:
	case 3:
		return RCUMAP_TTL_DEFAULT;
	case 4:
	case 5:
	case 6:
		return rng_below(&me->rng, LIFE_MS_MAX) + 1;
	case 7:
	case 8:
	case 9:
	case 10:
		return STORM_MS - exact_us() / 1000 % STORM_MS;
	default:
		return rng_below(&me->rng, 4) + 1;
	}
}

/* ------------------------------------------------------------------ notes */

/* [acquire] each pairs with page_end(): whoever reads what an operation wrote also sees that it was begun, in `turn`. */
static struct note page_read(const struct page *page)
{
	return (struct note){ .number = atomic_load_explicit(&page->number, memory_order_acquire),
			      .version = atomic_load_explicit(&page->version, memory_order_acquire),
			      .earliest_us = atomic_load_explicit(&page->earliest_us, memory_order_acquire),
			      .latest_us = atomic_load_explicit(&page->latest_us, memory_order_acquire) };
}

/* seq_cst, as in page_begin() and page_end(): "before" and "after" are meant in real time, as linearizability means them. */
static uint64_t page_turn(const struct page *page)
{
	return atomic_load_explicit(&page->turn, memory_order_seq_cst);
}

/* The key's writer begins an operation; the number that it may store. */
static uint64_t page_begin(struct page *page)
{
	/* relaxed: his own. A reader who finds the number gets it with the entry. */
	uint64_t number = atomic_load_explicit(&page->begun, memory_order_relaxed) + 1;

	atomic_store_explicit(&page->turn, page_turn(page) + 1, memory_order_seq_cst);
	atomic_store_explicit(&page->begun, number, memory_order_relaxed);
	return number;
}

static void page_end(struct page *page, const struct note *note)
{
	/* [release] each pairs with page_read(). */
	atomic_store_explicit(&page->number, note->number, memory_order_release);
	atomic_store_explicit(&page->version, note->version, memory_order_release);
	atomic_store_explicit(&page->earliest_us, note->earliest_us, memory_order_release);
	atomic_store_explicit(&page->latest_us, note->latest_us, memory_order_release);
	atomic_store_explicit(&page->turn, page_turn(page) + 1, memory_order_seq_cst);
}

/* ------------------------------------------------------------------ writing */

static void count(_Atomic uint64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed); /* summed up when all threads have ended */
}

/* Was the key there? The return of an operation tells, and must agree with the note. */
static bool was_there(const struct actor *me, const char *what, uint64_t key, const struct note *note,
		      const struct before *before, int got, int if_there, int if_gone)
{
	enum fate known = fate(note, before);

	if (known == THERE || (known == EITHER && got == if_there)) {
		actor_demand(me, what, key, got, if_there);
		return true;
	}
	actor_demand(me, what, key, got, if_gone);
	return false;
}

static void store(struct expire *expire, struct actor *me, uint64_t key, uint64_t number, struct note *note)
{
	enum verb verb = (enum verb)rng_below(&me->rng, VERB_SWAP + 1);
	uint64_t ttl_ms = draw_life(me), version = 0;
	struct before before = now();
	int r = actor_store_for(me, me->run->map, verb, key, number, note->version, ttl_ms, &version);
	bool stored;

	switch (verb) {
	case VERB_PUT:
		actor_demand(me, "put", key, r, 0);
		stored = true;
		break;
	case VERB_ADD:
		stored = !was_there(me, "add", key, note, &before, r, -EEXIST, 0);
		break;
	default:
		stored = was_there(me, "replace or compare_and_swap", key, note, &before, r, 0, -ENOENT);
		note->number = stored ? note->number : 0;
	}
	if (!stored)
		return;
	if ((version == 0) != (ttl_ms == 0))
		violation(me->run, "key %ju was stored as version %ju for %ju ms", (uintmax_t)key, (uintmax_t)version,
			  (uintmax_t)ttl_ms);
	*note = (struct note){ .number = ttl_ms ? number : 0, .version = version };
	set_life(note, &before, ttl_ms);
	if (ttl_ms)
		count(&expire->stored);
}

static void touch(struct expire *expire, struct actor *me, uint64_t key, struct note *note)
{
	uint64_t ttl_ms = draw_life(me);
	struct before before = now();
	int r = actor_touch(me, me->run->map, key, ttl_ms);

	if (was_there(me, "touch", key, note, &before, r, 0, -ENOENT) && ttl_ms) {
		set_life(note, &before, ttl_ms);
		count(&expire->touched);
	} else {
		note->number = 0;
	}
}

static void remove_key(struct expire *expire, struct actor *me, uint64_t key, struct note *note)
{
	struct before before = now();
	int r = rng_below(&me->rng, 2) ? actor_delete(me, me->run->map, key) :
					 actor_delete_if(me, me->run->map, key, note->version);

	if (was_there(me, "delete or delete_if", key, note, &before, r, 0, -ENOENT))
		count(&expire->deleted);
	note->number = 0;
}

/* An update, and what its function saw when it was last called. */
struct plan_of_change {
	struct change change;
	uint64_t seen; /* 0: the key was absent */
};

static void change(void *ctx, const struct sight *old, struct change *change)
{
	struct plan_of_change *plan = ctx;

	plan->seen = old ? old->number : 0;
	*change = plan->change;
}

/* A counter, mostly: the next number, and the deadline stays. */
static void update(struct expire *expire, struct actor *me, uint64_t key, uint64_t number, struct note *note)
{
	unsigned dice = (unsigned)rng_below(&me->rng, 16);
	struct plan_of_change plan = { .change = { .verdict = dice == 0 ? RCUMAP_REMOVE :
							      dice == 1 ? RCUMAP_KEEP :
									  0,
						   .number = number,
						   .ttl_ms = dice < 4 ? draw_life(me) : RCUMAP_TTL_KEEP } };
	uint64_t ttl_ms = plan.change.ttl_ms, version = 0;
	struct before before = now();
	bool there;

	if (plan.change.verdict)
		ttl_ms = plan.change.ttl_ms = RCUMAP_TTL_KEEP;
	actor_update(me, me->run->map, key, change, &plan, &version);
	there = was_there(me, "update's sight", key, note, &before, plan.seen ? 0 : -ENOENT, 0, -ENOENT);
	if (there && plan.seen != note->number)
		violation(me->run, "an update of key %ju saw number %ju, its only writer left %ju", (uintmax_t)key,
			  (uintmax_t)plan.seen, (uintmax_t)note->number);
	if (plan.change.verdict == RCUMAP_KEEP) {
		note->number = there ? note->number : 0;
	} else if (plan.change.verdict == RCUMAP_REMOVE || ttl_ms == 0) {
		note->number = 0;
		if (there && ttl_ms)
			count(&expire->deleted);
	} else {
		note->number = number;
		note->version = version;
		if (!there || ttl_ms != RCUMAP_TTL_KEEP)
			set_life(note, &before, ttl_ms == RCUMAP_TTL_KEEP ? RCUMAP_TTL_DEFAULT : ttl_ms);
		count(&expire->stored);
	}
	if (version != (note->number ? note->version : 0))
		violation(me->run, "an update of key %ju says that version %ju is there, not %ju", (uintmax_t)key,
			  (uintmax_t)version, (uintmax_t)note->version);
}

static uint64_t keys_in_play(const struct run *run)
{
	return run->round % 2 ? KEYS_FEW : KEYS;
}

static void write_keys(struct actor *me)
{
	struct expire *expire = me->run->ctx;
	uint64_t writers = me->run->settings->writers, keys = keys_in_play(me->run);

	while (!actor_stopping(me)) {
		uint64_t key = rng_below(&me->rng, keys / writers) * writers + me->index;
		struct page *page = &expire->page[key];
		struct note note = page_read(page);
		uint64_t number = page_begin(page);

		switch (rng_below(&me->rng, 8)) {
		case 0:
			remove_key(expire, me, key, &note);
			break;
		case 1:
		case 2:
			touch(expire, me, key, &note);
			break;
		case 3:
		case 4:
			update(expire, me, key, number, &note);
			break;
		default:
			store(expire, me, key, number, &note);
		}
		page_end(page, &note);
		actor_turn(me);
		actor_breathe(me, me->run->map);
	}
}

/* ------------------------------------------------------------------ reading */

/* The life that a key was said to have left, 0 if none, within what is known of it. */
static void check_life(struct actor *me, uint64_t key, const struct note *note, const struct before *before,
		       uint64_t ttl_ms)
{
	uint64_t after = exact_us(), least = 0, most = 0;

	if (note->number && note->latest_us > before->coarse_us)
		most = (note->latest_us - before->coarse_us + 999) / 1000;
	if (note->number && note->earliest_us > after)
		least = (note->earliest_us - after + 999) / 1000;
	if (note->number && note->latest_us == ENDLESS)
		most = least = RCUMAP_TTL_NEVER;
	if (ttl_ms < least || ttl_ms > most)
		violation(me->run, "key %ju has %ju ms left, must be %ju to %ju", (uintmax_t)key, (uintmax_t)ttl_ms,
			  (uintmax_t)least, (uintmax_t)most);
}

static void check_found(struct actor *me, const struct note *note, const struct before *before,
			const struct sight *sight)
{
	if (note->number == 0)
		violation(me->run, "key %ju was found with number %ju, it was absent all the time",
			  (uintmax_t)sight->key, (uintmax_t)sight->number);
	if (sight->number != note->number || sight->version != note->version)
		violation(me->run, "key %ju was found with number %ju, version %ju, it had %ju, %ju all the time",
			  (uintmax_t)sight->key, (uintmax_t)sight->number, (uintmax_t)sight->version,
			  (uintmax_t)note->number, (uintmax_t)note->version);
	if (note->latest_us <= before->coarse_us)
		violation(me->run, "key %ju was found %ju us after its deadline", (uintmax_t)sight->key,
			  (uintmax_t)(before->coarse_us - note->latest_us));
}

static void read_key(const struct expire *expire, struct actor *me, uint64_t key)
{
	const struct page *page = &expire->page[key];
	uint64_t turn = page_turn(page), ttl_ms;
	struct note note = page_read(page);
	struct before before = now();
	struct sight copy;
	const struct sight *sight = &copy;
	enum fate known;

	if (rng_below(&me->rng, 8) != 0)
		sight = section_find(me, key);
	else if (!actor_get(me, me->run->map, key, &copy))
		sight = NULL;
	known = fate(&note, &before);
	ttl_ms =
		sight && sight->entry ? rcumap_entry_ttl(me->run->map, sight->entry) : actor_ttl(me, me->run->map, key);
	/* relaxed: whoever stored what was found had begun before, and its publication brings that along. */
	if (sight && sight->number > atomic_load_explicit(&page->begun, memory_order_relaxed))
		violation(me->run, "key %ju has number %ju, which nobody has begun to store", (uintmax_t)key,
			  (uintmax_t)sight->number);
	if (turn % 2 || page_turn(page) != turn)
		return;
	if (sight)
		check_found(me, &note, &before, sight);
	else if (known == THERE)
		violation(me->run, "key %ju was not found, %ju us before its deadline or more", (uintmax_t)key,
			  (uintmax_t)(note.earliest_us - before.exact_us));
	check_life(me, key, &note, &before, ttl_ms);
}

static void read_keys(struct actor *me)
{
	const struct expire *expire = me->run->ctx;
	uint64_t keys = keys_in_play(me->run);

	while (!actor_stopping(me)) {
		section_open(me, me->run->map);
		for (uint64_t n = rng_below(&me->rng, ACTOR_SIGHTS) + 1; n > 0; n--)
			read_key(expire, me, rng_below(&me->rng, keys));
		section_close(me);
		actor_turn_reading(me);
	}
}

/* ------------------------------------------------------------------ with nobody writing */

/* All deadlines have passed, and nobody has looked at a key since. */
static void check_rest(struct actor *outer)
{
	const struct expire *expire = outer->run->ctx;
	struct rcumap_stats stats = run_stats(outer->run, outer->run->map);
	uint64_t endless = 0, warmed = outer->run->warmed;
	/* relaxed: all threads have ended. */
	uint64_t stored = atomic_load_explicit(&expire->stored, memory_order_relaxed) + warmed;
	uint64_t touched = atomic_load_explicit(&expire->touched, memory_order_relaxed);
	uint64_t deleted = atomic_load_explicit(&expire->deleted, memory_order_relaxed) + warmed;

	for (uint64_t key = 0; key < KEYS; key++) {
		struct note note = page_read(&expire->page[key]);
		bool lives = note.number && note.latest_us == ENDLESS;
		struct sight sight;

		endless += lives;
		if (actor_get(outer, outer->run->map, key, &sight) != lives)
			violation(outer->run, "key %ju is %s at rest, number %ju, its life is %s", (uintmax_t)key,
				  lives ? "absent" : "present", (uintmax_t)note.number, lives ? "endless" : "over");
		flavor_quiescent(outer->run->flavor);
	}
	if (stats.entries != endless)
		violation(outer->run, "stats say %ju entries at rest, %ju have an endless life",
			  (uintmax_t)stats.entries, (uintmax_t)endless);
	/* A touch may put a copy in an entry's place. */
	if (stats.inserted + stats.replaced < stored || stats.inserted + stats.replaced > stored + touched)
		violation(outer->run, "%ju stores and %ju touches succeeded, stats say %ju inserted and %ju replaced",
			  (uintmax_t)stored, (uintmax_t)touched, (uintmax_t)stats.inserted, (uintmax_t)stats.replaced);
	if (stats.deleted != deleted)
		violation(outer->run, "%ju deletes succeeded, stats say %ju deleted", (uintmax_t)deleted,
			  (uintmax_t)stats.deleted);
}

void expire_play(struct run *run)
{
	struct expire *expire = calloc(1, sizeof *expire);
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys } },
			     .universe = KEYS,
			     .slack_bytes = RUN_RESTING_BYTES,
			     .check = check_rest };

	if (!expire)
		violation(run, "no memory");
	run->ctx = expire;
	run->map = run_create(run, (struct rcumap_options){ .default_ttl_ms = LIFE_MS_DEFAULT });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	free(expire);
}
