/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_hold() and rcumap_release(): an entry outlives its section, its key and its thread, and then goes. */
#include "allocator_fixture.h"

#define VALUE_SIZE 200u

static _Atomic uint64_t clock_now_ns = 1000000000;

static uint64_t read_clock(void *ctx)
{
	(void)ctx;
	return atomic_load(&clock_now_ns);
}

/* Maps use their own memory: there, and without a callback, reclaiming looks at no entry before one is held. Else a checked allocator. */
static bool own_memory;

static struct rcumap *map_of(struct fault_allocator *allocator, rcumap_removed_fn *removed, void *ctx)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.clock = read_clock;
	options.removed = removed;
	options.removed_ctx = ctx;
	return own_memory ? fixture_map(&options) : fault_map(allocator, &options);
}

static bool no_byte_is_left(struct fault_allocator *allocator)
{
	return own_memory || fault_settled(allocator);
}

static int put(struct rcumap *map, uint64_t number, uint64_t turn, uint64_t ttl_ms)
{
	unsigned char key[FIXTURE_KEY_MAX], value[VALUE_SIZE];
	size_t key_size = fixture_key(number, key);

	payload_fill(value, sizeof value, number, turn);
	return rcumap_put(map, key, key_size, value, sizeof value, ttl_ms, NULL);
}

/* Is it still what was put? No section needed. */
static bool is_whole(const struct rcumap_entry *entry, uint64_t number, uint64_t turn)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);
	uint64_t found;

	return rcumap_entry_key_size(entry) == key_size && memcmp(rcumap_entry_key(entry), key, key_size) == 0 &&
	       payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), number, &found) ==
		       PAYLOAD_OK &&
	       found == turn;
}

static void churn(struct rcumap *map)
{
	for (uint64_t turn = 0; turn < 20; turn++)
		for (uint64_t n = 100; n < 150; n++)
			put(map, n, turn, RCUMAP_TTL_NEVER);
	rcumap_barrier(map);
}

/* ------------------------------------------------------------------ what it outlives */

static void do_delete(struct rcumap *map)
{
	fixture_delete(map, 1);
}

static void do_replace(struct rcumap *map)
{
	put(map, 1, 2, RCUMAP_TTL_NEVER);
}

static void do_clear(struct rcumap *map)
{
	rcumap_clear(map);
}

static bool is_empty(void *map)
{
	return fixture_stats(map).entries == 0;
}

static void do_expire(struct rcumap *map)
{
	atomic_fetch_add(&clock_now_ns, UINT64_C(2000000000));
	if (!fixture_eventually(is_empty, map))
		bail("what has expired stays");
}

static void do_nothing(struct rcumap *map)
{
	(void)map;
}

static void outlives(void (*event)(struct rcumap *), const char *name)
{
	struct fault_allocator allocator;
	struct rcumap *map = map_of(&allocator, NULL, NULL);
	const struct rcumap_entry *entry;
	uint64_t version;

	put(map, 1, 1, event == do_expire ? 1000 : RCUMAP_TTL_NEVER);
	entry = fixture_hold(map, 1);
	version = rcumap_entry_version(entry);
	event(map);
	is_int(rcumap_barrier(map), 0, "%s: %s: a barrier does not wait for what is held", fixture_name(), name);
	churn(map);
	ok(is_whole(entry, 1, 1) && rcumap_entry_version(entry) == version, "%s: %s: the entry is as it was",
	   fixture_name(), name);
	is_int(fixture_stats(map).retired_pending, 0, "%s: %s: nothing awaits its grace period", fixture_name(), name);
	is_int(fixture_stats(map).held_entries, 1, "%s: %s: it counts as held", fixture_name(), name);
	rcumap_release(map, entry);
	is_int(fixture_stats(map).held_entries, 0, "%s: %s: and no more when it is released", fixture_name(), name);
	fixture_destroy(map);
	ok(no_byte_is_left(&allocator), "%s: %s: no byte is left", fixture_name(), name);
}

/* ------------------------------------------------------------------ counting */

