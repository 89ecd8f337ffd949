/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_destroy(): ends the threads, gives every byte back, and refuses inside a section. */
#include "allocator_fixture.h"
#include "child.h"

#include <signal.h>
#include <sys/mman.h>

static void gives_everything_back(void)
{
	struct fault_allocator allocator;
	struct rcumap *map = fault_map(&allocator, NULL);
	const uint64_t keys = fixture_scaled(20000, 2000);

	is_int(rcumap_destroy(NULL), 0, "%s: NULL", fixture_name());
	is_int(rcumap_destroy(map), 0, "%s: an empty map", fixture_name());
	ok(fault_settled(&allocator), "%s: leaves no byte", fixture_name());

	map = fault_map(&allocator, NULL);
	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, i, 24 + i % 100);
	is_int(rcumap_destroy(map), 0, "%s: a full map, perhaps amid its growth", fixture_name());
	ok(fault_settled(&allocator), "%s: leaves no byte", fixture_name());

	map = fault_map(&allocator, NULL);
	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, i, 24);
	for (uint64_t i = 0; i < keys; i++)
		fixture_put(map, i, i, 32);
	for (uint64_t i = 0; i < keys; i++)
		if (i % 8)
			fixture_delete(map, i);
	is_int(rcumap_destroy(map), 0, "%s: a map with much that is retired, perhaps amid its shrinking",
	       fixture_name());
	ok(fault_settled(&allocator), "%s: leaves no byte", fixture_name());
}

static void ends_its_threads(void)
{
	unsigned before = fixture_threads_at_rest();
	struct rcumap *maps[3];

	for (unsigned i = 0; i < 3; i++)
		maps[i] = fixture_map(NULL);
	is_int(fixture_threads(), before + 4, "%s: three maps have a thread each, and one together", fixture_name());
	fixture_put(maps[1], 1, 1, 24);
	fixture_destroy(maps[0]);
	fixture_destroy(maps[2]);
	fixture_put(maps[1], 1, 2, 24);
	is_int(rcumap_barrier(maps[1]), 0, "%s: with two destroyed the third still works", fixture_name());
	is_int(fixture_check(maps[1], 1, NULL), 0, "%s: and holds what it held", fixture_name());
	fixture_destroy(maps[1]);
	ok(fixture_eventually(fixture_threads_are, &before), "%s: none is left after the last", fixture_name());
}

static void again_and_again(void)
{
	const uint64_t turns = fixture_scaled(300, 30);
	uint64_t bad = 0;

	for (uint64_t i = 0; i < turns; i++) {
		struct fault_allocator allocator;
		struct rcumap *map = fault_map(&allocator, NULL);

		for (uint64_t k = 0; k < i % 50; k++)
			fixture_put(map, k % 7, k, 24);
		bad += rcumap_destroy(map) != 0 || !fault_settled(&allocator);
	}
	is_int(bad, 0, "%s: many maps come and go", fixture_name());
}

static void refuses_inside_a_section(void)
{
	struct rcumap *map = fixture_map(NULL);
	int inside;

	if (fixture_flavor == FLAVOR_QSBR) {
		skip(2, "a section of qsbr cannot be told");
	} else {
		fixture_put(map, 1, 1, 24);
		rcumap_read_lock(map);
		inside = rcumap_destroy(map);
		rcumap_read_unlock(map);
		is_int(inside, -EDEADLK, "%s: refused inside a read section", fixture_name());
		ok(fixture_check(map, 1, NULL) == 0 && fixture_put(map, 2, 2, 24) == 0 && rcumap_barrier(map) == 0,
		   "%s: the map is intact", fixture_name());
	}
	fixture_destroy(map);
}

struct context {
	uint64_t turns;
	_Atomic uint64_t bad;
};

/* Members create, use and destroy maps of their own at the same time: the grace-period thread comes and goes. */
static void live_and_die(struct team_member *me)
{
	struct context *c = me->ctx;

	for (uint64_t i = 0; i < c->turns; i++) {
		struct rcumap *map = fixture_map(NULL);

		fixture_put(map, me->index, i, 24);
		fixture_put(map, me->index, i + 1, 24);
		if ((i & 1 && rcumap_barrier(map) != 0) || fixture_check(map, me->index, NULL) != 0 ||
		    rcumap_destroy(map) != 0)
			atomic_fetch_add(&c->bad, 1);
		flavor_quiescent(fixture_flavor);
	}
}

static void by_several_threads(void)
{
	struct context c = { fixture_scaled(100, 10), 0 };

	fixture_run(4, live_and_die, &c);
	is_int(c.bad, 0, "%s: several threads create and destroy maps at once", fixture_name());
}

static void test(void)
{
	gives_everything_back();
	ends_its_threads();
	again_and_again();
	refuses_inside_a_section();
	by_several_threads();
}

/* Pages of its own for each block: once it is freed, nobody can read it. */
static void *map_block(void *ctx, size_t size, size_t align)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	(void)ctx;
	(void)align; /* at most a page */
	return p == MAP_FAILED ? NULL : p;
}

static void unmap_block(void *ctx, void *p, size_t size)
{
	(void)ctx;
	munmap(p, size);
}

/* In a child: it must not come back. */
static void use_after_destroy(void (*use)(struct rcumap *), const char *name)
{
	int status = 0;
	pid_t child = child_fork();

	if (child == 0) {
		struct rcumap_options options = { .size = sizeof options, .allocator = { .alloc = map_block, .free = unmap_block } };
		struct rcumap *map = NULL;

		if (rcumap_create(&map, &options) != 0)
			_exit(0);
		rcumap_destroy(map);
		if (!freopen("/dev/null", "w", stderr))
			_exit(0);
		use(map);
		_exit(0);
	}
	waitpid(child, &status, 0);
	ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT, "debug: %s after destroy aborts, and looks at no freed memory before", name);
}

static void use_put(struct rcumap *map)
{
	rcumap_put(map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL);
}

static void use_get(struct rcumap *map)
{
	rcumap_get(map, "key", 3, NULL, 0, NULL, NULL);
}

static void use_count(struct rcumap *map)
{
	rcumap_count(map);
}

static void use_destroy(struct rcumap *map)
{
	rcumap_destroy(map);
}

int main(void)
{
	/* Before any thread is there: a child has only the one that forked. */
#if defined(RCUMAP_DEBUG)
	use_after_destroy(use_put, "put");
	use_after_destroy(use_get, "get");
	use_after_destroy(use_count, "count");
	use_after_destroy(use_destroy, "destroy");
#else
	(void)use_after_destroy;
	(void)use_put;
	(void)use_get;
	(void)use_count;
	(void)use_destroy;
	skip(4, "release builds do not tell use after destroy");
#endif
	fixture_each_flavor(test);
	return tap_done();
}
