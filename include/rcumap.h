/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap.h
 * librcumap: an embeddable, read-mostly hash map for latency-sensitive services.
 *
 * Readers traverse under userspace RCU without a lock, a retry or a store to shared memory. Writers
 * serialize per bucket by compare-and-swap. Deleted, replaced and expired entries are reclaimed after a grace
 * period by one background thread per map.
 *
 * What bites first:
 *
 * - A pointer from rcumap_find() is valid only until the read section in which it was found ends, or until
 *   rcumap_release() after an rcumap_hold() inside that section. Else it dangles, even if nobody deleted the key as
 *   far as you know.
 * - A read section that stays open holds back all reclamation in the process for its flavor: memory
 *   then grows with every delete and replacement. Never block, sleep or do I/O inside one. The options `stall_ms` and
 *   `stalled` tell of those who do.
 * - Garbage also grows while more writers than processors overwrite without pause: a grace period has to wait
 *   until each of them has had its turn. They yield then, but nothing bounds the garbage yet.
 * - Threads must be registered with liburcu for the memb and qsbr flavors before their first call,
 *   including calls that only write. The default flavor, bp, registers threads by itself.
 * - With qsbr a thread is "inside a read section" whenever it is online: announce quiescent states
 *   (rcu_quiescent_state) or go offline regularly, or nothing is ever reclaimed.
 * - rcumap_destroy() requires that no other thread uses the map any more.
 * - After fork() the child may use maps of the bp flavor if the handlers below were called around it
 *   (rcumap_before_fork()); with memb and qsbr it may only exec or _exit, any call on a map may hang.
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
 * - Every single-key operation is linearizable, also while the table grows or shrinks. An entry with a deadline is
 *   absent, for everybody, from the moment at which the clock reaches it. Each operation reads the clock once or more
 *   during the call; if the deadline passes meanwhile, it may have read it before or after.
 * - `ttl_ms`, a life in milliseconds from the call on: an entry is never gone earlier, and at most one tick of
 *   CLOCK_MONOTONIC_COARSE (1 to 10 ms) later. RCUMAP_TTL_DEFAULT is what the options say, RCUMAP_TTL_NEVER without
 *   end; 0 means already expired: the call does what it says, and the key ends absent (*version is 0). Else at most
 *   RCUMAP_TTL_MAX. Memory comes back within a second of the deadline and a grace period, without any access.
 *
 * Where each function may be called:
 *
 *     R  inside a read section of the caller's (with qsbr: while online)
 *     U  in the function given to rcumap_update(), and the one given to rcumap_scan()
 *     C  in the callbacks `removed` and `stalled`
 *     O  by a registered qsbr thread that is offline
 *     H  in a signal handler
 *
 *     function                           R    U    C    O    H    allocates  blocks   progress
 *     find find_batch                    must yes  yes(4) no no   no         no       wait-free
 *     entry accessors                    must(5) yes yes no(5) no no         no       wait-free
 *     hold                               must(5) yes yes no  no   no         no       lock-free
 *     release                            yes  yes  yes  yes  no   no         no       lock-free
 *     get get_batch ttl                  yes  yes  yes  no   no   no         no       wait-free
 *     put add replace compare_and_swap   yes  no   yes  no   no   yes        no (1)   lock-free (1)
 *     update                             yes  no   yes  no   no   yes        no (1)   lock-free (1)
 *     touch                              yes  no   yes  no   no   yes (2)    no (1)   lock-free (1)
 *     delete delete_if                   yes  no   yes  no   no   yes (2)    no (1)   lock-free (1)
 *     clear                              yes  no   yes  no   no   yes (2)    no (1)   lock-free per bucket
 *     scan                               yes  no   yes  no   no   no         no       wait-free per bucket
 *     count                              yes  yes  yes  yes  no   no         no       wait-free
 *     stats                              yes  yes  yes  no   no   no         no       wait-free
 *     reserve barrier                    -EDEADLK (3) -EDEADLK yes no yes    yes      blocking
 *     destroy                            -EDEADLK (3) -EDEADLK yes no no     yes      blocking
 *     create                             yes (6)   yes  yes  no   yes        yes      blocking
 *     before_fork after_fork_*           no   no   no   yes  no   yes        yes      blocking
 *
 *     (1) apart from what the system's or the user's allocator does; the built-in allocator of entries up to
 *         4 KiB is lock-free, larger ones come from malloc. With bp, a thread's first call registers it with
 *         liburcu, which allocates and takes a lock.
 *     (2) only the records by which an entry is retired, or its new deadline noted, one allocation in several hundred;
 *         touch copies an entry that was stored without a deadline, or that somebody is about to replace.
 *     (3) told with bp and memb. A qsbr thread's section cannot be told: the call is a quiescent state.
 *     (4) in a section opened there.
 *     (5) or on an entry that is held, or given to a callback, anywhere.
 *     (6) with qsbr, while online: the thread that is started waits for nobody.
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

