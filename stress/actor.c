/* SPDX-License-Identifier: BSD-2-Clause */
#include "actor.h"

#include "harness/clock.h"
#include "harness/payload.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

/* One in so many sections goes on while others have the processor; one in so many turns of a reader gives it up outside of any
 * section. Measured on two processors with 64 readers and 4 writers: these leave half of the time to each. */
#define LINGER 32u
#define PAUSE 16u
#define STAY_NS_MAX UINT64_C(10000000000)

struct key {
	size_t size;
	unsigned char bytes[ACTOR_KEY_MAX];
};

/* The size follows from the number, the number stands first, so keys are distinct. */
static void key_make(struct key *key, uint64_t number)
{
	static const unsigned char sizes[] = { 8, 8, 12, 16, 16, 21, 40, ACTOR_KEY_MAX };
	uint64_t fill = rng_mix(number + 1);

	key->size = sizes[fill % sizeof sizes];
	memcpy(key->bytes, &number, 8);
	memset(key->bytes + 8, (int)(fill >> 56), key->size - 8);
}

/* Mostly small; one in 64 too large for an allocator of small blocks. */
static size_t value_size(uint64_t key, uint64_t number)
{
	uint64_t h = rng_mix(rng_mix(key) + number);

	if (h % 64 == 0)
		return ACTOR_VALUE_MAX - (h >> 8) % 900;
	return PAYLOAD_SIZE_MIN + (h >> 8) % 48;
}

void actor_init(struct actor *me, struct run *run, uint64_t stream)
{
	memset(me, 0, sizeof *me);
	me->run = run;
	rng_init_stream(&me->rng, run->settings->seed, (uint64_t)run->round << 32 | stream);
}

bool actor_stopping(const struct actor *me)
{
	return me->member && team_stopping(me->member);
}

void actor_turn(struct actor *me)
{
	/* relaxed: a statistic, written by this thread alone. */
	uint64_t n = atomic_load_explicit(&me->tally->operations, memory_order_relaxed);

	atomic_store_explicit(&me->tally->operations, n + 1, memory_order_relaxed);
	flavor_quiescent(me->run->flavor);
}

void actor_yield(struct actor *me)
{
	flavor_offline(me->run->flavor);
	sched_yield();
	flavor_online(me->run->flavor);
}

void actor_turn_reading(struct actor *me)
{
	actor_turn(me);
	if (rng_below(&me->rng, PAUSE) == 0)
		actor_yield(me);
}

void actor_breathe(struct actor *me, const struct rcumap *map)
{
	if (++me->breaths % 64 != 0)
		return;
	while (!actor_stopping(me) && run_stats(me->run, map).retired_pending > RUN_PENDING_MAX)
		actor_yield(me);
}

void actor_demand(const struct actor *me, const char *what, uint64_t key, int got, int want)
{
	if (got != want)
		violation(me->run, "%s of key %ju returned %d, not %d", what, (uintmax_t)key, got, want);
}

/* ------------------------------------------------------------------ what is found */

static void verify_value(const struct actor *me, const char *when, uint64_t key, const void *value, size_t size,
			 uint64_t *number)
{
	enum payload_verdict verdict = payload_verify(value, size, key, number);

	if (verdict != PAYLOAD_OK)
		violation(me->run, "key %ju has a value of %zu bytes that is %s, %s", (uintmax_t)key, size,
			  payload_verdict_name(verdict), when);
	if (size != value_size(key, *number))
		violation(me->run, "key %ju has a value of %zu bytes, its number %ju means %zu, %s", (uintmax_t)key,
			  size, (uintmax_t)*number, value_size(key, *number), when);
}

static struct sight look(const struct actor *me, const char *when, uint64_t key, const struct rcumap_entry *entry)
{
	struct sight sight = { .entry = entry, .key = key };
	struct key k;

