/* SPDX-License-Identifier: BSD-2-Clause */
/* fork(): a child goes on with the maps that it inherits, whatever the threads of the parent did; the parent, too. */
#include "fault/default_allocator.h"
#include "child.h"

#include <sys/syscall.h>

/* Keys that nobody changes; from BUSY on, those that the parent's threads do; from OWN on, a child's. */
#define STABLE UINT64_C(500)
#define BUSY UINT64_C(1000)
#define OWN UINT64_C(1000000)

/* ------------------------------------------------------------------ children */

#define CHILD_MUST(condition)                                                        \
	do {                                                                         \
		if (!(condition)) {                                                  \
			diag("in a child: line %d: not so: %s", __LINE__, #condition); \
			_exit(1);                                                    \
		}                                                                    \
	} while (0)

static int put_ttl(struct rcumap *map, uint64_t number, uint64_t ttl_ms)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);

	return rcumap_put(map, key, key_size, "value", 5, ttl_ms, NULL);
}

static bool stable_keys_are_there(const struct rcumap *map)
{
	for (uint64_t i = 0; i < STABLE; i++) {
		uint64_t turn;

		if (fixture_check(map, i, &turn) != 0 || turn != i)
			return false;
	}
	return true;
}

static bool nothing_is_retired(void *map)
{
	struct rcumap_stats stats = fixture_stats(map);

	return stats.retired_pending == 0 && stats.retired_bytes == 0;
}

/* What a child stores with a short life, and looks for afterwards. */
enum lives {
	NO_LIVES,
	OWN_LIVES,
	ALL_LIVES, /* those that it inherits, too: of an idle parent, whose counts are exact */
};

#define SHORT 50u

struct expected {
	struct rcumap *map;
	uint64_t expired;
	bool all;
};

static bool have_expired(void *ctx)
{
	struct expected *expected = ctx;
	struct rcumap_stats stats = fixture_stats(expected->map);

	return stats.expired >= expected->expired && (!expected->all || stats.expiring == 0);
}

static void check_as_child(struct rcumap *map, enum lives lives, unsigned generations)
{
	struct expected expected = { map, fixture_stats(map).expired + SHORT, lives == ALL_LIVES };
	struct rcumap *own = NULL;
	uint64_t turn;
	pid_t pid = 0;

	CHILD_MUST(stable_keys_are_there(map));
	for (uint64_t i = OWN + 1000; i < OWN + 1000 + (lives ? SHORT : 0); i++)
		CHILD_MUST(put_ttl(map, i, 1) == 0);
	for (uint64_t i = OWN; i < OWN + 200; i++)
		CHILD_MUST(fixture_put(map, i, 1, 24 + i % 100) == 0);
	for (uint64_t i = OWN; i < OWN + 200; i++)
		CHILD_MUST(fixture_check(map, i, &turn) == 0 && turn == 1);
	for (uint64_t i = OWN; i < OWN + 200; i++)
		CHILD_MUST(fixture_delete(map, i) == 0);
	CHILD_MUST(rcumap_barrier(map) == 0);
	/* What its own threads see to in their time; entries of the parent's still expire meanwhile. */
	CHILD_MUST(fixture_eventually(nothing_is_retired, map));
	CHILD_MUST(rcumap_create(&own, NULL) == 0);
	CHILD_MUST(fixture_put(own, 1, 1, 24) == 0 && fixture_delete(own, 1) == 0);
	CHILD_MUST(rcumap_barrier(own) == 0);
	if (generations) {
		pid = child_fork();
		if (pid == 0) {
			check_as_child(map, lives, generations - 1);
			_exit(0);
		}
	}
	/* Looking for what has expired is for a few times a second: all generations wait for that at once. */
	CHILD_MUST(!lives || fixture_eventually(have_expired, &expected));
	CHILD_MUST(!generations || child_ended_well(pid));
	CHILD_MUST(rcumap_destroy(own) == 0);
	CHILD_MUST(stable_keys_are_there(map));
	CHILD_MUST(rcumap_destroy(map) == 0);
}

static void child_lives(struct rcumap *map, enum lives lives, unsigned generations)
{
	check_as_child(map, lives, generations);
	_exit(0);
}

