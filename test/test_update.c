/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_update(): what the function saw is what its result replaces. */
#include "allocator_fixture.h"
#include "clock_fixture.h"

static struct fixture_clock the_clock;

#define KEY "key", 3

/* What the function is to say, and what it saw. */
struct say {
	int verdict;
	struct rcumap_value value;
	bool keep_ttl; /* leave value.ttl_ms as it is preset */
	unsigned calls;
	bool saw_old, preset;
	char old[32];
	uint64_t old_version;
};

static int say(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct say *s = ctx;

	s->calls++;
	s->saw_old = old != NULL;
	s->preset = value->data == NULL && value->size == 0 && value->ttl_ms == RCUMAP_TTL_KEEP;
	if (old) {
		memset(s->old, 0, sizeof s->old);
		memcpy(s->old, rcumap_entry_value(old), rcumap_entry_value_size(old));
		s->old_version = rcumap_entry_version(old);
	}
	value->data = s->value.data;
	value->size = s->value.size;
	if (!s->keep_ttl)
		value->ttl_ms = s->value.ttl_ms;
	return s->verdict;
}

static struct say store(const char *text, uint64_t ttl_ms)
{
	return (struct say){ .value = { text, strlen(text), ttl_ms } };
}

static struct say store_keeping(const char *text)
{
	return (struct say){ .value = { text, strlen(text), 0 }, .keep_ttl = true };
}

static int update(struct rcumap *map, struct say *s, uint64_t *version)
{
	return rcumap_update(map, KEY, say, s, version);
}

static void stores(struct rcumap *map)
{
	struct say s = store("one", RCUMAP_TTL_NEVER);
	uint64_t first = 0, second = 0;

	is_int(update(map, &s, &first), 0, "%s: update of an absent key", fixture_name());
	ok(s.calls == 1 && !s.saw_old && s.preset, "%s: the function sees that it is absent, and a value that is preset",
	   fixture_name());
	ok(fixture_holds(map, KEY, "one", 3, first) && first, "%s: stores, and tells the version", fixture_name());
	s = store("two", RCUMAP_TTL_NEVER);
	is_int(update(map, &s, &second), 0, "%s: update of a present key", fixture_name());
	ok(s.calls == 1 && s.saw_old && s.preset && strcmp(s.old, "one") == 0 && s.old_version == first,
	   "%s: the function sees what is there", fixture_name());
	ok(fixture_holds(map, KEY, "two", 3, second) && second != first, "%s: and replaces it", fixture_name());
	s = store("", RCUMAP_TTL_NEVER);
	s.value.data = NULL;
	is_int(update(map, &s, NULL), 0, "%s: an empty value, and nobody need ask for the version", fixture_name());
	ok(fixture_holds(map, KEY, "", 0, 0), "%s: is stored", fixture_name());
	rcumap_delete(map, KEY);
}

static void keeps_and_removes(struct rcumap *map)
{
	struct say s = { .verdict = RCUMAP_KEEP, .value = { NULL, 99, 12345678901234567 } };
	uint64_t version = 99, of_entry = 0;
	struct rcumap_stats before;

	is_int(update(map, &s, &version), 0, "%s: keep an absent key", fixture_name());
	ok(version == 0 && fixture_is_absent(map, "key"), "%s: it stays absent", fixture_name());
	s.verdict = RCUMAP_REMOVE;
	version = 99;
	is_int(update(map, &s, &version), 0, "%s: remove an absent key", fixture_name());
	ok(version == 0 && fixture_is_absent(map, "key"), "%s: it stays absent", fixture_name());

	rcumap_put(map, KEY, "value", 5, 300, &of_entry);
	s.verdict = RCUMAP_KEEP;
	is_int(update(map, &s, &version), 0, "%s: keep a present key; what is said of a value does not count",
	       fixture_name());
	ok(version == of_entry && fixture_holds(map, KEY, "value", 5, version) && fixture_ttl(map, "key") == 300,
	   "%s: it stays, with version and life", fixture_name());
	before = fixture_stats(map);
	s.verdict = RCUMAP_REMOVE;
	s.value.ttl_ms = 0;
	is_int(update(map, &s, &version), 0, "%s: remove a present key", fixture_name());
	ok(version == 0 && fixture_is_absent(map, "key") && rcumap_count(map) == 0, "%s: it is gone", fixture_name());
	ok(fixture_stats(map).deleted == before.deleted + 1 && fixture_stats(map).expired == before.expired,
	   "%s: and counts as deleted", fixture_name());
}

