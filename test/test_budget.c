/* SPDX-License-Identifier: BSD-2-Clause */
/* memory/budget: what each use takes of both quotas and gives back; lines when nothing is left; and what a map charges besides. */
#include "bare_fixture.h"
#include "bytes_fixture.h"

#include "memory/budget.h"
#include "protocol/load.h"

#define HEADER 32u
#define CELLS 508u
#define MAP_BYTES (20 * KIB)
#define LINE 64u

static struct budget *fresh(uint64_t max_bytes)
{
	struct budget *budget = NULL;

	if (posix_memalign((void **)&budget, 64, sizeof *budget))
		bail("no memory");
	memset(budget, 0, sizeof *budget);
	budget_init(budget, max_bytes, MAP_BYTES, HEADER, CELLS);
	return budget;
}

static uint64_t held(const struct budget *budget)
{
	return quota_used(&budget->held);
}

static uint64_t charged(const struct budget *budget)
{
	return quota_charged(&budget->live);
}

static int64_t credit(const struct budget *budget)
{
	return atomic_load(&((struct budget *)budget)->line_credit);
}

/* ------------------------------------------------------------------------------------------------ by one */

static void parts(uint64_t max_bytes)
{
	struct budget *budget = fresh(max_bytes);

	ok(budget_is_on(budget) && budget->held.limit + budget->set_aside == max_bytes,
	   "%llu: what is not set aside may be held", (unsigned long long)max_bytes);
	ok(budget->live.limit < budget->held.limit && budget->live.limit > max_bytes / 2,
	   "%llu: some of that is always free for garbage", (unsigned long long)max_bytes);
	ok(budget->record_cells >= 16 && budget->record_cells <= CELLS && budget->set_aside < max_bytes / 4,
	   "%llu: blocks of records of %u cells", (unsigned long long)max_bytes, budget->record_cells);
	is_int(budget_accounted(budget), budget->set_aside, "%llu: nothing else counts yet",
	       (unsigned long long)max_bytes);
	free(budget);
}

/* ------------------------------------------------------------------------------------------------ a claim */

struct other {
	struct budget *budget;
	size_t bytes;
	bool taken, claimed;
};

static void *take_beside(void *ctx)
{
	struct other *other = ctx;

	other->taken = budget_take(other->budget, MEMORY_ENTRY, other->bytes);
	other->claimed = !other->taken && budget_claim(other->budget);
	return NULL;
}

/* Another thread takes so many bytes: is it served? */
static struct other by_another(struct budget *budget, size_t bytes)
{
	struct other other = { .budget = budget, .bytes = bytes };
	pthread_t thread;

	if (pthread_create(&thread, NULL, take_beside, &other) != 0 || pthread_join(thread, NULL) != 0)
		bail("pthread_create");
	return other;
}

/* Small ones took every byte that came back, and a large one waited forever. */
static void who_waits_is_served(void)
{
	struct budget *budget = fresh(MIB);
	const size_t large = 100000, small = 1000, all = budget->held.limit;
	struct other other;

	ok(budget_take(budget, MEMORY_ENTRY, all), "all is taken");
	ok(!budget_claim(budget), "who has not been refused has nothing to claim");
	ok(!budget_take(budget, MEMORY_ENTRY, small), "somebody is refused");
	budget_begin_try();
	ok(!budget_claim(budget), "and tries something else: he claims nothing for what he was refused before");
	ok(!budget_take(budget, MEMORY_ENTRY, large) && budget_claim(budget), "who is refused claims what he lacks");
	budget_give(budget, MEMORY_ENTRY, large);
	other = by_another(budget, small);
	ok(!other.taken && !other.claimed, "what comes back up to that is not for others, who can claim nothing either");
	budget_give(budget, MEMORY_ENTRY, small);
	other = by_another(budget, small);
	ok(other.taken, "what comes back beyond it is");
	ok(budget_take(budget, MEMORY_ENTRY, large), "he is served");
	budget_disclaim(budget);
	budget_give(budget, MEMORY_ENTRY, small);
	other = by_another(budget, small);
	ok(other.taken, "afterwards all is for all");
	budget_give(budget, MEMORY_ENTRY, all);
	is_int(held(budget), 0, "nothing is lost");
	free(budget);
}

