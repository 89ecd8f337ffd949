/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file flavor.h
 * liburcu's flavors by name, and what a thread owes each of them.
 *
 * Read sections are not here: open them through rcumap_read_lock(), which a ThreadSanitizer build sees.
 */
#ifndef HARNESS_FLAVOR_H
#define HARNESS_FLAVOR_H

struct rcu_flavor_struct;

enum flavor {
	FLAVOR_BP,
	FLAVOR_MEMB,
	FLAVOR_QSBR,
	FLAVOR_COUNT,
};

/** "bp", "memb", "qsbr", NULL: in the order of the enum, as ARG_CHOICE wants them. */
extern const char *const flavor_names[];

/** The flavor of that name, or -1. */
int flavor_by_name(const char *name);

/** What rcumap_options.flavor takes: &urcu_bp_flavor and so on. */
const struct rcu_flavor_struct *flavor_rcu(enum flavor flavor);

/** Make the calling thread known to the flavor; a qsbr thread is online from here on. */
void flavor_register(enum flavor flavor);
/** The last call of a registered thread. */
void flavor_unregister(enum flavor flavor);
/** Announce a quiescent state (qsbr; nothing for the others). Outside any read section. */
void flavor_quiescent(enum flavor flavor);
/** Before and after a registered thread blocks (qsbr; nothing for the others). */
void flavor_offline(enum flavor flavor);
void flavor_online(enum flavor flavor);

#endif