	key_make(&k, key);
	if (rcumap_entry_key_size(entry) != k.size || memcmp(rcumap_entry_key(entry), k.bytes, k.size) != 0)
		violation(me->run, "the entry of key %ju has another key, %s", (uintmax_t)key, when);
	verify_value(me, when, key, rcumap_entry_value(entry), rcumap_entry_value_size(entry), &sight.number);
	sight.version = rcumap_entry_version(entry);
	if (sight.version == 0)
		violation(me->run, "the entry of key %ju has version 0, %s", (uintmax_t)key, when);
	return sight;
}

/* A version seen before must stand for the same value. */
static void verify_version(struct actor *me, const struct rcumap *map, const struct sight *sight)
{
	size_t i = rng_mix(sight->version) % ACTOR_VERSIONS;
	const struct sight *before = &me->versions[i].sight;

	if (me->versions[i].map == map && before->version == sight->version &&
	    (before->key != sight->key || before->number != sight->number))
		violation(me->run, "version %ju was used twice: key %ju number %ju, then key %ju number %ju",
			  (uintmax_t)sight->version, (uintmax_t)before->key, (uintmax_t)before->number,
			  (uintmax_t)sight->key, (uintmax_t)sight->number);
	me->versions[i].map = map;
	me->versions[i].sight = *sight;
}

/* What was found must still be what it was. */
static void verify_unchanged(const struct actor *me, const char *when, const struct sight *then)
{
	struct sight now = look(me, when, then->key, then->entry);

	if (now.number != then->number || now.version != then->version)
		violation(me->run, "the entry of key %ju changed: number %ju version %ju, then %ju %ju, %s",
			  (uintmax_t)then->key, (uintmax_t)then->number, (uintmax_t)then->version,
			  (uintmax_t)now.number, (uintmax_t)now.version, when);
}

void section_open(struct actor *me, struct rcumap *map)
{
	rcumap_read_lock(map);
	me->map = map;
	me->sights = 0;
}

const struct sight *section_find(struct actor *me, uint64_t key)
{
	struct sight *sight = &me->sight[me->sights % ACTOR_SIGHTS];
	const struct rcumap_entry *entry;
	struct key k;

	key_make(&k, key);
	entry = rcumap_find(me->map, k.bytes, k.size);
	if (!entry)
		return NULL;
	*sight = look(me, "when found", key, entry);
	verify_version(me, me->map, sight);
	me->sights++;
	return sight;
}

void section_close(struct actor *me)
{
	/* Now and then a section is a long one: it began before what others do meanwhile, and ends after. */
	if (rng_below(&me->rng, LINGER) == 0)
		sched_yield();
	for (unsigned i = 0; i < me->sights && i < ACTOR_SIGHTS; i++)
		verify_unchanged(me, "at the end of the section it was found in", &me->sight[i]);
	rcumap_read_unlock(me->map);
	me->map = NULL;
}

void actor_stay(struct actor *me, key_fn *key)
{
	uint64_t ns = me->run->ns / RUN_ROUNDS / 2, end = now_ns() + (ns < STAY_NS_MAX ? ns : STAY_NS_MAX);

	if (me->run->round % 2 == 0)
		return;
	section_open(me, me->run->map);
	for (uint64_t i = 0; i < ACTOR_SIGHTS; i++)
		(void)section_find(me, key(me, i));
	while (!actor_stopping(me) && now_ns() < end)
		sleep_ns(1000000);
	section_close(me);
	actor_turn(me);
}

void actor_hold(struct actor *me, struct rcumap *map, const struct sight *sight)
{
	actor_demand(me, "hold", sight->key, rcumap_hold(map, sight->entry), 0);
}

void actor_release(struct actor *me, struct rcumap *map, const struct sight *sight)
{
	verify_unchanged(me, "while it was held", sight);
	rcumap_release(map, sight->entry);
}

