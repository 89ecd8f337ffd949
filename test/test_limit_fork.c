/* SPDX-License-Identifier: BSD-2-Clause */
/* A child of fork() has its map's limit on bytes: what was accounted for in the parent is in the child, no byte more or less. */
#include "bytes_fixture.h"
#include "child.h"

#define LIMIT (4 * MIB)

static bool child_goes_on(struct rcumap *map, uint64_t entries, uint64_t accounted)
{
	struct rcumap_stats s = fixture_stats(map);
	uint64_t next = 1000000, wrong = 0;

	if (s.entries != entries || s.accounted_bytes > LIMIT || s.accounted_bytes > accounted + 64 * KIB)
		return false;
	for (unsigned round = 0; round < 4 && !wrong; round++) {
		wrong += bytes_fill(map, &next, 1500, LIMIT / 1500) != 0 || !bytes_within(map, LIMIT);
		wrong += bytes_put(map, next, next, 100000) != 0 || fixture_check(map, next, NULL) != 0;
		next++;
	}
	s = fixture_stats(map);
	wrong += s.entry_bytes < LIMIT / 3 || rcumap_clear(map) != 0 || rcumap_barrier(map) != 0;
	s = fixture_stats(map);
	return !wrong && s.entry_bytes == 0 && s.accounted_bytes < LIMIT / 2 && rcumap_destroy(map) == 0;
}

/* In the midst of what others do: of what they had in their hands some stays taken, for nobody can say of whom it was. */
static bool child_of_busy_parent(struct rcumap *map)
{
	uint64_t next = UINT64_C(1) << 40, wrong = 0;

	wrong += !bytes_within(map, LIMIT);
	wrong += bytes_fill(map, &next, 1500, 4 * LIMIT / 1500) != 0 || !bytes_within(map, LIMIT);
	wrong += rcumap_clear(map) != 0 || rcumap_barrier(map) != 0 || fixture_stats(map).entry_bytes != 0;
	wrong += bytes_fill(map, &next, 1500, LIMIT / 1500) != 0 || fixture_stats(map).entry_bytes < LIMIT / 3;
	return !wrong && rcumap_destroy(map) == 0;
}

static void of_one_at_rest(uint64_t entries)
{
	struct rcumap *map = bytes_map(LIMIT, BYTES_WAIT_LONG);
	struct rcumap_stats s;
	uint64_t next = 0;
	pid_t pid;

	is_int(bytes_fill(map, &next, 1500, entries), 0, "%llu stored", (unsigned long long)entries);
	for (uint64_t n = 0; n < entries; n += 7)
		fixture_delete(map, n);
	rcumap_barrier(map);
	s = fixture_stats(map);
	pid = child_fork();
	if (pid == 0)
		_exit(child_goes_on(map, s.entries, s.accounted_bytes) ? 0 : 1);
	ok(child_ended_well(pid), "the child goes on within the limit, and has all of it");
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ busy */

#define WRITERS 3u

struct parent {
	struct rcumap *map;
	_Atomic uint64_t wrong;
};

static void write_on(struct team_member *me)
{
	struct parent *p = me->ctx;

	for (uint64_t n = 0; !team_stopping(me); n++) {
		uint64_t number = (uint64_t)(me->index + 1) << 32 | n % 4096;

		atomic_fetch_add(&p->wrong, bytes_put(p->map, number, n, 24 + n % 6000) != 0);
	}
}

static void of_a_busy_one(void)
{
	struct parent p = { .map = bytes_map(LIMIT, BYTES_WAIT_LONG) };
	struct team_options options = { .threads = WRITERS,
					.work = write_on,
					.ctx = &p,
					.register_flavor = true,
					.flavor = fixture_flavor,
					.watchdog_s = TEST_WATCHDOG_S };
	struct team *team = team_start(&options);
	unsigned bad = 0;

	for (unsigned n = 0; n < fixture_scaled(20, 5); n++) {
		pid_t pid;

		sleep_ns(2 * MS);
		pid = child_fork();
		if (pid == 0)
			_exit(child_of_busy_parent(p.map) ? 0 : 1);
		bad += !child_ended_well(pid);
	}
	team_stop(team);
	team_join(team);
	is_int(bad, 0, "children of a busy parent go on within the limit");
	is_int(p.wrong, 0, "so does the parent");
	fixture_destroy(p.map);
}

static void test(void)
{
	if (fixture_flavor != FLAVOR_BP)
		return;
	if (!CHILD_STARTS_THREADS || !CHILD_OF_BUSY_THREADS) {
		skip(6, "the sanitizer's runtime does not allow it");
		return;
	}
	of_one_at_rest(500);
	of_one_at_rest(8000);
	of_a_busy_one();
}

int main(void)
{
	if (pthread_atfork(rcumap_before_fork, rcumap_after_fork_parent, rcumap_after_fork_child) != 0)
		bail("pthread_atfork");
	fixture_each_flavor(test);
	return tap_done();
}
