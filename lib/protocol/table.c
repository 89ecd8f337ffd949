/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocol/table.h"

#include <errno.h>
#include <string.h>

#include "protocol/load.h"

unsigned table_size_for(uint64_t entries)
{
	unsigned size = SIZE_FIRST;

	while (size <= SIZE_LAST && load_must_grow(entries, size))
		size++;
	return size;
}

static size_t array_bytes(unsigned size, bool ghosts)
{
	return (sizeof(struct line) + (ghosts ? sizeof(ghost_word) : 0)) * size_buckets(size);
}

size_t tables_bytes_of(const struct tables *tables, unsigned size)
{
	return array_bytes(size, tables->have_ghosts);
}

/* A table has many lists of overflow lines if each then has so many buckets: so they are a small share of it. */
#define BUCKETS_PER_STRIPE 256u

/* What is in the slab need not be looked for at the end of the map. */
_Static_assert(sizeof(struct table) + TABLE_STRIPES * sizeof(struct table_stripe) <= SLAB_BLOCK_MAX, "a table's struct is in the slab");

_Static_assert((TABLE_STRIPES & (TABLE_STRIPES - 1)) == 0, "table_own_line() masks");

static unsigned stripes_of(unsigned size)
{
	return size_buckets(size) / BUCKETS_PER_STRIPE < TABLE_STRIPES ? 1 : TABLE_STRIPES;
}

size_t table_struct_bytes(unsigned size)
{
	return sizeof(struct table) + stripes_of(size) * sizeof(struct table_stripe);
}

bool table_could_have(const struct tables *tables, unsigned size)
{
	return size <= SIZE_LAST && memory_could_hold_lines(tables->memory, tables_bytes_of(tables, size));
}

static int create(struct tables *tables, unsigned size, struct table **created)
{
	void *p = NULL, *lines = NULL;
	int error = memory_alloc(tables->memory, table_struct_bytes(size), 64, &p);

	if (error)
		return error;
	error = memory_alloc_lines(tables->memory, tables_bytes_of(tables, size), &lines);
	if (error) {
		memory_discard(tables->memory, p, table_struct_bytes(size));
		return error;
	}

	struct table *table = p;

	memset(table, 0, sizeof *table);
	table->lines = lines;
	table->size = size;
	table->factor = size_factor(size);
	table->tag_shift = tag_fresh_shift(table_buckets(table));
	if (tables->have_ghosts)
		table->ghosts = (ghost_word *)(table->lines + table_buckets(table));
	atomic_init(&table->next, NULL);
	atomic_init(&table->swept, 0);
	table->stripes = stripes_of(size);
	for (unsigned s = 0; s < table->stripes; s++) {
		atomic_init(&table->stripe[s].overflow, NULL);
		atomic_init(&table->stripe[s].lines, 0);
	}
	*created = table;
	return 0;
}

static void discard(struct tables *tables, struct table *table)
{
	memory_free_lines(tables->memory, table->lines, tables_bytes_of(tables, table->size));
	memory_discard(tables->memory, table, table_struct_bytes(table->size));
}

/* Words of a line that nobody else sees yet. */
static void line_init(struct line *line, enum line_state state)
{
	atomic_init(&line->ctl, CTL_INIT);
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		atomic_init(&line->slot[i], state == LINE_OPEN ? slot_empty(0) : SLOT_UNFILLED);
	atomic_init(&line->link, state == LINE_OPEN ? LINK_END : LINK_UNFILLED);
}

int tables_init(struct tables *tables, struct memory *memory, const struct hash *hash, unsigned size, bool ghosts)
{
	struct table *table = NULL;

	tables->memory = memory;
	tables->hash = *hash;
	tables->have_ghosts = ghosts;
	atomic_init(&tables->ahead, NULL);

	int error = size <= SIZE_LAST ? create(tables, size, &table) : -ENOMEM;

	if (error)
		return error;
	for (uint64_t i = 0; i < table_buckets(table); i++) {
		line_init(&table->lines[i], LINE_OPEN);
		atomic_init(&table->lines[i].ctl, ctl_idle(0));
	}
	atomic_init(&tables->current, table);
	return 0;
}

static void free_list(struct tables *tables, struct table_stripe *stripe, struct slab_freer *freer)
{
	/* relaxed, both: nobody else reaches the table any more */
	struct line *line = atomic_load_explicit(&stripe->overflow, memory_order_relaxed);

	while (line) {
		struct line *next = link_line(atomic_load_explicit(&line->ctl, memory_order_relaxed));

		memory_free_for(tables->memory, MEMORY_LINE, freer, line, sizeof *line);
		line = next;
	}
}

void table_free(struct tables *tables, struct table *table, struct slab_freer *freer)
{
	for (unsigned s = 0; s < table->stripes; s++)
		free_list(tables, &table->stripe[s], freer);
	memory_free_lines(tables->memory, table->lines, tables_bytes_of(tables, table->size));
	memory_free(tables->memory, freer, table, table_struct_bytes(table->size));
}

void tables_fini(struct tables *tables, struct slab_freer *freer)
{
	struct table *table = tables_current(tables);

	while (table) {
		struct table *next = table_next(table);

		table_free(tables, table, freer);
		table = next;
	}
	if (tables_ahead(tables))
		table_free(tables, tables_ahead(tables), freer);
}

