/* SPDX-License-Identifier: BSD-2-Clause */
/* The public calls that write: arguments are checked here. */
#include "map/write.h"

#include <errno.h>

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

static int store(struct rcumap *map, struct write_store what, uint64_t *version)
{
	int result = check_key(map, what.key, what.key_size);

	if (!result)
		result = write_check_value(what.value, what.value_size);
	if (!result)
		result = write_check_ttl(what.ttl_ms);
	if (!result)
		result = map->verbs->store(map, &what);
	if (!result && version)
		*version = what.version;
	return result;
}

static int remove_key(struct rcumap *map, struct write_remove what)
{
	int result = check_key(map, what.key, what.key_size);

	return result ? result : map->verbs->remove(map, &what);
}

int rcumap_put(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t ttl_ms, uint64_t *version)
{
	return store(map,
		     (struct write_store){ .key = key,
					   .key_size = key_size,
					   .value = value,
					   .value_size = value_size,
					   .ttl_ms = ttl_ms,
					   .condition = WRITE_ALWAYS },
		     version);
}

int rcumap_add(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
	       uint64_t ttl_ms, uint64_t *version)
{
	return store(map,
		     (struct write_store){ .key = key,
					   .key_size = key_size,
					   .value = value,
					   .value_size = value_size,
					   .ttl_ms = ttl_ms,
					   .condition = WRITE_IF_ABSENT },
		     version);
}

int rcumap_replace(struct rcumap *map, const void *key, size_t key_size, const void *value, size_t value_size,
		   uint64_t ttl_ms, uint64_t *version)
{
	return store(map,
		     (struct write_store){ .key = key,
					   .key_size = key_size,
					   .value = value,
					   .value_size = value_size,
					   .ttl_ms = ttl_ms,
					   .condition = WRITE_IF_PRESENT },
		     version);
}

int rcumap_compare_and_swap(struct rcumap *map, const void *key, size_t key_size, uint64_t expected, const void *value,
			    size_t value_size, uint64_t ttl_ms, uint64_t *version)
{
	return store(map,
		     (struct write_store){ .key = key,
					   .key_size = key_size,
					   .value = value,
					   .value_size = value_size,
					   .ttl_ms = ttl_ms,
					   .condition = WRITE_IF_VERSION,
					   .expected = expected },
		     version);
}

int rcumap_delete(struct rcumap *map, const void *key, size_t key_size)
{
	return remove_key(
		map, (struct write_remove){
			     .key = key, .key_size = key_size, .condition = WRITE_ALWAYS, .reason = RCUMAP_DELETED });
}

int rcumap_delete_if(struct rcumap *map, const void *key, size_t key_size, uint64_t expected)
{
	return remove_key(map, (struct write_remove){ .key = key,
						      .key_size = key_size,
						      .condition = WRITE_IF_VERSION,
						      .expected = expected,
						      .reason = RCUMAP_DELETED });
}

int rcumap_touch(struct rcumap *map, const void *key, size_t key_size, uint64_t ttl_ms)
{
	if (ttl_ms == 0)
		return remove_key(map, (struct write_remove){ .key = key,
							      .key_size = key_size,
							      .condition = WRITE_ALWAYS,
							      .reason = RCUMAP_EXPIRED });

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
