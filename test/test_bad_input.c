/* SPDX-License-Identifier: BSD-2-Clause */
/* What no caller should pass, and what every caller may: sizes at and beyond their bounds, NULL, any bytes. */
#include "fixture.h"

#include <sys/mman.h>

struct bad_key {
	const char *name;
	const void *key;
	size_t size;
};

/* None of these may be read: "x" has two bytes. */
static const struct bad_key bad_keys[] = {
	{ "NULL key", NULL, 3 },
	{ "NULL key of 0 bytes", NULL, 0 },
	{ "key of 0 bytes", "x", 0 },
	{ "key of 65536 bytes", "x", 65536 },
	{ "key of 2^32 + 1 bytes", "x", (size_t)UINT32_MAX + 2 },
	{ "key of SIZE_MAX bytes", "x", SIZE_MAX },
};

static int is_not_called(void *ctx, const struct rcumap_entry *old, struct rcumap_value *value)
{
	(void)ctx;
	(void)old;
	(void)value;
	bail("an update of a bad key calls the function");
}

static void each_verb_refuses(struct rcumap *map, const void *key, size_t key_size, const char *name)
{
	char buffer[4] = "###";
	size_t size = 99;
	uint64_t version = 99;

	is_int(rcumap_get(map, key, key_size, buffer, sizeof buffer, &size, &version), -EINVAL, "%s: get, %s",
	       fixture_name(), name);
	is_int(rcumap_put(map, key, key_size, "v", 1, RCUMAP_TTL_DEFAULT, &version), -EINVAL, "%s: put, %s",
	       fixture_name(), name);
	is_int(rcumap_add(map, key, key_size, "v", 1, RCUMAP_TTL_DEFAULT, &version), -EINVAL, "%s: add, %s",
	       fixture_name(), name);
	is_int(rcumap_replace(map, key, key_size, "v", 1, RCUMAP_TTL_DEFAULT, &version), -EINVAL, "%s: replace, %s",
	       fixture_name(), name);
	is_int(rcumap_compare_and_swap(map, key, key_size, 1, "v", 1, RCUMAP_TTL_DEFAULT, &version), -EINVAL,
	       "%s: compare_and_swap, %s", fixture_name(), name);
	is_int(rcumap_delete(map, key, key_size), -EINVAL, "%s: delete, %s", fixture_name(), name);
	is_int(rcumap_touch(map, key, key_size, 1000), -EINVAL, "%s: touch, %s", fixture_name(), name);
	is_int(rcumap_touch(map, key, key_size, 0), -EINVAL, "%s: touch with a life of 0, %s", fixture_name(), name);
	is_int(rcumap_ttl(map, key, key_size, &version), -EINVAL, "%s: ttl, %s", fixture_name(), name);
	is_int(rcumap_update(map, key, key_size, is_not_called, NULL, &version), -EINVAL, "%s: update, %s",
	       fixture_name(), name);
	is_int(rcumap_delete_if(map, key, key_size, 1), -EINVAL, "%s: delete_if, %s", fixture_name(), name);
	ok(size == 99 && version == 99 && memcmp(buffer, "###", 4) == 0, "%s: nothing is written, %s", fixture_name(),
	   name);
}