static void gives_up(struct rcumap *map)
{
	static const struct {
		struct say say;
		int want;
		const char *name;
	} cases[] = {
		{ { .verdict = -1 }, -1, "an error of its own" },
		{ { .verdict = -EEXIST }, -EEXIST, "another one" },
		{ { .verdict = INT32_MIN }, INT32_MIN, "the lowest number" },
		{ { .verdict = RCUMAP_REMOVE + 1 }, -EINVAL, "a number that means nothing" },
		{ { .verdict = INT32_MAX }, -EINVAL, "the highest number" },
		{ { .value = { NULL, 1, 100 } }, -EINVAL, "a NULL value of 1 byte" },
		{ { .value = { "x", (size_t)RCUMAP_VALUE_SIZE_MAX + 1, 100 } }, -EFBIG, "a value too large" },
		{ { .value = { "x", SIZE_MAX, 100 } }, -EFBIG, "a value of SIZE_MAX bytes" },
		{ { .value = { "x", 1, RCUMAP_TTL_MAX + 1 } }, -ERANGE, "a life out of range" },
		{ { .value = { "x", 1, RCUMAP_TTL_KEEP - 1 } }, -ERANGE, "another one" },
		{ { .value = { NULL, 1, 0 } }, -EINVAL, "a NULL value with a life of 0" },
	};

	for (unsigned present = 0; present < 2; present++) {
		if (present)
			fixture_put_text(map, "key", "value", 300);
		for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
			struct say s = cases[i].say;
			uint64_t version = 99;

			is_int(update(map, &s, &version), cases[i].want, "%s: %s", fixture_name(), cases[i].name);
			ok(version == 99 && (present ? fixture_is_text(map, "key", "value") &&
							       fixture_ttl(map, "key") == 300 :
						       fixture_is_absent(map, "key")),
			   "%s: without effect", fixture_name());
		}
	}
	rcumap_delete(map, KEY);
}

static void bad_arguments(struct rcumap *map)
{
	struct say s = store("x", 1);
	uint64_t version = 99;

	is_int(rcumap_update(NULL, KEY, say, &s, &version), -EINVAL, "%s: NULL map", fixture_name());
	is_int(rcumap_update(map, NULL, 3, say, &s, &version), -EINVAL, "%s: NULL key", fixture_name());
	is_int(rcumap_update(map, "x", 0, say, &s, &version), -EINVAL, "%s: key of 0 bytes", fixture_name());
	is_int(rcumap_update(map, "x", 65536, say, &s, &version), -EINVAL, "%s: key too large", fixture_name());
	is_int(rcumap_update(map, KEY, NULL, &s, &version), -EINVAL, "%s: NULL function", fixture_name());
	ok(version == 99 && s.calls == 0 && rcumap_count(map) == 0, "%s: nothing is called or written", fixture_name());
}

static void lives(struct rcumap *map)
{
	struct say s = store_keeping("one");
	uint64_t version = 99;

	is_int(update(map, &s, NULL), 0, "%s: an absent key with the life that it has", fixture_name());
	is_int(fixture_ttl(map, "key"), 7000, "%s: gets the default", fixture_name());
	fixture_clock_advance(&the_clock, 3000);
	s = store_keeping("two");
	is_int(update(map, &s, NULL), 0, "%s: a present key with the life that it has", fixture_name());
	ok(fixture_ttl(map, "key") == 4000 && fixture_is_text(map, "key", "two"), "%s: keeps it", fixture_name());
	rcumap_touch(map, KEY, 9000);
	is_int(fixture_ttl(map, "key"), 9000, "%s: and can be touched afterwards", fixture_name());
	s = store("three", 500);
	update(map, &s, NULL);
	is_int(fixture_ttl(map, "key"), 500, "%s: a shorter life", fixture_name());
	s = store("four", 900);
	update(map, &s, NULL);
	is_int(fixture_ttl(map, "key"), 900, "%s: a longer one", fixture_name());
	s = store("five", RCUMAP_TTL_DEFAULT);
	update(map, &s, NULL);
	is_int(fixture_ttl(map, "key"), 7000, "%s: the default", fixture_name());
	rcumap_touch(map, KEY, RCUMAP_TTL_NEVER);
	s = store_keeping("six");
	update(map, &s, NULL);
	ok(fixture_ttl(map, "key") == RCUMAP_TTL_NEVER, "%s: an endless life given by touch is kept", fixture_name());
	s = store("seven", RCUMAP_TTL_NEVER);
	update(map, &s, NULL);
	s = store_keeping("eight");
	update(map, &s, NULL);
	ok(fixture_ttl(map, "key") == RCUMAP_TTL_NEVER && fixture_is_text(map, "key", "eight"),
	   "%s: so is one that was stored", fixture_name());
	s = store("nine", 0);
	is_int(update(map, &s, &version), 0, "%s: a life of 0", fixture_name());
	ok(version == 0 && fixture_is_absent(map, "key") && fixture_stats(map).expired == 1, "%s: ends it as expired",
	   fixture_name());
	s = store("ten", 100);
	update(map, &s, NULL);
	fixture_clock_advance(&the_clock, 101);
	s = store_keeping("eleven");
	is_int(update(map, &s, NULL), 0, "%s: a key that has expired", fixture_name());
	ok(!s.saw_old && fixture_ttl(map, "key") == 7000, "%s: is absent, and what is stored a fresh insert",
	   fixture_name());
	rcumap_delete(map, KEY);
}

