/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file allocator_fixture.h
 * Maps whose memory comes from the checked allocator, and what this machine's kernel grants.
 */
#ifndef ALLOCATOR_FIXTURE_H
#define ALLOCATOR_FIXTURE_H

#include "checked_allocator.h"
#include "fixture.h"

/* A map of the turn's flavor on `allocator`, which is fresh then; with `options` for the rest; NULL: defaults. */
static inline struct rcumap *fault_map(struct fault_allocator *allocator, const struct rcumap_options *options)
{
	struct rcumap_options o;

	memset(&o, 0, sizeof o);
	if (options)
		o = *options;
	fault_init(allocator);
	o.allocator = fault_allocator(allocator);
	return fixture_map(&o);
}

/* Then no mapping is refused, however large. */
static inline bool overcommits_always(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
	int c = file ? fgetc(file) : EOF;

	if (file)
		fclose(file);
	return c == '1';
}

#endif
