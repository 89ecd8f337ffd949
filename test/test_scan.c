/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * rcumap_scan(): what stays is visited once, however the table changes between calls and during them. Where the table is
 * changed by hand the keys say their hash, so that a visit tells its position.
 */
#include "batch_fixture.h"

/* What has been visited. */
struct seen {
	unsigned char *times; /* by the key's number */
	uint64_t count;
	uint64_t lowest;  /* hash */
	uint64_t fail_at; /* the visit, from 1, that fails; 0: none */
	int error;
};

static struct seen seen_new(uint64_t keys)
{
	return (struct seen){ .times = calloc(keys + 1, 1), .lowest = UINT64_MAX };
}

/* Keys that were not visited `times` times. */
static uint64_t seen_wrong(const struct seen *seen, uint64_t keys, unsigned times)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < keys; i++)
		wrong += seen->times[i] != times;
	return wrong;
}

static int see(void *ctx, const struct rcumap_entry *entry)
{
	struct seen *seen = ctx;
	struct chain_key key;

	if (seen->fail_at && ++seen->count == seen->fail_at)
		return seen->error;
	seen->count += !seen->fail_at;
	memcpy(&key, rcumap_entry_key(entry), sizeof key);
	seen->times[key.number]++;
	if (key.hash < seen->lowest)
		seen->lowest = key.hash;
	return 0;
}

static struct chain_key *random_keys(struct rcumap *map, uint64_t count, struct rng *rng)
{
	struct chain_key *keys = malloc(count * sizeof *keys);

	for (uint64_t i = 0; i < count; i++) {
		keys[i] = (struct chain_key){ rng_u64(rng), i };
		batch_put(map, keys[i], RCUMAP_TTL_NEVER);
	}
	/* The puts may have begun to grow the table. */
	while (table_next(tables_current(&map->tables)))
		batch_resize(map, 0, UINT64_MAX);
	return keys;
}

/* ------------------------------------------------------------------ one call after the other */

static void arguments_are_checked(void)
{
	struct rcumap *map = batch_map(NULL);
	struct seen seen = seen_new(1);
	uint64_t cursor = 77;

	is_int(rcumap_scan(NULL, &cursor, 1, see, &seen), -EINVAL, "%s: without a map", fixture_name());
	is_int(rcumap_scan(map, NULL, 1, see, &seen), -EINVAL, "%s: without a cursor", fixture_name());
	is_int(rcumap_scan(map, &cursor, 0, see, &seen), -EINVAL, "%s: of no entries", fixture_name());
	is_int(rcumap_scan(map, &cursor, 1, NULL, &seen), -EINVAL, "%s: without a function", fixture_name());
	is_int(cursor, 77, "%s: then the cursor stays", fixture_name());
	cursor = 0;
	is_int(rcumap_scan(map, &cursor, 1, see, &seen), 0, "%s: an empty map ends at once", fixture_name());
	ok(cursor == 0 && seen.count == 0, "%s: with nothing visited", fixture_name());
	free(seen.times);
	bare_destroy(map);
}

static void visits_all_in_any_portions(struct rng *rng)
{
	static const size_t portions[] = { 1, 2, 7, 64, 1000, SIZE_MAX - 3, SIZE_MAX };
	enum { COUNT = 3000 };
	struct rcumap *map = batch_map(NULL);
	struct chain_key *keys = random_keys(map, COUNT, rng);

	for (size_t p = 0; p < sizeof portions / sizeof *portions; p++) {
		struct seen seen = seen_new(COUNT);
		uint64_t cursor = 0, before = 0, few = 0;
		size_t calls = 0;
		int more;

		do {
			more = rcumap_scan(map, &cursor, portions[p], see, &seen);
			/* The table is so full that n entries are in n buckets. */
			few += more == 1 && seen.count - before < portions[p];
			before = seen.count;
			calls++;
		} while (more == 1);
		is_int(more, 0, "%s: portions of %zu come to an end", fixture_name(), portions[p]);
		is_int(cursor, 0, "%s: at the beginning", fixture_name());
		is_int(seen_wrong(&seen, COUNT, 1), 0, "%s: by portions of %zu all are visited once", fixture_name(),
		       portions[p]);
		is_int(few, 0, "%s: at least %zu a call, but for the last", fixture_name(), portions[p]);
		ok(portions[p] > COUNT / 4 || calls > COUNT / portions[p] / 20, "%s: and not all at once (%zu calls)",
		   fixture_name(), calls);
		free(seen.times);
	}
	free(keys);
	bare_destroy(map);
}