/* Appends a letter; the new value is made from the old entry. */
static int append(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	char *buffer = ctx;
	size_t size = old ? rcumap_entry_value_size(old) : 0;

	if (old)
		memcpy(buffer, rcumap_entry_value(old), size);
	buffer[size] = (char)('a' + size % 26);
	value->data = buffer;
	value->size = size + 1;
	return 0;
}

/* Drops the first byte: the new value lies in the old entry. */
static int drop_first(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	if (!old || rcumap_entry_value_size(old) == 0)
		return RCUMAP_REMOVE;
	value->data = (const char *)rcumap_entry_value(old) + 1;
	value->size = rcumap_entry_value_size(old) - 1;
	return 0;
}

static void appends(struct rcumap *map)
{
	char buffer[512], want[300];
	uint64_t wrong = 0;

	for (unsigned i = 0; i < 300; i++) {
		want[i] = (char)('a' + i % 26);
		wrong += rcumap_update(map, KEY, append, buffer, NULL) != 0;
	}
	ok(wrong == 0 && fixture_holds(map, KEY, want, 300, 0), "%s: values grow by what is appended", fixture_name());
	for (unsigned i = 1; i <= 300; i++)
		wrong += rcumap_update(map, KEY, drop_first, NULL, NULL) != 0 ||
			 !fixture_holds(map, KEY, want + i, 300 - i, 0);
	is_int(wrong, 0, "%s: a new value may lie in the old entry", fixture_name());
	wrong += rcumap_update(map, KEY, drop_first, NULL, NULL) != 0;
	ok(wrong == 0 && fixture_is_absent(map, "key"), "%s: and the last one is removed", fixture_name());
}

/* ------------------------------------------------------------------------------------------------ threads */

struct crowd {
	struct rcumap *map;
	uint64_t counters, turns;
	_Atomic uint64_t wrong;
};

static int add_one(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	uint64_t *n = ctx;

	*n = 0;
	if (old)
		memcpy(n, rcumap_entry_value(old), sizeof *n);
	++*n;
	value->data = n;
	value->size = sizeof *n;
	return 0;
}

