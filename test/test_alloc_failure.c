/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that cannot be had, at every allocation of every call: -ENOMEM, the map as it was, and in working order.
 *
 * Each operation of a random sequence is tried with its first allocation failing, then its second, and so on until it
 * succeeds. Once with a user's allocator, once with the built-in one, whose sources (malloc, mmap, pthread_create) fail.
 */
#include "checked_allocator.h"
#include "fault/default_allocator.h"
#include "fixture.h"

static uint64_t seed;

/* Which allocator fails in this turn. */
static bool builtin;

static const char *who(void)
{
	return builtin ? "built-in allocator" : "user's allocator";
}

static void arm(uint64_t n)
{
	if (builtin)
		default_allocator_arm(n);
	else
		fault_arm(n, FAULT_NULL);
}

static bool disarm(void)
{
	return builtin ? default_allocator_disarm() : fault_disarm();
}

static struct fault_allocator allocator;

static void fail_from(int64_t n)
{
	if (builtin)
		default_allocator_fail_from(n);
	else
		atomic_store(&allocator.fail_from, n);
}

static struct rcumap_options options_with(rcumap_hash_fn *hash)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.size = sizeof options;
	options.flavor = flavor_rcu(fixture_flavor);
	options.hash = hash;
	fault_init(&allocator);
	if (!builtin)
		options.allocator = fault_allocator(&allocator);
	return options;
}

/* ------------------------------------------------------------------------------------------------ creation */

/* The n-th allocation, or thread, of a creation with this capacity fails. */
static void create_fails_cleanly(uint64_t capacity, bool threads)
{
	const int want = threads ? -EAGAIN : -ENOMEM;
	unsigned before = fixture_threads_at_rest();
	uint64_t failures = 0, wrong = 0;

	for (;;) {
		struct rcumap_options options = options_with(NULL);
		struct rcumap *untouched = (struct rcumap *)(uintptr_t)0x5eed, *map = untouched;
		int64_t mapped = default_allocator_mapped();
		int error;

		options.capacity = capacity;
		if (threads)
			default_allocator_arm_threads(failures + 1);
		else
			arm(failures + 1);
		error = rcumap_create(&map, &options);
		if (threads ? !default_allocator_disarm() : !disarm()) {
			wrong += error != 0;
			rcumap_destroy(map);
			break;
		}
		failures++;
		wrong += error != want || map != untouched || !fault_settled(&allocator) ||
			 default_allocator_mapped() != mapped;
	}
	is_int(wrong, 0, "%s, %s: create for %llu entries fails cleanly at each of %llu %s", fixture_name(), who(),
	       (unsigned long long)capacity, (unsigned long long)failures, threads ? "threads" : "allocations");
	ok(failures > 0, "%s, %s: there were some", fixture_name(), who());
	ok(fixture_eventually(fixture_threads_are, &before), "%s, %s: no thread is left", fixture_name(), who());
}

/* ------------------------------------------------------------------------------------------------ operations */

struct key_state {
	uint64_t version; /* 0: absent */
	uint64_t turn;
	size_t size;
};

struct sequence {
	struct rcumap *map;
	struct key_state *states;
	uint64_t keys, entries;
	size_t size_max;
	uint64_t wrong, refused[8];
};

enum verb { PUT, ADD, REPLACE, SWAP, DELETE, DELETE_IF, VERBS };
static const char *const verb_names[] = { "put", "add", "replace", "compare_and_swap", "delete", "delete_if" };

struct step {
	enum verb verb;
	uint64_t number, turn;
	size_t size;
	uint64_t version; /* what it gave */
};

