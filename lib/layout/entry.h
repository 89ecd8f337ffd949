/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * An entry: one block with header, key and value.
 *
 *     0               8           12        14     16               16 + key_size
 *     | version       | value_size | key_size| zero | key bytes ...  | value bytes ... |
 *
 * With a key of 16 and a value of 32 bytes it is one 64-byte line.
 *
 * Invariants
 * E1 Nothing in an entry changes once a compare-and-swap has made it reachable.
 * E2 A version is drawn once per entry and never again in the map's life.
 */
#ifndef RCUMAP_ENTRY_H
#define RCUMAP_ENTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct rcumap_entry {
	uint64_t version;
	uint32_t value_size;
	uint16_t key_size;
	uint16_t zero;
	unsigned char bytes[];
};

_Static_assert(offsetof(struct rcumap_entry, bytes) == 16, "the header is two words");
_Static_assert(sizeof(struct rcumap_entry) == 16, "no padding");

/* Versions use 60 bits: a version also serves as the number in IDLE and EMPTY words (line.h). */
#define ENTRY_VERSION_BITS 60

static inline size_t entry_size(size_t key_size, size_t value_size)
{
	return sizeof(struct rcumap_entry) + key_size + value_size;
}

static inline size_t entry_size_of(const struct rcumap_entry *entry)
{
	return entry_size(entry->key_size, entry->value_size);
}

/* An entry of up to a line must not straddle two. */
static inline size_t entry_align(size_t size)
{
	return size > 32 && size <= 64 ? 64 : 16;
}

static inline const unsigned char *entry_value(const struct rcumap_entry *entry)
{
	return entry->bytes + entry->key_size;
}

static inline void entry_fill(struct rcumap_entry *entry, const void *key, size_t key_size, const void *value,
			      size_t value_size)
{
	entry->value_size = (uint32_t)value_size;
	entry->key_size = (uint16_t)key_size;
	entry->zero = 0;
	memcpy(entry->bytes, key, key_size);
	if (value_size)
		memcpy(entry->bytes + key_size, value, value_size);
}

static inline bool entry_has_key(const struct rcumap_entry *entry, const void *key, size_t key_size)
{
	return entry->key_size == key_size && memcmp(entry->bytes, key, key_size) == 0;
}

#endif
