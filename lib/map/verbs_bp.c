/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/bp.h"

#define SECTION_LOCK section_lock_bp
#define SECTION_UNLOCK section_unlock_bp
#define SECTION_ENTER section_enter_bp
#define SECTION_LEAVE section_leave_bp
#define VERBS verbs_bp

#include "map/verbs_template.h"
