/* SPDX-License-Identifier: BSD-2-Clause */
#include "census.h"

#include <rcumap.h>

#include <stdio.h>
#include <stdlib.h>

#define VISIT_AT_ONCE 512u

void census_init(struct census *census, uint64_t entries)
{
	/* Those that come and go during a scan are met, too. */
	census->room = 8 * entries + 4096;
	for (unsigned i = 0; i < 2; i++) {
		census->scan[i].count = 0;
		census->scan[i].versions = malloc(census->room * sizeof census->scan[i].versions[0]);
		if (!census->scan[i].versions) {
			fprintf(stderr, "no memory for a census\n");
			exit(2);
		}
	}
}

void census_fini(struct census *census)
{
	free(census->scan[0].versions);
	free(census->scan[1].versions);
}

struct visit {
	struct census *census;
	unsigned scan;
};

static int note(void *ctx, const struct rcumap_entry *entry)
{
	struct visit *visit = ctx;
	struct census *census = visit->census;

	if (census->scan[visit->scan].count < census->room)
		census->scan[visit->scan].versions[census->scan[visit->scan].count++] = rcumap_entry_version(entry);
	return 0;
}

static int by_value(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

/* Each once: who moves during a scan may be met twice. */
static uint64_t count_common(const uint64_t *a, uint64_t na, const uint64_t *b, uint64_t nb)
{
	uint64_t n = 0;

	for (uint64_t i = 0, j = 0; i < na && j < nb;) {
		if (a[i] == b[j]) {
			n += i == 0 || a[i] != a[i - 1];
			i++;
		} else if (a[i] < b[j]) {
			i++;
		} else {
			j++;
		}
	}
	return n;
}

uint64_t census_take(struct census *census, const struct rcumap *map)
{
	for (unsigned i = 0; i < 2; i++) {
		struct visit visit = { census, i };
		uint64_t cursor = 0;

		census->scan[i].count = 0;
		while (rcumap_scan(map, &cursor, VISIT_AT_ONCE, note, &visit) > 0)
			;
	}
	for (unsigned i = 0; i < 2; i++)
		qsort(census->scan[i].versions, census->scan[i].count, sizeof census->scan[i].versions[0], by_value);
	return count_common(census->scan[0].versions, census->scan[0].count, census->scan[1].versions,
			    census->scan[1].count);
}
