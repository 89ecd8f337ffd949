/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_find_batch(): for each key what rcumap_find() says, whatever stands beside it and however many there are. */
#include "map/read.h"

#include "batch_fixture.h"

#define MOST 1000u

/* Is each entry what rcumap_find() says? Inside a section, and nobody writes. */
static size_t different(const struct rcumap *map, const struct rcumap_key *keys, size_t n,
			const struct rcumap_entry **entries)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++)
		wrong += entries[i] != rcumap_find(map, keys[i].data, keys[i].size);
	return wrong;
}

static void each_number_of_keys(struct rcumap *map)
{
	static const size_t numbers[] = { 0, 1, 3, 4, 5, 31, 32, 33, 64, 999, 1000 };
	const struct rcumap_entry *entries[MOST + 1];
	const struct rcumap_entry *const mark = (const struct rcumap_entry *)entries;
	struct batch_keys keys = batch_keys_new(NULL, MOST);
	unsigned bad = 0;

	for (uint64_t i = 0; i < MOST; i += 2)
		bad += fixture_put(map, i, i, 24 + i % 200) != 0;
	is_int(bad, 0, "%s: put every second of the keys", fixture_name());
	for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
		const size_t n = numbers[k];

		for (size_t i = 0; i <= MOST; i++)
			entries[i] = mark;
		rcumap_read_lock(map);
		is_int(rcumap_find_batch(map, keys.keys, n, entries), (n + 1) / 2, "%s: of %zu keys half are found",
		       fixture_name(), n);
		is_int(different(map, keys.keys, n, entries), 0, "%s: of %zu keys each is as find says", fixture_name(),
		       n);
		ok(entries[n] == mark, "%s: behind %zu keys nothing is written", fixture_name(), n);
		rcumap_read_unlock(map);
	}
	batch_keys_free(&keys);
}

