/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/attempt.h"

#include <ck_pr.h>
#include <errno.h>

#include "layout/placeholder.h"
#include "map/evict.h"
#include "map/expiry.h"
#include "map/reclaim.h"
#include "map/room.h"
#include "map/spare.h"
#include "protocol/load.h"
#include "protocol/route.h"

/* In the attempt's stripe. */
static uint64_t count(const struct attempt *attempt, _Atomic uint64_t *counter, uint64_t n)
{
	return stripe_add(attempt_stripe(attempt), counter, n);
}

/* ------------------------------------------------------------------ beginning and end */

struct attempt attempt_begin(struct rcumap *map, const void *key, size_t key_size)
{
	return (struct attempt){
		.map = map,
		.stripe = &map->stripe[stripe_index()],
		.hash = key ? hash_key(&map->tables.hash, key, key_size) : 0,
		.now_us = clock_coarse_us(&map->clock),
	};
}

void attempt_unbuild(struct attempt *attempt)
{
	if (!attempt->entry)
		return;
	evict_release_bytes(attempt);
	memory_discard_for(&attempt->map->memory, MEMORY_ENTRY, attempt->entry, entry_size_of(attempt->entry));
	attempt->entry = NULL;
	attempt->wake = true; /* only the reclaimer makes it usable again */
}

static void cancel_cells(struct attempt *attempt)
{
	if (attempt->cell)
		retire_cancel(attempt->cell);
	if (attempt->hint_cell)
		log_cancel(attempt->hint_cell);
	attempt->cell = NULL;
	attempt->hint_cell = NULL;
}

int attempt_end(struct attempt *attempt, int result)
{
	attempt_unbuild(attempt);
	cancel_cells(attempt);
	if (attempt->unit)
		evict_release(attempt);
	/* Free blocks may rest with the reclaimer. */
	attempt->wake |= result == -ENOMEM || result == -ENOSPC;
	if (attempt->own)
		return result;
	if (attempt->help_hints) {
		expiry_help(attempt->map);
		/* What expired may lie in fresh blocks, and attempts of its own wake nobody. */
		attempt->wake = true;
		attempt->yield = true;
	}
	if (attempt->help)
		attempt->yield |= reclaimer_help(attempt->map);
	/* Last: all that there is to do is told of by then. */
	if (attempt->wake)
		wake_signal(&attempt->map->reclaimer.wake);
	return result;
}

/* Another operation was faster: let it finish before the line is fought for again. */
static void back_off(struct attempt *attempt)
{
	if (attempt->failures < 8)
		attempt->failures++;
	for (unsigned i = 0; i < 1u << attempt->failures; i++)
		ck_pr_stall();
}

/* ------------------------------------------------------------------ what can fail */

static uint64_t draw(struct rcumap *map)
{
	const unsigned stripe = stripe_index();

	return attempt_version(stripe, stripe_add(stripe, &map->stripe[stripe].versions, 1));
}

int attempt_draw_version(struct rcumap *map, uint64_t *version)
{
	*version = draw(map);
	return *version >> ENTRY_VERSION_BITS ? -EOVERFLOW : 0;
}

uint64_t attempt_new_arm(struct attempt *attempt, uint64_t before)
{
	/* Mixed, or keys that are stored and deleted in turns would each draw the same arm time and again. */
	return before ? deadline_arm_after(before) : 1 + (hash_mix(draw(attempt->map)) >> 32) % DEADLINE_ARMS;
}

/* Allocate attempt->entry and fill it, but for the deadline. 0, -ENOMEM, -EFAULT, -ENOSPC. */
static int build_here(struct attempt *attempt, const struct write_content *content, uint64_t version, bool has_deadline)
{
	size_t size = entry_size(content->key_size, content->value_size, has_deadline);
	void *p = NULL;
	int error = memory_alloc_for(&attempt->map->memory, MEMORY_ENTRY, size, entry_align(size), &p);

	if (error) {
		evict_release_bytes(attempt);
		return error;
	}
	attempt->entry = p;
	entry_set_head(p, version, evict_first_heat(attempt->map), attempt->returned);
	entry_fill(attempt->entry, content->key, content->key_size, content->value, content->value_size, has_deadline);
	if (attempt->hold) {
		retire_must_be_read(&attempt->map->retire);
		entry_set_held(attempt->entry);
	}
	evict_built(attempt); /* from its sizes */
	return 0;
}

