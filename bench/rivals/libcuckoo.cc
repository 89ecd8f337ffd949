/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * cuckoohash_map of libcuckoo: buckets of four pairs, each pair in one of two buckets, under 65536 spinlocks of which a get, too,
 * takes the two of its key. It doubles when it finds no room; what is in the old buckets is moved when somebody takes their
 * lock. It never shrinks unless it is told to.
 *
 * Pairs are byte strings of any size. They stand in the buckets themselves, up to 16 bytes of key and 32 of value, which is what
 * the library is good at: no pointer to follow. A bucket has 208 bytes, where arrays of just these sizes would have 200. Keys are
 * looked for as they were passed, values copied out and replaced under the locks.
 *
 * A fresh map has the library's default size, 65536 buckets: only from there on, with all locks there, does it double without
 * moving everything at once.
 */
#include "bytes.hh"

#include <libcuckoo/cuckoohash_map.hh>

namespace
{

using bytes::view;

struct memory_source : bytes::blocks {
	void *take_objects(size_t n, size_t size)
	{
		return take(n * size);
	}
	void give_back_objects(void *block, size_t n, size_t size) noexcept
	{
		give_back(block, n * size);
	}
};

struct key_equal {
	bool operator()(const bytes::key &a, const view &b) const noexcept
	{
		return a.equals(b.at, b.size);
	}
	bool operator()(const bytes::key &a, const bytes::key &b) const noexcept
	{
		return a.equals(b.data(), b.size());
	}
};

using pair = std::pair<const bytes::key, bytes::value>;
using table =
	libcuckoo::cuckoohash_map<bytes::key, bytes::value, bytes::key_hash, key_equal, bytes::allocator<pair, memory_source>>;

struct map {
	memory_source source;
	table pairs{ libcuckoo::DEFAULT_SIZE, bytes::key_hash{ rng_fresh_seed() }, key_equal{}, table::allocator_type(&source) };
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
		static_cast<map *>(opaque)->pairs.reserve(pairs);
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	}
}

int get(void *opaque, const void *key, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size)
{
	int result = -ENOENT;

	static_cast<map *>(opaque)->pairs.find_fn(view{ key, key_size, nullptr }, [&](const bytes::value &value) {
		result = value.copy_out(buffer, buffer_size, value_size);
	});
	return result;
}

int put(void *opaque, const void *key, size_t key_size, const void *value, size_t value_size)
{
	struct map *map = static_cast<struct map *>(opaque);
	view value_view{ value, value_size, &map->source };

	try {
		map->pairs.upsert(
			view{ key, key_size, &map->source }, [&](bytes::value &old) { old.assign(value_view); }, value_view);
		return 0;
	} catch (const std::bad_alloc &) {
		return -ENOMEM;
	} catch (const libcuckoo::load_factor_too_low &) {
		return -ENOSPC; /* keys that all have one hash */
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

	return sizeof *map + map->source.now();
}

/* Who has all locks has moved everything out of the old buckets. */
void settle(void *opaque)
{
	static_cast<map *>(opaque)->pairs.lock_table();
}

} // namespace

extern "C" {
extern const struct subject subject_libcuckoo;

const struct subject subject_libcuckoo = {
	.name = "libcuckoo",
	.what = "libcuckoo's cuckoohash_map: pairs in buckets of four under 65536 spinlocks",
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
