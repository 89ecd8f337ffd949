/* SPDX-License-Identifier: BSD-2-Clause */
/* Options as the caller gave them, checked and completed. */
#ifndef RCUMAP_OPTIONS_H
#define RCUMAP_OPTIONS_H

#include <rcumap.h>

#include "ground/clock.h"
#include "section/section.h"

/* What a map is created with: every field is usable as it is. */
struct map_settings {
	unsigned table_size; /* of the first table */
	uint64_t max_entries, max_bytes; /* 0: no limit */
	uint64_t wait_ms; /* 0: by flavor */
	const struct section_ops *section;
	rcumap_hash_fn *hash;
	void *hash_ctx;
	struct rcumap_allocator allocator; /* all NULL: the built-in one */
	struct clock clock;
	uint64_t default_ttl_ms; /* RCUMAP_TTL_NEVER: none */
	rcumap_removed_fn *removed;
	void *removed_ctx;
	rcumap_stalled_fn *stalled;
	void *stalled_ctx;
	uint64_t stall_ms;
};

/* Capacity that is of use under a limit; 0: none. */
uint64_t options_cut(uint64_t capacity, uint64_t max_entries);

/* 0, -EINVAL, -E2BIG. */
int options_check(const struct rcumap_options *options, struct map_settings *settings);

/* Of a struct of the user's that begins with its size, as he was compiled: set what is `known`, and zero before, as far as it
 * goes. 0, -EINVAL (it is shorter than `least`), -E2BIG (its tail, unknown here, is not zero; or it is no size). */
int options_read(const void *given, size_t least, void *known, size_t known_size);

#endif
