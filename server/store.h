/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file store.h
 * PUT and POST: the body under the key, with a life and a content type. Preconditions are judged in the same atomic step.
 */
#ifndef RCUMAPD_STORE_H
#define RCUMAPD_STORE_H

#include "conditional.h"
#include "data.h"

/** What is to be stored, for a single request or one of a batch. */
struct store {
	const void *key;
	size_t key_size;
	unsigned char *value; /* the item's head, filled in by store_run(), and the body */
	size_t value_size;
	const char *type; /* NULL for the default */
	uint64_t ttl_ms;
	const char *if_match, *if_none_match; /* NULL if absent */
	/* Results of store_run(). */
	bool existed;
	enum conditional verdict;
	uint64_t version; /* 0 if the life was 0 */
};

/** Store, if the verdict is CONDITIONAL_GO_ON. 0 or an error of rcumap_update()'s. */
int store_run(struct cache *cache, struct store *store);

/** May it be a content type? */
bool store_type_valid(const char *type);

void store_begin(struct data *data, struct request *request);
void store_answer(struct data *data, struct request *request);

#endif