/** A life without end: never expires. */
#define RCUMAP_TTL_NEVER UINT64_MAX
/** The life that rcumap_options.default_ttl_ms says. */
#define RCUMAP_TTL_DEFAULT (UINT64_MAX - 1)
/** Largest life in milliseconds: two hundred years. */
#define RCUMAP_TTL_MAX (UINT64_C(200) * 366 * 86400 * 1000)

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
 * A clock: nanoseconds since any moment, below 2^62. For tests and simulations, instead of CLOCK_MONOTONIC. It may stand
 * still, or go backward: what is expired for good (its key was found absent by a writer, or the reclaimer has taken it)
 * does not come back, what has a deadline still ahead lives on. Called in finds, concurrently; must not call the map.
 */
typedef uint64_t rcumap_clock_fn(void *ctx);

/** Why an entry was removed. */
enum rcumap_reason {
	RCUMAP_DELETED = 1, /**< delete, delete_if, update */
	RCUMAP_REPLACED, /**< put, replace, compare_and_swap, update; or touch, where it put a copy */
	RCUMAP_EXPIRED,
	RCUMAP_CLEARED,
	RCUMAP_DESTROYED, /**< it was there when the map was destroyed */
};

/**
 * Called once for each entry that was removed, after its grace period: no reader sees it any more, but for who holds it.
 * `entry` is valid during the call; rcumap_hold() keeps it longer. Called on the reclaimer's thread, one call at a time,
 * with nothing held: it may take its time, but nothing is reclaimed meanwhile. It may call the map, but for what the table
 * above says. While the map is being destroyed stores and removals, rcumap_clear() and rcumap_hold() return -ESHUTDOWN;
 * what is still there can be found until the last call has returned.
 */
typedef void rcumap_removed_fn(void *ctx, const struct rcumap_entry *entry, enum rcumap_reason reason);

/** A reader who holds back reclamation. */
struct rcumap_stall {
	/** How long he has been in his section, at least: since the grace period began that waits for him. */
	uint64_t age_ms;
	/** Bytes of entries that await their grace period. */
	uint64_t bytes;
	/** In a debug build of the library: the thread (gettid) that has been longest in a section that it opened through
	 * rcumap_read_lock(), rcumap_read_lock_bp() and so on; else 0. */
	int64_t thread;
};

/** Called when a reader has held up a grace period for `stall_ms`, and again each time that his age has doubled. On the
 * reclaimer's thread, with nothing held. */
typedef void rcumap_stalled_fn(void *ctx, const struct rcumap_stall *stall);

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
	/** The life of what is stored with RCUMAP_TTL_DEFAULT: 1 to RCUMAP_TTL_MAX, or RCUMAP_TTL_NEVER; 0: that too. */
	uint64_t default_ttl_ms;
	/** NULL: CLOCK_MONOTONIC. */
	rcumap_clock_fn *clock;
	/** Passed to `clock`; must be NULL if that is. */
	void *clock_ctx;
	/** Told of each removed entry; may be NULL. With it, writers do not help the reclaimer. */
	rcumap_removed_fn *removed;
	/** Passed to `removed`; must be NULL if that is. */
	void *removed_ctx;
	/** Told of readers who hold back reclamation for `stall_ms` or longer; may be NULL. */
	rcumap_stalled_fn *stalled;
	/** Passed to `stalled`; must be NULL if that is. */
	void *stalled_ctx;
	/** 1 to RCUMAP_TTL_MAX; 0: 10,000. Of statistics, too. */
	uint64_t stall_ms;
};