static void an_empty_stretch_ends_a_call(void)
{
	struct rcumap *map = batch_map(NULL);
	struct seen seen = seen_new(1);
	const unsigned size = 12;
	uint64_t cursor = 0;

	while (bare_size(map) < size)
		batch_resize(map, bare_size(map) + 1, UINT64_MAX);
	is_int(rcumap_scan(map, &cursor, 1, see, &seen), 1, "%s: a call gives up", fixture_name());
	ok(cursor == size_first_hash(size_buckets(size), 65), "%s: after 64 + 1 empty buckets", fixture_name());
	is_int(rcumap_scan(map, &cursor, 100, see, &seen), 1, "%s: the next", fixture_name());
	ok(cursor == size_first_hash(size_buckets(size), 229), "%s: after 64 + 100", fixture_name());
	batch_put(map, (struct chain_key){ chain_hash_in(size, 232, 5), 0 }, RCUMAP_TTL_NEVER);
	is_int(rcumap_scan(map, &cursor, 1, see, &seen), 1, "%s: and one that finds an entry", fixture_name());
	ok(cursor == size_first_hash(size_buckets(size), 233) && seen.count == 1, "%s: after its bucket", fixture_name());
	free(seen.times);
	bare_destroy(map);
}

static void an_error_ends_a_call(struct rng *rng)
{
	enum { COUNT = 500 };
	struct rcumap *map = batch_map(NULL);
	struct chain_key *keys = random_keys(map, COUNT, rng);
	uint64_t unstable = 0, early = 0, wrong = 0, unseen = 0;

	for (uint64_t at = 1; at <= COUNT; at += 7) {
		struct seen seen = seen_new(COUNT);
		uint64_t cursor = 0, again;

		seen.fail_at = at;
		seen.error = -ECANCELED;
		wrong += rcumap_scan(map, &cursor, SIZE_MAX, see, &seen) != -ECANCELED;
		seen.fail_at = 0;
		seen.lowest = UINT64_MAX;
		again = cursor;
		wrong += rcumap_scan(map, &again, SIZE_MAX, see, &seen) != 0;
		/* Where a bucket begins, and what comes again is of that bucket. */
		unstable += cursor != table_first_hash(tables_current(&map->tables), cursor);
		early += seen.lowest < cursor;
		for (unsigned i = 0; i < COUNT; i++) {
			unseen += seen.times[i] == 0;
			unseen += seen.times[i] > 1 &&
				  (keys[i].hash < cursor ||
				   keys[i].hash > table_last_hash(tables_current(&map->tables), cursor));
		}
		free(seen.times);
	}
	is_int(wrong, 0, "%s: the error of a visit is returned", fixture_name());
	is_int(unstable + early, 0, "%s: the cursor is where the bucket begins", fixture_name());
	is_int(unseen, 0, "%s: from there on all are visited, and only those of that bucket again", fixture_name());

	struct seen seen = seen_new(COUNT);
	uint64_t cursor = 0;

	seen.fail_at = 3;
	seen.error = 1;
	is_int(rcumap_scan(map, &cursor, SIZE_MAX, see, &seen), -EINVAL, "%s: what is no error is one", fixture_name());
	free(seen.times);
	free(keys);
	bare_destroy(map);
}

static void any_cursor_is_a_position(struct rng *rng)
{
	enum { COUNT = 1000 };
	struct rcumap *map = batch_map(NULL);
	struct chain_key *keys = random_keys(map, COUNT, rng);
	uint64_t wrong = 0, failed = 0;

	for (unsigned turn = 0; turn < 130; turn++) {
		struct seen seen = seen_new(COUNT);
		uint64_t from = turn < 64  ? UINT64_C(1) << turn :
				turn < 128 ? ~(UINT64_C(1) << (turn - 64)) :
				turn < 129 ? UINT64_MAX :
					     keys[3].hash,
			 cursor = from;

		failed += rcumap_scan(map, &cursor, SIZE_MAX, see, &seen) != 0 || cursor != 0;
		for (unsigned i = 0; i < COUNT; i++)
			wrong += seen.times[i] != (keys[i].hash >= from);
		free(seen.times);
	}
	is_int(failed, 0, "%s: any number is good for a cursor", fixture_name());
	is_int(wrong, 0, "%s: and exactly what lies behind it in hash order is visited", fixture_name());
	free(keys);
	bare_destroy(map);
}

