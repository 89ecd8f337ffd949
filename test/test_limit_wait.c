/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A map with max_bytes while somebody holds memory back: a reader in his section, or who holds entries. Who waits, and who is
 * refused at once; what works nevertheless; and that all goes on afterwards.
 */
#include "bytes_fixture.h"

#define LIMIT (2 * MIB)
#define SIZE 2000u

/* Far more than there is room for. */
#define PLENTY (4 * LIMIT / SIZE)

/* Entries that one put may cost: twice its size, and one more. */
#define PER_PUT 3u

static uint64_t waited(const struct rcumap *map)
{
	return fixture_stats(map).waited;
}

/* So that the next puts evict. */
static uint64_t fill_up(struct rcumap *map)
{
	uint64_t next = 0;

	while (fixture_stats(map).evicted == 0)
		if (bytes_fill(map, &next, SIZE, 1) != 0)
			bail("%s: put %llu", fixture_name(), (unsigned long long)next);
	return next;
}

/* ------------------------------------------------------------------------------------------------ refused */

/* `wait_ms` is such that nobody waits. All that others see meanwhile. */
static void refused_at_once(uint64_t wait_ms, const char *name)
{
	struct rcumap *map = bytes_map(LIMIT, wait_ms);
	uint64_t next = 0, first = 0, wrong = 0, found = 0, deleted = 0, end, before, after;
	struct bytes_reader reader;
	struct rcumap_stats s;
	int refusal;

	while (fixture_stats(map).evicted == 0)
		if (!bytes_put_at_last(map, next++, SIZE))
			bail("put %llu", (unsigned long long)next);
	before = rcumap_count(map);
	rcumap_barrier(map);
	bytes_reader_enter(&reader, map);
	/* What had been retired before he came may be given back late, with what it was noted in: until nothing more comes. */
	do {
		refusal = bytes_exhaust(map, &next, SIZE, PLENTY);
		after = rcumap_count(map);
		sleep_ns(50000000);
	} while (bytes_exhaust(map, &next, SIZE, PLENTY) == -ENOSPC && rcumap_count(map) != after);
	is_int(refusal, -ENOSPC, "%s: %s: as much as there is room for, then no more", fixture_name(), name);
	ok(after > before / 2, "%s: %s: of %llu entries %llu are left", fixture_name(), name,
	   (unsigned long long)before, (unsigned long long)after);

	for (uint64_t n = 0; n < 1000; n++)
		wrong += bytes_put(map, next + n, n, SIZE) != -ENOSPC;
	s = fixture_stats(map);
	is_int(wrong, 0, "%s: %s: nor for those who come then", fixture_name(), name);
	ok(s.refused >= 1001 && s.waited == 0, "%s: %s: which is counted, and none has waited", fixture_name(), name);
	ok(s.entries + s.entries / 4 >= after, "%s: %s: they do not evict what is there: %llu of %llu are left",
	   fixture_name(), name, (unsigned long long)s.entries, (unsigned long long)after);
	ok(s.accounted_bytes <= LIMIT && s.retired_bytes > 0, "%s: %s: %llu bytes are held back", fixture_name(), name,
	   (unsigned long long)s.retired_bytes);

	end = next + 1000;
	for (uint64_t n = first; n < end; n++) {
		int result = fixture_check(map, n, NULL);

		found += result == 0;
		wrong += result != 0 && result != -ENOENT;
	}
	ok(wrong == 0 && found == s.entries, "%s: %s: reads work: %llu found", fixture_name(), name,
	   (unsigned long long)found);
	for (uint64_t n = first; n < end; n++) {
		int result = fixture_delete(map, n);

		deleted += result == 0;
		wrong += result != 0 && result != -ENOENT;
	}
	ok(wrong == 0 && deleted == found && rcumap_count(map) == 0, "%s: %s: deletes work, of each entry there is",
	   fixture_name(), name);
	is_int(rcumap_clear(map), 0, "%s: %s: so does clear", fixture_name(), name);
	ok(bytes_within(map, LIMIT), "%s: %s: within the limit", fixture_name(), name);
	bytes_reader_leave(&reader);
	rcumap_barrier(map);
	is_int(fixture_stats(map).retired_bytes, 0, "%s: %s: when he has left nothing is held back", fixture_name(),
	       name);
	next = end;
	is_int(bytes_fill(map, &next, SIZE, LIMIT / SIZE / 2), 0, "%s: %s: and half the limit can be filled",
	       fixture_name(), name);
	fixture_destroy(map);
}