bool actor_get(struct actor *me, const struct rcumap *map, uint64_t key, struct sight *sight)
{
	unsigned char value[ACTOR_VALUE_MAX];
	bool roomy = rng_below(&me->rng, 8) != 0;
	size_t size = 0;
	struct key k;
	int r;

	*sight = (struct sight){ .key = key };
	key_make(&k, key);
	r = rcumap_get(map, k.bytes, k.size, value, roomy ? sizeof value : PAYLOAD_SIZE_MIN - 1, &size,
		       &sight->version);
	if (r == -ENOENT)
		return false;
	if (!roomy) {
		actor_demand(me, "get with a small buffer", key, r, -ENOBUFS);
		r = rcumap_get(map, k.bytes, k.size, value, sizeof value, &size, &sight->version);
		if (r == -ENOENT)
			return false;
	}
	actor_demand(me, "get", key, r, 0);
	verify_value(me, "copied by get", key, value, size, &sight->number);
	verify_version(me, map, sight);
	return true;
}

/* ------------------------------------------------------------------ what is written */

/* With good input and enough memory there are no other outcomes; 0 stands for "none" as well. */
static int verify_outcome(const struct actor *me, const char *what, uint64_t key, int got, int refusal, int other)
{
	if (got != 0 && got != refusal && got != other)
		violation(me->run, "%s of key %ju returned %d", what, (uintmax_t)key, got);
	return got;
}

/* What takes memory, and may be refused for want of it. */
static int verify_storing(const struct actor *me, const char *what, uint64_t key, int got, int refusal, int other)
{
	return got == -ENOSPC && me->run->plan->may_refuse ? got : verify_outcome(me, what, key, got, refusal, other);
}

int actor_store_for(struct actor *me, struct rcumap *map, enum verb verb, uint64_t key, uint64_t number,
		    uint64_t expected, uint64_t ttl_ms, uint64_t *version)
{
	unsigned char value[ACTOR_VALUE_MAX];
	size_t size = value_size(key, number);
	struct key k;

	key_make(&k, key);
	payload_fill(value, size, key, number);
	switch (verb) {
	case VERB_PUT:
		return verify_storing(me, "put", key, rcumap_put(map, k.bytes, k.size, value, size, ttl_ms, version), 0,
				      0);
	case VERB_ADD:
		return verify_storing(me, "add", key, rcumap_add(map, k.bytes, k.size, value, size, ttl_ms, version),
				      -EEXIST, 0);
	case VERB_REPLACE:
		return verify_storing(me, "replace", key,
				      rcumap_replace(map, k.bytes, k.size, value, size, ttl_ms, version), -ENOENT, 0);
	case VERB_SWAP:
		return verify_storing(
			me, "compare_and_swap", key,
			rcumap_compare_and_swap(map, k.bytes, k.size, expected, value, size, ttl_ms, version), -ENOENT,
			-ESTALE);
	}
	violation(me->run, "verb %d does not exist", verb);
}

int actor_store(struct actor *me, struct rcumap *map, enum verb verb, uint64_t key, uint64_t number, uint64_t expected,
		uint64_t *version)
{
	return actor_store_for(me, map, verb, key, number, expected, RCUMAP_TTL_DEFAULT, version);
}

int actor_touch(struct actor *me, struct rcumap *map, uint64_t key, uint64_t ttl_ms)
{
	struct key k;

	key_make(&k, key);
	return verify_storing(me, "touch", key, rcumap_touch(map, k.bytes, k.size, ttl_ms), -ENOENT, 0);
}

uint64_t actor_ttl(struct actor *me, const struct rcumap *map, uint64_t key)
{
	uint64_t ttl_ms = 0;
	struct key k;
	int r;

	key_make(&k, key);
	r = verify_outcome(me, "ttl", key, rcumap_ttl(map, k.bytes, k.size, &ttl_ms), -ENOENT, 0);
	if (r == 0 && ttl_ms == 0)
		violation(me->run, "ttl of key %ju is 0, and it is said to be present", (uintmax_t)key);
	return ttl_ms;
}

/* One update: what the library hands through to decide(). */
struct update {
	struct actor *me;
	uint64_t key;
	change_fn *fn;
	void *ctx;
	unsigned char value[ACTOR_VALUE_MAX];
};

