/* SPDX-License-Identifier: BSD-2-Clause */
#include "lifetime.h"

#include "quantity.h"

#include <errno.h>
#include <rcumap.h>
#include <string.h>
#include <strings.h>

int lifetime_parse(const char *text, size_t size, uint64_t *ttl_ms)
{
	uint64_t ms;

	if (quantity_seconds(text, size, &ms) || ms > RCUMAP_TTL_MAX)
		return -EINVAL;
	*ttl_ms = ms;
	return 0;
}

int lifetime_of_cache_control(const char *value, uint64_t *ttl_ms)
{
	static const char name[] = "max-age";
	const char *p = value;

	while (*p) {
		const char *begin, *end;

		p += strspn(p, " \t,");
		begin = p;
		/* A quoted string may hold commas. */
		for (int quoted = 0; *p && (quoted || *p != ','); p++)
			quoted ^= *p == '"';
		end = p;
		if (strncasecmp(begin, name, sizeof name - 1))
			continue;
		begin += sizeof name - 1;
		if (*begin != '=')
			continue;
		begin++;
		while (end > begin && (end[-1] == ' ' || end[-1] == '\t'))
			end--;
		if (end - begin >= 2 && *begin == '"' && end[-1] == '"') {
			begin++;
			end--;
		}
		return lifetime_parse(begin, (size_t)(end - begin), ttl_ms) ? -EINVAL : 1;
	}
	return 0;
}
