/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read sections of the three RCU flavors, as a table of functions for the cold paths. The hot paths include
 * section/bp.h, section/memb.h or section/qsbr.h in a file of their own and inline liburcu's code.
 */
#ifndef RCUMAP_SECTION_H
#define RCUMAP_SECTION_H

#include <stdbool.h>

struct rcu_flavor_struct;

struct section_ops {
	const char *name;
	unsigned flavor; /* index, 0 to SECTION_FLAVORS - 1 */
	const struct rcu_flavor_struct *rcu;
	/* As rcumap_read_lock(): watched in debug builds. */
	void (*lock)(void);
	void (*unlock)(void);
	/* The section that a call has opened by its flavor's inline code: left for a while, and entered again. */
	void (*leave)(void);
	void (*enter)(void);
	/* May section_enter_<flavor>() be used? Stays so. */
	bool (*is_quick)(void);
	void (*thread_register)(void);
	void (*thread_unregister)(void);
	/* Around anything that sleeps: qsbr's readers must not hold back a grace period that they wait for.
	 * pause() returns whether resume() has something to do. */
	bool (*pause)(void);
	void (*resume)(bool paused);
	/* Is the calling thread inside a section? Always false for qsbr, whose sections cannot be told. */
	bool (*inside)(void);
	/* Wait for a grace period. For the grace-period thread alone. */
	void (*synchronize)(void);
};

#define SECTION_FLAVORS 3u

extern const struct section_ops section_bp, section_memb, section_qsbr;

/* The operations of a liburcu flavor; NULL if it is none of the three. */
const struct section_ops *section_ops_of(const struct rcu_flavor_struct *rcu);

#endif
