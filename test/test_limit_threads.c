/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map with max_bytes among threads that write, and readers who come and go: every put evicts, and as long as nobody stays in
 * his section none is refused.
 */
#include "bytes_fixture.h"

#define READERS 2u
#define WRITERS_MAX 64u

static uint64_t seed;

struct crowd {
	struct rcumap *map;
	uint64_t limit, turns, keys;
	unsigned writers;
	size_t least, most;
	_Atomic unsigned writing;
	_Atomic uint64_t wrong, refused, outside, found;
};

/* Keys in common; one write in sixteen is something else than a put. */
static void write_all(struct crowd *c, unsigned index)
{
	uint64_t wrong = 0, refused = 0;
	struct rng rng;

	rng_init_stream(&rng, seed, c->limit << 8 | index);
	for (uint64_t t = 0; t < c->turns; t++) {
		uint64_t number = rng_below(&rng, c->keys), dice = rng_below(&rng, 16);
		size_t size = c->least + rng_below(&rng, c->most - c->least + 1);
		int result = dice ? bytes_put_for(c->map, number, t, size, dice == 1 ? 20 : RCUMAP_TTL_NEVER) :
				    fixture_delete(c->map, number);

		refused += result == -ENOSPC;
		wrong += result != 0 && result != -ENOSPC && (dice || result != -ENOENT);
		flavor_quiescent(fixture_flavor);
	}
	atomic_fetch_add(&c->wrong, wrong);
	atomic_fetch_add(&c->refused, refused);
	atomic_fetch_sub(&c->writing, 1);
}

static void read_all(struct crowd *c, unsigned index)
{
	uint64_t wrong = 0, found = 0, outside = 0;
	struct rng rng;

	rng_init_stream(&rng, seed, c->limit << 8 | index);
	while (atomic_load(&c->writing)) {
		for (unsigned n = 0; n < 64; n++) {
			int result = fixture_check(c->map, rng_below(&rng, c->keys), NULL);

			found += result == 0;
			wrong += result != 0 && result != -ENOENT;
			flavor_quiescent(fixture_flavor);
		}
		outside += !bytes_within(c->map, c->limit);
		flavor_offline(fixture_flavor);
		sleep_ns(100000);
		flavor_online(fixture_flavor);
	}
	atomic_fetch_add(&c->wrong, wrong);
	atomic_fetch_add(&c->found, found);
	atomic_fetch_add(&c->outside, outside);
}

static void play(struct team_member *me)
{
	struct crowd *c = me->ctx;

	if (me->index < c->writers)
		write_all(c, me->index);
	else
		read_all(c, me->index);
}

static bool nothing_ends(void *map)
{
	return fixture_stats(map).expiring == 0;
}

/* wait_ms 0: the default. That is a second with bp and memb, which is plenty where the processors are not overcrowded. */
static void crowd(uint64_t limit, unsigned writers, size_t least, size_t most, uint64_t wait_ms)
{
	struct crowd c = { .limit = limit, .writers = writers, .least = least, .most = most };
	const uint64_t full = limit / ((least + most) / 2 + 64);
	struct rcumap_stats s;
	char name[120];

	snprintf(name, sizeof name, "%s: %llu MiB, %u writers, values of %zu to %zu bytes", fixture_name(),
		 (unsigned long long)(limit / MIB), writers, least, most);
	c.keys = 8 * full;
	c.turns = fixture_scaled(20 * full, 3 * full) / writers + 50;
	c.map = bytes_map(limit, wait_ms);
	atomic_store(&c.writing, writers);
	fixture_run(writers + READERS, play, &c);
	s = fixture_stats(c.map);
	is_int(c.refused, 0, "%s: no put is refused (%llu stored, %llu evicted, %llu waited)", name,
	       (unsigned long long)(s.inserted + s.replaced), (unsigned long long)s.evicted,
	       (unsigned long long)s.waited);
	is_int(c.wrong, 0, "%s: every call returns what it may, and every value is whole (%llu found)", name,
	       (unsigned long long)c.found);
	is_int(c.outside, 0, "%s: never more than the limit", name);
	ok(s.evicted > 0, "%s: they evict", name);

	ok(fixture_eventually(nothing_ends, c.map), "%s: what has expired goes", name);
	is_int(rcumap_clear(c.map), 0, "%s: all goes", name);
	rcumap_barrier(c.map);
	s = fixture_stats(c.map);
	ok(fixture_eventually(bytes_are_none, c.map), "%s: and no byte of the limit is lost", name);
	ok(s.accounted_bytes >= s.memory_bytes && s.retired_bytes == 0, "%s: what is left is accounted for", name);
	fixture_destroy(c.map);
}

static void test(void)
{
	const uint64_t wait_ms = fixture_flavor == FLAVOR_QSBR || TEST_SLOWNESS > 3 ? 60000 : 0;

	crowd(16 * MIB, 8, KIB, 16 * KIB, wait_ms);
	crowd(16 * MIB, 8, 24, 200, wait_ms);
	crowd(RCUMAP_MAX_BYTES_MIN, 8, 24, 200, 60000);
	crowd(RCUMAP_MAX_BYTES_MIN, WRITERS_MAX, 24, 2000, 60000);
	crowd(2 * MIB, 4, KIB, 64 * KIB, 60000);
}

int main(int argc, char **argv)
{
	seed = fixture_seed(argc, argv);
	fixture_each_flavor(test);
	return tap_done();
}
