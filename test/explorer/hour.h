/* SPDX-License-Identifier: BSD-2-Clause */
/* The time that the map's clock shows: it passes by whole hours, and only when a script or the end of a run says so. */
#ifndef EXPLORER_HOUR_H
#define EXPLORER_HOUR_H

#include <stdint.h>

#define HOUR_FIRST 1u

/* Hours as the wheel likes them: whole ticks. */
#define HOUR_US (UINT64_C(1) << 20)

void hour_reset(void);
unsigned hour_now(void);
void hour_pass(void);

#endif
