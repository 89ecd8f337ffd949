/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several threads on the same few keys: every outcome that only one of them may have, one has; nothing is lost, nothing is
 * seen that was never there. And threads that come and go.
 */
#include "checked_allocator.h"
#include "fixture.h"

#define THREADS 4u

static uint64_t seed;

struct context {
	struct rcumap *map;
	uint64_t turns, keys;
	_Atomic uint64_t wrong;
	_Atomic uint64_t won, lost;
	_Atomic uint64_t finds;
	uint64_t *versions[THREADS]; /* that each got */
	uint64_t versions_count[THREADS];
};

static struct context context_with(uint64_t turns, uint64_t keys)
{
	struct context c;

	memset(&c, 0, sizeof c);
	c.map = fixture_map(NULL);
	c.turns = turns;
	c.keys = keys;
	return c;
}

/* ------------------------------------------------------------------------------------------------ everything at once */

/* Writers use every verb; members from THREADS on read. Values say which key they belong to. */
static void mix(struct team_member *me)
{
	struct context *c = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, seed, me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		uint64_t number = rng_below(&rng, c->keys), version = 0;
		unsigned char key[FIXTURE_KEY_MAX], value[64];
		size_t key_size = fixture_key(number, key), size = 24 + rng_below(&rng, 41);
		int result = 0;

		if (me->index >= THREADS) {
			result = fixture_check(c->map, number, NULL);
			if (result != 0 && result != -ENOENT)
				atomic_fetch_add(&c->wrong, 1);
			atomic_fetch_add_explicit(&c->finds, 1, memory_order_relaxed);
			flavor_quiescent(fixture_flavor);
			continue;
		}
		payload_fill(value, size, number, t);
		switch (rng_below(&rng, 6)) {
		case 0:
			result = rcumap_put(c->map, key, key_size, value, size, RCUMAP_TTL_DEFAULT, &version);
			break;
		case 1:
			result = rcumap_add(c->map, key, key_size, value, size, RCUMAP_TTL_DEFAULT, &version);
			break;
		case 2:
			result = rcumap_replace(c->map, key, key_size, value, size, RCUMAP_TTL_DEFAULT, &version);
			break;
		case 3:
			if (rcumap_get(c->map, key, key_size, NULL, 0, NULL, &version) == -ENOBUFS) {
				uint64_t expected = version;

				result = rcumap_compare_and_swap(c->map, key, key_size, expected, value, size,
								 RCUMAP_TTL_DEFAULT, &version);
				if (result)
					version = 0;
			}
			break;
		case 4:
			result = rcumap_delete(c->map, key, key_size);
			break;
		default:
			if (rcumap_get(c->map, key, key_size, NULL, 0, NULL, &version) == -ENOBUFS)
				result = rcumap_delete_if(c->map, key, key_size, version);
			version = 0;
			break;
		}
		if (result != 0 && result != -EEXIST && result != -ENOENT && result != -ESTALE)
			atomic_fetch_add(&c->wrong, 1);
		if (version)
			c->versions[me->index][c->versions_count[me->index]++] = version;
		flavor_quiescent(fixture_flavor);
	}
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* How many versions were given twice, by whichever threads. */
static uint64_t repeated(struct context *c)
{
	uint64_t *all, n = 0, twice = 0;

	for (unsigned i = 0; i < THREADS; i++)
		n += c->versions_count[i];
	all = malloc((n + 1) * sizeof *all);
	n = 0;
	for (unsigned i = 0; i < THREADS; i++) {
		memcpy(all + n, c->versions[i], c->versions_count[i] * sizeof *all);
		n += c->versions_count[i];
	}
	qsort(all, n, sizeof *all, by_value);
	for (uint64_t i = 1; i < n; i++)
		twice += all[i] == all[i - 1];
	free(all);
	return twice;
}

