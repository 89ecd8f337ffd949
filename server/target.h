/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file target.h
 * The request target: endpoint, key, query. The key is what follows KEY_PREFIX, percent-decoded once and in place, any
 * bytes, never normalized: `/v1/a/../b` is the key `a/../b`, `/v1/%2F` the key `/`, `/v1/%00` a zero byte.
 */
#ifndef RCUMAPD_TARGET_H
#define RCUMAPD_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TARGET_KEY_PREFIX "/v1/"

struct target {
	char *begin;	  /* as it came; the HTTP library's, until the request is completed */
	size_t raw_size;  /* with the query */
	const char *path; /* without scheme and host; undecoded, terminated. NULL before target_decode() */
	const char *key;  /* decoded; NULL if the path does not begin with the prefix */
	size_t key_size;
	uint64_t ttl_ms; /* of the query */
	bool has_ttl;
	const char *error; /* what is wrong with it, NULL if nothing is: status 400 */
};

/** The whole target, terminated: remember it, read its query. */
void target_begin(struct target *target, char *text);

/** The library has cut the query off: `text` is what was given to target_begin(). Finds path and key, decodes the key. */
void target_decode(struct target *target, char *text);

#endif