static void uses(void)
{
	struct budget *budget = fresh(MIB);

	ok(budget_take(budget, MEMORY_ENTRY, 1000) && held(budget) == 1000 && charged(budget) == 0,
	   "an entry is held; in `live` it was secured before");
	ok(budget_take(budget, MEMORY_STRUCTURE, 500) && held(budget) == 1500 && charged(budget) == 500,
	   "a structure is held and charged");
	ok(budget_accounted(budget) >= budget->set_aside + 1500 && budget_accounted(budget) <= MIB,
	   "both are accounted, and what stripes have ahead");
	ok(budget_take(budget, MEMORY_RECORD, 100000) && held(budget) == 1500 && charged(budget) == 500,
	   "records are set aside already");
	budget_give(budget, MEMORY_RECORD, 100000);
	budget_give(budget, MEMORY_ENTRY, 1000);
	budget_give(budget, MEMORY_STRUCTURE, 500);
	ok(held(budget) == 0 && charged(budget) == 0 && quota_used(&budget->live) == 0, "all is given back");
	free(budget);
}

static void never_more_than_held(void)
{
	struct budget *budget = fresh(MIB);
	uint64_t taken = 0;

	while (budget_take(budget, MEMORY_STRUCTURE, 1000))
		taken += 1000;
	ok(taken <= budget->held.limit && budget->held.limit - taken < 1000 && held(budget) == taken,
	   "structures get all that may be held, and no more");
	ok(quota_in_debt(&budget->live) && !quota_in_debt(&budget->held), "only `live` is in debt then");
	ok(!budget_take(budget, MEMORY_ENTRY, 1000) && !budget_take(budget, MEMORY_LINE, 1000) &&
		   !budget_take_table(budget, 1000),
	   "nothing else gets any");
	ok(held(budget) == taken && charged(budget) == taken && credit(budget) == 0, "nor changes anything");
	ok(budget_take(budget, MEMORY_RECORD, 1000), "but for records");
	budget_give(budget, MEMORY_STRUCTURE, taken);
	ok(held(budget) == 0 && !quota_in_debt(&budget->live), "all is given back");
	free(budget);
}

static void lines_when_nothing_is_left(void)
{
	struct budget *budget = fresh(MIB);
	const size_t table = 64 * KIB, part = table / LINE_PART;
	uint64_t rest = 0, lines = 0;

	if (!budget_take_table(budget, table))
		bail("no table");
	ok(held(budget) == table + part && charged(budget) == table + part && credit(budget) == (int64_t)part,
	   "a table brings %zu bytes for lines", part);
	while (budget_take(budget, MEMORY_ENTRY, 1))
		rest++;
	while (budget_take(budget, MEMORY_LINE, LINE))
		lines++;
	is_int(lines, part / LINE, "where nothing else is left there are as many lines");
	ok(held(budget) == budget->held.limit && credit(budget) == 0, "which were held before");
	budget_give(budget, MEMORY_LINE, LINE);
	ok(budget_take(budget, MEMORY_LINE, LINE), "one that comes back can be had");
	budget_give(budget, MEMORY_ENTRY, rest);
	ok(budget_take(budget, MEMORY_LINE, LINE) && charged(budget) == table + part + LINE,
	   "beyond that a line is held and charged as it comes");
	for (uint64_t n = 0; n < lines + 1; n++)
		budget_give(budget, MEMORY_LINE, LINE);
	is_int(credit(budget), part + LINE, "it comes back as a line");
	budget_give_table(budget, table);
	ok(held(budget) == 0 && charged(budget) == 0 && credit(budget) == 0, "and goes with a table");
	free(budget);
}

static void tables_in_turn(void)
{
	struct budget *budget = fresh(4 * MIB);
	const size_t small = 32 * KIB, large = 64 * KIB;

	if (!budget_take_table(budget, small) || !budget_take(budget, MEMORY_LINE, small / LINE_PART) ||
	    !budget_take_table(budget, large) || !budget_take(budget, MEMORY_LINE, LINE))
		bail("no tables");
	budget_give(budget, MEMORY_LINE, small / LINE_PART);
	budget_give_table(budget, small);
	is_int(credit(budget), large / LINE_PART, "a table that goes leaves what the other one brought");
	is_int(held(budget), large + large / LINE_PART + LINE, "and a line of that one stays");
	budget_give(budget, MEMORY_LINE, LINE);
	budget_give_table(budget, large);
	ok(held(budget) == 0 && charged(budget) == 0 && credit(budget) == 0, "with the last table all goes");
	free(budget);
}

