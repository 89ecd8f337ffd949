/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_read_lock() and its kin: what is found inside a section is not freed before it ends, however it was opened. */
#include "allocator_fixture.h"

#include <urcu/flavor.h>

/* How the reader opens and closes its section. */
struct way {
	const char *name;
	void (*lock)(const struct rcumap *map);
	void (*unlock)(const struct rcumap *map);
	bool nested;
};

static void lock_direct(const struct rcumap *map)
{
	static void (*const lock[])(void) = { rcumap_read_lock_bp, rcumap_read_lock_memb, rcumap_read_lock_qsbr };

	(void)map;
	lock[fixture_flavor]();
}

static void unlock_direct(const struct rcumap *map)
{
	static void (*const unlock[])(void) = { rcumap_read_unlock_bp, rcumap_read_unlock_memb,
						rcumap_read_unlock_qsbr };

	(void)map;
	unlock[fixture_flavor]();
}

/* Gets within, which open and close sections of their own: of a key that is there and one that is not, and of a size that takes
 * the short way and one that does not. */
static void lock_and_get(const struct rcumap *map)
{
	static const char there[] = "twelve bytes", absent[] = "not there";
	char value[24] = "so many bytes go inline", copy[24];

	rcumap_put((struct rcumap *)map, there, sizeof there - 1, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_read_lock(map);
	for (unsigned i = 0; i < 2; i++)
		if (rcumap_get(map, there, sizeof there - 1, copy, sizeof copy, NULL, NULL) != 0 ||
		    memcmp(copy, value, sizeof copy) != 0 ||
		    rcumap_get(map, absent, sizeof absent - 1, copy, sizeof copy, NULL, NULL) != -ENOENT ||
		    rcumap_get(map, absent, 3, copy, sizeof copy, NULL, NULL) != -ENOENT)
			bail("a get within a section");
}

#ifndef TEST_TSAN
/* The flavor's own: ThreadSanitizer does not learn of these. */
static void lock_urcu(const struct rcumap *map)
{
	(void)map;
	flavor_rcu(fixture_flavor)->read_lock();
}

static void unlock_urcu(const struct rcumap *map)
{
	(void)map;
	flavor_rcu(fixture_flavor)->read_unlock();
}
#endif

static const struct way ways[] = {
	{ "rcumap_read_lock", rcumap_read_lock, rcumap_read_unlock, false },
	{ "rcumap_read_lock, with gets within", lock_and_get, rcumap_read_unlock, false },
	{ "rcumap_read_lock, nested", rcumap_read_lock, rcumap_read_unlock, true },
	{ "the direct call", lock_direct, unlock_direct, false },
	{ "the direct call, nested", lock_direct, unlock_direct, true },
#ifndef TEST_TSAN
	{ "the flavor's own call", lock_urcu, unlock_urcu, false },
#endif
};

struct context {
	struct rcumap *map;
	const struct way *way;
	sem_t found, deleted, checked, leave;
	bool valid_before, valid_after, gone;
};

/* qsbr: a thread is in a section as long as it is online; a plain sem_wait() keeps it so. */
static void wait_online(sem_t *sem)
{
	while (sem_wait(sem) != 0)
		;
}

static void read_while_it_is_deleted(struct team_member *me)
{
	struct context *c = me->ctx;
	const struct rcumap_entry *entry;

	c->way->lock(c->map);
	if (c->way->nested) {
		c->way->lock(c->map);
		c->way->lock(c->map);
	}
	entry = rcumap_find(c->map, "key", 3);
	c->valid_before = entry && memcmp(rcumap_entry_value(entry), "value", 5) == 0;
	if (c->way->nested) {
		c->way->unlock(c->map);
		c->way->unlock(c->map);
	}
	sem_post(&c->found);
	wait_online(&c->deleted);
	c->gone = rcumap_find(c->map, "key", 3) == NULL;
	c->valid_after = entry && rcumap_entry_key_size(entry) == 3 && memcmp(rcumap_entry_key(entry), "key", 3) == 0 &&
			 memcmp(rcumap_entry_value(entry), "value", 5) == 0;
	sem_post(&c->checked);
	wait_online(&c->leave);
	c->way->unlock(c->map);
}

/* A map of another flavor, whose reclaimer runs undisturbed: time enough for a free that should not be. */
static struct rcumap *undisturbed_map(void)
{
	struct rcumap_options options;
	struct rcumap *map = NULL;

	memset(&options, 0, sizeof options);
	options.size = sizeof options;
	options.flavor = flavor_rcu(fixture_flavor == FLAVOR_BP ? FLAVOR_MEMB : FLAVOR_BP);
	if (rcumap_create(&map, &options) != 0)
		bail("no second map");
	if (fixture_flavor == FLAVOR_BP)
		flavor_register(FLAVOR_MEMB);
	return map;
}

static void destroy_undisturbed(struct rcumap *map)
{
	rcumap_destroy(map);
	if (fixture_flavor == FLAVOR_BP)
		flavor_unregister(FLAVOR_MEMB);
}

static void section_holds_the_entry(const struct way *way)
{
	struct fault_allocator allocator;
	struct context c = { NULL, way, { { 0 } }, { { 0 } }, { { 0 } }, { { 0 } }, false, false, false };
	struct team_options team_options;
	struct rcumap *other = undisturbed_map();
	struct team *team;
	int64_t pending;

	memset(&team_options, 0, sizeof team_options);
	c.map = fault_map(&allocator, NULL);
	sem_init(&c.found, 0, 0);
	sem_init(&c.deleted, 0, 0);
	sem_init(&c.checked, 0, 0);
	sem_init(&c.leave, 0, 0);
	rcumap_put(c.map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL);
	team_options = (struct team_options){ .threads = 1,
					      .work = read_while_it_is_deleted,
					      .ctx = &c,
					      .register_flavor = true,
					      .flavor = fixture_flavor,
					      .watchdog_s = TEST_WATCHDOG_S };
	team = team_start(&team_options);
	fixture_wait(&c.found);
	rcumap_delete(c.map, "key", 3);
	for (unsigned i = 0; i < 2; i++) {
		rcumap_put(other, "key", 3, NULL, 0, RCUMAP_TTL_DEFAULT, NULL);
		rcumap_put(other, "key", 3, NULL, 0, RCUMAP_TTL_DEFAULT, NULL);
		rcumap_barrier(other);
	}
	is_int(fixture_stats(other).reclaimed, 3, "%s, %s: another flavor's map reclaims meanwhile", fixture_name(),
	       way->name);
	pending = (int64_t)fixture_stats(c.map).retired_pending;
	sem_post(&c.deleted);
	fixture_wait(&c.checked);
	is_int(pending, 1, "%s, %s: the deleted entry awaits the section's end", fixture_name(), way->name);
	sem_post(&c.leave);
	flavor_offline(fixture_flavor);
	team_join(team);
	flavor_online(fixture_flavor);
	ok(c.valid_before && c.valid_after && c.gone,
	   "%s, %s: the entry is valid inside the section, though the key is gone", fixture_name(), way->name);
	rcumap_barrier(c.map);
	is_int(fixture_stats(c.map).retired_pending, 0, "%s, %s: it is reclaimed after it", fixture_name(), way->name);
	fixture_destroy(c.map);
	destroy_undisturbed(other);
	ok(fault_settled(&allocator), "%s, %s: every byte is given back", fixture_name(), way->name);
	sem_destroy(&c.found);
	sem_destroy(&c.deleted);
	sem_destroy(&c.checked);
	sem_destroy(&c.leave);
}

static void test(void)
{
	for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
		section_holds_the_entry(&ways[i]);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
