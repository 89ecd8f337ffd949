/* SPDX-License-Identifier: BSD-2-Clause */
#include "map/removed.h"

#include "layout/placeholder.h"
#include "map/fork.h"
#include "map/read.h"

void removed_tell(struct rcumap *map, const struct rcumap_entry *entry, enum rcumap_reason reason)
{
	if (!removed_is_told(map))
		return;

	/* It may call the map, for which a qsbr thread must be online; and before the next one it is offline again, so
	 * that grace periods pass however many are told. `paused` is of this thread, the reclaimer's: with a callback
	 * nobody helps it. */
	const bool paused = map->reclaimer.paused;
	const bool left = fork_turn_leave(map);

	map->section->resume(paused);
	map->removed(map->removed_ctx, entry, reason);
	if (paused)
		(void)map->section->pause();
	fork_turn_enter_again(map, left);
}

static void tell_remaining(void *ctx, uint64_t word)
{
	struct rcumap *map = ctx;
	const struct rcumap_entry *entry = slot_entry(word);
	struct read_moment now = { 0 };

	if (entry_is_placeholder(entry))
		return;
	removed_tell(map, entry, read_is_alive_at(map, entry, &now) ? RCUMAP_DESTROYED : RCUMAP_EXPIRED);
}

void removed_tell_remaining(struct rcumap *map)
{
	if (removed_is_told(map))
		map_each_word(map, tell_remaining, map);
}
