/* SPDX-License-Identifier: BSD-2-Clause */
/* Where keys lie in a map: their hashes. */
#ifndef EXPLORER_PLACES_H
#define EXPLORER_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Mostly in one bucket of the smallest table, which growing divides; sometimes two keys have the same hash. Else a and b do. */
void places_draw(uint64_t seed, bool same_hash);

/* An rcumap_hash_fn. */
uint64_t places_hash(void *ctx, const void *key, size_t key_size);

#endif
