/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file bytes.hh
 * What the adapters in C++ share: byte strings as their maps store them, the hash of keys, large blocks, the account of memory.
 */
#ifndef BENCH_RIVALS_BYTES_HH
#define BENCH_RIVALS_BYTES_HH

extern "C" {
#include "../subject.h"

#include "random.h"
}

#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include <malloc.h>
#include <sys/mman.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace bytes
{

/** Bytes held, what malloc rounds up included; on a cache line of its own. */
struct alignas(64) account {
	/* Relaxed: it orders nothing. */
	std::atomic<uint64_t> held{ 0 };

	void add(uint64_t n)
	{
		held.fetch_add(n, std::memory_order_relaxed);
	}
	void subtract(uint64_t n)
	{
		held.fetch_sub(n, std::memory_order_relaxed);
	}
	uint64_t now() const
	{
		return held.load(std::memory_order_relaxed);
	}
};

/** glibc puts the size of a block in the word before it. */
inline uint64_t malloc_bytes(void *block)
{
	return malloc_usable_size(block) + 8;
}

/* ------------------------------------------------------------------ large blocks */

constexpr size_t HUGE_PAGE = size_t{ 2 } << 20;

/** Where a map's memory comes from. */
struct blocks : account {
	/** From the size of a huge page on, a block is whole huge pages, as librcumap has them: no map is to gain by its pages.
	 * A smaller one begins on a cache line. */
	void *take(size_t size)
	{
		bool huge = size >= HUGE_PAGE;
		size_t alignment = huge ? HUGE_PAGE : 64, whole = (size + alignment - 1) & ~(alignment - 1);
		void *block = aligned_alloc(alignment, whole);

		if (!block)
			throw std::bad_alloc();
		if (huge)
			(void)madvise(block, whole, MADV_HUGEPAGE);
		add(huge ? whole : malloc_bytes(block));
		return block;
	}

	void give_back(void *block, size_t size) noexcept
	{
		subtract(size >= HUGE_PAGE ? (size + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1) : malloc_bytes(block));
		free(block);
	}
};

/** A map's allocator: has its blocks from Source::take_objects(n, size), and gives them to give_back_objects(block, n, size). */
template <class T, class Source> struct allocator {
	using value_type = T;
	template <class U> struct rebind {
		using other = allocator<U, Source>;
	};
	Source *source;

	explicit allocator(Source *s) noexcept : source(s)
	{
	}
	template <class U> allocator(const allocator<U, Source> &other) noexcept : source(other.source)
	{
	}

	T *allocate(size_t n)
	{
		return static_cast<T *>(source->take_objects(n, sizeof(T)));
	}
	void deallocate(T *block, size_t n) noexcept
	{
		if (block)
			source->give_back_objects(block, n, sizeof(T));
	}
	template <class U> bool operator==(const allocator<U, Source> &other) const noexcept
	{
		return source == other.source;
	}
	template <class U> bool operator!=(const allocator<U, Source> &other) const noexcept
	{
		return source != other.source;
	}
};

/* ------------------------------------------------------------------ byte strings */

/** Bytes of the caller's. */
struct view {
	const void *at;
	size_t size;
	struct account *account; /* of the map that is to store them; may be NULL where it only looks for them */
};

/**
 * A byte string of any size as a map stores it. Up to `Inline` bytes are within the object, which has one byte more and no
 * alignment: with the sizes of the benchmark's pairs for `Inline`, it costs that byte more than the arrays of somebody who stores
 * nothing else, and copies and compares them by the same few moves. More are in a block of their own.
 */
template <size_t Inline> class string
{
	struct far_block {
		struct account *account;
		size_t size; /* of the bytes, which follow */
	};
	/* In place of a size: the object begins with a pointer to a far_block. */
	static constexpr unsigned char FAR = 255;
	static_assert(Inline >= sizeof(far_block *) && Inline < FAR, "a pointer must fit in, and a size differ from FAR");

	unsigned char near_[Inline];
	unsigned char size_ = 0;

	far_block *far() const noexcept
	{
		far_block *block;

		memcpy(&block, near_, sizeof block);
		return block;
	}

	void fill_near(const view &v) noexcept
	{
		if (v.size == Inline)
			memcpy(near_, v.at, Inline);
		else
			memcpy(near_, v.at, v.size);
		size_ = static_cast<unsigned char>(v.size);
	}

	void fill_far(const view &v)
	{
		far_block *block = static_cast<far_block *>(malloc(sizeof *block + v.size));

		if (!block)
			throw std::bad_alloc();
		block->account = v.account;
		block->size = v.size;
		memcpy(block + 1, v.at, v.size);
		v.account->add(malloc_bytes(block));
		memcpy(near_, &block, sizeof block);
		size_ = FAR;
	}

	void clear() noexcept
	{
		if (size_ != FAR)
			return;
		far()->account->subtract(malloc_bytes(far()));
		free(far());
	}

	void take(string &other) noexcept
	{
		memcpy(near_, other.near_, Inline);
		size_ = other.size_;
		other.size_ = 0;
	}

      public:
	string() noexcept : near_{}
	{
	}
	explicit string(const view &v)
	{
		if (v.size <= Inline)
			fill_near(v);
		else
			fill_far(v);
	}
	string(string &&other) noexcept
	{
		take(other);
	}
	string &operator=(string &&other) noexcept
	{
		if (this != &other) {
			clear();
			take(other);
		}
		return *this;
	}
	string(const string &) = delete;
	string &operator=(const string &) = delete;
	~string()
	{
		clear();
	}

	/** Become a copy of it, or stay as it is and throw. */
	void assign(const view &v)
	{
		if (v.size <= Inline && size_ != FAR)
			fill_near(v);
		else
			*this = string(v);
	}

	size_t size() const noexcept
	{
		return size_ == FAR ? far()->size : size_;
	}
	const void *data() const noexcept
	{
		return size_ == FAR ? static_cast<const void *>(far() + 1) : near_;
	}

	bool equals(const void *at, size_t n) const noexcept
	{
		if (n == Inline)
			return size_ == Inline && memcmp(near_, at, Inline) == 0;
		return size() == n && memcmp(data(), at, n) == 0;
	}

	/** As subject.get() copies. */
	int copy_out(void *buffer, size_t buffer_size, size_t *value_size) const noexcept
	{
		*value_size = size();
		if (size() > buffer_size)
			return -ENOBUFS;
		if (size_ == Inline)
			memcpy(buffer, near_, Inline);
		else
			memcpy(buffer, data(), size());
		return 0;
	}
};

using key = string<16>;
using value = string<32>;

/* ------------------------------------------------------------------ keys */

struct key_hash {
	uint64_t seed;

	size_t operator()(const view &v) const noexcept
	{
		return XXH3_64bits_withSeed(v.at, v.size, seed);
	}
	size_t operator()(const key &k) const noexcept
	{
		return XXH3_64bits_withSeed(k.data(), k.size(), seed);
	}
};

} // namespace bytes

#endif
