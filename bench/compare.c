/* SPDX-License-Identifier: BSD-2-Clause */
/* stub while adapters are written: every subject, a few pairs */
#include "rivals/rivals.h"

#include "pair.h"
#include "clock.h"
#include "run.h"

#include <stdio.h>
#include <stdlib.h>

static void try_subject(const struct subject *s, uint64_t n)
{
	struct run run = run_create(s, n);
	unsigned char key[SUBJECT_BATCH][PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE], got[SUBJECT_BATCH][PAIR_VALUE_SIZE];
	size_t size, sizes[SUBJECT_BATCH];
	const void *keys[SUBJECT_BATCH];
	void *buffers[SUBJECT_BATCH];
	uint64_t wrong = 0, seconds = now_ns();

	s->thread_enter();
	for (int turn = 0; turn < 2; turn++)
		for (uint64_t id = 0; id < n; id++) {
			pair_key(key[0], id);
			pair_value(value, id, (uint64_t)turn);
			wrong += s->put(run.map, key[0], PAIR_KEY_SIZE, value, sizeof value) != 0;
			if (id % 64 == 0)
				s->thread_pause();
		}
	for (uint64_t id = 0; id < 2 * n; id++) {
		pair_key(key[0], id);
		int result = s->get(run.map, key[0], PAIR_KEY_SIZE, got[0], sizeof got[0], &size);

		wrong += id < n ? result || size != sizeof value || !pair_value_is_of(got[0], id) : result != -ENOENT;
		if (id % 64 == 0)
			s->thread_pause();
	}
	if (s->get_batch)
		for (uint64_t id = n - n / 2; id + SUBJECT_BATCH < 2 * n; id += SUBJECT_BATCH) {
			size_t there = 0, want = 0;

			for (unsigned i = 0; i < SUBJECT_BATCH; i++) {
				pair_key(key[i], id + i);
				keys[i] = key[i];
				buffers[i] = got[i];
			}
			there = s->get_batch(run.map, SUBJECT_BATCH, keys, PAIR_KEY_SIZE, buffers, PAIR_VALUE_SIZE, sizes);
			for (unsigned i = 0; i < SUBJECT_BATCH; i++) {
				want += id + i < n;
				wrong += id + i < n ? sizes[i] != PAIR_VALUE_SIZE || !pair_value_is_of(got[i], id + i) : sizes[i] != SIZE_MAX;
			}
			wrong += there != want;
			s->thread_pause();
		}
	for (uint64_t id = 0; id < n; id += 2) {
		pair_key(key[0], id);
		wrong += s->remove(run.map, key[0], PAIR_KEY_SIZE) != 0;
		wrong += s->remove(run.map, key[0], PAIR_KEY_SIZE) != -ENOENT;
		if (id % 64 == 0)
			s->thread_pause();
	}
	s->thread_leave();
	s->settle(run.map);
	printf("%-12s wrong %ju, count %ju, memory %.1f a pair, %.2f s\n", s->name, (uintmax_t)wrong, (uintmax_t)s->count(run.map),
	       (double)s->memory(run.map) / (double)s->count(run.map), (double)(now_ns() - seconds) / 1e9);
	run_destroy(&run);
}

int main(int argc, char **argv)
{
	for (const struct rival *r = rivals; r->name; r++)
		if (r->subject && (argc < 3 || strcmp(argv[2], r->name) == 0))
			try_subject(r->subject, argc > 1 ? strtoull(argv[1], NULL, 0) : 100000);
	return 0;
}
