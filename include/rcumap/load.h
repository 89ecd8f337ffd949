/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap/load.h
 * Filling a map on demand: get_or_load. Include <rcumap.h>, which says where it may be called.
 */
#ifndef RCUMAP_PUBLIC_LOAD_H
#define RCUMAP_PUBLIC_LOAD_H

#include "types.h"
#include "write.h"

#ifdef __cplusplus
extern "C" {
#endif

/** In rcumap_loader.timeout_ms: wait as long as it takes. */
#define RCUMAP_WAIT_FOREVER UINT64_MAX

/**
 * Gets the value of a key from wherever it comes.
 *
 * @param ctx      the loader's.
 * @param key      the key that rcumap_get_or_load() was called with, the caller's own bytes.
 * @param value    zeroed, but for ttl_ms, which is RCUMAP_TTL_DEFAULT. `data` must stay as it is until `unload` is
 *                 called for it, or, without one, until rcumap_get_or_load() returns. With a life of 0 it is given to
 *                 those who wait, and not stored.
 * @return         0: *value is set. -ENOENT: there is no such key; another negative number: any other error. These are
 *                 what rcumap_get_or_load() returns. A positive number counts as -EINVAL.
 *
 * Context: the thread that called rcumap_get_or_load(), outside of any section of the map's flavor, with no lock held:
 * it may take its time, and call any map. With qsbr the thread is offline: it must go online (rcu_thread_online()) to
 * call one, and offline again afterwards. It must return: not be left by longjmp, pthread_exit or an exception.
 */
typedef int rcumap_load_fn(void *ctx, const void *key, size_t key_size, struct rcumap_value *value);

/** Gives back what a load allocated; called once after each that returned 0, by the same thread, when its value has
 * been copied. Context: as rcumap_load_fn, but with qsbr online: it should not take long. */
typedef void rcumap_unload_fn(void *ctx, const struct rcumap_value *value);

/**
 * How keys are loaded. Zero the struct, set `size`, then the rest. The library keeps nothing of it; calls for the same
 * map and key may differ in it, and then the loader of the one who loads counts, and each one's own timeout_ms.
 */
struct rcumap_loader {
	/** sizeof(struct rcumap_loader), as of rcumap_options. */
	size_t size;
	rcumap_load_fn *load;
	/** May be NULL. */
	rcumap_unload_fn *unload;
	/** Passed to both. */
	void *ctx;
	/** How long to wait for another thread that loads the key, in milliseconds of CLOCK_MONOTONIC, from when it was
	 * found to: up to RCUMAP_TTL_MAX, or RCUMAP_WAIT_FOREVER; 0: not at all. The own load is not limited by it. */
	uint64_t timeout_ms;
	/** How long it is remembered that `load` returned -ENOENT, or another error: so long rcumap_get_or_load()
	 * returns the same for that key, to everybody, and loads nothing. Up to RCUMAP_TTL_MAX; 0: not at all. */
	uint64_t absent_ttl_ms, error_ttl_ms;
};

/**
 * Find an entry, or else load its value and store it. Of all threads that miss the same key one runs the loader, and
 * the others wait for its result.
 *
 * @param key          its bytes; the loader sees them where they are.
 * @param key_size     1 to RCUMAP_KEY_SIZE_MAX.
 * @param loader       see there. Not kept.
 * @param[out] entry   the entry, held as by rcumap_hold(): the caller must give it back by rcumap_release().
 * @retval 0           found or loaded.
 * @retval -EINVAL     map, key, loader, loader->load or entry is NULL, key_size out of range, loader->size too small;
 *                     or the loader returned a positive number, or a NULL value with a size.
 * @retval -E2BIG      loader->size is larger than this library knows, with a tail that is not zero; or above 4096.
 * @retval -ERANGE     a time of the loader's is out of range; or the life of what it loaded is, as of rcumap_put().
 * @retval -ETIMEDOUT  another thread loads the key, and has not returned in time; it goes on.
 * @retval -EAGAIN     another thread loads the key, and timeout_ms is 0.
 * @retval -EDEADLK    the caller is inside a read section (bp, memb) or in a callback of the map; or it would wait for
 *                     itself: in the loader of the same key, or in one that another thread waits for, directly or
 *                     through further loads of any maps, in whose loader this key is being loaded.
 * @retval -EOVERFLOW  the entry is held 32,767 times already; or as of rcumap_put().
 * @retval -EFBIG, -ENOMEM, -EFAULT, -ENOSPC   as of rcumap_put(), before or after the loader was called, and after the
 *                     same wait in a map with max_bytes; all who waited
 *                     for it get the same.
 * Else what the loader returned, now or a while ago (see absent_ttl_ms), to this thread or to the one that it waited
 * for.
 *
 * While a key is loaded it is absent for all other calls. The first store or removal of it that comes meanwhile takes
 * effect, and what is loaded is then not stored: those who wait get the value, in an entry that was never in the map,
 * and who calls after the store or removal has returned does not wait for that load any more. A removal is
 * rcumap_delete(), rcumap_delete_if() with any version, rcumap_update() that says RCUMAP_REMOVE, anything with a life
 * of 0, and rcumap_clear(); it returns -ENOENT, or whatever else it does for an absent key. It likewise ends what is
 * remembered of a load that failed.
 *
 * What is being loaded, and failures that are remembered, are no entries to rcumap_count(), rcumap_stats(),
 * rcumap_scan() and the callback `removed`; but in a map with a limit each counts as one of max_entries, and may be
 * evicted, the former only for want of anything else. A value whose load has been evicted is not stored.
 *
 * In a child of fork() the loads of other threads are forgotten.
 *
 * Context: outside any section; with qsbr online, and the call is a quiescent state. Blocks while it loads, or waits
 * for another thread that does. Ordering: all that happened in the loader is visible to whoever gets the entry. Cost:
 * on a hit as rcumap_find() and rcumap_hold(); on a miss two stores and a lock of the process's, in which no more is
 * done than to link a load or its waiters.
 */
int rcumap_get_or_load(struct rcumap *map, const void *key, size_t key_size, const struct rcumap_loader *loader,
		       const struct rcumap_entry **entry);

#ifdef __cplusplus
}
#endif

#endif
