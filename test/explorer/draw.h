/* SPDX-License-Identifier: BSD-2-Clause */
/* Random numbers from a seed (splitmix64): a few per step, and always the same ones. */
#ifndef EXPLORER_DRAW_H
#define EXPLORER_DRAW_H

#include <stdint.h>

struct draw {
	uint64_t state;
};

static inline uint64_t draw_u64(struct draw *draw)
{
	uint64_t z = (draw->state += UINT64_C(0x9e3779b97f4a7c15));

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	return z ^ z >> 31;
}

static inline void draw_init(struct draw *draw, uint64_t seed)
{
	draw->state = seed;
	draw->state = draw_u64(draw);
}

/* 0 to limit - 1. */
static inline uint64_t draw_below(struct draw *draw, uint64_t limit)
{
	__extension__ typedef unsigned __int128 wide;

	return (uint64_t)((wide)draw_u64(draw) * limit >> 64);
}

#endif