/* Adds to shared counters, and stores keys of its own in between, so that the table grows. */
static void count_up(struct team_member *me)
{
	struct crowd *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 1, me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		uint64_t counter = rng_below(&rng, c->counters), n;

		if (rcumap_update(c->map, &counter, sizeof counter, add_one, &n, NULL) != 0)
			atomic_fetch_add(&c->wrong, 1);
		if (t % 2 == 0 && fixture_put_ttl(c->map, (uint64_t)(me->index + 1) << 32 | t, t, HOUR_MS) != 0)
			atomic_fetch_add(&c->wrong, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void counters_add_up(void)
{
	const unsigned threads = 8;
	struct crowd c = { fixture_map(NULL), 7, fixture_scaled(60000, 4000), 0 };
	uint64_t sum = 0;

	fixture_run(threads, count_up, &c);
	for (uint64_t i = 0; i < c.counters; i++) {
		uint64_t n = 0;

		rcumap_get(c.map, &i, sizeof i, &n, sizeof n, NULL, NULL);
		sum += n;
	}
	is_int(sum, threads * c.turns, "%s: counters of many threads add up, while the table grows", fixture_name());
	is_int(c.wrong, 0, "%s: and every call succeeds", fixture_name());
	ok(fixture_stats(c.map).grown > 0, "%s: it grew", fixture_name());
	fixture_destroy(c.map);
}

struct tug {
	struct rcumap *map;
	uint64_t rounds;
	pthread_barrier_t step;
	_Atomic uint64_t lost, wrong;
};

static void meet(struct tug *t)
{
	flavor_offline(fixture_flavor);
	pthread_barrier_wait(&t->step);
	flavor_online(fixture_flavor);
}

/* One member touches, once a round, the others update and keep the life: whatever the order, the touch's life stays. */
static void tug(struct team_member *me)
{
	struct tug *t = me->ctx;

	for (uint64_t round = 0; round < t->rounds; round++) {
		/* Shorter, longer, endless; from no deadline and from one. */
		static const uint64_t from[] = { HOUR_MS, HOUR_MS, RCUMAP_TTL_NEVER, HOUR_MS };
		static const uint64_t to[] = { 3 * HOUR_MS, HOUR_MS / 2, 2 * HOUR_MS, RCUMAP_TTL_NEVER };

		if (me->index == 0)
			rcumap_put(t->map, KEY, NULL, 0, from[round % 4], NULL);
		if (me->index == 0 && rcumap_update(t->map, KEY, append, (char[64]){ 0 }, NULL) != 0)
			atomic_fetch_add(&t->wrong, 1);
		meet(t);
		if (me->index == 0) {
			if (rcumap_touch(t->map, KEY, to[round % 4]) != 0)
				atomic_fetch_add(&t->wrong, 1);
		} else {
			char buffer[64];

			for (unsigned i = 0; i < 4; i++)
				if (rcumap_update(t->map, KEY, append, buffer, NULL) != 0)
					atomic_fetch_add(&t->wrong, 1);
		}
		meet(t);
		if (me->index == 0) {
			if (fixture_ttl(t->map, "key") != to[round % 4])
				atomic_fetch_add(&t->lost, 1);
			rcumap_read_lock(t->map);
			if (rcumap_entry_value_size(rcumap_find(t->map, KEY)) != 9)
				atomic_fetch_add(&t->wrong, 1);
			rcumap_read_unlock(t->map);
		}
		meet(t);
	}
}

static void no_touch_is_lost(void)
{
	struct tug t = { .rounds = fixture_scaled(6000, 400) };

	t.map = fixture_clock_map(&the_clock, 0);
	pthread_barrier_init(&t.step, NULL, 3);
	fixture_run(3, tug, &t);
	pthread_barrier_destroy(&t.step);
	is_int(t.lost, 0, "%s: updates that keep the life lose no touch", fixture_name());
	is_int(t.wrong, 0, "%s: and no update", fixture_name());
	fixture_destroy(t.map);
}

/* ------------------------------------------------------------------------------------------------ no memory */

static void without_memory(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = fault_map(&allocator, NULL);
	uint64_t wrong = 0, refused = 0;

	for (uint64_t turn = 1; turn < 3000; turn++) {
		uint64_t key = turn % 400, n = 0, before = 0, after = 0;
		bool was = rcumap_get(map, &key, sizeof key, &before, sizeof before, NULL, NULL) == 0;

		for (uint64_t at = 1; at < 100; at++) {
			uint64_t version = 99;
			int result;
			bool hit;

			fault_arm(at, FAULT_NULL);
			result = turn % 9 ? rcumap_update(map, &key, sizeof key, add_one, &n, &version) :
					    rcumap_update(map, &key, sizeof key, drop_first, NULL, &version);
			hit = fault_disarm();
			if (result == 0)
				break;
			refused++;
			wrong += !hit || result != -ENOMEM || version != 99;
			wrong += (rcumap_get(map, &key, sizeof key, &after, sizeof after, NULL, NULL) == 0) != was ||
				 (was && after != before);
		}
		if (turn % 9)
			wrong += rcumap_get(map, &key, sizeof key, &after, sizeof after, NULL, NULL) != 0 ||
				 after != before + 1;
		else
			rcumap_delete(map, &key, sizeof key);
		if (turn % 5 == 0)
			rcumap_touch(map, &key, sizeof key, HOUR_MS + turn);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: refused for want of memory, the map is as before", fixture_name());
	ok(refused > 0, "%s: which was so %llu times", fixture_name(), (unsigned long long)refused);
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
}

static void test(void)
{
	struct rcumap *map = fixture_clock_map(&the_clock, 12345678901);
	struct rcumap_options options;

	stores(map);
	keeps_and_removes(map);
	gives_up(map);
	bad_arguments(map);
	appends(map);
	fixture_destroy(map);

	memset(&options, 0, sizeof options);
	options.clock = fixture_clock_read;
	options.clock_ctx = &the_clock;
	options.default_ttl_ms = 7000;
	map = fixture_map(&options);
	lives(map);
	fixture_destroy(map);

	counters_add_up();
	no_touch_is_lost();
	without_memory();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
