/* SPDX-License-Identifier: BSD-2-Clause */
/* Defects that were found in expiry, and must not come back. */
#include "clock_fixture.h"

#include <inttypes.h>

/* ------------------------------------------------------------------ a clock that does things */

static _Atomic uint64_t time_ns;

/* A thread that looks at the clock for the n-th time is stopped there, until another one has acted. */
static _Thread_local unsigned stop_at;
static sem_t stopped, acted;

static uint64_t acting_clock(void *ctx)
{
	(void)ctx;
	if (stop_at && --stop_at == 0) {
		sem_post(&stopped);
		while (sem_wait(&acted) != 0)
			;
	}
	return atomic_load(&time_ns);
}

static uint64_t still_clock(void *ctx)
{
	(void)ctx;
	return 1000000000;
}

/* ------------------------------------------------------------------ a key that is present throughout */

static struct rcumap *present_map;
static bool by_touch, present_over;

/* While the other thread is stopped the key gets a longer life, then the time passes at which the old one would have
 * ended. */
static void *prolong(void *arg)
{
	flavor_register(fixture_flavor);
	for (;;) {
		fixture_wait(&stopped);
		if (present_over)
			break;
		if (by_touch ? rcumap_touch(present_map, "key", 3, 3600000) :
			       rcumap_put(present_map, "key", 3, "new", 3, 3600000, NULL))
			bail("the key was not prolonged");
		atomic_fetch_add(&time_ns, UINT64_C(20000000));
		sem_post(&acted);
	}
	flavor_unregister(fixture_flavor);
	return arg;
}

static int keep(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)value;
	*(bool *)ctx = old != NULL;
	return RCUMAP_KEEP;
}

static int count_visit(void *ctx, const struct rcumap_entry *entry)
{
	(void)entry;
	++*(unsigned *)ctx;
	return 0;
}

static bool batch_sees(void)
{
	struct rcumap_key keys[2] = { { "key", 3 }, { "key", 3 } };
	const struct rcumap_entry *entries[2];
	size_t found;

	rcumap_read_lock(present_map);
	found = rcumap_find_batch(present_map, keys, 2, entries);
	rcumap_read_unlock(present_map);
	return found == 2;
}

static bool scan_sees(void)
{
	unsigned visited = 0;
	uint64_t cursor = 0;

	while (rcumap_scan(present_map, &cursor, 1, count_visit, &visited) == 1)
		;
	return visited == 1;
}

enum verb { FIND, FIND_BATCH, SCAN, GET, TTL, TOUCH, DELETE_IF, COMPARE_AND_SWAP, UPDATE, VERBS };

static const char *const verb_names[VERBS] = { "find",	    "find_batch",	"scan",	 "get", "ttl", "touch",
					       "delete_if", "compare_and_swap", "update" };

/* Does the verb see the key? Nobody has the version that some of them ask for. */
static bool sees(enum verb verb)
{
	uint64_t ttl_ms;
	bool seen = false;

	switch (verb) {
	case FIND:
		rcumap_read_lock(present_map);
		seen = rcumap_find(present_map, "key", 3) != NULL;
		rcumap_read_unlock(present_map);
		return seen;
	case FIND_BATCH:
		return batch_sees();
	case SCAN:
		return scan_sees();
	case GET:
		return rcumap_get(present_map, "key", 3, NULL, 0, NULL, NULL) == -ENOBUFS;
	case TTL:
		return rcumap_ttl(present_map, "key", 3, &ttl_ms) == 0;
	case TOUCH:
		return rcumap_touch(present_map, "key", 3, RCUMAP_TTL_NEVER) == 0;
	case DELETE_IF:
		return rcumap_delete_if(present_map, "key", 3, UINT64_MAX) == -ESTALE;
	case COMPARE_AND_SWAP:
		return rcumap_compare_and_swap(present_map, "key", 3, UINT64_MAX, "x", 1, 1000, NULL) == -ESTALE;
	default:
		return rcumap_update(present_map, "key", 3, keep, &seen, NULL) == 0 && seen;
	}
}

