/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/evict.h"

#include <errno.h>

#include "layout/placeholder.h"
#include "map/spare.h"
#include "protocol/route.h"

enum hand { HAND_PROBATION, HAND_MAIN };

/* Entries that are looked at for one eviction, at most: the last one goes, whatever its merits. */
#define EVICT_STEPS 64u
/* Entries that somebody holds are passed over, of so many. */
#define HELD_STEPS 1024u
/* 2^SHARE_BITS buckets: what a thread takes on at once. */
#define SHARE_BITS 3u
/* Probation has this part of the limit. */
#define PROBATION_PART 10u
/* Shares in a row without any entry of a hand's part, after which the other hand goes on. */
#define SHARES_IN_VAIN 16u
/* Rounds over the whole table in a row that find nothing at all, before it is given up: what there is to evict is on its way
 * in. */
#define ROUNDS_IN_VAIN 16u

static bool counts_bytes(const struct rcumap *map)
{
	return budget_is_on(&map->memory.budget);
}

static struct quota *live(struct rcumap *map)
{
	return &map->memory.budget.live;
}

/* What the entries may count together, now. */
static uint64_t capacity(struct rcumap *map)
{
	if (!counts_bytes(map))
		return map->eviction.entries.limit;

	uint64_t charged = quota_charged(live(map));

	return live(map)->limit > charged ? live(map)->limit - charged : 0;
}

void evict_init(struct rcumap *map, uint64_t max_entries)
{
	struct eviction *eviction = &map->eviction;

	quota_init(&eviction->entries, max_entries);
	/* The total is right to a thousandth for each thread. */
	uint64_t grain = capacity(map) / 1024;

	eviction->main.grain = grain ? (int64_t)grain : 1;
	eviction->on = true;
}

/* What an entry has of that. */
static size_t bytes_of(const struct rcumap *map, const struct rcumap_entry *entry)
{
	return counts_bytes(map) ? memory_entry_bytes(&map->memory, entry, entry_size_of(entry)) : 0;
}

static int64_t weight(const struct rcumap *map, size_t bytes)
{
	return counts_bytes(map) ? (int64_t)bytes : 1;
}

static void count_main(struct attempt *attempt, uint64_t marks, int64_t change)
{
	if (marks & SLOT_MAIN)
		tally_add(&attempt->map->eviction.main, attempt_stripe(attempt), change);
}

static void give_bytes(struct attempt *attempt, size_t bytes)
{
	if (bytes)
		quota_give(live(attempt->map), attempt_stripe(attempt), bytes);
}

void evict_count_in(struct attempt *attempt, uint64_t marks)
{
	if (!evict_is_on(attempt->map))
		return;
	count_main(attempt, marks, weight(attempt->map, attempt->bytes));
	attempt->unit = false;
	attempt->bytes = 0;
}

void evict_count_over(struct attempt *attempt, uint64_t word)
{
	if (!counts_bytes(attempt->map))
		return;

	size_t old = bytes_of(attempt->map, slot_entry(word));

	count_main(attempt, word, (int64_t)attempt->bytes - (int64_t)old);
	attempt->bytes = 0;
	give_bytes(attempt, old);
}

bool evict_has_returned(const struct table *table, uint64_t hash)
{
	return table->ghosts && ghost_take(table_ghost(table, hash), hash);
}

void evict_release(struct attempt *attempt)
{
	if (attempt->map->eviction.entries.limit)
		quota_give(&attempt->map->eviction.entries, attempt_stripe(attempt), 1);
}

void evict_release_bytes(struct attempt *attempt)
{
	give_bytes(attempt, attempt->bytes);
	attempt->bytes = 0;
}

void evict_leave(struct attempt *attempt, uint64_t word)
{
	if (!evict_is_on(attempt->map))
		return;

	size_t bytes = bytes_of(attempt->map, slot_entry(word));

	count_main(attempt, word, -weight(attempt->map, bytes));
	evict_release(attempt);
	give_bytes(attempt, bytes);
}

/* ------------------------------------------------------------------ a hand's place */

/*
 * A thread's share of a hand's round: the hashes from `hash` on, so many; of the first bucket `skip` slots have been seen.
 * An interval, so that it is the same in each table. Threads of one stripe may mix two shares up: then some buckets are
 * seen twice, or by the next round. All relaxed: hints. V2.
 */
struct place {
	uint64_t hash, width, skip;
};

/* Widths are multiples of what the ends of buckets are multiples of. */
#define SKIP_MAX UINT64_C(0xffff)
_Static_assert(UINT64_C(1) << (64 - SIZE_CELL_BITS) > SKIP_MAX, "a width leaves room for a position");

