/* SPDX-License-Identifier: BSD-2-Clause */
/* Entries that outlive their section: counted in the entry itself (layout/entry.h, E4). */
#include <errno.h>

#include "map/map.h"
#include "map/reclaim.h"

/* The entry of `bytes` is held now (1), or is no more (-1). */
static void count_held(struct rcumap *map, int64_t entries, size_t bytes)
{
	const unsigned index = stripe_index();
	struct map_stripe *stripe = &map->stripe[index];

	/* rcumap_destroy() looks when nobody else is there. */
	stripe_add(index, &stripe->held_entries, (uint64_t)entries);
	stripe_add(index, &stripe->held_bytes, (uint64_t)entries * bytes);
}

int rcumap_hold(struct rcumap *map, const struct rcumap_entry *entry)
{
	bool first;

	if (!map || !entry)
		return -EINVAL;
	map_assert_alive(map);
	/* In a callback: what is held then could not be released any more. */
	if (map->closing)
		return -ESHUTDOWN;
	/* First: whoever reclaims it after this section looks whether it is held. */
	retire_must_be_read(&map->retire);
	if (!entry_hold((struct rcumap_entry *)entry, &first))
		return -EOVERFLOW;
	if (first)
		count_held(map, 1, entry_size_of(entry));
	return 0;
}

void rcumap_release(struct rcumap *map, const struct rcumap_entry *entry)
{
	struct rcumap_entry *held = (struct rcumap_entry *)entry;
	bool last;

	if (!map || !entry)
		return;
	map_assert_alive(map);

	size_t bytes = entry_size_of(entry); /* afterwards it may be gone */
	bool mine = entry_release(held, &last);

	if (last)
		count_held(map, -1, bytes);
	if (mine)
		reclaimer_hand_over(map, held);
}
