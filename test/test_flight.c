/* SPDX-License-Identifier: BSD-2-Clause */
/* Loads that several threads want: one loads, the others wait; whoever stores or removes meanwhile wins. */
#include "load_fixture.h"

#include "map/flight.h"

/* ------------------------------------------------------------------ single flight */

#define WAITERS 12u

struct waiting {
	const struct rcumap *map;
	unsigned n;
};

static bool so_many_wait(void *ctx)
{
	const struct waiting *waiting = ctx;

	return flight_waiters(waiting->map) == waiting->n;
}

/* Let `n` more callers wait for a flight. */
static void start_waiters(struct caller *callers, unsigned n, const struct shared *f)
{
	struct waiting waiting = { f->caller.map, flight_waiters(f->caller.map) + n };

	for (unsigned i = 0; i < n; i++) {
		callers[i] = f->caller;
		start(&callers[i]);
	}
	if (!fixture_eventually(so_many_wait, &waiting))
		bail("the callers do not wait");
}

static unsigned join_wrong(struct caller *callers, unsigned n, int result)
{
	unsigned wrong = 0;

	for (unsigned i = 0; i < n; i++)
		wrong += join(&callers[i]) != result;
	return wrong;
}

static void check_single_flight(int result, const char *what)
{
	struct rcumap *map = fixture_map(NULL);
	struct caller callers[WAITERS];
	struct shared f;

	take_off(&f, map, "loaded", result);
	start_waiters(callers, WAITERS, &f);
	is_int(land(&f), result, "%s: %s: who loads gets it", fixture_name(), what);
	is_int(join_wrong(callers, WAITERS, result), 0, "%s: %s: and all who waited", fixture_name(), what);
	is_int(atomic_load(&f.source.loads), 1, "%s: %s: of one load", fixture_name(), what);
	ok(is_tidy(map, result ? 0 : 1), "%s: %s: nothing is left", fixture_name(), what);
	fixture_destroy(map);
}

static void one_loads_for_all(void)
{
	check_single_flight(0, "a value");
	check_single_flight(-ENOENT, "absent");
	check_single_flight(-EIO, "an error");
}

#define TEAM 8u
struct crowd {
	struct rcumap *map;
	struct source source;
	struct rcumap_loader loader;
	uint64_t keys;
	_Atomic uint64_t wrong;
};

static void load_all(struct team_member *me)
{
	struct crowd *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i++) {
		char key[32];

		snprintf(key, sizeof key, "key %llu", (unsigned long long)i);
		if (get(c->map, key, &c->loader, "loaded") != 0)
			atomic_fetch_add(&c->wrong, 1);
	}
}

static void each_of_many_keys_is_loaded_once(void)
{
	struct crowd c = { .map = fixture_map(NULL), .source = { .value = "loaded" }, .keys = fixture_scaled(3000, 300) };

	c.loader = loader_of(&c.source);
	fixture_run(TEAM, load_all, &c);
	is_int(atomic_load(&c.wrong), 0, "%s: %u threads get %llu keys", fixture_name(), TEAM, (unsigned long long)c.keys);
	is_int(atomic_load(&c.source.loads), c.keys, "%s: each was loaded once", fixture_name());
	ok(is_tidy(c.map, c.keys), "%s: and is there", fixture_name());
	fixture_destroy(c.map);
}

/* ------------------------------------------------------------------ who comes meanwhile wins */

static int remove_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)value;
	return old ? *(int *)ctx : RCUMAP_REMOVE;
}

static int by_put(struct rcumap *map)
{
	return fixture_put_text(map, KEY, "other", RCUMAP_TTL_NEVER);
}

static int by_add(struct rcumap *map)
{
	return rcumap_add(map, KEY, 3, "other", 5, RCUMAP_TTL_NEVER, NULL);
}

static int by_delete(struct rcumap *map)
{
	return rcumap_delete(map, KEY, 3) == -ENOENT ? 0 : -1;
}

static int by_delete_if(struct rcumap *map)
{
	return rcumap_delete_if(map, KEY, 3, 1) == -ENOENT ? 0 : -1;
}

static int by_update(struct rcumap *map)
{
	int wrong = -EILSEQ;

	return rcumap_update(map, KEY, 3, remove_it, &wrong, NULL);
}

static int by_touch(struct rcumap *map)
{
	return rcumap_touch(map, KEY, 3, 0) == -ENOENT ? 0 : -1;
}

static int by_clear(struct rcumap *map)
{
	return rcumap_clear(map);
}

static int by_put_for_nothing(struct rcumap *map)
{
	return fixture_put_text(map, KEY, "other", 0);
}

