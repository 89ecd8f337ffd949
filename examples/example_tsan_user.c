/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A program of a user's own with threads: readers look entries up inside read sections and read them where they lie, while a
 * writer replaces and deletes them. Built with ThreadSanitizer, together with the library's ThreadSanitizer build, it runs
 * without a report and without a suppression file, because sections are opened through the library.
 *
 * Every value is a number, its square and its cube: a reader who saw half of one value and half of another, or memory that
 * was given back, would notice.
 */
#include <rcumap.h>

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#define READERS 3
#define KEYS 64u
#define ROUNDS 200u
#define HITS 1000u

struct triple {
	uint64_t number, square, cube;
};

struct program {
	struct rcumap *map;
	/* Plain memory that the writer fills before he puts an entry, and readers read after they have found it. */
	uint64_t before[ROUNDS];
	atomic_bool done;
	atomic_ulong hits, misses, violations;
};

static void look_up(struct program *p, uint64_t key)
{
	const struct rcumap_entry *entry;

	rcumap_read_lock(p->map);
	entry = rcumap_find(p->map, &key, sizeof key);
	if (entry) {
		/* Keys of 8 bytes: the value is aligned to 8. */
		const struct triple *t = rcumap_entry_value(entry);

		if (rcumap_entry_value_size(entry) != sizeof *t || t->square != t->number * t->number ||
		    t->cube != t->number * t->square || p->before[t->number] != t->cube)
			atomic_fetch_add(&p->violations, 1);
		atomic_fetch_add(&p->hits, 1);
	} else {
		atomic_fetch_add(&p->misses, 1);
	}
	rcumap_read_unlock(p->map);
}

static void *reader(void *arg)
{
	struct program *p = arg;
	uint64_t key = 0;

	while (!atomic_load(&p->done))
		look_up(p, key++ % KEYS);
	return NULL;
}

static void play_round(struct program *p, uint64_t number)
{
	struct triple t = { number, number * number, number * number * number };

	for (uint64_t key = 0; key < KEYS; key++)
		if (rcumap_put(p->map, &key, sizeof key, &t, sizeof t, RCUMAP_TTL_DEFAULT, NULL) != 0)
			atomic_fetch_add(&p->violations, 1);
	for (uint64_t key = number % 3; key < KEYS; key += 3)
		if (rcumap_delete(p->map, &key, sizeof key) != 0)
			atomic_fetch_add(&p->violations, 1);
}

/* Put each key, replace it, delete it, round after round; and until the readers have seen something of it. */
static void *writer(void *arg)
{
	struct program *p = arg;

	for (uint64_t round = 1; round < ROUNDS; round++) {
		p->before[round] = round * round * round;
		play_round(p, round);
	}
	while (atomic_load(&p->hits) < HITS)
		play_round(p, ROUNDS - 1);
	atomic_store(&p->done, 1);
	return NULL;
}

static int all_is_in_place(struct program *p)
{
	uint64_t present = 0;
	struct triple t;

	for (uint64_t key = 0; key < KEYS; key++)
		if (rcumap_get(p->map, &key, sizeof key, &t, sizeof t, NULL, NULL) == 0)
			present += t.number == ROUNDS - 1;
	return present == rcumap_count(p->map) && present > 0 && present < KEYS;
}

int main(void)
{
	struct program *p = calloc(1, sizeof *p);
	pthread_t threads[READERS + 1];
	int good;

	if (!p || rcumap_create(&p->map, NULL) != 0)
		return 1;
	for (int i = 0; i < READERS; i++)
		if (pthread_create(&threads[i], NULL, reader, p) != 0)
			return 1;
	if (pthread_create(&threads[READERS], NULL, writer, p) != 0)
		return 1;
	for (int i = 0; i <= READERS; i++)
		pthread_join(threads[i], NULL);

	good = all_is_in_place(p) && atomic_load(&p->violations) == 0;
	printf("%lu hits, %lu misses, %lu violations\n", atomic_load(&p->hits), atomic_load(&p->misses),
	       atomic_load(&p->violations));
	if (rcumap_destroy(p->map) != 0)
		good = 0;
	free(p);
	return good ? 0 : 1;
}
