/* SPDX-License-Identifier: BSD-2-Clause */
/* expiry/wheel: every hint comes out in its time, once, however time jumps, memory fails and the wheel is compacted. */
#include "wheel_fixture.h"

/* ------------------------------------------------------------------ one hint */

static void an_empty_wheel(void)
{
	struct model *m = model_new(1000, true);
	uint64_t hint = 77;

	is_int(wheel_next(&m->wheel), UINT64_MAX, "an empty wheel waits for ever");
	ok(!wheel_pop(&m->wheel, &hint) && hint == 77, "nothing is due");
	is_int(wheel_hints(&m->wheel), 0, "it holds no hint");
	is_int(wheel_bytes(&m->wheel), 0, "nor memory");
	advance(m, UINT64_MAX - 1);
	wheel_restart(&m->wheel, 3);
	wheel_compact_begin(&m->wheel);
	ok(!wheel_compact(&m->wheel) && !wheel_pop(&m->wheel, &hint), "however time goes");
	ok(wheel_check(&m->wheel), "and its invariants hold");
	ok(model_delete(m), "nothing was allocated");
}

/* Around every digit's turn, and both ends. */
static unsigned edges(uint64_t *ticks)
{
	unsigned n = 0;

	for (unsigned b = 0; b < 64; b++)
		for (unsigned i = 0; i < 3; i++)
			ticks[n++] = (UINT64_C(1) << b) + i - 1;
	ticks[n++] = UINT64_MAX - 2;
	ticks[n++] = UINT64_MAX - 1;
	ticks[n++] = UINT64_MAX;
	return n;
}

/* One hint, all that happens until it comes out; the number of faults. */
static unsigned one_by_one(struct model *m, uint64_t now, uint64_t tick)
{
	uint64_t at = must_come(tick, now);
	unsigned wrong = 0, steps = 0;

	m->now = now;
	wheel_restart(&m->wheel, now);
	wrong += add(m, tick) != 0;
	while (m->filed && steps++ <= WHEEL_LEVELS) {
		uint64_t next = wheel_next(&m->wheel);

		wrong += next > at || (next <= m->now && m->now != UINT64_MAX);
		if (next - 1 > m->now) {
			advance(m, next - 1);
			wrong += drain(m) != 0;
		}
		advance(m, next);
		wrong += drain(m) != 1;
		wrong += (m->now == at) != (m->filed == 0);
		wrong += !wheel_check(&m->wheel);
	}
	return wrong + m->wrong + (m->filed != 0) + (wheel_next(&m->wheel) != UINT64_MAX);
}

/* As above, in one jump. */
static unsigned at_once(struct model *m, uint64_t now, uint64_t tick)
{
	unsigned wrong = 0;

	m->now = now;
	wheel_restart(&m->wheel, now);
	wrong += add(m, tick) != 0;
	advance(m, must_come(tick, now));
	wrong += drain(m) != 1;
	return wrong + m->wrong + (m->filed != 0) + !wheel_check(&m->wheel);
}

static void every_edge(void)
{
	static uint64_t ticks[256];
	unsigned n = edges(ticks), wrong_steps = 0, wrong_jumps = 0;
	struct model *m = model_new(0, true);

	for (unsigned i = 0; i < n; i++)
		for (unsigned j = 0; j < n; j++) {
			wrong_steps += one_by_one(m, ticks[i], ticks[j]) != 0;
			wrong_jumps += at_once(m, ticks[i], ticks[j]) != 0;
		}
	is_int(wrong_steps, 0,
	       "from every edge to every other, by wheel_next(): early at most, never late, never in vain");
	is_int(wrong_jumps, 0, "and by one jump");
	ok(wheel_bytes(&m->wheel) <= SPARES_BYTES, "no more blocks are kept than spares");
	ok(model_delete(m), "all blocks are freed");
}