static void counts(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = map_of(&allocator, NULL, NULL);
	const struct rcumap_entry *entry, *other;
	uint64_t bad = 0;

	is_int(rcumap_hold(map, NULL), -EINVAL, "%s: no entry", fixture_name());
	rcumap_release(map, NULL);
	rcumap_release(NULL, NULL);
	put(map, 1, 1, RCUMAP_TTL_NEVER);
	put(map, 2, 2, RCUMAP_TTL_NEVER);
	entry = fixture_hold(map, 1);
	is_int(rcumap_hold(NULL, entry), -EINVAL, "%s: no map", fixture_name());
	is_int(fixture_stats(map).held_entries, 1, "%s: one is held", fixture_name());

	uint64_t bytes = fixture_stats(map).held_bytes;

	ok(bytes >= VALUE_SIZE && bytes < VALUE_SIZE + 100, "%s: with its bytes", fixture_name());
	for (unsigned i = 1; i < 32767; i++)
		bad += rcumap_hold(map, entry) != 0;
	is_int(bad, 0, "%s: it is held 32,767 times", fixture_name());
	is_int(rcumap_hold(map, entry), -EOVERFLOW, "%s: and not once more", fixture_name());
	fixture_delete(map, 1);
	is_int(rcumap_barrier(map), 0, "%s: barrier", fixture_name());
	is_int(rcumap_hold(map, entry), -EOVERFLOW, "%s: nor when it has gone from the map", fixture_name());
	is_int(fixture_stats(map).held_entries, 1, "%s: it is one entry still", fixture_name());
	other = fixture_hold(map, 2);
	is_int(fixture_stats(map).held_entries, 2, "%s: another is another", fixture_name());
	rcumap_release(map, other);
	for (unsigned i = 1; i < 32767; i++)
		rcumap_release(map, entry);
	ok(is_whole(entry, 1, 1), "%s: with one hold left it is whole", fixture_name());
	is_int(fixture_stats(map).held_bytes, bytes, "%s: and counted", fixture_name());
	is_int(rcumap_hold(map, entry), 0, "%s: what is held can be held again, out of every section", fixture_name());
	rcumap_release(map, entry);
	rcumap_release(map, entry);
	ok(fixture_stats(map).held_entries == 0 && fixture_stats(map).held_bytes == 0, "%s: none is held",
	   fixture_name());
	is_int(fixture_stats(map).reclaimed, 1, "%s: it was reclaimed once", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: no byte is left", fixture_name());
}

/* ------------------------------------------------------------------ memory */

struct level {
	struct fault_allocator *allocator;
	int64_t blocks;
};

static bool is_below(void *ctx)
{
	struct level *level = ctx;

	return atomic_load(&level->allocator->blocks) < level->blocks;
}

/* Alone: with no entry ever retired again, and a reader in a section. */
static void memory_comes_back(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = map_of(&allocator, NULL, NULL);
	const struct rcumap_entry *entries[8];
	struct level level = { &allocator, 0 };

	for (uint64_t n = 0; n < 8; n++) {
		put(map, n, n, RCUMAP_TTL_NEVER);
		entries[n] = fixture_hold(map, n);
		fixture_delete(map, n);
	}
	rcumap_barrier(map);
	rcumap_barrier(map);
	rcumap_read_lock(map);
	for (uint64_t n = 0; n < 8; n++) {
		level.blocks = atomic_load(&allocator.blocks);
		rcumap_release(map, entries[n]);
		if (!fixture_eventually(is_below, &level))
			break;
	}
	rcumap_read_unlock(map);
	ok(is_below(&level), "%s: each comes back when it is released, with no further grace period", fixture_name());
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: no byte is left", fixture_name());
}

/* ------------------------------------------------------------------ destroy */

static void destroy_is_refused(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = map_of(&allocator, NULL, NULL);
	const struct rcumap_entry *living, *orphan;

	put(map, 1, 1, RCUMAP_TTL_NEVER);
	put(map, 2, 1, RCUMAP_TTL_NEVER);
	living = fixture_hold(map, 1);
	orphan = fixture_hold(map, 2);
	fixture_delete(map, 2);
	is_int(rcumap_destroy(map), -EBUSY, "%s: two are held: refused", fixture_name());
	ok(is_whole(living, 1, 1) && is_whole(orphan, 2, 1), "%s: they are whole", fixture_name());
	ok(put(map, 3, 3, RCUMAP_TTL_NEVER) == 0 && fixture_check(map, 3, NULL) == 0 && fixture_delete(map, 3) == 0,
	   "%s: the map works on", fixture_name());
	is_int(rcumap_barrier(map), 0, "%s: its reclaimer, too", fixture_name());
	rcumap_release(map, living);
	is_int(rcumap_destroy(map), -EBUSY, "%s: an orphan is held: refused", fixture_name());
	living = fixture_hold(map, 1);
	rcumap_release(map, orphan);
	is_int(rcumap_destroy(map), -EBUSY, "%s: an entry of the map is held: refused", fixture_name());
	rcumap_release(map, living);
	is_int(rcumap_destroy(map), 0, "%s: none is held: done", fixture_name());
	ok(fault_settled(&allocator), "%s: no byte is left", fixture_name());
}

/* ------------------------------------------------------------------ in a callback */

struct keeper {
	struct rcumap *map;
	const struct rcumap_entry *kept[8];
	unsigned kept_count, refused, told;
};

static void keep(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct keeper *keeper = ctx;
	int result = rcumap_hold(keeper->map, entry);

	(void)reason;
	keeper->told++;
	keeper->refused += result == -ESHUTDOWN;
	if (result == 0 && keeper->kept_count < 8)
		keeper->kept[keeper->kept_count++] = entry;
}

static void in_a_callback(void)
{
	struct fault_allocator allocator;
	struct keeper keeper = { .told = 0 };
	struct rcumap *map = keeper.map = map_of(&allocator, keep, &keeper);
	const struct rcumap_entry *also;
	unsigned whole = 0;

	put(map, 1, 1, RCUMAP_TTL_NEVER);
	also = fixture_hold(map, 1);
	put(map, 1, 2, RCUMAP_TTL_NEVER);
	fixture_delete(map, 1);
	put(map, 2, 3, RCUMAP_TTL_NEVER);
	rcumap_barrier(map);
	ok(keeper.told == 2 && keeper.kept_count == 2, "%s: the callback holds both that went", fixture_name());
	is_int(fixture_stats(map).held_entries, 2, "%s: they count as held", fixture_name());
	for (unsigned i = 0; i < keeper.kept_count; i++)
		whole += is_whole(keeper.kept[i], 1, 1) || is_whole(keeper.kept[i], 1, 2);
	is_int(whole, 2, "%s: they are whole after the callback", fixture_name());
	is_int(rcumap_destroy(map), -EBUSY, "%s: what a callback holds is held", fixture_name());
	is_int(keeper.told, 2, "%s: nothing else was told of", fixture_name());
	for (unsigned i = 0; i < keeper.kept_count; i++)
		rcumap_release(map, keeper.kept[i]);
	is_int(rcumap_destroy(map), -EBUSY, "%s: one was held before it was told of", fixture_name());
	ok(is_whole(also, 1, 1), "%s: it is whole", fixture_name());
	rcumap_release(map, also);
	is_int(rcumap_destroy(map), 0, "%s: none is held", fixture_name());
	ok(keeper.told == 3 && keeper.refused == 1, "%s: while the map is destroyed nothing can be held any more",
	   fixture_name());
	ok(fault_settled(&allocator), "%s: no byte is left", fixture_name());
}

/* ------------------------------------------------------------------ threads */

struct passed {
	struct rcumap *map;
	const struct rcumap_entry *entry;
};

static void hold_and_leave(struct team_member *me)
{
	struct passed *passed = me->ctx;

	passed->entry = fixture_hold(passed->map, 1);
	fixture_delete(passed->map, 1);
}

static void release_it(struct team_member *me)
{
	struct passed *passed = me->ctx;

	/* Offline with qsbr, and in no section with the others. */
	flavor_offline(fixture_flavor);
	rcumap_release(passed->map, passed->entry);
	flavor_online(fixture_flavor);
}

static void across_threads(void)
{
	struct fault_allocator allocator;
	struct passed passed = { map_of(&allocator, NULL, NULL), NULL };

	put(passed.map, 1, 1, RCUMAP_TTL_NEVER);
	fixture_run(1, hold_and_leave, &passed);
	churn(passed.map);
	ok(is_whole(passed.entry, 1, 1), "%s: an entry outlives the thread that held it", fixture_name());
	fixture_run(1, release_it, &passed);
	is_int(fixture_stats(passed.map).held_entries, 0, "%s: another thread releases it, offline", fixture_name());
	fixture_destroy(passed.map);
	ok(fault_settled(&allocator), "%s: no byte is left", fixture_name());
}

#define THREADS 6u
#define KEYS 8u
#define SHELF 16u

/* Each place of the shelf has an entry that is held, or NULL; its key is the place's number modulo KEYS. */
struct hammer {
	struct rcumap *map;
	uint64_t turns;
	_Atomic(const struct rcumap_entry *) shelf[SHELF];
	_Atomic uint64_t bad, held;
};

static bool is_of_key(const struct rcumap_entry *entry, uint64_t number)
{
	uint64_t turn;

	return payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), number, &turn) == PAYLOAD_OK;
}

