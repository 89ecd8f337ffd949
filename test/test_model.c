/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random sequences of all verbs against a plain array, by a clock that jumps: every result, every value, every version
 * and every life must be what the array says. Over few keys, so that each meets every other; with hashes so weak that
 * chains and whole classes of keys collide; and over many keys, so that the table grows and shrinks meanwhile. And with a
 * limit, where the array learns who was evicted by asking for a key before anything is done with it.
 */
#include "checked_allocator.h"
#include "clock_fixture.h"

static uint64_t seed;

/* ------------------------------------------------------------------------------------------------ hashes */

static uint64_t number_of(const void *key)
{
	const unsigned char *bytes = key;
	uint64_t number = 0;

	for (unsigned i = 0; i < 8; i++)
		number = number << 8 | bytes[i];
	return number;
}

static uint64_t hash_number(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key_size;
	return number_of(key);
}

static uint64_t hash_high_bits(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key_size;
	return number_of(key) << 56;
}

static uint64_t hash_four_values(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key_size;
	return number_of(key) % 4;
}

static uint64_t hash_constant(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key;
	(void)key_size;
	return 0;
}

/* ------------------------------------------------------------------------------------------------ the model */

struct slot {
	uint64_t version; /* 0: absent */
	uint64_t stale;	  /* a version that the key had before, or 0 */
	uint64_t turn;	  /* what its payload says */
	size_t size;
	uint64_t deadline_us; /* NO_DEADLINE: none */
	bool has_word;	      /* stored with a life, or given one by touch */
};

#define NO_DEADLINE UINT64_MAX

struct model {
	struct fault_allocator allocator;
	const char *name;
	struct fixture_clock clock;
	struct rcumap *map;
	struct slot *slots;
	uint64_t keys, entries;
	uint64_t inserted, replaced, removed;
	uint64_t limit;			    /* on entries; 0: none */
	uint64_t evicted;		    /* that are known of */
	uint64_t wrong;			    /* results that differ from the model's */
	uint64_t *versions, versions_count; /* all that were given */
	bool may_overflow;
	uint64_t overflows;
};

static void differs(struct model *m, const char *what, uint64_t number, long long got, long long want)
{
	if (m->wrong++ < 5)
		diag("%s of key %llu: got %lld, want %lld", what, (unsigned long long)number, got, want);
}

static void model_removed(struct model *m, struct slot *slot)
{
	m->entries--;
	m->removed++;
	slot->stale = slot->version;
	slot->version = 0;
}

/* A key that should be there and is not has been evicted, if there is a limit. */
static void forget_evicted(struct model *m, struct slot *slot)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key((uint64_t)(slot - m->slots), key);

	if (!m->limit || !slot->version || rcumap_get(m->map, key, key_size, NULL, 0, NULL, NULL) != -ENOENT)
		return;
	model_removed(m, slot);
	m->evicted++;
}

/* What the clock has passed is absent, and what was evicted. */
static void forget_gone(struct model *m, struct slot *slot)
{
	if (slot->version && slot->deadline_us <= m->clock.ns / 1000)
		model_removed(m, slot);
	else
		forget_evicted(m, slot);
}

static uint64_t random_ttl(struct rng *rng)
{
	uint64_t dice = rng_below(rng, 100);

	if (dice < 50)
		return dice < 10 ? RCUMAP_TTL_DEFAULT : RCUMAP_TTL_NEVER;
	if (dice < 52)
		return 0;
	return dice < 80 ? 1 + rng_below(rng, 200) : 60 * SECOND_MS + rng_below(rng, HOUR_MS);
}

static void set_life(struct model *m, struct slot *slot, uint64_t ttl_ms)
{
	bool endless = ttl_ms == RCUMAP_TTL_DEFAULT || ttl_ms == RCUMAP_TTL_NEVER;

	slot->deadline_us = endless ? NO_DEADLINE : m->clock.ns / 1000 + 1 + ttl_ms * 1000;
}

