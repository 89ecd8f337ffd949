/* SPDX-License-Identifier: BSD-2-Clause */
/* The time that the map's clock shows: it passes by whole hours, and only when a script or the end of a run says so. */
#ifndef EXPLORER_HOUR_H
#define EXPLORER_HOUR_H

#define HOUR_FIRST 1u

void hour_reset(void);
unsigned hour_now(void);
void hour_pass(void);

#endif