static void what_has_expired_is_not_visited(void)
{
	enum { COUNT = 100 };
	struct batch_clock clock = { UINT64_C(5000000000), 0 };
	struct rcumap *map = batch_map(&clock);
	struct seen seen = seen_new(COUNT);
	uint64_t cursor = 0, wrong = 0;

	for (unsigned i = 0; i < COUNT; i++)
		batch_put(map, (struct chain_key){ hash_mix(i), i }, i % 3 ? 10 : RCUMAP_TTL_NEVER);
	is_int(rcumap_scan(map, &cursor, SIZE_MAX, see, &seen), 0, "%s: entries with deadlines", fixture_name());
	is_int(seen_wrong(&seen, COUNT, 1), 0, "%s: are visited before", fixture_name());
	atomic_store(&clock.now_ns, UINT64_C(5011000000));
	is_int(rcumap_scan(map, &cursor, SIZE_MAX, see, &seen), 0, "%s: and after", fixture_name());
	for (unsigned i = 0; i < COUNT; i++)
		wrong += seen.times[i] != (i % 3 ? 1 : 2);
	is_int(wrong, 0, "%s: only the others are", fixture_name());
	free(seen.times);
	bare_destroy(map);
}

/* A visit that looks its key up, inside the section of the call. */
static int find_again(void *ctx, const struct rcumap_entry *entry)
{
	const struct rcumap *map = ctx;

	return rcumap_find(map, rcumap_entry_key(entry), rcumap_entry_key_size(entry)) == entry ? 0 : -ENOENT;
}

static void visits_are_inside_a_section(void)
{
	struct rcumap *map = fixture_map(NULL);
	uint64_t cursor = 0;

	for (uint64_t i = 0; i < 100; i++)
		fixture_put(map, i, i, 24);
	is_int(rcumap_scan(map, &cursor, SIZE_MAX, find_again, map), 0, "%s: a visit may find", fixture_name());
	rcumap_read_lock(map);
	is_int(rcumap_scan(map, &cursor, SIZE_MAX, find_again, map), 0, "%s: also inside the caller's section",
	       fixture_name());
	rcumap_read_unlock(map);
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ while the table changes between calls */

/* Keys of few hashes next to each other, so that buckets have chains and a smaller table's begin before the cursor. */
static struct chain_key *crowded_keys(struct rcumap *map, uint64_t count, struct rng *rng)
{
	struct chain_key *keys = malloc(count * sizeof *keys);

	for (uint64_t i = 0; i < count; i++) {
		uint64_t hash = rng_below(rng, 4) ? rng_u64(rng) : rng_below(rng, 20) << 59 | rng_below(rng, 3);

		keys[i] = (struct chain_key){ hash, i };
		batch_put(map, keys[i], RCUMAP_TTL_NEVER);
	}
	return keys;
}

static void step_table(struct rcumap *map, struct rng *rng)
{
	unsigned size = bare_size(map);

	if (rng_below(rng, 2))
		return;
	size += size <= SIZE_FIRST ? 1 : size >= 9 ? -1 : rng_below(rng, 2) ? 1 : -1;
	batch_resize(map, size, rng_below(rng, 2) ? UINT64_MAX : 1 + rng_below(rng, 40));
}

/*
 * After each call exactly what lies before the cursor has been visited, once; of what an error makes come again only the
 * last time counts.
 */
static uint64_t not_as_the_cursor_says(struct seen *seen, const struct chain_key *keys, uint64_t count, uint64_t cursor,
				       int more)
{
	uint64_t wrong = 0;

	for (uint64_t i = 0; i < count; i++) {
		const bool before = more == 0 || keys[i].hash < cursor;

		if (more < 0 && !before)
			seen->times[i] = 0;
		wrong += seen->times[i] != before;
	}
	return wrong;
}

static void while_tables_change_between_calls(struct rng *rng)
{
	enum { COUNT = 400 };
	struct rcumap *map = batch_map(NULL);
	struct chain_key *keys = crowded_keys(map, COUNT, rng);
	const uint64_t turns = fixture_scaled(200, 30);
	uint64_t wrong = 0, back = 0, errors = 0, inside = 0;

	for (uint64_t turn = 0; turn < turns; turn++) {
		struct seen seen = seen_new(COUNT);
		uint64_t cursor = 0;
		int more;

		do {
			const uint64_t before = cursor;

			seen.lowest = UINT64_MAX;
			seen.count = 0;
			seen.fail_at = rng_below(rng, 3) ? 0 : 1 + rng_below(rng, 20);
			seen.error = -EAGAIN;
			more = rcumap_scan(map, &cursor, 1 + rng_below(rng, 30), see, &seen);
			errors += more < 0;
			back += seen.lowest < before || (cursor < before && more != 0);
			wrong += not_as_the_cursor_says(&seen, keys, COUNT, cursor, more);
			step_table(map, rng);
			inside += table_first_hash(tables_current(&map->tables), cursor) != cursor;
		} while (more != 0);
		free(seen.times);
	}
	is_int(wrong, 0, "%s: while tables change between calls, what lies before the cursor has been visited once",
	       fixture_name());
	is_int(back, 0, "%s: and no call goes back", fixture_name());
	ok(errors > 0 && inside > 0, "%s: %llu errors, %llu cursors within a bucket", fixture_name(),
	   (unsigned long long)errors, (unsigned long long)inside);
	free(keys);
	bare_destroy(map);
}

/* ------------------------------------------------------------------ while others write */

#define PINNED 400u

struct context {
	struct rcumap *map;
	uint64_t keys, waves, seed, shrunk;
	_Atomic uint64_t scans, wrong, foreign, failed, stuck;
	_Atomic bool enough;
};

/* What a scan sees of pinned keys, whose numbers count down from the top, and of others. */
struct sight {
	struct context *context;
	unsigned char pinned[PINNED];
};

static int see_among_writers(void *ctx, const struct rcumap_entry *entry)
{
	struct sight *sight = ctx;
	const unsigned char *key = rcumap_entry_key(entry);
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | key[i];
	if (payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), number, NULL) != PAYLOAD_OK)
		atomic_fetch_add(&sight->context->foreign, 1);
	if (UINT64_MAX - number < PINNED)
		sight->pinned[UINT64_MAX - number]++;
	return 0;
}