static void the_last_tick(void)
{
	struct model *m = model_new(UINT64_MAX, true);
	uint64_t hint = 0;

	ok(wheel_add(&m->wheel, UINT64_MAX, 1) == 0 && wheel_add(&m->wheel, 0, 2) == 0,
	   "at the end of time hints are filed");
	ok(!wheel_pop(&m->wheel, &hint), "they are not due by themselves");
	wheel_advance(&m->wheel, UINT64_MAX);
	for (unsigned turn = 0; turn < 3; turn++) {
		uint64_t seen = 0;

		while (wheel_pop(&m->wheel, &hint) && seen < 10) {
			seen += hint == 1 || hint == 2 ? 1 : 10;
			(void)wheel_add(&m->wheel, UINT64_MAX, hint);
		}
		is_int(seen, 2, "a drain of the last tick ends, though all is added again");
		wheel_advance(&m->wheel, UINT64_MAX);
	}
	ok(model_delete(m), "all blocks are freed");
}

static void time_goes_back(void)
{
	struct model *m = model_new(5000, true);

	(void)add(m, 5001);
	(void)add(m, 400000);
	(void)add(m, UINT64_MAX);
	wheel_advance(&m->wheel, 4000);
	is_int(wheel_next(&m->wheel), 5001, "an earlier time changes nothing");
	m->now = 10;
	wheel_restart(&m->wheel, m->now);
	is_int(wheel_next(&m->wheel), m->now, "a restart makes hints due");
	is_int(drain(m), 3, "all of them");
	is_int(m->filed, 3, "none is over");
	is_int(drain(m), 0, "they are due once");
	advance(m, 5000);
	drain(m);
	is_int(m->filed, 3, "before its time nothing is over");
	advance(m, 5001);
	drain(m);
	is_int(m->filed, 2, "then it is");
	advance(m, 400000);
	drain(m);
	is_int(m->filed, 1, "however far it lies");
	is_int(faults(m), 0, "and the invariants hold");
	ok(model_delete(m), "all blocks are freed");
}

static void what_was_passed_comes_first(void)
{
	const uint64_t entered = 2 * WHEEL_SLOTS;
	struct model *m = model_new(0, true);
	uint64_t hint = 0;
	unsigned before = 0, many = 3 * WHEEL_HINTS;

	for (unsigned i = 0; i < many; i++)
		(void)wheel_add(&m->wheel, entered + 5, 1000);
	wheel_advance(&m->wheel, entered);
	for (unsigned i = 0; i < many; i++)
		(void)wheel_add(&m->wheel, entered + 1, 1);
	wheel_advance(&m->wheel, entered + 1);
	while (wheel_pop(&m->wheel, &hint) && hint == 1)
		before++;
	is_int(before, many, "what has expired is popped before what has to be looked at again");
	is_int(wheel_hints(&m->wheel), many - 1, "which is popped then");
	ok(model_delete(m), "all blocks are freed, also those that are not popped yet");
}

static void what_is_due_is_said(void)
{
	struct model *m = model_new(0, true);
	uint64_t hint = 0;
	unsigned wrong = 0;

	for (unsigned i = 0; i <= WHEEL_HINTS; i++)
		(void)wheel_add(&m->wheel, 7, i);
	wheel_advance(&m->wheel, 7);
	for (unsigned i = 0; i <= WHEEL_HINTS; i++)
		wrong += wheel_next(&m->wheel) != 7 || !wheel_pop(&m->wheel, &hint);
	is_int(wrong, 0, "as long as a hint is due, there is no waiting");
	is_int(wheel_next(&m->wheel), UINT64_MAX, "then there is");
	wheel_unpop(&m->wheel, hint);
	is_int(wheel_next(&m->wheel), 7, "until one is put back");
	ok(model_delete(m), "all blocks are freed");
}

/* ------------------------------------------------------------------ many */

static void random_life(struct model *m, struct rng *rng, unsigned turns, unsigned *wrong, unsigned *in_vain)
{
	for (unsigned turn = 0; turn < turns && m->now < UINT64_MAX; turn++) {
		for (uint64_t n = rng_below(rng, 60); n > 0 && m->filed < ITEMS_MAX; n--)
			(void)add(m, random_tick(m, rng));

		uint64_t next = wheel_next(&m->wheel);

		*wrong += m->filed && next <= m->now;
		switch (rng_below(rng, 4)) {
		case 0:
			if (next - 1 > m->now)
				advance(m, next - 1);
			*in_vain += drain(m) != 0;
			break;
		case 1:
			advance(m, next);
			*in_vain += drain(m) == 0 && next != UINT64_MAX;
			break;
		case 2:
			advance(m, random_later(m, rng));
			break;
		default:
			advance(m, m->now + 1);
		}
		drain(m);
		*wrong += faults(m) != 0;
	}
	advance(m, UINT64_MAX);
	drain(m);
	*wrong += m->filed != 0 || faults(m) != 0;
}