/* ------------------------------------------------------------------------------------------------ by many */

struct crowd {
	struct budget *budget;
	uint64_t turns;
	_Atomic uint64_t blocks, over, got, vain;
};

struct block {
	enum { NONE, BLOCK, TABLE } kind;
	enum memory_use use;
	size_t size;
};

static bool take_block(struct crowd *c, struct rng *rng, struct block *block)
{
	static const enum memory_use use[] = { MEMORY_ENTRY, MEMORY_ENTRY, MEMORY_STRUCTURE, MEMORY_LINE };

	block->kind = rng_below(rng, 8) == 0 ? TABLE : BLOCK;
	block->use = use[rng_below(rng, 4)];
	block->size = block->use == MEMORY_LINE && block->kind == BLOCK ? LINE : (size_t)(1 + rng_below(rng, 40 * KIB));
	if (!(block->kind == TABLE ? budget_take_table(c->budget, block->size) :
				     budget_take(c->budget, block->use, block->size))) {
		block->kind = NONE;
		return false;
	}
	if (atomic_fetch_add(&c->blocks, block->size) + block->size > c->budget->held.limit)
		atomic_fetch_add(&c->over, 1);
	return true;
}

static void give_block_back(struct crowd *c, struct block *block)
{
	if (block->kind == NONE)
		return;
	atomic_fetch_sub(&c->blocks, block->size);
	if (block->kind == TABLE)
		budget_give_table(c->budget, block->size);
	else
		budget_give(c->budget, block->use, block->size);
	block->kind = NONE;
}

static void take_and_give(struct team_member *me)
{
	struct crowd *c = me->ctx;
	struct block mine[8] = { { NONE, MEMORY_ENTRY, 0 } };
	struct rng rng;

	rng_init_stream(&rng, 5, me->index);
	for (uint64_t t = 0; t < c->turns; t++) {
		struct block *block = &mine[rng_below(&rng, 8)];

		if (block->kind != NONE)
			give_block_back(c, block);
		else
			atomic_fetch_add(take_block(c, &rng, block) ? &c->got : &c->vain, 1);
	}
	for (unsigned i = 0; i < 8; i++)
		give_block_back(c, &mine[i]);
}

static void never_over_by_many(uint64_t max_bytes)
{
	struct crowd c = { .budget = fresh(max_bytes), .turns = fixture_scaled(100000, 3000) };
	struct team_options options = { .threads = 8, .work = take_and_give, .ctx = &c, .watchdog_s = TEST_WATCHDOG_S };

	team_join(team_start(&options));
	is_int(c.over, 0, "%llu: blocks never take more than may be held", (unsigned long long)max_bytes);
	ok(c.got > 0, "%llu were taken, %llu times there was too little", (unsigned long long)c.got,
	   (unsigned long long)c.vain);
	is_int(held(c.budget), credit(c.budget), "what is held then is for lines");
	is_int(charged(c.budget), credit(c.budget), "and charged");
	if (!budget_take_table(c.budget, 1000))
		bail("no table");
	budget_give_table(c.budget, 1000);
	ok(held(c.budget) == 0 && charged(c.budget) == 0 && quota_used(&c.budget->live) == 0, "nothing is lost");
	ok(budget_take(c.budget, MEMORY_STRUCTURE, c.budget->held.limit), "and all can be had");
	free(c.budget);
}

/* ------------------------------------------------------------------------------------------------ of a map */

struct sum {
	const struct rcumap *map;
	uint64_t bytes;
};

static void add_word(void *ctx, uint64_t word)
{
	struct sum *sum = ctx;

	sum->bytes += memory_entry_bytes(&sum->map->memory, slot_entry(word), entry_size_of(slot_entry(word)));
}

static void is_balanced(struct rcumap *map, const char *when)
{
	struct sum sum = { map, 0 };

	map_each_word(map, add_word, &sum);
	is_int(budget_entries(&map->memory.budget), sum.bytes, "%s: %s: entries count what they take", fixture_name(), when);
}

static struct rcumap *bare_bytes_map(uint64_t max_bytes)
{
	struct rcumap_options options = bytes_options(max_bytes, RCUMAP_WAIT_NONE);

