/* SPDX-License-Identifier: BSD-2-Clause */
/* A seed that nobody outside the process can guess. Any thread; may block early at boot. */
#ifndef RCUMAP_RANDOM_H
#define RCUMAP_RANDOM_H

#include <stdint.h>

uint64_t random_seed(void);

#endif
