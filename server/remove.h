/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file remove.h
 * DELETE.
 */
#ifndef RCUMAPD_REMOVE_H
#define RCUMAPD_REMOVE_H

#include "conditional.h"
#include "data.h"

/** Remove a key, if its preconditions (NULL if absent) hold. 0, -ENOENT, or an error of the map's; *verdict is told with both. */
int remove_run(struct cache *cache, const void *key, size_t key_size, const char *if_match, const char *if_none_match,
	       enum conditional *verdict);

void remove_answer(struct data *data, struct request *request);

#endif