static void bad_keys_and_maps(struct rcumap *map)
{
	for (size_t i = 0; i < sizeof bad_keys / sizeof bad_keys[0]; i++) {
		const struct bad_key *bad = &bad_keys[i];

		each_verb_refuses(map, bad->key, bad->size, bad->name);
		rcumap_read_lock(map);
		ok(rcumap_find(map, bad->key, bad->size) == NULL, "%s: find, %s", fixture_name(), bad->name);
		ok(rcumap_find(NULL, bad->key, bad->size) == NULL, "%s: find, NULL map, %s", fixture_name(), bad->name);
		rcumap_read_unlock(map);
	}
	each_verb_refuses(NULL, "key", 3, "NULL map");
	ok(rcumap_find(NULL, "key", 3) == NULL, "%s: find, NULL map", fixture_name());
	is_int(rcumap_count(NULL), 0, "%s: count, NULL map", fixture_name());
	is_int(rcumap_reserve(NULL, 0), -EINVAL, "%s: reserve, NULL map", fixture_name());
	is_int(rcumap_clear(NULL), -EINVAL, "%s: clear, NULL map", fixture_name());
	is_int(rcumap_barrier(NULL), -EINVAL, "%s: barrier, NULL map", fixture_name());
	is_int(rcumap_destroy(NULL), 0, "%s: destroy, NULL map", fixture_name());
	is_int(rcumap_stats(NULL, NULL, 0), -EINVAL, "%s: stats, NULL map", fixture_name());
	is_int(rcumap_count(map), 0, "%s: nothing was stored", fixture_name());
}

static int never_called(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	(void)key;
	(void)key_size;
	(void)value;
	++*(unsigned *)ctx;
	return -EIO;
}

static void bad_loaders(struct rcumap *map)
{
	const struct rcumap_entry *entry = NULL;
	unsigned called = 0;
	struct rcumap_loader good, bad;
	struct {
		struct rcumap_loader known;
		uint64_t later;
	} longer;

	memset(&good, 0, sizeof good);
	good.size = sizeof good;
	good.load = never_called;
	good.ctx = &called;
	is_int(rcumap_get_or_load(NULL, "key", 3, &good, &entry), -EINVAL, "%s: load, NULL map", fixture_name());
	is_int(rcumap_get_or_load(map, NULL, 3, &good, &entry), -EINVAL, "%s: load, NULL key", fixture_name());
	is_int(rcumap_get_or_load(map, "key", 0, &good, &entry), -EINVAL, "%s: load, no key", fixture_name());
	is_int(rcumap_get_or_load(map, "key", RCUMAP_KEY_SIZE_MAX + 1, &good, &entry), -EINVAL, "%s: load, too long a key",
	       fixture_name());
	is_int(rcumap_get_or_load(map, "key", 3, NULL, &entry), -EINVAL, "%s: no loader", fixture_name());
	is_int(rcumap_get_or_load(map, "key", 3, &good, NULL), -EINVAL, "%s: nowhere to put the entry", fixture_name());
	bad = good;
	bad.load = NULL;
	is_int(rcumap_get_or_load(map, "key", 3, &bad, &entry), -EINVAL, "%s: no function", fixture_name());
	bad = good;
	bad.size = sizeof bad - 1;
	is_int(rcumap_get_or_load(map, "key", 3, &bad, &entry), -EINVAL, "%s: too small a loader", fixture_name());
	bad.size = 4097;
	is_int(rcumap_get_or_load(map, "key", 3, &bad, &entry), -E2BIG, "%s: too large a loader", fixture_name());
	bad = good;
	bad.timeout_ms = RCUMAP_TTL_MAX + 1;
	is_int(rcumap_get_or_load(map, "key", 3, &bad, &entry), -ERANGE, "%s: too long a wait", fixture_name());
	bad = good;
	bad.absent_ttl_ms = RCUMAP_TTL_NEVER;
	is_int(rcumap_get_or_load(map, "key", 3, &bad, &entry), -ERANGE, "%s: absent for too long", fixture_name());
	bad = good;
	bad.error_ttl_ms = RCUMAP_TTL_MAX + 1;
	is_int(rcumap_get_or_load(map, "key", 3, &bad, &entry), -ERANGE, "%s: an error for too long", fixture_name());
	memset(&longer, 0, sizeof longer);
	longer.known = good;
	longer.known.size = sizeof longer;
	longer.later = 1;
	is_int(rcumap_get_or_load(map, "key", 3, &longer.known, &entry), -E2BIG, "%s: a field that is not known",
	       fixture_name());
	ok(called == 0 && !entry && rcumap_count(map) == 0, "%s: nothing is loaded", fixture_name());
	longer.later = 0;
	is_int(rcumap_get_or_load(map, "key", 3, &longer.known, &entry), -EIO, "%s: or one that is not used",
	       fixture_name());
	is_int(called, 1, "%s: that loads", fixture_name());
}