/* An entry was found, then prolonged or replaced, then its first deadline passed, and only then was the clock read. */
static void what_is_present_is_seen(void)
{
	struct rcumap_options options = { .clock = acting_clock };
	pthread_t thread;

	atomic_store(&time_ns, UINT64_C(1000000000));
	sem_init(&stopped, 0, 0);
	sem_init(&acted, 0, 0);
	present_over = false;
	present_map = fixture_map(&options);
	if (pthread_create(&thread, NULL, prolong, NULL) != 0)
		bail("pthread_create");
	for (unsigned verb = 0; verb < VERBS; verb++) {
		unsigned missed = 0;

		for (unsigned n = 1; n <= 4; n++)
			for (unsigned touch = 0; touch < 2; touch++) {
				by_touch = touch;
				if (rcumap_put(present_map, "key", 3, "old", 3, 10, NULL))
					bail("put");
				stop_at = n;
				missed += !sees((enum verb)verb);
				stop_at = 0;
			}
		is_int(missed, 0, "%s: %s sees a key that is present throughout", fixture_name(), verb_names[verb]);
	}
	present_over = true;
	sem_post(&stopped);
	flavor_offline(fixture_flavor);
	pthread_join(thread, NULL);
	flavor_online(fixture_flavor);
	fixture_destroy(present_map);
}