static void drop(struct hammer *h, const struct rcumap_entry *entry, uint64_t number)
{
	if (!entry)
		return;
	if (!is_of_key(entry, number))
		atomic_fetch_add(&h->bad, 1);
	rcumap_release(h->map, entry);
}

static void hold_and_release(struct team_member *me)
{
	struct hammer *h = me->ctx;
	const struct rcumap_entry *own[KEYS] = { NULL };
	struct rng rng;

	rng_init_stream(&rng, 2, me->index);
	for (uint64_t i = 0; i < h->turns; i++) {
		uint64_t key = rng_below(&rng, KEYS), place = key + KEYS * rng_below(&rng, SHELF / KEYS);
		const struct rcumap_entry *entry;

		switch (rng_below(&rng, 6)) {
		case 0:
			put(h->map, key, i, RCUMAP_TTL_NEVER);
			break;
		case 1:
			fixture_delete(h->map, key);
			break;
		case 2: /* onto the shelf; whoever comes by releases it */
			entry = fixture_hold(h->map, key);
			atomic_fetch_add(&h->held, entry != NULL);
			drop(h, atomic_exchange(&h->shelf[place], entry), key);
			break;
		case 3: /* from the shelf; held once more, and given up in steps */
			entry = atomic_exchange(&h->shelf[place], NULL);
			if (entry && rcumap_hold(h->map, entry) == 0)
				drop(h, entry, key);
			drop(h, entry, key);
			break;
		default: /* for itself, until it comes by again */
			drop(h, own[key], key);
			own[key] = fixture_hold(h->map, key);
		}
		if (i % 32 == 0)
			flavor_quiescent(fixture_flavor);
	}
	for (uint64_t key = 0; key < KEYS; key++)
		drop(h, own[key], key);
}