/* The four verbs that store, with the key present, so that none fails for want of it. */
static void each_store_gives(struct rcumap *map, const void *value, size_t value_size, int error, int or_error,
			     const char *name)
{
	uint64_t version = 0, untouched = 99;
	int results[4];

	rcumap_put(map, "key", 3, "old", 3, RCUMAP_TTL_DEFAULT, &version);
	results[0] = rcumap_put(map, "key", 3, value, value_size, RCUMAP_TTL_DEFAULT, &untouched);
	results[1] = rcumap_replace(map, "key", 3, value, value_size, RCUMAP_TTL_DEFAULT, &untouched);
	results[2] = rcumap_compare_and_swap(map, "key", 3, version, value, value_size, RCUMAP_TTL_DEFAULT, &untouched);
	results[3] = rcumap_add(map, "new key", 7, value, value_size, RCUMAP_TTL_DEFAULT, &untouched);
	for (unsigned i = 0; i < 4; i++)
		ok(results[i] == error || results[i] == or_error, "%s: store %u, %s (%d)", fixture_name(), i, name,
		   results[i]);
	is_int(untouched, 99, "%s: no version is written, %s", fixture_name(), name);
	ok(fixture_holds(map, "key", 3, "old", 3, version) && fixture_lacks(map, "new key", 7),
	   "%s: the map is unchanged, %s", fixture_name(), name);
	rcumap_delete(map, "key", 3);
}

static void bad_values(struct rcumap *map)
{
	const size_t max = RCUMAP_VALUE_SIZE_MAX;

	each_store_gives(map, NULL, 1, -EINVAL, -EINVAL, "NULL value of 1 byte");
	each_store_gives(map, NULL, max, -EINVAL, -EINVAL, "NULL value of the largest size");
	each_store_gives(map, "x", max + 1, -EFBIG, -EFBIG, "value of 2^31 bytes");
	each_store_gives(map, "x", (size_t)UINT32_MAX + 2, -EFBIG, -EFBIG, "value of 2^32 + 1 bytes");
	each_store_gives(map, "x", SIZE_MAX, -EFBIG, -EFBIG, "value of SIZE_MAX bytes");
	each_store_gives(map, "x", SIZE_MAX - 15, -EFBIG, -EFBIG, "value of SIZE_MAX - 15 bytes");
	each_store_gives(map, NULL, SIZE_MAX, -EFBIG, -EINVAL, "NULL value of SIZE_MAX bytes");
}

static void get_without_a_buffer(struct rcumap *map)
{
	size_t size = 99;

	rcumap_put(map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL);
	is_int(rcumap_get(map, "key", 3, NULL, 1, &size, NULL), -EINVAL, "%s: get into NULL of 1 byte", fixture_name());
	is_int(rcumap_get(map, "key", 3, NULL, SIZE_MAX, &size, NULL), -EINVAL, "%s: get into NULL of SIZE_MAX bytes",
	       fixture_name());
	is_int(size, 99, "%s: nothing is written", fixture_name());
	is_int(rcumap_get(map, "absent", 6, NULL, 1, NULL, NULL), -EINVAL, "%s: also where the key is absent",
	       fixture_name());
	rcumap_delete(map, "key", 3);
}

static const size_t key_sizes[] = { 1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 63, 64, 65, 255, 256, 4096, 65534, 65535 };
static const size_t value_sizes[] = { 0, 1, 7, 8, 31, 32, 33, 64, 1000, 1024, 1025, 65535, 65536, 1 << 20 };

