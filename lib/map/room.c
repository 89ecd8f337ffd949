/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/room.h"

#include <errno.h>

#include "map/evict.h"
#include "map/resize.h"
#include "map/spare.h"
#include "protocol/load.h"

/* Without waiting for the reclaimer any more. While the next table's pages are touched, chains may grow for a while. */
static bool must_grow(const struct rcumap *map, const struct table *table, uint64_t entries)
{
	return load_must_grow(entries, table->size) &&
	       (tables_have_ahead(&map->tables, table->size + 1) ? load_is_late(entries, table->size) : spare_may_grow(map, table, entries));
}

/* The bucket is full and its chain long. 0: look again, the table grows; 1: chain one more line; -EOVERFLOW: growing
 * would not help; -ENOMEM, -EFAULT: it would, but cannot be. */
static int relieve(struct attempt *attempt, const struct table *table, const struct bucket_view *view)
{
	uint64_t entries = map_occupied(attempt->map);

	if (view->lines >= LOAD_CHAIN_LONG && load_is_sparse(entries, table->size))
		return -EOVERFLOW;
	if (view->lines < LOAD_CHAIN_LONG && !must_grow(attempt->map, table, entries))
		return 1;

	/* The reclaimer is late: grow here and now, with bounded work. */
	int error = reclaimer_grow_urgently(attempt->map, table);

	if (!error)
		return 0;
	if (view->lines < LOAD_CHAIN_MAX)
		return 1;
	/* Somebody grows it: help on, until this bucket has its turn. */
	return error == -EBUSY ? 0 : error;
}

static int chain_line(struct attempt *attempt, struct finding *finding)
{
	struct tables *tables = &attempt->map->tables;
	struct table *table = finding->table;
	struct bucket_view *view = &finding->view;
	struct line *line = NULL;

	if (view->lines >= LOAD_CHAIN_LATE) {
		int result = relieve(attempt, table, view);

		if (result <= 0)
			return result;
	}

	int error = table_alloc_line(tables, LINE_OPEN, &line);

	if (!error && !bucket_extend(table, view, line))
		table_discard_line(tables, line);
	return error;
}

int room_make(struct attempt *attempt, struct finding *finding)
{
	int error = chain_line(attempt, finding);

	/* Nobody evicts for the entry before its bucket has room, and perhaps nobody else stores anything. */
	if (error == -ENOSPC)
		evict_pay(attempt, EVICT_LINE_BYTES);
	return error;
}
