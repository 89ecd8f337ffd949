/* SPDX-License-Identifier: BSD-2-Clause */
/* memory/slab: the chunk that is mapped before it is needed. */
#include "memory/slab.h"

#include "fault/default_allocator.h"
#include "fixture.h"

#define BLOCK 4096u
#define MIB ((size_t)1 << 20)

struct attended {
	struct slab slab;
	struct wake wake;
	int64_t mapped; /* before */
};

static struct attended *attended_new(bool attended)
{
	struct attended *a = aligned_alloc(64, (sizeof *a + 63) & ~(size_t)63);

	memset(a, 0, sizeof *a);
	a->mapped = default_allocator_mapped();
	wake_init(&a->wake);
	slab_init(&a->slab);
	if (attended)
		slab_attend(&a->slab, &a->wake);
	return a;
}

static void attended_delete(struct attended *a)
{
	slab_fini(&a->slab);
	is_int(default_allocator_mapped(), a->mapped, "all is unmapped");
	free(a);
}

static bool is_accounted_for(const struct attended *a)
{
	return (int64_t)a->slab.bytes == default_allocator_mapped() - a->mapped;
}

static void take_bytes(struct attended *a, size_t bytes)
{
	for (size_t i = 0; i < bytes / BLOCK; i++)
		if (!slab_alloc(&a->slab, 0, BLOCK))
			bail("no block");
}

/* Until the reclaimer is asked for a chunk: in the last quarter of one, and at that of each. */
static void take_until_asked(struct attended *a)
{
	const uint32_t value = wake_value(&a->wake);

	for (size_t bytes = 0; wake_value(&a->wake) == value && bytes < 16 * MIB; bytes += BLOCK)
		take_bytes(a, BLOCK);
}

static void chunks_are_there_ahead(void)
{
	struct attended *a = attended_new(true);
	struct chunk *ahead, *newest;

	take_bytes(a, 20 * MIB);
	slab_prepare(&a->slab);
	take_until_asked(a);
	ok(a->slab.wanted, "in a chunk's last quarter another is asked for");
	newest = a->slab.chunk;
	slab_prepare(&a->slab);
	ahead = a->slab.ahead;
	ok(ahead && ahead != newest && a->slab.chunk == newest, "one is there, unused");
	ok(is_accounted_for(a), "it is accounted for");
	slab_prepare(&a->slab);
	ok(a->slab.ahead == ahead, "no other is prepared");
	take_bytes(a, MIB);
	ok(a->slab.chunk == ahead && !a->slab.ahead, "it is the next");
	slab_prepare(&a->slab);
	ok(!a->slab.ahead, "and none is there before it is needed");
	take_until_asked(a);
	default_allocator_arm(1);
	slab_prepare(&a->slab);
	ok(default_allocator_disarm() && !a->slab.ahead, "nor without memory");
	take_bytes(a, MIB);
	ok(is_accounted_for(a), "then a writer maps what he needs");
	take_until_asked(a);
	slab_prepare(&a->slab);
	ok(a->slab.ahead && is_accounted_for(a), "later one is there again");
	attended_delete(a);
}

static void not_for_all(void)
{
	struct attended *small = attended_new(true), *alone;

	take_bytes(small, 4 * MIB);
	slab_prepare(&small->slab);
	ok(!small->slab.wanted && !small->slab.ahead, "a small slab asks for nothing");
	attended_delete(small);
	alone = attended_new(false);
	take_bytes(alone, 40 * MIB);
	slab_prepare(&alone->slab);
	ok(!alone->slab.wanted && !alone->slab.ahead, "nor does one that nobody attends");
	attended_delete(alone);
}

int main(void)
{
	chunks_are_there_ahead();
	not_for_all();
	return tap_done();
}