/* Every size of key with every size of value. */
static void all_sizes(struct rcumap *map)
{
	const size_t keys = sizeof key_sizes / sizeof key_sizes[0], values = sizeof value_sizes / sizeof value_sizes[0];
	unsigned char *key = calloc(1, 65535), *value = malloc(1 << 20);
	uint64_t wrong_new = 0, wrong_replaced = 0, wrong_deleted = 0;
	struct rng rng;

	rng_init(&rng, 1);
	for (size_t i = 0; i < (1 << 20); i++)
		value[i] = (unsigned char)rng_u64(&rng);
	/* Keys of zeros alone, told apart by their size; and values that begin anywhere. */
	for (size_t k = 0; k < keys; k++)
		for (size_t v = 0; v < values; v++) {
			wrong_new += rcumap_put(map, key, key_sizes[k], value, value_sizes[v], RCUMAP_TTL_DEFAULT,
						NULL) != 0;
			wrong_new += !fixture_holds(map, key, key_sizes[k], value, value_sizes[v], 0);
		}
	is_int(wrong_new, 0, "%s: every size of key holds every size of value", fixture_name());
	is_int(rcumap_count(map), keys, "%s: keys of zeros differ by their size alone", fixture_name());
	for (size_t k = 0; k < keys; k++) {
		const unsigned char *other = value + k;

		wrong_replaced += rcumap_replace(map, key, key_sizes[k], other, 16 + k, RCUMAP_TTL_DEFAULT, NULL) != 0;
	}
	for (size_t k = 0; k < keys; k++) {
		wrong_replaced += !fixture_holds(map, key, key_sizes[k], value + k, 16 + k, 0);
		key[key_sizes[k] - 1] = 1;
		wrong_replaced += !fixture_lacks(map, key, key_sizes[k]);
		key[key_sizes[k] - 1] = 0;
	}
	is_int(wrong_replaced, 0, "%s: and none is mistaken for another", fixture_name());
	for (size_t k = 0; k < keys; k++)
		wrong_deleted += rcumap_delete(map, key, key_sizes[k]) != 0;
	is_int(wrong_deleted, 0, "%s: each is deleted", fixture_name());
	is_int(rcumap_count(map), 0, "%s: none is left", fixture_name());
	free(key);
	free(value);
}

static void every_byte_as_a_key(struct rcumap *map)
{
	unsigned right = 0;

	for (unsigned i = 0; i < 256; i++) {
		unsigned char key = (unsigned char)i;

		rcumap_put(map, &key, 1, &i, sizeof i, RCUMAP_TTL_DEFAULT, NULL);
	}
	for (unsigned i = 0; i < 256; i++) {
		unsigned char key = (unsigned char)i;

		right += fixture_holds(map, &key, 1, &i, sizeof i, 0);
	}
	is_int(right, 256, "%s: each of the 256 keys of one byte", fixture_name());
	rcumap_clear(map);
}

static void the_largest_value(struct rcumap *map)
{
	const size_t size = RCUMAP_VALUE_SIZE_MAX;
	char *value;
	size_t told = 0;

	if (!getenv("RCUMAP_TEST_HUGE")) {
		skip(3, "set RCUMAP_TEST_HUGE for a value of 2^31 - 1 bytes; it takes 2 GiB");
		return;
	}
	value = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (value == MAP_FAILED)
		bail("mmap: %s", strerror(errno));
	value[size - 1] = '!';
	is_int(rcumap_put(map, "key", 3, value, size, RCUMAP_TTL_DEFAULT, NULL), 0, "%s: the largest value",
	       fixture_name());
	is_int(rcumap_get(map, "key", 3, NULL, 0, &told, NULL) == -ENOBUFS ? told : 0, size, "%s: tells its size",
	       fixture_name());
	rcumap_read_lock(map);
	ok(((const char *)rcumap_entry_value(rcumap_find(map, "key", 3)))[size - 1] == '!',
	   "%s: is there to its last byte", fixture_name());
	rcumap_read_unlock(map);
	rcumap_delete(map, "key", 3);
	munmap(value, size);
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);

	bad_keys_and_maps(map);
	bad_loaders(map);
	bad_values(map);
	get_without_a_buffer(map);
	all_sizes(map);
	every_byte_as_a_key(map);
	the_largest_value(map);
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
