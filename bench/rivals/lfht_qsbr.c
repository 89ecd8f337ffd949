/* SPDX-License-Identifier: BSD-2-Clause */
/* cds_lfht with the qsbr flavor, whose read sections are inlined where the build allows (doc/licences.md). */
#if RCUMAP_LGPL_INLINE
#define _LGPL_SOURCE
#endif
#define URCU_API_MAP
#include <urcu/urcu-qsbr.h>

#include "lfht_template.h"

const struct subject subject_lfht_qsbr = LFHT_SUBJECT("qsbr");