/**
 * Create a map.
 *
 * @param[out] map   the new map, owned by the caller. Written on success only.
 * @param options    see there; NULL for the defaults. Not kept.
 * @retval 0         created; its reclaimer thread runs.
 * @retval -EINVAL   map is NULL, options->size is too small, an unknown flavor, capacity above the
 *                   maximum, only one of alloc and free, a ctx without its function, default_ttl_ms or stall_ms
 *                   out of range.
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
 * @retval -EDEADLK  the caller is inside a read section (bp, memb), or in a callback of the map; the map is intact.
 * @retval -EBUSY    entries are held (rcumap_hold()); the map is intact.
 *
 * Entries that are still there go to the callback `removed`, if there is one, before the call returns.
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

/** A key, for calls that take many. */
struct rcumap_key {
	const void *data;
	size_t size;
};

/**
 * Find many entries: as rcumap_find() for each, but the misses of memory overlap.
 *
 * @param keys          `n` keys, of any number. @param[out] entries `n` pointers: entries[i] is what rcumap_find()
 *                      returns for keys[i]; NULL if that key is absent.
 * @return how many were found; 0 if map, keys or entries is NULL (then nothing is written).
 *
 * Context, ordering and progress: as rcumap_find(). Each key is found at a moment of its own.
 */
size_t rcumap_find_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n,
			 const struct rcumap_entry **entries);

/* In all of these `entry` is one that was found, not NULL. Inside the section it was found in, or while it is held.
 * Wait-free. */

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

/** The life that the entry has left, in milliseconds, rounded up: 0 if its deadline has passed, RCUMAP_TTL_NEVER if it has
 * none. Of the entry as it is now: another thread may touch it. */
uint64_t rcumap_entry_ttl(const struct rcumap *map, const struct rcumap_entry *entry);

/**
 * Keep an entry beyond its section, until rcumap_release(): whatever becomes of its key, the entry stays as it is. Any
 * number of times, by any number of threads.
 *
 * @param entry      one that was found, inside the section it was found in; or one that is held already.
 * @retval 0         held.
 * @retval -EOVERFLOW it is held 32,767 times already.
 * @retval -ESHUTDOWN in a callback while the map is being destroyed.
 * @retval -EINVAL   map or entry is NULL.
 *
 * Lock-free. Cost: one atomic operation on the entry's line. What is held is memory that stays, however large:
 * rcumap_stats() tells.
 */
int rcumap_hold(struct rcumap *map, const struct rcumap_entry *entry);

/**
 * Give up what rcumap_hold() took; the entry must not be used any more. NULL: nothing happens.
 * Context: anywhere, by any thread. Lock-free.
 */
void rcumap_release(struct rcumap *map, const struct rcumap_entry *entry);

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

/** What rcumap_get_batch() copies for one key. The fields as the parameters of rcumap_get(). */
struct rcumap_copy {
	void *buffer; /**< in */
	size_t buffer_size; /**< in */
	size_t value_size; /**< out, with 0 and -ENOBUFS */
	uint64_t version; /**< out, with 0 and -ENOBUFS */
	int result; /**< out: what rcumap_get() would return */
};

/**
 * Copy many values out: as rcumap_get() for each, but the misses of memory overlap.
 *
 * @param keys    `n` keys, of any number. @param[in,out] copies `n`: copies[i] is for keys[i].
 * @return how many results are 0; 0 if map, keys or copies is NULL (then nothing is written).
 *
 * Context: own sections, one for some tens of keys. Wait-free.
 */
size_t rcumap_get_batch(const struct rcumap *map, const struct rcumap_key *keys, size_t n, struct rcumap_copy *copies);

/**
 * The life that a key has left.
 *
 * @param[out] ttl_ms   milliseconds, rounded up, at least 1; RCUMAP_TTL_NEVER if it has no deadline.
 * @retval 0 found. @retval -ENOENT the key is absent. @retval -EINVAL map, key or ttl_ms is NULL, key_size out of
 * range.
 *
 * Context: own section. Wait-free. Cost: as rcumap_find().
 */
int rcumap_ttl(const struct rcumap *map, const void *key, size_t key_size, uint64_t *ttl_ms);

/* -------------------------------------------------------------------------------- writing */

