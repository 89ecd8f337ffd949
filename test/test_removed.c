/* SPDX-License-Identifier: BSD-2-Clause */
/* options.removed: each entry that goes is told of once, with its reason; what the callback may do, and what not. */
#include "allocator_fixture.h"

#include <urcu/flavor.h>

/* What was told, in order. Written by the reclaimer's thread, read after a barrier or the map's end. */
#define TOLD_MAX 64u

struct told {
	struct rcumap *map; /* for callbacks that call it */
	unsigned n;
	struct {
		uint64_t key, value, version;
		enum rcumap_reason reason;
	} of[TOLD_MAX];
};

static uint64_t number_of(const void *bytes)
{
	uint64_t number;

	memcpy(&number, bytes, sizeof number);
	return number;
}

static void note(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct told *told = ctx;
	unsigned i = told->n++;

	if (i >= TOLD_MAX || rcumap_entry_key_size(entry) != 8 || rcumap_entry_value_size(entry) != 8)
		return;
	told->of[i].key = number_of(rcumap_entry_key(entry));
	told->of[i].value = number_of(rcumap_entry_value(entry));
	told->of[i].version = rcumap_entry_version(entry);
	told->of[i].reason = reason;
}

static _Atomic uint64_t clock_now_ns = 1000000000;

static uint64_t read_clock(void *ctx)
{
	(void)ctx;
	return atomic_load(&clock_now_ns);
}

static struct rcumap *map_with(rcumap_removed_fn *removed, void *ctx)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.removed = removed;
	options.removed_ctx = ctx;
	options.clock = read_clock;
	return fixture_map(&options);
}

static int put(struct rcumap *map, uint64_t key, uint64_t value, uint64_t ttl_ms, uint64_t *version)
{
	return rcumap_put(map, &key, sizeof key, &value, sizeof value, ttl_ms, version);
}

static int delete(struct rcumap *map, uint64_t key)
{
	return rcumap_delete(map, &key, sizeof key);
}

static bool holds(const struct rcumap *map, uint64_t key, uint64_t value)
{
	return fixture_holds(map, &key, sizeof key, &value, sizeof value, 0);
}

/* ------------------------------------------------------------------ reasons */

/* After the barrier, nothing but this was told since the last time. */
static void is_told(struct rcumap *map, struct told *told, uint64_t key, uint64_t value, uint64_t version,
		    enum rcumap_reason reason, const char *what)
{
	if (map)
		is_int(rcumap_barrier(map), 0, "%s: barrier", fixture_name());
	is_int(told->n, 1, "%s: %s: one entry is told of", fixture_name(), what);
	ok(told->of[0].key == key && told->of[0].value == value && told->of[0].version == version,
	   "%s: %s: the one that went", fixture_name(), what);
	is_int(told->of[0].reason, reason, "%s: %s: the reason", fixture_name(), what);
	told->n = 0;
}

static int store_ten(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	value->data = ctx;
	value->size = 8;
	return 0;
}

static int remove_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	(void)old;
	(void)value;
	return RCUMAP_REMOVE;
}

