/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file host_memory.h
 * How much memory this process may have: the machine's, or what its control groups leave it, if that is less.
 */
#ifndef RCUMAPD_HOST_MEMORY_H
#define RCUMAPD_HOST_MEMORY_H

#include <stdint.h>

/** Bytes; never 0. Reads /proc and /sys/fs/cgroup, both versions; what cannot be read limits nothing. */
uint64_t host_memory_bytes(void);

#endif