/**
 * Store a value: insert the key, or replace its entry.
 *
 * @param value          the value; may be NULL if value_size is 0. @param value_size 0 to RCUMAP_VALUE_SIZE_MAX.
 * @param ttl_ms         its life (see above); the deadline of what is replaced has no effect.
 * @param[out] version   the version of the new entry; may be NULL.
 * @retval 0            stored.
 * @retval -ERANGE      ttl_ms is above RCUMAP_TTL_MAX and neither of the two special values.
 * @retval -EINVAL      map or key is NULL, key_size out of range, value NULL with a size.
 * @retval -EFBIG       value_size above RCUMAP_VALUE_SIZE_MAX.
 * @retval -ESHUTDOWN   in a callback while the map is being destroyed.
 * @retval -ENOMEM      no memory.
 * @retval -EFAULT      the user's allocator returned an unusable address.
 * @retval -EOVERFLOW   too many keys share one hash: the bucket's chain is full and growth cannot help.
 *
 * Context: own section. Lock-free. One allocation per call, none after the effect is visible.
 * Ordering: all that happened before the call is visible to a reader who finds the entry. A replaced
 * entry is reclaimed after a grace period. Cost: as a find plus the entry's allocation and copy.
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
 */
int rcumap_compare_and_swap(struct rcumap *map, const void *key, size_t key_size, uint64_t expected,
			    const void *value, size_t value_size, uint64_t ttl_ms, uint64_t *version);

/** What the function given to rcumap_update() wants. */
struct rcumap_value {
	/** The new value: memory of the function's, or of ctx, that stays as it is until rcumap_update() returns or the
	 * function is called again. May be NULL if size is 0; may point into the old entry. */
	const void *data;
	size_t size;
	/** Preset to RCUMAP_TTL_KEEP: the deadline stays as it is, or is the default if the key is absent. */
	uint64_t ttl_ms;
};

/** In rcumap_value.ttl_ms alone: no change of the deadline. */
#define RCUMAP_TTL_KEEP (UINT64_MAX - 2)

/** Results of an rcumap_update_fn besides 0 and -errno. */
#define RCUMAP_KEEP 1 /**< leave the key as it is */
#define RCUMAP_REMOVE 2 /**< remove it */

/**
 * Decides what becomes of a key. `old` is its entry, NULL if it is absent; `value` is zeroed but for ttl_ms. Returns 0 to store
 * *value, RCUMAP_KEEP, RCUMAP_REMOVE, or a negative number to give up with that error; anything else is -EINVAL. Called
 * inside a read section, perhaps several times until nobody changed the key meanwhile: it must not block, have
 * effects that count calls, or call the map but for what the table above says.
 */
typedef int rcumap_update_fn(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value);

/**
 * Read, decide and write, atomically: what `fn` saw is what its result replaces.
 *
 * @param fn             see there. @param ctx passed to it.
 * @param[out] version   the version of the entry that is there afterwards, 0 if none is; may be NULL.
 * @retval 0             done, as the last call of `fn` said.
 * Else what `fn` returned, or an error of rcumap_put().
 *
 * Context: own section. Lock-free, if `fn` is. Cost: as rcumap_put() and `fn`.
 */
int rcumap_update(struct rcumap *map, const void *key, size_t key_size, rcumap_update_fn *fn, void *ctx,
		  uint64_t *version);

/**
 * Give a key a new life, from now on. Its version stays. Of several, and of stores, the last one wins; an expiry that comes
 * late never undoes it.
 *
 * @param ttl_ms        as of rcumap_put(); 0 removes the key (as expired).
 * @retval 0            done.
 * @retval -ENOENT      the key is absent, or its deadline has passed.
 * @retval -EINVAL      map or key is NULL, key_size out of range.
 * @retval -ERANGE, -ENOMEM, -EFAULT, -ESHUTDOWN   as rcumap_put(); the life is as before.
 *
 * Context: own section. Lock-free. Cost: as a find plus one compare-and-swap; an entry that was stored without a
 * deadline, or that somebody is about to replace, is copied, with its value.
 */
int rcumap_touch(struct rcumap *map, const void *key, size_t key_size, uint64_t ttl_ms);

/**
 * Remove a key.
 *
 * @retval 0            removed; its entry is reclaimed after a grace period.
 * @retval -ENOENT      the key is absent.
 * @retval -EINVAL      map or key is NULL, key_size out of range.
 * @retval -ENOMEM      no memory for the record by which the entry would be retired, or to finish moving its bucket
 *                      to a smaller table; the key is still there.
 * @retval -ESHUTDOWN   in a callback while the map is being destroyed.
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

/** Sees an entry, inside a read section. 0: go on; a negative number: give up with that error; any other is -EINVAL. */
typedef int rcumap_visit_fn(void *ctx, const struct rcumap_entry *entry);

