/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file item.h
 * How a body and what is told of it lie in a value of the map:
 *
 *     4 bytes    second of the cache's clock at which it was stored, times 2; plus 1 if it has a content type of its own
 *     1 byte     only then: the type's size
 *     n bytes    only then: the type
 *     the body
 *
 * Numbers are little-endian. The default type costs nothing.
 */
#ifndef RCUMAPD_ITEM_H
#define RCUMAPD_ITEM_H

#include <rcumap.h>

#define ITEM_DEFAULT_TYPE "application/octet-stream"
#define ITEM_TYPE_SIZE_MAX 255u
#define ITEM_HEAD_SIZE_MAX (5u + ITEM_TYPE_SIZE_MAX)

struct item {
	const void *body;
	size_t size;
	const char *type; /* not terminated, or ITEM_DEFAULT_TYPE */
	size_t type_size;
	uint32_t stored_s;
};

/** How many bytes stand before the body. `type`: NULL or the default one for none; else at most ITEM_TYPE_SIZE_MAX bytes. */
size_t item_head_size(const char *type);

/** Write them. */
void item_write_head(unsigned char *head, const char *type, uint32_t stored_s);

/** Take an entry apart; what `item` points to is the entry's, and lives as long. */
void item_read(const struct rcumap_entry *entry, struct item *item);

#endif