/* ------------------------------------------------------------------ without others */

static struct rcumap *stable_map(const struct rcumap_options *options)
{
	struct rcumap *map = fixture_map(options);

	for (uint64_t i = 0; i < STABLE; i++)
		if (fixture_put(map, i, i, 24 + i % 200) != 0)
			bail("no memory");
	return map;
}

static void handlers_are_not_registered(void)
{
	struct rcumap *map = stable_map(NULL);
	unsigned wrong = 0;

	for (unsigned i = 0; i < 5; i++) {
		pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);

		if (pid == 0)
			syscall(SYS_exit_group, 0);
		wrong += !child_ended_well(pid);
		wrong += fixture_delete(map, i) != 0 || rcumap_barrier(map) != 0;
	}
	is_int(wrong, 0, "a child that does not use its maps needs no handlers");
	fixture_destroy(map);
}

static void nobody_else_is_there(void)
{
	struct rcumap *map = stable_map(NULL), *other = fixture_map(NULL);
	unsigned wrong = 0;
	pid_t pids[5];

	for (uint64_t i = 0; i < SHORT; i++)
		wrong += put_ttl(map, BUSY + i, 1) != 0;
	for (unsigned i = 0; i < 5; i++) {
		/* Something waits for its grace period. */
		for (uint64_t k = BUSY + 100; k < BUSY + 120; k++)
			wrong += fixture_put(map, k, i, 64) != 0 || fixture_put(other, k, i, 64) != 0;
		pids[i] = child_fork();
		if (pids[i] == 0) {
			CHILD_MUST(rcumap_destroy(other) == 0);
			child_lives(map, ALL_LIVES, 2);
		}
		wrong += !stable_keys_are_there(map);
	}
	for (unsigned i = 0; i < 5; i++)
		wrong += !child_ended_well(pids[i]);
	wrong += !stable_keys_are_there(map);
	is_int(wrong, 0, "child, grandchild and theirs go on with an idle map, and expire what it held");
	is_int(rcumap_barrier(map), 0, "so does the parent");
	fixture_destroy(other);
	fixture_destroy(map);
}

/* The child's n-th thread cannot be started: the first is the grace periods', the second the map's. */
static void no_thread_can_be_started(uint64_t n)
{
	struct rcumap *map = stable_map(NULL);
	uint64_t turn;

	fixture_put(map, BUSY, 0, 64);
	fixture_delete(map, BUSY);
	default_allocator_arm_threads(n);

	pid_t pid = child_fork();

	if (pid == 0) {
		CHILD_MUST(default_allocator_disarm());
		CHILD_MUST(rcumap_barrier(map) == -EAGAIN);
		CHILD_MUST(rcumap_reserve(map, 100000) == -EAGAIN);
		CHILD_MUST(stable_keys_are_there(map));
		/* The table grows all the same. */
		for (uint64_t i = OWN; i < OWN + 5000; i++)
			CHILD_MUST(fixture_put(map, i, 1, 24) == 0 && fixture_put(map, i, 2, 24) == 0);
		for (uint64_t i = OWN; i < OWN + 5000; i++)
			CHILD_MUST(fixture_check(map, i, &turn) == 0 && turn == 2 && fixture_delete(map, i) == 0);
		CHILD_MUST(stable_keys_are_there(map));
		CHILD_MUST(fixture_stats(map).retired_pending >= 10000);
		CHILD_MUST(fixture_stats(map).stalled_ms == 0);
		CHILD_MUST(rcumap_destroy(map) == 0);
		_exit(0);
	}
	default_allocator_disarm();
	ok(child_ended_well(pid), "a child without thread %d stores and removes, and says that it reclaims nothing", (int)n);
	is_int(rcumap_barrier(map), 0, "the parent's threads are there");
	fixture_destroy(map);
}

/* ------------------------------------------------------------------ callbacks */

#define TOLD 20u

struct told {
	unsigned of[TOLD], foreign;
	_Atomic unsigned all;
	_Atomic bool stay; /* in the first call that sees it */
	sem_t inside, leave;
};

