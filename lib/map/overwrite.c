/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/overwrite.h"

#include <errno.h>

#include "map/evict.h"

void overwrite_init(struct rcumap *map)
{
	const bool slab = memory_needs_section(&map->memory, SLAB_BLOCK_MAX);

	map->overwrite.endless = map->default_ttl_ms == RCUMAP_TTL_NEVER ? RCUMAP_TTL_DEFAULT : RCUMAP_TTL_NEVER;
	/* With a limit there is more to be counted and marked; larger ones are built outside of the section. */
	if (evict_is_on(map))
		return;
	map->overwrite.size_max = slab ? SLAB_BLOCK_MAX : BUILD_OUTSIDE_MIN - 1;
	map->overwrite.small_keys = slab ? map->short_keys : 0;
}

/* Allocate *entry and fill it. 0, -ENOMEM, -EFAULT. */
static int build(struct rcumap *map, unsigned stripe, const struct write_content *content, struct rcumap_entry **entry)
{
	const size_t size = entry_size(content->key_size, content->value_size, false);
	void *p = NULL;
	int error = memory_alloc_for(&map->memory, MEMORY_ENTRY, size, entry_align(size), &p);

	if (error == -ENOMEM)
		wake_signal(&map->reclaimer.wake); /* free blocks may rest with it */
	if (error)
		return error;
	*entry = p;
	overwrite_fill(map, stripe, content, p);
	return 0;
}

int overwrite(struct rcumap *map, const struct write_content *content, uint64_t hash, uint64_t *version, struct rcumap_entry **built)
{
	const struct table *table = tables_current(&map->tables);
	const unsigned stripe = stripe_index();
	/* With a hash of the user's all keys may have one: who is refused for that, again and again, shall take no memory. */
	const bool early = !map->tables.hash.fn;
	struct line *line = table_line(table, hash);
	struct bucket_place place;
	int error;

	prefetch_to_write(line);
	if (early && !*built) {
		error = build(map, stripe, content, built);
		if (error)
			return error;
	}
	if (!ctl_is_idle(ctl_load(line)) || table_next(table))
		return OVERWRITE_NOT;

	const struct rcumap_entry *old = bucket_locate(line, table_tag(table, hash), content->key, content->key_size, &place);

	if (!old || slot_is_frozen(place.word) || entry_has_deadline(old))
		return OVERWRITE_NOT;
	if (!early) {
		error = build(map, stripe, content, built);
		if (error)
			return error;
	}

	retire_cell *const cell = retire_reserve_here(&map->retire, stripe);

	return cell ? overwrite_displace(map, stripe, table, line, &place, entry_size_of(old), cell, *built, version) : OVERWRITE_NOT;
}
