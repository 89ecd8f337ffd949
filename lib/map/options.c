/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/options.h"

#include <errno.h>
#include <stdbool.h>

#include "protocol/table.h"

/* No later version's options will be larger. */
#define OPTIONS_SIZE_MAX 4096u

static bool is_zero(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

int options_check(const struct rcumap_options *options, struct map_settings *settings)
{
	*settings = (struct map_settings){ .bits = TABLE_BITS_MIN, .section = &section_bp };
	if (!options)
		return 0;
	/* The first release's options are the shortest there are. */
	if (options->size < sizeof *options)
		return -EINVAL;
	/* Not a size, but garbage: nothing behind the struct is looked at. */
	if (options->size > OPTIONS_SIZE_MAX)
		return -E2BIG;
	if (!is_zero((const unsigned char *)options + sizeof *options, options->size - sizeof *options))
		return -E2BIG;
	if (options->capacity > RCUMAP_CAPACITY_MAX)
		return -EINVAL;
	if (!options->allocator.alloc != !options->allocator.free)
		return -EINVAL;
	if (!options->hash && options->hash_ctx)
		return -EINVAL;
	if (options->flavor)
		settings->section = section_ops_of(options->flavor);
	if (!settings->section)
		return -EINVAL;
	settings->bits = table_bits_for(options->capacity);
	settings->hash = options->hash;
	settings->hash_ctx = options->hash_ctx;
	settings->allocator = options->allocator;
	if (!settings->allocator.alloc)
		settings->allocator.ctx = NULL;
	return 0;
}