static void tell(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct told *told = ctx;
	const unsigned char *key = rcumap_entry_key(entry);
	unsigned number = key[7];

	if (number < TOLD && reason == RCUMAP_DELETED)
		told->of[number]++;
	else
		told->foreign++;
	atomic_fetch_add(&told->all, 1);
	if (atomic_exchange(&told->stay, false)) {
		sem_post(&told->inside);
		while (sem_wait(&told->leave) != 0)
			;
	}
}

static bool each_was_told_once(const struct told *told)
{
	for (unsigned i = 0; i < TOLD; i++)
		if (told->of[i] != 1)
			return false;
	return told->foreign == 0;
}

static void in_the_midst_of_a_callback(void)
{
	struct told told;
	struct rcumap_options options;
	struct rcumap *map;
	unsigned wrong = 0;

	memset(&told, 0, sizeof told);
	sem_init(&told.inside, 0, 0);
	sem_init(&told.leave, 0, 0);
	memset(&options, 0, sizeof options);
	options.removed = tell;
	options.removed_ctx = &told;
	map = fixture_map(&options);
	for (uint64_t i = 0; i < TOLD; i++)
		wrong += fixture_put(map, i, 0, 24 + 200 * (i % 2)) != 0;
	atomic_store(&told.stay, true);
	for (uint64_t i = 0; i < TOLD; i++)
		wrong += fixture_delete(map, i) != 0;
	fixture_wait(&told.inside);

	pid_t pid = child_fork();

	if (pid == 0) {
		CHILD_MUST(rcumap_barrier(map) == 0);
		CHILD_MUST(each_was_told_once(&told));
		CHILD_MUST(nothing_is_retired(map));
		CHILD_MUST(fixture_put(map, 1, 0, 24) == 0);
		CHILD_MUST(rcumap_destroy(map) == 0);
		CHILD_MUST(told.foreign == 1);
		_exit(0);
	}
	ok(child_ended_well(pid), "fork during a callback: what it was not called for yet, it is called for in the child");
	sem_post(&told.leave);
	is_int(rcumap_barrier(map), 0, "barrier in the parent");
	ok(each_was_told_once(&told), "and once each in the parent");
	is_int(wrong, 0, "no error");
	fixture_destroy(map);
	sem_destroy(&told.inside);
	sem_destroy(&told.leave);
}

/* ------------------------------------------------------------------ busy parents */

struct busy {
	struct rcumap *map;
	_Atomic uint64_t wrong, rounds[5];
};

static void write_keys(struct busy *b, struct team_member *me, struct rng *rng)
{
	const uint64_t base = BUSY + me->index * 1000;

	for (unsigned i = 0; i < 20; i++) {
		uint64_t number = base + rng_below(rng, 500);

		switch (rng_below(rng, 4)) {
		case 0:
			b->wrong += put_ttl(b->map, number, 1 + rng_below(rng, 50)) != 0;
			break;
		case 1:
			(void)fixture_delete(b->map, number);
			break;
		default:
			b->wrong += fixture_put(b->map, number, i, 24 + rng_below(rng, 200)) != 0;
		}
	}
}

static void be_busy(struct team_member *me)
{
	struct busy *b = me->ctx;
	struct rng rng;

	rng_init_stream(&rng, 1, me->index);
	while (!team_stopping(me)) {
		struct rcumap *other = NULL;

		switch (me->index) {
		case 0:
		case 1:
			write_keys(b, me, &rng);
			break;
		case 2:
			b->wrong += !stable_keys_are_there(b->map);
			break;
		case 3:
			b->wrong += rcumap_barrier(b->map) != 0;
			b->wrong += rcumap_reserve(b->map, 2000 + rng_below(&rng, 3000)) != 0;
			sleep_ns(100000);
			break;
		default:
			b->wrong += rcumap_create(&other, NULL) != 0 || fixture_put(other, 1, 1, 24) != 0 ||
				    fixture_delete(other, 1) != 0 || rcumap_destroy(other) != 0;
		}
		atomic_fetch_add(&b->rounds[me->index], 1);
		sleep_ns(50000); /* a child has to have its turn, too */
	}
}