static int take(struct sequence *s, struct step *step)
{
	static _Thread_local unsigned char value[1 << 16];
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(step->number, key);
	uint64_t expected = s->states[step->number].version;
	/* None, a longer and a shorter one: each has other allocations. */
	uint64_t ttl_ms = step->turn % 3 ? 3600000 + step->turn % 7 * 100000 : RCUMAP_TTL_NEVER;
	int result;

	if (step->verb < DELETE)
		payload_fill(value, step->size, step->number, step->turn);
	step->version = 0;
	switch (step->verb) {
	case PUT:
		result = rcumap_put(s->map, key, key_size, value, step->size, ttl_ms, &step->version);
		break;
	case ADD:
		result = rcumap_add(s->map, key, key_size, value, step->size, ttl_ms, &step->version);
		break;
	case REPLACE:
		result = rcumap_replace(s->map, key, key_size, value, step->size, ttl_ms, &step->version);
		break;
	case SWAP:
		result = rcumap_compare_and_swap(s->map, key, key_size, expected, value, step->size, ttl_ms,
						 &step->version);
		break;
	case DELETE:
		result = rcumap_delete(s->map, key, key_size);
		break;
	default:
		result = rcumap_delete_if(s->map, key, key_size, expected);
		break;
	}
	return result;
}

static int wanted(const struct sequence *s, const struct step *step)
{
	bool present = s->states[step->number].version != 0;

	if (step->verb == PUT)
		return 0;
	if (step->verb == ADD)
		return present ? -EEXIST : 0;
	return present ? 0 : -ENOENT;
}

/* Is the key as the states say? */
static bool is_as_noted(const struct sequence *s, uint64_t number)
{
	const struct key_state *state = &s->states[number];
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);
	const struct rcumap_entry *entry;
	uint64_t turn = 0;
	bool same;

	rcumap_read_lock(s->map);
	entry = rcumap_find(s->map, key, key_size);
	if (state->version)
		same = entry && rcumap_entry_version(entry) == state->version &&
		       rcumap_entry_value_size(entry) == state->size &&
		       payload_verify(rcumap_entry_value(entry), state->size, number, &turn) == PAYLOAD_OK &&
		       turn == state->turn;
	else
		same = !entry;
	rcumap_read_unlock(s->map);
	return same;
}

static void note(struct sequence *s, const struct step *step)
{
	struct key_state *state = &s->states[step->number];

	if (step->verb < DELETE) {
		s->entries += state->version == 0;
		*state = (struct key_state){ step->version, step->turn, step->size };
	} else {
		s->entries--;
		state->version = 0;
	}
}

static void finish(struct sequence *s, struct step *step, int result)
{
	int want = wanted(s, step);

	if (result != want) {
		if (s->wrong++ < 5)
			diag("%s of key %llu: got %d, want %d", verb_names[step->verb],
			     (unsigned long long)step->number, result, want);
	} else if (result == 0) {
		note(s, step);
	}
}

/* With the first allocation failing, then the second, ...: until it succeeds. */
static void take_against_all_odds(struct sequence *s, struct step *step)
{
	for (uint64_t n = 1;; n++) {
		int result;
		bool hit;

		arm(n);
		result = take(s, step);
		hit = disarm();
		if (result != -ENOMEM || n > 100) {
			finish(s, step, result);
			return;
		}
		s->refused[step->verb]++;
		if (!hit || step->version != 0 || !is_as_noted(s, step->number) || rcumap_count(s->map) != s->entries)
			s->wrong++;
	}
}

static struct step random_step(const struct sequence *s, struct rng *rng, uint64_t turn, uint64_t turns)
{
	bool filling = turn * 4 / turns % 2 == 0;
	struct step step = { PUT, rng_below(rng, s->keys), turn, 24 + rng_below(rng, s->size_max - 23), 0 };

	if (rng_below(rng, 100) < (filling ? 20 : 70))
		step.verb = rng_below(rng, 2) ? DELETE : DELETE_IF;
	else
		step.verb = (enum verb)rng_below(rng, 4);
	return step;
}

static uint64_t compare_all(const struct sequence *s)
{
	uint64_t differ = rcumap_count(s->map) != s->entries;

	for (uint64_t i = 0; i < s->keys; i++)
		differ += !is_as_noted(s, i);
	return differ;
}