static void keys_that_are_none(struct rcumap *map)
{
	static const char key[] = "none of these";
	struct rcumap_key keys[] = {
		{ key, 4 },	   { NULL, 4 }, { key, 0 }, { key, 4 }, { key, RCUMAP_KEY_SIZE_MAX + 1 },
		{ key, SIZE_MAX }, { NULL, 0 }, { key, 5 }, { key, 4 }
	};
	const struct rcumap_entry *entries[9] = { NULL }, *entry;

	rcumap_put(map, key, 4, "x", 1, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_read_lock(map);
	for (unsigned i = 0; i < 9; i++)
		entries[i] = (const struct rcumap_entry *)keys;
	is_int(rcumap_find_batch(map, keys, 9, entries), 3, "%s: one key three times is found three times",
	       fixture_name());
	entry = rcumap_find(map, key, 4);
	ok(entry && entries[0] == entry && entries[3] == entry && entries[8] == entry, "%s: the same each time",
	   fixture_name());
	ok(!entries[1] && !entries[2] && !entries[4] && !entries[5] && !entries[6],
	   "%s: what is no key is absent, unread", fixture_name());
	ok(!entries[7], "%s: a longer key is another", fixture_name());
	entries[0] = (const struct rcumap_entry *)keys;
	is_int(rcumap_find_batch(NULL, keys, 9, entries) + rcumap_find_batch(map, NULL, 9, entries) +
		       rcumap_find_batch(map, keys, 9, NULL),
	       0, "%s: without map, keys or entries nothing is found", fixture_name());
	ok(entries[0] == (const struct rcumap_entry *)keys, "%s: and nothing written", fixture_name());
	rcumap_read_unlock(map);
}

static void sizes_of_many_lines(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct rcumap_key keys[40];
	const struct rcumap_entry *entries[40];
	unsigned char *bytes = malloc(RCUMAP_KEY_SIZE_MAX), *value = malloc(100000);
	unsigned wrong = 0;

	memset(bytes, 'k', RCUMAP_KEY_SIZE_MAX);
	memset(value, 'v', 100000);
	for (unsigned i = 0; i < 40; i++) {
		keys[i].data = bytes;
		keys[i].size = i == 39 ? RCUMAP_KEY_SIZE_MAX : 1 + i * i * 40;
		rcumap_put(map, bytes, keys[i].size, value, i * 2500, RCUMAP_TTL_DEFAULT, NULL);
	}
	rcumap_read_lock(map);
	is_int(rcumap_find_batch(map, keys, 40, entries), 40, "%s: keys and values of many lines", fixture_name());
	wrong = (unsigned)different(map, keys, 40, entries);
	for (unsigned i = 0; i < 40; i++)
		wrong += !entries[i] || rcumap_entry_value_size(entries[i]) != i * 2500;
	is_int(wrong, 0, "%s: each is found with its value", fixture_name());
	rcumap_read_unlock(map);
	fixture_destroy(map);
	free(bytes);
	free(value);
}

/* `count` keys of one hash, then as many that were never put. */
static void chains(void)
{
	enum { COUNT = 20 };
	struct rcumap *map = batch_map(NULL);
	struct chain_key bytes[2 * COUNT];
	struct rcumap_key keys[2 * COUNT];
	const struct rcumap_entry *entries[2 * COUNT];

	for (unsigned i = 0; i < 2 * COUNT; i++) {
		bytes[i] = (struct chain_key){ UINT64_C(0x123456789abcdef), i };
		keys[i] = (struct rcumap_key){ &bytes[i], sizeof bytes[i] };
		if (i < COUNT)
			batch_put(map, bytes[i], RCUMAP_TTL_NEVER);
	}
	rcumap_read_lock(map);
	is_int(rcumap_find_batch(map, keys, 2 * COUNT, entries), COUNT, "%s: keys of one hash are told apart",
	       fixture_name());
	is_int(different(map, keys, 2 * COUNT, entries), 0, "%s: each is as find says", fixture_name());
	rcumap_read_unlock(map);
	bare_destroy(map);
}

/* Chains of keys whose tags differ: what is asked for is in no first line. */
static void chains_of_different_tags(void)
{
	enum { COUNT = 24 };
	struct rcumap *map = batch_map(NULL);
	struct chain_key bytes[2 * COUNT];
	struct rcumap_key keys[2 * COUNT];
	const struct rcumap_entry *entries[2 * COUNT];
	struct rng rng;

	rng_init_stream(&rng, 7, 0);
	for (unsigned i = 0; i < 2 * COUNT; i++) {
		bytes[i] = (struct chain_key){ chain_hash_in(12, 1, rng_u64(&rng)), i };
		keys[i] = (struct rcumap_key){ &bytes[i], sizeof bytes[i] };
		if (i < COUNT)
			batch_put(map, bytes[i], RCUMAP_TTL_NEVER);
	}
	rcumap_read_lock(map);
	is_int(rcumap_find_batch(map, keys, 2 * COUNT, entries), COUNT, "%s: keys of one bucket", fixture_name());
	is_int(different(map, keys, 2 * COUNT, entries), 0, "%s: each is as find says", fixture_name());
	rcumap_read_unlock(map);
	bare_destroy(map);
}

static void in_the_midst_of_a_migration(void)
{
	enum { COUNT = 200 };
	struct rcumap *map = batch_map(NULL);
	struct chain_key bytes[COUNT];
	struct rcumap_key keys[COUNT];
	const struct rcumap_entry *entries[COUNT];
	struct rng rng;
	size_t missing = 0, wrong = 0;

	rng_init_stream(&rng, 8, 0);
	for (unsigned i = 0; i < COUNT; i++) {
		bytes[i] = (struct chain_key){ rng_u64(&rng), i };
		keys[i] = (struct rcumap_key){ &bytes[i], sizeof bytes[i] };
		batch_put(map, bytes[i], RCUMAP_TTL_NEVER);
	}
	/* Up six times, and down again, a group at a time. */
	for (unsigned turn = 0; turn < 12; turn++) {
		const unsigned from = bare_size(map), to = turn < 6 ? from + 1 : from - 1;

		while (bare_size(map) != to) {
			batch_resize(map, to, 1);
			rcumap_read_lock(map);
			missing += COUNT - rcumap_find_batch(map, keys, COUNT, entries);
			wrong += different(map, keys, COUNT, entries);
			rcumap_read_unlock(map);
		}
	}
	is_int(missing, 0, "%s: at every stage of a migration all keys are found", fixture_name());
	is_int(wrong, 0, "%s: each as find says", fixture_name());
	bare_destroy(map);
}

static void what_has_expired_is_absent(void)
{
	enum { COUNT = 100 };
	struct batch_clock clock = { UINT64_C(5000000000), 0 };
	struct rcumap *map = batch_map(&clock);
	struct chain_key bytes[COUNT];
	struct rcumap_key keys[COUNT];
	const struct rcumap_entry *entries[COUNT];
	uint64_t calls;
	unsigned wrong = 0;

	for (unsigned i = 0; i < COUNT; i++) {
		bytes[i] = (struct chain_key){ hash_mix(i), i };
		keys[i] = (struct rcumap_key){ &bytes[i], sizeof bytes[i] };
		batch_put(map, bytes[i], i % 2 ? 10 : 20);
	}
	rcumap_read_lock(map);
	calls = atomic_load(&clock.calls);
	is_int(rcumap_find_batch(map, keys, COUNT, entries), COUNT, "%s: before their deadlines all are found",
	       fixture_name());
	is_int(atomic_load(&clock.calls) - calls, (COUNT + READ_BATCH - 1) / READ_BATCH,
	       "%s: the clock was read once for %u keys", fixture_name(), READ_BATCH);
	atomic_store(&clock.now_ns, UINT64_C(5015000000));
	is_int(rcumap_find_batch(map, keys, COUNT, entries), COUNT / 2, "%s: half of the deadlines have passed",
	       fixture_name());
	for (unsigned i = 0; i < COUNT; i++)
		wrong += (entries[i] != NULL) != (i % 2 == 0);
	is_int(wrong, 0, "%s: those keys are absent, the others there", fixture_name());
	atomic_store(&clock.now_ns, UINT64_C(6000000000));
	is_int(rcumap_find_batch(map, keys, COUNT, entries), 0, "%s: then all have", fixture_name());
	rcumap_read_unlock(map);
	bare_destroy(map);
}

/* ------------------------------------------------------------------ while others write */

#define PINNED 300u
#define CHURNED 4000u

struct context {
	struct rcumap *map;
	_Atomic uint64_t missing, foreign;
	_Atomic unsigned writers;
};

/* What belongs to a number that is churned: pinned ones count down from the top. */
static bool is_of(const struct rcumap_entry *entry, uint64_t number)
{
	return payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), number, NULL) == PAYLOAD_OK;
}