static void every_verb(void)
{
	struct told told = { .n = 0 };
	struct rcumap *map = map_with(note, &told);
	const uint64_t key = 7;
	uint64_t before, after, ten = 10;

	put(map, key, 1, RCUMAP_TTL_NEVER, &before);
	is_int(rcumap_barrier(map), 0, "%s: barrier", fixture_name());
	is_int(told.n, 0, "%s: what is there is not told of", fixture_name());

	put(map, key, 2, RCUMAP_TTL_NEVER, &after);
	is_told(map, &told, key, 1, before, RCUMAP_REPLACED, "put");
	before = after;
	rcumap_replace(map, &key, 8, &(uint64_t){ 3 }, 8, RCUMAP_TTL_NEVER, &after);
	is_told(map, &told, key, 2, before, RCUMAP_REPLACED, "replace");
	before = after;
	rcumap_compare_and_swap(map, &key, 8, before, &(uint64_t){ 4 }, 8, RCUMAP_TTL_NEVER, &after);
	is_told(map, &told, key, 3, before, RCUMAP_REPLACED, "compare_and_swap");
	before = after;
	rcumap_update(map, &key, 8, store_ten, &ten, &after);
	is_told(map, &told, key, 4, before, RCUMAP_REPLACED, "update that stores");
	before = after;
	rcumap_touch(map, &key, 8, 1000);
	is_told(map, &told, key, 10, before, RCUMAP_REPLACED, "touch of an entry without a deadline");
	rcumap_touch(map, &key, 8, 2000);
	rcumap_touch(map, &key, 8, 500);
	rcumap_barrier(map);
	is_int(told.n, 0, "%s: touch in place: nothing went", fixture_name());
	rcumap_update(map, &key, 8, remove_it, NULL, NULL);
	is_told(map, &told, key, 10, before, RCUMAP_DELETED, "update that removes");

	put(map, key, 5, RCUMAP_TTL_NEVER, &before);
	delete (map, key);
	is_told(map, &told, key, 5, before, RCUMAP_DELETED, "delete");
	put(map, key, 6, RCUMAP_TTL_NEVER, &before);
	rcumap_delete_if(map, &key, 8, before);
	is_told(map, &told, key, 6, before, RCUMAP_DELETED, "delete_if");
	put(map, key, 7, 1000, &before);
	rcumap_touch(map, &key, 8, 0);
	is_told(map, &told, key, 7, before, RCUMAP_EXPIRED, "touch with a life of 0");
	put(map, key, 8, RCUMAP_TTL_NEVER, &before);
	put(map, key, 9, 0, NULL);
	is_told(map, &told, key, 8, before, RCUMAP_EXPIRED, "put with a life of 0");
	put(map, key, 9, 0, NULL);
	rcumap_barrier(map);
	is_int(told.n, 0, "%s: what was never there is not told of", fixture_name());
	put(map, key, 11, RCUMAP_TTL_NEVER, &before);
	rcumap_clear(map);
	is_told(map, &told, key, 11, before, RCUMAP_CLEARED, "clear");

	put(map, key, 12, 1000, &before);
	atomic_fetch_add(&clock_now_ns, UINT64_C(1001000000));
	put(map, key, 13, RCUMAP_TTL_NEVER, &after);
	is_told(map, &told, key, 12, before, RCUMAP_EXPIRED, "put over an expired entry");
	fixture_destroy(map);
	is_told(NULL, &told, key, 13, after, RCUMAP_DESTROYED, "destroy");
}

static bool is_empty(void *map)
{
	struct rcumap_stats stats = fixture_stats(map);

	return stats.entries == 0;
}

static void expiry(void)
{
	struct told told = { .n = 0 };
	struct rcumap *map = map_with(note, &told);
	uint64_t version;

	put(map, 1, 1, 1000, &version);
	atomic_fetch_add(&clock_now_ns, UINT64_C(2000000000));
	ok(fixture_eventually(is_empty, map), "%s: the reclaimer removes what has expired", fixture_name());
	is_told(map, &told, 1, 1, version, RCUMAP_EXPIRED, "expiry");

	put(map, 2, 2, 1000, &version);
	atomic_fetch_add(&clock_now_ns, UINT64_C(2000000000));
	fixture_destroy(map);
	is_told(NULL, &told, 2, 2, version, RCUMAP_EXPIRED, "destroy of what has expired");
}

static void destruction(void)
{
	static struct told told;
	struct rcumap *map;
	unsigned replaced = 0, destroyed = 0, expired = 0;

	told.n = 0;
	map = map_with(note, &told);
	for (uint64_t n = 0; n < 20; n++)
		put(map, n, n, n % 2 ? RCUMAP_TTL_NEVER : 1000, NULL);
	for (uint64_t n = 0; n < 10; n++)
		put(map, n, n, RCUMAP_TTL_NEVER, NULL);
	atomic_fetch_add(&clock_now_ns, UINT64_C(2000000000));
	fixture_destroy(map);
	for (unsigned i = 0; i < told.n && i < TOLD_MAX; i++) {
		replaced += told.of[i].reason == RCUMAP_REPLACED;
		destroyed += told.of[i].reason == RCUMAP_DESTROYED;
		expired += told.of[i].reason == RCUMAP_EXPIRED;
	}
	ok(replaced == 10 && destroyed == 15 && expired == 5, "%s: destroy tells of what is retired and what is there",
	   fixture_name());
	is_int(told.n, 30, "%s: and of nothing else", fixture_name());
}