/* The same without a section, unless it is the caller's: no grace period waits while memory is had and a large value copied. */
static int build_outside(struct attempt *attempt, const struct write_content *content, uint64_t version, bool has_deadline)
{
	const struct section_ops *section = attempt->map->section;
	int error;

	/* What is reserved in a section is filled in it. */
	cancel_cells(attempt);
	section->leave();
	error = build_here(attempt, content, version, has_deadline);
	section->enter();
	return error ? error : 1;
}

/* As build_here(); 1: done, but look again. -EFBIG. */
static int build(struct attempt *attempt, const struct write_content *content, uint64_t version, bool has_deadline)
{
	size_t size = entry_size(content->key_size, content->value_size, has_deadline);
	int error = evict_secure_bytes(attempt, size);

	if (error)
		return error;
	reclaimer_share(attempt->map, attempt_stripe(attempt));
	if (attempt->leaves && size >= BUILD_OUTSIDE_MIN && !memory_needs_section(&attempt->map->memory, size))
		return build_outside(attempt, content, version, has_deadline);
	return build_here(attempt, content, version, has_deadline);
}

int attempt_secure(struct attempt *attempt)
{
	if (attempt->cell)
		return 0;

	int result = retire_reserve(&attempt->map->retire, &attempt->map->memory, &attempt->cell);

	attempt->wake |= result > 0 && reclaimer_is_idle(attempt->map);
	attempt->help |= result > 0;
	return result < 0 ? result : 0;
}

int attempt_secure_hint(struct attempt *attempt)
{
	if (attempt->hint_cell)
		return 0;

	bool late;
	int result = expiry_reserve(attempt->map, &attempt->hint_cell, &late);

	attempt->help_hints |= late;
	attempt->wake |= result > 0;
	/* A block was begun, or there is no memory for one: reminders are paid for by who needs them, or a map that is
	 * touched and nothing stored in would be in debt for ever. */
	if (result > 0 || result == -ENOSPC)
		evict_pay(attempt, LOG_BLOCK_BYTES(attempt->map->expiry.log.cells));
	return result < 0 ? result : 0;
}

/* ------------------------------------------------------------------ time */

bool attempt_claim(const struct attempt *attempt, struct rcumap_entry *entry)
{
	uint64_t word = entry_deadline(entry);

	return deadline_us(word) == DEADLINE_DEAD ||
	       (deadline_has_passed(word, attempt->now_us) &&
		entry_deadline_cas(entry, word, deadline_word(DEADLINE_DEAD, deadline_arm(word))));
}

bool attempt_is_live(const struct attempt *attempt, struct rcumap_entry *entry)
{
	if (!entry_has_deadline(entry))
		return true;
	while (deadline_has_passed(entry_deadline(entry), attempt->now_us))
		if (attempt_claim(attempt, entry))
			return false;
	return true;
}

int attempt_look(struct attempt *attempt, const void *key, size_t key_size, struct finding *finding)
{
	struct bucket_view *view = &finding->view;
	int error;

	finding->table = route_bucket(&attempt->map->tables, attempt->hash, view, &error);
	if (!finding->table)
		return error;
	bucket_scan(view, key, key_size);
	finding->found = !view->entry ? FOUND_NONE : attempt_is_live(attempt, view->entry) ? FOUND_LIVE : FOUND_EXPIRED;
	/* What is seen in a frozen bucket is so; what is not seen, perhaps not. */
	return finding->found == FOUND_NONE && view->frozen;
}

struct life attempt_life(const struct rcumap *map, uint64_t ttl_ms)
{
	if (ttl_ms == RCUMAP_TTL_DEFAULT)
		ttl_ms = map->default_ttl_ms;
	if (ttl_ms == RCUMAP_TTL_NEVER)
		return (struct life){ LIFE_ENDLESS, 0 };

	/* Cut, where the sum is beyond what a word holds: no clock gets there (CLOCK_US_MAX). */
	_Static_assert(CLOCK_US_MAX < DEADLINE_NEVER - 1,
		       "a deadline that was cut has not passed, and NEVER never will");

