/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap/types.h
 * Limits, lives and opaque types, for all parts of the reference. Include <rcumap.h>.
 */
#ifndef RCUMAP_PUBLIC_TYPES_H
#define RCUMAP_PUBLIC_TYPES_H

#include <stddef.h>
#include <stdint.h>

/** Largest key, in bytes. The smallest is 1. */
#define RCUMAP_KEY_SIZE_MAX 65535u
/** Largest value, in bytes. The smallest is 0. */
#define RCUMAP_VALUE_SIZE_MAX 2147483647u
/** Largest number of entries that rcumap_reserve() and rcumap_options.capacity accept. */
#define RCUMAP_CAPACITY_MAX (UINT64_C(1) << 40)
/** Smallest limit on entries that rcumap_options.max_entries accepts. */
#define RCUMAP_MAX_ENTRIES_MIN 16u
/** Smallest limit on bytes that rcumap_options.max_bytes accepts: a mebibyte; the largest. */
#define RCUMAP_MAX_BYTES_MIN (UINT64_C(1) << 20)
#define RCUMAP_MAX_BYTES_MAX (UINT64_C(1) << 60)

/** A life without end: never expires. */
#define RCUMAP_TTL_NEVER UINT64_MAX
/** The life that rcumap_options.default_ttl_ms says. */
#define RCUMAP_TTL_DEFAULT (UINT64_MAX - 1)
/** In rcumap_value.ttl_ms alone: no change of the deadline. */
#define RCUMAP_TTL_KEEP (UINT64_MAX - 2)
/** In rcumap_options.wait_ms alone: never wait. */
#define RCUMAP_WAIT_NONE UINT64_MAX
/** Largest life, in milliseconds: two hundred years. */
#define RCUMAP_TTL_MAX (UINT64_C(200) * 366 * 86400 * 1000)

/** The map. Opaque; owned by whoever created it, until rcumap_destroy(). */
struct rcumap;

/** A key with its value, immutable once published. Opaque; owned by the map. */
struct rcumap_entry;

/** liburcu's `struct rcu_flavor_struct` (from <urcu/flavor.h>), named here so that no urcu header is needed. */
struct rcu_flavor_struct;

#endif
