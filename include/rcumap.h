/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file rcumap.h
 * librcumap: an embeddable, read-mostly hash map for latency-sensitive services.
 *
 * Readers traverse under userspace RCU without a lock, a retry or a store to shared memory (in a map with a limit they
 * mark what they find, now and then). Writers serialize per bucket by compare-and-swap. Deleted, replaced and expired
 * entries are reclaimed after a grace period by one background thread per map.
 *
 * This is the reference, in parts; a program includes <rcumap.h> alone, from C or from C++ (11 or later):
 *
 *     rcumap.h           what holds for all calls; creating a map, the whole map, fork
 *     rcumap/types.h     limits, lives, opaque types
 *     rcumap/options.h   allocator, hash, clock, callbacks, options
 *     rcumap/read.h      read sections, find, entries, hold, get, batches
 *     rcumap/write.h     put, add, replace, compare_and_swap, update, touch, delete
 *     rcumap/load.h      get_or_load
 *     rcumap/stats.h     statistics
 *
 * What bites first:
 *
 * - A pointer from rcumap_find() is valid only until the read section in which it was found ends, or, after an
 *   rcumap_hold() inside that section, until rcumap_release(). Else it dangles, even if nobody deleted the key as
 *   far as you know.
 * - A read section that stays open holds back all reclamation in the process for its flavor: memory then grows with
 *   every delete and replacement. Never block, sleep or do I/O inside one. The options `stall_ms` and `stalled`
 *   tell of those who do.
 * - Garbage also grows while more writers than processors overwrite without pause: a grace period has to wait until
 *   each of them has had its turn. They yield the processor then; what bounds the garbage is the option `max_bytes`.
 * - Threads must be registered with liburcu for the memb and qsbr flavors before their first call, including calls
 *   that only write, and unregistered before they end. The default flavor, bp, registers threads by itself. Calls
 *   with a "yes" under O below need no registration.
 * - With qsbr a thread is inside a read section whenever it is online: announce quiescent states
 *   (rcu_quiescent_state) or go offline regularly, or nothing is ever reclaimed.
 * - rcumap_destroy() requires that no other thread uses the map any more.
 * - After fork() the child may use maps of the bp flavor if the handlers below were called around it
 *   (rcumap_before_fork()); with memb and qsbr it may only exec or _exit: any call on a map may hang.
 * - A thread must not be cancelled (pthread_cancel) inside a call.
 *
 * Conventions:
 *
 * - Functions return 0 or -errno, and write outputs on success only, except where said. On any error the map is
 *   unchanged (rcumap_clear() may have removed some entries, and a store in a map with a limit may have evicted one).
 * - Keys are 1 to RCUMAP_KEY_SIZE_MAX bytes, values 0 to RCUMAP_VALUE_SIZE_MAX bytes, of any content and alignment.
 *   Both are copied in; the caller keeps what he passed.
 * - "Own section": the function opens and closes a read section of the map's flavor itself. It may be called inside
 *   or outside a section of the caller's; a qsbr thread must be online.
 * - Every call on a single key is linearizable, also while the table grows or shrinks: it takes effect at one
 *   moment between its begin and its end, so that a call that begins after another has returned, in any thread,
 *   sees what that did. Calls on many keys are as many calls on one.
 * - An entry with a deadline is absent, for everybody, from the moment at which the clock reaches it; "absent" and
 *   "present" are meant so throughout. Each operation reads the clock once or more during the call; if the deadline
 *   passes meanwhile, it may have read it before or after.
 * - `ttl_ms` is a life in milliseconds, from the call on: an entry is never gone earlier, and at most one tick of
 *   CLOCK_MONOTONIC_COARSE (1 to 10 ms) later. RCUMAP_TTL_DEFAULT is what the options say, RCUMAP_TTL_NEVER without
 *   end; 0 means already expired: the call does what it says, and the key ends absent (*version is 0). Else at most
 *   RCUMAP_TTL_MAX. A life so short that it runs out during the call is no error: the key is absent afterwards.
 * - The memory of what has expired comes back without any access, within a second of the deadline and a grace
 *   period, unless more expires at once than the reclaimer can remove in that time.
 * - Threads own nothing in a map: one may end after any call, and leaves nothing behind. The library's own threads
 *   take no signals.
 *
 * Where each function may be called:
 *
 *     R  inside a read section of the caller's (with qsbr: while online)
 *     U  in the function given to rcumap_update(), and the one given to rcumap_scan()
 *     C  in the callbacks `removed` and `stalled` of the map
 *     O  by a qsbr thread that is offline, and by a thread that is not registered (memb, qsbr)
 *     In a signal handler: none of them, see below.
 *
 *     function                          R         U         C         O       allocates  blocks  progress
 *     find find_batch                   must      yes       yes (4)   no      no         no      wait-free (1)
 *     entry accessors                   must (5)  yes       yes       no (5)  no         no      wait-free
 *     hold                              must (5)  yes       yes       no (5)  no         no      lock-free
 *     release                           yes       yes       yes       yes     no         no      lock-free
 *     get get_batch ttl                 yes       yes       yes       no      no         no      wait-free (1)
 *     put add replace compare_and_swap  yes       no        yes       no      yes        no (7)  lock-free (1)
 *     update                            yes       no        yes       no      yes        no (7)  lock-free (1)
 *     touch                             yes       no        yes       no      yes (2)    no (7)  lock-free (1)
 *     delete delete_if                  yes       no        yes       no      yes (2)    no      lock-free (1)
 *     clear                             yes       no        yes       no      yes (2)    no      lock-free per bucket
 *     scan                              yes       no        yes       no      no         no      wait-free per bucket
 *     count                             yes       yes       yes       yes     no         no      wait-free
 *     stats                             yes       yes       yes       no      no         no      wait-free (1)
 *     get_or_load                       no (3)    no (3)    -EDEADLK  no      yes        yes     blocking
 *     reserve barrier destroy           no (3)    no (3)    -EDEADLK  yes     yes        yes     blocking
 *     create                            yes (6)   yes (6)   yes       yes     yes        yes     blocking
 *     before_fork after_fork_*          no        no        no        yes     yes        yes     blocking
 *
 *     (1) apart from what a hash, a clock or an allocator of the user's does, and the system's allocator; the built-in
 *         allocator of entries up to 4 KiB is lock-free, larger ones come from malloc. With bp, a thread's first
 *         section registers it with liburcu, which allocates and takes a lock. A writer who meets much garbage gives up
 *         his turn of the processor (sched_yield).
 *     (2) only the records by which an entry is retired, or its new deadline noted, one allocation in several hundred;
 *         touch copies an entry that was stored without a deadline, or that somebody is about to replace.
 *     (3) -EDEADLK with bp and memb. A qsbr thread's section cannot be told: the call is a quiescent state.
 *     (4) in a section opened there; with qsbr there is one.
 *     (5) or on an entry that is held, or was given to a callback or function, anywhere.
 *     (6) holds up reclamation for as long as it takes.
 *     (7) with max_bytes it may wait for memory, neither under R with bp and memb nor under C: see wait_ms.
 *
 * No function may be called in a signal handler: a handler that interrupts its own thread inside the allocator or
 * inside liburcu's registration would deadlock.
 */