static void random_lives(struct rng *rng)
{
	unsigned wrong = 0, in_vain = 0, leaks = 0, pops_max = 0;

	for (uint64_t life = fixture_scaled(300, 20); life > 0; life--) {
		struct model *m = model_new(rng_u64(rng) >> rng_below(rng, 64), true);

		m->shift = (unsigned)rng_below(rng, 60);
		random_life(m, rng, 100, &wrong, &in_vain);
		pops_max = m->pops_max > pops_max ? m->pops_max : pops_max;
		leaks += !model_delete(m);
	}
	is_int(wrong, 0, "hints of all distances come out in time, once, in no more memory than was promised");
	is_int(in_vain, 0, "wheel_next() is the first tick at which something is due");
	ok(pops_max <= WHEEL_LEVELS && pops_max > 2, "no hint is popped more than once a level (%u)", pops_max);
	is_int(leaks, 0, "all blocks are freed");
}

/* ------------------------------------------------------------------ compaction */

static void see_none(struct model *m)
{
	for (unsigned i = 0; i < ITEMS_MAX; i++)
		m->items[i].seen = !m->items[i].filed;
}

static unsigned unseen(const struct model *m)
{
	unsigned n = 0;

	for (unsigned i = 0; i < ITEMS_MAX; i++)
		n += !m->items[i].seen;
	return n;
}

static void compaction_at_rest(void)
{
	struct model *m = model_new(123456, true);
	unsigned steps = 0, slots;
	uint64_t popped = 0;

	for (unsigned i = 0; i < ITEMS_MAX; i++)
		(void)add(m, m->now + 1 + rng_mix(i) % (WHEEL_SLOTS * WHEEL_SLOTS * 3));
	see_none(m);
	slots = slots_in_use(&m->wheel);
	ok(!wheel_compact(&m->wheel), "there is no pass before one begins");
	wheel_compact_begin(&m->wheel);
	while (wheel_compact(&m->wheel) && steps++ < 10000)
		popped += drain(m);
	ok(slots > 4, "%u slots are in use", slots);
	is_int(steps, slots, "a pass is one step for each");
	is_int(popped, ITEMS_MAX, "in which each hint is popped once");
	is_int(unseen(m), 0, "none is forgotten");
	is_int(m->filed, ITEMS_MAX, "none is lost");
	is_int(faults(m), 0, "and the invariants hold");
	ok(!wheel_compact(&m->wheel), "then the pass is over");
	ok(model_delete(m), "all blocks are freed");
}

/* The owner keeps one hint in ten: the others' memory is free at the end of the pass. */
static void void_hints_are_dropped(void)
{
	struct model *m = model_new(0, true);
	uint64_t hint = 0, before;

	for (unsigned i = 0; i < ITEMS_MAX; i++)
		(void)wheel_add(&m->wheel, 1 + i / 10, i);
	before = wheel_bytes(&m->wheel);
	wheel_compact_begin(&m->wheel);
	while (wheel_compact(&m->wheel))
		while (wheel_pop(&m->wheel, &hint))
			if (hint % 10 == 0)
				(void)wheel_add(&m->wheel, 1 + hint / 10, hint);
	is_int(wheel_hints(&m->wheel), ITEMS_MAX / 10, "what was not added again is gone");
	ok(wheel_check(&m->wheel) && !too_large(m), "what was, has its place");
	ok(wheel_bytes(&m->wheel) < before, "memory is given back");
	ok(model_delete(m), "all blocks are freed");
}

