/* SPDX-License-Identifier: BSD-2-Clause */
#include "upload.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_CAPACITY 4096u

bool upload_budget_take(struct upload_budget *budget, size_t n)
{
	size_t used = atomic_fetch_add_explicit(&budget->used, n, memory_order_relaxed);

	if (used <= budget->limit && n <= budget->limit - used)
		return true;
	atomic_fetch_sub_explicit(&budget->used, n, memory_order_relaxed);
	return false;
}

void upload_budget_give(struct upload_budget *budget, size_t n)
{
	atomic_fetch_sub_explicit(&budget->used, n, memory_order_relaxed);
}

int upload_begin(struct upload *upload, struct upload_budget *budget, size_t head, uint64_t expected, size_t limit)
{
	size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);

	*upload = (struct upload){ .head = head, .limit = limit, .expected = expected };
	if (expected > limit)
		return -EFBIG;
	if (used > budget->limit || head + expected > budget->limit - used)
		return -ENOSPC;
	upload->budget = budget;
	return 0;
}

/* The next capacity that holds `need`: of what is announced, if that is not much more; else twice as much. */
static size_t grown(const struct upload *upload, size_t need)
{
	size_t capacity = upload->capacity ? 2 * upload->capacity : FIRST_CAPACITY;
	size_t announced = upload->head + (size_t)upload->expected;

	capacity = capacity > need ? capacity : need;
	return upload->expected && announced >= need && announced < capacity ? announced : capacity;
}

static int reserve(struct upload *upload, size_t need)
{
	size_t capacity;
	unsigned char *bytes;

	if (need <= upload->capacity)
		return 0;
	capacity = grown(upload, need);
	if (!upload_budget_take(upload->budget, capacity - upload->capacity))
		return -ENOSPC;
	bytes = realloc(upload->bytes, capacity);
	if (!bytes) {
		upload_budget_give(upload->budget, capacity - upload->capacity);
		return -ENOMEM;
	}
	upload->bytes = bytes;
	upload->capacity = capacity;
	return 0;
}

int upload_append(struct upload *upload, const void *bytes, size_t size)
{
	int result = size > upload->limit - upload->size ? -EFBIG : reserve(upload, upload->head + upload->size + size);

	if (result) {
		upload_end(upload);
		return result;
	}
	memcpy(upload->bytes + upload->head + upload->size, bytes, size);
	upload->size += size;
	return 0;
}

int upload_finish(struct upload *upload)
{
	return reserve(upload, upload->head ? upload->head : 1);
}

void upload_end(struct upload *upload)
{
	if (!upload->budget)
		return;
	free(upload->bytes);
	upload_budget_give(upload->budget, upload->capacity);
	*upload = (struct upload){ 0 };
}