static void count_is_what_is_found(uint64_t keys)
{
	struct context c = context_with(fixture_scaled(100000, 5000), keys);
	uint64_t found = 0, torn = 0;
	struct rcumap_stats s;

	for (unsigned i = 0; i < THREADS; i++)
		c.versions[i] = malloc(c.turns * sizeof c.versions[i][0]);
	fixture_run(THREADS + 2, mix, &c);
	for (uint64_t i = 0; i < keys; i++) {
		int result = fixture_check(c.map, i, NULL);

		found += result == 0;
		torn += result != 0 && result != -ENOENT;
	}
	is_int(c.wrong + torn, 0, "%s, %llu keys: nothing but what was stored is ever found, no other error",
	       fixture_name(), (unsigned long long)keys);
	is_int(rcumap_count(c.map), found, "%s, %llu keys: the count is what is found", fixture_name(),
	       (unsigned long long)keys);
	is_int(repeated(&c), 0, "%s, %llu keys: no version was given twice", fixture_name(), (unsigned long long)keys);
	rcumap_barrier(c.map);
	s = fixture_stats(c.map);
	ok(s.inserted - s.deleted == found && s.reclaimed == s.replaced + s.deleted && s.retired_pending == 0,
	   "%s, %llu keys: the counters add up", fixture_name(), (unsigned long long)keys);
	ok(c.finds > 0, "%s, %llu keys: readers found %llu times", fixture_name(), (unsigned long long)keys,
	   (unsigned long long)c.finds);
	fixture_destroy(c.map);
	for (unsigned i = 0; i < THREADS; i++)
		free(c.versions[i]);
}

/* More threads than the library has stripes: some share one. */
#define CROWD 100u

struct crowd {
	struct rcumap *map;
	uint64_t turns;
	uint64_t *versions; /* CROWD times turns */
	_Atomic uint64_t wrong;
};

