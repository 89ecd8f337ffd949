/* SPDX-License-Identifier: BSD-2-Clause */
#include "item.h"

#include <endian.h>
#include <stdbool.h>
#include <string.h>

#define STAMP_SIZE 4u

static bool is_default(const char *type)
{
	return !type || !*type || strcmp(type, ITEM_DEFAULT_TYPE) == 0;
}

size_t item_head_size(const char *type)
{
	return is_default(type) ? STAMP_SIZE : STAMP_SIZE + 1 + strlen(type);
}

void item_write_head(unsigned char *head, const char *type, uint32_t stored_s)
{
	uint32_t stamp = htole32(stored_s << 1 | !is_default(type));

	memcpy(head, &stamp, STAMP_SIZE);
	if (!is_default(type)) {
		head[STAMP_SIZE] = (unsigned char)strlen(type);
		memcpy(head + STAMP_SIZE + 1, type, strlen(type));
	}
}

void item_read(const struct rcumap_entry *entry, struct item *item)
{
	const unsigned char *value = rcumap_entry_value(entry);
	size_t head = STAMP_SIZE;
	uint32_t stamp;

	memcpy(&stamp, value, STAMP_SIZE);
	stamp = le32toh(stamp);
	item->stored_s = stamp >> 1;
	item->type = ITEM_DEFAULT_TYPE;
	item->type_size = sizeof ITEM_DEFAULT_TYPE - 1;
	if (stamp & 1) {
		item->type_size = value[STAMP_SIZE];
		item->type = (const char *)value + STAMP_SIZE + 1;
		head += 1 + item->type_size;
	}
	item->body = value + head;
	item->size = rcumap_entry_value_size(entry) - head;
}
