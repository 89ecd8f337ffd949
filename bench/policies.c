/* SPDX-License-Identifier: BSD-2-Clause */
#include "policies.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static void *array(uint64_t n, size_t size)
{
	void *p = calloc(n, size);

	if (!p) {
		fprintf(stderr, "no memory\n");
		exit(2);
	}
	return p;
}

static uint64_t charge_of(const uint32_t *charges, uint32_t key)
{
	return charges ? charges[key] : 1;
}

static void count_miss(struct misses *misses, const struct request *request)
{
	misses->requests++;
	misses->bytes += request->size;
}

/* ------------------------------------------------------------------------------------ least recently used */

/* A ring through all that is cached, from the most recent on; `keys` is its head. */
struct ring {
	uint32_t *next, *previous;
};

static void ring_remove(struct ring *ring, uint32_t key)
{
	ring->next[ring->previous[key]] = ring->next[key];
	ring->previous[ring->next[key]] = ring->previous[key];
}

static void ring_insert(struct ring *ring, uint32_t head, uint32_t key)
{
	ring->next[key] = ring->next[head];
	ring->previous[key] = head;
	ring->previous[ring->next[head]] = key;
	ring->next[head] = key;
}

struct misses policy_lru(const struct trace *trace, const uint32_t *charges, uint64_t capacity)
{
	const uint32_t head = trace->keys;
	struct ring ring = { array(head + UINT64_C(1), sizeof *ring.next),
			     array(head + UINT64_C(1), sizeof *ring.previous) };
	bool *cached = array(head, sizeof *cached);
	struct misses misses = { 0 };
	uint64_t used = 0;

	ring.next[head] = ring.previous[head] = head;
	for (uint64_t i = 0; i < trace->count; i++) {
		uint32_t key = trace->requests[i].key;
		uint64_t charge = charge_of(charges, key);

		if (cached[key]) {
			ring_remove(&ring, key);
			ring_insert(&ring, head, key);
			continue;
		}
		count_miss(&misses, &trace->requests[i]);
		if (charge > capacity)
			continue;
		for (used += charge; used > capacity;) {
			uint32_t oldest = ring.previous[head];

			ring_remove(&ring, oldest);
			cached[oldest] = false;
			used -= charge_of(charges, oldest);
		}
		cached[key] = true;
		ring_insert(&ring, head, key);
	}
	free(ring.next);
	free(ring.previous);
	free(cached);
	return misses;
}

/* ------------------------------------------------------------------------------------ Belady */

/* A heap of keys by their next request, the farthest first. An item that says another request than next[key] is out of
 * date. */
struct item {
	uint64_t request;
	uint32_t key;
};

struct heap {
	struct item *items;
	uint64_t count;
};

static void heap_push(struct heap *heap, struct item item)
{
	uint64_t i = heap->count++;

	for (; i && heap->items[(i - 1) / 2].request < item.request; i = (i - 1) / 2)
		heap->items[i] = heap->items[(i - 1) / 2];
	heap->items[i] = item;
}

static struct item heap_pop(struct heap *heap)
{
	struct item top = heap->items[0], last = heap->items[--heap->count];
	uint64_t i = 0, child;

	while ((child = 2 * i + 1) < heap->count) {
		if (child + 1 < heap->count && heap->items[child + 1].request > heap->items[child].request)
			child++;
		if (heap->items[child].request <= last.request)
			break;
		heap->items[i] = heap->items[child];
		i = child;
	}
	heap->items[i] = last;
	return top;
}

/* following[i]: the next request of the same key; beyond the end, each another number, if there is none. */
static uint64_t *following_requests(const struct trace *trace)
{
	uint64_t *following = array(trace->count, sizeof *following), *seen = array(trace->keys, sizeof *seen);

	for (uint64_t i = trace->count; i-- > 0;) {
		uint32_t key = trace->requests[i].key;

		following[i] = seen[key] ? seen[key] - 1 : trace->count + i;
		seen[key] = i + 1;
	}
	free(seen);
	return following;
}

struct misses policy_belady(const struct trace *trace, const uint32_t *charges, uint64_t capacity)
{
	uint64_t *following = following_requests(trace), *next = array(trace->keys, sizeof *next);
	struct heap heap = { array(trace->count, sizeof *heap.items), 0 };
	struct misses misses = { 0 };
	uint64_t used = 0;

	/* next[key]: its next request, if it is cached, or 0. */
	for (uint64_t i = 0; i < trace->count; i++) {
		uint32_t key = trace->requests[i].key;
		uint64_t charge = charge_of(charges, key);

		if (!next[key]) {
			count_miss(&misses, &trace->requests[i]);
			if (charge > capacity)
				continue;
			for (used += charge; used > capacity;) {
				struct item farthest;

				do
					farthest = heap_pop(&heap);
				while (next[farthest.key] != farthest.request);
				next[farthest.key] = 0;
				used -= charge_of(charges, farthest.key);
			}
		}
		next[key] = following[i];
		heap_push(&heap, (struct item){ following[i], key });
	}
	free(following);
	free(next);
	free(heap.items);
	return misses;
}
