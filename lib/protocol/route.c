/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocol/route.h"

struct table *route_bucket(struct tables *tables, uint64_t hash, struct bucket_view *view, int *error)
{
	struct table *table = tables_current(tables), *before = NULL;

	*error = 0;
	for (;;) {
		struct line *line = table_line(table, hash);
		uint64_t ctl = ctl_load(line);

		if (ctl == CTL_MIGRATED) {
			before = table;
			table = table_next(table);
			continue;
		}
		if (ctl == CTL_INIT) {
			/* Its sources are on their way to MIGRATED, or there already. One of them led here: a current
			 * table is open everywhere. */
			*error = migrate_bucket(tables, before, hash);
			if (*error)
				return NULL;
			continue;
		}
		if (table_next(table)) {
			*error = migrate_bucket(tables, table, hash);
			if (!*error)
				continue;
			ctl = ctl_load(line);
			if (ctl == CTL_FROZEN)
				return NULL;
			if (ctl == CTL_MIGRATED)
				continue;
		}
		if (ctl_is_busy(ctl)) {
			bucket_help(tables, table, line, ctl);
			continue;
		}
		if (ctl == CTL_FROZEN)
			continue; /* frozen since table_next() was looked at */
		view->line = line;
		view->ctl = ctl;
		view->tag = table_tag(table, hash);
		return table;
	}
}
