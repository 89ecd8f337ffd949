/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * max_bytes against a count that is not the map's own: what the library has of malloc and mmap, seen by the linker
 * (fault/default_allocator.h). The most that was had at one instant is never above the limit: while 8 or 64 threads store ten times
 * as much, overwrite it by larger values, with a reader in his section meanwhile.
 *
 * The threads that write allocate nothing themselves: they are there before the map is, and what all had before it is
 * the baseline.
 *
 * RCUMAP_TEST_HUGE=1: the reader stays for ten seconds. Else for one at most.
 */
#include "bytes_fixture.h"
#include "evict_fixture.h"

#include "fault/default_allocator.h"

#define WRITERS_MAX 64u
#define VISITORS 2u /* who stays, and who looks */
#define WAIT_MS 100u
/* A writer overwrites one of so many that he stored last. */
#define RECENT 16u

static uint64_t seed;

struct crowd {
	uint64_t limit;
	unsigned writers;
	size_t value_min, value_max;
	uint64_t stall_ns;
	struct rcumap *map;
	pthread_barrier_t gate;
	_Atomic unsigned busy; /* writers, in the part of the play that is on */
	_Atomic bool over;     /* the reader has left */
	_Atomic uint64_t wrong, outside, stored, refused, deleted, found;
	int64_t baseline;
	bool unchanged;
};

/* A writer. */
struct writer {
	struct crowd *crowd;
	unsigned index;
	struct rng rng;
	uint64_t next;
};

/* All threads, and the main one. */
static void meet(struct crowd *c)
{
	flavor_offline(fixture_flavor);
	pthread_barrier_wait(&c->gate);
	flavor_online(fixture_flavor);
}

/* ------------------------------------------------------------------------------------------------ writers */

static uint64_t key_of(const struct writer *w, uint64_t n)
{
	return (uint64_t)(w->index + 1) << 32 | n;
}

static uint64_t recent(struct writer *w)
{
	uint64_t back = 1 + rng_below(&w->rng, RECENT);

	return key_of(w, w->next > back ? w->next - back : 0);
}

static size_t any_size(struct writer *w, size_t least, size_t most)
{
	return least + rng_below(&w->rng, most - least + 1);
}

/* Most live long. */
static uint64_t any_life(struct writer *w)
{
	uint64_t dice = rng_below(&w->rng, 8);

	return dice == 0 ? 1 + rng_below(&w->rng, 50) : dice == 1 ? 3600000 : RCUMAP_TTL_NEVER;
}

static int store(struct writer *w, uint64_t number, size_t size)
{
	struct crowd *c = w->crowd;
	int result = bytes_put_for(c->map, number, w->next, size, any_life(w));

	atomic_fetch_add(&c->stored, result == 0);
	atomic_fetch_add(&c->refused, result == -ENOSPC);
	atomic_fetch_add(&c->wrong, result != 0 && result != -ENOSPC);
	flavor_quiescent(fixture_flavor);
	return result;
}

static void discard(struct crowd *c, uint64_t number)
{
	int result = fixture_delete(c->map, number);

	atomic_fetch_add(&c->deleted, result == 0);
	atomic_fetch_add(&c->wrong, result != 0 && result != -ENOENT);
	flavor_quiescent(fixture_flavor);
}

static void look(struct crowd *c, uint64_t number)
{
	int result = fixture_check(c->map, number, NULL);

	atomic_fetch_add(&c->found, result == 0);
	atomic_fetch_add(&c->wrong, result != 0 && result != -ENOENT);
	flavor_quiescent(fixture_flavor);
}

/* Ten times the limit, by all writers together. */
static void fill(struct writer *w)
{
	struct crowd *c = w->crowd;
	uint64_t share = 10 * c->limit / c->writers;

	for (uint64_t sum = 0, size; sum < share; sum += size) {
		size = any_size(w, c->value_min, c->value_max);
		store(w, key_of(w, w->next++), size);
		if (rng_below(&w->rng, 4) == 0)
			look(c, recent(w));
	}
}