/* A microsecond of rounding up made it one more. */
static void a_life_is_no_longer_than_given(void)
{
	struct rcumap_options options = { .clock = still_clock };
	struct rcumap *map = fixture_map(&options);
	uint64_t ttl_ms = 0;

	is_int(rcumap_put(map, "key", 3, "value", 5, 1000, NULL), 0, "stored for a second");
	is_int(rcumap_ttl(map, "key", 3, &ttl_ms), 0, "it is there");
	is_int((long long)ttl_ms, 1000, "it has that second left");
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ no memory */

static _Atomic bool refuse;
static _Atomic uint64_t refused;

static void *refusing_alloc(void *ctx, size_t size, size_t align)
{
	void *p = NULL;

	(void)ctx;
	if (atomic_load(&refuse)) {
		atomic_fetch_add(&refused, 1);
		return NULL;
	}
	return posix_memalign(&p, align, size) == 0 ? p : NULL;
}

static void plain_free(void *ctx, void *p, size_t size)
{
	(void)ctx;
	(void)size;
	free(p);
}

static bool was_refused(void *ctx)
{
	(void)ctx;
	return atomic_load(&refused) > 0;
}

static bool is_empty(void *map)
{
	return rcumap_count(map) == 0;
}

/* The reclaimer woke itself for each record that it did not get. */
static void want_of_memory_is_no_loop(void)
{
	struct fixture_clock clock = { .ns = 0 };
	struct rcumap_options options = { .allocator = { refusing_alloc, plain_free, NULL },
					  .clock = fixture_clock_read,
					  .clock_ctx = &clock };
	struct rcumap *map = fixture_map(&options);
	uint64_t key, begun, before, elapsed_ms;

	atomic_store(&refused, 0);
	for (key = 0; key < 100; key++)
		if (rcumap_put(map, &key, sizeof key, "value", 5, 300, NULL))
			bail("put");
	flavor_offline(fixture_flavor);
	sleep_ns(250000000); /* mostly, the hints are in the wheel then; if they are not, that takes memory too */
	flavor_online(fixture_flavor);
	atomic_store(&refuse, true);
	fixture_clock_advance(&clock, 1000);
	ok(fixture_eventually(was_refused, NULL), "expiry wants memory");
	before = atomic_load(&refused);
	begun = now_ns();
	flavor_offline(fixture_flavor);
	sleep_ns(300000000);
	flavor_online(fixture_flavor);
	elapsed_ms = (now_ns() - begun) / 1000000;
	before = atomic_load(&refused) - before;
	diag("refused %" PRIu64 " times in %" PRIu64 " ms", before, elapsed_ms);
	ok(before <= 20 + elapsed_ms, "it does not ask for it without pause");
	atomic_store(&refuse, false);
	ok(fixture_eventually(is_empty, map), "with memory all expires");
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ hints */

struct hints_bound {
	struct rcumap *map;
	uint64_t max;
};

static bool hints_are_few(void *ctx)
{
	const struct hints_bound *bound = ctx;

	return fixture_stats(bound->map).hints <= bound->max;
}

/* With so many keys each drew the same arm in every round, and its old hints seemed to be its own. */
static void void_hints_are_told(void)
{
	enum { KEYS = 1022 };
	const uint64_t rounds = fixture_scaled(100, 30);
	struct hints_bound bound = { fixture_map(NULL), 2 * KEYS + 8192 };

	for (uint64_t round = 0; round < rounds; round++)
		for (uint64_t key = 0; key < KEYS; key++)
			if (rcumap_put(bound.map, &key, sizeof key, "long", 4, 7200000, NULL) ||
			    rcumap_put(bound.map, &key, sizeof key, "short", 5, 3600000, NULL))
				bail("put");
	/* What the log still has comes to the wheel within this time, mostly. */
	flavor_offline(fixture_flavor);
	sleep_ns(500000000);
	flavor_online(fixture_flavor);
	ok(fixture_eventually(hints_are_few, &bound), "hints of what was replaced are dropped");
	fixture_destroy(bound.map);
}

enum { STALLED_WRITERS = 32, STALLED_PUTS = 400 };

static void put_slowly(struct team_member *me)
{
	for (uint64_t i = 0; i < STALLED_PUTS; i++) {
		uint64_t key = me->index * UINT64_C(1000000) + i;

		if (rcumap_put(me->ctx, &key, sizeof key, "value", 5, 3600000, NULL))
			bail("put");
		sleep_ns(1000000);
	}
}

struct reader {
	struct rcumap *map;
	sem_t inside, leave;
};

static void *stay_inside(void *arg)
{
	struct reader *reader = arg;

	flavor_register(fixture_flavor);
	rcumap_read_lock(reader->map);
	sem_post(&reader->inside);
	while (sem_wait(&reader->leave) != 0)
		;
	rcumap_read_unlock(reader->map);
	flavor_unregister(fixture_flavor);
	return NULL;
}

/* Blocks that awaited their grace period made the reclaimer seem late: then it took each hint with a block of its
 * own. */
static void a_stalled_reader_does_not_blow_up_hints(void)
{
	struct reader reader = { .map = fixture_map(NULL) };
	const uint64_t puts = STALLED_WRITERS * STALLED_PUTS;
	uint64_t begun, elapsed_ms, bytes, max;
	pthread_t thread;

	sem_init(&reader.inside, 0, 0);
	sem_init(&reader.leave, 0, 0);
	if (pthread_create(&thread, NULL, stay_inside, &reader) != 0)
		bail("pthread_create");
	fixture_wait(&reader.inside);
	begun = now_ns();
	fixture_run(STALLED_WRITERS, put_slowly, reader.map);
	elapsed_ms = (now_ns() - begun) / 1000000;
	bytes = fixture_stats(reader.map).hint_bytes;
	/* A block for each writer, ten times a second, and what the wheel takes. */
	max = 1000000 + 64 * puts + (elapsed_ms / 100 + 1) * STALLED_WRITERS * 4096 * 2;
	diag("%" PRIu64 " hints take %" PRIu64 " bytes after %" PRIu64 " ms", puts, bytes, elapsed_ms);
	ok(bytes <= max, "hints take no more than %" PRIu64 " bytes while a reader is stalled", max);
	sem_post(&reader.leave);
	flavor_offline(fixture_flavor);
	pthread_join(thread, NULL);
	flavor_online(fixture_flavor);
	fixture_destroy(reader.map);
}

static void each_flavor(void)
{
	what_is_present_is_seen();
	a_life_is_no_longer_than_given();
	want_of_memory_is_no_loop();
	if (fixture_flavor == FLAVOR_BP)
		void_hints_are_told(); /* nothing in it depends on the flavor */
	a_stalled_reader_does_not_blow_up_hints();
}

int main(void)
{
	fixture_each_flavor(each_flavor);
	return tap_done();
}