static void wait_for_rounds(struct busy *b, unsigned index, uint64_t rounds)
{
	while (atomic_load(&b->rounds[index]) < rounds)
		sleep_ns(100000);
}

static void while_threads_are_busy(bool with_callback)
{
	const uint64_t forks = fixture_scaled(16, 6);
	struct told told;
	struct busy b;
	struct rcumap_options options;
	struct team_options team_options;
	struct team *team;
	uint64_t wrong = 0;

	memset(&told, 0, sizeof told);
	memset(&options, 0, sizeof options);
	memset(&b, 0, sizeof b);
	if (with_callback) {
		options.removed = tell;
		options.removed_ctx = &told;
	}
	b.map = stable_map(&options);
	memset(&team_options, 0, sizeof team_options);
	team_options.threads = 5;
	team_options.work = be_busy;
	team_options.ctx = &b;
	team_options.watchdog_s = 170;
	team = team_start(&team_options);
	for (unsigned i = 0; i < 5; i++)
		wait_for_rounds(&b, i, 1);
	for (uint64_t i = 0; i < forks && !wrong; i++) {
		if (!CHILD_OF_BUSY_THREADS) {
			rcumap_before_fork();
			rcumap_after_fork_parent();
			continue;
		}

		pid_t pid = child_fork();

		if (pid == 0)
			child_lives(b.map, i % 16 == 0 ? OWN_LIVES : NO_LIVES, i % 8 == 7);
		wrong += !child_ended_well(pid);
	}
	is_int(wrong, 0, "%d %s%s", (int)forks,
	       CHILD_OF_BUSY_THREADS ? "children of a busy parent go on" : "preparations for a fork", with_callback ? ", with a callback" : "");
	for (unsigned i = 0; i < 5; i++)
		wait_for_rounds(&b, i, atomic_load(&b.rounds[i]) + 2);
	ok(true, "all threads of the parent go on");
	team_stop(team);
	team_join(team);
	is_int(b.wrong, 0, "undisturbed");
	is_int(rcumap_barrier(b.map), 0, "barrier in the parent");
	ok(stable_keys_are_there(b.map), "what nobody changes is there");
	fixture_destroy(b.map);
}

/* The other flavors' maps are not for children; but they are in nobody's way. */
static void other_flavors_and_exec(void)
{
	static char *const argv[] = { "true", NULL };
	struct busy b;
	struct team_options options;
	struct team *team;
	unsigned wrong = 0;

	if (fixture_flavor == FLAVOR_BP)
		return;
	memset(&b, 0, sizeof b);
	b.map = stable_map(NULL);
	memset(&options, 0, sizeof options);
	options.threads = 2;
	options.work = be_busy;
	options.ctx = &b;
	options.register_flavor = true;
	options.flavor = fixture_flavor;
	options.watchdog_s = TEST_WATCHDOG_S;
	flavor_offline(fixture_flavor);
	team = team_start(&options);
	for (unsigned i = 0; i < 10; i++) {
		pid_t pid = child_fork();

		if (pid == 0) {
			if (i % 2)
				_exit(0);
			execv("/bin/true", argv);
			_exit(1);
		}
		wrong += !child_ended_well(pid);
	}
	team_stop(team);
	team_join(team);
	flavor_online(fixture_flavor);
	is_int(wrong, 0, "%s: fork and exec, while a map is busy", fixture_name());
	is_int(b.wrong, 0, "%s: undisturbed", fixture_name());
	fixture_destroy(b.map);
}

static void test(void)
{
	if (fixture_flavor != FLAVOR_BP) {
		other_flavors_and_exec();
		return;
	}
	no_thread_can_be_started(1);
	if (CHILD_STARTS_THREADS) {
		no_thread_can_be_started(2);
		nobody_else_is_there();
		in_the_midst_of_a_callback();
	}
	while_threads_are_busy(false);
	while_threads_are_busy(true);
}

int main(void)
{
	handlers_are_not_registered();
	if (pthread_atfork(rcumap_before_fork, rcumap_after_fork_parent, rcumap_after_fork_child))
		bail("pthread_atfork");
	fixture_each_flavor(test);
	return tap_done();
}
