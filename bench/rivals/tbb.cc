/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * concurrent_hash_map of oneTBB: chains, with a spinning reader-writer lock in every bucket and in every pair. A get holds the
 * pair's for reading while it copies (const_accessor), a put for writing (accessor). It doubles by new buckets alone, into which
 * pairs are moved when somebody comes by; it never shrinks.
 *
 * Pairs are byte strings of any size, within the node up to 16 bytes of key and 32 of value: a node has 72 bytes, where arrays
 * of just these sizes would have 64. Keys are looked for as they were passed, no key is built for that. A value is replaced
 * where it stands, without malloc. Nodes come from malloc, as those of the other maps do; TBB's own was no faster here.
 */
#include "bytes.hh"

#include <tbb/concurrent_hash_map.h>

namespace
{

using bytes::view;

/* TBB asks for nodes one by one, and for buckets by the hundred. */
struct memory_source : bytes::blocks {
	/* Of one node, once there was one. There are as many as pairs, all of one size: counting them would only cost time. */
	std::atomic<uint64_t> node_bytes{ 0 };

	void *take_objects(size_t n, size_t size)
	{
		if (n > 1)
			return take(n * size);

		void *node = malloc(size);

		if (!node)
			throw std::bad_alloc();
		if (node_bytes.load(std::memory_order_relaxed) == 0)
			node_bytes.store(bytes::malloc_bytes(node), std::memory_order_relaxed);
		return node;
	}

	void give_back_objects(void *block, size_t n, size_t size) noexcept
	{
		if (n > 1)
			give_back(block, n * size);
		else
			free(block);
	}
};

/* A key that nobody stores, of a hash that is chosen. */
struct nobody {
	size_t hash;
};

struct compare {
	using is_transparent = void;
	bytes::key_hash key_hash;

	template <class K> size_t hash(const K &key) const noexcept
	{
		return key_hash(key);
	}
	size_t hash(const nobody &key) const noexcept
	{
		return key.hash;
	}
	bool equal(const view &a, const bytes::key &b) const noexcept
	{
		return b.equals(a.at, a.size);
	}
	bool equal(const nobody &, const bytes::key &) const noexcept
	{
		return false;
	}
};

using pair = std::pair<const bytes::key, bytes::value>;
using table = tbb::concurrent_hash_map<bytes::key, bytes::value, compare, bytes::allocator<pair, memory_source>>;

struct map {
	memory_source source;
	table pairs{ compare{ { rng_fresh_seed() } }, table::allocator_type(&source) };
};

void *create(uint64_t)
{
	try {
		return new map;
	} catch (const std::bad_alloc &) {
		return nullptr;
	}
}

void destroy(void *opaque)
{
	delete static_cast<map *>(opaque);
}

int reserve(void *opaque, uint64_t pairs)
{
	try {
		static_cast<map *>(opaque)->pairs.rehash(pairs);
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

int get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	table::const_accessor found;

	if (!static_cast<map *>(opaque)->pairs.find(found, view{ key, key_size, nullptr }))
		return -ENOENT;
	return found->second.copy_out(buffer, buffer_size, value_size);
}

int put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct map *map = static_cast<struct map *>(opaque);
	view key_view{ key, key_size, &map->source }, value_view{ value, value_size, &map->source };

	try {
		bytes::value copy(value_view);
		table::accessor place;

		/* A new pair has an empty value, which nobody sees: it is locked. */
		map->pairs.insert(place, key_view);
		place->second = std::move(copy);
		return 0;
	} catch (const std::bad_alloc &) {
		/* Where memory for more buckets failed, a new pair is already in, without its value. */
		map->pairs.erase(key_view);
		return -ENOMEM;
	}
}

int remove_key(void *opaque, const void *key, size_t key_size)
{
	return static_cast<map *>(opaque)->pairs.erase(view{ key, key_size, nullptr }) ? 0 : -ENOENT;
}

uint64_t count(void *opaque)
{
	return static_cast<map *>(opaque)->pairs.size();
}

uint64_t memory(void *opaque)
{
	struct map *map = static_cast<struct map *>(opaque);

	return sizeof *map + map->source.now() + map->pairs.size() * map->source.node_bytes.load(std::memory_order_relaxed);
}

/* Whoever comes to a new bucket moves into it what is its own: so look into each. rehash() does as much, but not while others
 * read. */
void settle(void *opaque)
{
	table &pairs = static_cast<map *>(opaque)->pairs;

	for (size_t i = 0; i < pairs.bucket_count(); i++)
		(void)pairs.count(nobody{ i });
}

} // namespace

extern "C" {
extern const struct subject subject_tbb;

const struct subject subject_tbb = {
	.name = "TBB",
	.what = "oneTBB's concurrent_hash_map: a spinning rwlock in every bucket and pair",
	.create = create,
	.destroy = destroy,
	.thread_enter = subject_nothing,
	.thread_leave = subject_nothing,
	.thread_pause = subject_nothing,
	.section_begin = nullptr,
	.section_end = nullptr,
	.reserve = reserve,
	.get = get,
	.get_batch = nullptr,
	.put = put,
	.put_for = nullptr,
	.remove = remove_key,
	.count = count,
	.memory = memory,
	.books = nullptr,
	.fill = nullptr,
	.settle = settle,
	.cannot_grow = false,
};
}
