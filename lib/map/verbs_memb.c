/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/memb.h"

#define SECTION_LOCK section_lock_memb
#define SECTION_UNLOCK section_unlock_memb
#define SECTION_IS_QUICK section_is_quick_memb
#define VERBS verbs_memb

#include "map/verbs_template.h"
