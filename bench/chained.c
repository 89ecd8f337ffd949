/* SPDX-License-Identifier: BSD-2-Clause */
#include "chained.h"

#define BUCKETS_MIN 64u

int chained_init(struct chained *table)
{
	*table = (struct chained){ .buckets = calloc(BUCKETS_MIN, sizeof *table->buckets), .mask = BUCKETS_MIN - 1 };
	return table->buckets ? 0 : -ENOMEM;
}

void chained_free_list(struct chained_node *node)
{
	while (node) {
		struct chained_node *next = node->next;

		free(node);
		node = next;
	}
}

void chained_free(struct chained *table)
{
	for (uint64_t i = 0; i <= table->mask; i++)
		chained_free_list(table->buckets[i]);
	free(table->buckets);
}

void chained_grow(struct chained *table)
{
	uint64_t buckets = (table->mask + 1) * 2;
	struct chained_node **fresh = calloc(buckets, sizeof *fresh);

	if (!fresh)
		return;
	for (uint64_t i = 0; i <= table->mask; i++) {
		for (struct chained_node *node = table->buckets[i], *next; node; node = next) {
			struct chained_node **head = &fresh[node->hash & (buckets - 1)];

			next = node->next;
			node->next = *head;
			*head = node;
		}
	}
	free(table->buckets);
	table->buckets = fresh;
	table->mask = buckets - 1;
}