/* With larger ones, while the reader stays; and all that must go on then. */
static void overwrite(struct writer *w)
{
	struct crowd *c = w->crowd;

	while (!atomic_load(&c->over)) {
		store(w, recent(w), any_size(w, c->value_max, c->value_max + c->value_max / 2));
		store(w, key_of(w, w->next++), any_size(w, c->value_min, c->value_max));
		for (unsigned i = 0; i < RECENT; i++)
			look(c, recent(w));
		for (unsigned i = 0; i < RECENT / 4; i++)
			discard(c, recent(w));
	}
}

/* Nobody stays any more: each put succeeds, at the latest when the memory has come back. */
static void go_on(struct writer *w)
{
	struct crowd *c = w->crowd;

	for (unsigned n = 0; n < 2 * RECENT; n++) {
		uint64_t number = n % 2 ? recent(w) : key_of(w, w->next++), end = now_ns() + 60000 * MS;

		while (store(w, number, any_size(w, c->value_min, c->value_max)) == -ENOSPC)
			if (now_ns() > end) {
				atomic_fetch_add(&c->wrong, 1);
				return;
			}
	}
}

static void write_all(struct crowd *c, unsigned index)
{
	struct writer w = { .crowd = c, .index = index };

	rng_init_stream(&w.rng, seed, c->limit << 8 | index);
	meet(c);
	fill(&w);
	atomic_fetch_sub(&c->busy, 1);
	meet(c);
	overwrite(&w);
	meet(c);
	go_on(&w);
	atomic_fetch_sub(&c->busy, 1);
	meet(c);
	meet(c);
}

/* ------------------------------------------------------------------------------------------------ visitors */

/* Some entry, to keep. */
static int pick(void *ctx, const struct rcumap_entry *entry)
{
	*(const struct rcumap_entry **)ctx = entry;
	return 0;
}

static uint64_t sum_of(const struct rcumap_entry *entry)
{
	const unsigned char *value = rcumap_entry_value(entry);
	uint64_t sum = rcumap_entry_version(entry);

	for (size_t i = 0; i < rcumap_entry_value_size(entry); i++)
		sum = rng_mix(sum ^ value[i]);
	return sum;
}

/* Or never will be: the limit is none. */
static bool is_refused(const struct crowd *c)
{
	return atomic_load(&c->refused) > 0 || default_allocator_held_most() - c->baseline > (int64_t)(2 * c->limit);
}

/* At least as long as he was told, and until somebody was refused on his account. */
static void stay(struct crowd *c)
{
	const struct rcumap_entry *entry = NULL;
	uint64_t cursor = 0, sum, end, hung = now_ns() + 60000 * MS;

	rcumap_read_lock(c->map);
	rcumap_scan(c->map, &cursor, 1, pick, &entry);
	sum = entry ? sum_of(entry) : 0;
	atomic_store(&c->refused, 0);
	end = now_ns() + c->stall_ns;
	while (now_ns() < end || (!is_refused(c) && now_ns() < hung))
		sleep_ns(MS);
	c->unchanged = entry && sum_of(entry) == sum;
	rcumap_read_unlock(c->map);
	atomic_store(&c->over, true);
}

/* The map's own count, meanwhile. */
static void look_on(struct crowd *c, bool stall)
{
	while (stall ? !atomic_load(&c->over) : atomic_load(&c->busy) != 0) {
		atomic_fetch_add(&c->outside, !bytes_within(c->map, c->limit));
		flavor_offline(fixture_flavor);
		sleep_ns(MS / 4);
		flavor_online(fixture_flavor);
	}
}

static void visit(struct crowd *c, bool stays)
{
	meet(c);
	if (!stays)
		look_on(c, false);
	meet(c);
	if (stays)
		stay(c);
	else
		look_on(c, true);
	meet(c);
	if (!stays)
		look_on(c, false);
	meet(c);
	meet(c);
}

static void play(struct team_member *me)
{
	struct crowd *c = me->ctx;

	if (me->index < c->writers)
		write_all(c, me->index);
	else
		visit(c, me->index == c->writers);
}

/* ------------------------------------------------------------------------------------------------ the play */

/* What is had now beyond the baseline counts; the other way round this need not be. */
static bool all_is_counted(void *ctx)
{
	const struct crowd *c = ctx;
	int64_t had = default_allocator_held() - c->baseline;

	return had <= (int64_t)fixture_stats(c->map).accounted_bytes;
}