	uint64_t now = clock_exact_us(&map->clock), us = now + ttl_ms * 1000;

	return (struct life){ LIFE_FINITE, us < DEADLINE_NEVER ? us : DEADLINE_NEVER - 1 };
}

void attempt_count_expiring(struct attempt *attempt, int change)
{
	count(attempt, &attempt->stripe->expiring, (uint64_t)change);
}

void attempt_remind(struct attempt *attempt, uint64_t word)
{
	log_fill(attempt->hint_cell, hint_of(attempt->hash, word));
	attempt->hint_cell = NULL;
}

/* ------------------------------------------------------------------ what is displaced */

static void count_retired(struct attempt *attempt, struct rcumap_entry *entry, enum rcumap_reason reason)
{
	struct map_stripe *stripe = attempt->stripe;

	count(attempt, &stripe->retired_bytes, entry_size_of(entry));
	count(attempt, reason == RCUMAP_REPLACED ? &stripe->replaced :
	      reason == RCUMAP_EXPIRED	? &stripe->expired :
	      reason == RCUMAP_EVICTED	? &stripe->evicted :
					  &stripe->deleted,
	      1);
	/* Sealed, for a touch that comes too late would count, too. */
	if (entry_has_deadline(entry) && deadline_is_finite(entry_deadline_seal(entry)))
		attempt_count_expiring(attempt, -1);
}

_Static_assert(RCUMAP_EVICTED <= RETIRE_REASON_MAX, "a record has room for every reason");

void attempt_retire(struct attempt *attempt, struct rcumap_entry *entry, enum rcumap_reason reason)
{
	const bool apart = entry_is_placeholder(entry);

	if (apart)
		count(attempt, &attempt->stripe->placeholders_gone, 1);
	else
		count_retired(attempt, entry, reason);
	retire_fill(attempt->cell, entry, reason, apart ? 0 : entry_size_of(entry));
	attempt->cell = NULL;
}

/* An entry was stored under an absent key, or a placeholder was. */
static void count_inserted(struct attempt *attempt, const struct table *table, const struct life *life)
{
	struct map_stripe *stripe = attempt->stripe;
	_Atomic uint64_t *counter = life->kind == LIFE_PLACEHOLDER ? &stripe->placeholders : &stripe->inserted;
	uint64_t inserted = count(attempt, counter, 1) + 1;

	/* Summing up all stripes is for one insert in as many as let the table be a tenth too full at most. */
	const unsigned bits = size_log2(table_buckets(table)), shift = bits < 7 ? 0 : bits > 17 ? 10 : bits - 7;

	if ((inserted & ((UINT64_C(1) << shift) - 1)) || table_next(table))
		return;

	uint64_t entries = map_occupied(attempt->map);

	spare_plan(attempt->map, table, entries);
	if (load_must_grow(entries, table->size) && spare_may_grow(attempt->map, table, entries))
		attempt->wake = true;
}

/*
 * The word of `entry`, which was found live and is about to be displaced, stays as it is from now on: no touch between
 * this and the exchange makes untrue that it lives. *word is without the mark. False: it has expired or been claimed.
 *
 * And who takes over the arm does it from a word that is sealed: until the exchange that displaces `entry`, its bucket
 * has an entry with that arm, and afterwards the new one; so no look at the bucket finds the hint void.
 */
static bool seal(struct attempt *attempt, struct rcumap_entry *entry, uint64_t *word)
{
	do {
		*word = entry_deadline(entry);
		if (deadline_has_passed(*word, attempt->now_us))
			return false;
	} while (!deadline_is_sealed(*word) && !entry_deadline_cas(entry, *word, *word | DEADLINE_SEALED));
	*word &= ~DEADLINE_SEALED;
	return true;
}

/* Of the entry that is displaced, if there is one and it had a hint. It does not change any more: the word is sealed, or DEAD. */
static uint64_t arm_before(const struct finding *finding)
{
	const struct rcumap_entry *entry = finding->view.entry;

	return entry && entry_has_deadline(entry) ? deadline_arm(entry_deadline(entry)) : 0;
}