/* What needs no memory works; what does is refused, with the key as it was. */
static int store_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)old;
	*value = *(const struct rcumap_value *)ctx;
	return 0;
}

static int remove_it(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	(void)old;
	(void)value;
	return RCUMAP_REMOVE;
}

static void each_verb_is_refused(void)
{
	enum { KEYS = 20 };
	struct rcumap *map = bytes_map(LIMIT, RCUMAP_WAIT_NONE);
	static unsigned char bytes[30000];
	struct rcumap_value value = { bytes, sizeof bytes, RCUMAP_TTL_NEVER };
	uint64_t next = 1000, version, wrong = 0, untouched = 0, changed = 0, there = 0, turn, found;
	unsigned char key[FIXTURE_KEY_MAX];
	struct bytes_reader reader;

	for (uint64_t n = 0; n < KEYS; n++)
		bytes_put_for(map, n, n, SIZE, 3600000);
	bytes_reader_enter(&reader, map);
	(void)bytes_exhaust(map, &next, SIZE, PLENTY);
	(void)bytes_exhaust(map, &next, 24, PLENTY);
	for (uint64_t n = 0; n < KEYS; n++) {
		size_t size = fixture_key(n, key);

		if (rcumap_get(map, key, size, NULL, 0, NULL, &version) != -ENOBUFS)
			continue;
		there++;
		wrong += rcumap_put(map, key, size, bytes, sizeof bytes, RCUMAP_TTL_NEVER, NULL) != -ENOSPC;
		wrong += rcumap_replace(map, key, size, bytes, sizeof bytes, RCUMAP_TTL_NEVER, NULL) != -ENOSPC;
		wrong += rcumap_compare_and_swap(map, key, size, version, bytes, sizeof bytes, RCUMAP_TTL_NEVER,
						 NULL) != -ENOSPC;
		wrong += rcumap_add(map, key, size, bytes, sizeof bytes, RCUMAP_TTL_NEVER, NULL) != -EEXIST;
		untouched += rcumap_touch(map, key, size, 7200000) != 0;
		wrong += rcumap_update(map, key, size, store_it, &value, NULL) != -ENOSPC;
		changed += rcumap_get(map, key, size, NULL, 0, NULL, &found) != -ENOBUFS || found != version ||
			   fixture_check(map, n, &turn) != 0 || turn != n;
		changed += rcumap_update(map, key, size, remove_it, NULL, NULL) != 0 || !fixture_lacks(map, key, size);
	}
	ok(wrong == 0 && there > 0, "%s: each verb that stores is refused, for each of %llu keys", fixture_name(),
	   (unsigned long long)there);
	is_int(untouched, 0, "%s: a longer life needs no memory", fixture_name());
	is_int(changed, 0, "%s: the keys have their values, and can be removed by an update", fixture_name());
	bytes_reader_leave(&reader);
	fixture_destroy(map);
}

