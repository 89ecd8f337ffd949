/* SPDX-License-Identifier: BSD-2-Clause */
#include "subject.h"

#include <string.h>

const struct subject *const subjects[] = {
	&subject_rcumap_bp, &subject_rcumap_memb, &subject_rcumap_qsbr, &subject_mutex, NULL,
};

const struct subject *subject_by_name(const char *name)
{
	for (const struct subject *const *s = subjects; *s; s++)
		if (strcmp((*s)->name, name) == 0)
			return *s;
	return NULL;
}
