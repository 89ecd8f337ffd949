/* SPDX-License-Identifier: BSD-2-Clause */
#include "places.h"

#include "layout/hash.h"

#include "draw.h"
#include "history.h"

static uint64_t key_hash[KEYS_MAX];

uint64_t places_hash(void *ctx, const void *key, size_t key_size)
{
	(void)ctx;
	(void)key_size;
	return key_hash[*(const unsigned char *)key - 'a'];
}

/* A number that the map's mixing turns into a hash with these three top bits. */
static uint64_t with_top_bits(struct draw *draw, unsigned bits)
{
	uint64_t h;

	do
		h = draw_u64(draw);
	while (hash_mix(h) >> 61 != bits);
	return h;
}

void places_draw(uint64_t seed, bool same_hash)
{
	struct draw draw;
	unsigned top;

	draw_init(&draw, seed);
	top = (unsigned)draw_below(&draw, 8);
	for (unsigned k = 0; k < KEYS_MAX; k++) {
		unsigned bits = (unsigned)draw_below(&draw, 4) == 0 ? top : (top & 4) | (unsigned)draw_below(&draw, 4);

		if (draw_below(&draw, 8) == 0)
			bits = (unsigned)draw_below(&draw, 8);
		key_hash[k] = with_top_bits(&draw, bits);
		if (k > 0 && draw_below(&draw, 8) == 0)
			key_hash[k] = key_hash[draw_below(&draw, k)];
	}
	if (same_hash)
		key_hash[1] = key_hash[0];
}