static int by_put_and_delete(struct rcumap *map)
{
	return by_put(map) == 0 && rcumap_delete(map, KEY, 3) == 0 ? 0 : -1;
}

static const struct intruder {
	const char *name;
	int (*come)(struct rcumap *map);
	bool stores;
} intruders[] = {
	{ "put", by_put, true },
	{ "add", by_add, true },
	{ "delete", by_delete, false },
	{ "delete_if", by_delete_if, false },
	{ "update that removes", by_update, false },
	{ "touch for no time", by_touch, false },
	{ "clear", by_clear, false },
	{ "put for no time", by_put_for_nothing, false },
	{ "put and delete", by_put_and_delete, false },
};

static void check_overtaken(const struct intruder *intruder)
{
	struct rcumap *map = fixture_map(NULL);
	struct caller waiters[2], late;
	struct shared f;
	struct source s = { .value = "newer" };
	struct rcumap_loader loader = loader_of(&s);

	take_off(&f, map, "loaded", 0);
	start_waiters(waiters, 2, &f);
	late = f.caller;
	late.loader.timeout_ms = 1;
	start(&late);
	is_int(join(&late), -ETIMEDOUT, "%s: %s: who waits for too short a time", fixture_name(), intruder->name);
	is_int(rcumap_count(map), 0, "%s: %s: what is being loaded does not count", fixture_name(), intruder->name);
	is_int(intruder->come(map), 0, "%s: %s: comes during the load", fixture_name(), intruder->name);
	is_int(get(map, KEY, &loader, intruder->stores ? "other" : "newer"), 0,
	       "%s: %s: who comes later does not wait for that load", fixture_name(), intruder->name);
	is_int(atomic_load(&s.loads), !intruder->stores, "%s: %s: but %s", fixture_name(), intruder->name,
	       intruder->stores ? "finds what was stored" : "loads anew");
	is_int(land(&f), 0, "%s: %s: who loaded gets his value", fixture_name(), intruder->name);
	is_int(join_wrong(waiters, 2, 0), 0, "%s: %s: and so do those who waited", fixture_name(), intruder->name);
	ok(fixture_is_text(map, KEY, intruder->stores ? "other" : "newer"), "%s: %s: which is not stored", fixture_name(),
	   intruder->name);
	ok(is_tidy(map, 1), "%s: %s: nothing else is left", fixture_name(), intruder->name);
	fixture_destroy(map);
}

static void who_writes_during_a_load_wins(void)
{
	for (unsigned i = 0; i < sizeof intruders / sizeof intruders[0]; i++)
		check_overtaken(&intruders[i]);
}

static int count_visit(void *ctx, const struct rcumap_entry *entry)
{
	(void)entry;
	++*(unsigned *)ctx;
	return 0;
}