	return bare_map(&options);
}

/* No grace period is needed: there is one thread. */
static void put_and_reclaim(struct rcumap *map, uint64_t number, size_t size)
{
	if (bytes_put(map, number, 0, size) != 0)
		bail("put %llu", (unsigned long long)number);
	bare_reclaim(map);
}

/* Entries of one size, which count what was asked for: who needs room for one has it when one has gone. */
static void put_alike(struct rcumap *map, uint64_t number)
{
	static const unsigned char value[480];

	if (rcumap_put(map, &number, sizeof number, value, sizeof value, RCUMAP_TTL_NEVER, NULL) != 0)
		bail("put %llu", (unsigned long long)number);
	bare_reclaim(map);
}

/* What structures take beyond the limit is paid off by those who store: each as much as he stores. */
static void a_debt_is_paid(void)
{
	struct fault_allocator allocator;
	struct rcumap_options options = bytes_options(MIB, RCUMAP_WAIT_NONE);
	struct rcumap *map;
	struct quota *live;
	uint64_t next = 0, paid = 0, evicted, wrong = 0;
	const uint64_t debt = 100 * KIB, most = 2 * debt / 480;

	fault_init(&allocator);
	options.allocator = fault_allocator(&allocator);
	options.capacity = 4000; /* more than fit: no fund changes meanwhile */
	map = bare_map(&options);
	live = &map->memory.budget.live;
	while (fixture_stats(map).evicted == 0)
		put_alike(map, next++);
	evicted = fixture_stats(map).evicted;
	for (unsigned n = 0; n < 100; n++)
		put_alike(map, next++);
	is_int(fixture_stats(map).evicted - evicted, 100, "%s: one goes for one that comes", fixture_name());
	quota_charge(live, debt + quota_left(live));
	ok(quota_in_debt(live), "%s: a debt", fixture_name());
	for (; quota_in_debt(live) && paid < most; paid++) {
		evicted = fixture_stats(map).evicted;
		put_alike(map, next++);
		wrong += fixture_stats(map).evicted - evicted > 2;
	}
	ok(!quota_in_debt(live), "%s: after %llu stores it is paid", fixture_name(), (unsigned long long)paid);
	is_int(wrong, 0, "%s: none had to pay more than he stored", fixture_name());
	is_balanced(map, "paid");
	bare_destroy(map);
}

/* The memory of the next table is kept free when its time comes nearer, and no longer once it is there. */
static void the_fund_is_for_one_table(void)
{
	struct rcumap *map = bare_bytes_map(4 * MIB);
	const struct budget *budget = &map->memory.budget;
	uint64_t next = 0, grown = 0, left = 0, wrong = 0;

	while (grown < 5) {
		const unsigned size = tables_current(&map->tables)->size;
		const uint64_t array = tables_bytes_of(&map->tables, size + 1), wanted = array + array / LINE_PART;
		uint64_t fund;

		while (!load_must_grow(map_count(map), size))
			put_and_reclaim(map, next++, 24);
		fund = atomic_load(&map->spare.fund);
		wrong += fund > wanted || (size >= 6 && fund < wanted / 2);

		const uint64_t before = charged(budget) - fund, held_before = held(budget);

		(void)reclaimer_resize(map);
		if (!table_next(tables_current(&map->tables)))
			bail("no table has been begun");
		left += atomic_load(&map->spare.fund);
		wrong += charged(budget) - before != held(budget) - held_before;
		while (tables_current(&map->tables)->size == size)
			(void)reclaimer_resize(map);
		bare_reclaim(map);
		grown++;
	}
	is_int(wrong, 0, "%s: tables grow: half of the next one was kept free, if it is not small, and its charge is all",
	       fixture_name());
	is_int(left, 0, "%s: nothing is kept for one that is there", fixture_name());
	is_balanced(map, "grown");
	bare_destroy(map);
}

static void maps(void)
{
	a_debt_is_paid();
	the_fund_is_for_one_table();
}

int main(void)
{
	parts(MIB);
	parts(3 * MIB + 17);
	parts(1024 * MIB);
	who_waits_is_served();
	uses();
	never_more_than_held();
	lines_when_nothing_is_left();
	tables_in_turn();
	never_over_by_many(MIB);
	never_over_by_many(16 * MIB);
	fixture_each_flavor(maps);
	return tap_done();
}
