/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Read, decide and write as one step: a counter, and a value that grows at its end, changed by several threads at once.
 * Nothing is lost, and no thread waits for another.
 *
 *     cc example_update.c -lrcumap -lurcu-bp -lurcu-memb -lurcu-qsbr -lurcu-common -lck -lpthread
 */
#include <rcumap.h>

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THREADS 4
#define ROUNDS 200u
#define PIECE_SIZE 8u
#define JOURNAL_SIZE_MAX 16384u

/* ------------------------------------------------------------------ a counter */

struct increment {
	int64_t by;
	int64_t value; /* the new one; of the last call of the function below, which is the one that counted */
};

/* It may run several times, so it changes nothing but what it makes anew each time. */
static int increment(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct increment *what = ctx;

	what->value = 0;
	if (old) /* memcpy: a value is aligned only as its key's size is */
		memcpy(&what->value, rcumap_entry_value(old), sizeof what->value);
	what->value += what->by;
	value->data = &what->value;
	value->size = sizeof what->value;
	return 0;
}

static int counter_add(struct rcumap *map, const char *key, int64_t by, int64_t *now)
{
	struct increment what = { .by = by };
	int error = rcumap_update(map, key, strlen(key), increment, &what, NULL);

	if (!error)
		*now = what.value;
	return error;
}

/* ------------------------------------------------------------------ a value that grows */

struct append {
	const void *piece;
	size_t size;
	char whole[JOURNAL_SIZE_MAX]; /* the new value is put together here */
};

static int append(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	struct append *what = ctx;
	size_t size = old ? rcumap_entry_value_size(old) : 0;

	if (what->size > sizeof what->whole - size)
		return -ENOBUFS; /* rcumap_update() returns it; the key is as it was */
	if (old)
		memcpy(what->whole, rcumap_entry_value(old), size);
	memcpy(what->whole + size, what->piece, what->size);
	value->data = what->whole;
	value->size = size + what->size;
	return 0;
}

/* ------------------------------------------------------------------ from several threads */

struct worker {
	struct rcumap *map;
	unsigned number;
	int failed;
	int64_t sum; /* of the numbers that this worker drew from the counter */
	struct append append;
};

static void *work(void *arg)
{
	struct worker *w = arg;

	for (unsigned round = 0; round < ROUNDS; round++) {
		char piece[PIECE_SIZE + 1];
		int64_t ticket = 0;

		w->failed |= counter_add(w->map, "tickets", 1, &ticket) != 0;
		w->sum += ticket;

		snprintf(piece, sizeof piece, "%u:%05u\n", w->number % 10, round % 100000);
		w->append.piece = piece;
		w->append.size = PIECE_SIZE;
		w->failed |= rcumap_update(w->map, "journal", 7, append, &w->append, NULL) != 0;
	}
	return NULL;
}

/* Each worker's pieces, whole and in the order in which he appended them. */
static int journal_is_whole(const char *journal, size_t size)
{
	unsigned next[THREADS] = { 0 };

	for (size_t at = 0; at + PIECE_SIZE <= size; at += PIECE_SIZE) {
		unsigned number, round;

		if (sscanf(journal + at, "%1u:%5u\n", &number, &round) != 2 || number >= THREADS ||
		    round != next[number]++)
			return 0;
	}
	return size == (size_t)THREADS * ROUNDS * PIECE_SIZE;
}

int main(void)
{
	static struct worker workers[THREADS];
	static char journal[JOURNAL_SIZE_MAX + 1];
	pthread_t threads[THREADS];
	struct rcumap *map;
	int64_t last = 0, sum = 0, all = (int64_t)THREADS * ROUNDS;
	size_t size = 0;
	int good = 1;

	if (rcumap_create(&map, NULL) != 0)
		return 1;
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ .map = map, .number = i };
		if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0)
			return 1;
	}
	for (unsigned i = 0; i < THREADS; i++) {
		pthread_join(threads[i], NULL);
		good &= !workers[i].failed;
		sum += workers[i].sum;
	}

	/* The tickets are 1 to `all`, each drawn by one worker. */
	good &= rcumap_get(map, "tickets", 7, &last, sizeof last, NULL, NULL) == 0 && last == all &&
		sum == all * (all + 1) / 2;
	good &= rcumap_get(map, "journal", 7, journal, JOURNAL_SIZE_MAX, &size, NULL) == 0 &&
		journal_is_whole(journal, size);
	printf("%lld tickets, a journal of %zu bytes\n", (long long)last, size);
	good &= rcumap_destroy(map) == 0;
	return good ? 0 : 1;
}