/* Give attempt->entry its deadline word. `old`: the sealed word of the entry that it will displace, or NULL. *remind: a
 * hint has been secured, and is to be given after publication. -ENOMEM, -EFAULT. */
static int arm(struct attempt *attempt, const struct finding *finding, const uint64_t *old, const struct life *life,
	       bool *remind)
{
	const uint64_t us = life->deadline_us;

	*remind = false;
	if (!entry_has_deadline(attempt->entry))
		return 0;
	if (life->kind == LIFE_PLACEHOLDER && us == DEADLINE_NEVER) {
		entry_set_deadline(attempt->entry, deadline_word(DEADLINE_DEAD, 0));
		return 0;
	}
	if (life->kind == LIFE_KEPT) {
		entry_set_deadline(attempt->entry, *old);
		return 0;
	}
	/* The old hint comes early enough: an overwritten key does not pile up hints. */
	if (old && deadline_us(*old) <= us) {
		entry_set_deadline(attempt->entry, deadline_word(us, deadline_arm(*old)));
		return 0;
	}

	int error = attempt_secure_hint(attempt);

	if (error)
		return error;
	entry_set_deadline(attempt->entry, deadline_word(life->kind == LIFE_PLACEHOLDER ? DEADLINE_DEAD : us,
							 attempt_new_arm(attempt, arm_before(finding))));
	*remind = true;
	return 0;
}

/* ------------------------------------------------------------------ publishing */

static void count_held(struct attempt *attempt)
{
	attempt->held = attempt->entry;
	count(attempt, &attempt->stripe->held_entries, 1);
	count(attempt, &attempt->stripe->held_bytes, entry_size_of(attempt->entry));
}

/* attempt->entry, whose word was `word` if it has one, has just been published. */
static void count_published(struct attempt *attempt, bool has_deadline, bool remind, uint64_t word,
			    const struct life *life)
{
	if (has_deadline && deadline_is_finite(word) && life->kind != LIFE_PLACEHOLDER)
		attempt_count_expiring(attempt, 1);
	if (attempt->hold)
		count_held(attempt);
	if (remind)
		attempt_remind(attempt, word);
	attempt->entry = NULL;
}

/* As attempt_put(), of attempt->entry. */
static int displace(struct attempt *attempt, struct finding *finding, const struct life *life)
{
	struct bucket_view *view = &finding->view;
	const bool expired = finding->found == FOUND_EXPIRED;
	bool remind, has_deadline = entry_has_deadline(attempt->entry);
	bool old_ends = !expired && entry_has_deadline(view->entry);
	uint64_t old;

	if (old_ends && !seal(attempt, view->entry, &old))
		return 1;

	int error = arm(attempt, finding, old_ends ? &old : NULL, life, &remind);

	/* Last: the cell of who is refused is lost, and takes memory beyond any limit (memory/budget.h, B2). */
	if (!error)
		error = attempt_secure(attempt);
	if (error)
		return error;

	uint64_t word = has_deadline ? entry_deadline(attempt->entry) : 0;

	/* To be stored again counts as to be found. */
	if (!expired && evict_is_on(attempt->map)) {
		entry_cool(attempt->entry, entry_heat(view->entry));
		entry_warm(attempt->entry);
	}
	if (!bucket_replace(&attempt->map->tables, finding->table, view, attempt->entry)) {
		back_off(attempt);
		return 1;
	}
	count_published(attempt, has_deadline, remind, word, life);
	if (expired)
		count_inserted(attempt, finding->table, life);
	evict_count_over(attempt, view->entry_word);
	attempt_retire(attempt, view->entry, expired ? RCUMAP_EXPIRED : RCUMAP_REPLACED);
	return 0;
}

static int insert(struct attempt *attempt, struct finding *finding, const struct life *life)
{
	bool remind, has_deadline = entry_has_deadline(attempt->entry);
	int error = arm(attempt, finding, NULL, life, &remind);

	if (error)
		return error;

	/* As soon as it is in, the entry belongs to all: another thread may have removed it already. */
	uint64_t word = has_deadline ? entry_deadline(attempt->entry) : 0, marks = slot_first_marks(attempt->entry);

	if (!bucket_insert(&finding->view, attempt->entry)) {
		back_off(attempt);
		return 1;
	}
	evict_count_in(attempt, marks);
	count_published(attempt, has_deadline, remind, word, life);
	count_inserted(attempt, finding->table, life);
	return 0;
}

