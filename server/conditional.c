/* SPDX-License-Identifier: BSD-2-Clause */
#include "conditional.h"

#include <stdio.h>
#include <string.h>

static char *write_hex(char *to, uint64_t number)
{
	static const char digits[] = "0123456789abcdef";
	unsigned size = number ? (67u - (unsigned)__builtin_clzll(number)) / 4 : 1;

	for (unsigned i = size; i-- > 0; number >>= 4)
		to[i] = digits[number & 15];
	return to + size;
}

void etag_write(const struct cache *cache, uint64_t version, char etag[ETAG_SIZE])
{
	char *p = etag;

	if (version) {
		*p++ = '"';
		p = write_hex(p, cache->epoch);
		*p++ = '-';
		p = write_hex(p, version);
		*p++ = '"';
	}
	*p = '\0';
}

enum listed { LISTED, NOT_LISTED, NO_LIST };

/* Is `etag` ("" for nothing there) in the list? `weak`: tags marked weak count, too. */
static enum listed find_listed(const char *list, const char *etag, bool weak)
{
	size_t size = strlen(etag);
	enum listed found = NOT_LISTED;
	bool any = false;

	for (const char *p = list;;) {
		const char *begin;
		bool is_weak;

		p += strspn(p, " \t,");
		if (!*p)
			return any ? found : NO_LIST;
		is_weak = p[0] == 'W' && p[1] == '/';
		p += is_weak ? 2 : 0;
		begin = p;
		if (*p++ != '"')
			return NO_LIST;
		p += strcspn(p, "\"");
		if (*p++ != '"')
			return NO_LIST;
		if (size && (size_t)(p - begin) == size && memcmp(begin, etag, size) == 0 && (weak || !is_weak))
			found = LISTED;
		any = true;
		p += strspn(p, " \t");
		if (*p && *p != ',')
			return NO_LIST;
	}
}

static bool is_star(const char *list)
{
	return strcmp(list, "*") == 0;
}

enum conditional conditional_judge(const struct cache *cache, const char *if_match, const char *if_none_match,
				   const struct rcumap_entry *entry)
{
	char etag[ETAG_SIZE];
	enum listed match, none_match;

	if (!if_match && !if_none_match)
		return CONDITIONAL_GO_ON;
	etag_write(cache, entry ? rcumap_entry_version(entry) : 0, etag);
	match = !if_match || (is_star(if_match) && entry) ? LISTED :
		is_star(if_match)			  ? NOT_LISTED :
							    find_listed(if_match, etag, false);
	none_match = !if_none_match || (is_star(if_none_match) && !entry) ? NOT_LISTED :
		     is_star(if_none_match)				  ? LISTED :
									    find_listed(if_none_match, etag, true);
	if (match == NO_LIST || none_match == NO_LIST)
		return CONDITIONAL_MALFORMED;
	if (match == NOT_LISTED)
		return CONDITIONAL_FAILED;
	return none_match == LISTED ? CONDITIONAL_UNCHANGED : CONDITIONAL_GO_ON;
}

bool conditional_if_range(const char *if_range, const char *etag)
{
	/* A date never matches: there is none to compare it with. */
	return !if_range || strcmp(if_range, etag) == 0;
}
