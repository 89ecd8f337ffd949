/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Keys that are always there are replaced: what must hold is the ledger's (ledger.h). A few keys get most of the
 * writes, so that a reader is often in an entry that is being replaced, and replaced again.
 */
#include "ledger.h"
#include "scenarios.h"

#include <stdlib.h>

#define KEYS 1024u

struct replace {
	struct ledger ledger;
	struct zipf zipf;
};

static void read_keys(struct actor *me)
{
	struct replace *replace = me->run->ctx;

	ledger_read_on(&replace->ledger, me);
}

static void write_keys(struct actor *me)
{
	struct replace *replace = me->run->ctx;

	while (!actor_stopping(me)) {
		ledger_write(&replace->ledger, me, zipf_next(&replace->zipf, &me->rng));
		actor_turn(me);
		actor_breathe(me, replace->ledger.map);
	}
}

void replace_play(struct run *run)
{
	struct replace replace;
	struct plan plan = { .parts = { { "reader", (unsigned)run->settings->readers, read_keys },
					{ "writer", (unsigned)run->settings->writers, write_keys } },
			     .universe = KEYS };
	struct actor outer;

	run->ctx = &replace;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	zipf_init(&replace.zipf, KEYS, 0.99);
	actor_init(&outer, run, 0);
	ledger_init(&replace.ledger, &outer, run->map, KEYS);
	run_rounds(run, &plan);
	ledger_fini(&replace.ledger);
	run_destroy(run, run->map);
}
