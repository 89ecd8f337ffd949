/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file upload.h
 * A body that is coming in, in a buffer that grows with what has come, not with what was announced. What all bodies take
 * together is bounded by a budget, which others may take from, too.
 *
 * Invariant: the budget's `used` is the sum of the capacities of all uploads, and of what others have taken.
 */
#ifndef RCUMAPD_UPLOAD_H
#define RCUMAPD_UPLOAD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct upload_budget {
	_Atomic size_t used; /* relaxed: a count that nothing else hangs on */
	size_t limit;
};

/** Take so many bytes from the budget; false if they are not there. */
bool upload_budget_take(struct upload_budget *budget, size_t n);
void upload_budget_give(struct upload_budget *budget, size_t n);

struct upload {
	struct upload_budget *budget; /* NULL: nothing is kept */
	unsigned char *bytes;	      /* `head` bytes that are the caller's, then `size` of the body */
	size_t head, size, capacity, limit;
	uint64_t expected; /* bytes of body that were announced; 0 if unknown */
};

/**
 * Begin to keep a body.
 *
 * @param head       bytes to leave free before it.
 * @param expected   its announced size, 0 if unknown.
 * @param limit      its largest size.
 * @retval -EFBIG    more is announced than `limit`.
 * @retval -ENOSPC   the budget has no room for it just now.
 */
int upload_begin(struct upload *upload, struct upload_budget *budget, size_t head, uint64_t expected, size_t limit);

/** Append. 0, -EFBIG (limit), -ENOSPC (budget) or -ENOMEM; then it keeps nothing any more. */
int upload_append(struct upload *upload, const void *bytes, size_t size);

/** Make sure that `bytes` is there, even if no body came. 0, -ENOSPC or -ENOMEM. */
int upload_finish(struct upload *upload);

/** Give it up; may be called again, and for a zeroed struct. */
void upload_end(struct upload *upload);

#endif
