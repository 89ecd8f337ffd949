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

/* rcumap_create() with these options fails cleanly at each of its allocations, on `allocator`. */
static inline void fault_each_of_create(struct fault_allocator *allocator, struct rcumap_options options, const char *what)
{
	uint64_t failures = 0, wrong = 0;

	options.size = sizeof options;
	options.flavor = flavor_rcu(fixture_flavor);
	for (;;) {
		struct rcumap *untouched = (struct rcumap *)(uintptr_t)0x5eed, *map = untouched;
		int error;

		fault_init(allocator);
		options.allocator = fault_allocator(allocator);
		fault_arm(failures + 1, FAULT_NULL);
		error = rcumap_create(&map, &options);
		if (!fault_disarm()) {
			wrong += error != 0;
			rcumap_destroy(map);
			break;
		}
		failures++;
		wrong += error != -ENOMEM || map != untouched || !fault_settled(allocator);
	}
	ok(wrong == 0 && failures > 0, "%s: create with %s fails cleanly at each of %llu allocations", fixture_name(), what,
	   (unsigned long long)failures);
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
