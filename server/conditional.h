/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file conditional.h
 * Entity tags, and requests that depend on them: RFC 9110, 8.8.3 and 13. A tag is `"epoch-version"`, both hexadecimal: strong,
 * for a version belongs to one value, and the epoch to one run.
 */
#ifndef RCUMAPD_CONDITIONAL_H
#define RCUMAPD_CONDITIONAL_H

#include "cache.h"

#define ETAG_SIZE 40u /* with quotes and terminator */

enum conditional {
	CONDITIONAL_GO_ON,
	CONDITIONAL_UNCHANGED, /* If-None-Match names what is there: 304 where it is read, else 412 */
	CONDITIONAL_FAILED,    /* 412 */
	CONDITIONAL_MALFORMED  /* 400 */
};

/** The tag of a version; "" for version 0. */
void etag_write(const struct cache *cache, uint64_t version, char etag[ETAG_SIZE]);

/**
 * Judge If-Match and If-None-Match (NULL if absent) against a key's entry, NULL if it is absent. Malformed lists are told
 * whatever is there. Calls nothing but accessors of the entry: may be called in rcumap_update()'s function.
 */
enum conditional conditional_judge(const struct cache *cache, const char *if_match, const char *if_none_match,
				   const struct rcumap_entry *entry);

/** Does If-Range (NULL if absent) allow a part of what has this tag? */
bool conditional_if_range(const char *if_range, const char *etag);

#endif
