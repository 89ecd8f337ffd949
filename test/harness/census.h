/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file census.h
 * How many entries are in a map at one instant, while others write: a lower bound, and a good one.
 *
 * A version that two scans meet, one after the other, was there between the two: it is given once, and never comes
 * back. So all that both met were there together.
 */
#ifndef HARNESS_CENSUS_H
#define HARNESS_CENSUS_H

#include <stdint.h>

struct rcumap;

struct census {
	uint64_t room; /* for versions, of each scan; what is beyond is not counted */
	struct {
		uint64_t count, *versions;
	} scan[2];
};

/** Room for maps of up to `entries` entries. Ends the program if there is no memory. */
void census_init(struct census *census, uint64_t entries);
void census_fini(struct census *census);

/** Scan the map twice; how many entries were there in between, at least? Opens sections of its own. */
uint64_t census_take(struct census *census, const struct rcumap *map);

#endif
