// SPDX-License-Identifier: BSD-2-Clause
// The public header from C++ (11 and later): every function links and works as it does from C.
#include <rcumap.h>

#include "tap.h"

#include <atomic>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

// A read section by scope.
class ReadSection
{
      public:
	explicit ReadSection(const rcumap *map) : map_(map)
	{
		rcumap_read_lock(map_);
	}
	~ReadSection()
	{
		rcumap_read_unlock(map_);
	}
	ReadSection(const ReadSection &) = delete;
	ReadSection &operator=(const ReadSection &) = delete;

      private:
	const rcumap *map_;
};

static std::string value_of(const rcumap *map, const std::string &key)
{
	ReadSection section(map);
	const rcumap_entry *entry = rcumap_find(map, key.data(), key.size());

	if (!entry)
		return "(absent)";
	return std::string(static_cast<const char *>(rcumap_entry_value(entry)), rcumap_entry_value_size(entry));
}

static int put(rcumap *map, const std::string &key, const std::string &value, uint64_t *version = nullptr)
{
	return rcumap_put(map, key.data(), key.size(), value.data(), value.size(), RCUMAP_TTL_DEFAULT, version);
}

static std::atomic<long> live_bytes;

// Captureless lambdas are what rcumap_allocator and rcumap_hash_fn take.
static rcumap_options options_of_cplusplus()
{
	rcumap_options options = rcumap_options();

	options.size = sizeof options;
	options.capacity = 1000;
	options.hash = [](void *, const void *key, size_t size) -> uint64_t {
		return std::hash<std::string>()(std::string(static_cast<const char *>(key), size));
	};
	options.allocator.alloc = [](void *, size_t size, size_t align) -> void * {
		void *p = nullptr;

		if (posix_memalign(&p, align < sizeof(void *) ? sizeof(void *) : align, size) != 0)
			return nullptr;
		live_bytes += static_cast<long>(size);
		return p;
	};
	options.allocator.free = [](void *, void *p, size_t size) {
		live_bytes -= static_cast<long>(size);
		free(p);
	};
	return options;
}

static void ttls_and_updates(rcumap *map)
{
	uint64_t ttl_ms = 0;
	std::string appended;
	auto append = [](void *ctx, const rcumap_entry *old, rcumap_value *value) -> int {
		std::string &text = *static_cast<std::string *>(ctx);

		text.assign(old ? static_cast<const char *>(rcumap_entry_value(old)) : "",
			    old ? rcumap_entry_value_size(old) : 0);
		text += "!";
		value->data = text.data();
		value->size = text.size();
		return 0;
	};

	is_int(rcumap_update(map, "ttl", 3, append, &appended, nullptr), 0, "update with a lambda");
	is_int(rcumap_update(map, "ttl", 3, append, &appended, nullptr), 0, "and again");
	is_str(value_of(map, "ttl").c_str(), "!!", "which sees what it stored");
	is_int(rcumap_touch(map, "ttl", 3, 3600000), 0, "touch");
	is_int(rcumap_ttl(map, "ttl", 3, &ttl_ms), 0, "ttl");
	ok(ttl_ms > 0 && ttl_ms <= 3600000, "says what is left");
	{
		ReadSection section(map);

		ok(rcumap_entry_ttl(map, rcumap_find(map, "ttl", 3)) <= 3600000, "so does the entry");
	}
	is_int(rcumap_touch(map, "ttl", 3, RCUMAP_TTL_NEVER), 0, "touch without end");
	is_int(rcumap_touch(map, "ttl", 3, 0), 0, "touch with a life of 0");
	is_int(rcumap_ttl(map, "ttl", 3, &ttl_ms), -ENOENT, "removes");
	is_int(RCUMAP_TTL_MAX < RCUMAP_TTL_KEEP && RCUMAP_TTL_KEEP < RCUMAP_TTL_DEFAULT &&
		       RCUMAP_TTL_DEFAULT < RCUMAP_TTL_NEVER && RCUMAP_KEEP != RCUMAP_REMOVE,
	       1, "lives and results are distinct");
}

static void single_threaded(rcumap *map)
{
	uint64_t version = 0;
	char buffer[16];
	size_t size = 0;
	struct rcumap_stats stats; // the function has the same name

	is_int(put(map, "one", "1", &version), 0, "put");
	is_str(value_of(map, "one").c_str(), "1", "find, by a section of scope");
	is_int(rcumap_get(map, "one", 3, buffer, sizeof buffer, &size, nullptr), 0, "get");
	is_int(rcumap_add(map, "one", 3, "x", 1, RCUMAP_TTL_DEFAULT, nullptr), -EEXIST, "add");
	is_int(rcumap_replace(map, "two", 3, "x", 1, RCUMAP_TTL_DEFAULT, nullptr), -ENOENT, "replace");
	is_int(rcumap_compare_and_swap(map, "one", 3, version, "2", 1, RCUMAP_TTL_DEFAULT, &version), 0,
	       "compare_and_swap");
	is_int(rcumap_delete_if(map, "one", 3, version + 1), -ESTALE, "delete_if");
	is_int(rcumap_delete(map, "one", 3), 0, "delete");
	ttls_and_updates(map);
	is_int(rcumap_reserve(map, 2000), 0, "reserve");
	is_int(put(map, std::string("\0\0", 2), ""), 0, "a key of zeros");
	is_int(rcumap_clear(map), 0, "clear");
	is_int(rcumap_barrier(map), 0, "barrier");
	is_int(rcumap_stats(map, &stats, sizeof stats), 0, "stats");
	ok(stats.entries == 0 && stats.deleted == 2 && rcumap_count(map) == 0, "count");
	rcumap_read_lock_bp();
	rcumap_read_unlock_bp();
	is_int(RCUMAP_VERSION_MAJOR >= 0 && RCUMAP_KEY_SIZE_MAX == 65535u && RCUMAP_VALUE_SIZE_MAX == 2147483647u &&
		       RCUMAP_CAPACITY_MAX == UINT64_C(1) << 40,
	       1, "the constants");
}

static void several_threads(rcumap *map)
{
	const int threads = 4, keys = 500;
	std::vector<std::thread> team;
	std::atomic<int> wrong(0);

	for (int t = 0; t < threads; t++)
		team.emplace_back([map, t, &wrong] {
			for (int i = 0; i < keys; i++) {
				const std::string key = std::to_string(t) + "/" + std::to_string(i);

				if (put(map, key, key) != 0 || value_of(map, key) != key)
					wrong++;
			}
		});
	for (std::thread &thread : team)
		thread.join();
	is_int(wrong, 0, "std::thread needs no registration with the default flavor");
	is_int(rcumap_count(map), threads * keys, "all keys are there");
}

int main()
{
	const rcumap_options options = options_of_cplusplus();
	rcumap *map = nullptr;

	is_int(rcumap_create(&map, nullptr), 0, "create");
	single_threaded(map);
	several_threads(map);
	is_int(rcumap_destroy(map), 0, "destroy");

	is_int(rcumap_create(&map, &options), 0, "create with options: hash and allocator are lambdas");
	single_threaded(map);
	several_threads(map);
	ok(live_bytes > 0, "the allocator is used");
	is_int(rcumap_destroy(map), 0, "destroy");
	is_int(live_bytes, 0, "every byte is given back");
	return tap_done();
}