static void what_changes_nothing_does_not_hinder_a_load(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct shared f;
	uint64_t cursor = 0;
	unsigned visited = 0;

	take_off(&f, map, "loaded", 0);
	ok(rcumap_replace(map, KEY, 3, "x", 1, HOUR_MS, NULL) == -ENOENT &&
		   rcumap_compare_and_swap(map, KEY, 3, 1, "x", 1, HOUR_MS, NULL) == -ENOENT &&
		   rcumap_touch(map, KEY, 3, HOUR_MS) == -ENOENT && fixture_is_absent(map, KEY),
	   "%s: who wants the key present finds it absent", fixture_name());
	while (rcumap_scan(map, &cursor, 1, count_visit, &visited) == 1)
		;
	is_int(visited, 0, "%s: nothing is visited", fixture_name());
	ok(land(&f) == 0 && fixture_is_text(map, KEY, "loaded"), "%s: and the value is stored", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ deadlines, deadlocks */

static void who_waits_does_so_until_his_deadline(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct shared f;
	struct source s = { .value = "not" };
	struct rcumap_loader loader = loader_of(&s);

	take_off(&f, map, "loaded", 0);
	loader.timeout_ms = 0;
	is_int(get(map, KEY, &loader, ""), -EAGAIN, "%s: who does not want to wait", fixture_name());
	loader.timeout_ms = 5;
	is_int(get(map, KEY, &loader, ""), -ETIMEDOUT, "%s: who has waited for long enough", fixture_name());
	is_int(get(map, "other", &loader, "not"), 0, "%s: other keys do not wait", fixture_name());
	is_int(atomic_load(&s.loads), 1, "%s: and nobody else has loaded it", fixture_name());
	ok(land(&f) == 0 && is_tidy(map, 2), "%s: the load goes on", fixture_name());
	fixture_destroy(map);
}

static int get_same(struct source *s)
{
	struct rcumap_loader loader = loader_of(s);
	int result;

	flavor_online(fixture_flavor);
	result = get(s->map, KEY, &loader, s->value);
	flavor_offline(fixture_flavor);
	return result;
}

static int delete_and_get_same(struct source *s)
{
	int result;

	flavor_online(fixture_flavor);
	result = rcumap_delete(s->map, KEY, 3);
	flavor_offline(fixture_flavor);
	return result == -ENOENT ? get_same(s) : result;
}

static int get_other(struct source *s)
{
	struct source other = { .value = "inner" };
	struct rcumap_loader loader = loader_of(&other);
	int result;

	flavor_online(fixture_flavor);
	result = get(s->map, "inner", &loader, "inner");
	flavor_offline(fixture_flavor);
	return result;
}

static void a_load_in_itself_is_refused(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct source s = { .map = map, .value = "loaded", .inside = get_same };
	struct rcumap_loader loader = loader_of(&s);

	ok(get(map, KEY, &loader, "loaded") == 0 && s.inside_result == -EDEADLK, "%s: the same key", fixture_name());
	s.inside = delete_and_get_same;
	is_int(rcumap_delete(map, KEY, 3), 0, "%s: once more", fixture_name());
	ok(get(map, KEY, &loader, "loaded") == 0 && s.inside_result == -EDEADLK,
	   "%s: the same key, though the load was overtaken", fixture_name());
	is_int(rcumap_delete(map, KEY, 3), -ENOENT, "%s: and so not stored", fixture_name());
	s.inside = get_other;
	ok(get(map, KEY, &loader, "loaded") == 0 && s.inside_result == 0, "%s: another key is loaded", fixture_name());
	ok(is_tidy(map, 2), "%s: both are there", fixture_name());
	fixture_destroy(map);
}

/* Threads in a ring: each loads a key, and in its load wants the next one's. One is refused. */
#define RING 3u
struct ring {
	struct rcumap *map[RING];
	_Atomic unsigned loading, refused, wrong;
};

struct ring_place {
	struct ring *ring;
	unsigned at;
};

static int load_in_ring(void *ctx, const void *key, size_t key_size, struct rcumap_value *value);

static int get_in_ring(struct ring *ring, unsigned at, struct ring_place *place)
{
	const char key[] = { (char)('a' + at) };
	const struct rcumap_entry *entry;
	int result;

	*place = (struct ring_place){ ring, at };

	struct rcumap_loader loader = {
		.size = sizeof loader, .load = load_in_ring, .ctx = place, .timeout_ms = RCUMAP_WAIT_FOREVER
	};

	result = rcumap_get_or_load(ring->map[at], key, 1, &loader, &entry);
	if (!result)
		rcumap_release(ring->map[at], entry);
	return result;
}

static int load_in_ring(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	struct ring_place *place = ctx, next;
	struct ring *ring = place->ring;
	int result;

	(void)key_size;
	/* None goes on before all have begun: what each wants is being loaded. */
	if (atomic_fetch_add(&ring->loading, 1) < RING)
		while (atomic_load(&ring->loading) < RING)
			sleep_ns(100000);
	flavor_online(fixture_flavor);
	result = get_in_ring(ring, (place->at + 1) % RING, &next);
	flavor_offline(fixture_flavor);
	if (result == -EDEADLK)
		atomic_fetch_add(&ring->refused, 1);
	else if (result)
		atomic_fetch_add(&ring->wrong, 1);
	value->data = key;
	value->size = 1;
	return 0;
}

static void be_in_ring(struct team_member *me)
{
	struct ring_place place;
	struct ring *ring = me->ctx;

	if (get_in_ring(ring, me->index, &place) != 0)
		atomic_fetch_add(&ring->wrong, 1);
}

static void check_ring(unsigned maps)
{
	struct ring ring = { .wrong = 0 };

	for (unsigned i = 0; i < RING; i++)
		ring.map[i] = i < maps ? fixture_map(NULL) : ring.map[0];
	fixture_run(RING, be_in_ring, &ring);
	is_int(atomic_load(&ring.refused), 1, "%s: of %u loads in a ring, in %u maps, one is refused", fixture_name(), RING,
	       maps);
	is_int(atomic_load(&ring.wrong), 0, "%s: all others end well", fixture_name());
	for (unsigned i = 0; i < maps; i++)
		fixture_destroy(ring.map[i]);
}

static void loads_that_want_each_other_do_not_hang(void)
{
	check_ring(1);
	check_ring(RING);
}

static void test(void)
{
	one_loads_for_all();
	each_of_many_keys_is_loaded_once();
	who_writes_during_a_load_wins();
	what_changes_nothing_does_not_hinder_a_load();
	who_waits_does_so_until_his_deadline();
	a_load_in_itself_is_refused();
	loads_that_want_each_other_do_not_hang();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
