/* SPDX-License-Identifier: BSD-2-Clause */
/* Where calls may be made (the table in rcumap.h), as far as the tests of the verbs do not show it: by threads that liburcu does not
 * know, and inside sections, those of functions that were given to update and scan among them. */
#include "fixture.h"

/* ------------------------------------------------------------------ threads that are not registered */

struct stranger {
	struct rcumap *map;
	const struct rcumap_entry *held;
	bool reads, creates, waits, counts, destroys;
};

static void *meet(void *arg)
{
	struct stranger *me = arg;
	struct rcumap *map = NULL;
	struct rcumap_options options = { .size = sizeof options, .flavor = flavor_rcu(fixture_flavor) };

	me->reads = rcumap_entry_key_size(me->held) == 3 && memcmp(rcumap_entry_key(me->held), "key", 3) == 0 &&
		    memcmp(rcumap_entry_value(me->held), "value", rcumap_entry_value_size(me->held)) == 0 &&
		    rcumap_entry_ttl(me->map, me->held) == RCUMAP_TTL_NEVER && rcumap_hold(me->map, me->held) == 0;
	rcumap_release(me->map, me->held);
	rcumap_release(me->map, me->held);
	me->counts = rcumap_count(me->map) == 0;
	me->waits = rcumap_barrier(me->map) == 0 && rcumap_reserve(me->map, 1000) == 0;
	me->creates = rcumap_create(&map, &options) == 0;
	me->destroys = me->creates && rcumap_destroy(map) == 0;
	return NULL;
}

static void by_strangers(void)
{
	struct stranger me = { .map = fixture_map(NULL) };
	pthread_t thread;

	rcumap_put(me.map, "key", 3, "value", 5, RCUMAP_TTL_NEVER, NULL);
	rcumap_read_lock(me.map);
	me.held = rcumap_find(me.map, "key", 3);
	if (!me.held || rcumap_hold(me.map, me.held) != 0)
		bail("what has just been stored cannot be held");
	rcumap_read_unlock(me.map);
	rcumap_delete(me.map, "key", 3);
	flavor_offline(fixture_flavor);
	if (pthread_create(&thread, NULL, meet, &me) != 0)
		bail("no thread");
	pthread_join(thread, NULL);
	flavor_online(fixture_flavor);
	ok(me.reads, "%s: who is not registered reads what is held, and holds it", fixture_name());
	ok(me.counts && me.waits, "%s: counts, waits, reserves", fixture_name());
	ok(me.creates && me.destroys, "%s: creates a map and destroys it", fixture_name());
	is_int(fixture_stats(me.map).held_entries, 0, "%s: and what he releases is given back", fixture_name());
	fixture_destroy(me.map);
}

/* ------------------------------------------------------------------ inside sections */

struct created {
	struct rcumap *map;
	uint64_t count;
	bool held;
};

/* In a section: what the table allows everywhere. Returns whether all of it worked. */
static bool do_all(struct created *c, const struct rcumap *map, const struct rcumap_entry *entry)
{
	struct rcumap_options options = { .size = sizeof options, .flavor = flavor_rcu(fixture_flavor) };
	struct rcumap_stats stats;
	struct rcumap *other;
	char value[8];
	size_t size;

	if (rcumap_create(&other, &options) != 0)
		return false;
	c->map = other;
	c->count = rcumap_count(map);
	c->held = rcumap_hold((struct rcumap *)map, entry) == 0;
	rcumap_release((struct rcumap *)map, entry);
	return c->held && c->count == 1 && rcumap_find(map, "key", 3) == entry &&
	       rcumap_get(map, "key", 3, value, sizeof value, &size, NULL) == 0 && size == 5 &&
	       rcumap_stats(map, &stats, sizeof stats) == 0 && stats.entries == 1;
}

struct asked {
	struct rcumap *map;
	struct created created;
	bool worked;
};

static int update_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct asked *asked = ctx;

	(void)value;
	asked->worked = old && do_all(&asked->created, asked->map, old);
	return RCUMAP_KEEP;
}

static int visit_it(void *ctx, const struct rcumap_entry *entry)
{
	struct asked *asked = ctx;

	asked->worked = do_all(&asked->created, asked->map, entry);
	return 0;
}

/* The map that was created inside a section works. */
static void check(struct asked *asked, const char *where)
{
	struct rcumap *map = asked->created.map;

	ok(asked->worked, "%s: %s: all that may be called there, creation too", fixture_name(), where);
	ok(map && rcumap_put(map, "key", 3, "", 0, RCUMAP_TTL_NEVER, NULL) == 0 && rcumap_count(map) == 1 &&
		   rcumap_barrier(map) == 0,
	   "%s: %s: the map that was created works", fixture_name(), where);
	if (map)
		fixture_destroy(map);
	asked->created = (struct created){ 0 };
	asked->worked = false;
}

static void inside_sections(void)
{
	struct asked asked = { .map = fixture_map(NULL) };
	uint64_t cursor = 0;
	int more;

	rcumap_put(asked.map, "key", 3, "value", 5, RCUMAP_TTL_NEVER, NULL);

	rcumap_read_lock(asked.map);
	asked.worked = do_all(&asked.created, asked.map, rcumap_find(asked.map, "key", 3));
	rcumap_read_unlock(asked.map);
	check(&asked, "in a section");

	is_int(rcumap_update(asked.map, "key", 3, update_it, &asked, NULL), 0, "%s: update", fixture_name());
	check(&asked, "in update's function");

	do
		more = rcumap_scan(asked.map, &cursor, 100, visit_it, &asked);
	while (more > 0);
	is_int(more, 0, "%s: scan", fixture_name());
	check(&asked, "in scan's function");
	fixture_destroy(asked.map);
}

static void test(void)
{
	by_strangers();
	inside_sections();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