#ifndef RCUMAP_H
#define RCUMAP_H

#define RCUMAP_VERSION_MAJOR 0
#define RCUMAP_VERSION_MINOR 1
#define RCUMAP_VERSION_PATCH 0

#include "rcumap/types.h"

#include "rcumap/load.h"
#include "rcumap/options.h"
#include "rcumap/read.h"
#include "rcumap/stats.h"
#include "rcumap/write.h"

#ifdef __cplusplus
extern "C" {
#endif

/* -------------------------------------------------------------------------------- creation */

/**
 * Create a map.
 *
 * @param[out] map   the new map, owned by the caller. Written on success only.
 * @param options    see rcumap/options.h; NULL for the defaults. Not kept.
 * @retval 0         created; its reclaimer thread runs.
 * @retval -EINVAL   map is NULL, options->size is too small, an unknown flavor, capacity above the maximum, only
 *                   one of alloc and free, a ctx without its function, default_ttl_ms or stall_ms out of range.
 * @retval -E2BIG    options->size is larger than this library knows, with a tail that is not zero; or above 4096.
 * @retval -ENOMEM   no memory.
 * @retval -EAGAIN   no thread could be started.
 * @retval -EFAULT   the user's allocator returned an unusable address.
 *
 * Context: anywhere but in a signal handler; better not inside a read section, for it blocks while it touches the
 * memory of options->capacity. It waits for no reader. Cost: two threads at most (the reclaimer; and the grace-period
 * thread, if this is the first map of its flavor in the process).
 */
int rcumap_create(struct rcumap **map, const struct rcumap_options *options);

/**
 * Destroy a map and give every byte back.
 *
 * @param map        the map, or NULL (then nothing happens). No other thread may use it any more, and no pointer
 *                   from rcumap_find() may be used after the call.
 * @retval 0         destroyed.
 * @retval -EDEADLK  the caller is inside a read section (bp, memb), or in a callback of the map; the map is intact.
 * @retval -EBUSY    entries are held (rcumap_hold()); the map is intact.
 *
 * Entries that are still there go to the callback `removed`, if there is one, before the call returns.
 *
 * Context: outside any read section; with qsbr the call is a quiescent state. Blocks until the callbacks have
 * returned and all that was retired has had its grace period, as long as a reader stays in a section of this
 * flavor. Debug builds abort on later use of the map, if it was among the last eight that were destroyed.
 */
int rcumap_destroy(struct rcumap *map);

/* -------------------------------------------------------------------------------- the whole map */

/**
 * Sees an entry, inside a read section; it is valid until the function returns.
 * @return 0: go on; a negative number: give up with that error; any other is -EINVAL.
 */
typedef int rcumap_visit_fn(void *ctx, const struct rcumap_entry *entry);

/**
 * Visit entries, a few buckets at a time, with no section held between calls. A key that is present from the first
 * call to the last is visited exactly once, also while the table grows and shrinks; one that comes or goes
 * meanwhile may be visited or not, and one that goes and comes back perhaps twice.
 *
 * @param[in,out] cursor   where to go on, a position in hash order; 0 to begin. Good for any later call on the same
 *                         map; any number is a position. It owns nothing: a scan may be given up at any time.
 * @param n                visit at least so many, if they are close by: the call ends after the bucket in which the
 *                         n-th was found, and also after 64 + n buckets.
 * @param visit            called for each entry; may hold it (rcumap_hold()), and must not write to the map: note
 *                         the key and the version, and call rcumap_delete_if(), say, afterwards.
 * @param ctx              passed to it.
 * @retval 1        there is more: call again with *cursor.
 * @retval 0        that was all; *cursor is 0 again.
 * @retval -EINVAL  map, cursor or visit is NULL, or n is 0: *cursor is as before.
 * Else the error of `visit`. Then *cursor is where the call came to that bucket: what it visited there will be
 * visited again, nothing before.
 *
 * Context: own section, for the length of the call. Wait-free, if `visit` is.
 */
int rcumap_scan(const struct rcumap *map, uint64_t *cursor, size_t n, rcumap_visit_fn *visit, void *ctx);

/**
 * Entries in the map, including those that have expired until the reclaimer has removed them: exact while nobody
 * writes, else off by no more than what was stored and removed during the call. NULL counts 0.
 *
 * Context: anywhere but in a signal handler. Wait-free. Cost: a line per writer stripe, of which there are 64.
 */
uint64_t rcumap_count(const struct rcumap *map);

/**
 * Make room for `capacity` entries in all, so that the table need not grow before; it never shrinks below.
 *
 * @retval 0           done: the table is that large.
 * @retval -EINVAL     map is NULL, capacity above RCUMAP_CAPACITY_MAX.
 * @retval -ENOMEM     no memory for the table; the map works on with the one it has.
 * @retval -ENOSPC     no room for it now, beside all that max_bytes counts; likewise.
 * @retval -EFAULT     the user's allocator returned an unusable address.
 * @retval -EDEADLK    inside a read section (bp, memb), or in a callback of the map.
 * @retval -EAGAIN     in a child of fork() that could start no threads.
 *
 * Context: outside any section; blocks while the reclaimer migrates; with qsbr a quiescent state. Other threads
 * read and write on meanwhile.
 */
int rcumap_reserve(struct rcumap *map, uint64_t capacity);

/**
 * Remove every entry that is there when the call starts and is not replaced meanwhile. Keys that are stored during
 * the call may stay.
 *
 * @retval 0                done.
 * @retval -EINVAL          map is NULL.
 * @retval -ENOMEM, -EFAULT no usable record to retire further entries with: some are removed, the rest is still
 *                          there.
 * @retval -ESHUTDOWN       in a callback while the map is being destroyed.
 *
 * Context: own sections, one per few buckets. Lock-free. Cost: proportional to the table, which shrinks afterwards.
 */
int rcumap_clear(struct rcumap *map);

/**
 * Wait until every entry that was removed or replaced before the call is reclaimed, but for what is held, and the
 * callback `removed` has returned for it. What has expired is removed by the reclaimer, in its own time:
 * rcumap_count() counts it until then.
 *
 * @retval 0         done.
 * @retval -EINVAL   map is NULL.
 * @retval -EDEADLK  inside a read section (bp, memb), or in a callback of the map.
 * @retval -EAGAIN   in a child of fork() that could start no threads.
 *
 * Context: outside any section; with qsbr a quiescent state. Blocks for one grace period or two, longer if a reader
 * stays in its section.
 */
int rcumap_barrier(struct rcumap *map);

/* -------------------------------------------------------------------------------- fork */

/**
 * Around fork(), for maps of the bp flavor; all maps of the process at once. Once, before any map is created:
 *
 *     pthread_atfork(rcumap_before_fork, rcumap_after_fork_parent, rcumap_after_fork_child);
 *
 * Then a child may read and write the maps that it inherits: rcumap_after_fork_child() starts their reclaimers
 * anew. What other threads of the parent were just storing or removing is in the child either done or not; a few
 * blocks that they had in their hands stay unused there, and rcumap_count() may be off by as many. What was held is
 * held there, too. An entry for which the callback `removed` was just running is not told of again. Of a map with a
 * limit the child counts the entries first, in a pass over its table, and has the whole limit again.
 *
 * These call liburcu's own handlers (urcu_bp_before_fork() and so on): do not register those too. Locks of a hash,
 * a clock, an allocator or a callback of the user's are his own affair: their handlers are registered before these.
 *
 * rcumap_before_fork() waits for a grace period that is under way, and for the end of a turn of each reclaimer.
 * From then on, until the parent's handler has run, other threads wait if they create or destroy a map or open
 * their first section. So the forking thread must not be inside a section or in a callback, and must want no lock
 * that such a thread may hold.
 *
 * If rcumap_after_fork_child() cannot start threads, the child's maps work on, but nothing is reclaimed, no table
 * grows but as writers need it, and rcumap_barrier() and rcumap_reserve() return -EAGAIN; rcumap_destroy() calls
 * the callback `removed` itself then.
 */
void rcumap_before_fork(void);
void rcumap_after_fork_parent(void);
void rcumap_after_fork_child(void);

#ifdef __cplusplus
}
#endif

#endif