/* Lives end while nothing is left, and what reminds of them needs memory, too: none is forgotten. */
static void lives_end(void)
{
	struct rcumap *map = bytes_map(LIMIT, RCUMAP_WAIT_NONE);
	uint64_t next = 0, wrong = 0, shortened = 0;
	struct bytes_reader reader;

	bytes_reader_enter(&reader, map);
	for (unsigned refused = 0; refused < BYTES_KEY_SIZES; next++)
		refused = bytes_put_for(map, next, next, 100, 1 + next % 400) ? refused + 1 : 0;
	for (uint64_t n = 0; n < next; n++) {
		unsigned char key[FIXTURE_KEY_MAX];
		size_t size = fixture_key(n, key);
		int result = rcumap_touch(map, key, size, 1);

		shortened += result == 0;
		wrong += result != 0 && result != -ENOENT && result != -ENOSPC;
	}
	is_int(wrong, 0, "%s: shorter lives with nothing left: given to %llu, or refused", fixture_name(),
	       (unsigned long long)shortened);
	ok(fixture_eventually(bytes_are_none, map), "%s: all of %llu lives end, with a reader inside", fixture_name(),
	   (unsigned long long)next);
	ok(bytes_within(map, LIMIT), "%s: within the limit", fixture_name());
	bytes_reader_leave(&reader);
	rcumap_barrier(map);
	ok(fixture_stats(map).retired_bytes == 0, "%s: their memory comes back", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ in the caller's section */

static void never_in_a_section(void)
{
	struct rcumap *map = bytes_map(LIMIT, BYTES_WAIT_LONG);
	uint64_t next = fill_up(map), before;

	/* With qsbr this thread is in a section all the time, and every put of such a map is a quiescent state. */
	if (fixture_flavor == FLAVOR_QSBR) {
		is_int(bytes_fill(map, &next, SIZE, PLENTY), 0, "%s: a section is not told from being online",
		       fixture_name());
		fixture_destroy(map);
		return;
	}
	before = waited(map);
	rcumap_read_lock(map);
	is_int(bytes_fill(map, &next, SIZE, PLENTY), -ENOSPC, "%s: in the caller's own section a put is refused",
	       fixture_name());
	rcumap_read_lock(map);
	/* What had its grace period before may only now have been given back. */
	is_int(bytes_fill(map, &next, SIZE, PLENTY), -ENOSPC, "%s: also in a nested one", fixture_name());
	rcumap_read_unlock(map);
	is_int(waited(map), before, "%s: at once", fixture_name());
	rcumap_read_unlock(map);
	is_int(bytes_put(map, next, next, SIZE), 0, "%s: outside it waits, until there is room", fixture_name());
	fixture_destroy(map);
}

/* ------------------------------------------------------------------------------------------------ waiting */

/* Who waits is refused when his time is over, not earlier. */
static void waits_and_gives_up(uint64_t wait_ms, uint64_t least_ms)
{
	struct rcumap *map = bytes_map(LIMIT, wait_ms);
	struct rcumap_stats before, after;
	struct bytes_reader reader;
	uint64_t next = 0, start, took;
	int result;

	bytes_reader_enter(&reader, map);
	do {
		before = fixture_stats(map);
		start = now_ns();
		result = bytes_put(map, 1, next, SIZE);
		took = now_ns() - start;
	} while (result == 0 && next++ < PLENTY);
	after = fixture_stats(map);
	is_int(result, -ENOSPC, "%s: wait %llu: refused in the end", fixture_name(), (unsigned long long)wait_ms);
	ok(took >= least_ms * MS, "%s: wait %llu: after %llu ms", fixture_name(), (unsigned long long)wait_ms,
	   (unsigned long long)(took / MS));
	ok(after.waited == before.waited + 1 && after.refused == before.refused + 1, "%s: wait %llu: which is counted",
	   fixture_name(), (unsigned long long)wait_ms);
	is_int(fixture_delete(map, 1), 0, "%s: wait %llu: a delete does not wait", fixture_name(),
	       (unsigned long long)wait_ms);
	bytes_reader_leave(&reader);
	ok(bytes_put_at_last(map, 2, SIZE), "%s: wait %llu: when the reader has left there is room", fixture_name(),
	   (unsigned long long)wait_ms);
	fixture_destroy(map);
}

/* Puts that wait as long as it takes. */
struct patient {
	struct rcumap *map;
	unsigned threads;
	_Atomic uint64_t stored, wrong;
};

static void put_patiently(struct team_member *me)
{
	struct patient *p = me->ctx;

	for (uint64_t n = 0; n < PLENTY / p->threads; n++) {
		uint64_t number = (uint64_t)me->index << 32 | n;
		int result = bytes_put(p->map, number, n, SIZE);

		atomic_fetch_add(&p->wrong, result != 0);
		atomic_fetch_add(&p->stored, 1);
	}
}

static bool somebody_waits(void *ctx)
{
	return waited(((struct patient *)ctx)->map) > 0;
}

static void is_let_go(unsigned threads)
{
	struct patient p = { .map = bytes_map(LIMIT, BYTES_WAIT_LONG), .threads = threads };
	struct team_options options = { .threads = threads,
					.work = put_patiently,
					.ctx = &p,
					.register_flavor = true,
					.flavor = fixture_flavor,
					.watchdog_s = TEST_WATCHDOG_S };
	struct bytes_reader reader;
	uint64_t stored;
	struct team *team;

	bytes_reader_enter(&reader, p.map);
	team = team_start(&options);
	ok(fixture_eventually(somebody_waits, &p), "%s: %u writers: they wait while a reader stays", fixture_name(),
	   threads);
	stored = p.stored;
	ok(stored < PLENTY, "%s: %u writers: %llu of %llu values are stored by then", fixture_name(), threads,
	   (unsigned long long)stored, (unsigned long long)PLENTY);
	bytes_reader_leave(&reader);
	flavor_offline(fixture_flavor);
	team_join(team);
	flavor_online(fixture_flavor);
	is_int(p.wrong, 0, "%s: %u writers: they go on when he has left", fixture_name(), threads);
	ok(fixture_stats(p.map).refused == 0 && bytes_within(p.map, LIMIT), "%s: %u writers: none was refused",
	   fixture_name(), threads);
	fixture_destroy(p.map);
}

/* ------------------------------------------------------------------------------------------------ in a callback */

struct told {
	struct rcumap *map;
	_Atomic bool done;
	int result;
	uint64_t waited;
};

/* While it runs nothing is given back: who waited here would wait for himself. */
static void put_much(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct told *told = ctx;
	uint64_t next = UINT64_C(1) << 40, before;

	(void)entry;
	if (reason != RCUMAP_DELETED || atomic_load(&told->done))
		return;
	before = waited(told->map);
	for (told->result = 0; told->result == 0 && next < (UINT64_C(1) << 40) + PLENTY; next++)
		told->result = bytes_put(told->map, next, next, SIZE);
	told->waited = waited(told->map) - before;
	atomic_store(&told->done, true);
}

static bool is_told(void *ctx)
{
	return atomic_load(&((struct told *)ctx)->done);
}

static void never_in_a_callback(void)
{
	struct told told = { .result = 0 };
	struct rcumap_options options = bytes_options(LIMIT, BYTES_WAIT_LONG);

	options.removed = put_much;
	options.removed_ctx = &told;
	told.map = fixture_map(&options);
	bytes_put(told.map, 1, 1, SIZE);
	fixture_delete(told.map, 1);
	ok(fixture_eventually(is_told, &told), "%s: the callback returns", fixture_name());
	is_int(told.result, -ENOSPC, "%s: a put in it is refused", fixture_name());
	is_int(told.waited, 0, "%s: at once", fixture_name());
	is_int(bytes_put(told.map, 2, 2, SIZE), 0, "%s: outside it waits", fixture_name());
	fixture_destroy(told.map);
}

/* ------------------------------------------------------------------------------------------------ held entries */

/* Not refused for want of a grace period. */
static int put_to_be_held(struct rcumap *map, uint64_t n)
{
	int result = -ENOSPC;

	for (unsigned i = 0; i < 3 && (result = bytes_put(map, n, n, SIZE)) == -ENOSPC; i++)
		rcumap_barrier(map);
	return result;
}

static void held_entries(void)
{
	struct rcumap *map = bytes_map(LIMIT, RCUMAP_WAIT_NONE);
	static const struct rcumap_entry *held[PLENTY];
	uint64_t n = 0, evicted = 0, wrong = 0, turn;
	int result = 0;

	/* While it is not held it is the only one that can be evicted, which the reclaimer may do for the sake of the table. */
	while (n < PLENTY && evicted < PLENTY && (result = put_to_be_held(map, n)) == 0) {
		held[n] = fixture_hold(map, n);
		if (held[n])
			n++;
		else
			wrong += fixture_stats(map).evicted < ++evicted;
		flavor_quiescent(fixture_flavor);
	}
	is_int(result, -ENOSPC, "%s: entries that are held take all there is", fixture_name());
	ok(wrong == 0 && n > LIMIT / SIZE / 2 && n < LIMIT / SIZE, "%s: %llu of them", fixture_name(),
	   (unsigned long long)n);
	ok(fixture_stats(map).held_bytes > n * SIZE && bytes_within(map, LIMIT), "%s: within the limit",
	   fixture_name());
	for (uint64_t i = 0; i < n; i++) {
		turn = n;
		wrong += payload_verify(rcumap_entry_value(held[i]), rcumap_entry_value_size(held[i]), i, &turn) !=
				 PAYLOAD_OK ||
			 turn != i;
	}
	is_int(wrong, 0, "%s: they are what they were", fixture_name());
	for (uint64_t i = 0; i < n; i++)
		(void)fixture_delete(map, i);
	is_int(rcumap_count(map), 0, "%s: also with the map empty", fixture_name());
	for (uint64_t i = 0; i < n; i++)
		rcumap_release(map, held[i]);
	ok(bytes_put_at_last(map, n, SIZE), "%s: when they are released there is room again", fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	refused_at_once(RCUMAP_WAIT_NONE, "no wait");
	if (fixture_flavor == FLAVOR_QSBR)
		refused_at_once(0, "by default");
	else
		waits_and_gives_up(0, 1000);
	each_verb_is_refused();
	lives_end();
	never_in_a_section();
	waits_and_gives_up(1, 1);
	waits_and_gives_up(150, 150);
	is_let_go(1);
	is_let_go(4);
	never_in_a_callback();
	held_entries();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
