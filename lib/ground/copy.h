/* SPDX-License-Identifier: BSD-2-Clause */
/* Copying of what is small, as most keys and values are: without a call. */
#ifndef RCUMAP_COPY_H
#define RCUMAP_COPY_H

#include <stdbool.h>
#include <string.h>

/* So many bytes at once. */
struct copy_eight {
	unsigned char byte[8];
};

struct copy_sixteen {
	unsigned char byte[16];
};

/* Of 8 to 16 bytes: the first and the last eight, which may overlap; and of 16 to 32 likewise. */
#define COPY_ENDS(type, to, from, size)                                                     \
	do {                                                                                \
		type first, last;                                                           \
                                                                                            \
		memcpy(&first, (from), sizeof first);                                       \
		memcpy(&last, (const unsigned char *)(from) + (size) - sizeof last, sizeof last); \
		memcpy((to), &first, sizeof first);                                         \
		memcpy((unsigned char *)(to) + (size) - sizeof last, &last, sizeof last);   \
	} while (0)

/* Of 16 to 32 bytes: no call. */
static inline bool copy_value_is_inline(size_t size)
{
	return size - 16 <= 16;
}

/* Best for 16 to 32 bytes. Of none `from` may be NULL. */
static inline void copy_value(void *to, const void *from, size_t size)
{
	if (copy_value_is_inline(size))
		COPY_ENDS(struct copy_sixteen, to, from, size);
	else if (size)
		memcpy(to, from, size);
}

/* Best for 8 to 16 bytes. */
static inline void copy_key(void *to, const void *from, size_t size)
{
	if (size - 8 <= 8)
		COPY_ENDS(struct copy_eight, to, from, size);
	else
		memcpy(to, from, size);
}

#endif