static void find_pinned_and_churned(struct context *c, struct rng *rng)
{
	uint64_t numbers[100];
	const struct rcumap_entry *entries[100];
	struct batch_keys keys;

	for (unsigned i = 0; i < 100; i++)
		numbers[i] = i % 2 ? UINT64_MAX - rng_below(rng, PINNED) : rng_below(rng, CHURNED);
	keys = batch_keys_new(numbers, 100);
	rcumap_read_lock(c->map);
	rcumap_find_batch(c->map, keys.keys, 100, entries);
	for (unsigned i = 0; i < 100; i++) {
		if (entries[i] ? !is_of(entries[i], numbers[i]) : i % 2)
			atomic_fetch_add(entries[i] ? &c->foreign : &c->missing, 1);
	}
	rcumap_read_unlock(c->map);
	batch_keys_free(&keys);
}

static void churn_or_find(struct team_member *me)
{
	struct context *c = me->ctx;
	const uint64_t rounds = fixture_scaled(12, 2);
	struct rng rng;

	rng_init_stream(&rng, 9, me->index);
	if (me->index >= 2) {
		do {
			find_pinned_and_churned(c, &rng);
			flavor_quiescent(fixture_flavor);
		} while (atomic_load(&c->writers));
		return;
	}
	for (uint64_t r = 0; r < rounds; r++)
		for (uint64_t i = me->index; i < 2 * CHURNED; i += 2) {
			if (i < CHURNED)
				fixture_put(c->map, i, r, 24 + i % 100);
			else
				fixture_delete(c->map, i - CHURNED);
			if (i < CHURNED && i % 4 == 0)
				fixture_put(c->map, UINT64_MAX - i / 4 % PINNED, r, 24 + i % 50);
			if (i % 16 == me->index)
				flavor_quiescent(fixture_flavor);
		}
	atomic_fetch_sub(&c->writers, 1);
}

static void while_others_write(void)
{
	struct context c = { .map = fixture_map(NULL), .writers = 2 };

	for (uint64_t i = 0; i < PINNED; i++)
		fixture_put(c.map, UINT64_MAX - i, 0, 24);
	fixture_run(4, churn_or_find, &c);
	is_int(c.missing, 0, "%s: keys that stay are found while others come and go", fixture_name());
	is_int(c.foreign, 0, "%s: no key is found with what is not its own", fixture_name());
	ok(fixture_stats(c.map).grown > 0, "%s: and the table grew meanwhile", fixture_name());
	fixture_destroy(c.map);
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);

	each_number_of_keys(map);
	keys_that_are_none(map);
	fixture_destroy(map);
	sizes_of_many_lines();
	chains();
	chains_of_different_tags();
	in_the_midst_of_a_migration();
	what_has_expired_is_absent();
	while_others_write();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
