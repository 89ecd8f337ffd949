/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The floor: what a lookup costs where nobody can change anything meanwhile. Lines of six tags and pointers, one line an entry,
 * huge pages for both, as librcumap has them; but no section, no order of loads, no growth, no memory given back. Written by one thread,
 * before others read.
 */
#include "rivals.h"

#include "protocol/load.h"
#include "random.h"

#include <emmintrin.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#define SLOTS 6u
#define ADDRESS ((UINT64_C(1) << 48) - 1)
#define HUGE_PAGE ((size_t)2 << 20)
/* Room for more than are said to come; nothing is ever given back. */
#define SPARE_ENTRIES 1024u

struct floor_line {
	uint64_t unused, slot[SLOTS]; /* a tag of 16 bits and an address; 0: free */
	struct floor_line *next;
};

struct floor_entry {
	uint32_t key_size, value_size;
	unsigned char bytes[56]; /* key, value */
};

struct floor_map {
	struct floor_line *lines, *spare_lines;
	struct floor_entry *entries;
	uint64_t count, entries_used, entries_max, spare_used, spare_max;
	uint64_t lines_count, factor; /* protocol/size.h */
	uint64_t seed;
};

_Static_assert(sizeof(struct floor_line) == 64 && sizeof(struct floor_entry) == 64, "a cache line each");

