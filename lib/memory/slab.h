/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small blocks of one map: size classes cut from large mappings, handed out through per-stripe magazines.
 *
 * Any writer allocates, lock-free, inside a read section. Blocks that were published come back after a grace period,
 * through a freer: the reclaimer's, or that of a writer who helps it. That makes both ends simple:
 *
 *     writers  current[stripe][class] --empty--> depot[class] --empty--> a fresh run from the chunk
 *     freers   filling[class] --full--> depot[class]
 *
 * A magazine is an array of free blocks, or a run of fresh ones. Taking a block is one fetch_add on `taken`. An
 * exhausted magazine goes to `spent`, and after a grace period back to the reclaimer's freer, who keeps it, or leaves it in `empty`
 * to writers who help. These never call malloc, which may pause for as long as it likes: while they find none, what they
 * free waits in `discarded` for the reclaimer's next turn, who also leaves them more from then on.
 *
 * Memory once cut for a class stays with it until the map is destroyed. Of a large slab's chunks the next is there ahead, its pages
 * touched, so that writers wait for no page that the kernel has to clear.
 *
 * Invariants
 * L1 A block is in at most one magazine, and each index of a magazine is taken at most once until the reclaimer
 *    refills it.
 * L2 A magazine that was popped from the depot, or from `empty`, is not pushed there again, nor freed, before a grace period has
 *    passed. So the pop's compare-and-swap cannot succeed on a head that went and came back (no ABA), and a thread that
 *    was parked with a pointer to an exhausted magazine finds it exhausted still. Who pops is in a section, or is the reclaimer,
 *    who alone pushes to `empty`.
 * L3 Chunks that were ever the newest are unmapped with the slab alone, so a magazine that lives in its run can be read at any time.
 * L4 `ahead` is a chunk that was never the newest. The reclaimer alone stores one, where there is none; who takes it out is its only owner.
 */
#ifndef RCUMAP_SLAB_H
#define RCUMAP_SLAB_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ground/prefetch.h"
#include "ground/stripe.h"
#include "ground/wake.h"
#include "layout/address.h"

/* Larger blocks than this are not for the slab. */
#define SLAB_BLOCK_MAX 4096u
/* Where entries need no better alignment there are two more: of 72 bytes, which is a line's entry with a deadline, and of 104. */
#if ADDRESS_ALIGN <= 8
#define SLAB_CLASSES 29u
#else
#define SLAB_CLASSES 27u
#endif
/* The class of blocks of one cache line. */
#define SLAB_LINE_CLASS 2u

struct chunk;
struct discarded;

struct magazine {
	struct magazine *_Atomic next; /* in the depot or the spent stack */
	_Atomic uint64_t taken; /* indices below are taken; grows past `count` with each vain attempt */
	uint32_t count; /* blocks in it */
	uint32_t class;
	uint32_t capacity; /* of cells; 0: a run, and this header lies at its start */
	uint32_t block_size; /* of a run: here, so that who takes a block reads no line that others write */
	char *run;
	void *cells[];
};

/* In lines of their own: who puts a magazine here disturbs no other stripe. */
struct slab_stripe {
	_Alignas(64) _Atomic(struct magazine *) current[SLAB_CLASSES];
};

/* What all writers and freers of a class share: used once for each magazine, and for each block that is discarded. */
struct slab_class {
	_Alignas(64) _Atomic(struct magazine *) depot;
	_Atomic(struct discarded *) discarded;
	struct discarded *recovered; /* the reclaimer's: taken from there, and not yet put into an array */
	uint32_t block_size;
	uint32_t run_blocks; /* in the largest run */
	_Atomic uint64_t carved; /* bytes in runs so far */
};

