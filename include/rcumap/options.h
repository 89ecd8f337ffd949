/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap/options.h
 * What rcumap_create() can be told: allocator, hash, clock, callbacks, options. Include <rcumap.h>.
 *
 * All functions and contexts that are given here must stay usable until rcumap_destroy() has returned 0. All may be
 * called concurrently with themselves and each other, but for the callbacks `removed` and `stalled`.
 */
#ifndef RCUMAP_PUBLIC_OPTIONS_H
#define RCUMAP_PUBLIC_OPTIONS_H

#include "types.h"

/**
 * Where the map gets the memory of entries, tables and its own structures.
 *
 * `alloc` returns `size` bytes aligned to `align` (a power of two, at most 4096), or NULL; they need not be zero.
 * `size` is never 0. `free` takes back what `alloc` returned, with the same size. Both are called by every thread
 * that writes, mostly inside read sections, and by the reclaimer: they must be thread-safe, must not call the map,
 * and must not wait for a grace period. If they take a lock, writers are no longer lock-free.
 * Memory at or above 2^47 on x86-64, 2^48 elsewhere, or misaligned, is given back at once and the operation fails with
 * -EFAULT.
 */
struct rcumap_allocator {
	void *(*alloc)(void *ctx, size_t size, size_t align);
	void (*free)(void *ctx, void *p, size_t size);
	void *ctx;
};

/**
 * A hash of a key. It must depend on the bytes of the key and `ctx` alone. The map mixes the result once more, so
 * that it is enough if distinct keys mostly give distinct 64-bit values; whoever can choose keys with equal hashes
 * makes the map slow, and stores of new ones fail with -EOVERFLOW. Called inside read sections; must not call it.
 */
typedef uint64_t rcumap_hash_fn(void *ctx, const void *key, size_t key_size);

/**
 * A clock: nanoseconds since any moment, below 2^62. For tests and simulations, instead of CLOCK_MONOTONIC. It may
 * stand still, or go backward: what is expired for good (its key was found absent by a writer, or the reclaimer has
 * taken it) does not come back, what has a deadline still ahead lives on. Called inside read sections, by finds,
 * too, and by the reclaimer some 20 times a second while anything has a deadline; must not call the map.
 */
typedef uint64_t rcumap_clock_fn(void *ctx);

/** Why an entry was removed. */
enum rcumap_reason {
	RCUMAP_DELETED = 1, /**< delete, delete_if, update */
	RCUMAP_REPLACED,    /**< put, replace, compare_and_swap, update; or touch, where it put a copy in its place */
	RCUMAP_EXPIRED,	    /**< its deadline had passed, or it was given a life of 0 */
	RCUMAP_CLEARED,	    /**< clear, whatever its deadline */
	RCUMAP_DESTROYED,   /**< it was alive when the map was destroyed */
	RCUMAP_EVICTED	    /**< to make room for another, in a map with a limit */
};

/**
 * Told of each entry that was removed, once, after its grace period: no reader has it any more, but who holds it.
 * That is some milliseconds after the removal if no reader stays; with memb, where all processors are busy, up to
 * 50 ms more, unless somebody waits for it.
 *
 * `entry` is valid during the call; rcumap_hold() keeps it longer. Entries come in no particular order, not even
 * those of one key.
 *
 * Context: the reclaimer's thread, one call at a time, outside of any section (with qsbr: online), with no lock
 * held. It may take its time, but meanwhile the reclaimer does nothing else: garbage grows, what has expired keeps
 * its memory. With qsbr it should go offline while it waits for anything. It may call the map as the table in
 * rcumap.h says, and other maps freely, if none of their callbacks waits for this one.
 *
 * rcumap_destroy() has it told of all that is still there, as RCUMAP_DESTROYED or RCUMAP_EXPIRED. Meanwhile stores,
 * removals, rcumap_touch(), rcumap_update(), rcumap_clear() and rcumap_hold() return -ESHUTDOWN; what is still
 * there can be found until the last call has returned.
 */
typedef void rcumap_removed_fn(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason);

/** A reader who holds back reclamation. */
struct rcumap_stall {
	/** How long he has been in his section, at least: since the grace period began that waits for him. */
	uint64_t age_ms;
	/** Bytes of entries that await their grace period, as rcumap_stats.retired_bytes. */
	uint64_t bytes;
	/** In a debug build of the library: the thread (gettid) that has been longest in a section that it opened
	 * through rcumap_read_lock(), rcumap_read_lock_bp() and so on; else 0. */
	int64_t thread;
};

