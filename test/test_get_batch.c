/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_get_batch(): for each key what rcumap_get() does, whatever stands beside it and however many there are. */
#include "batch_fixture.h"

#define MOST 1000u
#define ROOM 100u

/* A key's copy, its buffer, and what rcumap_get() leaves. */
struct copies {
	struct rcumap_copy copies[MOST + 1];
	unsigned char buffers[MOST + 1][ROOM];
};

static void copies_reset(struct copies *c)
{
	memset(c->buffers, '#', sizeof c->buffers);
	for (size_t i = 0; i <= MOST; i++)
		c->copies[i] = (struct rcumap_copy){
			.buffer = c->buffers[i], .buffer_size = ROOM, .value_size = 99, .version = 99, .result = 99
		};
}

/* Copies that are not what rcumap_get() gives. */
static size_t different(const struct rcumap *map, const struct rcumap_key *keys, size_t n, const struct copies *c)
{
	size_t wrong = 0;

	for (size_t i = 0; i < n; i++) {
		unsigned char buffer[ROOM];
		size_t value_size = 99;
		uint64_t version = 99;
		int result;

		memset(buffer, '#', sizeof buffer);
		result = rcumap_get(map, keys[i].data, keys[i].size, c->copies[i].buffer ? buffer : NULL,
				    c->copies[i].buffer_size, &value_size, &version);
		wrong += c->copies[i].result != result || c->copies[i].value_size != value_size ||
			 c->copies[i].version != version || memcmp(c->buffers[i], buffer, ROOM) != 0;
	}
	return wrong;
}

static void each_number_of_keys(struct rcumap *map, struct copies *c)
{
	static const size_t numbers[] = { 0, 1, 3, 4, 5, 31, 32, 33, 64, 999, 1000 };
	struct batch_keys keys = batch_keys_new(NULL, MOST);
	unsigned bad = 0;

	/* Every second key; of these every third with a value that does not fit. */
	for (uint64_t i = 0; i < MOST; i += 2)
		bad += fixture_put(map, i, i, i % 6 == 4 ? ROOM + 1 : ROOM - i % 76) != 0;
	is_int(bad, 0, "%s: put every second of the keys", fixture_name());
	for (size_t k = 0; k < sizeof numbers / sizeof *numbers; k++) {
		const size_t n = numbers[k];
		size_t fit = 0;

		for (size_t i = 0; i < n; i += 2)
			fit += i % 6 != 4;
		copies_reset(c);
		is_int(rcumap_get_batch(map, keys.keys, n, c->copies), fit, "%s: of %zu keys a third is copied",
		       fixture_name(), n);
		is_int(different(map, keys.keys, n, c), 0, "%s: of %zu keys each is as get says", fixture_name(), n);
		ok(c->copies[n].result == 99 && c->buffers[n][0] == '#', "%s: behind %zu keys nothing is written",
		   fixture_name(), n);
	}
	batch_keys_free(&keys);
}