/* ------------------------------------------------------------------ what a callback may do */

struct caller {
	struct rcumap *map;
	bool closing;
	unsigned calls, bad;
	const struct rcumap_entry *held;
};

/* Keys 1 to 3 were there; key 1 was deleted. */
static void call_map(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct caller *c = ctx;
	const uint64_t key = number_of(rcumap_entry_key(entry));
	uint64_t left, ten = 10, two = 2;

	if (c->calls++ || reason != RCUMAP_DELETED)
		return;
	/* With qsbr the thread is online, as reads require; with the others in no section. */
	c->bad += (flavor_rcu(fixture_flavor)->read_ongoing() != 0) != (fixture_flavor == FLAVOR_QSBR);
	c->bad += !holds(c->map, 2, 2) || key != 1;
	c->bad += put(c->map, 1, 11, RCUMAP_TTL_NEVER, NULL) != 0 || !holds(c->map, 1, 11);
	c->bad += put(c->map, 2, 12, RCUMAP_TTL_NEVER, NULL) != 0 || delete (c->map, 3) != 0;
	c->bad += rcumap_update(c->map, &two, 8, store_ten, &ten, NULL) != 0 || !holds(c->map, 2, 10);
	c->bad += rcumap_touch(c->map, &two, 8, 1000) != 0 || rcumap_ttl(c->map, &two, 8, &left) != 0;
	c->bad += rcumap_count(c->map) != 2 || fixture_stats(c->map).entries != 2;
	c->bad += rcumap_entry_ttl(c->map, entry) != RCUMAP_TTL_NEVER;
	c->bad += rcumap_clear(c->map) != 0 || rcumap_count(c->map) != 0;
	c->bad += put(c->map, 4, 4, RCUMAP_TTL_NEVER, NULL) != 0;
}

static void calls_the_map(void)
{
	struct caller c = { .calls = 0 };
	struct rcumap *map = c.map = map_with(call_map, &c);

	for (uint64_t n = 1; n <= 3; n++)
		put(map, n, n, RCUMAP_TTL_NEVER, NULL);
	delete (map, 1);
	is_int(rcumap_barrier(map), 0, "%s: barrier", fixture_name());
	is_int(c.bad, 0, "%s: a callback reads, stores, removes and clears", fixture_name());
	ok(holds(map, 4, 4), "%s: what it stored is there", fixture_name());
	is_int(rcumap_barrier(map), 0, "%s: barrier", fixture_name());
	/* 1; 2, 12, 10 and 3; 11 and the copy of 10 that was touched. */
	is_int(c.calls, 7, "%s: what it removed is told of in its turn", fixture_name());
	fixture_destroy(map);
}

static void refuse(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct caller *c = ctx;
	uint64_t key = 1;

	(void)entry;
	c->calls++;
	c->bad += rcumap_barrier(c->map) != -EDEADLK;
	c->bad += rcumap_reserve(c->map, 100) != -EDEADLK;
	c->bad += rcumap_destroy(c->map) != -EDEADLK;
	if (reason != RCUMAP_DESTROYED)
		return;
	c->bad += put(c->map, 1, 1, RCUMAP_TTL_NEVER, NULL) != -ESHUTDOWN;
	c->bad += put(c->map, 1, 1, 0, NULL) != -ESHUTDOWN;
	c->bad += rcumap_add(c->map, "x", 1, "x", 1, RCUMAP_TTL_NEVER, NULL) != -ESHUTDOWN;
	c->bad += delete (c->map, 1) != -ESHUTDOWN || rcumap_delete_if(c->map, &key, 8, 1) != -ESHUTDOWN;
	c->bad += rcumap_update(c->map, &key, 8, remove_it, NULL, NULL) != -ESHUTDOWN;
	c->bad += rcumap_touch(c->map, &key, 8, 1000) != -ESHUTDOWN || rcumap_touch(c->map, &key, 8, 0) != -ESHUTDOWN;
	c->bad += rcumap_clear(c->map) != -ESHUTDOWN;
	/* All that is still there can be read, what was told of before, too. */
	for (uint64_t n = 1; n <= 3; n++)
		c->bad += !holds(c->map, n, n);
	c->bad += rcumap_count(c->map) != 3;
}