/* The key has got a value, or has lost it, if its life is 0. */
static void model_stored(struct model *m, struct slot *slot, uint64_t version, uint64_t turn, size_t size,
			 uint64_t ttl_ms)
{
	if (ttl_ms == 0) {
		if (slot->version)
			model_removed(m, slot);
		return;
	}
	m->versions[m->versions_count++] = version;
	m->entries += !slot->version;
	m->inserted += !slot->version;
	m->replaced += slot->version != 0;
	slot->stale = slot->version ? slot->version : slot->stale;
	slot->version = version;
	slot->turn = turn;
	slot->size = size;
	if (ttl_ms != RCUMAP_TTL_KEEP) {
		set_life(m, slot, ttl_ms);
		slot->has_word = slot->deadline_us != NO_DEADLINE;
	}
}

/* After each call: no more than the limit, and only what comes in under an absent key evicts, one. */
static void check_limit(struct model *m, uint64_t number, struct rcumap_stats before)
{
	struct rcumap_stats after;

	if (!m->limit)
		return;
	after = fixture_stats(m->map);
	if (after.inserted - after.deleted - after.expired - after.evicted > m->limit)
		differs(m, "entries, by what was counted, after a call", number, (long long)after.entries,
			(long long)m->limit);
	if (after.evicted - before.evicted > after.inserted - before.inserted || after.inserted - before.inserted > 1)
		differs(m, "evicted by a call", number, (long long)(after.evicted - before.evicted),
			(long long)(after.inserted - before.inserted));
}

/* What a store should return before it stores. */
static int store_verdict(const struct slot *slot, unsigned verb, uint64_t expected)
{
	switch (verb) {
	case 0:
		return 0;
	case 1:
		return slot->version ? -EEXIST : 0;
	case 2:
		return slot->version ? 0 : -ENOENT;
	default:
		return !slot->version ? -ENOENT : slot->version == expected ? 0 : -ESTALE;
	}
}

static void model_store(struct model *m, struct rng *rng, uint64_t turn)
{
	static const char *const names[] = { "put", "add", "replace", "compare_and_swap" };
	uint64_t number = rng_below(rng, m->keys), version = 0, expected, ttl_ms = random_ttl(rng);
	struct slot *slot = &m->slots[number];
	unsigned char key[FIXTURE_KEY_MAX], value[FIXTURE_VALUE_MAX];
	size_t key_size = fixture_key(number, key), size = 24 + rng_below(rng, sizeof value - 23);
	unsigned verb = (unsigned)rng_below(rng, 4);
	int want, got;

	forget_gone(m, slot);
	expected = rng_below(rng, 4) ? slot->version : rng_below(rng, 2) ? slot->stale : slot->version + 1;
	want = store_verdict(slot, verb, expected);
	payload_fill(value, size, number, turn);
	if (verb == 0)
		got = rcumap_put(m->map, key, key_size, value, size, ttl_ms, &version);
	else if (verb == 1)
		got = rcumap_add(m->map, key, key_size, value, size, ttl_ms, &version);
	else if (verb == 2)
		got = rcumap_replace(m->map, key, key_size, value, size, ttl_ms, &version);
	else
		got = rcumap_compare_and_swap(m->map, key, key_size, expected, value, size, ttl_ms,
					      &version);
	if (got == -EOVERFLOW && m->may_overflow && !slot->version && verb < 2) {
		m->overflows++;
		return;
	}
	if (got != want || (got == 0 && ttl_ms != 0) != (version != 0))
		differs(m, names[verb], number, got, want);
	if (got == 0)
		model_stored(m, slot, version, turn, size, ttl_ms);
}

static void model_touch(struct model *m, struct rng *rng)
{
	uint64_t number = rng_below(rng, m->keys), ttl_ms = random_ttl(rng);
	struct slot *slot = &m->slots[number];
	int want, got;

	forget_gone(m, slot);
	want = slot->version ? 0 : -ENOENT;
	got = fixture_touch(m->map, number, ttl_ms);
	if (got != want)
		differs(m, "touch", number, got, want);
	if (got != 0)
		return;
	if (ttl_ms == 0) {
		model_removed(m, slot);
		return;
	}
	set_life(m, slot, ttl_ms);
	/* What had no place for a deadline is copied. */
	if (slot->deadline_us != NO_DEADLINE && !slot->has_word) {
		slot->has_word = true;
		m->replaced++;
	}
}

