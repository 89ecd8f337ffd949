/* SPDX-License-Identifier: BSD-2-Clause */
/* A child of fork() has all of its map's limit, whatever the threads that are not there any more had taken of it. */
#include "map/map.h"

#include "child.h"

#define LIMIT 1000u
#define LOST 100u

static bool child_can_fill_it(struct rcumap *map)
{
	uint64_t main = 0, failed = 0;

	if (quota_used(&map->eviction.entries) != rcumap_count(map))
		return false;
	for (uint64_t i = 10000; i < 10000 + 4 * LIMIT; i++) {
		failed += fixture_put(map, i, i, 24) != 0 || rcumap_count(map) > LIMIT;
		failed += fixture_check(map, i, NULL) != 0;
		main += tally_total(&map->eviction.main) > LIMIT;
	}
	return !failed && !main && rcumap_count(map) == LIMIT && rcumap_destroy(map) == 0;
}

static void a_child_has_the_whole_limit(uint64_t entries)
{
	const struct rcumap_options options = { .max_entries = LIMIT };
	struct rcumap *map = fixture_map(&options);
	pid_t pid;

	for (uint64_t i = 0; i < entries; i++) {
		fixture_put(map, i, i, 24);
		fixture_check(map, i, NULL);
	}
	/* What calls under way would have. */
	ok(entries + LOST <= LIMIT || rcumap_count(map) == LIMIT, "%llu stored", (unsigned long long)entries);
	if (entries + LOST <= LIMIT)
		ok(quota_take(&map->eviction.entries, stripe_index(), LOST), "%u units are in other hands", LOST);
	tally_add(&map->eviction.main, stripe_index(), LIMIT);
	pid = child_fork();
	if (pid == 0)
		_exit(child_can_fill_it(map) ? 0 : 1);
	ok(child_ended_well(pid), "the child fills it to the limit");
	fixture_destroy(map);
}

static void test(void)
{
	if (fixture_flavor != FLAVOR_BP)
		return;
	if (!CHILD_STARTS_THREADS || !CHILD_OF_BUSY_THREADS) {
		skip(5, "the sanitizer's runtime does not allow it");
		return;
	}
	a_child_has_the_whole_limit(LIMIT / 2);
	a_child_has_the_whole_limit(5 * LIMIT);
}

int main(void)
{
	if (pthread_atfork(rcumap_before_fork, rcumap_after_fork_parent, rcumap_after_fork_child) != 0)
		bail("pthread_atfork");
	fixture_each_flavor(test);
	return tap_done();
}