static void crowd(uint64_t limit, unsigned writers, size_t value_min, size_t value_max, uint64_t stall_ms)
{
	struct crowd c = { .limit = limit, .writers = writers, .value_min = value_min, .value_max = value_max };
	struct team_options options = { .threads = writers + VISITORS,
					.work = play,
					.ctx = &c,
					.register_flavor = true,
					.flavor = fixture_flavor,
					.watchdog_s = TEST_WATCHDOG_S };
	struct team *team;
	char name[120];

	snprintf(name, sizeof name, "%s: %llu MiB, %u writers, values of %zu to %zu bytes", fixture_name(),
		 (unsigned long long)(limit / MIB), writers, value_min, value_max);
	c.stall_ns = (getenv("RCUMAP_TEST_HUGE") ? 10000 : fixture_scaled(stall_ms, 50)) * MS;
	pthread_barrier_init(&c.gate, NULL, writers + VISITORS + 1);
	team = team_start(&options);

	c.baseline = default_allocator_held();
	default_allocator_watch();
	c.map = bytes_map(limit, WAIT_MS);
	atomic_store(&c.busy, writers);
	meet(&c);
	meet(&c);
	/* The reader is in his section, or will be soon. */
	atomic_store(&c.busy, writers);
	meet(&c);
	meet(&c);
	ok(rcumap_barrier(c.map) == 0 && fixture_eventually(all_is_counted, &c),
	   "%s: what was allocated is accounted for", name);
	fixture_destroy(c.map);
	is_int(default_allocator_held(), c.baseline, "%s: every byte is given back", name);

	int64_t most = default_allocator_held_most() - c.baseline;

	meet(&c);
	flavor_offline(fixture_flavor);
	team_join(team);
	flavor_online(fixture_flavor);
	pthread_barrier_destroy(&c.gate);
	ok(most <= (int64_t)limit, "%s: %lld bytes at one instant, at most", name, (long long)most);
	is_int(c.outside, 0, "%s: nor does the map say anything else", name);
	is_int(c.wrong, 0,
	       "%s: every call returns what it may, also while a reader stays, and all goes on when he has left", name);
	ok(c.refused > 0 && c.stored > 0, "%s: %llu puts were refused meanwhile", name, (unsigned long long)c.refused);
	/* Of so few large ones as the smallest limit has room for a key that is drawn may never be there. */
	ok((c.deleted > 0 && c.found > 0) || limit < 16 * MIB, "%s: %llu deletes, %llu finds", name,
	   (unsigned long long)c.deleted, (unsigned long long)c.found);
	ok(c.unchanged, "%s: what he has found stays as it was", name);
}

/* ------------------------------------------------------------------------------------------------ tables within the limit */

/* What tables_grow_within() stores; what that counts, at least. */
#define SMALL_VALUE 32u
#define SMALL_ENTRY 64u
/* What a put of it may evict in one try: twice its size and one more; and where a line is not to be had, as much for that. */
#define TRY 3u
#define TRY_LINE (TRY + EVICT_LINE_BYTES / SMALL_ENTRY + 1)

/* Never more than the limit since `baseline`, and all of it back. */
static void destroy_within(struct rcumap *map, uint64_t limit, int64_t baseline)
{
	fixture_destroy(map);

	const int64_t most = default_allocator_held_most() - baseline;

	ok(most <= (int64_t)limit, "%s: %llu MiB: %lld bytes at one instant, at most", fixture_name(),
	   (unsigned long long)(limit / MIB), (long long)most);
	is_int(default_allocator_held(), baseline, "%s: %llu MiB: every byte is given back", fixture_name(),
	       (unsigned long long)(limit / MIB));
}

/* One thread; small entries, so that the table is a good part of it all, and grows from a tiny one. No try of a put evicts more
 * than twice its size and one more, also while the table takes its part. While entries migrate the reclaimer evicts, too, for a
 * table that gets no line: no more than the table takes. */