struct decision {
	struct model *m;
	const struct slot *slot;
	uint64_t number;
	int verdict;
	struct rcumap_value value;
};

static int decide(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct decision *d = ctx;

	if ((old ? rcumap_entry_version(old) : 0) != d->slot->version)
		differs(d->m, "what update sees", d->number, old ? 0 : -ENOENT, d->slot->version ? 0 : -ENOENT);
	*value = d->value;
	return d->verdict;
}

static void model_update(struct model *m, struct rng *rng, uint64_t turn)
{
	static const int verdicts[] = { 0, 0, 0, 0, RCUMAP_KEEP, RCUMAP_REMOVE, -EIO, RCUMAP_REMOVE + 1 };
	uint64_t number = rng_below(rng, m->keys), version = UINT64_MAX;
	struct slot *slot = &m->slots[number];
	unsigned char key[FIXTURE_KEY_MAX], value[FIXTURE_VALUE_MAX];
	size_t key_size = fixture_key(number, key), size = 24 + rng_below(rng, sizeof value - 23);
	uint64_t ttl_ms = rng_below(rng, 2) ? RCUMAP_TTL_KEEP : random_ttl(rng);
	struct decision d = { m, slot, number, verdicts[rng_below(rng, 8)], { value, size, ttl_ms } };
	int want = d.verdict < 0 ? d.verdict : d.verdict > RCUMAP_REMOVE ? -EINVAL : 0, got;

	forget_gone(m, slot);
	payload_fill(value, size, number, turn);
	got = rcumap_update(m->map, key, key_size, decide, &d, &version);
	if (got == -EOVERFLOW && m->may_overflow && !slot->version && d.verdict == 0) {
		m->overflows++;
		return;
	}
	if (got != want)
		differs(m, "update", number, got, want);
	if (got != 0)
		return;
	if (d.verdict == 0)
		model_stored(m, slot, version, turn, size,
			     ttl_ms == RCUMAP_TTL_KEEP && !slot->version ? RCUMAP_TTL_DEFAULT : ttl_ms);
	else if (d.verdict == RCUMAP_REMOVE && slot->version)
		model_removed(m, slot);
	if (version != slot->version)
		differs(m, "version of update", number, (long long)version, (long long)slot->version);
}

static void model_remove(struct model *m, struct rng *rng)
{
	uint64_t number = rng_below(rng, m->keys);
	struct slot *slot = &m->slots[number];
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);
	int want, got;

	forget_gone(m, slot);
	want = slot->version ? 0 : -ENOENT;
	if (rng_below(rng, 2)) {
		got = rcumap_delete(m->map, key, key_size);
	} else {
		uint64_t expected = rng_below(rng, 4) ? slot->version : rng_below(rng, 2) ? slot->stale : 1;

		if (slot->version && slot->version != expected)
			want = -ESTALE;
		got = rcumap_delete_if(m->map, key, key_size, expected);
	}
	if (got != want)
		differs(m, "delete", number, got, want);
	if (got == 0)
		model_removed(m, slot);
}

/* Compares what the map says of a key with the model, by find and by get. */
static void model_read(struct model *m, uint64_t number)
{
	struct slot *slot = &m->slots[number];
	unsigned char key[FIXTURE_KEY_MAX], value[FIXTURE_VALUE_MAX];
	size_t key_size = fixture_key(number, key);
	uint64_t ttl_ms = 0, now_us = m->clock.ns / 1000;

	forget_gone(m, slot);
	if (!slot->version) {
		if (!fixture_lacks(m->map, key, key_size))
			differs(m, "find", number, 0, -ENOENT);
		return;
	}
	payload_fill(value, slot->size, number, slot->turn);
	if (!fixture_holds(m->map, key, key_size, value, slot->size, slot->version))
		differs(m, "find", number, -ENOENT, 0);
	rcumap_ttl(m->map, key, key_size, &ttl_ms);
	if (slot->deadline_us == NO_DEADLINE ? ttl_ms != RCUMAP_TTL_NEVER :
					       ttl_ms < (slot->deadline_us - now_us - 1 + 999) / 1000 ||
						       ttl_ms > (slot->deadline_us - now_us + 999) / 1000)
		differs(m, "ttl", number, (long long)ttl_ms, (long long)(slot->deadline_us - now_us) / 1000);
}