static void start(struct sequence *s, rcumap_hash_fn *hash, uint64_t keys, size_t size_max)
{
	struct rcumap_options options = options_with(hash);

	memset(s, 0, sizeof *s);
	s->keys = keys;
	s->size_max = size_max;
	s->states = calloc(keys, sizeof s->states[0]);
	s->map = fixture_map(&options);
}

static void end(struct sequence *s, const char *name)
{
	fixture_destroy(s->map);
	ok(fault_settled(&allocator), "%s, %s, %s: every byte is given back", fixture_name(), who(), name);
	free(s->states);
}

/* Removals allocate only one time in several hundred. */
static bool each_verb_met_a_failure(const struct sequence *s)
{
	return s->refused[PUT] && s->refused[ADD] && s->refused[REPLACE] && s->refused[SWAP] &&
	       (builtin || s->refused[DELETE] + s->refused[DELETE_IF] > 0);
}

static void each_allocation_of_each_operation(rcumap_hash_fn *hash, uint64_t keys, size_t size_max, const char *name)
{
	const uint64_t turns = fixture_scaled(20000, 3000);
	struct sequence s;
	struct rng rng;

	start(&s, hash, keys, size_max);
	rng_init_stream(&rng, seed, keys + size_max);
	/* The built-in allocator takes small blocks from large ones, which seldom run out. */
	bool seldom = builtin && size_max < 1024;

	for (uint64_t t = 0; t < turns || (t < 100 * turns && !seldom && !each_verb_met_a_failure(&s)); t++) {
		struct step step = random_step(&s, &rng, t, turns);

		take_against_all_odds(&s, &step);
		flavor_quiescent(fixture_flavor);
	}
	is_int(s.wrong, 0, "%s, %s, %s: each operation is refused without effect until it succeeds", fixture_name(),
	       who(), name);
	is_int(compare_all(&s), 0, "%s, %s, %s: the map holds what succeeded", fixture_name(), who(), name);
	diag("refused: put %llu, add %llu, replace %llu, compare_and_swap %llu, delete %llu, delete_if %llu",
	     (unsigned long long)s.refused[PUT], (unsigned long long)s.refused[ADD],
	     (unsigned long long)s.refused[REPLACE], (unsigned long long)s.refused[SWAP],
	     (unsigned long long)s.refused[DELETE], (unsigned long long)s.refused[DELETE_IF]);
	ok(seldom || each_verb_met_a_failure(&s), "%s, %s, %s: each verb met a failure", fixture_name(), who(), name);
	end(&s, name);
}

/* All allocations of all threads fail from the n-th on, for a while; then they succeed again. */
static void a_drought(uint64_t n, uint64_t *refused, uint64_t *wrong)
{
	struct sequence s;
	struct rng rng;

	start(&s, NULL, 200, 3000);
	rng_init_stream(&rng, seed, n);
	for (uint64_t t = 0; t < 100; t++) {
		struct step step = random_step(&s, &rng, 0, 1);

		finish(&s, &step, take(&s, &step));
	}
	fail_from((int64_t)n);
	for (uint64_t t = 0; t < 400; t++) {
		struct step step = random_step(&s, &rng, t, 400);
		int result = take(&s, &step);

		if (result == -ENOMEM) {
			*refused += 1;
			s.wrong += !is_as_noted(&s, step.number) || step.version != 0;
		} else {
			finish(&s, &step, result);
		}
	}
	*wrong += rcumap_barrier(s.map) != 0; /* needs no memory */
	*wrong += compare_all(&s);
	fail_from(INT64_MAX);
	for (uint64_t t = 0; t < 400; t++) {
		struct step step = random_step(&s, &rng, t, 400);

		finish(&s, &step, take(&s, &step));
	}
	*wrong += s.wrong + compare_all(&s);
	fixture_destroy(s.map);
	*wrong += !fault_settled(&allocator);
	free(s.states);
}

