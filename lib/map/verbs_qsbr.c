/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/qsbr.h"

#define SECTION_LOCK section_lock_qsbr
#define SECTION_UNLOCK section_unlock_qsbr
#define SECTION_ENTER section_enter_qsbr
#define SECTION_LEAVE section_leave_qsbr
#define VERBS verbs_qsbr

#include "map/verbs_template.h"