static void what_cannot_be_copied(struct rcumap *map, struct copies *c)
{
	static const char key[] = "none of these";
	struct rcumap_key keys[] = { { key, 4 }, { NULL, 4 }, { key, 0 }, { key, 4 }, { key, RCUMAP_KEY_SIZE_MAX + 1 },
				     { key, 4 }, { key, 4 },  { key, 5 }, { key, 5 }, { "empty", 5 },
				     { key, 4 } };
	static const int results[] = {
		0, -EINVAL, -EINVAL, -ENOBUFS, -EINVAL, -ENOBUFS, -EINVAL, -ENOENT, -EINVAL, 0, 0
	};
	enum { N = sizeof keys / sizeof *keys };
	uint64_t version = 0;
	unsigned wrong = 0;

	rcumap_put(map, key, 4, "value", 5, RCUMAP_TTL_DEFAULT, &version);
	rcumap_put(map, "empty", 5, NULL, 0, RCUMAP_TTL_DEFAULT, NULL);
	copies_reset(c);
	c->copies[3].buffer_size = 4;
	c->copies[5].buffer = NULL;
	c->copies[5].buffer_size = 0;
	c->copies[6].buffer = NULL; /* with a size */
	c->copies[8].buffer = NULL;
	c->copies[9].buffer = NULL;
	c->copies[9].buffer_size = 0;
	is_int(rcumap_get_batch(map, keys, N, c->copies), 3, "%s: only what is copied counts", fixture_name());
	for (unsigned i = 0; i < N; i++)
		wrong += c->copies[i].result != results[i];
	is_int(wrong, 0, "%s: each result tells of its key", fixture_name());
	is_int(different(map, keys, N, c), 0, "%s: each is as get says", fixture_name());
	ok(memcmp(c->buffers[0], "value#", 6) == 0 && memcmp(c->buffers[10], "value#", 6) == 0,
	   "%s: one key may be copied twice", fixture_name());
	ok(c->copies[3].value_size == 5 && c->copies[3].version == version && c->buffers[3][0] == '#',
	   "%s: what does not fit tells its size and version", fixture_name());
	ok(c->copies[1].value_size == 99 && c->copies[7].version == 99, "%s: other errors leave the outputs",
	   fixture_name());
	copies_reset(c);
	is_int(rcumap_get_batch(NULL, keys, N, c->copies) + rcumap_get_batch(map, NULL, N, c->copies) +
		       rcumap_get_batch(map, keys, N, NULL),
	       0, "%s: without map, keys or copies nothing is copied", fixture_name());
	is_int(c->copies[0].result, 99, "%s: and nothing written", fixture_name());
}

static void works_inside_the_callers_section(struct rcumap *map, struct copies *c)
{
	struct rcumap_key keys[] = { { "inside", 6 }, { "outside", 7 } };

	rcumap_put(map, "inside", 6, "1", 1, RCUMAP_TTL_DEFAULT, NULL);
	copies_reset(c);
	rcumap_read_lock(map);
	is_int(rcumap_get_batch(map, keys, 2, c->copies), 1, "%s: inside the caller's section", fixture_name());
	rcumap_delete(map, "inside", 6);
	is_int(rcumap_get_batch(map, keys, 2, c->copies), 0, "%s: a deletion is seen at once", fixture_name());
	rcumap_read_unlock(map);
	is_int(c->copies[0].result, -ENOENT, "%s: as absent", fixture_name());
}

static void large_values(void)
{
	struct rcumap *map = fixture_map(NULL);
	enum { N = 40, SIZE = 5000 };
	unsigned char *values = malloc(N * SIZE), *buffers = malloc(N * SIZE);
	struct batch_keys keys = batch_keys_new(NULL, N);
	struct rcumap_copy copies[N];
	unsigned wrong = 0;

	for (unsigned i = 0; i < N; i++) {
		memset(values + i * SIZE, 'a' + (int)i % 26, SIZE);
		rcumap_put(map, keys.keys[i].data, keys.keys[i].size, values + i * SIZE, SIZE - i, RCUMAP_TTL_DEFAULT,
			   NULL);
		copies[i] = (struct rcumap_copy){ .buffer = buffers + i * SIZE, .buffer_size = SIZE };
	}
	is_int(rcumap_get_batch(map, keys.keys, N, copies), N, "%s: values of many lines", fixture_name());
	for (unsigned i = 0; i < N; i++)
		wrong += copies[i].value_size != SIZE - i ||
			 memcmp(values + i * SIZE, buffers + i * SIZE, SIZE - i) != 0;
	is_int(wrong, 0, "%s: are copied whole", fixture_name());
	batch_keys_free(&keys);
	free(values);
	free(buffers);
	fixture_destroy(map);
}