static void scan_once(struct context *c, struct rng *rng)
{
	struct sight sight = { .context = c };
	uint64_t cursor = 0, wrong = 0;
	int more;

	do {
		more = rcumap_scan(c->map, &cursor, 1 + rng_below(rng, 200), see_among_writers, &sight);
		flavor_quiescent(fixture_flavor);
	} while (more == 1);
	for (unsigned i = 0; i < PINNED; i++)
		wrong += sight.pinned[i] != 1;
	atomic_fetch_add(&c->wrong, wrong);
	atomic_fetch_add(&c->failed, more != 0);
	atomic_fetch_add(&c->scans, 1);
}

static bool has_shrunk(void *ctx)
{
	const struct context *c = ctx;
	struct rcumap_stats stats = fixture_stats(c->map);

	/* Or it had no time to grow before the wave was over. */
	return stats.shrunk > c->shrunk || stats.entries * 10 >= stats.table_slots;
}

/* Waves of other keys: the table grows and shrinks. */
static void write_waves(struct context *c)
{
	for (uint64_t wave = 0; wave < c->waves; wave++) {
		for (uint64_t i = 0; i < 2 * c->keys; i++) {
			if (i < c->keys)
				fixture_put(c->map, i, wave, 24 + i % 40);
			else
				fixture_delete(c->map, i - c->keys);
			if (i % 16 == 0)
				flavor_quiescent(fixture_flavor);
		}
		atomic_fetch_add(&c->stuck, !fixture_eventually(has_shrunk, c));
		c->shrunk = fixture_stats(c->map).shrunk;
	}
	atomic_store(&c->enough, true);
}

static void replace_pinned(struct context *c, struct rng *rng)
{
	while (!atomic_load(&c->enough)) {
		fixture_put(c->map, UINT64_MAX - rng_below(rng, PINNED), 0, 24 + rng_below(rng, 60));
		flavor_quiescent(fixture_flavor);
	}
}

static void write_or_scan(struct team_member *me)
{
	struct context *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, c->seed, me->index);
	if (me->index == 0)
		write_waves(c);
	else if (me->index == 1)
		replace_pinned(c, &rng);
	else
		do
			scan_once(c, &rng);
		while (!atomic_load(&c->enough));
}

static void while_others_write(uint64_t seed)
{
	struct context c = { .map = fixture_map(NULL),
			     .keys = fixture_scaled(20000, 2000),
			     .waves = fixture_scaled(9, 2),
			     .seed = seed };
	struct rcumap_stats stats;

	for (uint64_t i = 0; i < PINNED; i++)
		fixture_put(c.map, UINT64_MAX - i, 0, 24);
	fixture_run(4, write_or_scan, &c);
	stats = fixture_stats(c.map);
	is_int(c.failed, 0, "%s: scans among writers come to an end", fixture_name());
	is_int(c.wrong, 0, "%s: keys that stay are visited once by each", fixture_name());
	is_int(c.foreign, 0, "%s: what is visited is whole", fixture_name());
	ok(c.stuck == 0 && stats.grown > 0, "%s: the table grew and shrank meanwhile (%llu scans, %llu, %llu)",
	   fixture_name(), (unsigned long long)c.scans, (unsigned long long)stats.grown,
	   (unsigned long long)stats.shrunk);
	fixture_destroy(c.map);
}

static uint64_t seed;

static void test(void)
{
	struct rng rng;

	rng_init_stream(&rng, seed, 100);
	arguments_are_checked();
	visits_all_in_any_portions(&rng);
	an_empty_stretch_ends_a_call();
	an_error_ends_a_call(&rng);
	any_cursor_is_a_position(&rng);
	what_has_expired_is_not_visited();
	visits_are_inside_a_section();
	while_tables_change_between_calls(&rng);
	while_others_write(seed);
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
