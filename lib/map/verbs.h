/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The operations that open a read section of their own, one copy per flavor: verbs_template.h is compiled by
 * verbs_bp.c, verbs_memb.c and verbs_qsbr.c with that flavor's code inlined. In a large map an out-of-line section
 * costs a get several times its own length, since fewer lookups overlap in the processor.
 */
#ifndef RCUMAP_VERBS_H
#define RCUMAP_VERBS_H

#include "map/map.h"
#include "map/write.h"

struct verbs {
	int (*get)(const struct rcumap *map, const void *key, size_t key_size, void *buffer, size_t buffer_size,
		   size_t *value_size, uint64_t *version);
	size_t (*get_batch)(const struct rcumap *map, const struct rcumap_key *keys, size_t n,
			    struct rcumap_copy *copies);
	/* Puts that suit (map/overwrite.h), whose lives have no end: ttl_ms only makes these two a jump from rcumap_put(). */
	int (*put_small)(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
			 uint64_t ttl_ms, uint64_t *version);
	int (*put)(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
		   uint64_t ttl_ms, uint64_t *version);
	int (*store)(struct rcumap *map, struct write_store *store);
	int (*remove)(struct rcumap *map, struct write_remove *remove);
	int (*touch)(struct rcumap *map, struct write_touch *touch);
	int (*update)(struct rcumap *map, struct write_update *update);
	int (*ttl)(const struct rcumap *map, const void *key, size_t key_size, uint64_t *ttl_ms);
};

extern const struct verbs verbs_bp, verbs_memb, verbs_qsbr;

static inline const struct verbs *verbs_of(const struct section_ops *section)
{
	static const struct verbs *const all[SECTION_FLAVORS] = { &verbs_bp, &verbs_memb, &verbs_qsbr };

	return all[section->flavor];
}

#endif