static void is_refused(void)
{
	struct caller c = { .calls = 0 };
	struct rcumap *map = c.map = map_with(refuse, &c);

	for (uint64_t n = 0; n <= 3; n++)
		put(map, n, n, RCUMAP_TTL_NEVER, NULL);
	delete (map, 0);
	is_int(rcumap_barrier(map), 0, "%s: barrier", fixture_name());
	is_int(c.calls, 1, "%s: one was told of", fixture_name());
	is_int(c.bad, 0, "%s: barrier, reserve and destroy are refused in a callback", fixture_name());
	ok(holds(map, 3, 3), "%s: the map is intact", fixture_name());
	fixture_destroy(map);
	is_int(c.calls, 4, "%s: destroy tells of the rest", fixture_name());
	is_int(c.bad, 0, "%s: stores and removals are refused meanwhile, reads are not", fixture_name());
}

/* Another map of its own: created, used, waited for and destroyed in a callback. */
static void live_with_another(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct caller *c = ctx;
	struct rcumap *other = fixture_map(NULL);

	(void)entry;
	(void)reason;
	c->calls++;
	c->bad += fixture_put(other, 1, 1, 24) != 0 || fixture_put(other, 1, 2, 24) != 0;
	c->bad += rcumap_barrier(other) != 0 || rcumap_reserve(other, 1000) != 0;
	c->bad += fixture_check(other, 1, NULL) != 0 || rcumap_destroy(other) != 0;
}

static void has_another_map(void)
{
	struct caller c = { .calls = 0 };
	struct rcumap *map = map_with(live_with_another, &c);

	put(map, 1, 1, RCUMAP_TTL_NEVER, NULL);
	put(map, 1, 2, RCUMAP_TTL_NEVER, NULL);
	fixture_destroy(map);
	is_int(c.calls, 2, "%s: both were told of", fixture_name());
	is_int(c.bad, 0, "%s: a callback may create, wait for and destroy another map", fixture_name());
}

/* ------------------------------------------------------------------ slow callbacks */

struct slow {
	sem_t entered, go;
	unsigned calls;
};

static void take_its_time(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct slow *slow = ctx;

	(void)entry;
	(void)reason;
	if (slow->calls++ == 0) {
		sem_post(&slow->entered);
		fixture_wait(&slow->go);
	}
}

static void is_slow(void)
{
	struct slow slow = { .calls = 0 };
	struct rcumap *map = map_with(take_its_time, &slow), *other = fixture_map(NULL);
	uint64_t bad = 0;
	const uint64_t keys = fixture_scaled(30000, 3000);

	sem_init(&slow.entered, 0, 0);
	sem_init(&slow.go, 0, 0);
	put(map, 1, 1, RCUMAP_TTL_NEVER, NULL);
	delete (map, 1);
	fixture_wait(&slow.entered);
	for (uint64_t n = 0; n < keys; n++)
		bad += put(map, n, n, RCUMAP_TTL_NEVER, NULL) != 0;
	for (uint64_t n = 0; n < keys; n += 2)
		bad += delete (map, n) != 0;
	for (uint64_t n = 0; n < keys; n++)
		bad += holds(map, n, n) != (n % 2 == 1);
	is_int(bad, 0, "%s: others store, remove and find while a callback takes its time", fixture_name());
	fixture_put(other, 1, 1, 24);
	fixture_put(other, 1, 2, 24);
	is_int(rcumap_barrier(other), 0, "%s: another map reclaims", fixture_name());
	ok(fixture_stats(map).retired_pending > keys / 2 - 1, "%s: this one does not", fixture_name());
	sem_post(&slow.go);
	is_int(rcumap_barrier(map), 0, "%s: then it goes on", fixture_name());
	is_int(slow.calls, 1 + (keys + 1) / 2, "%s: with all of them", fixture_name());
	is_int(fixture_stats(map).retired_pending, 0, "%s: none is left", fixture_name());
	fixture_destroy(map);
	fixture_destroy(other);
	sem_destroy(&slow.entered);
	sem_destroy(&slow.go);
}

