/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap/read.h
 * Reading: sections, find, hold, get, batches, lives. Include <rcumap.h>, which says where each may be called.
 */
#ifndef RCUMAP_PUBLIC_READ_H
#define RCUMAP_PUBLIC_READ_H

#include "types.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------- read sections */

/**
 * Open a read section of the map's flavor. NULL: nothing happens.
 *
 * The same as the flavor's own rcu_read_lock(), except that ThreadSanitizer and debug builds of the library learn
 * of it. Sections nest: what was found in any of them stays valid until the outermost ends. Sections of one flavor
 * serve all maps of it. With qsbr the call does nothing: what was found stays valid until the thread's next
 * quiescent state.
 *
 * Context: a registered thread (memb, qsbr). Wait-free, but for a thread's first section with bp, which registers
 * it. Cost: two indirect calls, no shared line.
 */
void rcumap_read_lock(const struct rcumap *map);
/** Close the section that rcumap_read_lock() opened, in the same thread. Pointers found in it are dead now, unless
 * another section is open around it. */
void rcumap_read_unlock(const struct rcumap *map);

/** As rcumap_read_lock() and rcumap_read_unlock(), for callers who know the flavor: direct calls, no map. */
void rcumap_read_lock_bp(void);
void rcumap_read_unlock_bp(void);
void rcumap_read_lock_memb(void);
void rcumap_read_unlock_memb(void);
void rcumap_read_lock_qsbr(void);
void rcumap_read_unlock_qsbr(void);

/* -------------------------------------------------------------------------------- finding */

/**
 * Find an entry without copying it.
 *
 * @param map        the map.
 * @param key        its bytes.
 * @param key_size   1 to RCUMAP_KEY_SIZE_MAX.
 * @return           the entry, immutable and valid until the caller's read section ends; NULL if the key is absent.
 *                   If map or key is NULL, or key_size out of range, it is absent.
 *
 * It stays valid and as it is if the key is replaced, deleted or expires meanwhile.
 *
 * Context: inside a read section of the map's flavor. Wait-free: no lock, no retry, no store; but in a map
 * with max_entries one to the entry's own line, until it has been found three times since an eviction last passed by.
 * Ordering: what the writer did before his put is visible through the entry.
 * Cost: two cache lines on a hit (bucket, entry), one on most misses, plus the hash; a clock that needs no system
 * call if the entry has a deadline.
 */
const struct rcumap_entry *rcumap_find(const struct rcumap *map, const void *key, size_t key_size);

/** A key, for calls that take many. */
struct rcumap_key {
	const void *data;
	size_t size;
};

/**
 * Find many entries: as rcumap_find() for each, but the misses of memory overlap.
 *
 * @param keys          `n` keys, of any number.
 * @param[out] entries  `n` pointers: entries[i] is what rcumap_find() returns for keys[i]; NULL if that key is
 *                      absent.
 * @return              how many were found; 0 if map, keys or entries is NULL (then nothing is written).
 *
 * Context, ordering and progress: as rcumap_find(). Each key is found at a moment of its own.
 */
size_t rcumap_find_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n,
			 const struct rcumap_entry **entries);

/* -------------------------------------------------------------------------------- entries */

/* In all of these `entry` is one that was found and is still valid, or is held, or was given to a callback; not
 * NULL. Wait-free. */

/** The key's bytes, not terminated; 8-byte aligned. Valid as long as the entry. */
const void *rcumap_entry_key(const struct rcumap_entry *entry);
/** The key's size in bytes. */
size_t rcumap_entry_key_size(const struct rcumap_entry *entry);
/** The value's bytes, not terminated; 8-byte aligned if the key's size is a multiple of 8, else unaligned. Valid as
 * long as the entry; not NULL, even if the size is 0. */
const void *rcumap_entry_value(const struct rcumap_entry *entry);
/** The value's size in bytes. */
size_t rcumap_entry_value_size(const struct rcumap_entry *entry);
/** The entry's version: never 0, of no other value in the map's life, without order between entries. */
uint64_t rcumap_entry_version(const struct rcumap_entry *entry);

