/* SPDX-License-Identifier: BSD-2-Clause */
/* Options as the caller gave them, checked and completed. */
#ifndef RCUMAP_OPTIONS_H
#define RCUMAP_OPTIONS_H

#include <rcumap.h>

#include "section/section.h"

/* What a map is created with: every field is usable as it is. */
struct map_settings {
	unsigned bits; /* of the first table */
	const struct section_ops *section;
	rcumap_hash_fn *hash;
	void *hash_ctx;
	struct rcumap_allocator allocator; /* all NULL: the built-in one */
};

/* 0, -EINVAL, -E2BIG. */
int options_check(const struct rcumap_options *options, struct map_settings *settings);

#endif
