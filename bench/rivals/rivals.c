/* SPDX-License-Identifier: BSD-2-Clause */
#include "rivals.h"

/* A file of this folder is compiled where its library is; else its subject is NULL. */
#define MAY_BE_MISSING extern __attribute__((weak))

MAY_BE_MISSING const struct subject subject_rwlock, subject_striped, subject_glib, subject_lfht_bp, subject_lfht_memb, subject_lfht_qsbr,
	subject_ck_ht, subject_ck_hs, subject_tbb, subject_libcuckoo, subject_dpdk, subject_floor;

const struct rival rivals[] = {
	{ &subject_rcumap_bp, "rcumap-bp", NULL, RIVAL_OURS },
	{ &subject_rcumap_memb, "rcumap-memb", NULL, RIVAL_OURS },
	{ &subject_rcumap_qsbr, "rcumap-qsbr", NULL, RIVAL_OURS },
	{ &subject_mutex, "mutex", NULL, RIVAL_LOCKS },
	{ &subject_rwlock, "rwlock", NULL, RIVAL_LOCKS },
	{ &subject_striped, "64 mutexes", NULL, RIVAL_LOCKS },
	{ &subject_glib, "GHashTable", "libglib2.0-dev", RIVAL_LOCKS },
	{ &subject_lfht_bp, "lfht-bp", "liburcu-dev", RIVAL_RCU },
	{ &subject_lfht_memb, "lfht-memb", "liburcu-dev", RIVAL_RCU },
	{ &subject_lfht_qsbr, "lfht-qsbr", "liburcu-dev", RIVAL_RCU },
	{ &subject_ck_ht, "ck_ht", "libck-dev", RIVAL_RCU },
	{ &subject_ck_hs, "ck_hs", "libck-dev", RIVAL_RCU },
	{ &subject_tbb, "TBB", "libtbb-dev", RIVAL_LOCKS },
	{ &subject_libcuckoo, "libcuckoo", "libcuckoo-dev", RIVAL_LOCKS },
	{ &subject_dpdk, "rte_hash", "libdpdk-dev", RIVAL_LOCKS },
	{ &subject_floor, "floor", NULL, RIVAL_FLOOR },
	{ NULL, NULL, NULL, RIVAL_FLOOR },
};
