/* SPDX-License-Identifier: BSD-2-Clause */
#include "rivals.h"

/* A file of this folder is compiled where its library is; else its subject is NULL. */
#define MAY_BE_MISSING extern __attribute__((weak))

MAY_BE_MISSING const struct subject subject_rwlock, subject_striped, subject_glib, subject_lfht_bp, subject_lfht_memb, subject_lfht_qsbr,
	subject_ck_ht, subject_ck_hs, subject_tbb, subject_libcuckoo, subject_dpdk, subject_floor;

const struct rival rivals[] = {
	{ &subject_rcumap_bp, "rcumap-bp", NULL, SUBJECT_OURS, false },
	{ &subject_rcumap_memb, "rcumap-memb", NULL, SUBJECT_OURS, true },
	{ &subject_rcumap_qsbr, "rcumap-qsbr", NULL, SUBJECT_OURS, true },
	{ &subject_find_bp, "find-bp", NULL, SUBJECT_OURS, true },
	{ &subject_find_memb, "find-memb", NULL, SUBJECT_OURS, true },
	{ &subject_find_qsbr, "find-qsbr", NULL, SUBJECT_OURS, true },
	{ &subject_mutex, "mutex", NULL, SUBJECT_LOCKS, false },
	{ &subject_rwlock, "rwlock", NULL, SUBJECT_LOCKS, true },
	{ &subject_striped, "64 mutexes", NULL, SUBJECT_LOCKS, false },
	{ &subject_glib, "GHashTable", "libglib2.0-dev", SUBJECT_LOCKS, false },
	{ &subject_lfht_bp, "lfht-bp", "liburcu-dev", SUBJECT_RCU, false },
	{ &subject_lfht_memb, "lfht-memb", "liburcu-dev", SUBJECT_RCU, true },
	{ &subject_lfht_qsbr, "lfht-qsbr", "liburcu-dev", SUBJECT_RCU, true },
	{ &subject_ck_ht, "ck_ht", "libck-dev", SUBJECT_RCU, false },
	{ &subject_ck_hs, "ck_hs", "libck-dev", SUBJECT_RCU, false },
	{ &subject_tbb, "TBB", "libtbb-dev", SUBJECT_LOCKS, false },
	{ &subject_libcuckoo, "libcuckoo", "libcuckoo-dev", SUBJECT_LOCKS, false },
	{ &subject_dpdk, "rte_hash", "libdpdk-dev", SUBJECT_RCU, false },
	{ &subject_floor, "floor", NULL, SUBJECT_FLOOR, false },
	{ NULL, NULL, NULL, SUBJECT_FLOOR, false },
};
