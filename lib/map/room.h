/* SPDX-License-Identifier: BSD-2-Clause */
/* Room in a bucket for one entry more. */
#ifndef RCUMAP_ROOM_H
#define RCUMAP_ROOM_H

#include "map/attempt.h"

/* What was found has no EMPTY slot: chain a line, or let the table grow. 0: look again. -ENOMEM, -EFAULT, -EOVERFLOW. */
int room_make(struct attempt *attempt, struct finding *finding);

#endif
