/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file bytes_fixture.h
 * What the tests of maps with max_bytes share: such maps, values of any size, a reader who stays, and what must hold of the
 * counters at any moment.
 */
#ifndef BYTES_FIXTURE_H
#define BYTES_FIXTURE_H

#include "fixture.h"

#define KIB UINT64_C(1024)
#define MIB (UINT64_C(1024) * KIB)
#define MS UINT64_C(1000000)

/* Longer than any test takes: who waits so long is hung, and the watchdog says so. */
#define BYTES_WAIT_LONG UINT64_C(3600000)

static inline struct rcumap_options bytes_options(uint64_t max_bytes, uint64_t wait_ms)
{
	struct rcumap_options options;

	memset(&options, 0, sizeof options);
	options.max_bytes = max_bytes;
	options.wait_ms = wait_ms;
	return options;
}

/* A map of the turn's flavor with a limit on bytes. */
static inline struct rcumap *bytes_map(uint64_t max_bytes, uint64_t wait_ms)
{
	struct rcumap_options options = bytes_options(max_bytes, wait_ms);

	return fixture_map(&options);
}

/* ------------------------------------------------------------------ values of any size */

#define BYTES_VALUE_MAX (128 * KIB)

/* A payload of `size` bytes (24 to BYTES_VALUE_MAX), this thread's until the next one. */
static inline const unsigned char *bytes_value(uint64_t number, uint64_t turn, size_t size)
{
	static _Thread_local unsigned char value[BYTES_VALUE_MAX];

	payload_fill(value, size, number, turn);
	return value;
}

static inline int bytes_put_for(struct rcumap *map, uint64_t number, uint64_t turn, size_t size, uint64_t ttl_ms)
{
	unsigned char key[FIXTURE_KEY_MAX];
	size_t key_size = fixture_key(number, key);

	return rcumap_put(map, key, key_size, bytes_value(number, turn, size), size, ttl_ms, NULL);
}

static inline int bytes_put(struct rcumap *map, uint64_t number, uint64_t turn, size_t size)
{
	return bytes_put_for(map, number, turn, size, RCUMAP_TTL_NEVER);
}

/* What an entry counts, at least and at most: malloc rounds up, by no more than a quarter. */
static inline uint64_t bytes_least(size_t value_size)
{
	return value_size;
}

static inline uint64_t bytes_most(size_t value_size)
{
	return value_size + value_size / 4 + 128;
}

/* ------------------------------------------------------------------ counters */

/* At any moment, whoever writes. */
static inline bool bytes_within(const struct rcumap *map, uint64_t max_bytes)
{
	struct rcumap_stats s = fixture_stats(map);
	bool good = s.accounted_bytes <= max_bytes && s.reserved_bytes <= max_bytes && s.entry_bytes <= max_bytes;

	if (!good)
		diag("limit %llu: accounted %llu, reserved %llu, entries %llu", (unsigned long long)max_bytes,
		     (unsigned long long)s.accounted_bytes, (unsigned long long)s.reserved_bytes,
		     (unsigned long long)s.entry_bytes);
	return good;
}

/* Nothing is there and nothing is counted for it. Whoever removes the last one may just be about to say so. */
static inline bool bytes_are_none(void *map)
{
	struct rcumap_stats s = fixture_stats((const struct rcumap *)map);

	return s.entries == 0 && s.entry_bytes == 0;
}

/* Put keys from *next on, `size` bytes each, until one is refused, or `most` were stored: the refusal, or 0. */
static inline int bytes_fill(struct rcumap *map, uint64_t *next, size_t size, uint64_t most)
{
	for (uint64_t n = 0; n < most; n++) {
		int result = bytes_put(map, *next, *next, size);

		if (result)
			return result;
		++*next;
		flavor_quiescent(fixture_flavor);
	}
	return 0;
}

/* With a reader inside: put keys from *next on until there is no room for any of that size, whatever the size of its key: the
 * refusal. 0: `most` were stored. */
#define BYTES_KEY_SIZES 13u /* of fixture_key() */
static inline int bytes_exhaust(struct rcumap *map, uint64_t *next, size_t size, uint64_t most)
{
	unsigned refused = 0;
	int result = 0;

	for (uint64_t n = 0; n < most && refused < BYTES_KEY_SIZES; n++) {
		result = bytes_put(map, *next, *next, size);
		refused = result ? refused + 1 : 0;
		++*next;
	}
	return refused ? result : 0;
}

/* ------------------------------------------------------------------ a reader who stays */

struct bytes_reader {
	struct rcumap *map;
	sem_t inside, leave;
	struct team *team;
};

static inline void bytes_reader_stay(struct team_member *me)
{
	struct bytes_reader *reader = (struct bytes_reader *)me->ctx;

	rcumap_read_lock(reader->map);
	sem_post(&reader->inside);
	while (sem_wait(&reader->leave) != 0)
		;
	rcumap_read_unlock(reader->map);
}

/* From here on he is in his section. */
static inline void bytes_reader_enter(struct bytes_reader *reader, struct rcumap *map)
{
	struct team_options options;

	memset(&options, 0, sizeof options);
	memset(reader, 0, sizeof *reader);
	options.threads = 1;
	options.work = bytes_reader_stay;
	options.ctx = reader;
	options.register_flavor = true;
	options.flavor = fixture_flavor;
	options.watchdog_s = TEST_WATCHDOG_S;
	reader->map = map;
	sem_init(&reader->inside, 0, 0);
	sem_init(&reader->leave, 0, 0);
	reader->team = team_start(&options);
	fixture_wait(&reader->inside);
}

static inline void bytes_reader_leave(struct bytes_reader *reader)
{
	sem_post(&reader->leave);
	flavor_offline(fixture_flavor);
	team_join(reader->team);
	flavor_online(fixture_flavor);
	sem_destroy(&reader->inside);
	sem_destroy(&reader->leave);
}

/* Without anybody in a section: until a put succeeds. */
struct bytes_again {
	struct rcumap *map;
	uint64_t number;
	size_t size;
};

static inline bool bytes_is_stored(void *ctx)
{
	struct bytes_again *again = (struct bytes_again *)ctx;

	return bytes_put(again->map, again->number, 1, again->size) == 0;
}

static inline bool bytes_put_at_last(struct rcumap *map, uint64_t number, size_t size)
{
	struct bytes_again again = { map, number, size };

	return fixture_eventually(bytes_is_stored, &again);
}

#endif