struct slab {
	struct slab_stripe stripe[STRIPE_COUNT];
	struct slab_class class[SLAB_CLASSES];
	_Atomic(struct chunk *) chunk; /* the newest; older ones hang off it */
	_Atomic(struct chunk *) ahead; /* the next one; NULL: there is none */
	_Atomic bool wanted; /* one will be needed soon */
	struct wake *wake; /* signalled then; NULL: nobody prepares any */
	_Atomic(struct magazine *) spent;
	_Atomic(struct magazine *) empty; /* for helpers */
	_Atomic uint32_t empties; /* there, about: counted before the push and after the pop */
	_Atomic bool missed; /* a helper has found none */
	uint32_t stock; /* the reclaimer's: so many shall be there */
	_Atomic uint64_t bytes; /* mapped, and magazines */
	struct magazine *resting; /* the reclaimer's: spent, awaiting a grace period */
};

/* What one thread is giving back; its own. Zero to begin with, but for `helps`. */
struct slab_freer {
	bool helps; /* a writer's, or used by writers: inside their sections */
	struct magazine *filling[SLAB_CLASSES];
	struct magazine *empty; /* may be filled */
	unsigned empties;
};

void slab_init(struct slab *slab);

/* Before it is used: there is a reclaimer, who is woken this way, and calls slab_prepare(). */
void slab_attend(struct slab *slab, struct wake *wake);

/* Unmap everything. Nobody else uses the slab any more. */
void slab_fini(struct slab *slab);

/* A block of at least `size` bytes (1 to SLAB_BLOCK_MAX), aligned to the largest power of two, up to 64, that its class's size is a
 * multiple of: to ADDRESS_ALIGN at least, to 64 if `size` is 33 to 64 or a multiple of 64; of unknown content; NULL if there is no
 * memory. Inside a read section. Lock-free. */
void *slab_alloc(struct slab *slab, unsigned stripe, size_t size);

/* The block at an index of a magazine that the caller has taken. */
static inline void *slab_block_at(struct magazine *m, uint64_t i)
{
	if (__builtin_expect(!m->capacity, 0))
		return m->run + i * m->block_size;
	/* The block was freed by another core a while ago: its line is fetched while the next ones are used. */
	if (i + 2 < m->count)
		prefetch_to_write(m->cells[i + 2]);
	return m->cells[i];
}

/* The next block of a magazine; NULL: it is exhausted. Wait-free. */
static inline void *slab_take(struct magazine *m)
{
	/* relaxed: the index alone decides who takes the block (L1). */
	const uint64_t i = atomic_fetch_add_explicit(&m->taken, 1, memory_order_relaxed);

	if (__builtin_expect(i >= m->count, 0))
		return NULL;

	void *const block = slab_block_at(m, i);

	/* None is. Here it says so to the compiler. */
	if (!block)
		__builtin_unreachable();
	return block;
}

/* A block of a cache line, if the stripe's magazine has one; or NULL. As slab_alloc(), but wait-free. */
static inline void *slab_alloc_line(struct slab *slab, unsigned stripe)
{
	/* [MAGAZINE acquire] pairs with the [MAGAZINE release] in slab_alloc(): the magazine's content is written. */
	struct magazine *m = atomic_load_explicit(&slab->stripe[stripe].current[SLAB_LINE_CLASS], memory_order_acquire);

	return m ? slab_take(m) : NULL;
}

/* Give back a block that nobody can reach. Lock-free; calls malloc unless the freer helps. */
void slab_free(struct slab *slab, struct slab_freer *freer, void *p, size_t size);

/* Hand all that the freer holds to the writers, or to malloc. Lock-free. */
void slab_flush(struct slab *slab, struct slab_freer *freer);

/* Give back a block that was never published; usable after slab_recover(). Any thread. Lock-free. */
void slab_discard(struct slab *slab, void *p, size_t size);

/* The reclaimer's turn, around a grace period: rest before one begins, revive after it has ended. */
void slab_rest(struct slab *slab);
void slab_revive(struct slab *slab, struct slab_freer *freer);

/* The reclaimer, each turn: make what was discarded usable, up to so many blocks, and leave arrays to helpers. True: there is
 * more to do. */
bool slab_recover(struct slab *slab, struct slab_freer *freer, unsigned blocks);

/* The reclaimer, each turn: map the chunk that writers will need next, if they asked for it. */
void slab_prepare(struct slab *slab);

/* Does anything wait for slab_rest()? */
bool slab_has_spent(const struct slab *slab);

#endif