static struct place place_load(struct hand_share *share)
{
	uint64_t rest = atomic_load_explicit(&share->rest, memory_order_relaxed);

	return (struct place){ atomic_load_explicit(&share->hash, memory_order_relaxed), rest & ~SKIP_MAX, rest & SKIP_MAX };
}

static void place_store(struct hand_share *share, const struct place *place)
{
	atomic_store_explicit(&share->hash, place->hash, memory_order_relaxed);
	atomic_store_explicit(&share->rest, place->width | (place->skip & SKIP_MAX), memory_order_relaxed);
}

/* Shares of a round; 2^SHARE_BITS buckets each, or one, where there are no more; up to twice as many where they are no power of two. */
static unsigned share_bits(const struct table *table)
{
	const unsigned bits = size_log2(table_buckets(table));

	return bits > SHARE_BITS ? bits - SHARE_BITS : bits;
}

/* The first hash of the first bucket that does not begin before. */
static uint64_t next_bucket(const struct table *table, uint64_t hash)
{
	return hash == table_first_hash(table, hash) ? hash : table_last_hash(table, hash) + 1;
}

static struct place place_fresh(struct eviction *eviction, enum hand hand, const struct table *table)
{
	const uint64_t width = UINT64_C(1) << (64 - share_bits(table));
	/* Wraps around with the hash. */
	const uint64_t from = atomic_fetch_add_explicit(&eviction->hand[hand], width, memory_order_relaxed);
	/* The bucket on a border is of the share before it: of all of its hashes, for in another table it may be two. No bucket is wider
	 * than a share. */
	const uint64_t first = next_bucket(table, from);

	return (struct place){ first, next_bucket(table, from + width) - first, 0 };
}

/* The bucket that ends with this hash is done. */
static void place_advance(struct place *place, uint64_t last)
{
	uint64_t done = last + 1 - place->hash;

	*place = (struct place){ last + 1, place->width > done ? place->width - done : 0, 0 };
}

/* ------------------------------------------------------------------ one entry */

/* An eviction under way. */
struct step {
	struct attempt *attempt;
	const struct table *table;
	struct bucket_view *view;
	enum hand hand;
	unsigned seen; /* entries so far */
	unsigned passed; /* held entries, so far */
	bool takes_loads; /* there is nothing else: also what is being loaded */
	size_t bytes; /* what was removed counted */
	int error; /* why a bucket was passed over */
};

static int remove_at(struct step *step, struct line *line, unsigned slot, uint64_t word, enum rcumap_reason reason)
{
	struct attempt *attempt = step->attempt;
	struct rcumap_entry *entry = slot_entry(word);
	int error = attempt_secure(attempt);

	if (error)
		return error;
	if (!bucket_remove_at(&attempt->map->tables, step->table, step->view->line, line, slot, word))
		return 0;
	if (reason == RCUMAP_EVICTED && step->hand == HAND_PROBATION) {
		uint64_t hash = hash_key(&attempt->map->tables.hash, entry_key(entry), entry->key_size);

		ghost_add(table_ghost(step->table, hash), hash);
	}
	step->bytes = bytes_of(attempt->map, entry);
	count_main(attempt, word, -weight(attempt->map, step->bytes));
	attempt_retire(attempt, entry, reason);
	return 1;
}

/* 1: the entry in the slot was removed. */
static int examine(struct step *step, struct line *line, unsigned slot)
{
	uint64_t word = slot_load(line, slot);

	if (!slot_has_entry(word) || slot_is_frozen(word) || !(word & SLOT_MAIN) != (step->hand == HAND_PROBATION))
		return 0;

	struct rcumap_entry *entry = slot_entry(word);
	unsigned heat = entry_heat(entry);
	const bool is_place = entry_is_placeholder(entry);

	if (is_place ? deadline_has_passed(placeholder_word(entry), step->attempt->now_us) :
		       !attempt_is_live(step->attempt, entry))
		return remove_at(step, line, slot, word, RCUMAP_EXPIRED);
	/* A value that is being loaded is not seen: else its place would be lost wherever a part has nothing else. */
	if (is_place && !deadline_is_finite(placeholder_word(entry)) && !step->takes_loads)
		return 0;
	/* Its memory would not come back before it is released. */
	if (counts_bytes(step->attempt->map) && entry_is_held(entry) && step->passed < HELD_STEPS) {
		step->passed++;
		return 0;
	}
	if (++step->seen < EVICT_STEPS) {
		if (step->hand == HAND_MAIN && heat) {
			entry_cool(entry, heat - 1);
			return 0;
		}
		if (step->hand == HAND_PROBATION && heat) {
			entry_cool(entry, 0);
			if (bucket_mark(line, slot, word, SLOT_MAIN))
				count_main(step->attempt, SLOT_MAIN,
					   weight(step->attempt->map, bytes_of(step->attempt->map, entry)));
			return 0;
		}
		if (step->hand == HAND_PROBATION && !(word & SLOT_AGED)) {
			bucket_mark(line, slot, word, SLOT_AGED);
			return 0;
		}
	}
	return remove_at(step, line, slot, word, RCUMAP_EVICTED);
}