/** The life that the entry has left, in milliseconds, rounded up: 0 if its deadline has passed, RCUMAP_TTL_NEVER if
 * it has none. `map` is the entry's, not NULL. Of the entry as it is now: another thread may touch it; of one that
 * has been replaced or deleted, as it was then. */
uint64_t rcumap_entry_ttl(const struct rcumap *map, const struct rcumap_entry *entry);

/**
 * Keep an entry beyond its section, until rcumap_release(): whatever becomes of its key, the entry stays valid, and
 * as it is. Any number of times, by any number of threads; each needs a release of its own, by whatever thread.
 *
 * @param entry         one that was found, inside the section it was found in; or one that is held already, or was
 *                      given to a callback.
 * @retval 0            held.
 * @retval -EOVERFLOW   it is held 32,767 times already.
 * @retval -ESHUTDOWN   in a callback while the map is being destroyed.
 * @retval -EINVAL      map or entry is NULL.
 *
 * Lock-free. Cost: one atomic operation on the entry's line. What is held is memory that stays, however large:
 * rcumap_stats() tells. While anything is held the map cannot be destroyed.
 */
int rcumap_hold(struct rcumap *map, const struct rcumap_entry *entry);

/**
 * Give up what rcumap_hold() took; the entry must not be used any more, unless a section is open in which it was
 * found. NULL for map or entry: nothing happens.
 *
 * Context: anywhere but in a signal handler, by any thread. Lock-free.
 */
void rcumap_release(struct rcumap *map, const struct rcumap_entry *entry);

/* -------------------------------------------------------------------------------- copying out */

/**
 * Copy a value out.
 *
 * @param[out] buffer       where the value goes; may be NULL if buffer_size is 0.
 * @param buffer_size       its size in bytes.
 * @param[out] value_size   the value's size, also with -ENOBUFS; may be NULL.
 * @param[out] version      the entry's version, also with -ENOBUFS; may be NULL.
 * @retval 0                copied, whole.
 * @retval -ENOENT          the key is absent.
 * @retval -ENOBUFS         the value is larger than buffer_size; *value_size says what it needs, buffer is
 *                          untouched.
 * @retval -EINVAL          map or key is NULL, key_size out of range, buffer NULL with a size.
 *
 * Context: own section. Wait-free. Ordering: as rcumap_find(). Cost: as rcumap_find() plus the copy, during which
 * the section is open.
 */
int rcumap_get(const struct rcumap *map, const void *key, size_t key_size, void *buffer, size_t buffer_size,
	       size_t *value_size, uint64_t *version);

/** What rcumap_get_batch() copies for one key. The fields as the parameters of rcumap_get(). */
struct rcumap_copy {
	void *buffer;	    /**< in */
	size_t buffer_size; /**< in */
	size_t value_size;  /**< out, with 0 and -ENOBUFS */
	uint64_t version;   /**< out, with 0 and -ENOBUFS */
	int result;	    /**< out: what rcumap_get() would return */
};

/**
 * Copy many values out: as rcumap_get() for each, but the misses of memory overlap.
 *
 * @param keys              `n` keys, of any number.
 * @param[in,out] copies    `n`: copies[i] is for keys[i].
 * @return                  how many results are 0; 0 if map, keys or copies is NULL (then nothing is written).
 *
 * Context: own sections, one for some tens of keys. Wait-free. Each key is read at a moment of its own.
 */
size_t rcumap_get_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n, struct rcumap_copy *copies);

/**
 * The life that a key has left.
 *
 * @param[out] ttl_ms   milliseconds, rounded up, at least 1; RCUMAP_TTL_NEVER if it has no deadline.
 * @retval 0            found.
 * @retval -ENOENT      the key is absent.
 * @retval -EINVAL      map, key or ttl_ms is NULL, key_size out of range.
 *
 * Context: own section. Wait-free. Cost: as rcumap_find().
 */
int rcumap_ttl(const struct rcumap *map, const void *key, size_t key_size, uint64_t *ttl_ms);

#ifdef __cplusplus
}
#endif

#endif
