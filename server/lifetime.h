/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file lifetime.h
 * How a request says how long what it stores shall live: `ttl` in its query, or `max-age` in Cache-Control.
 */
#ifndef RCUMAPD_LIFETIME_H
#define RCUMAPD_LIFETIME_H

#include <stddef.h>
#include <stdint.h>

/** Seconds, perhaps with a fraction, as milliseconds. 0 or -EINVAL: not such a number, negative, or longer than the map knows. */
int lifetime_parse(const char *text, size_t size, uint64_t *ttl_ms);

/** The first max-age of a Cache-Control value. 1: there is one; 0: there is none; -EINVAL: there is, and it is none. */
int lifetime_of_cache_control(const char *value, uint64_t *ttl_ms);

#endif