/* ------------------------------------------------------------------ one bucket, one eviction */

/* From place->skip on; place is where to go on afterwards. Results as of examine(). */
static int examine_bucket(struct step *step, struct place *place)
{
	struct tables *tables = &step->attempt->map->tables;
	struct bucket_view view;
	int result;
	uint64_t position = 0;

	step->table = route_bucket(tables, place->hash, &view, &result);
	if (!step->table) {
		/* It migrates, and waits for memory: perhaps for what others have. */
		step->error = result;
		place_advance(place, table_last_hash(tables_current(tables), place->hash));
		return 0;
	}
	step->view = &view;
	for (struct line *line = view.line; line; line = line_next(line))
		for (unsigned i = 0; i < LINE_SLOTS; i++, position++) {
			if (position < place->skip)
				continue;
			result = examine(step, line, i);
			if (result) {
				place->skip = position + 1;
				return result;
			}
		}
	place_advance(place, table_last_hash(step->table, place->hash));
	return 0;
}

/* 1: something was removed; 0: the hand's share has come to its end. */
static int examine_share(struct step *step)
{
	struct eviction *eviction = &step->attempt->map->eviction;
	struct hand_share *share = &eviction->share[attempt_stripe(step->attempt)].of[step->hand];
	struct place place = place_load(share);
	int result = 0;

	if (!place.width)
		place = place_fresh(eviction, step->hand, tables_current(&step->attempt->map->tables));
	while (place.width && !result)
		result = examine_bucket(step, &place);
	place_store(share, &place);
	return result;
}

static enum hand choose(struct rcumap *map)
{
	const uint64_t limit = capacity(map);
	int64_t main = tally_total(&map->eviction.main);

	return main > 0 && (uint64_t)main > limit - limit / PROBATION_PART ? HAND_MAIN : HAND_PROBATION;
}

/* What an attempt needs: units of a quota. */
struct need {
	struct quota *quota;
	uint64_t units;
};

static bool take_free(struct attempt *attempt, const struct need *need)
{
	return quota_take(need->quota, attempt_stripe(attempt), need->units);
}

/*
 * Remove an entry, by the policy. 1: done, its unit is the caller's, and *bytes of `live`; 0: what is needed was to be
 * had meanwhile; -ENOSPC: all there is to evict is in the hands of others, or, as -ENOMEM, -EFAULT, cannot be looked at.
 *
 * A hand may find its part empty: many of it came and went by themselves, and their units are free; or all of probation
 * had been found, and was promoted on the way. What it has seen counts for the other hand too, so this ends after
 * EVICT_STEPS entries.
 */
static int evict(struct attempt *attempt, const struct need *need, size_t *bytes)
{
	struct rcumap *map = attempt->map;
	struct step step = { .attempt = attempt, .hand = choose(map) };
	uint64_t vain = 0;
	unsigned seen = 0;
	int result;

	while ((result = examine_share(&step)) == 0) {
		vain = step.seen == seen ? vain + 1 : 0;
		seen = step.seen;
		if (!vain || vain % SHARES_IN_VAIN)
			continue;
		step.hand = step.hand == HAND_MAIN ? HAND_PROBATION : HAND_MAIN;
		if (take_free(attempt, need))
			return 0;
		if (vain < (uint64_t)ROUNDS_IN_VAIN << share_bits(tables_current(&map->tables)))
			continue;
		if (step.takes_loads)
			return step.error ? step.error : -ENOSPC;
		step.takes_loads = true;
		vain = 0;
	}
	*bytes = step.bytes;
	return result;
}

int evict_secure(struct attempt *attempt)
{
	struct need need = { &attempt->map->eviction.entries, 1 };

	if (!need.quota->limit || attempt->unit)
		return 0;
	if (!take_free(attempt, &need)) {
		size_t bytes = 0;
		int result = evict(attempt, &need, &bytes);

		if (result < 0)
			return result;
		give_bytes(attempt, bytes);
	}
	attempt->unit = true;
	return 0;
}

