/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap/stats.h
 * What a map tells of itself. Include <rcumap.h>.
 */
#ifndef RCUMAP_PUBLIC_STATS_H
#define RCUMAP_PUBLIC_STATS_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/**
 * A snapshot of the map's counters. Each is exact while nothing changes, else off by no more than what happened
 * during the call; they are not of one moment. "So far" is since rcumap_create(). Later versions add fields at the
 * end.
 *
 * While nothing changes, entries = inserted - deleted - expired, and
 * retired_pending = replaced + deleted + expired - reclaimed.
 */
struct rcumap_stats {
	/** As rcumap_count(). */
	uint64_t entries;
	/** Entries stored so far under an absent key, also in place of an expired entry; in place of a living one,
	 * also of the copies that rcumap_touch() makes; removed by delete, delete_if, update or clear. */
	uint64_t inserted, replaced, deleted;
	/** Entries unlinked, awaiting their grace period; and those whose grace period has passed so far: given
	 * back, or left to those who hold them. */
	uint64_t retired_pending, reclaimed;
	/** Bytes of all memory that the map has now: tables, entries, free blocks, structures. */
	uint64_t memory_bytes;
	/** Of these: tables with their overflow lines, and the next one while it is prepared. */
	uint64_t table_bytes;
	/** Slots of the newest table without overflow lines; buckets' overflow lines in all live tables. */
	uint64_t table_slots, overflow_lines;
	/** Tables grown and shrunk so far. */
	uint64_t grown, shrunk;
	/** Times that the reclaimer could not make the table grow for want of memory; it tries again later. */
	uint64_t growth_failed;
	/** Grace periods that the map's reclaimer has waited for. */
	uint64_t grace_periods;
	/** Entries removed so far because their deadline had passed, or because they were given a life of 0. */
	uint64_t expired;
	/** Of `entries`, those with a deadline. Reminders of such that are filed, without those that writers have
	 * noted and the reclaimer has not filed yet, mostly a quarter of a second's worth. Bytes of both kinds,
	 * part of memory_bytes. */
	uint64_t expiring, hints, hint_bytes;
	/** Bytes of the entries in retired_pending: header, key and value, without rounding. */
	uint64_t retired_bytes;
	/** Entries that are held now, and their bytes, counted likewise. Some may still be in the map. */
	uint64_t held_entries, held_bytes;
	/** Readers so far who were found to hold up reclamation for stall_ms or longer; the age of the one who does
	 * so now, in milliseconds, else 0. */
	uint64_t stalls, stalled_ms;
	/** Entries removed so far to make room for others, in a map with a limit. */
	uint64_t evicted;
	/** In a map with max_bytes, else 0. What counts against the limit: never more than it. Of that, what no block
	 * has been allocated for: what writers have ahead, and what is set aside so that every removal succeeds. What
	 * the entries count that can be found. */
	uint64_t accounted_bytes, reserved_bytes, entry_bytes;
	/** Stores refused so far for want of room, with -ENOSPC or -EFBIG; stores that waited for room. */
	uint64_t refused, waited;
};

/**
 * Read the counters.
 *
 * @param[out] stats   filled with as much as `size` holds.
 * @param size         sizeof(struct rcumap_stats), as the caller was compiled; what a later caller knows more than
 *                     this library is set to 0.
 * @retval 0           done.
 * @retval -EINVAL     map or stats is NULL, or size is 0.
 *
 * Context: own section. Wait-free. Cost: some lines per writer stripe, of which there are 64.
 */
#if defined(__cplusplus) && defined(__GNUC__)
/* As with stat(2), function and struct share a name, and C++ wants `struct` before the latter; g++ -Wshadow would
 * warn. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
int rcumap_stats(const struct rcumap *map, struct rcumap_stats *stats, size_t size);
#if defined(__cplusplus) && defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#ifdef __cplusplus
}
#endif

#endif
