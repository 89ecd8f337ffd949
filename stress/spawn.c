/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Threads that live for a few operations. Each thread of the plan does nothing but create one child after the other; a child
 * registers, uses every verb on keys that only its line of children writes, looks at the others' keys, and exits, often right
 * after a delete. Nothing that a thread had retired may get lost with it, no memory may stay behind, and what one child
 * left the next one must find.
 */
#include "actor.h"
#include "scenarios.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define LINE_KEYS 16u
#define CHILD_OPERATIONS 32u

struct line {
	uint64_t number[LINE_KEYS]; /* what is stored, 0: the key is absent */
	uint64_t version[LINE_KEYS];
	uint64_t highest;
};

struct spawn {
	struct line *line; /* one per thread of the plan */
	uint64_t lines;
};

static void write_own(struct spawn *spawn, struct actor *me)
{
	struct line *line = &spawn->line[me->index];
	struct rcumap *map = me->run->map;
	uint64_t i = rng_below(&me->rng, LINE_KEYS), key = me->index * LINE_KEYS + i;
	bool there = line->number[i] != 0;

	switch (rng_below(&me->rng, 4)) {
	case 0:
		actor_demand(me, "add", key,
			     actor_store(me, map, VERB_ADD, key, line->highest + 1, 0, &line->version[i]),
			     there ? -EEXIST : 0);
		line->number[i] = there ? line->number[i] : ++line->highest;
		break;
	case 1:
		actor_demand(me, "put", key, actor_store(me, map, VERB_PUT, key, ++line->highest, 0, &line->version[i]),
			     0);
		line->number[i] = line->highest;
		break;
	case 2:
		actor_demand(me, "delete_if", key, actor_delete_if(me, map, key, line->version[i]),
			     there ? 0 : -ENOENT);
		line->number[i] = 0;
		break;
	default:
		actor_demand(me, "delete", key, actor_delete(me, map, key), there ? 0 : -ENOENT);
		line->number[i] = 0;
	}
}

static void read_some(const struct spawn *spawn, struct actor *me)
{
	const struct line *line = &spawn->line[me->index];

	section_open(me, me->run->map);
	for (unsigned n = 0; n < ACTOR_SIGHTS / 2; n++) {
		uint64_t i = rng_below(&me->rng, LINE_KEYS);
		const struct sight *own = section_find(me, me->index * LINE_KEYS + i);

		if ((own ? own->number : 0) != line->number[i])
			violation(me->run, "key %ju has number %ju, its only writer left %ju",
				  (uintmax_t)(me->index * LINE_KEYS + i), (uintmax_t)(own ? own->number : 0),
				  (uintmax_t)line->number[i]);
		section_find(me, rng_below(&me->rng, spawn->lines * LINE_KEYS));
	}
	section_close(me);
}

/* The parent waits, so the child may be the parent's actor. */
static void *child_main(void *arg)
{
	struct actor *me = arg;
	struct spawn *spawn = me->run->ctx;

	flavor_register(me->run->flavor);
	for (uint64_t n = rng_below(&me->rng, CHILD_OPERATIONS) + 1; n > 0; n--) {
		if (rng_below(&me->rng, 2))
			read_some(spawn, me);
		else
			write_own(spawn, me);
		actor_turn(me);
	}
	flavor_unregister(me->run->flavor);
	return NULL;
}

static void spawn_children(struct actor *me)
{
	while (!actor_stopping(me)) {
		pthread_t id;
		int error = pthread_create(&id, NULL, child_main, me);

		if (error)
			violation(me->run, "pthread_create: %s", strerror(error));
		pthread_join(id, NULL);
	}
}

void spawn_play(struct run *run)
{
	struct spawn spawn = { .lines = run->settings->readers + run->settings->writers };
	struct plan plan = { .parts = { { "parent", (unsigned)spawn.lines, spawn_children } },
			     .unregistered = true,
			     .universe = spawn.lines * LINE_KEYS };

	spawn.line = calloc(spawn.lines, sizeof spawn.line[0]);
	if (!spawn.line)
		violation(run, "no memory");
	run->ctx = &spawn;
	run->map = run_create(run, (struct rcumap_options){ .capacity = 0 });
	run_rounds(run, &plan);
	run_destroy(run, run->map);
	free(spawn.line);
}