/* ------------------------------------------------------------------ once each */

#define WRITERS 4u
#define HAMMERED 64u

struct hammer {
	struct rcumap *map;
	uint64_t stores;	    /* by each writer */
	_Atomic unsigned char *told; /* how often, for each value stored */
	unsigned char *stored;	    /* whether the store succeeded */
	_Atomic uint64_t foreign, calls, again, elsewhere;
	_Atomic pthread_t caller; /* of the callback, first of all */
};

static void count_once(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct hammer *h = ctx;
	uint64_t value = number_of(rcumap_entry_value(entry));

	if (atomic_fetch_add(&h->calls, 1) == 0)
		atomic_store(&h->caller, pthread_self());
	else if (atomic_load(&h->caller) != pthread_self())
		atomic_fetch_add(&h->elsewhere, 1);
	if (value >= h->stores * WRITERS || reason < RCUMAP_DELETED || reason > RCUMAP_DESTROYED)
		atomic_fetch_add(&h->foreign, 1);
	else if (atomic_fetch_add(&h->told[value], 1))
		atomic_fetch_add(&h->again, 1);
}

static void store_and_remove(struct team_member *me)
{
	struct hammer *h = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 1, me->index);
	for (uint64_t i = 0; i < h->stores; i++) {
		uint64_t value = me->index * h->stores + i, key = rng_below(&rng, HAMMERED);
		uint64_t ttl_ms = rng_below(&rng, 4) ? RCUMAP_TTL_NEVER : 1 + rng_below(&rng, 20);

		switch (rng_below(&rng, 3)) {
		case 0:
			h->stored[value] = put(h->map, key, value, ttl_ms, NULL) == 0;
			break;
		case 1:
			h->stored[value] = rcumap_add(h->map, &key, 8, &value, 8, ttl_ms, NULL) == 0;
			break;
		default:
			h->stored[value] = rcumap_replace(h->map, &key, 8, &value, 8, ttl_ms, NULL) == 0;
		}
		if (rng_below(&rng, 3) == 0)
			delete (h->map, rng_below(&rng, HAMMERED));
		if (me->index == 0 && i % 512 == 511)
			rcumap_clear(h->map);
		if (i % 64 == 0)
			flavor_quiescent(fixture_flavor);
	}
}

static void once_each(void)
{
	struct hammer h = { .stores = fixture_scaled(40000, 2000) };
	struct fault_allocator allocator;
	struct rcumap_options options;
	uint64_t wrong = 0, stored = 0;

	memset(&options, 0, sizeof options);
	options.removed = count_once;
	options.removed_ctx = &h;
	h.told = calloc(h.stores * WRITERS, 1);
	h.stored = calloc(h.stores * WRITERS, 1);
	if (!h.told || !h.stored)
		bail("calloc");
	h.map = fault_map(&allocator, &options);
	fixture_run(WRITERS, store_and_remove, &h);

	struct rcumap_stats stats;

	is_int(rcumap_barrier(h.map), 0, "%s: barrier", fixture_name());
	stats = fixture_stats(h.map);
	fixture_destroy(h.map);
	for (uint64_t i = 0; i < h.stores * WRITERS; i++) {
		wrong += h.told[i] != h.stored[i];
		stored += h.stored[i];
	}
	ok(stored > h.stores, "%s: much was stored", fixture_name());
	is_int(wrong, 0, "%s: each entry that was stored is told of, and nothing else", fixture_name());
	is_int(h.again + h.foreign, 0, "%s: once, whole, with a reason", fixture_name());
	is_int(h.elsewhere, 0, "%s: by one thread, though writers would help", fixture_name());
	is_int(h.calls, stats.inserted + stats.replaced, "%s: as many as the statistics say", fixture_name());
	ok(fault_settled(&allocator), "%s: no byte is left", fixture_name());
	free(h.told);
	free(h.stored);
}

static void test(void)
{
	every_verb();
	expiry();
	destruction();
	calls_the_map();
	is_refused();
	has_another_map();
	is_slow();
	once_each();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