static void *map_pages(size_t size)
{
	size_t whole = (size + 2 * HUGE_PAGE - 1) & ~(HUGE_PAGE - 1);
	char *pages = mmap(NULL, whole, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return NULL;
	madvise(pages, whole, MADV_HUGEPAGE);
	return pages;
}

static void unmap_pages(void *pages, size_t size)
{
	if (pages)
		munmap(pages, (size + 2 * HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
}

static size_t line_bytes(const struct floor_map *map)
{
	return (map->lines_count + map->spare_max) * sizeof(struct floor_line);
}

static void floor_destroy(void *opaque)
{
	struct floor_map *map = opaque;

	unmap_pages(map->lines, line_bytes(map));
	unmap_pages(map->entries, map->entries_max * sizeof *map->entries);
	free(map);
}

/* A table of the size that librcumap's would have; as many lines again, touched when they are needed, are for what overflows. */
static void *floor_create(uint64_t pairs)
{
	struct floor_map *map = calloc(1, sizeof *map);

	if (!map)
		return NULL;
	unsigned size = SIZE_FIRST;

	while (size < SIZE_LAST && load_must_grow(pairs, size))
		size++;
	map->factor = size_factor(size);
	map->lines_count = map->spare_max = size_buckets(size);
	map->entries_max = pairs + SPARE_ENTRIES;
	map->seed = rng_fresh_seed();
	map->lines = map_pages(line_bytes(map));
	map->entries = map_pages(map->entries_max * sizeof *map->entries);
	if (!map->lines || !map->entries) {
		floor_destroy(map);
		return NULL;
	}
	map->spare_lines = map->lines + map->lines_count;
	return map;
}

/* The upper halves of four words: the second half of each has its tag. */
static inline __m128i upper_halves(const __m128i *words)
{
	return _mm_castps_si128(_mm_shuffle_ps(_mm_castsi128_ps(words[0]), _mm_castsi128_ps(words[1]), _MM_SHUFFLE(3, 1, 3, 1)));
}

/* A bit in two for each slot that has the tag. */
static inline unsigned matches(const struct floor_line *line, uint64_t tag)
{
	const __m128i *words = (const __m128i *)(const void *)line, wanted = _mm_set1_epi16((short)tag);
	const __m128i first = _mm_cmpeq_epi16(upper_halves(words), wanted), second = _mm_cmpeq_epi16(upper_halves(words + 2), wanted);

	return (unsigned)_mm_movemask_epi8(_mm_packs_epi16(first, second)) & 0x2aa8;
}

static inline bool has_key(const struct floor_entry *entry, const void *key, size_t key_size)
{
	if (entry->key_size != key_size)
		return false;
	if (key_size == 16)
		return _mm_movemask_epi8(_mm_cmpeq_epi8(_mm_loadu_si128((const __m128i *)(const void *)entry->bytes),
							_mm_loadu_si128((const __m128i *)key))) == 0xffff;
	return memcmp(entry->bytes, key, key_size) == 0;
}

static inline uint64_t hash_of(const struct floor_map *map, const void *key, size_t key_size)
{
	return XXH3_64bits_withSeed(key, key_size, map->seed);
}

static inline struct floor_line *line_of(const struct floor_map *map, uint64_t hash)
{
	return &map->lines[size_bucket(map->factor, hash)];
}

static inline struct floor_entry *find(struct floor_line *line, uint64_t tag, const void *key, size_t key_size)
{
	do {
		for (unsigned hits = matches(line, tag); hits; hits &= hits - 1) {
			uint64_t word = line->slot[(unsigned)__builtin_ctz(hits) / 2 - 1];
			struct floor_entry *entry = (struct floor_entry *)(uintptr_t)(word & ADDRESS);

			if (entry && has_key(entry, key, key_size))
				return entry;
		}
		line = line->next;
	} while (line);
	return NULL;
}

static inline int copy_out(const struct floor_entry *entry, void *buffer, size_t buffer_size, size_t *value_size)
{
	if (!entry)
		return -ENOENT;
	*value_size = entry->value_size;
	if (entry->value_size > buffer_size)
		return -ENOBUFS;
	if (entry->value_size == 32)
		memcpy(buffer, entry->bytes + entry->key_size, 32);
	else
		memcpy(buffer, entry->bytes + entry->key_size, entry->value_size);
	return 0;
}

__attribute__((flatten)) static int floor_get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size,
					      size_t *value_size)
{
	const struct floor_map *map = opaque;
	uint64_t hash = hash_of(map, key, key_size);

	return copy_out(find(line_of(map, hash), hash & 0xffff, key, key_size), buffer, buffer_size, value_size);
}

static size_t floor_get_batch(void *opaque, size_t n, const void *const key[], size_t key_size, void *const buffer[],
			      size_t buffer_size, size_t value_size[])
{
	const struct floor_map *map = opaque;
	uint64_t hash[SUBJECT_BATCH];
	size_t there = 0;

	for (size_t i = 0; i < n; i++) {
		hash[i] = hash_of(map, key[i], key_size);
		__builtin_prefetch(line_of(map, hash[i]));
	}
	for (size_t i = 0; i < n; i++) {
		const struct floor_line *line = line_of(map, hash[i]);
		unsigned hits = matches(line, hash[i] & 0xffff);

		if (hits)
			__builtin_prefetch((void *)(uintptr_t)(line->slot[(unsigned)__builtin_ctz(hits) / 2 - 1] & ADDRESS));
	}
	for (size_t i = 0; i < n; i++) {
		const struct floor_entry *entry = find(line_of(map, hash[i]), hash[i] & 0xffff, key[i], key_size);

		if (copy_out(entry, buffer[i], buffer_size, &value_size[i]) == 0)
			there++;
		else
			value_size[i] = SIZE_MAX;
	}
	return there;
}

/* Where a new entry goes, or NULL. */
static uint64_t *free_slot(struct floor_map *map, struct floor_line *line)
{
	for (;; line = line->next) {
		for (unsigned i = 0; i < SLOTS; i++)
			if (!line->slot[i])
				return &line->slot[i];
		if (!line->next && map->spare_used == map->spare_max)
			return NULL;
		if (!line->next)
			line->next = &map->spare_lines[map->spare_used++];
	}
}

static int floor_put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct floor_map *map = opaque;
	uint64_t hash = hash_of(map, key, key_size), *slot;
	struct floor_entry *entry = find(line_of(map, hash), hash & 0xffff, key, key_size);

	if (key_size + value_size > sizeof entry->bytes)
		return -EINVAL;
	if (!entry) {
		slot = map->entries_used < map->entries_max ? free_slot(map, line_of(map, hash)) : NULL;
		if (!slot)
			return -ENOSPC;
		map->count++;
		entry = &map->entries[map->entries_used++];
		entry->key_size = (uint32_t)key_size;
		memcpy(entry->bytes, key, key_size);
		*slot = hash << 48 | (uintptr_t)entry;
	}
	entry->value_size = (uint32_t)value_size;
	memcpy(entry->bytes + key_size, value, value_size);
	return 0;
}

static int floor_remove(void *opaque, const void *key, size_t key_size)
{
	struct floor_map *map = opaque;
	uint64_t hash = hash_of(map, key, key_size);
	struct floor_entry *entry = find(line_of(map, hash), hash & 0xffff, key, key_size);

	if (!entry)
		return -ENOENT;
	for (struct floor_line *line = line_of(map, hash); line; line = line->next)
		for (unsigned i = 0; i < SLOTS; i++)
			if ((line->slot[i] & ADDRESS) == (uintptr_t)entry)
				line->slot[i] = 0;
	map->count--;
	return 0;
}

static uint64_t floor_count(void *opaque)
{
	return ((struct floor_map *)opaque)->count;
}

static uint64_t floor_memory(void *opaque)
{
	struct floor_map *map = opaque;

	return (map->lines_count + map->spare_used) * sizeof(struct floor_line) + map->count * sizeof(struct floor_entry);
}

const struct subject subject_floor = {
	.name = "floor",
	.what = "the same memory, no concurrency control at all",
	.create = floor_create,
	.destroy = floor_destroy,
	.thread_enter = subject_nothing,
	.thread_leave = subject_nothing,
	.thread_pause = subject_nothing,
	.get = floor_get,
	.get_batch = floor_get_batch,
	.put = floor_put,
	.remove = floor_remove,
	.count = floor_count,
	.memory = floor_memory,
	.settle = subject_settled,
	.cannot_grow = true,
};
