/* SPDX-License-Identifier: BSD-2-Clause */
/* The public calls that write: arguments are checked here. */
#include "map/write.h"

#include <errno.h>

#include "map/overwrite.h"
#include "map/read.h"
#include "map/verbs.h"

int write_check_value(const void *value, size_t value_size)
{
	if (!value && value_size)
		return -EINVAL;
	return value_size > RCUMAP_VALUE_SIZE_MAX ? -EFBIG : 0;
}

int write_check_ttl(uint64_t ttl_ms)
{
	return ttl_ms <= RCUMAP_TTL_MAX || ttl_ms == RCUMAP_TTL_DEFAULT || ttl_ms == RCUMAP_TTL_NEVER ? 0 : -ERANGE;
}

static int check_key(const struct rcumap *map, const void *key, size_t key_size)
{
	if (!map || !read_key_valid(key, key_size))
		return -EINVAL;
	map_assert_alive(map);
	return map->closing ? -ESHUTDOWN : 0;
}

static int run_store(struct rcumap *map, struct write_store *what, uint64_t *version)
{
	int result = map->verbs->store(map, what);

	if (!result && version)
		*version = what->version;
	return result;
}

/* `expected` is for WRITE_IF_VERSION alone, as in remove_key(). */
static int store(struct rcumap *map, struct write_content content, uint64_t ttl_ms, enum write_condition condition,
		 uint64_t expected, uint64_t *version)
{
	struct write_store what = {
		.content = content, .ttl_ms = ttl_ms, .condition = condition, .expected = expected
	};
	int result = check_key(map, content.key, content.key_size);

	if (!result)
		result = write_check_value(content.value, content.value_size);
	if (!result)
		result = write_check_ttl(ttl_ms);
	return result ? result : run_store(map, &what, version);
}

static int remove_key(struct rcumap *map, const void *key, size_t key_size, enum write_condition condition,
		      uint64_t expected, enum rcumap_reason reason)
{
	struct write_remove what = {
		.key = key, .key_size = key_size, .condition = condition, .expected = expected, .reason = reason
	};
	int result = check_key(map, key, key_size);

	return result ? result : map->verbs->remove(map, &what);
}

/* Out of line, so that rcumap_put() saves nothing for it. */
static __attribute__((noinline)) int put_any(struct rcumap *map, const void *key, size_t key_size, const void *value,
					     size_t value_size, uint64_t ttl_ms, uint64_t *version)
{
	if (overwrite_suits(map, key, key_size, value, value_size, ttl_ms))
		return map->verbs->put(map, key, key_size, value, value_size, ttl_ms, version);
	return store(map, (struct write_content){ key, key_size, value, value_size }, ttl_ms, WRITE_ALWAYS, 0, version);
}

int rcumap_put(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t ttl_ms, uint64_t *version)
{
	if (__builtin_expect(overwrite_suits_small(map, key, key_size, value, value_size, ttl_ms), 1))
		return map->verbs->put_small(map, key, key_size, value, value_size, ttl_ms, version);
	return put_any(map, key, key_size, value, value_size, ttl_ms, version);
}

int write_put_in_steps(struct rcumap *map, const struct write_content *content, uint64_t *version, struct rcumap_entry *built)
{
	struct write_store what = { .content = *content, .ttl_ms = RCUMAP_TTL_NEVER, .condition = WRITE_ALWAYS, .built = built };

	return run_store(map, &what, version);
}

int rcumap_add(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t ttl_ms, uint64_t *version)
{
	return store(map, (struct write_content){ key, key_size, value, value_size }, ttl_ms, WRITE_IF_ABSENT, 0,
		     version);
}

int rcumap_replace(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
		   uint64_t ttl_ms, uint64_t *version)
{
	return store(map, (struct write_content){ key, key_size, value, value_size }, ttl_ms, WRITE_IF_PRESENT, 0,
		     version);
}

int rcumap_compare_and_swap(struct rcumap *map, const void *key, size_t key_size, uint64_t expected, const void *value,
			    size_t value_size, uint64_t ttl_ms, uint64_t *version)
{
	return store(map, (struct write_content){ key, key_size, value, value_size }, ttl_ms, WRITE_IF_VERSION,
		     expected, version);
}

int rcumap_delete(struct rcumap *map, const void *key, size_t key_size)
{
	return remove_key(map, key, key_size, WRITE_ALWAYS, 0, RCUMAP_DELETED);
}

int rcumap_delete_if(struct rcumap *map, const void *key, size_t key_size, uint64_t expected)
{
	return remove_key(map, key, key_size, WRITE_IF_VERSION, expected, RCUMAP_DELETED);
}

int rcumap_touch(struct rcumap *map, const void *key, size_t key_size, uint64_t ttl_ms)
{
	if (ttl_ms == 0)
		return remove_key(map, key, key_size, WRITE_ALWAYS, 0, RCUMAP_EXPIRED);

	struct write_touch touch = { .key = key, .key_size = key_size, .ttl_ms = ttl_ms };
	int result = check_key(map, key, key_size);

	if (!result)
		result = write_check_ttl(ttl_ms);
	return result ? result : map->verbs->touch(map, &touch);
}

int rcumap_update(struct rcumap *map, const void *key, size_t key_size, rcumap_update_fn *fn, void *ctx,
		  uint64_t *version)
{
	struct write_update update = { .key = key, .key_size = key_size, .fn = fn, .ctx = ctx };
	int result = fn ? check_key(map, key, key_size) : -EINVAL;

	if (!result)
		result = map->verbs->update(map, &update);
	if (!result && version)
		*version = update.version;
	return result;
}