static int build_new(struct attempt *attempt, const struct finding *finding, const struct write_content *content,
		     const struct life *life)
{
	uint64_t version = attempt->version;

	if (attempt->entry)
		return 0;
	if (finding->found == FOUND_NONE)
		attempt->returned = evict_has_returned(finding->table, attempt->hash);

	int error = version ? 0 : attempt_draw_version(attempt->map, &version);
	bool has_deadline = life->kind == LIFE_FINITE || life->kind == LIFE_PLACEHOLDER ||
			    (life->kind == LIFE_KEPT && entry_has_deadline(finding->view.entry));

	if (!error)
		error = build(attempt, content, version, has_deadline);
	if (!error && life->kind == LIFE_PLACEHOLDER)
		entry_set_apart(attempt->entry);
	return error;
}

int attempt_put(struct attempt *attempt, struct finding *finding, const struct write_content *content,
		const struct life *life, uint64_t *version)
{
	const bool absent = finding->found == FOUND_NONE;
	int result;

	if (absent) {
		result = evict_secure(attempt);
		if (result)
			return result;
	}
	if (absent && !finding->view.empty_line) {
		result = room_make(attempt, finding);
		return result ? result : 1;
	}
	result = build_new(attempt, finding, content, life);
	if (result)
		return result;

	uint64_t drawn = entry_version(attempt->entry);

	result = (absent ? insert : displace)(attempt, finding, life);
	if (!result)
		*version = drawn;
	return result;
}

int attempt_copy(struct attempt *attempt, struct finding *finding, const struct life *life)
{
	const struct rcumap_entry *entry = finding->view.entry;
	const struct write_content content = { entry_key(entry), entry->key_size, entry_value(entry),
					       entry_value_size(entry) };

	attempt_unbuild(attempt); /* a copy of something else, perhaps */

	int error = build(attempt, &content, entry_version(entry), life->kind == LIFE_FINITE);

	return error ? error : displace(attempt, finding, life);
}

int attempt_remove(struct attempt *attempt, struct finding *finding, enum rcumap_reason reason)
{
	int error = attempt_secure(attempt);

	if (error)
		return error;
	/* It need not be sealed: if a touch ends its life meanwhile, others find absent what is about to be so. */
	if (!bucket_remove(&attempt->map->tables, finding->table, &finding->view)) {
		back_off(attempt);
		return 1;
	}
	attempt_retire(attempt, finding->view.entry, reason);
	evict_leave(attempt, finding->view.entry_word);
	return 0;
}

int attempt_forget(struct attempt *attempt, struct finding *finding)
{
	if (finding->found != FOUND_EXPIRED || !entry_is_placeholder(finding->view.entry))
		return 0;
	return finding->view.frozen ? 1 : attempt_remove(attempt, finding, RCUMAP_DELETED);
}

int attempt_keep_apart(struct attempt *attempt, const struct write_content *content, const struct life *life)
{
	uint64_t version;
	int error = 0;

	if (!attempt->entry) {
		error = attempt_draw_version(attempt->map, &version);
		if (!error)
			error = build(attempt, content, version, life->kind == LIFE_FINITE);
	}
	/* Last: what is evicted for the entry takes the record that there is. */
	if (!error)
		error = attempt_secure(attempt);
	if (error)
		return error;
	if (entry_has_deadline(attempt->entry))
		entry_set_deadline(attempt->entry, deadline_word(life->deadline_us, 0));
	entry_set_apart(attempt->entry);
	count_held(attempt);
	/* It waits for a grace period like what was reachable: a block that was taken from the slab in a section may not
	 * come back there before it has ended (L3). From then on it is an orphan, and its holders' to give back. */
	retire_fill(attempt->cell, attempt->entry, RCUMAP_DELETED, 0);
	attempt->cell = NULL;
	attempt->entry = NULL;
	evict_release_bytes(attempt); /* as of one that was removed at once */
	return 0;
}
