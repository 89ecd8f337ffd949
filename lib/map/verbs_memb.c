/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/memb.h"

#define SECTION_LOCK section_lock_memb
#define SECTION_UNLOCK section_unlock_memb
#define SECTION_ENTER section_enter_memb
#define SECTION_LEAVE section_leave_memb
#define VERBS verbs_memb

#include "map/verbs_template.h"
