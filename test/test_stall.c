/* SPDX-License-Identifier: BSD-2-Clause */
/* Readers who hold back reclamation: who is reported, when, and until when. */
#include "fixture.h"

#include <sys/syscall.h>

#define LIMIT_MS UINT64_C(4)
#define REPORTS 3u
#define KEYS_MAX UINT64_C(3000)

struct reports {
	struct rcumap *map;
	_Atomic unsigned count; /* of reports: those in `first` are written before it */
	struct rcumap_stall first[REPORTS];
	bool call_the_map;
	unsigned wrong;
};

static void note(void *ctx, const struct rcumap_stall *stall)
{
	struct reports *r = ctx;
	unsigned n = atomic_load(&r->count);

	if (r->call_the_map) {
		/* Whatever can be called in a callback. A report of the same section follows. */
		r->wrong += fixture_put(r->map, 1000 + n, n, 24) != 0 || fixture_delete(r->map, 1000 + n) != 0;
		r->wrong += rcumap_barrier(r->map) != -EDEADLK;
	}
	if (n < REPORTS)
		r->first[n] = *stall;
	atomic_store(&r->count, n + 1);
}

struct reader {
	struct rcumap *map;
	sem_t inside, leave;
	int64_t thread;
	bool stores; /* instead of leaving, once */
};

/* One that is built outside of the call's own section. */
static void store_large(struct rcumap *map)
{
	static const unsigned char value[10000];

	if (rcumap_put(map, "large", 5, value, sizeof value, RCUMAP_TTL_NEVER, NULL) != 0)
		bail("put");
}

/* Not fixture_wait(): that would be a quiescent state. */
static void wait_inside(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		;
}

static void stay_inside(struct team_member *me)
{
	struct reader *reader = me->ctx;

	reader->thread = (int64_t)syscall(SYS_gettid);
	rcumap_read_lock(reader->map);
	rcumap_read_lock(reader->map);
	rcumap_read_unlock(reader->map);
	sem_post(&reader->inside);
	wait_inside(&reader->leave);
	if (reader->stores) {
		store_large(reader->map);
		sem_post(&reader->inside);
		wait_inside(&reader->leave);
	}
	rcumap_read_unlock(reader->map);
}

static struct team *enter(struct reader *reader, struct rcumap *map)
{
	struct team_options options;
	struct team *team;

	memset(&options, 0, sizeof options);
	options.threads = 1;
	options.work = stay_inside;
	options.ctx = reader;
	options.register_flavor = true;
	options.flavor = fixture_flavor;
	options.watchdog_s = TEST_WATCHDOG_S;
	memset(reader, 0, sizeof *reader);
	reader->map = map;
	sem_init(&reader->inside, 0, 0);
	sem_init(&reader->leave, 0, 0);
	team = team_start(&options);
	fixture_wait(&reader->inside);
	return team;
}

static void leave(struct reader *reader, struct team *team)
{
	sem_post(&reader->leave);
	flavor_offline(fixture_flavor);
	team_join(team);
	flavor_online(fixture_flavor);
	sem_destroy(&reader->inside);
	sem_destroy(&reader->leave);
}

/* With room for what is stored here: no table awaits a grace period. */
static struct rcumap *map_with_limit(uint64_t limit_ms, struct reports *reports)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.capacity = 4 * KEYS_MAX;
	options.stall_ms = limit_ms;
	if (reports) {
		memset(reports, 0, sizeof *reports);
		options.stalled = note;
		options.stalled_ctx = reports;
	}

	struct rcumap *map = fixture_map(&options);

	if (reports)
		reports->map = map;
	return map;
}

/* Until the map's reclaimer waits for no grace period: on a busy machine one may take longer than the limit without
 * anybody's fault. What is reported from now on is of a reader who enters. */
static void settle(struct rcumap *map, struct reports *reports)
{
	rcumap_barrier(map);
	rcumap_barrier(map); /* takes what the first has left of the map's own */
	atomic_store(&reports->count, 0);
}

static bool one_reported(void *ctx)
{
	return atomic_load(&((struct reports *)ctx)->count) >= 1;
}

static bool all_reported(void *ctx)
{
	return atomic_load(&((struct reports *)ctx)->count) >= REPORTS;
}

static bool stalled_now(void *map)
{
	return fixture_stats(map).stalled_ms >= LIMIT_MS;
}

static bool all_is_reclaimed(void *map)
{
	struct rcumap_stats stats = fixture_stats(map);

	return stats.retired_pending == 0 && stats.retired_bytes == 0 && stats.stalled_ms == 0;
}