static void droughts(void)
{
	const uint64_t longest = fixture_scaled(400, 60);
	uint64_t refused = 0, wrong = 0;

	for (uint64_t n = 1; n <= longest; n += 1 + n / 16)
		a_drought(n, &refused, &wrong);
	is_int(wrong, 0, "%s, %s: no memory for any thread for a while: refusals without effect, then all is well",
	       fixture_name(), who());
	ok(refused > 0, "%s, %s: %llu operations were refused", fixture_name(), who(), (unsigned long long)refused);
}

static void clear_keeps_the_rest(void)
{
	struct sequence s;
	uint64_t refused = 0, wrong = 0, left = 1000;
	int error = -ENOMEM;

	start(&s, NULL, left, 24);
	rcumap_reserve(s.map, left); /* so that no allocation is one that migration can do without */
	for (uint64_t i = 0; i < left; i++) {
		struct step step = { PUT, i, i, 24, 0 };

		finish(&s, &step, take(&s, &step));
	}
	for (uint64_t n = 1; error == -ENOMEM && n < 10000; n++) {
		uint64_t found = 0;

		arm(1 + n / 10);
		error = rcumap_clear(s.map);
		wrong += !disarm() && error != 0;
		for (uint64_t i = 0; i < s.keys; i++)
			if (is_as_noted(&s, i))
				found++;
			else
				wrong += fixture_check(s.map, i, NULL) != -ENOENT;
		wrong += found > left || found != rcumap_count(s.map);
		left = found;
		refused += error == -ENOMEM;
	}
	is_int(error, 0, "%s, %s: clear succeeds when it can", fixture_name(), who());
	is_int(wrong, 0, "%s, %s: before, it leaves entries as they were, or removes them", fixture_name(), who());
	is_int(rcumap_count(s.map), 0, "%s, %s: after, none is left", fixture_name(), who());
	ok(refused > 0 || builtin, "%s, %s: it was refused %llu times", fixture_name(), who(),
	   (unsigned long long)refused);
	end(&s, "clear");
}

static bool has_grown(void *map)
{
	return fixture_stats(map).grown > 0;
}

static void growth_is_made_up_for(void)
{
	const uint64_t keys = 2000;
	struct sequence s;
	uint64_t refused = 0;
	int64_t n;

	/* reserve: the reclaimer's allocations fail. */
	for (n = 1; n < 1000; n++) {
		int error;

		start(&s, NULL, keys, 24);
		fixture_put(s.map, 1, 1, 24);
		fail_from(n);
		error = rcumap_reserve(s.map, keys);
		fail_from(INT64_MAX);
		refused += error == -ENOMEM;
		if (error != 0 && error != -ENOMEM)
			s.wrong++;
		if (fixture_check(s.map, 1, NULL) != 0 || fixture_put(s.map, 2, 2, 24) != 0 ||
		    rcumap_reserve(s.map, keys) != 0)
			s.wrong++;
		refused += s.wrong << 32;
		fixture_destroy(s.map);
		free(s.states);
		if (error == 0)
			break;
	}
	is_int(refused >> 32, 0, "%s, %s: reserve is refused cleanly, and granted when asked again", fixture_name(),
	       who());
	ok(refused > 0 && n < 1000, "%s, %s: it was refused %llu times", fixture_name(), who(),
	   (unsigned long long)refused);

	/* No table can be had: entries go into the one that is there, as far as its chains allow. */
	if (builtin)
		return;
	start(&s, NULL, keys, 24);
	atomic_store(&allocator.size_max, 256);
	for (uint64_t i = 0; i < 150; i++) {
		struct step step = { PUT, i, i, 24, 0 };
		int error = take(&s, &step);

		if (error == -ENOMEM)
			s.wrong += !is_as_noted(&s, i); /* the record of a retirement is larger, too */
		else
			finish(&s, &step, error);
	}
	is_int(s.wrong + compare_all(&s), 0, "%s, %s: entries are stored though the table cannot grow", fixture_name(),
	       who());
	ok(fixture_stats(s.map).grown == 0 || s.entries == 150, "%s, %s: it did not", fixture_name(), who());
	atomic_store(&allocator.size_max, SIZE_MAX);
	for (uint64_t i = 0; i < keys; i++) {
		struct step step = { PUT, i, i + 1, 24, 0 };

		finish(&s, &step, take(&s, &step));
	}
	ok(fixture_eventually(has_grown, s.map), "%s, %s: it grows when there is memory again", fixture_name(), who());
	is_int(s.wrong + compare_all(&s), 0, "%s, %s: and every entry is there", fixture_name(), who());
	end(&s, "growth");
}

