/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A placeholder: an entry that stands under a key which is absent. It has a deadline word that is DEAD from the beginning, so
 * that whoever looks for the key finds it expired, and whoever stores puts his entry in its place. The bit `apart` of its
 * head tells it from entries that have expired. Its value:
 *
 *     0          8          12
 *     | until_us | error    |
 *
 * While a value is being loaded the error is 0, and it stands until NEVER. Else the load has failed, which is to be
 * remembered until then, with the arm of a hint in the deadline word.
 */
#ifndef RCUMAP_PLACEHOLDER_H
#define RCUMAP_PLACEHOLDER_H

#include "layout/entry.h"

struct placeholder {
	uint64_t until_us;
	int32_t error;
};

/* Of it so many bytes are stored. */
#define PLACEHOLDER_SIZE 12u

_Static_assert(offsetof(struct placeholder, error) == 8, "no padding within");

/* Of an entry in a table. */
static inline bool entry_is_placeholder(const struct rcumap_entry *entry)
{
	return entry_is_apart(entry);
}

static inline struct placeholder placeholder_of(const struct rcumap_entry *entry)
{
	struct placeholder placeholder;

	memcpy(&placeholder, entry_value(entry), PLACEHOLDER_SIZE);
	return placeholder;
}

static inline bool placeholder_is_load(const struct placeholder *placeholder)
{
	return placeholder->error == 0;
}

/* The word by which its hint judges it. */
static inline uint64_t placeholder_word(const struct rcumap_entry *entry)
{
	return deadline_word(placeholder_of(entry).until_us, deadline_arm(entry_deadline(entry)));
}

#endif