static void who_stays_is_reported(void)
{
	struct reports reports;
	struct reader reader;
	struct rcumap *map = map_with_limit(LIMIT_MS, &reports);
	const uint64_t keys = fixture_scaled(KEYS_MAX, 300);
	unsigned wrong = 0;
	struct team *team;

	for (uint64_t i = 0; i < keys; i++)
		wrong += fixture_put(map, i, 0, 64) != 0;
	settle(map, &reports);

	const uint64_t stalls = fixture_stats(map).stalls;

	team = enter(&reader, map);
	for (uint64_t i = 0; i < keys; i++) {
		wrong += fixture_delete(map, i) != 0;
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: entries are retired while a reader is inside", fixture_name());
	ok(fixture_eventually(all_reported, &reports), "%s: he is reported again and again", fixture_name());
	ok(fixture_eventually(stalled_now, map), "%s: statistics tell his age", fixture_name());
	is_int(fixture_stats(map).stalls - stalls, 1, "%s: and that it is one reader", fixture_name());

	leave(&reader, team);
	ok(fixture_eventually(all_is_reclaimed, map), "%s: when he has left, all is reclaimed, and nobody is stalled",
	   fixture_name());
	is_int(rcumap_barrier(map), 0, "%s: barrier", fixture_name());
	rcumap_barrier(map); /* as in settle(): nothing of the map's own waits any more, however slow the machine */

	unsigned count = atomic_load(&reports.count), early = 0, soon = 0, thread = 0;

	for (unsigned i = 0; i < REPORTS; i++) {
		early += reports.first[i].age_ms < LIMIT_MS;
		soon += i && reports.first[i].age_ms < 2 * reports.first[i - 1].age_ms;
		thread += reports.first[i].thread == reader.thread;
	}
	is_int(early, 0, "%s: no report before the limit", fixture_name());
	is_int(soon, 0, "%s: and none again before the age has doubled", fixture_name());
	ok(reports.first[REPORTS - 1].bytes > 0, "%s: a report says how much waits", fixture_name());
#ifdef RCUMAP_DEBUG
	is_int(thread, REPORTS, "%s: and which thread it is", fixture_name());
#else
	is_int(thread, 0, "%s: but not which thread it is", fixture_name());
#endif
	sleep_ns(4 * LIMIT_MS * 1000000);
	is_int(atomic_load(&reports.count), count, "%s: no report after he has left", fixture_name());

	atomic_store(&reports.count, 0);
	team = enter(&reader, map);
	fixture_put(map, 1, 0, 64);
	fixture_delete(map, 1);
	flavor_quiescent(fixture_flavor);
	ok(fixture_eventually(one_reported, &reports), "%s: the next one is reported, too", fixture_name());
#ifdef RCUMAP_DEBUG
	is_int(reports.first[0].thread, reader.thread, "%s: by his own number", fixture_name());
#endif
	reader.stores = true;
	sem_post(&reader.leave);
	fixture_wait(&reader.inside);
	atomic_store(&reports.count, 0);
	ok(fixture_eventually(one_reported, &reports), "%s: and when he stores meanwhile", fixture_name());
#ifdef RCUMAP_DEBUG
	is_int(reports.first[0].thread, reader.thread, "%s: by his number still", fixture_name());
#endif
	leave(&reader, team);
	fixture_destroy(map);
}

static void nothing_waits_for_him(void)
{
	struct reports reports;
	struct reader reader;
	struct rcumap *map = map_with_limit(1, &reports);
	struct team *team;
	uint64_t turn;

	fixture_put(map, 1, 0, 64);
	settle(map, &reports);
	team = enter(&reader, map);
	sleep_ns(20000000);
	is_int(fixture_check(map, 1, &turn), 0, "%s: a reader is inside, and nothing is retired", fixture_name());
	is_int(fixture_stats(map).stalled_ms, 0, "%s: he holds back nothing", fixture_name());
	leave(&reader, team);
	fixture_destroy(map);
	is_int(atomic_load(&reports.count), 0, "%s: he is not reported", fixture_name());
}

static void below_the_limit(void)
{
	struct reports reports;
	struct reader reader;
	struct rcumap *map = map_with_limit(RCUMAP_TTL_MAX, &reports);
	struct team *team = enter(&reader, map);

	fixture_put(map, 1, 0, 64);
	fixture_delete(map, 1);
	flavor_quiescent(fixture_flavor);
	sleep_ns(20000000);
	is_int(fixture_stats(map).retired_pending, 1, "%s: a reader holds back an entry", fixture_name());
	is_int(fixture_stats(map).stalled_ms, 0, "%s: but not for two hundred years", fixture_name());
	leave(&reader, team);
	fixture_destroy(map);
	is_int(atomic_load(&reports.count), 0, "%s: he is not reported", fixture_name());
}

static bool stalls_are_counted(void *map)
{
	return fixture_stats(map).stalls > 0;
}

static void without_a_callback(void)
{
	struct reader reader;
	struct rcumap *map = map_with_limit(1, NULL);
	struct team *team = enter(&reader, map);

	fixture_put(map, 1, 0, 64);
	fixture_delete(map, 1);
	flavor_quiescent(fixture_flavor);
	ok(fixture_eventually(stalls_are_counted, map), "%s: without a callback statistics still tell", fixture_name());
	leave(&reader, team);
	ok(fixture_eventually(all_is_reclaimed, map), "%s: until he leaves", fixture_name());
	fixture_destroy(map);
}

/* Two maps wait for one grace period: both learn of its reader, and each of its own garbage. */
static void of_two_maps(void)
{
	struct reports one, two;
	struct reader reader;
	struct rcumap *first = map_with_limit(LIMIT_MS, &one), *second = map_with_limit(LIMIT_MS, &two);
	struct team *team;

	settle(first, &one);
	settle(second, &two);
	team = enter(&reader, first);
	fixture_put(first, 1, 0, 24);
	fixture_delete(first, 1);
	flavor_quiescent(fixture_flavor);
	ok(fixture_eventually(all_reported, &one), "%s: the map whose garbage waits reports a reader", fixture_name());
	/* Its request comes while the grace period is under way. */
	fixture_put(second, 1, 0, 256);
	fixture_delete(second, 1);
	flavor_quiescent(fixture_flavor);
	ok(fixture_eventually(one_reported, &two), "%s: one that has to wait behind it does, too", fixture_name());
	leave(&reader, team);
	fixture_destroy(second);
	ok(fixture_eventually(all_is_reclaimed, first), "%s: until he leaves", fixture_name());
	fixture_destroy(first);
	ok(two.first[0].age_ms >= LIMIT_MS && two.first[0].bytes > one.first[REPORTS - 1].bytes,
	   "%s: each tells of its own garbage", fixture_name());
}

static void the_callback_calls_the_map(void)
{
	struct reports reports;
	struct reader reader;
	struct rcumap *map = map_with_limit(1, &reports);
	struct team *team;

	reports.call_the_map = true;
	team = enter(&reader, map);
	fixture_put(map, 1, 0, 64);
	fixture_delete(map, 1);
	flavor_quiescent(fixture_flavor);
	ok(fixture_eventually(all_reported, &reports), "%s: reports come", fixture_name());
	leave(&reader, team);
	ok(fixture_eventually(all_is_reclaimed, map), "%s: until he leaves", fixture_name());
	fixture_destroy(map);
	is_int(reports.wrong, 0, "%s: the callback may store and remove, and is kept from waiting for itself", fixture_name());
}

/* What destroy waits for is reported like all else. */
struct destroyer {
	struct rcumap *map;
	_Atomic bool done;
};

static void destroy(struct team_member *me)
{
	struct destroyer *d = me->ctx;

	fixture_destroy(d->map);
	atomic_store(&d->done, true);
}

static void while_a_map_is_destroyed(void)
{
	struct reports reports;
	struct reader reader;
	struct destroyer destroyer;
	struct team_options options;
	struct rcumap *other = fixture_map(NULL); /* what the reader locks through */
	struct team *inside, *team;

	memset(&destroyer, 0, sizeof destroyer);
	memset(&options, 0, sizeof options);
	destroyer.map = map_with_limit(1, &reports);
	fixture_put(destroyer.map, 1, 0, 64);
	inside = enter(&reader, other);
	fixture_delete(destroyer.map, 1);
	flavor_quiescent(fixture_flavor);
	options.threads = 1;
	options.work = destroy;
	options.ctx = &destroyer;
	options.register_flavor = true;
	options.flavor = fixture_flavor;
	options.watchdog_s = TEST_WATCHDOG_S;
	team = team_start(&options);
	ok(fixture_eventually(all_reported, &reports), "%s: whom destroy waits for is reported", fixture_name());
	ok(!atomic_load(&destroyer.done), "%s: while it waits", fixture_name());
	leave(&reader, inside);
	flavor_offline(fixture_flavor);
	team_join(team);
	flavor_online(fixture_flavor);
	fixture_destroy(other);
}

static void test(void)
{
	who_stays_is_reported();
	nothing_waits_for_him();
	below_the_limit();
	without_a_callback();
	of_two_maps();
	the_callback_calls_the_map();
	while_a_map_is_destroyed();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