static void hammered(rcumap_removed_fn *removed, struct keeper *keeper, const char *name)
{
	static struct hammer h;
	struct fault_allocator allocator;
	struct rcumap_stats stats;

	memset(&h, 0, sizeof h);
	h.map = map_of(&allocator, removed, keeper);
	h.turns = fixture_scaled(60000, 3000);
	if (keeper)
		keeper->map = h.map;
	fixture_run(THREADS, hold_and_release, &h);
	for (unsigned i = 0; i < SHELF; i++)
		drop(&h, h.shelf[i], i % KEYS);
	ok(h.held > 0, "%s: %s: entries were held", fixture_name(), name);
	is_int(h.bad, 0, "%s: %s: each was whole as long as it was held", fixture_name(), name);
	is_int(rcumap_barrier(h.map), 0, "%s: barrier", fixture_name());
	stats = fixture_stats(h.map);
	ok(stats.held_entries == 0 && stats.held_bytes == 0, "%s: %s: none is held at the end", fixture_name(), name);
	ok(stats.retired_pending == 0 && stats.retired_bytes == 0 && stats.reclaimed == stats.replaced + stats.deleted,
	   "%s: %s: each was reclaimed once", fixture_name(), name);
	fixture_destroy(h.map);
	ok(no_byte_is_left(&allocator), "%s: %s: no byte is left", fixture_name(), name);
}

/* Releases within the call: then it is the reclaimer who gives it back, or a thread that holds it still. */
static void hold_shortly(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct keeper *keeper = ctx;

	(void)reason;
	if (rcumap_hold(keeper->map, entry) == 0)
		rcumap_release(keeper->map, entry);
	keeper->told++;
}

static void outlives_all(void)
{
	outlives(do_nothing, "in the map");
	outlives(do_delete, "delete");
	outlives(do_replace, "replace");
	outlives(do_clear, "clear");
	outlives(do_expire, "expiry");
}

static void in_own_memory(void)
{
	own_memory = true;
	outlives_all();
	hammered(NULL, NULL, "own memory");
	own_memory = false;
}

static void test(void)
{
	outlives_all();
	in_own_memory();
	counts();
	memory_comes_back();
	destroy_is_refused();
	in_a_callback();
	across_threads();
	struct keeper keeper = { .told = 0 };

	hammered(NULL, NULL, "no callback");
	hammered(hold_shortly, &keeper, "with a callback");
	ok(keeper.told > 0, "%s: the callback was called", fixture_name());
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