static void tables_grow_within(uint64_t limit)
{
	const uint64_t keys = fixture_scaled(3 * limit / 80, limit / 80 + limit / 160);
	int64_t baseline = default_allocator_held();
	uint64_t wrong = 0, storms = 0, worst[2] = { 0, 0 }, theirs = 0; /* of puts that did not wait, and that did */
	struct evict_watch before, now;
	const struct rcumap_stats *after = &now.stats;
	struct rcumap *map;

	default_allocator_watch();
	map = bytes_map(limit, 10000);
	now = before = evict_watch(map);
	for (uint64_t n = 0; n < keys; n++, before = now) {
		wrong += bytes_put(map, n, n, SMALL_VALUE) != 0;
		now = evict_watch(map);

		const struct evict_since since = evict_since(&before, &now);

		storms += since.own > since.tries * (since.waited ? TRY_LINE : TRY);
		storms += since.theirs * SMALL_ENTRY > (since.migrated ? after->table_bytes : 0);
		worst[since.waited] = since.own > worst[since.waited] ? since.own : worst[since.waited];
		theirs = since.theirs > theirs ? since.theirs : theirs;
		wrong += after->accounted_bytes > limit;
		flavor_quiescent(fixture_flavor);
	}
	ok(wrong == 0 && after->evicted > 0, "%s: %llu MiB: small entries, ever more of them: all are stored",
	   fixture_name(), (unsigned long long)(limit / MIB));
	is_int(storms, 0, "%s: %llu MiB: none evicts more than it may: %llu entries, %llu if it has to wait; the reclaimer %llu",
	       fixture_name(), (unsigned long long)(limit / MIB), (unsigned long long)worst[0],
	       (unsigned long long)worst[1], (unsigned long long)theirs);
	ok(after->grown >= 3, "%s: %llu MiB: the table grew %llu times, to %llu slots for %llu entries", fixture_name(),
	   (unsigned long long)(limit / MIB), (unsigned long long)after->grown, (unsigned long long)after->table_slots,
	   (unsigned long long)after->entries);
	destroy_within(map, limit, baseline);
}

/* One thread; blocks so large that malloc maps each, beside small ones. */
static void large_blocks_within(uint64_t limit)
{
	const size_t most = limit / 4;
	const uint64_t puts = fixture_scaled(2000, 200);
	unsigned char *value = calloc(1, most);
	int64_t baseline = default_allocator_held();
	uint64_t wrong = 0;
	struct rcumap *map;
	struct rng rng;

	rng_init_stream(&rng, seed, limit);
	default_allocator_watch();
	map = bytes_map(limit, BYTES_WAIT_LONG);
	for (uint64_t n = 0; n < puts; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t key_size = fixture_key(rng_below(&rng, 64), key);

		wrong += rcumap_put(map, key, key_size, value, 24 + (rng_below(&rng, most - 23) >> rng_below(&rng, 8)),
				    RCUMAP_TTL_NEVER, NULL) != 0;
		flavor_quiescent(fixture_flavor);
	}
	ok(wrong == 0 && fixture_stats(map).evicted > 0, "%s: %llu MiB: values of up to %zu bytes: all are stored",
	   fixture_name(), (unsigned long long)(limit / MIB), most);
	destroy_within(map, limit, baseline);
	free(value);
}

static void test(void)
{
	/* What a thread, or the library, has for the first time. */
	fixture_destroy(bytes_map(MIB, 0));
	crowd(16 * MIB, 8, KIB, 64 * KIB, 1000);
	crowd(RCUMAP_MAX_BYTES_MIN, 8, KIB, 64 * KIB, 200);
	crowd(RCUMAP_MAX_BYTES_MIN, WRITERS_MAX, KIB, 64 * KIB, 200);
	crowd(RCUMAP_MAX_BYTES_MIN, WRITERS_MAX, 24, 200, 200);
	crowd(4 * MIB, 8, 32, 32, 200);
	tables_grow_within(RCUMAP_MAX_BYTES_MIN);
	tables_grow_within(16 * MIB);
	large_blocks_within(RCUMAP_MAX_BYTES_MIN);
	large_blocks_within(16 * MIB);
	crowd(64 * MIB, 8, KIB, 64 * KIB, 500);
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
#if defined(TEST_TSAN) || defined(TEST_ASAN)
	/* test_limit_threads.c does the same, but for the count. */
	skip(1, "malloc is the sanitizer's: its sizes are not what is promised for");
	(void)test;
	return tap_done();
#endif
	fixture_each_flavor(test);
	return tap_done();
}