/**
 * Told when a reader has held up a grace period that the map waits for, for `stall_ms`, and again each time that
 * his age has doubled. `stall` is valid during the call. Context: as rcumap_removed_fn.
 */
typedef void rcumap_stalled_fn(void *ctx, const struct rcumap_stall *stall);

/**
 * Options of rcumap_create(). Zero the struct, set `size`, then what differs from the default:
 *
 *     struct rcumap_options options = { .size = sizeof options, .capacity = 1000000 };
 *
 * The struct is not kept. Later versions add fields at its end, and nowhere else.
 */
struct rcumap_options {
	/** sizeof(struct rcumap_options), as the caller was compiled. A larger struct of a later version is
	 * accepted as long as its unknown tail is zero; none will be larger than 4096 bytes. */
	size_t size;
	/** Entries that fit before the table first grows, and below which it never shrinks. 0: a small table. At
	 * most RCUMAP_CAPACITY_MAX. The map grows beyond, unless max_entries says otherwise. */
	uint64_t capacity;
	/** &urcu_bp_flavor (default, NULL), &urcu_memb_flavor or &urcu_qsbr_flavor, from <urcu/flavor.h>. */
	const struct rcu_flavor_struct *flavor;
	/** NULL: XXH3 with a random seed per map. */
	rcumap_hash_fn *hash;
	/** Passed to `hash`; must be NULL if that is. */
	void *hash_ctx;
	/** Both functions set, or both NULL for the built-in allocator. */
	struct rcumap_allocator allocator;
	/** The life of what is stored with RCUMAP_TTL_DEFAULT: 1 to RCUMAP_TTL_MAX milliseconds, or
	 * RCUMAP_TTL_NEVER; 0: that too. */
	uint64_t default_ttl_ms;
	/** NULL: CLOCK_MONOTONIC. */
	rcumap_clock_fn *clock;
	/** Passed to `clock`; must be NULL if that is. */
	void *clock_ctx;
	/** Told of each removed entry; may be NULL. With it, writers do not help to give memory back. */
	rcumap_removed_fn *removed;
	/** Passed to `removed`; must be NULL if that is. */
	void *removed_ctx;
	/** Told of readers who hold back reclamation for `stall_ms` or longer; may be NULL. */
	rcumap_stalled_fn *stalled;
	/** Passed to `stalled`; must be NULL if that is. */
	void *stalled_ctx;
	/** From how many milliseconds on a reader is a stall, for `stalled` and for rcumap_stats: 1 to
	 * RCUMAP_TTL_MAX; 0: 10,000. */
	uint64_t stall_ms;
	/** Entries in the map, at most, at any instant: RCUMAP_MAX_ENTRIES_MIN to RCUMAP_CAPACITY_MAX; 0: no limit.
	 * Those that were removed and await their grace period do not count. Who stores one more evicts another first:
	 * one that was not found for a while, by a policy that doc/eviction.md describes, of at most 64 that he looks
	 * at. A capacity beyond it is cut down to it. */
	uint64_t max_entries;
	/** Bytes of memory that the map has, at most, at any instant: RCUMAP_MAX_BYTES_MIN to RCUMAP_MAX_BYTES_MAX;
	 * 0: no limit. All of it counts, as it was allocated: entries, also those that were removed and await their
	 * grace period or are held; tables, both of them while one grows; reminders of deadlines, and all other
	 * structures, but for the stacks of the map's threads. Who stores makes room by evicting others, as with
	 * max_entries: of at most twice the size of what he stores, and one more. Some of the limit is kept free for
	 * what awaits its grace period, from a 64th to an eighth of it, as there is need. Each entry is a block of
	 * malloc, and counts malloc_usable_size() and 24 bytes; from an `allocator` of the user's, what was asked for
	 * and 16 bytes. A capacity whose table would take more than a quarter of the limit is cut down. More in
	 * doc/limits.md. */
	uint64_t max_bytes;
	/** With max_bytes: how many milliseconds a store waits, at most, where all memory that it could have awaits a
	 * grace period or is held, and none is given back meanwhile, before it is refused; ten times that in all: 1 to
	 * RCUMAP_TTL_MAX; RCUMAP_WAIT_NONE: not at all; 0: a second with bp and memb, not at all with qsbr. It never
	 * waits inside the caller's section, nor in a callback. With qsbr, where sections cannot be told, a store that
	 * may wait is a quiescent state: it ends the validity of whatever its thread has found. */
	uint64_t wait_ms;
};

#endif