static void model_compare(struct model *m)
{
	for (uint64_t i = 0; i < m->keys; i++)
		model_read(m, i);
	/* What has expired may be in the way for a while yet. */
	if (rcumap_count(m->map) < m->entries)
		differs(m, "count", 0, (long long)rcumap_count(m->map), (long long)m->entries);
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static uint64_t repeated_versions(struct model *m)
{
	uint64_t repeated = 0;

	qsort(m->versions, m->versions_count, sizeof m->versions[0], by_value);
	for (uint64_t i = 1; i < m->versions_count; i++)
		repeated += m->versions[i] == m->versions[i - 1];
	return repeated;
}

/* A sequence: stores are frequent in every other wave and deletions in between, so that the map fills and empties. */
static void play(struct model *m, struct rng *rng, uint64_t turns, uint64_t wave)
{
	for (uint64_t t = 0; t < turns; t++) {
		uint64_t stores = t / wave % 2 == 0 ? 70 : 3, dice = rng_below(rng, 100);

		if (rng_below(rng, 8) == 0)
			fixture_clock_advance(&m->clock, rng_below(rng, 1000) ? rng_below(rng, 20) : HOUR_MS / 2);
		struct rcumap_stats before = { 0 };

		if (m->limit)
			before = fixture_stats(m->map);
		if (dice < stores)
			rng_below(rng, 4) ? model_store(m, rng, t) : model_update(m, rng, t);
		else if (dice < 80 && rng_below(rng, 4) == 0)
			model_touch(m, rng);
		else if (dice < 90)
			model_remove(m, rng);
		else if (dice < 99)
			model_read(m, rng_below(rng, m->keys));
		else if (rng_below(rng, turns) < 3) {
			if (rcumap_clear(m->map) != 0)
				differs(m, "clear", 0, -1, 0);
			for (uint64_t i = 0; i < m->keys; i++)
				if (m->slots[i].version)
					model_removed(m, &m->slots[i]);
		}
		check_limit(m, t, before);
		if (t % 64 == 0)
			flavor_quiescent(fixture_flavor);
		if (m->keys <= 64 && t % 4096 == 0)
			model_compare(m);
	}
}

static bool has_shrunk(void *map)
{
	return fixture_stats(map).shrunk > 0;
}

/* Maps that have been played with. What has expired is noticed a few times a second: all wait for that at once. */
static struct {
	struct model *model[32];
	unsigned count;
} played;

static void run(const struct rcumap_options *given, bool may_overflow, uint64_t keys, uint64_t turns, uint64_t wave,
		const char *name)
{
	struct rcumap_options options = *given;
	struct model *m = calloc(1, sizeof *m);
	struct rng rng;
	uint64_t removed;

	if (played.count == sizeof played.model / sizeof played.model[0])
		bail("more models than expected");
	played.model[played.count++] = m;
	fault_init(&m->allocator);
	options.allocator = fault_allocator(&m->allocator);
	m->name = name;
	m->keys = keys;
	m->limit = options.max_entries;
	m->may_overflow = may_overflow;
	m->slots = calloc(keys, sizeof m->slots[0]);
	m->versions = malloc((turns + 1) * sizeof m->versions[0]);
	options.clock = fixture_clock_read;
	options.clock_ctx = &m->clock;
	m->map = fixture_map(&options);
	rng_init_stream(&rng, seed, keys);

	play(m, &rng, turns, wave);
	model_compare(m);
	/* Until the reclaimer must have noticed all that has expired. */
	do {
		removed = m->removed;
		fixture_clock_advance(&m->clock, SECOND_MS / 5);
		for (uint64_t i = 0; i < keys; i++)
			forget_gone(m, &m->slots[i]);
	} while (m->removed != removed);
}

static void finish(struct model *m)
{
	const unsigned long long keys = m->keys;
	struct rcumap_stats stats;

	ok(fixture_eventually_counts(m->map, m->entries), "%s: %s, %llu keys: what has expired leaves the count",
	   fixture_name(), m->name, keys);
	rcumap_barrier(m->map);
	stats = fixture_stats(m->map);
	is_int(m->wrong, 0, "%s: %s, %llu keys: every result is the model's", fixture_name(), m->name, keys);
	ok(stats.entries == m->entries && stats.inserted == m->inserted && stats.replaced == m->replaced &&
		   stats.deleted + stats.expired + stats.evicted == m->removed && stats.retired_pending == 0 &&
		   stats.reclaimed == m->replaced + m->removed,
	   "%s: %s, %llu keys: so are the counters", fixture_name(), m->name, keys);
	/* Some were not missed before their deadline had passed, or clear came. */
	if (m->limit)
		ok(keys <= m->limit ? stats.evicted == 0 : stats.evicted >= m->evicted && m->evicted > 0,
		   "%s: %s, %llu keys, limit %llu: of %llu evicted ones %llu were missed", fixture_name(), m->name, keys,
		   (unsigned long long)m->limit, (unsigned long long)stats.evicted, (unsigned long long)m->evicted);
	is_int(repeated_versions(m), 0, "%s: %s, %llu keys: no version was given twice", fixture_name(), m->name, keys);
	if (m->overflows)
		diag("%llu inserts were refused: chain full", (unsigned long long)m->overflows);
	if (keys > 64 && !m->may_overflow && !m->limit)
		ok(fixture_stats(m->map).grown > 0 && rcumap_clear(m->map) == 0 && fixture_eventually(has_shrunk, m->map),
		   "%s: %s, %llu keys: the table has grown, and shrinks when all is cleared", fixture_name(), m->name,
		   keys);
	fixture_destroy(m->map);
	ok(fault_settled(&m->allocator), "%s: %s, %llu keys: every byte is given back", fixture_name(), m->name, keys);
	free(m->slots);
	free(m->versions);
	free(m);
}

static struct rcumap_options with_hash(rcumap_hash_fn *hash)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.hash = hash;
	return options;
}