static int decide(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct update *update = ctx;
	struct change change = { .ttl_ms = value->ttl_ms };
	struct sight sight;

	if (value->data || value->size || value->ttl_ms != RCUMAP_TTL_KEEP)
		violation(update->me->run, "update of key %ju presets something else than is documented",
			  (uintmax_t)update->key);
	if (old)
		sight = look(update->me, "in an update", update->key, old);
	update->fn(update->ctx, old ? &sight : NULL, &change);
	value->ttl_ms = change.ttl_ms;
	if (change.verdict == 0) {
		value->data = update->value;
		value->size = value_size(update->key, change.number);
		payload_fill(update->value, value->size, update->key, change.number);
	}
	return change.verdict;
}

int actor_update(struct actor *me, struct rcumap *map, uint64_t key, change_fn *fn, void *ctx, uint64_t *version)
{
	struct update update = { .me = me, .key = key, .fn = fn, .ctx = ctx };
	struct key k;

	key_make(&k, key);
	return verify_storing(me, "update", key, rcumap_update(map, k.bytes, k.size, decide, &update, version), 0, 0);
}

/* One get_or_load: what the library hands through to load(). */
struct load {
	struct actor *me;
	uint64_t key;
	load_fn *fn;
	void *ctx;
	unsigned char *value; /* as a loader has it: it must be given back */
};

static int load(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	struct load *load = ctx;
	struct loaded loaded = { .ttl_ms = value->ttl_ms };

	if (value->data || value->size || value->ttl_ms != RCUMAP_TTL_DEFAULT || key_size < 8 || memcmp(key, &load->key, 8))
		violation(load->me->run, "a load of key %ju begins with something else than is documented",
			  (uintmax_t)load->key);
	load->fn(load->ctx, load->me, load->key, &loaded);
	if (loaded.result)
		return loaded.result;
	value->ttl_ms = loaded.ttl_ms;
	value->size = value_size(load->key, loaded.number);
	value->data = load->value = malloc(value->size);
	if (!load->value)
		violation(load->me->run, "no memory");
	payload_fill(load->value, value->size, load->key, loaded.number);
	return 0;
}

static void unload(void *ctx, const struct rcumap_value *value)
{
	struct load *load = ctx;

	if (value->data != load->value || !load->value)
		violation(load->me->run, "of key %ju something is given back that was not loaded", (uintmax_t)load->key);
	free(load->value);
	load->value = NULL;
}

int actor_load(struct actor *me, struct rcumap *map, uint64_t key, load_fn *fn, void *ctx, uint64_t timeout_ms,
	       uint64_t forgets_ms, struct sight *sight)
{
	struct load what = { .me = me, .key = key, .fn = fn, .ctx = ctx };
	struct rcumap_loader loader = { .size = sizeof loader,
					.load = load,
					.unload = unload,
					.ctx = &what,
					.timeout_ms = timeout_ms,
					.absent_ttl_ms = forgets_ms,
					.error_ttl_ms = forgets_ms };
	const struct rcumap_entry *entry;
	struct key k;
	int r;

	key_make(&k, key);
	r = rcumap_get_or_load(map, k.bytes, k.size, &loader, &entry);
	if (what.value)
		violation(me->run, "a value of key %ju was loaded and not given back", (uintmax_t)key);
	if (r == 0) {
		*sight = look(me, "when loaded", key, entry);
		verify_version(me, map, sight);
	}
	return r;
}

int actor_delete(struct actor *me, struct rcumap *map, uint64_t key)
{
	struct key k;

	key_make(&k, key);
	return verify_outcome(me, "delete", key, rcumap_delete(map, k.bytes, k.size), -ENOENT, 0);
}

int actor_delete_if(struct actor *me, struct rcumap *map, uint64_t key, uint64_t expected)
{
	struct key k;

	key_make(&k, key);
	return verify_outcome(me, "delete_if", key, rcumap_delete_if(map, k.bytes, k.size, expected), -ENOENT, -ESTALE);
}
