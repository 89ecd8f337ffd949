/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A reader who stays in his section: writers go on, the table still grows eight-fold, what is retired waits, and all of it
 * drains once he leaves.
 */
#include "allocator_fixture.h"

struct context {
	struct rcumap *map;
	sem_t inside, leave;
	bool entry_stayed;
};

/* qsbr: he stays online, and says nothing. */
static void stall(struct team_member *me)
{
	struct context *c = me->ctx;
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(0, key);
	const struct rcumap_entry *entry;
	uint64_t turn = 99;

	rcumap_read_lock(c->map);
	entry = rcumap_find(c->map, key, key_size);
	sem_post(&c->inside);
	while (sem_wait(&c->leave) != 0)
		;
	c->entry_stayed =
		entry &&
		payload_verify(rcumap_entry_value(entry), rcumap_entry_value_size(entry), 0, &turn) == PAYLOAD_OK &&
		turn == 0 && rcumap_find(c->map, key, key_size) == NULL;
	rcumap_read_unlock(c->map);
}

static bool has_grown_eightfold(void *ctx)
{
	struct rcumap_stats s = fixture_stats(ctx);

	return s.grown >= 3;
}

static void test(void)
{
	struct fault_allocator allocator;
	struct rcumap_options options;
	struct context c;
	struct team_options team_options = { .threads = 1,
					     .work = stall,
					     .ctx = &c,
					     .register_flavor = true,
					     .flavor = fixture_flavor,
					     .watchdog_s = TEST_WATCHDOG_S };
	const uint64_t capacity = fixture_scaled(4000, 500), keys = 16 * capacity;
	struct rcumap_stats before, stalled, after;
	struct team *team;
	uint64_t wrong = 0, turn = 0;

	memset(&options, 0, sizeof options);
	memset(&c, 0, sizeof c);
	options.capacity = capacity;
	c.map = fault_map(&allocator, &options);
	sem_init(&c.inside, 0, 0);
	sem_init(&c.leave, 0, 0);
	fixture_put(c.map, 0, 0, 24);
	team = team_start(&team_options);
	fixture_wait(&c.inside);

	before = fixture_stats(c.map);
	for (uint64_t i = 1; i < keys; i++) {
		wrong += fixture_put(c.map, i, 0, 24) != 0;
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: inserts go on", fixture_name());
	ok(fixture_eventually(has_grown_eightfold, c.map), "%s: the table grows eight-fold", fixture_name());
	for (uint64_t i = 1; i < keys; i++) {
		wrong += i % 4 == 1 ? fixture_delete(c.map, i) != 0 : fixture_put(c.map, i, 1, 32) != 0;
		flavor_quiescent(fixture_flavor);
	}
	wrong += fixture_delete(c.map, 0) != 0;
	is_int(wrong, 0, "%s: so do replacements and deletions", fixture_name());
	for (uint64_t i = 1; i < keys; i++) {
		int result = fixture_check(c.map, i, &turn);

		wrong += i % 4 == 1 ? result != -ENOENT : result != 0 || turn != 1;
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: so do other readers", fixture_name());
	stalled = fixture_stats(c.map);
	ok(stalled.table_slots >= 8 * before.table_slots, "%s: the table has %llu slots, it had %llu", fixture_name(),
	   (unsigned long long)stalled.table_slots, (unsigned long long)before.table_slots);
	is_int(stalled.retired_pending, keys, "%s: all that was retired waits for him", fixture_name());
	is_int(stalled.reclaimed, 0, "%s: none of it is reclaimed", fixture_name());

	sem_post(&c.leave);
	flavor_offline(fixture_flavor);
	team_join(team);
	flavor_online(fixture_flavor);
	ok(c.entry_stayed, "%s: his entry stayed as it was, long after it was deleted", fixture_name());
	is_int(rcumap_barrier(c.map), 0, "%s: barrier after he left", fixture_name());
	after = fixture_stats(c.map);
	is_int(after.retired_pending, 0, "%s: nothing waits any more", fixture_name());
	is_int(after.reclaimed, keys, "%s: all is reclaimed", fixture_name());
	ok(after.memory_bytes < stalled.memory_bytes, "%s: memory comes back", fixture_name());
	is_int(after.entries, keys - 1 - keys / 4, "%s: the entries that stay are there", fixture_name());
	fixture_destroy(c.map);
	ok(fault_settled(&allocator), "%s: every byte is given back", fixture_name());
	sem_destroy(&c.inside);
	sem_destroy(&c.leave);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
