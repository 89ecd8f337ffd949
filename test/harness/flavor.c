/* SPDX-License-Identifier: BSD-2-Clause */
#include "flavor.h"

#include <string.h>
#include <urcu/flavor.h>

/* Each is declared by its own urcu header only, and these headers do not go together. */
extern const struct rcu_flavor_struct urcu_bp_flavor, urcu_memb_flavor, urcu_qsbr_flavor;

static const struct rcu_flavor_struct *const flavors[] = {
	[FLAVOR_BP] = &urcu_bp_flavor,
	[FLAVOR_MEMB] = &urcu_memb_flavor,
	[FLAVOR_QSBR] = &urcu_qsbr_flavor,
};

const char *const flavor_names[] = {
	[FLAVOR_BP] = "bp",
	[FLAVOR_MEMB] = "memb",
	[FLAVOR_QSBR] = "qsbr",
	[FLAVOR_COUNT] = NULL,
};

int flavor_by_name(const char *name)
{
	for (int i = 0; i < FLAVOR_COUNT; i++)
		if (strcmp(name, flavor_names[i]) == 0)
			return i;
	return -1;
}

const struct rcu_flavor_struct *flavor_rcu(enum flavor flavor)
{
	return flavors[flavor];
}

void flavor_register(enum flavor flavor)
{
	flavors[flavor]->register_thread();
}

void flavor_unregister(enum flavor flavor)
{
	flavors[flavor]->unregister_thread();
}

void flavor_quiescent(enum flavor flavor)
{
	flavors[flavor]->read_quiescent_state();
}

void flavor_offline(enum flavor flavor)
{
	flavors[flavor]->thread_offline();
}

void flavor_online(enum flavor flavor)
{
	flavors[flavor]->thread_online();
}
