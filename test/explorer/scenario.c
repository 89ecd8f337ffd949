/* SPDX-License-Identifier: BSD-2-Clause */
#include "scenario.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Debug builds have lines of two slots. A table of 1 bit has two buckets; keys lie mostly in one of them, so three keys
 * overflow into a second line. Values and places of keys: see subject_map.c. */
#define PLAIN SCENARIO_PLAIN
#define RECLAIMS SCENARIO_RECLAIMS
#define PLANTED SCENARIO_PLANTED

/* More void hints in the wheel than HINTS_SLACK of lib/map/expiry.c. */
#define VOID_HINTS \
	"put d 9; put e 9; put f 9; put g 9; put h 9; expire; delete d; delete e; delete f; delete g; delete h; "
#define MANY_VOID_HINTS VOID_HINTS VOID_HINTS VOID_HINTS VOID_HINTS

/* A limit on bytes, with or without as many as anybody wants for garbage. */
#define AMPLE(blocks) (MAP_BYTES(blocks) | MAP_GARBAGE(64))
#define TIGHT(blocks, garbage) (MAP_BYTES(blocks) | MAP_GARBAGE(garbage))

/* clang-format off */
const struct scenario scenarios[] = {
	/* ---- two writers, one bucket */
	{ "insert-insert", PLAIN, &subject_map, 1, "", { "put a; find a", "put a; find a" } },
	{ "add-add-delete", PLAIN, &subject_map, 1, "", { "add a", "add a; delete a", "delete a; find a" } },
	{ "insert-other-keys", PLAIN, &subject_map, 1, "put a", { "put b; find c", "put c; find b" } },
	{ "insert-holes", PLAIN, &subject_map, 1, "put b; put c", { "put a; find a", "delete b; put a; find a" } },
	{ "insert-overflow", PLAIN, &subject_map, 1, "put a; put b", { "put c; find d", "put d; find c" } },
	{ "insert-delete", PLAIN, &subject_map, 1, "put a", { "put b; put a", "delete a; find b" } },
	{ "replace-delete", PLAIN, &subject_map, 1, "put a", { "replace a; find a", "delete a; find a" } },
	{ "put-put-find", PLAIN, &subject_map, 1, "", { "put a", "put a", "find a; find a" } },
	{ "slot-reuse", PLAIN, &subject_map, 1, "put a; put b", { "delete a; put c", "find a; find b; find c", "put a" } },
	/* A thread's first put over an entry begins a block of records, in steps; those that come before that is taken go in one pass. */
	{ "overwrite-overwrite", PLAIN, &subject_map, 1, "put a", { "put a; put a; put a; put a", "put a; put a; put a; find a" } },
	{ "overwrite-find", PLAIN, &subject_map, 1, "put a", { "put a; put a; put a", "put a; put a; put a", "find a; find a; find a" } },
	{ "overwrite-delete", PLAIN, &subject_map, 1, "put a", { "put a; put a; put a", "delete a; put a; delete a", "put a; put a; find a" } },
	{ "overwrite-grow", PLAIN, &subject_map, 1, "put a; put b", { "put a; put a; put b; find a", "put b; put a; put b; find b", "grow" } },
	{ "overwrite-shrink", PLAIN, &subject_map, 2, "put a; put b", { "put a; put a; put b; find a", "put b; put a; put b; find b", "shrink" } },
	{ "overwrite-touch", PLAIN, &subject_map, 1, "put a; put a", { "put a; put a; ttl a", "touch a 1; put a; touch a 2", "tick; expire; find a" } },
	{ "overwrite-load", PLAIN, &subject_map, 1, "put b", { "load a; find a", "put b; put a; find a", "load a; delete a" } },
	{ "overwrite-same-hash", PLAIN, &subject_map, MAP_SAME_HASH | 1, "put a; put b", { "put a; put b; find a", "put b; delete a; put a", "find b; put a; put b" } },
	{ "overwrite-reclaimer-resize", RECLAIMS, &subject_map, 2, "put a; put b", { "put a; put b; find a", "put b; put a; put b", "reclaim; resize; reclaim; resize" } },
	{ "swap-swap", PLAIN, &subject_map, 1, "put a", { "cas a; find a", "cas a; find a" } },
	{ "swap-delete-if", PLAIN, &subject_map, 1, "put a", { "cas a; cas a", "delete_if a; add a", "find a; find a" } },
	{ "helper-late", PLAIN, &subject_map, 1, "", { "put a; delete a", "put b; delete b", "put c; find a; find b" } },
	{ "helper-late-same", PLAIN, &subject_map, 1, "", { "put a; delete a", "put b; put a", "find a; delete a" } },
	{ "unlink-busy", PLAIN, &subject_map, 1, "", { "put a", "delete a; put b", "put a; delete a" } },
	{ "replace-busy", PLAIN, &subject_map, 1, "", { "put a", "put a; put b", "find a; replace a" } },
	{ "cross-finds", PLAIN, &subject_map, 1, "", { "put a; find b", "put b; find a" } },
	{ "churn", PLAIN, &subject_map, 1, "put a; put b", { "delete a; put a; delete a", "delete b; put a; put b", "find a; find b; find a" } },
	{ "clear-put", PLAIN, &subject_map, 1, "put a; put b; put c", { "clear", "put a; put d", "find a; delete b" } },
	{ "long-chain", PLAIN, &subject_map, 1, "put a; put b; put c; put d; put e; put f", { "put g; find a", "put h; find g" } },
	{ "long-chain-delete", PLAIN, &subject_map, 1, "put a; put b; put c; put d; put e; put f", { "put g; put h", "delete a; put a", "grow; find h" } },
	{ "reclaimer", RECLAIMS, &subject_map, 1, "put a; put b", { "delete a; put a", "find a; put b; find a", "reclaim; reclaim" } },
	{ "reclaimer-helped", RECLAIMS, &subject_map, 1, "put a; put b", { "delete a; put a; put a; put a", "put b; delete b; put b; put b", "reclaim; reclaim" } },
	{ "reclaimer-helped-late", RECLAIMS, &subject_map, 1, "put a; put b; put a; put a; put b; put b; put a; put b; put a", { "put a; delete a", "put b; find b", "reclaim; reclaim", "find a; put b" } },

	/* ---- against growth, 2 to 4 buckets */
	{ "insert-insert-grow", PLAIN, &subject_map, 1, "put b", { "put a; find a", "put a; find b", "grow" } },
	{ "insert-overflow-grow", PLAIN, &subject_map, 1, "put a; put b", { "put c; find d", "put d; find c", "grow" } },
	{ "insert-delete-grow", PLAIN, &subject_map, 1, "put a; put b", { "put c; put a", "delete a; find c", "grow" } },
	{ "replace-delete-grow", PLAIN, &subject_map, 1, "put a", { "replace a; find a", "delete a; find a", "grow" } },
	{ "swap-swap-grow", PLAIN, &subject_map, 1, "put a", { "cas a; find a", "cas a; delete_if a", "grow" } },
	{ "slot-reuse-grow", PLAIN, &subject_map, 1, "put a; put b", { "delete a; put c", "find a; find c; find b", "grow" } },
	{ "cross-finds-grow", PLAIN, &subject_map, 1, "", { "put a; find b", "put b; find a", "grow" } },
	{ "helper-late-grow", PLAIN, &subject_map, 1, "", { "put a; delete a", "put b; put c", "grow" } },
	{ "clear-put-grow", PLAIN, &subject_map, 1, "put a; put b; put c", { "clear", "put a; put d", "grow" } },
	{ "put-grow-twice", PLAIN, &subject_map, 1, "put a; put b", { "put c; find a", "delete b; find c", "grow; grow" } },
	{ "two-growers", PLAIN, &subject_map, 1, "put a; put b; put c", { "put a; find b", "grow", "grow" } },
	{ "writers-migrate", PLAIN, &subject_map, 1, "put a; put b; put c", { "begin_grow; put d", "delete a; put b", "find c; put a" } },
	{ "reclaimer-grow", RECLAIMS, &subject_map, 1, "put a; put b; put c", { "delete a; find b; put a", "find a; put c; find b", "grow; reclaim" } },

	/* ---- against shrinking, 4 to 2 buckets */
	{ "insert-insert-shrink", PLAIN, &subject_map, 2, "put b", { "put a; find a", "put a; find b", "shrink" } },
	{ "insert-overflow-shrink", PLAIN, &subject_map, 2, "put a; put b", { "put c; find d", "put d; find c", "shrink" } },
	{ "insert-delete-shrink", PLAIN, &subject_map, 2, "put a; put b", { "put c; put a", "delete a; find c", "shrink" } },
	{ "replace-delete-shrink", PLAIN, &subject_map, 2, "put a", { "replace a; find a", "delete a; find a", "shrink" } },
	{ "swap-swap-shrink", PLAIN, &subject_map, 2, "put a", { "cas a; find a", "cas a; delete_if a", "shrink" } },
	{ "slot-reuse-shrink", PLAIN, &subject_map, 2, "put a; put b", { "delete a; put c", "find a; find c; find b", "shrink" } },
	{ "clear-put-shrink", PLAIN, &subject_map, 2, "put a; put b; put c", { "clear", "put a; put d", "shrink" } },
	{ "two-shrinkers", PLAIN, &subject_map, 2, "put a; put b; put c", { "put a; find b", "shrink", "shrink" } },
	{ "writers-unite", PLAIN, &subject_map, 2, "put a; put b; put c", { "begin_shrink; put d", "delete a; put b", "find c; put a" } },
	{ "shrink-grow", PLAIN, &subject_map, 2, "put a; put b; put c", { "put a; find b", "delete c; put d", "shrink; grow" } },
	{ "reclaimer-shrink", RECLAIMS, &subject_map, 2, "put a; put b; put c", { "delete a; find b; put a", "find a; put c; find b", "shrink; reclaim" } },

	/* ---- two threads, so that all schedules with two preemptions can be had */
	{ "pair-put-grow", PLAIN, &subject_map, 1, "put a; put b", { "put c; find a", "grow" } },
	{ "pair-replace-grow", PLAIN, &subject_map, 1, "put a; put b", { "replace a; find b", "grow" } },
	{ "pair-delete-grow", PLAIN, &subject_map, 1, "put a; put b", { "delete a; find a", "grow" } },
	{ "pair-find-grow", PLAIN, &subject_map, 1, "put a; put b", { "find a; find b; find c", "grow" } },
	{ "pair-clear-grow", PLAIN, &subject_map, 1, "put a; put b; put c", { "clear; find a; find b", "grow" } },
	{ "pair-grow-grow", PLAIN, &subject_map, 1, "put a; put b; put c", { "grow", "grow; put a" } },
	{ "pair-put-shrink", PLAIN, &subject_map, 2, "put a; put b", { "put c; find a", "shrink" } },
	{ "pair-replace-shrink", PLAIN, &subject_map, 2, "put a; put b", { "replace a; find b", "shrink" } },
	{ "pair-delete-shrink", PLAIN, &subject_map, 2, "put a; put b", { "delete a; find a", "shrink" } },
	{ "pair-find-shrink", PLAIN, &subject_map, 2, "put a; put b", { "find a; find b; find c", "shrink" } },
	{ "pair-clear-shrink", PLAIN, &subject_map, 2, "put a; put b; put c", { "clear; find a; find b", "shrink" } },
	{ "pair-shrink-shrink", PLAIN, &subject_map, 2, "put a; put b; put c", { "shrink", "shrink; put a" } },

	/* ---- two buckets become three, and back */
	{ "thirds-overflow-grow", PLAIN, &subject_map, 2, "put a; put b", { "put c; find d", "put d; find c", "grow" } },
	{ "thirds-delete-grow", PLAIN, &subject_map, 2, "put a; put b", { "put c; put a", "delete a; find c", "grow" } },
	{ "thirds-grow-twice", PLAIN, &subject_map, 2, "put a; put b", { "put c; find a", "delete b; find c", "grow; grow" } },
	{ "thirds-overflow-shrink", PLAIN, &subject_map, 3, "put a; put b", { "put c; find d", "put d; find c", "shrink" } },
	{ "thirds-delete-shrink", PLAIN, &subject_map, 3, "put a; put b", { "put c; put a", "delete a; find c", "shrink" } },
	{ "thirds-reuse-shrink", PLAIN, &subject_map, 4, "put a; put b", { "delete a; put c", "find a; find c; find b", "shrink" } },
	{ "thirds-writers", PLAIN, &subject_map, 2, "put a; put b; put c", { "begin_grow; put d", "delete a; put b", "find c; put a" } },
	{ "thirds-reclaimer", RECLAIMS, &subject_map, 2, "put a; put b; put c", { "delete a; find b; put a", "find a; put c; find b", "grow; reclaim; shrink; reclaim" } },
	{ "thirds-pair-put-grow", PLAIN, &subject_map, 2, "put a; put b", { "put c; find a", "grow" } },
	{ "thirds-pair-delete-grow", PLAIN, &subject_map, 2, "put a; put b", { "delete a; find a", "grow" } },
	{ "thirds-pair-grow-grow", PLAIN, &subject_map, 3, "put a; put b; put c", { "grow", "grow; put a" } },
	{ "thirds-pair-put-shrink", PLAIN, &subject_map, 3, "put a; put b", { "put c; find a", "shrink" } },
	{ "thirds-pair-delete-shrink", PLAIN, &subject_map, 3, "put a; put b", { "delete a; find a", "shrink" } },
	{ "thirds-life-grow", PLAIN, &subject_map, 2, "put a 1; put b 2; expire", { "touch a 2; touch b 1; ttl a", "grow", "tick; expire; find a" } },
	{ "thirds-evict-shrink", PLAIN, &subject_map, MAP_LIMIT(2) | 3, "put a; put b; find a", { "put c; delete a", "replace b; put a", "shrink" } },
	{ "thirds-any-grow", PLAIN, &subject_map, 2, "put a; put b", { "any; any; any", "any; any; any", "grow" } },
	{ "thirds-any-shrink", PLAIN, &subject_map, 3, "put a; put b", { "any; any; any", "any; any; any", "shrink" } },

	/* ---- lives: stores, touches, updates against the clock and the expiry */
	{ "life-put-expire", PLAIN, &subject_map, 1, "", { "put a 1; find a", "tick; expire; find a", "put a 2; find a" } },
	{ "life-expired-put", PLAIN, &subject_map, 1, "put a 1; expire; tick", { "put a; find a", "expire; find a", "find a; put a 1" } },
	{ "life-add-expired", PLAIN, &subject_map, 1, "put a 1; expire; tick", { "add a 1; find a", "add a; find a", "expire; find a" } },
	{ "life-add-touch", PLAIN, &subject_map, 1, "put a 1", { "add a 1; find a", "touch a 3", "tick; find a" } },
	{ "life-touch-expire", PLAIN, &subject_map, 1, "put a 1; expire", { "touch a 3; find a", "tick; expire; find a" } },
	{ "life-touch-tick-expire", PLAIN, &subject_map, 1, "put a 1; expire", { "touch a 2; ttl a", "tick", "expire; find a" } },
	{ "life-touch-touch", PLAIN, &subject_map, 1, "put a 2", { "touch a 1; ttl a", "touch a 3; ttl a", "tick; expire; find a" } },
	{ "life-touch-put", PLAIN, &subject_map, 1, "put a 3", { "touch a 1", "put a 4; find a", "expire; find a" } },
	{ "life-touch-cas", PLAIN, &subject_map, 1, "put a 2; expire", { "touch a 1; ttl a", "cas a 2; cas a", "tick; expire; tick; expire" } },
	{ "life-touch-update", PLAIN, &subject_map, 1, "put a 1", { "update a; ttl a", "touch a 3; ttl a", "tick; expire; find a" } },
	{ "life-touch-update-late", PLAIN, &subject_map, 1, "put a 3", { "update a; ttl a", "touch a 1; ttl a", "expire; tick; find a" } },
	{ "life-update-expire", PLAIN, &subject_map, 1, "put a 1; expire", { "update a; find a", "tick; expire", "update a 2; find a" } },
	{ "life-update-update", PLAIN, &subject_map, 1, "put a 2", { "update a; update a 1", "update a 3; find a", "update_remove a; ttl a" } },
	{ "life-update-insert", PLAIN, &subject_map, 1, "", { "update a 1; find a", "update a; ttl a", "update_remove a; tick; expire" } },
	{ "life-remove-expire", PLAIN, &subject_map, 1, "put a 1; put b", { "delete_if a; cas b 1", "cas a 2; find a", "tick; expire; find b" } },
	{ "life-delete-put", PLAIN, &subject_map, 1, "put a 1; expire", { "delete a; put a 2", "tick; expire; find a", "touch a 2; put b 1" } },
	{ "life-given", PLAIN, &subject_map, 1, "put a; put b", { "touch a 1; find a", "put a; delete b", "touch b 2; update a; ttl b" } },
	{ "life-given-twice", PLAIN, &subject_map, 1, "put a", { "touch a 1; ttl a", "touch a 2; ttl a", "tick; expire; find a" } },
	{ "life-given-delete-if", PLAIN, &subject_map, 1, "put a", { "touch a 1; cas a", "delete_if a; add a 1", "expire; find a; ttl a" } },
	{ "life-never", PLAIN, &subject_map, 1, "put a 1", { "touch a; touch a 2; ttl a", "tick; expire; find a", "ttl a; touch a 1" } },
	{ "life-none", PLAIN, &subject_map, 1, "put a 2; put b", { "put a 0; add a 1", "touch a 0; cas b 0; find b", "update a 0; find a" } },
	{ "life-same-hash", PLAIN, &subject_map, MAP_SAME_HASH | 1, "put a 1; put b 2; expire", { "touch a 2; find b", "touch b 1; delete a", "tick; expire; find b" } },
	{ "life-same-hash-put", PLAIN, &subject_map, MAP_SAME_HASH | 1, "put a 1; put b 1; expire; tick", { "put a 1; find b", "add b 1; ttl a", "expire; find a; find b" } },
	{ "life-overflow", PLAIN, &subject_map, 1, "put a 1; put b 1; put c 1; expire", { "touch b 2; put d 1", "touch c; find a", "tick; expire; find c" } },
	{ "life-clear", PLAIN, &subject_map, 1, "put a 1; put b; put c 2", { "clear", "touch b 2; put a 2", "expire; tick; expire; find a" } },
	{ "life-compact", PLAIN, &subject_map, 1, "put a 2; " MANY_VOID_HINTS, { "touch a 1; put b 2", "expire; find a" } },
	{ "life-reclaimer", RECLAIMS, &subject_map, 1, "put a 1; put b", { "touch b 1; put a 2; touch b", "tick; find a; find b", "expire; reclaim; expire; reclaim" } },
	{ "life-reclaimer-find", RECLAIMS, &subject_map, 1, "put a 1; put b 1; expire", { "find a; find b; put a 1", "touch b 2; ttl b", "tick; expire; reclaim" } },
	{ "life-grow", PLAIN, &subject_map, 1, "put a 1; put b 1; put c; expire; tick", { "expire; find a", "grow", "put a 1; find b" } },
	{ "life-shrink", PLAIN, &subject_map, 2, "put a 1; put b 1; put c; expire; tick", { "expire; find a", "shrink", "put a 1; find b" } },
	{ "life-touch-grow", PLAIN, &subject_map, 1, "put a 1; put b 2; expire", { "touch a 2; touch b 1; ttl a", "grow", "tick; expire; find a" } },
	{ "life-touch-shrink", PLAIN, &subject_map, 2, "put a 1; put b 2; expire", { "touch a 2; touch b 1; ttl a", "shrink", "tick; expire; find a" } },
	{ "life-put-grow", PLAIN, &subject_map, 1, "put a 2; put b", { "put a 3; touch b 1", "grow; touch a 1", "expire; tick; expire; find a" } },
	{ "life-given-grow", PLAIN, &subject_map, 1, "put a; put b", { "touch a 1; touch a 2", "grow; touch b 1", "expire; tick; expire; find a" } },
	{ "life-given-shrink", PLAIN, &subject_map, 2, "put a; put b", { "touch a 1; touch a 2", "shrink; touch b 1", "expire; tick; expire; find a" } },
	{ "life-new-tags", PLAIN, &subject_map, 1, "grow; grow; grow; grow; put a 1; put b 1; put c; expire", { "begin_grow; touch a 2; put b 1", "tick; expire; find c", "touch c 1; find a" } },

	/* ---- the same, two threads */
	{ "pair-touch-expire", PLAIN, &subject_map, 1, "put a 1; expire", { "touch a 2; find a", "tick; expire" } },
	{ "pair-touch-put", PLAIN, &subject_map, 1, "put a 3", { "put a 4", "touch a 1; expire" } },
	{ "pair-touch-delete", PLAIN, &subject_map, 1, "put a 2", { "touch a 1; find a", "tick; delete a" } },
	{ "pair-touch-cas", PLAIN, &subject_map, 1, "put a 2", { "touch a 1; find a", "tick; cas a 2" } },
	{ "pair-touch-update", PLAIN, &subject_map, 1, "put a 1", { "update a", "touch a 3; ttl a" } },
	{ "pair-touch-add", PLAIN, &subject_map, 1, "put a 1", { "touch a 3", "tick; add a 1" } },
	{ "pair-touch-given", PLAIN, &subject_map, 1, "put a", { "touch a 1; ttl a", "put a; touch a 2" } },
	{ "pair-put-expire", PLAIN, &subject_map, 1, "put a 1; expire; tick", { "put a 1; find a", "expire; find a" } },
	{ "pair-expire-grow", PLAIN, &subject_map, 1, "put a 1; put b 1; expire; tick", { "expire; find a", "grow" } },
	{ "pair-expire-shrink", PLAIN, &subject_map, 2, "put a 1; put b 1; expire; tick", { "expire; find a", "shrink" } },
	{ "pair-touch-grow", PLAIN, &subject_map, 1, "put a 2; put b", { "touch a 1; touch b 1; expire", "grow" } },
	{ "pair-touch-shrink", PLAIN, &subject_map, 2, "put a 2; put b", { "touch a 1; touch b 1; expire", "shrink" } },

	/* ---- a limit: who stores evicts. Keys that were found are promoted to the main part first. */
	{ "evict-one", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "", { "put a; find a", "put b; find b" } },
	{ "evict-evict", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a", { "put b; find a", "put c; find b" } },
	{ "evict-one-three", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a", { "put a; find b", "put b; find a", "put c; add b" } },
	{ "evict-insert", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "put c; find a", "put d; find b" } },
	{ "evict-insert-three", PLAIN, &subject_map, MAP_LIMIT(3) | 1, "put a; put b; put c", { "put d; find a", "put e; find d", "find b; put f" } },
	{ "evict-same-key", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put b", { "put a; find a", "add a; find b" } },
	{ "evict-found", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b; find a; find b", { "put c; find a", "put d; find b" } },
	{ "evict-hot", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b; find a; find a; find a; find b", { "put c; put d", "find a; find b; replace a" } },
	{ "evict-find", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "find a; find b; find a", "put c; put d; find a" } },
	{ "evict-replace", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "replace a; find a; replace b", "put c; find a" } },
	{ "evict-replace-main", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b; find a; find b", { "replace a; replace b", "put c; find a", "put a; delete b" } },
	{ "evict-swap", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a", { "cas a; find a", "put b; put a" } },
	{ "evict-delete", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "delete a; delete_if b", "put c; find a", "put d" } },
	{ "evict-delete-insert", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "delete a; put a", "put c; delete c", "put d" } },
	{ "evict-update", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "update a; find a", "put c; update b", "update_remove b; update d" } },
	{ "evict-clear", PLAIN, &subject_map, MAP_LIMIT(3) | 1, "put a; put b; put c", { "clear; find b", "put d; find a" } },
	{ "evict-clear-found", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b; find a", { "clear; find a", "put c" } },
	{ "evict-clear-main", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b; find a; find b", { "clear; find b", "put c; put a", "put d" } },
	{ "evict-ghost", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a; put b", { "put a; find a", "put a; delete a" } },
	{ "evict-ghost-evict", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a; put b", { "put a; put b", "put b; put a", "put c" } },
	{ "evict-ghost-busy", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b; put c", { "put a; put b", "put b; find a; put c", "delete a; delete b" } },
	{ "evict-ghost-update", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a; put b", { "update a; find b", "put b; update_remove a", "update a" } },
	{ "evict-enough", PLAIN, &subject_map, MAP_LIMIT(4) | 1, "put a; put b", { "put c; delete a; put a", "delete b; put b; find c" } },
	{ "evict-reclaimer", RECLAIMS, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "put c; find a; put a", "put d; find b; put b", "reclaim; reclaim" } },
	{ "evict-reclaimer-found", RECLAIMS, &subject_map, MAP_LIMIT(1) | 1, "put a; find a", { "put b; find b; replace a", "find a; put c", "reclaim; reclaim" } },

	/* ---- the same, and tables that change */
	{ "evict-grow", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "put c; find a", "put d; find c", "grow" } },
	{ "evict-shrink", PLAIN, &subject_map, MAP_LIMIT(2) | 2, "put a; put b", { "put c; find a", "put d; find c", "shrink" } },
	{ "evict-main-grow", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b; find a; find b", { "put c; delete a", "replace b; put a", "grow" } },
	{ "evict-main-shrink", PLAIN, &subject_map, MAP_LIMIT(2) | 2, "put a; put b; find a; find b", { "put c; delete a", "replace b; put a", "shrink" } },
	{ "evict-ghost-grow", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a; put b", { "put a; find a", "put c; find b", "grow" } },
	{ "evict-ghost-shrink", PLAIN, &subject_map, MAP_LIMIT(1) | 2, "put a; put b", { "put a; find a", "put c; find b", "shrink" } },
	{ "evict-clear-grow", PLAIN, &subject_map, MAP_LIMIT(3) | 1, "put a; put b; put c", { "clear", "put d; find a", "grow" } },
	{ "evict-migrate", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "begin_grow; put c", "put d; find a", "delete b" } },
	{ "evict-unite", PLAIN, &subject_map, MAP_LIMIT(2) | 2, "put a; put b", { "begin_shrink; put c", "put d; find a", "delete b" } },
	{ "evict-new-tags", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "grow; grow; grow; grow; put a; find a; put b; put c", { "begin_grow; find a", "delete a; put d" } },

	/* ---- and lives */
	{ "evict-expire", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a 1; put b; expire; tick", { "expire; find b", "put c; find a", "put a 1" } },
	{ "evict-expire-all", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a 1; put b 1; expire", { "tick; expire", "put c 1; find a", "add a; find b" } },
	{ "evict-touch", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a 1; put b", { "touch a 2; touch b 2", "put c; find a", "tick; expire; find b" } },
	{ "evict-update-life", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a 1", { "update a; ttl a", "put b 1; find a", "touch a 3; expire" } },
	{ "evict-none", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a", { "put b 0; put c 1", "put a 0; add b", "expire; tick; expire" } },
	{ "evict-expire-grow", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a 1; put b 1; expire; tick", { "expire", "put c; find a", "grow" } },
	{ "evict-expire-reclaimer", RECLAIMS, &subject_map, MAP_LIMIT(2) | 1, "put a 1; put b; expire", { "put c 1; touch a 2", "tick; put d; find b", "expire; reclaim; expire; reclaim" } },

	/* ---- a limit on bytes: who stores evicts for what his entry counts. MAP_BYTES: entries have so many times 32 bytes; one
	 * counts 35 to 96. Garbage has 64 times as many, so that nobody lacks it, or as many as it says */
	{ "limit-insert", PLAIN, &subject_map, AMPLE(12) | 1, "put a; put b; put c; put d; put e; put f", { "put g; find a", "put a; find b" } },
	{ "limit-insert-three", PLAIN, &subject_map, AMPLE(6) | 1, "put a; put b; put c", { "put d; find a", "put e; put a", "put f; find d" } },
	{ "limit-one", PLAIN, &subject_map, AMPLE(4) | 1, "", { "put a; put b; find a", "put b; put a; find b" } },
	{ "limit-same-key", PLAIN, &subject_map, AMPLE(4) | 1, "put b; put c", { "put a; add a; find a", "add a; find b", "add a; put a" } },
	{ "limit-add", PLAIN, &subject_map, AMPLE(5) | 1, "put b", { "add a; add c", "add c; add a; add b", "add a; delete a; add a" } },
	{ "limit-replace", PLAIN, &subject_map, AMPLE(6) | 1, "put a; put b", { "replace a; replace a; replace b", "put c; find a", "put a; put b" } },
	{ "limit-replace-main", PLAIN, &subject_map, AMPLE(6) | 1, "put a; put b; find a; find b; put c", { "replace a; replace b", "put c; put d", "put a; delete b" } },
	{ "limit-swap", PLAIN, &subject_map, AMPLE(4) | 1, "put a", { "cas a; cas a; find a", "put b; put a", "cas a; delete_if a" } },
	{ "limit-update", PLAIN, &subject_map, AMPLE(6) | 1, "put a; put b", { "update a; find a; update a", "put c; update b", "update_remove b; update d; update a" } },
	{ "limit-update-same", PLAIN, &subject_map, AMPLE(5) | 1, "put a; put b", { "update a; update a", "update a; put b", "update b; update a" } },
	{ "limit-delete", PLAIN, &subject_map, AMPLE(5) | 1, "put a; put b", { "delete a; delete_if b; put a", "put c; find a", "put d; delete a" } },
	{ "limit-found", PLAIN, &subject_map, AMPLE(8) | 1, "put a; put b; put c; find a; find b; find a", { "put d; find a", "put e; put c", "find b; replace a" } },
	{ "limit-clear", PLAIN, &subject_map, AMPLE(6) | 1, "put a; put b; put c", { "clear; find b", "put d; put a; find a", "replace b" } },
	{ "limit-clear-main", PLAIN, &subject_map, AMPLE(6) | 1, "put a; put b; find a; find b; put c", { "clear; find b", "put c; put a", "replace a; put d" } },
	{ "limit-ghost", PLAIN, &subject_map, AMPLE(4) | 1, "put a; put b; put c", { "put a; put b", "put b; find a; put c", "update a; delete b" } },
	{ "limit-enough", PLAIN, &subject_map, AMPLE(32) | 1, "put a; put b", { "put c; delete a; put a", "replace b; update a; find c" } },
	{ "limit-both", PLAIN, &subject_map, AMPLE(6) | MAP_LIMIT(2) | 1, "put a; put b", { "put c; replace a", "put d; delete b", "put b; update a" } },
	{ "limit-reclaimer", RECLAIMS, &subject_map, AMPLE(5) | 1, "put a; put b", { "put c; find a; put a", "put d; replace b; put b", "reclaim; reclaim" } },

	/* ---- all that may be held is: stores are refused until a grace period has passed, removals never */
	{ "limit-held", PLAIN, &subject_map, TIGHT(5, 0) | 1, "put a; put b", { "put c; find a; put a", "put d; delete a", "replace b; delete d" } },
	{ "limit-held-replace", PLAIN, &subject_map, TIGHT(6, 1) | 1, "put a; put b; put c", { "replace a; put b", "put c; cas a", "update b; delete c" } },
	{ "limit-held-clear", PLAIN, &subject_map, TIGHT(8, 0) | 1, "put a; put b; put c", { "clear; put a", "put d; delete_if a", "update_remove b; put b" } },
	{ "limit-held-reclaimer", RECLAIMS, &subject_map, TIGHT(5, 2) | 1, "put a; put b", { "put a; delete b; put c; delete a", "put b; put d; update_remove a; clear", "reclaim; reclaim; reclaim" } },
	{ "limit-held-lines", RECLAIMS, &subject_map, TIGHT(10, 0) | MAP_LINES(4) | 2, "put a; put b; put c; put d; put e", { "begin_shrink; delete a; delete b", "put f; delete c; put a; delete e", "delete d; reclaim; delete f" } },
	{ "limit-held-lines-grow", RECLAIMS, &subject_map, TIGHT(20, 0) | MAP_LINES(6) | 1, "put a; put b; put c; put d; put e; put f", { "begin_grow; delete a; delete b", "put g; replace c; delete c; put a; delete e", "delete d; reclaim; delete f" } },
	{ "limit-held-shrink", RECLAIMS, &subject_map, TIGHT(10, 0) | MAP_LINES(6) | 2, "put a; put b; put c; put d", { "shrink; delete a", "put a; put e; delete b; clear", "reclaim; delete c; reclaim" } },

	/* ---- the same, and tables that change: what they charge is paid off by those who store */
	{ "limit-grow", PLAIN, &subject_map, AMPLE(16) | 1, "put a; put b; put c; put d; put e; put f", { "put g; find a", "put e; replace b", "grow" } },
	{ "limit-grow-twice", PLAIN, &subject_map, AMPLE(32) | 1, "put a; put b; put c; put d; put e; put f; put g", { "put a; put b; put c", "replace d; update e", "grow; grow" } },
	{ "limit-grow-held", RECLAIMS, &subject_map, TIGHT(16, 4) | 1, "put a; put b; put c; put d; put e; put f", { "put g; delete a; put f", "replace b; put a; delete c", "grow; reclaim; grow; reclaim" } },
	{ "limit-shrink", PLAIN, &subject_map, AMPLE(12) | 2, "put a; put b; put c; put d; put e; put f", { "put g; find a", "put e; replace b", "shrink" } },
	{ "limit-two-growers", PLAIN, &subject_map, AMPLE(20) | 1, "put a; put b; put c", { "put d; grow", "begin_grow; put e", "grow; delete a" } },
	{ "limit-tables-reclaimed", RECLAIMS, &subject_map, AMPLE(46) | 1, "put a; grow", { "reclaim", "begin_grow; put b", "begin_grow; put c; find a" } },
	{ "limit-fund", PLAIN, &subject_map, AMPLE(30) | 2, "put a; put b; put c; put d; put e", { "put f; put g; put a", "put g; put f; delete a", "grow" } },
	{ "limit-migrate", PLAIN, &subject_map, AMPLE(20) | 1, "put a; put b; put c; put d; put e", { "begin_grow; put f", "put g; replace a", "delete b; update c" } },
	{ "limit-unite", PLAIN, &subject_map, AMPLE(6) | 2, "put a; put b; put c", { "begin_shrink; put d", "put e; replace a", "delete b; update c" } },

	/* ---- and lives */
	{ "limit-expire", PLAIN, &subject_map, AMPLE(12) | 1, "put a 1; put b; expire; tick", { "expire; find b", "put c; replace a; put d", "put a 1; put e" } },
	{ "limit-expired-put", PLAIN, &subject_map, AMPLE(12) | 1, "put a 1; put b 1; expire; tick", { "put a; put b 2", "expire; find a", "add b 1; put a 1; find b" } },
	{ "limit-touch", PLAIN, &subject_map, AMPLE(16) | 1, "put a; put b", { "touch a 2; touch b 1; touch a", "put c; put a; find a", "tick; expire; find b" } },
	{ "limit-update-life", PLAIN, &subject_map, AMPLE(14) | 1, "put a 1; put b", { "update a; ttl a; update b 1", "put b 1; find a", "touch a 3; update a 1; tick" } },
	{ "limit-none", PLAIN, &subject_map, AMPLE(10) | 1, "put a; put b", { "put b 0; put c 1", "put a 0; add b", "update a 0; cas b 0; tick" } },
	{ "limit-held-expire", RECLAIMS, &subject_map, TIGHT(12, 16) | 1, "put a 1; put b 1; put c; expire", { "tick; expire; reclaim; expire", "put a; delete b; put c 1", "touch a 0; touch c 0; put d" } },
	/* ---- loads: one of those who miss, against whatever else */
	{ "load-load", PLAIN, &subject_map, 1, "", { "load a; find a", "load a; find a" } },
	{ "load-load-three", PLAIN, &subject_map, 1, "", { "load a", "load a; find a", "load a; load a" } },
	{ "load-put", PLAIN, &subject_map, 1, "", { "load a; find a", "put a; find a" } },
	{ "load-put-load", PLAIN, &subject_map, 1, "", { "load a; find a", "load a", "put a; load a" } },
	{ "load-delete", PLAIN, &subject_map, 1, "", { "load a; find a", "delete a; load a", "load a; find a" } },
	{ "load-delete-twice", PLAIN, &subject_map, 1, "", { "load a", "delete a; delete a; load a", "load a; load a" } },
	{ "load-add-delete-if", PLAIN, &subject_map, 1, "", { "load a; cas a", "add a; delete_if a", "load a; find a" } },
	{ "load-update", PLAIN, &subject_map, 1, "", { "load a; find a", "update a; update_remove a", "load a; find a" } },
	{ "load-put-nothing", PLAIN, &subject_map, 1, "", { "load a; find a", "put a 0; load a", "touch a 0; load a" } },
	{ "load-clear", PLAIN, &subject_map, 1, "put b", { "load a; find a", "clear; load a", "load b; find b" } },
	{ "load-clear-clear", PLAIN, &subject_map, 1, "", { "load a; find a", "clear; find a; find a" } },
	{ "load-other-keys", PLAIN, &subject_map, MAP_SAME_HASH | 1, "", { "load a; find b", "load b; find a", "put c; delete c" } },
	{ "load-bucket", PLAIN, &subject_map, 1, "put b; put c", { "load a; find a", "delete b; put d", "load a; delete c" } },
	{ "load-grow", PLAIN, &subject_map, 1, "put b; put c", { "load a; find a", "load a; delete a", "grow" } },
	{ "load-shrink", PLAIN, &subject_map, 2, "put b; put c", { "load a; find a", "load a; delete a", "shrink" } },
	{ "load-migrate", PLAIN, &subject_map, 1, "put b", { "load a; find a", "begin_grow; put c; load a", "put d; delete a" } },
	{ "load-reclaimer", RECLAIMS, &subject_map, 1, "", { "load a; delete a; load a", "load a; put a", "reclaim; reclaim" } },
	{ "load-life", PLAIN, &subject_map, 1, "", { "load a 1; find a", "tick; expire; load a 1", "expire; find a" } },
	{ "load-expired", PLAIN, &subject_map, 1, "put a 1; expire; tick", { "load a; find a", "expire; find a", "load a 1; touch a 2" } },
	{ "load-none", PLAIN, &subject_map, 1, "", { "load a 0; find a", "load a; find a", "load a 0; delete a" } },
	{ "load-error", PLAIN, &subject_map, 1, "", { "load_error a; load a", "load_error a; find a", "put a; delete a" } },
	{ "load-error-kept", PLAIN, &subject_map, 1, "", { "load_error a 1; load a", "load a; find a", "tick; expire; load a" } },
	{ "load-error-kept-put", PLAIN, &subject_map, 1, "load_error a 2", { "put a; delete a", "load a; find a", "expire; tick; expire" } },
	{ "load-error-life", PLAIN, &subject_map, 1, "load_error a 1; expire; tick", { "load_error a 1; find a", "load a 1; find a", "expire" } },
	{ "load-error-grow", PLAIN, &subject_map, 1, "put b; load_error a 1", { "load a; delete a", "load_error c 1; tick; expire", "grow" } },
	{ "load-evict", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put b; put c", { "load a; find a", "put d; find b", "load a; delete c" } },
	{ "load-evict-one", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "", { "load a; find a", "load b; find b", "put c; load a" } },
	{ "load-evict-loads", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "", { "load a; find a", "load b; find b", "load a; load b" } },
	{ "load-evict-error", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put b", { "load_error a 1; load a", "load c; find c", "tick; expire" } },
	{ "load-evict-reclaimer", RECLAIMS, &subject_map, MAP_LIMIT(2) | 1, "put b", { "load a; delete a", "load c; load a", "reclaim; reclaim" } },
	{ "load-any", PLAIN, &subject_map, 1, "put b", { "load a; any; load a", "any; load b; any", "any; any; load c" } },
	{ "load-any-life", PLAIN, &subject_map, 1, "put b 1", { "load a 1; any_life; load b", "any_life; load_error a 1; any_life", "expire; tick; expire" } },
	{ "load-any-resize", PLAIN, &subject_map, 2, "put b", { "load a; any; load b", "any; load a; any", "resize; resize" } },

	/* ---- whatever else */
	{ "any-limit", PLAIN, &subject_map, AMPLE(4) | 1, "put a; put b", { "any; any; any", "any; any; any", "any; any; any" } },
	{ "any-limit-held", RECLAIMS, &subject_map, TIGHT(4, 1) | 1, "put a; put b", { "any; any; any", "any; any; any", "reclaim; delete a; reclaim; delete b" } },
	{ "any-limit-resize", PLAIN, &subject_map, AMPLE(16) | 2, "put a; put b; find a; put d; put e", { "any; put d; any", "any; put f; any", "resize; resize" } },
	{ "any-limit-life", PLAIN, &subject_map, AMPLE(16) | 1, "put a 1; put b", { "any_life; any_life; put c", "any_life; put d; any_life", "expire; tick; expire" } },
	{ "any-limit-clear", PLAIN, &subject_map, AMPLE(5) | 1, "put a; put b", { "any; any", "any; any; any", "clear; put c", "put d" } },
	{ "any-evict", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "any; any; any", "any; any; any", "any; any; any" } },
	{ "any-evict-four", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; find a; put b", { "any; any", "any; any", "any; any", "put d; any" } },
	{ "any-evict-same-hash", PLAIN, &subject_map, MAP_SAME_HASH | MAP_LIMIT(1) | 1, "put a; put b", { "any; any; any", "any; any; any", "grow" } },
	{ "any-evict-one", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a", { "any; any; any", "any; any; any" } },
	{ "any-evict-resize", PLAIN, &subject_map, MAP_LIMIT(2) | 2, "put a; put b; find a", { "any; any; any", "any; any; any", "resize; resize" } },
	{ "any-evict-clear", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a; put b", { "any; any", "any; any; any", "clear", "put d" } },
	{ "any-evict-life", PLAIN, &subject_map, MAP_LIMIT(1) | 1, "put a 1", { "any_life; any_life; any_life", "any_life; any_life; any_life", "expire; tick; expire" } },
	{ "any-evict-life-two", PLAIN, &subject_map, MAP_LIMIT(2) | 1, "put a 1; put c", { "any_life; put d; any_life", "any_life; put c 1; any_life", "expire; tick; expire" } },
	{ "any-evict-reclaimer", RECLAIMS, &subject_map, MAP_LIMIT(2) | 2, "put a; put b", { "any; any; any", "any; any; any", "resize; reclaim; resize; reclaim" } },
	{ "any-life", PLAIN, &subject_map, 1, "put a 1; put b", { "any_life; any_life; any_life", "any_life; any_life; any_life", "expire; tick; expire; tick; expire" } },
	{ "any-life-three", PLAIN, &subject_map, 1, "put a 2", { "any_life; any_life; tick", "any_life; any_life; find a", "any_life; any_life; any_life", "expire; tick; expire" } },
	{ "any-life-same-hash", PLAIN, &subject_map, MAP_SAME_HASH | 1, "put a 2; put b 1", { "any_life; any_life; any_life", "any_life; any_life; any_life", "expire; tick; expire" } },
	{ "any-life-resize", PLAIN, &subject_map, 2, "put a 1; put b; put c 2", { "any_life; any_life; any_life", "any_life; any_life; any_life", "resize; resize", "expire; tick; expire" } },
	{ "any-life-clear", PLAIN, &subject_map, 1, "put a 1; put b", { "any_life; any_life", "any_life; any_life; any_life", "clear", "expire; tick; expire" } },
	{ "any-life-reclaimer", RECLAIMS, &subject_map, 1, "put a 1; put b", { "any_life; any_life; any_life", "any_life; tick; any_life; any_life", "expire; reclaim; expire; reclaim" } },
	{ "any", PLAIN, &subject_map, 1, "put a; put b", { "any; any; any", "any; any; any", "any; any; any" } },
	{ "any-four", PLAIN, &subject_map, 1, "put a", { "any; any", "any; any", "any; any", "any; any" } },
	{ "any-grow", PLAIN, &subject_map, 1, "put a; put b", { "any; any; any", "any; any; any", "grow" } },
	{ "any-shrink", PLAIN, &subject_map, 2, "put a; put b", { "any; any; any", "any; any; any", "shrink" } },
	{ "any-resize", PLAIN, &subject_map, 2, "put a; put b; put c", { "any; any; any; any", "any; any; any; any", "resize; resize; resize" } },
	{ "any-clear", PLAIN, &subject_map, 2, "put a; put b; put c", { "any; any", "any; any; any", "clear", "resize; resize" } },
	{ "any-reclaimer", RECLAIMS, &subject_map, 2, "put a; put b; put c", { "any; any; any; any", "any; any; any; any", "resize; reclaim; resize; reclaim" } },

	/* ---- the slab: the second number says how many of the 15 blocks of a magazine are gone */
	{ "slab-exhaust", PLAIN, &subject_slab, 13, "", { "put a; put a; find a", "put b; put b; find b" } },
	{ "slab-pop", PLAIN, &subject_slab, 0, "", { "put a", "put b", "put c" } },
	{ "slab-three", PLAIN, &subject_slab, 14, "", { "put a; find a; put a", "put b; find b; put b", "put c; delete c; put c" } },
	{ "slab-discard", PLAIN, &subject_slab, 28, "put a; put b", { "add a; put c; find a", "add b; put d; find b", "add a; put a; find a" } },
	{ "slab-help", RECLAIMS, &subject_slab, 27, "put a; put b; put c; put d", { "delete a; put a; delete a; put a; delete a", "delete b; put b; delete b; put b; delete b", "reclaim; delete c; reclaim; delete d; reclaim" } },
	{ "slab-reclaimer", RECLAIMS, &subject_slab, 27, "put a; put b", { "put a; put a; put c; find a", "put b; add b; put d; find b", "reclaim; reclaim" } },

	/* ---- the quota: the second number says how many units there are. From 32 on stripes get ahead */
	{ "quota-last", PLAIN, &subject_quota, 2, "", { "grow; shrink; grow", "grow; grow; shrink", "begin_grow; shrink" } },
	{ "quota-ahead", PLAIN, &subject_quota, 66, "", { "grow; grow; shrink", "begin_grow; grow; shrink", "grow; begin_grow" } },
	{ "quota-gather", PLAIN, &subject_quota, 34, "", { "grow; shrink; shrink", "begin_grow; begin_grow; grow" } },
	{ "quota-gather-three", PLAIN, &subject_quota, 34, "grow", { "grow; shrink", "begin_grow; begin_grow", "grow; shrink; begin_grow" } },
	{ "quota-dry", PLAIN, &subject_quota, 66, "begin_grow", { "grow; shrink; grow", "begin_grow; grow", "grow; shrink; begin_grow; grow" } },
	{ "quota-all", PLAIN, &subject_quota, 34, "begin_grow; grow; grow", { "begin_grow; grow; shrink", "grow; begin_grow; shrink; grow", "grow; grow; shrink; shrink" } },

	{ "quota-charge", PLAIN, &subject_quota, 34, "grow; grow", { "begin_shrink; expire; grow", "begin_grow; grow; shrink", "grow; shrink; shrink" } },
	{ "quota-debt", PLAIN, &subject_quota, 34, "begin_grow; grow; grow", { "begin_shrink; grow", "shrink; begin_grow; shrink", "grow; shrink; shrink; grow" } },
	{ "quota-debt-paid", PLAIN, &subject_quota, 66, "begin_grow; begin_grow; begin_shrink", { "grow; expire; grow", "begin_shrink; shrink; grow", "grow; begin_grow; expire" } },
	{ "quota-owe", PLAIN, &subject_quota, 34, "begin_grow; begin_grow", { "reclaim; grow; shrink", "begin_shrink; shrink; expire", "shrink; reclaim; shrink; grow" } },

	/* ---- growing with new tags, 32 to 64 buckets: the fifth time that a table grows; mostly by the writers, since a whole
	 * sweep is long */
	{ "new-tags", PLAIN, &subject_map, 1, "grow; grow; grow; grow; put a; put b; put c", { "begin_grow; put d; delete d", "delete a; put b", "find c; put a" } },

	{ "new-tags-sweep", PLAIN, &subject_map, 1, "grow; grow; grow; grow; put a; put b", { "put c; delete a; find b", "grow" } },
	{ "new-tags-shrink", PLAIN, &subject_map, 1, "grow; grow; grow; grow; grow; put a; put b; put c", { "begin_shrink; put d", "delete a; put b", "find c; put a" } },

	/* ---- the explorer itself: a correct toy, and bugs that it must find (toys/snapshot.c) */
	{ "toy-correct", PLAIN, &subject_toy, 0, "put a", { "put b; delete a", "put a; find b", "find a; find b" } },
	{ "toy-lost-update", PLANTED, &subject_toy, 1, "", { "put a; find a", "put b; find b" } },
	{ "toy-free-early", PLANTED, &subject_toy, 2, "put a", { "put b", "find a" } },
	{ "toy-retire-early", PLANTED, &subject_toy, 3, "put a", { "put b; put c", "find a; find a; find a", "find b" } },
	{ "toy-in-place", PLANTED, &subject_toy, 4, "put a; put b", { "delete b", "find b; find b; find b" } },
	{ "toy-lock", PLANTED, &subject_toy, 5, "", { "put a", "put b" } },
	{ "toy-weak", PLANTED, &subject_toy, 6, "", { "put a", "find a" } },
	{ "toy-leak", PLANTED, &subject_toy, 7, "put a", { "put a", "put a" } },
};
/* clang-format on */

const unsigned scenario_count = sizeof scenarios / sizeof scenarios[0];

const struct scenario *scenario_named(const char *name)
{
	for (unsigned i = 0; i < scenario_count; i++)
		if (strcmp(scenarios[i].name, name) == 0)
			return &scenarios[i];
	return NULL;
}

static void bad_script(const char *script, const char *at)
{
	fprintf(stderr, "explorer: script \"%s\" cannot be read at \"%s\"\n", script, at);
	exit(2);
}

unsigned scenario_parse(const char *script, struct event calls[], unsigned count, unsigned max)
{
	const char *at = script;

	while (*at != '\0') {
		size_t length = strcspn(at, " ;");
		enum verb verb = 0;

		while (verb < VERBS && (strlen(verb_name(verb)) != length || strncmp(verb_name(verb), at, length) != 0))
			verb++;
		if (verb == VERBS || count == max)
			bad_script(script, at);
		calls[count] = (struct event){ .verb = verb, .life = ENDLESS };
		at += length;
		if (verb_has_key(verb)) {
			if (at[0] != ' ' || at[1] < 'a' || at[1] >= 'a' + (int)KEYS_MAX)
				bad_script(script, at);
			calls[count].key = (unsigned)(at[1] - 'a');
			at += 2;
			if (verb_has_life(verb) && at[0] == ' ' && at[1] >= '0' && at[1] <= '9') {
				calls[count].life = (unsigned)(at[1] - '0');
				at += 2;
			}
		}
		count++;
		at += strspn(at, "; ");
	}
	return count;
}