/* One turn of an owner who compacts beside his other work; false once the pass is over. */
static bool compacting_turn(struct model *m, struct rng *rng)
{
	for (uint64_t n = rng_below(rng, 20); n > 0 && m->filed < ITEMS_MAX; n--) {
		(void)add(m, random_tick(m, rng));
		m->items[(m->next - 1) % ITEMS_MAX].seen = true; /* it came after the beginning */
	}
	m->turn_limit = rng_below(rng, 50);
	drain(m);
	advance(m, m->now + rng_below(rng, 2 * WHEEL_SLOTS));
	return wheel_compact(&m->wheel);
}

static void compaction_beside_work(struct rng *rng)
{
	unsigned wrong = 0, endless = 0, forgotten = 0;

	for (uint64_t life = fixture_scaled(60, 10); life > 0; life--) {
		struct model *m = model_new(rng_u64(rng) >> (20 + rng_below(rng, 40)), true);

		m->shift = (unsigned)rng_below(rng, 60);
		for (unsigned i = 0; i < ITEMS_MAX / 2; i++)
			(void)add(m, random_tick(m, rng));
		for (unsigned pass = 0; pass < 3; pass++) {
			unsigned steps = 0;

			see_none(m);
			wheel_compact_begin(&m->wheel);
			while (compacting_turn(m, rng) && steps <= WHEEL_LEVELS * WHEEL_SLOTS) {
				steps++;
				wrong += !wheel_check(&m->wheel);
			}
			endless += steps > WHEEL_LEVELS * WHEEL_SLOTS;
			m->turn_limit = UINT64_MAX;
			drain(m);
			forgotten += unseen(m);
			wrong += faults(m) != 0;
		}
		advance(m, UINT64_MAX);
		drain(m);
		wrong += m->filed != 0 || faults(m) != 0;
		wrong += !model_delete(m);
	}
	is_int(endless, 0, "a pass ends, though slots are filled all the time");
	is_int(forgotten, 0, "it visits each hint that there was when it began");
	is_int(wrong, 0, "and all comes out in time, once");
}

/* ------------------------------------------------------------------ statistics */

struct reader {
	const struct wheel *wheel;
	_Atomic bool stop, begun;
	uint64_t hints_max, bytes_max;
};

static void *read_statistics(void *arg)
{
	struct reader *r = arg;

	do {
		uint64_t hints = wheel_hints(r->wheel), bytes = wheel_bytes(r->wheel);

		r->hints_max = hints > r->hints_max ? hints : r->hints_max;
		r->bytes_max = bytes > r->bytes_max ? bytes : r->bytes_max;
		atomic_store(&r->begun, true);
	} while (!atomic_load(&r->stop));
	return NULL;
}

static void others_read_statistics(struct rng *rng)
{
	struct model *m = model_new(0, true);
	struct reader r = { .wheel = &m->wheel };
	pthread_t thread;

	pthread_create(&thread, NULL, read_statistics, &r);
	for (uint64_t turn = fixture_scaled(3000, 500); turn > 0 || !atomic_load(&r.begun); turn -= turn > 0) {
		for (unsigned n = 0; n < 20 && m->filed < ITEMS_MAX; n++)
			(void)add(m, m->now + 1 + rng_below(rng, 1000));
		advance(m, m->now + 30);
		drain(m);
	}
	atomic_store(&r.stop, true);
	pthread_join(thread, NULL);
	ok(r.hints_max <= ITEMS_MAX, "another thread never reads more hints than there were (%llu)",
	   (unsigned long long)r.hints_max);
	ok(r.bytes_max <= (uint64_t)atomic_load(&m->allocator.bytes_peak), "nor more bytes");
	is_int(faults(m), 0, "and disturbs nobody");
	ok(model_delete(m), "all blocks are freed");
}

int main(int argc, char **argv)
{
	struct rng rng;

	rng_init(&rng, fixture_seed(argc, argv));
	an_empty_wheel();
	every_edge();
	the_last_tick();
	time_goes_back();
	what_was_passed_comes_first();
	what_is_due_is_said();
	random_lives(&rng);
	compaction_at_rest();
	void_hints_are_dropped();
	compaction_beside_work(&rng);
	others_read_statistics(&rng);
	return tap_done();
}
