/* SPDX-License-Identifier: BSD-2-Clause */
#include "memory/budget.h"

/* The part of max_bytes that may be set aside for records, and what is always kept free for garbage. */
#define RECORDS_PART 32u
#define FREE_PART 64u
/* Of orphans, the part of the limit that is charged at most. */
#define ORPHANS_PART 4u
/* Cells in a block of records, at least. */
#define RECORD_CELLS_MIN 16u
/* What malloc adds to such a block. */
#define RECORD_SLACK 32u

void budget_init(struct budget *budget, uint64_t max_bytes, size_t map_bytes, size_t record_header, unsigned record_cells_max)
{
	uint64_t block = max_bytes / RECORDS_PART / RECORD_BLOCKS, overhead = record_header + RECORD_SLACK;
	uint64_t cells = block > overhead ? (block - overhead) / sizeof(uint64_t) : 0;

	cells = cells < RECORD_CELLS_MIN ? RECORD_CELLS_MIN : cells;
	budget->record_cells = cells < record_cells_max ? (unsigned)cells : record_cells_max;
	budget->set_aside = map_bytes + RECORD_BLOCKS * (overhead + budget->record_cells * sizeof(uint64_t));
	quota_init(&budget->held, max_bytes - budget->set_aside);
	quota_init(&budget->live, budget->held.limit - max_bytes / FREE_PART);
}

/* So much of what is set aside for lines. */
static bool draw_line(struct budget *budget, int64_t bytes)
{
	/* relaxed, all: a number. B3. */
	int64_t there = atomic_load_explicit(&budget->line_credit, memory_order_relaxed);

	do
		if (there < bytes)
			return false;
	while (!atomic_compare_exchange_weak_explicit(&budget->line_credit, &there, there - bytes, memory_order_relaxed,
						      memory_order_relaxed));
	return true;
}

/* All of it beyond the parts of the living tables. */
static size_t draw_surplus(struct budget *budget)
{
	/* [LINES acquire] pairs with add_lines(): who finds what a table has brought knows its part, too. B3. */
	int64_t there = atomic_load_explicit(&budget->line_credit, memory_order_acquire), kept;

	do {
		kept = atomic_load_explicit(&budget->line_parts, memory_order_relaxed);
		if (there <= kept)
			return 0;
		/* [LINES acquire] likewise */
	} while (!atomic_compare_exchange_weak_explicit(&budget->line_credit, &there, kept, memory_order_acquire,
							memory_order_acquire));
	return (size_t)(there - kept);
}

static void add_lines(struct budget *budget, size_t bytes)
{
	/* [LINES release] pairs with draw_surplus(): a table's part counts by now. B3. */
	atomic_fetch_add_explicit(&budget->line_credit, (int64_t)bytes, memory_order_release);
}

/* What the calling thread was refused last, if that was for an entry; whose claim it has. */
static _Thread_local size_t refused_bytes;
static _Thread_local const struct budget *claimant;

void budget_begin_try(void)
{
	refused_bytes = 0;
}

bool budget_claim(struct budget *budget)
{
	uint64_t none = 0;

	if (!refused_bytes || claimant)
		return claimant == budget;
	/* relaxed, here and below: a hint */
	if (!atomic_compare_exchange_strong_explicit(&budget->claimed, &none, refused_bytes, memory_order_relaxed,
						     memory_order_relaxed))
		return false;
	claimant = budget;
	return true;
}

void budget_disclaim(struct budget *budget)
{
	if (claimant != budget)
		return;
	claimant = NULL;
	atomic_store_explicit(&budget->claimed, 0, memory_order_relaxed);
}

/* What nobody holds, ahead or not. */
static uint64_t free_bytes(const struct budget *budget)
{
	return quota_left(&budget->held) + quota_reserved(&budget->held);
}

/* Take what an entry counts, and leave as much as somebody else has claimed. */
static bool take_entry(struct budget *budget, size_t bytes)
{
	uint64_t claimed = atomic_load_explicit(&budget->claimed, memory_order_relaxed);

	const bool leaves_it = !claimed || claimant == budget || free_bytes(budget) >= bytes + claimed;
	const bool taken = leaves_it && quota_take(&budget->held, stripe_index(), bytes);

	refused_bytes = taken ? 0 : bytes;
	return taken;
}

bool budget_take(struct budget *budget, enum memory_use use, size_t bytes)
{
	if (use == MEMORY_ENTRY)
		return take_entry(budget, bytes);
	if (use == MEMORY_RECORD)
		return true; /* B2 */
	/* A line beyond that comes back as one: charged like the rest of it. */
	if (use == MEMORY_LINE && draw_line(budget, (int64_t)bytes))
		return true;
	if (!quota_take(&budget->held, stripe_index(), bytes)) {
		refused_bytes = 0;
		return false;
	}
	quota_charge(&budget->live, bytes);
	return true;
}

void budget_give(struct budget *budget, enum memory_use use, size_t bytes)
{
	if (use == MEMORY_RECORD)
		return;
	if (use == MEMORY_LINE) {
		add_lines(budget, bytes);
		return;
	}
	quota_give(&budget->held, stripe_index(), bytes);
	if (use == MEMORY_STRUCTURE)
		quota_discharge(&budget->live, bytes);
}

bool budget_take_table(struct budget *budget, size_t bytes)
{
	const size_t lines = bytes / LINE_PART;

	if (!budget_take(budget, MEMORY_STRUCTURE, budget_table_bytes(bytes)))
		return false;
	atomic_fetch_add_explicit(&budget->line_parts, (int64_t)lines, memory_order_relaxed); /* B3 */
	add_lines(budget, lines);
	return true;
}

void budget_give_table(struct budget *budget, size_t bytes)
{
	const int64_t lines = (int64_t)(bytes / LINE_PART);

	atomic_fetch_sub_explicit(&budget->line_parts, lines, memory_order_relaxed); /* B3 */
	/* What other tables' lines have of it comes back with one of those. */
	budget_give(budget, MEMORY_STRUCTURE, bytes + draw_surplus(budget));
}

/* What is charged for so many bytes of orphans. */
static uint64_t orphans_charge(const struct budget *budget, int64_t bytes)
{
	const int64_t most = (int64_t)(budget->live.limit / ORPHANS_PART), charge = bytes < most ? bytes : most;

	return charge > 0 ? (uint64_t)charge : 0; /* a release may be counted before what it is of */
}

void budget_orphan(struct budget *budget, int64_t change)
{
	/* relaxed: a number. Each change has one before it: what all of them charge is the charge of what is there. */
	const int64_t before = atomic_fetch_add_explicit(&budget->orphans, change, memory_order_relaxed);

	quota_recharge(&budget->live, orphans_charge(budget, before), orphans_charge(budget, before + change));
}

bool budget_could_hold(const struct budget *budget, size_t bytes)
{
	return bytes <= budget->live.limit && budget_table_bytes(bytes) <= budget->live.limit;
}

uint64_t budget_accounted(const struct budget *budget)
{
	return budget->set_aside + budget->held.limit - quota_left(&budget->held);
}

uint64_t budget_entries(const struct budget *budget)
{
	uint64_t used = quota_used(&budget->live), charged = quota_charged(&budget->live);

	return used > charged ? used - charged : 0;
}
