/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap/write.h
 * Writing one key: store, update, touch, delete. Include <rcumap.h>, which says where each may be called.
 *
 * All of these open a section of their own and are lock-free; all memory that a call needs is had before its effect
 * can be seen. What they displace is reclaimed after a grace period.
 */
#ifndef RCUMAP_PUBLIC_WRITE_H
#define RCUMAP_PUBLIC_WRITE_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------- storing */

/**
 * Store a value: insert the key, or replace its entry.
 *
 * @param key            its bytes, copied.
 * @param key_size       1 to RCUMAP_KEY_SIZE_MAX.
 * @param value          its bytes, copied; may be NULL if value_size is 0.
 * @param value_size     0 to RCUMAP_VALUE_SIZE_MAX.
 * @param ttl_ms         its life, see rcumap.h; the deadline of what is replaced has no effect.
 * @param[out] version   the version of the new entry, 0 with a life of 0; may be NULL.
 * @retval 0            stored.
 * @retval -EINVAL      map or key is NULL, key_size out of range, value NULL with a size.
 * @retval -EFBIG       value_size above RCUMAP_VALUE_SIZE_MAX; or the entry alone is more than max_bytes has room for.
 * @retval -ERANGE      ttl_ms is above RCUMAP_TTL_MAX, and neither RCUMAP_TTL_DEFAULT nor RCUMAP_TTL_NEVER.
 * @retval -ENOMEM      no memory.
 * @retval -EFAULT      the user's allocator returned an unusable address.
 * @retval -ENOSPC      the map has a limit, and other calls, under way just now, have all that there is to evict in
 *                      their hands: with fewer threads in calls than max_entries it does not happen. Or what
 *                      max_bytes allows awaits a grace period, or is held, and did not come back within wait_ms.
 * @retval -EOVERFLOW   too many keys share one hash: the bucket's chain is full and growth cannot help.
 * @retval -ESHUTDOWN   in a callback while the map is being destroyed.
 *
 * Context: own section. Lock-free; with max_bytes it may wait, as rcumap_options.wait_ms says. Ordering: all that
 * happened before the call is visible to a reader who finds the entry. Cost: as a find plus the entry's allocation and
 * copy, and, at a limit, what is evicted for it.
 */
int rcumap_put(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t ttl_ms, uint64_t *version);

/**
 * Store a value only if the key is absent. As rcumap_put(), and:
 * @retval -EEXIST      the key is present.
 */
int rcumap_add(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t ttl_ms, uint64_t *version);

/**
 * Store a value only if the key is present. As rcumap_put(), never -EOVERFLOW, and:
 * @retval -ENOENT      the key is absent.
 */
int rcumap_replace(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
		   uint64_t ttl_ms, uint64_t *version);

/**
 * Store a value only if the key's entry still has the version `expected`. As rcumap_replace(), and:
 * @retval -ESTALE      the key is present with another version.
 *
 * A touch does not change the version.
 */
int rcumap_compare_and_swap(struct rcumap *map, const void *key, size_t key_size, uint64_t expected, const void *value,
			    size_t value_size, uint64_t ttl_ms, uint64_t *version);

/* -------------------------------------------------------------------------------- updating */

/** What the function given to rcumap_update() wants. */
struct rcumap_value {
	/** The new value, copied: memory of the function's, or of ctx, that stays as it is until rcumap_update()
	 * returns or the function is called again. May be NULL if size is 0; may point into the old entry. */
	const void *data;
	size_t size;
	/** Its life, as of rcumap_put(). Preset to RCUMAP_TTL_KEEP: the deadline stays as it is, or is the default
	 * if the key is absent. */
	uint64_t ttl_ms;
};

/** Results of an rcumap_update_fn besides 0 and -errno. */
#define RCUMAP_KEEP 1	/**< leave the key as it is */
#define RCUMAP_REMOVE 2 /**< remove it, if it is there */

/**
 * Decides what becomes of a key.
 *
 * @param old     its entry, NULL if it is absent. Valid until the function returns, or in *value until
 *                rcumap_update() does.
 * @param value   zeroed, but for ttl_ms.
 * @return        0 to store *value, RCUMAP_KEEP, RCUMAP_REMOVE, or a negative number to give up with that error;
 *                anything else is -EINVAL.
 *
 * Called inside a read section, once or, as long as others change the key meanwhile, again: it must not block, have
 * effects that count calls, or call a map but for what the table in rcumap.h says.
 */
typedef int rcumap_update_fn(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value);

/**
 * Read, decide and write, atomically: what the last call of `fn` saw is what its result replaces.
 *
 * @param fn             see there.
 * @param ctx            passed to it.
 * @param[out] version   the version of the entry that is there afterwards, 0 if none is; may be NULL.
 * @retval 0             done, as the last call of `fn` said.
 * @retval -EINVAL       fn is NULL, or its result none of the above; or as rcumap_put().
 * Else the error that `fn` returned, or one of rcumap_put(), also after `fn` has been called; the key is as before.
 *
 * Context: own section. Lock-free, if `fn` is. Ordering: as rcumap_put(). Cost: as rcumap_put() and `fn`.
 */
int rcumap_update(struct rcumap *map, const void *key, size_t key_size, rcumap_update_fn *fn, void *ctx,
		  uint64_t *version);

/* -------------------------------------------------------------------------------- lives */

/**
 * Give a key a new life, from now on. Its value and version stay. Of several, and of stores, the last one wins; an
 * expiry that comes late never undoes it.
 *
 * @param ttl_ms        as of rcumap_put(); 0 removes the key, as expired.
 * @retval 0            done. If a short life has run out during the call, the key is absent by now.
 * @retval -ENOENT      the key is absent.
 * @retval -EINVAL      map or key is NULL, key_size out of range.
 * @retval -ERANGE, -ENOMEM, -EFAULT, -ENOSPC, -ESHUTDOWN   as rcumap_put(); the life is as before.
 *
 * Context: own section. Lock-free. Cost: as a find plus one compare-and-swap. An entry that was stored without a
 * deadline, or that somebody is about to replace, is replaced by a copy of its key and value with the same version:
 * the callback `removed` is told of the original as RCUMAP_REPLACED, and rcumap_stats.replaced counts it.
 */
int rcumap_touch(struct rcumap *map, const void *key, size_t key_size, uint64_t ttl_ms);

/* -------------------------------------------------------------------------------- removing */

/**
 * Remove a key.
 *
 * @retval 0            removed.
 * @retval -ENOENT      the key is absent.
 * @retval -EINVAL      map or key is NULL, key_size out of range.
 * @retval -ENOMEM      no memory for the record by which the entry would be retired, or to finish moving its bucket
 *                      to a smaller table; the key is still there.
 * @retval -ENOSPC      likewise within max_bytes, and it did not come back within wait_ms.
 * @retval -EFAULT      the user's allocator returned an unusable address for one of these.
 * @retval -ESHUTDOWN   in a callback while the map is being destroyed.
 *
 * Context: own section. Lock-free. Cost: as a find plus one compare-and-swap.
 */
int rcumap_delete(struct rcumap *map, const void *key, size_t key_size);

/**
 * Remove a key only if its entry still has the version `expected`. As rcumap_delete(), and:
 * @retval -ESTALE      the key is present with another version.
 */
int rcumap_delete_if(struct rcumap *map, const void *key, size_t key_size, uint64_t expected);

#ifdef __cplusplus
}
#endif

#endif