/* Have need->units, and if structures have grown as many for them. */
static int evict_bytes(struct attempt *attempt, struct need *need)
{
	const size_t wanted = need->units;
	size_t have = 0;

	while (have < wanted || (have < 2 * wanted && quota_in_debt(need->quota))) {
		size_t bytes = 0;

		need->units = have < wanted ? wanted - have : 1;
		if (have < wanted && take_free(attempt, need)) {
			have = wanted;
			break;
		}

		int result = evict(attempt, need, &bytes);

		if (result < 0 && have >= wanted)
			break; /* others will pay the rest */
		if (result < 0) {
			give_bytes(attempt, have);
			return result;
		}
		have += result ? bytes : need->units;
		if (result)
			evict_release(attempt);
	}
	give_bytes(attempt, have - wanted);
	return 0;
}

/* More than the capacity is to be stored. Does it fit once the fund is what it should be, which follows the entries that come, not
 * those that go, and nothing is kept free? 0. -ENOSPC: perhaps when what others hold has been released, and former tables are gone.
 * -EFBIG: never beside the table. */
static int make_fit(struct rcumap *map, size_t bytes)
{
	const struct table *table = tables_current(&map->tables), *next = table_next(table);
	const size_t newest = budget_table_bytes(tables_bytes_of(&map->tables, (next ? next : table)->size));

	if (newest > live(map)->limit || bytes > live(map)->limit - newest)
		return -EFBIG;
	if (!next)
		spare_plan(map, table, map_occupied(map));
	if (bytes > capacity(map))
		spare_yield(map, bytes - capacity(map));
	return bytes <= capacity(map) ? 0 : -ENOSPC;
}

int evict_secure_bytes(struct attempt *attempt, size_t size)
{
	struct rcumap *map = attempt->map;

	if (!counts_bytes(map))
		return 0;

	struct need need = { live(map), memory_entry_bound(&map->memory, size) };
	const size_t bound = need.units;

	budget_begin_try();

	int error = bound > capacity(map) ? make_fit(map, bound) : 0;

	if (!error && !take_free(attempt, &need))
		error = evict_bytes(attempt, &need);
	if (error)
		return error;
	attempt->bytes = bound;
	return 0;
}

void evict_pay(struct attempt *attempt, size_t bytes)
{
	if (!counts_bytes(attempt->map))
		return;

	struct need need = { live(attempt->map), 1 };
	size_t paid = 0;

	while (paid < bytes && quota_in_debt(need.quota)) {
		size_t evicted = 0;
		int result = evict(attempt, &need, &evicted);

		if (result < 0)
			return;
		if (result)
			evict_release(attempt);
		else
			evicted = need.units; /* the debt was paid meanwhile */
		give_bytes(attempt, evicted);
		paid += evicted;
	}
}

void evict_relieve(struct rcumap *map, size_t bytes)
{
	struct attempt attempt = attempt_begin(map, NULL, 0);

	attempt.own = true;
	evict_pay(&attempt, bytes);
	(void)attempt_end(&attempt, 0);
}

void evict_built(struct attempt *attempt)
{
	if (!counts_bytes(attempt->map))
		return;

	size_t bytes = bytes_of(attempt->map, attempt->entry);

	/* An allocator that rounds up further than any we know: a debt. */
	if (bytes > attempt->bytes)
		quota_owe(live(attempt->map), bytes - attempt->bytes);
	else
		give_bytes(attempt, attempt->bytes - bytes);
	attempt->bytes = bytes;
}

/* ------------------------------------------------------------------ after fork() */

struct census {
	const struct rcumap *map;
	uint64_t entries, bytes;
	int64_t main;
};

static void count_word(void *ctx, uint64_t word)
{
	struct census *census = ctx;

	size_t bytes = bytes_of(census->map, slot_entry(word));

	census->entries++;
	census->bytes += bytes;
	census->main += word & SLOT_MAIN ? weight(census->map, bytes) : 0;
}

void evict_adopt(struct rcumap *map)
{
	struct census census = { .map = map };

	if (!evict_is_on(map))
		return;
	map_each_word(map, count_word, &census);
	quota_adopt(&map->eviction.entries, census.entries);
	/* What vanished threads had allocated and not stored stays so: `held` is as it was. */
	if (counts_bytes(map))
		quota_adopt(live(map), census.bytes + quota_charged(live(map)));
	tally_adopt(&map->eviction.main, census.main);
}