static void put_own(struct team_member *me)
{
	struct crowd *c = me->ctx;

	for (uint64_t t = 0; t < c->turns; t++) {
		uint64_t key[2] = { me->index, t / 2 };

		if (rcumap_put(c->map, key, sizeof key, &t, sizeof t, RCUMAP_TTL_DEFAULT,
			       &c->versions[me->index * c->turns + t]) != 0)
			atomic_fetch_add(&c->wrong, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void a_crowd_of_writers(void)
{
	struct crowd c = { fixture_map(NULL), fixture_scaled(2000, 100) & ~UINT64_C(1), NULL, 0 };
	const uint64_t n = CROWD * c.turns;
	uint64_t twice = 0;

	c.versions = calloc(n, sizeof c.versions[0]);
	fixture_run(CROWD, put_own, &c);
	is_int(c.wrong, 0, "%s: %u threads write at once", fixture_name(), CROWD);
	is_int(rcumap_count(c.map), n / 2, "%s: the count is right though they share counters", fixture_name());
	is_int(fixture_stats(c.map).replaced, n / 2, "%s: so is that of replacements", fixture_name());
	qsort(c.versions, n, sizeof c.versions[0], by_value);
	for (uint64_t i = 1; i < n; i++)
		twice += c.versions[i] == c.versions[i - 1];
	is_int(twice, 0, "%s: no version was given twice", fixture_name());
	free(c.versions);
	fixture_destroy(c.map);
}

/* ------------------------------------------------------------------------------------------------ one winner */

static void increment(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t t = 0; t < c->turns; t++) {
		uint64_t number = t % c->keys, value, next, version;
		int result;

		do {
			value = 0;
			version = 0;
			result = rcumap_get(c->map, &number, sizeof number, &value, sizeof value, NULL, &version);
			next = value + 1;
			if (result == 0)
				result = rcumap_compare_and_swap(c->map, &number, sizeof number, version, &next,
								 sizeof next, RCUMAP_TTL_DEFAULT, NULL);
		} while (result == -ESTALE);
		if (result != 0)
			atomic_fetch_add(&c->wrong, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void no_increment_is_lost(void)
{
	struct context c = context_with(fixture_scaled(30000, 3000), 2);
	uint64_t zero = 0, sum = 0;

	for (uint64_t i = 0; i < c.keys; i++)
		rcumap_put(c.map, &i, sizeof i, &zero, sizeof zero, RCUMAP_TTL_DEFAULT, NULL);
	fixture_run(THREADS, increment, &c);
	for (uint64_t i = 0; i < c.keys; i++) {
		uint64_t value = 0;

		rcumap_get(c.map, &i, sizeof i, &value, sizeof value, NULL, NULL);
		sum += value;
	}
	is_int(c.wrong, 0, "%s: increments by compare_and_swap", fixture_name());
	is_int(sum, THREADS * c.turns, "%s: none is lost", fixture_name());
	fixture_destroy(c.map);
}

/* All members take the same keys in the same order. */
static void add_all(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i++) {
		uint64_t mine = me->index + 1;
		int result = rcumap_add(c->map, &i, sizeof i, &mine, sizeof mine, RCUMAP_TTL_DEFAULT, NULL);

		atomic_fetch_add(result == 0 ? &c->won : result == -EEXIST ? &c->lost : &c->wrong, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void delete_all(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i++) {
		int result = rcumap_delete(c->map, &i, sizeof i);

		atomic_fetch_add(result == 0 ? &c->won : result == -ENOENT ? &c->lost : &c->wrong, 1);
		flavor_quiescent(fixture_flavor);
	}
}

/* Members share one version per key, the one that is there at first. */
static void swap_all(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i++) {
		uint64_t mine = 1000 + me->index;
		int result = rcumap_compare_and_swap(c->map, &i, sizeof i, c->versions[0][i], &mine, sizeof mine,
						     RCUMAP_TTL_DEFAULT, NULL);

		atomic_fetch_add(result == 0 ? &c->won : result == -ESTALE ? &c->lost : &c->wrong, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void delete_if_all(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->keys; i++) {
		int result = rcumap_delete_if(c->map, &i, sizeof i, c->versions[0][i]);

		atomic_fetch_add(result == 0 ? &c->won : result == -ENOENT ? &c->lost : &c->wrong, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void one_wins(struct context *c, void (*work)(struct team_member *), uint64_t left, const char *name)
{
	atomic_store(&c->won, 0);
	atomic_store(&c->lost, 0);
	fixture_run(THREADS, work, c);
	is_int(c->wrong, 0, "%s: %s: no other error", fixture_name(), name);
	is_int(c->won, c->keys, "%s: %s: one thread wins for each key", fixture_name(), name);
	is_int(c->lost, (THREADS - 1) * c->keys, "%s: %s: the others lose", fixture_name(), name);
	is_int(rcumap_count(c->map), left, "%s: %s: so many are left", fixture_name(), name);
}

static void exactly_one_wins(void)
{
	struct context c = context_with(0, fixture_scaled(20000, 2000));

	c.versions[0] = malloc(c.keys * sizeof c.versions[0][0]);
	one_wins(&c, add_all, c.keys, "add");
	for (uint64_t i = 0; i < c.keys; i++)
		rcumap_get(c.map, &i, sizeof i, NULL, 0, NULL, &c.versions[0][i]);
	one_wins(&c, swap_all, c.keys, "compare_and_swap");
	one_wins(&c, delete_all, 0, "delete");
	for (uint64_t i = 0; i < c.keys; i++)
		rcumap_add(c.map, &i, sizeof i, NULL, 0, RCUMAP_TTL_DEFAULT, &c.versions[0][i]);
	one_wins(&c, delete_if_all, 0, "delete_if");
	free(c.versions[0]);
	fixture_destroy(c.map);
}

/* ------------------------------------------------------------------------------------------------ order */

/*
 * What a writer did before a put is visible to whoever finds the entry: a plain array that he filled before; and an entry
 * that he put before, under another key.
 */
struct mail {
	struct rcumap *map;
	uint64_t letters;
	uint64_t *plain;
	_Atomic uint64_t wrong;
};

static void send_or_receive(struct team_member *me)
{
	struct mail *m = me->ctx;

	for (uint64_t i = 0; i < m->letters; i++) {
		uint64_t body = 2 * i, flag = 2 * i + 1, value = 0;

		if (me->index == 0) {
			m->plain[i] = i + 7;
			rcumap_put(m->map, &body, sizeof body, &i, sizeof i, RCUMAP_TTL_DEFAULT, NULL);
			rcumap_put(m->map, &flag, sizeof flag, &i, sizeof i, RCUMAP_TTL_DEFAULT, NULL);
			continue;
		}
		for (;;) {
			bool found;

			rcumap_read_lock(m->map);
			found = rcumap_find(m->map, &flag, sizeof flag) != NULL;
			if (found && (m->plain[i] != i + 7 || !rcumap_find(m->map, &body, sizeof body)))
				atomic_fetch_add(&m->wrong, 1);
			rcumap_read_unlock(m->map);
			flavor_quiescent(fixture_flavor);
			if (found)
				break;
		}
		if (rcumap_get(m->map, &body, sizeof body, &value, sizeof value, NULL, NULL) != 0 || value != i)
			atomic_fetch_add(&m->wrong, 1);
	}
}

static void a_put_publishes_what_came_before(void)
{
	struct mail m = { fixture_map(NULL), fixture_scaled(50000, 3000), NULL, 0 };

	m.plain = calloc(m.letters, sizeof m.plain[0]);
	fixture_run(3, send_or_receive, &m);
	is_int(m.wrong, 0, "%s: who finds an entry sees what its writer did before", fixture_name());
	free(m.plain);
	fixture_destroy(m.map);
}

/* ------------------------------------------------------------------------------------------------ coming and going */

struct visit {
	struct rcumap *map;
	uint64_t number;
	uint64_t wrong;
};

/* The thread's last act is an operation: what it has retired by then must not stay behind with it. */
static void *visitor(void *arg)
{
	struct visit *v = arg;

	flavor_register(fixture_flavor);
	for (uint64_t i = 0; i < 5; i++)
		v->wrong += fixture_put(v->map, i, v->number, 100) != 0;
	v->wrong += fixture_put(v->map, 1000 + v->number, v->number, 100) != 0;
	v->wrong += fixture_check(v->map, 1000 + v->number, NULL) != 0;
	v->wrong += fixture_delete(v->map, 1000 + v->number) != 0;
	if (fixture_flavor != FLAVOR_BP) /* bp forgets the thread by itself, after this */
		flavor_unregister(fixture_flavor);
	return NULL;
}

static uint64_t visits(struct rcumap *map, uint64_t from, uint64_t to)
{
	uint64_t wrong = 0;

	for (uint64_t i = from; i < to; i++) {
		struct visit v = { map, i, 0 };
		pthread_t thread;

		if (pthread_create(&thread, NULL, visitor, &v) != 0)
			bail("pthread_create: %s", strerror(errno));
		flavor_offline(fixture_flavor);
		pthread_join(thread, NULL);
		flavor_online(fixture_flavor);
		wrong += v.wrong;
	}
	return wrong;
}

/* The second time for the records of what was retired, which go after it. */
static void come_to_rest(struct rcumap *map)
{
	rcumap_barrier(map);
	rcumap_barrier(map);
}

static void short_lived_threads_leave_nothing(void)
{
	struct fault_allocator allocator;
	struct rcumap_options options;
	const uint64_t threads = fixture_scaled(10000, 2000);
	uint64_t wrong, early, late;
	int64_t blocks;
	struct rcumap_stats s;
	struct rcumap *map;

	/* A user's allocator: every block counts. The first half has met every stripe of the library's. */
	fault_init(&allocator);
	memset(&options, 0, sizeof options);
	options.allocator = fault_allocator(&allocator);
	map = fixture_map(&options);
	wrong = visits(map, 0, threads / 2);
	come_to_rest(map);
	blocks = atomic_load(&allocator.blocks);
	wrong += visits(map, threads / 2, threads);
	come_to_rest(map);
	s = fixture_stats(map);
	is_int(wrong, 0, "%s: %llu short-lived threads do their work", fixture_name(), (unsigned long long)threads);
	is_int(s.retired_pending, 0, "%s: what they retired last is reclaimed though they are gone", fixture_name());
	is_int(s.entries, 5, "%s: entries", fixture_name());
	if (!ok(atomic_load(&allocator.blocks) <= blocks + 16, "%s: they leave no memory behind", fixture_name()))
		diag("%lld blocks after half of the threads, %lld after all", (long long)blocks,
		     (long long)atomic_load(&allocator.blocks));
	fixture_destroy(map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());

	/* The built-in one keeps free blocks at hand for each stripe, and maps memory by the megabyte: it comes to rest slowly.
	 * A page left behind by each thread would show. */
	map = fixture_map(NULL);
	wrong = visits(map, 0, threads / 2);
	rcumap_barrier(map);
	early = fixture_stats(map).memory_bytes;
	wrong += visits(map, threads / 2, threads);
	rcumap_barrier(map);
	late = fixture_stats(map).memory_bytes;
	is_int(wrong, 0, "%s: as many with the built-in allocator", fixture_name());
	if (!ok(late <= early + threads / 2 * 4096, "%s: memory is flat", fixture_name()))
		diag("%llu bytes after half of the threads, %llu after all", (unsigned long long)early,
		     (unsigned long long)late);
	fixture_destroy(map);
}

static void test(void)
{
	count_is_what_is_found(1);
	count_is_what_is_found(5);
	count_is_what_is_found(1000);
	a_crowd_of_writers();
	no_increment_is_lost();
	exactly_one_wins();
	a_put_publishes_what_came_before();
	short_lived_threads_leave_nothing();
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