/* ------------------------------------------------------------------------------------------------ threads */

#define THREADS 4u

struct crowd {
	struct rcumap *map;
	uint64_t keys; /* of each member */
	uint64_t turns;
	_Atomic uint64_t wrong, refused;
};

/*
 * Each member has keys of its own, number % THREADS == index, so that it knows what is under them, while the others change
 * the same buckets and tables. Every other operation is tried with an allocation failing.
 */
static void suffer(struct team_member *me)
{
	struct crowd *c = me->ctx;
	struct sequence s;
	struct rng rng;

	memset(&s, 0, sizeof s);
	s.map = c->map;
	s.keys = c->keys * THREADS;
	s.size_max = 64;
	s.states = calloc(s.keys, sizeof s.states[0]);
	rng_init_stream(&rng, seed, 1000 + me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		struct step step = random_step(&s, &rng, t, c->turns);
		int result;

		step.number = step.number / THREADS * THREADS + me->index;
		if (rng_below(&rng, 2))
			arm(1 + rng_below(&rng, 4));
		result = take(&s, &step);
		if (disarm() && result == -ENOMEM) {
			atomic_fetch_add(&c->refused, 1);
			s.wrong += step.version != 0 || !is_as_noted(&s, step.number);
		} else {
			finish(&s, &step, result);
		}
		if (t % 256 == 0)
			for (uint64_t i = me->index; i < s.keys; i += THREADS)
				s.wrong += !is_as_noted(&s, i);
		flavor_quiescent(fixture_flavor);
	}
	for (uint64_t i = me->index; i < s.keys; i += THREADS)
		s.wrong += !is_as_noted(&s, i);
	atomic_fetch_add(&c->wrong, s.wrong);
	free(s.states);
}

static void threads_suffer(rcumap_hash_fn *hash, uint64_t keys, const char *name)
{
	struct rcumap_options options = options_with(hash);
	struct crowd c = { fixture_map(&options), keys, fixture_scaled(40000, 3000), 0, 0 };

	fixture_run(THREADS, suffer, &c);
	is_int(c.wrong, 0, "%s, %s, %s: among threads, too, refusals have no effect", fixture_name(), who(), name);
	ok(c.refused > 0 || builtin, "%s, %s, %s: %llu operations were refused", fixture_name(), who(), name,
	   (unsigned long long)c.refused);
	is_int(rcumap_barrier(c.map), 0, "%s, %s, %s: barrier", fixture_name(), who(), name);
	is_int(fixture_stats(c.map).retired_pending, 0, "%s, %s, %s: nothing waits", fixture_name(), who(), name);
	fixture_destroy(c.map);
	ok(fault_settled(&allocator), "%s, %s, %s: every byte is given back", fixture_name(), who(), name);
}

/* ------------------------------------------------------------------------------------------------ */

static uint64_t hash_of_eight(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key_size;
	return ((const unsigned char *)key)[7] % 8;
}

static void test(void)
{
	for (int turn = 0; turn < 2; turn++) {
		builtin = turn;
		create_fails_cleanly(0, false);
		create_fails_cleanly(1000000, false);
		create_fails_cleanly(0, true);
		each_allocation_of_each_operation(NULL, 2000, 200, "small values");
		each_allocation_of_each_operation(hash_of_eight, 60, 64, "few keys of eight hashes");
		each_allocation_of_each_operation(NULL, 100, 1 << 16, "large values");
		droughts();
		clear_keeps_the_rest();
		growth_is_made_up_for();
		threads_suffer(NULL, 500, "many keys");
		threads_suffer(hash_of_eight, 8, "few keys of eight hashes");
	}
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
