/* SPDX-License-Identifier: BSD-2-Clause */
#include "section/section.h"

#include <stddef.h>

const struct section_ops *section_ops_of(const struct rcu_flavor_struct *rcu)
{
	static const struct section_ops *const all[SECTION_FLAVORS] = { &section_bp, &section_memb, &section_qsbr };

	for (size_t i = 0; i < SECTION_FLAVORS; i++)
		if (all[i]->rcu == rcu)
			return all[i];
	return NULL;
}