/* May a table of that size follow this one, the current one? */
static bool may_follow(const struct table *table, unsigned size)
{
	return !table_next(table) && (size == table->size + 1 || size + 1 == table->size);
}

static int publish(struct table *table, struct table *fresh)
{
	struct table *none = NULL;

	fresh->same_tag = tag_is_fresh(table_buckets(fresh), table->tag_shift) &&
			  tag_tells(table->size, fresh->size, table->tag_shift);
	if (fresh->same_tag)
		fresh->tag_shift = table->tag_shift;

	/* [NEXT seq_cst] publishes the table; pairs with table_next(). T1. */
	return atomic_compare_exchange_strong_explicit(&table->next, &none, fresh, memory_order_seq_cst, memory_order_seq_cst) ?
		       0 :
		       -EBUSY;
}

int tables_begin(struct tables *tables, unsigned size)
{
	struct table *table = tables_current(tables), *fresh = NULL;

	if (size < SIZE_FIRST || size > SIZE_LAST)
		return -ENOMEM;
	if (!may_follow(table, size))
		return -EBUSY;

	int error = create(tables, size, &fresh);

	if (error)
		return error;
	error = publish(table, fresh);
	if (error)
		discard(tables, fresh);
	return error;
}

int tables_begin_with(struct tables *tables, struct table *fresh)
{
	struct table *table = tables_current(tables);

	return may_follow(table, fresh->size) ? publish(table, fresh) : -EBUSY;
}

int tables_prepare(struct tables *tables, unsigned size)
{
	struct table *table = NULL;
	int error = size >= SIZE_FIRST && size <= SIZE_LAST ? create(tables, size, &table) : -ENOMEM;

	/* [PREPARED release] hands the table to whoever takes it; pairs with [PREPARED acquire] in tables_ahead() and
	 * tables_take_ahead(). */
	if (!error)
		atomic_store_explicit(&tables->ahead, table, memory_order_release);
	return error;
}

bool tables_are_mapped(const struct tables *tables, unsigned size)
{
	return memory_lines_are_mapped(tables->memory, tables_bytes_of(tables, size));
}

void table_touch(const struct tables *tables, struct table *table)
{
	table->touched += memory_touch_lines(table->lines, tables_bytes_of(tables, table->size), table->touched);
}

bool table_is_touched(const struct table *table)
{
	return table->touched >= array_bytes(table->size, table->ghosts);
}

struct table *tables_take_ahead(struct tables *tables, unsigned size)
{
	struct table *table = tables_ahead(tables);

	if (!table || table->size != size)
		return NULL;
	/* Its address stands for no other table by now: the caller has been in a section since he saw it. */
	/* [PREPARED acquire] as in tables_ahead(); of all who try one alone succeeds (T4). */
	return atomic_compare_exchange_strong_explicit(&tables->ahead, &table, NULL, memory_order_acquire, memory_order_relaxed) ? table : NULL;
}

bool tables_advance(struct tables *tables, struct table *table)
{
	struct table *next = table_next(table), *from = table;

	/* [CURRENT seq_cst] pairs with tables_current(). T2: the caller has proven it. */
	if (!atomic_compare_exchange_strong_explicit(&tables->current, &from, next, memory_order_seq_cst,
						     memory_order_seq_cst))
		return false;
	/* relaxed: a statistic */
	atomic_fetch_add_explicit(next->size > table->size ? &tables->grown : &tables->shrunk, 1,
				  memory_order_relaxed);
	return true;
}

int table_alloc_line(struct tables *tables, enum line_state state, struct line **line)
{
	/* What a table has brought for lines is for those who migrate into it: writers wait, they cannot. */
	const bool writes_meanwhile = state == LINE_OPEN && (table_next(tables_current(tables)) || tables_ahead(tables));
	void *p = NULL;
	int error = memory_alloc_for(tables->memory, writes_meanwhile ? MEMORY_STRUCTURE : MEMORY_LINE, sizeof(struct line), 64, &p);

	if (error)
		return error;
	*line = p;
	line_init(*line, state);
	return 0;
}

void table_own_line(struct table *table, struct line *line)
{
	struct table_stripe *stripe = &table->stripe[stripe_index() & (table->stripes - 1)];
	struct line *head = atomic_load_explicit(&stripe->overflow, memory_order_relaxed);

	do
		/* relaxed: read by whoever frees the table, after a grace period */
		atomic_store_explicit(&line->ctl, (uint64_t)(uintptr_t)head, memory_order_relaxed);
	while (!atomic_compare_exchange_weak_explicit(&stripe->overflow, &head, line, memory_order_relaxed,
						      memory_order_relaxed));
	atomic_fetch_add_explicit(&stripe->lines, 1, memory_order_relaxed); /* a statistic */
}

void table_discard_line(struct tables *tables, struct line *line)
{
	memory_discard_for(tables->memory, MEMORY_LINE, line, sizeof *line);
}

uint64_t table_overflow_lines(const struct table *table)
{
	uint64_t lines = 0;

	/* relaxed: a statistic */
	for (unsigned s = 0; s < table->stripes; s++)
		lines += atomic_load_explicit(&((struct table *)table)->stripe[s].lines, memory_order_relaxed);
	return lines;
}

uint64_t table_bytes(const struct table *table)
{
	return array_bytes(table->size, table->ghosts) + table_struct_bytes(table->size) + table_overflow_lines(table) * sizeof(struct line);
}