/**
 * Visit entries, a few buckets at a time, with no section held between calls. A key that is present from the first
 * call to the last is visited exactly once, also while the table grows and shrinks; one that comes or goes meanwhile may be
 * visited or not, and one that goes and comes back perhaps twice.
 *
 * @param[in,out] cursor   where to go on, a position in hash order; 0 to begin. Good for any later call on the same map;
 *                         any number is a position.
 * @param n                visit at least so many, if they are close by: the call ends after the bucket in which the
 *                         n-th was found, and also after 64 + n buckets.
 * @param visit            called for each. @param ctx passed to it.
 * @retval 1        there is more: call again with *cursor.
 * @retval 0        that was all; *cursor is 0 again.
 * @retval -EINVAL  map, cursor or visit is NULL, or n is 0: *cursor is as before.
 * Else the error of `visit`. Then *cursor is where the call came to that bucket: what it visited there will be visited
 * again, nothing before.
 *
 * Context: own section, for the length of the call. Wait-free.
 */
int rcumap_scan(const struct rcumap *map, uint64_t *cursor, size_t n, rcumap_visit_fn *visit, void *ctx);

/**
 * Entries in the map, including those that have expired until the reclaimer has removed them: exact while nobody writes,
 * else off by no more than what was stored and removed during the call.
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
 * @retval -EDEADLK    inside a read section (bp, memb), or in a callback of the map.
 * @retval -EAGAIN     in a child of fork() that could start no threads.
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
 * further entries with: some are removed, the rest is still there. @retval -ESHUTDOWN in a callback while the map is
 * being destroyed.
 *
 * Context: own sections, one per few buckets. Lock-free. Cost: proportional to the table.
 */
int rcumap_clear(struct rcumap *map);

/**
 * Wait until every entry that was removed or replaced before the call is reclaimed, but for what is held, and
 * the callback `removed` has returned for it.
 *
 * @retval 0 done. @retval -EINVAL map is NULL. @retval -EDEADLK inside a read section (bp, memb), or in a callback
 * of the map. @retval -EAGAIN in a child of fork() that could start no threads.
 *
 * Context: outside any section; with qsbr a quiescent state. Blocks for one grace period or two, longer if a
 * reader stays in its section.
 */
int rcumap_barrier(struct rcumap *map);

/** A snapshot of the map's counters. Each is exact while nobody writes, else off by no more than what happened during
 * the call. */
struct rcumap_stats {
	/** As rcumap_count(). */
	uint64_t entries;
	/** Entries stored so far under an absent key; in place of another; removed by delete, delete_if, update or clear. */
	uint64_t inserted, replaced, deleted;
	/** Entries unlinked, awaiting their grace period; and those whose grace period has passed so far: given back, or left
	 * to those who hold them. */
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
	/** Entries removed so far because their deadline had passed. */
	uint64_t expired;
	/** Of `entries`, those with a deadline; and reminders of them that are kept, with their memory. */
	uint64_t expiring, hints, hint_bytes;
	/** Bytes of the entries in retired_pending. */
	uint64_t retired_bytes;
	/** Entries that are held now, and their bytes. */
	uint64_t held_entries, held_bytes;
	/** Readers reported so far; the age of the one who holds up reclamation now for stall_ms or longer, else 0. */
	uint64_t stalls, stalled_ms;
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

/* -------------------------------------------------------------------------------- fork */

/**
 * Around fork(), for maps of the bp flavor; all maps of the process at once. Once, before any map is created:
 *
 *     pthread_atfork(rcumap_before_fork, rcumap_after_fork_parent, rcumap_after_fork_child);
 *
 * Then a child may read and write the maps that it inherits: rcumap_after_fork_child() starts their reclaimers anew. What
 * other threads of the parent were just storing or removing is in the child either done or not; a few blocks that they
 * had in their hands stay unused there, and rcumap_count() may be off by as many. What was held is held there, too. An
 * entry for which the callback `removed` was just running is not told of again. They call liburcu's own handlers (urcu_bp_before_fork() and so on): do not
 * register those too.
 *
 * before_fork() waits for a grace period that is under way, and for the end of a turn of each reclaimer. Not inside a
 * section, in a callback, or while another thread creates or destroys a map with a lock held that the forking thread wants.
 * If after_fork_child() cannot start threads, the child's maps work on, but nothing is reclaimed: then
 * rcumap_barrier() and rcumap_reserve() return -EAGAIN there.
 */
void rcumap_before_fork(void);
void rcumap_after_fork_parent(void);
void rcumap_after_fork_child(void);

#ifdef __cplusplus
}
#endif

#endif
