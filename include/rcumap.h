/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap.h
 * librcumap: an embeddable, read-mostly hash map for latency-sensitive services.
 *
 * Readers traverse under userspace RCU without a lock, a retry or a store to shared memory. Writers
 * serialize per bucket by compare-and-swap. Deleted and replaced entries are reclaimed after a grace
 * period by one background thread per map.
 *
 * What bites first:
 *
 * - A pointer from rcumap_find() is valid only until the read section in which it was found ends.
 *   Leave the section and it dangles, even if nobody deleted the key as far as you know.
 * - A read section that stays open holds back all reclamation in the process for its flavor: memory
 *   then grows with every delete and replacement. Never block, sleep or do I/O inside one.
 * - Garbage also grows while more writers than processors overwrite without pause: a grace period has to wait
 *   until each of them has had its turn. They yield then, but nothing bounds the garbage yet.
 * - Threads must be registered with liburcu for the memb and qsbr flavors before their first call,
 *   including calls that only write. The default flavor, bp, registers threads by itself.
 * - With qsbr a thread is "inside a read section" whenever it is online: announce quiescent states
 *   (rcu_quiescent_state) or go offline regularly, or nothing is ever reclaimed.
 * - rcumap_destroy() requires that no other thread uses the map any more.
 * - After fork() the child has no background threads: it may only exec or _exit; any call on a map may hang.
 * - A thread must not be cancelled (pthread_cancel) inside a call.
 *
 * Conventions:
 *
 * - Functions return 0 or -errno. Outputs are written on success only, except where said. On any error the map is
 *   unchanged (rcumap_clear() may have removed some entries).
 * - Keys are 1 to RCUMAP_KEY_SIZE_MAX bytes, values 0 to RCUMAP_VALUE_SIZE_MAX bytes, of any content.
 *   Both are copied in; the caller keeps what he passed.
 * - "Own section": the function opens and closes a read section of the map's flavor itself. It may be
 *   called inside or outside a section of the caller's; a qsbr thread must be online.
 * - Every single-key operation is linearizable, also while the table grows or shrinks.
 *
 * Where each function may be called (R = inside the caller's read section, H = in a signal handler):
 *
 *     function                           R    H    allocates  blocks   progress
 *     find, entry accessors              must no   no         no       wait-free
 *     get                                yes  no   no         no       wait-free
 *     put add replace compare_and_swap   yes  no   yes        no (1)   lock-free (1)
 *     delete delete_if                   yes  no   yes (2)    no (1)   lock-free (1)
 *     clear                              yes  no   yes (2)    no (1)   lock-free per bucket
 *     count stats (3)                    yes  no   no         no       wait-free
 *     reserve barrier create destroy     no   no   yes        yes      blocking
 *
 *     (1) apart from what the system's or the user's allocator does; the built-in allocator of entries up to
 *         4 KiB is lock-free, larger ones come from malloc. With bp, a thread's first call registers it with
 *         liburcu, which allocates and takes a lock.
 *     (2) only the record by which an entry is retired, one allocation in several hundred.
 *     (3) stats opens a section of its own; count needs none.
 *
 * No function may be called in a signal handler: a handler that interrupts its own thread inside the
 * allocator or inside liburcu's registration would deadlock.
 */
#ifndef RCUMAP_H
#define RCUMAP_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define RCUMAP_VERSION_MAJOR 0
#define RCUMAP_VERSION_MINOR 1
#define RCUMAP_VERSION_PATCH 0

/** Largest key, in bytes. The smallest is 1. */
#define RCUMAP_KEY_SIZE_MAX 65535u
/** Largest value, in bytes. The smallest is 0. */
#define RCUMAP_VALUE_SIZE_MAX 2147483647u
/** Largest number of entries that rcumap_reserve() and rcumap_options.capacity accept. */
#define RCUMAP_CAPACITY_MAX (UINT64_C(1) << 40)

/** The map. Opaque; owned by whoever created it, until rcumap_destroy(). */
struct rcumap;

/** A key with its value, immutable once published. Opaque; owned by the map. */
struct rcumap_entry;

/** liburcu's `struct rcu_flavor_struct` (from <urcu/flavor.h>), named here so that no urcu header is needed. */
struct rcu_flavor_struct;

/* -------------------------------------------------------------------------------- creation */

/**
 * Where the map gets the memory of entries, tables and its own structures.
 *
 * `alloc` returns `size` bytes aligned to `align` (a power of two, at most 4096), or NULL. `size` is never 0. `free`
 * takes back what `alloc` returned, with the same size. Both are called from every thread that writes and from the
 * reclaimer, concurrently, inside read sections: they must be thread-safe, must not call the map, and must not wait
 * for a grace period. Memory at or above 2^48, or misaligned, is given back at once and the operation fails with
 * -EFAULT. rcumap_create() and rcumap_destroy() call them outside sections.
 */
struct rcumap_allocator {
	void *(*alloc)(void *ctx, size_t size, size_t align);
	void (*free)(void *ctx, void *p, size_t size);
	void *ctx;
};

/**
 * A hash of a key. It must depend on the bytes of the key and `ctx` alone. The map mixes the result
 * once more, so that it is enough if distinct keys mostly give distinct 64-bit values. Called inside
 * read sections, concurrently; must not call the map.
 */
typedef uint64_t rcumap_hash_fn(void *ctx, const void *key, size_t key_size);

/**
 * Options of rcumap_create(). Zero the struct, set `size`, then what differs from the default:
 *
 *     struct rcumap_options options = { .size = sizeof options, .capacity = 1000000 };
 */
struct rcumap_options {
	/** sizeof(struct rcumap_options), as the caller was compiled. A larger struct of a later version is
	 * accepted as long as its unknown tail is zero; none will be larger than 4096 bytes. */
	size_t size;
	/** Entries that fit before the table first grows, and below which it never shrinks.
	 * 0: a small table. At most RCUMAP_CAPACITY_MAX. */
	uint64_t capacity;
	/** &urcu_bp_flavor (default, NULL), &urcu_memb_flavor or &urcu_qsbr_flavor. Must outlive the map. */
	const struct rcu_flavor_struct *flavor;
	/** NULL: XXH3 with a random seed per map. */
	rcumap_hash_fn *hash;
	/** Passed to `hash`; must be NULL if that is. */
	void *hash_ctx;
	/** Both functions set, or both NULL for the built-in allocator. Copied. */
	struct rcumap_allocator allocator;
};

/**
 * Create a map.
 *
 * @param[out] map   the new map, owned by the caller. Written on success only.
 * @param options    see there; NULL for the defaults. Not kept.
 * @retval 0         created; its reclaimer thread runs.
 * @retval -EINVAL   map is NULL, options->size is too small, an unknown flavor, capacity above the
 *                   maximum, only one of alloc and free, hash_ctx without hash.
 * @retval -E2BIG    options->size is larger than this library knows, with a tail that is not zero; or above 4096.
 * @retval -ENOMEM   no memory. @retval -EAGAIN no thread could be started.
 * @retval -EFAULT   the user's allocator returned an unusable address.
 *
 * Context: outside any read section. Blocks while it touches the memory of options->capacity. Cost: two threads at
 * most (reclaimer; and the grace-period thread if this is the first map of its flavor in the process).
 */
int rcumap_create(struct rcumap **map, const struct rcumap_options *options);

/**
 * Destroy a map and give every byte back.
 *
 * @param map        the map, or NULL (then nothing happens). No other thread may use it any more, and no
 *                   pointer from rcumap_find() may be used after the call.
 * @retval 0         destroyed.
 * @retval -EDEADLK  the caller is inside a read section (bp, memb); the map is intact.
 *
 * Context: outside any read section; with qsbr the call is a quiescent state. Blocks for at least one grace period,
 * as long as a reader stays in a section of this flavor. Debug builds abort on later use of the map, if it was among
 * the last eight that were destroyed.
 */
int rcumap_destroy(struct rcumap *map);

/* -------------------------------------------------------------------------------- read sections */

/**
 * Open a read section of the map's flavor. Sections nest (bp, memb). Same as calling the flavor's own
 * rcu_read_lock, except that a ThreadSanitizer build of the library learns of it.
 * NULL: nothing happens.
 * Context: a registered thread (memb, qsbr). Wait-free. Cost: two indirect calls, no shared line.
 */
void rcumap_read_lock(const struct rcumap *map);
/** Close the section that rcumap_read_lock() opened. Pointers found in it are dead now. */
void rcumap_read_unlock(const struct rcumap *map);

/** As rcumap_read_lock() and rcumap_read_unlock(), for callers who know the flavor: direct calls, no map. */
void rcumap_read_lock_bp(void);
void rcumap_read_unlock_bp(void);
void rcumap_read_lock_memb(void);
void rcumap_read_unlock_memb(void);
void rcumap_read_lock_qsbr(void);
void rcumap_read_unlock_qsbr(void);

/* -------------------------------------------------------------------------------- reading */

/**
 * Find an entry without copying it.
 *
 * @param map        the map. @param key its bytes. @param key_size 1 to RCUMAP_KEY_SIZE_MAX.
 * @return the entry, immutable and valid until the caller's read section ends; NULL if the key is absent (NULL
 *         or a key of a size that no entry can have is absent).
 *
 * Context: inside a read section of the map's flavor. Wait-free: no lock, no retry, no store.
 * Ordering: what the writer did before his put is visible through the entry.
 * Cost: two cache lines on a hit (bucket, entry), one on most misses, plus the hash.
 */
const struct rcumap_entry *rcumap_find(const struct rcumap *map, const void *key, size_t key_size);

/* In all of these `entry` is one that was found, not NULL. Inside the section it was found in. Wait-free. */

/** The key's bytes, not terminated. Valid as long as the entry. */
const void *rcumap_entry_key(const struct rcumap_entry *entry);
/** The key's size in bytes. */
size_t rcumap_entry_key_size(const struct rcumap_entry *entry);
/** The value's bytes, not terminated; 8-byte aligned if the key's size is a multiple of 8, else unaligned. Valid as
 * long as the entry. */
const void *rcumap_entry_value(const struct rcumap_entry *entry);
/** The value's size in bytes. */
size_t rcumap_entry_value_size(const struct rcumap_entry *entry);
/** The entry's version: never 0, never reused in the map's life, without order between entries. */
uint64_t rcumap_entry_version(const struct rcumap_entry *entry);

/**
 * Copy a value out.
 *
 * @param[out] buffer       where the value goes; may be NULL if buffer_size is 0.
 * @param buffer_size       its size in bytes.
 * @param[out] value_size   the value's size, also on -ENOBUFS; may be NULL.
 * @param[out] version      the entry's version, also on -ENOBUFS; may be NULL.
 * @retval 0         copied, whole.
 * @retval -ENOENT   the key is absent.
 * @retval -ENOBUFS  the value is larger than buffer_size; *value_size says what it needs, buffer is untouched.
 * @retval -EINVAL   map or key is NULL, key_size out of range, buffer NULL with a size.
 *
 * Context: own section. Wait-free. Cost: as rcumap_find() plus the copy.
 */
int rcumap_get(const struct rcumap *map, const void *key, size_t key_size, void *buffer, size_t buffer_size,
	       size_t *value_size, uint64_t *version);

/* -------------------------------------------------------------------------------- writing */

/**
 * Store a value: insert the key, or replace its entry.
 *
 * @param value          the value; may be NULL if value_size is 0. @param value_size 0 to RCUMAP_VALUE_SIZE_MAX.
 * @param[out] version   the version of the new entry; may be NULL.
 * @retval 0            stored.
 * @retval -EINVAL      map or key is NULL, key_size out of range, value NULL with a size.
 * @retval -EFBIG       value_size above RCUMAP_VALUE_SIZE_MAX.
 * @retval -ENOMEM      no memory.
 * @retval -EFAULT      the user's allocator returned an unusable address.
 * @retval -EOVERFLOW   too many keys share one hash: the bucket's chain is full and growth cannot help.
 *
 * Context: own section. Lock-free. One allocation per call, none after the effect is visible.
 * Ordering: all that happened before the call is visible to a reader who finds the entry. A replaced
 * entry is reclaimed after a grace period. Cost: as a find plus the entry's allocation and copy.
 */
int rcumap_put(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t *version);

/**
 * Store a value only if the key is absent. As rcumap_put(), and:
 * @retval -EEXIST      the key is present.
 */
int rcumap_add(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t *version);

/**
 * Store a value only if the key is present. As rcumap_put(), never -EOVERFLOW, and:
 * @retval -ENOENT      the key is absent.
 */
int rcumap_replace(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
		   uint64_t *version);

/**
 * Store a value only if the key's entry still has the version `expected`. As rcumap_replace(), and:
 * @retval -ESTALE      the key is present with another version.
 */
int rcumap_compare_and_swap(struct rcumap *map, const void *key, size_t key_size, uint64_t expected,
			    const void *value, size_t value_size, uint64_t *version);

/**
 * Remove a key.
 *
 * @retval 0            removed; its entry is reclaimed after a grace period.
 * @retval -ENOENT      the key is absent.
 * @retval -EINVAL      map or key is NULL, key_size out of range.
 * @retval -ENOMEM      no memory for the record by which the entry would be retired, or to finish moving its bucket
 *                      to a smaller table; the key is still there.
 * @retval -EFAULT      the user's allocator returned an unusable address for one of these.
 *
 * Context: own section. Lock-free. Cost: as a find plus one compare-and-swap.
 */
int rcumap_delete(struct rcumap *map, const void *key, size_t key_size);

/**
 * Remove a key only if its entry still has the version `expected`. As rcumap_delete(), and:
 * @retval -ESTALE      the key is present with another version.
 */
int rcumap_delete_if(struct rcumap *map, const void *key, size_t key_size, uint64_t expected);

/* -------------------------------------------------------------------------------- the whole map */

/**
 * Entries in the map: exact while nobody writes, else off by no more than what was stored and removed during the call.
 * Context: anywhere. Wait-free. Cost: one line per writer stripe. NULL counts 0.
 */
uint64_t rcumap_count(const struct rcumap *map);

/**
 * Make room for `capacity` entries in all, so that the table need not grow before; it never shrinks below.
 *
 * @retval 0           done: the table is that large.
 * @retval -EINVAL     map is NULL, capacity above RCUMAP_CAPACITY_MAX.
 * @retval -ENOMEM     no memory for the table; the map works on with the one it has.
 * @retval -EFAULT     the user's allocator returned an unusable address.
 * @retval -EDEADLK    inside a read section (bp, memb).
 *
 * Context: outside any section; blocks while the reclaimer migrates; with qsbr a quiescent state. Other
 * threads read and write on meanwhile.
 */
int rcumap_reserve(struct rcumap *map, uint64_t capacity);

/**
 * Remove every entry that is there when the call starts and is not replaced meanwhile. Keys that are
 * stored during the call may stay.
 *
 * @retval 0 done. @retval -EINVAL map is NULL. @retval -ENOMEM, -EFAULT no usable record to retire
 * further entries with: some are removed, the rest is still there.
 *
 * Context: own sections, one per few buckets. Lock-free. Cost: proportional to the table.
 */
int rcumap_clear(struct rcumap *map);

/**
 * Wait until every entry that was removed or replaced before the call is reclaimed.
 *
 * @retval 0 done. @retval -EINVAL map is NULL. @retval -EDEADLK inside a read section (bp, memb).
 *
 * Context: outside any section; with qsbr a quiescent state. Blocks for one grace period or two, longer if a
 * reader stays in its section.
 */
int rcumap_barrier(struct rcumap *map);

/** A snapshot of the map's counters. Each is exact while nobody writes, else off by no more than what happened during
 * the call. */
struct rcumap_stats {
	/** Entries that can be found. */
	uint64_t entries;
	/** Entries stored so far under an absent key; in place of another; removed by delete, delete_if or clear. */
	uint64_t inserted, replaced, deleted;
	/** Entries unlinked, awaiting their grace period; and given back so far. */
	uint64_t retired_pending, reclaimed;
	/** Bytes of all memory that the map holds now: tables, entries (allocated sizes), structures. */
	uint64_t memory_bytes;
	/** Of these: tables with their overflow lines. */
	uint64_t table_bytes;
	/** Slots of the newest table without overflow lines; buckets' overflow lines in all live tables. */
	uint64_t table_slots, overflow_lines;
	/** Tables grown and shrunk so far. */
	uint64_t grown, shrunk;
	/** Times that the reclaimer could not make the table grow for want of memory; it tries again later. */
	uint64_t growth_failed;
	/** Grace periods that the map's reclaimer has waited for. */
	uint64_t grace_periods;
};

/**
 * Read the counters.
 *
 * @param[out] stats   filled with as much as `size` holds. @param size sizeof(struct rcumap_stats), as the
 *                     caller was compiled; what a later caller knows more than this library is set to 0.
 * @retval 0 done. @retval -EINVAL map or stats is NULL, or size is 0.
 *
 * Context: own section. Wait-free.
 */
#if defined(__cplusplus) && defined(__GNUC__)
/* As with stat(2), function and struct share a name; g++ -Wshadow would warn of it. */
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
