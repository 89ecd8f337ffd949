/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/options.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "protocol/table.h"

/* The first release's options: the shortest there are. */
#define OPTIONS_SIZE_MIN offsetof(struct rcumap_options, default_ttl_ms)
/* No later version's options will be larger. */
#define OPTIONS_SIZE_MAX 4096u

/* Of max_bytes the first table takes this part, at most. */
#define FIRST_TABLE_PART 4u

/* A reader who stays so long in his section is reported, by default. */
#define STALL_MS 10000u

static bool is_zero(const unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

int options_read(const void *given, size_t least, void *known, size_t known_size)
{
	const size_t size = *(const size_t *)given;

	if (size < least)
		return -EINVAL;
	/* Not a size, but garbage: nothing behind the struct is looked at. */
	if (size > OPTIONS_SIZE_MAX)
		return -E2BIG;
	if (size > known_size && !is_zero((const unsigned char *)given + known_size, size - known_size))
		return -E2BIG;
	memcpy(known, given, size < known_size ? size : known_size);
	return 0;
}

/* A context without the function that it is for is a mistake. */
static bool contexts_have_functions(const struct rcumap_options *options)
{
	return (options->hash || !options->hash_ctx) && (options->clock || !options->clock_ctx) &&
	       (options->removed || !options->removed_ctx) && (options->stalled || !options->stalled_ctx) &&
	       !options->allocator.alloc == !options->allocator.free;
}

static bool times_are_valid(const struct rcumap_options *options)
{
	return (options->default_ttl_ms <= RCUMAP_TTL_MAX || options->default_ttl_ms == RCUMAP_TTL_NEVER) &&
	       options->stall_ms <= RCUMAP_TTL_MAX &&
	       (options->wait_ms <= RCUMAP_TTL_MAX || options->wait_ms == RCUMAP_WAIT_NONE);
}

static bool is_within(uint64_t limit, uint64_t least, uint64_t most)
{
	return !limit || (limit >= least && limit <= most);
}

static bool limits_are_valid(const struct rcumap_options *options)
{
	return is_within(options->max_entries, RCUMAP_MAX_ENTRIES_MIN, RCUMAP_CAPACITY_MAX) &&
	       is_within(options->max_bytes, RCUMAP_MAX_BYTES_MIN, RCUMAP_MAX_BYTES_MAX);
}

/* A first table that leaves most of the limit to entries. */
static unsigned first_size(const struct rcumap_options *options)
{
	unsigned size = table_size_for(options_cut(options->capacity, options->max_entries));

	while (options->max_bytes && size > SIZE_FIRST &&
	       sizeof(struct line) * size_buckets(size) > options->max_bytes / FIRST_TABLE_PART)
		size--;
	return size;
}

uint64_t options_cut(uint64_t capacity, uint64_t max_entries)
{
	return max_entries && capacity > max_entries ? max_entries : capacity;
}

int options_check(const struct rcumap_options *options, struct map_settings *settings)
{
	struct rcumap_options known = { 0 };
	int error = options ? options_read(options, OPTIONS_SIZE_MIN, &known, sizeof known) : 0;

	if (error)
		return error;
	if (known.capacity > RCUMAP_CAPACITY_MAX || !limits_are_valid(&known) ||
	    !contexts_have_functions(&known) || !times_are_valid(&known))
		return -EINVAL;
	*settings = (struct map_settings){
		.table_size = first_size(&known),
		.max_entries = known.max_entries,
		.max_bytes = known.max_bytes,
		.wait_ms = known.wait_ms,
		.section = known.flavor ? section_ops_of(known.flavor) : &section_bp,
		.hash = known.hash,
		.hash_ctx = known.hash_ctx,
		.allocator = known.allocator,
		.clock = { known.clock, known.clock_ctx },
		.default_ttl_ms = known.default_ttl_ms ? known.default_ttl_ms : RCUMAP_TTL_NEVER,
		.removed = known.removed,
		.removed_ctx = known.removed_ctx,
		.stalled = known.stalled,
		.stalled_ctx = known.stalled_ctx,
		.stall_ms = known.stall_ms ? known.stall_ms : STALL_MS,
	};
	if (!settings->section)
		return -EINVAL;
	if (!settings->allocator.alloc)
		settings->allocator.ctx = NULL;
	return 0;
}