static void what_has_expired_is_absent(struct copies *c)
{
	struct batch_clock clock = { UINT64_C(5000000000), 0 };
	struct rcumap *map = batch_map(&clock);
	struct chain_key bytes[50];
	struct rcumap_key keys[50];
	unsigned wrong = 0;

	for (unsigned i = 0; i < 50; i++) {
		bytes[i] = (struct chain_key){ hash_mix(i), i };
		keys[i] = (struct rcumap_key){ &bytes[i], sizeof bytes[i] };
		batch_put(map, bytes[i], i % 2 ? 10 : RCUMAP_TTL_NEVER);
	}
	copies_reset(c);
	is_int(rcumap_get_batch(map, keys, 50, c->copies), 50, "%s: before their deadlines all are copied",
	       fixture_name());
	atomic_store(&clock.now_ns, UINT64_C(5015000000));
	copies_reset(c);
	is_int(rcumap_get_batch(map, keys, 50, c->copies), 25, "%s: half of the deadlines have passed", fixture_name());
	for (unsigned i = 0; i < 50; i++)
		wrong += c->copies[i].result != (i % 2 ? -ENOENT : 0);
	is_int(wrong, 0, "%s: those keys are absent", fixture_name());
	bare_destroy(map);
}

/* ------------------------------------------------------------------ while others write */

#define KEYS 2000u

struct context {
	struct rcumap *map;
	_Atomic uint64_t torn, missing;
	_Atomic unsigned writers;
};

/* The first half of the keys is replaced, the second comes and goes. */
static void write_round(struct context *c, unsigned index, uint64_t round)
{
	for (uint64_t i = index; i < KEYS; i += 2) {
		if (i < KEYS / 2 || round % 2 == 0)
			fixture_put(c->map, i, round, 24 + (i + round) % 70);
		else
			fixture_delete(c->map, i);
		if (i % 16 == index)
			flavor_quiescent(fixture_flavor);
	}
}

static void read_round(struct context *c, struct rng *rng)
{
	unsigned char buffers[70][ROOM];
	struct rcumap_copy copies[70];
	uint64_t numbers[70];
	struct batch_keys keys;

	for (unsigned i = 0; i < 70; i++) {
		numbers[i] = rng_below(rng, KEYS);
		copies[i] = (struct rcumap_copy){ .buffer = buffers[i], .buffer_size = ROOM };
	}
	keys = batch_keys_new(numbers, 70);
	rcumap_get_batch(c->map, keys.keys, 70, copies);
	for (unsigned i = 0; i < 70; i++) {
		if (copies[i].result == -ENOENT ? numbers[i] < KEYS / 2 : copies[i].result != 0)
			atomic_fetch_add(&c->missing, 1);
		if (copies[i].result == 0 &&
		    payload_verify(buffers[i], copies[i].value_size, numbers[i], NULL) != PAYLOAD_OK)
			atomic_fetch_add(&c->torn, 1);
	}
	batch_keys_free(&keys);
}

static void write_or_read(struct team_member *me)
{
	struct context *c = me->ctx;
	const uint64_t rounds = fixture_scaled(60, 6);
	struct rng rng;

	rng_init_stream(&rng, 10, me->index);
	if (me->index < 2) {
		for (uint64_t r = 0; r < rounds; r++)
			write_round(c, me->index, r);
		atomic_fetch_sub(&c->writers, 1);
		return;
	}
	do {
		read_round(c, &rng);
		flavor_quiescent(fixture_flavor);
	} while (atomic_load(&c->writers));
}

static void while_others_write(void)
{
	struct context c = { .map = fixture_map(NULL), .writers = 2 };

	for (unsigned index = 0; index < 2; index++)
		write_round(&c, index, 0);
	fixture_run(4, write_or_read, &c);
	is_int(c.missing, 0, "%s: keys that are replaced all along are never absent", fixture_name());
	is_int(c.torn, 0, "%s: what is copied is whole, and the key's", fixture_name());
	fixture_destroy(c.map);
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);
	struct copies *c = malloc(sizeof *c);

	each_number_of_keys(map, c);
	what_cannot_be_copied(map, c);
	works_inside_the_callers_section(map, c);
	fixture_destroy(map);
	large_values();
	what_has_expired_is_absent(c);
	while_others_write();
	free(c);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