static struct rcumap_options with_limit(rcumap_hash_fn *hash, uint64_t max_entries)
{
	struct rcumap_options options = with_hash(hash);

	options.max_entries = max_entries;
	return options;
}

/* Fewer keys than the limit, some more, and many more. */
static void limited(uint64_t turns, uint64_t many)
{
	struct rcumap_options plain = with_limit(NULL, 16), four = with_limit(hash_four_values, 16),
			      constant = with_limit(hash_constant, 16), large = with_limit(NULL, many / 16);

	run(&plain, false, 16, turns, 1000, "default hash");
	run(&plain, false, 24, turns, 1000, "default hash");
	run(&plain, false, 1000, turns, 1000, "default hash");
	run(&four, false, 64, turns, 1000, "hash of four values");
	run(&constant, false, 24, turns, 1000, "constant hash");
	run(&large, false, many, many * 4, many * 2, "default hash");
}

static void test(void)
{
	static const uint64_t few[] = { 1, 2, 3, 7, 16, 64 };
	const uint64_t turns = fixture_scaled(12000, 3000), many = fixture_scaled(40000, 10000);
	struct rcumap_options plain = with_hash(NULL), number = with_hash(hash_number),
			      high = with_hash(hash_high_bits), four = with_hash(hash_four_values),
			      constant = with_hash(hash_constant);

	for (size_t i = 0; i < sizeof few / sizeof few[0]; i++) {
		run(&plain, false, few[i], turns, 1000, "default hash");
		run(&four, false, few[i], turns, 1000, "hash of four values");
		run(&constant, few[i] > 16, few[i], turns, 1000, "constant hash");
	}
	run(&number, false, 64, turns, 1000, "the number itself as hash");
	run(&high, false, 64, turns, 1000, "hash of high bits alone");
	/* Beyond what a chain can hold: refused, and refused rightly. */
	run(&constant, true, 2000, turns * 2, 4000, "constant hash");

	run(&plain, false, many, many * 8, many * 4, "default hash");
	run(&number, false, many, many * 8, many * 4, "the number itself as hash");

	limited(turns, many);

	while (played.count)
		finish(played.model[--played.count]);
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
