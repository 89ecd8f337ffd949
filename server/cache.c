/* SPDX-License-Identifier: BSD-2-Clause */
#include "cache.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <string.h>

/* How long a store waits for a grace period, where memory is short: it holds up the requests of its thread meanwhile. */
#define STORE_WAIT_MS 100

/* SipHash-2-4 with a key that nobody knows: who sends keys cannot make them collide. */
static uint64_t keyed_hash(void *ctx, const void *key, size_t key_size)
{
	unsigned char bytes[crypto_shorthash_BYTES];
	uint64_t hash;

	crypto_shorthash(bytes, key, key_size, ctx);
	_Static_assert(sizeof hash == sizeof bytes, "a hash is 64 bits");
	memcpy(&hash, bytes, sizeof hash);
	return hash;
}

int cache_open(struct cache *cache, const struct config *config)
{
	struct rcumap_options options = {
		.size = sizeof options,
		.hash = keyed_hash,
		.hash_ctx = cache->hash_key,
		.max_entries = config->max_entries,
		.max_bytes = config->max_memory,
		.default_ttl_ms = config->default_ttl_ms == UINT64_MAX ? RCUMAP_TTL_NEVER : config->default_ttl_ms,
		.wait_ms = STORE_WAIT_MS,
	};

	if (sodium_init() < 0)
		return -EIO;
	crypto_shorthash_keygen(cache->hash_key);
	randombytes_buf(&cache->epoch, sizeof cache->epoch);
	cache->start_ns = clock_ns(CLOCK_MONOTONIC_COARSE);
	cache->max_bytes = config->max_memory;
	return rcumap_create(&cache->map, &options);
}

void cache_close(struct cache *cache)
{
	int result = rcumap_destroy(cache->map);

	if (result)
		log_line(LOG_LEVEL_WARN, "the map is not destroyed: %s", strerror(-result));
}

uint32_t cache_seconds(const struct cache *cache)
{
	return (uint32_t)((clock_ns(CLOCK_MONOTONIC_COARSE) - cache->start_ns) / 1000000000u);
}
