/* SPDX-License-Identifier: BSD-2-Clause */
/* How many instructions lookups and an overwrite execute, counted one by one: a child is single-stepped through them. */
#include "child.h"

#include <signal.h>
#include <sys/ptrace.h>

#define PAIRS 1000u
#define LOOKUPS 200u
/* With 16-byte keys, and values of 32; those of the call itself included. */
#if defined(__clang__)
#define HIT_MAX 140
#define MISS_MAX 110
#define PUT_MAX 300
#define GET_HIT_MAX 200
#define GET_MISS_MAX 150
#else
#define HIT_MAX 120
#define MISS_MAX 100
#if RCUMAP_LGPL_INLINE
#define PUT_MAX 260
#define GET_HIT_MAX 152
#define GET_MISS_MAX 112
#else
#define PUT_MAX 340 /* a section is two calls of liburcu */
#define GET_HIT_MAX 260
#define GET_MISS_MAX 205
#endif
#endif

#if defined(__x86_64__) && defined(NDEBUG) && !defined(TEST_TSAN) && !defined(TEST_ASAN)

/* A trap before and after what is counted. */
#define MARK() __asm__ volatile("int3" ::: "memory")

struct key {
	uint64_t word[2];
};

static struct key key_of(uint64_t id)
{
	return (struct key){ { rng_mix(id + 1), rng_mix(id + 1000000007) } };
}

static struct rcumap *map_of_pairs(void)
{
	/* A table that need not grow: a lookup goes from one that migrates to the next one. */
	struct rcumap_options options = { .size = sizeof options, .capacity = PAIRS };
	struct rcumap *map = fixture_map(&options);
	char value[32] = "";

	for (uint64_t id = 0; id < PAIRS; id++) {
		struct key key = key_of(id);

		if (rcumap_put(map, &key, sizeof key, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL) != 0)
			bail("put");
	}
	return map;
}

static _Noreturn void look_up(struct rcumap *map, uint64_t first)
{
	unsigned wrong = 0;

	rcumap_read_lock(map);
	for (uint64_t id = first; id < first + LOOKUPS; id++) {
		struct key key = key_of(id);
		const struct rcumap_entry *entry;

		MARK();
		entry = rcumap_find(map, &key, sizeof key);
		MARK();
		wrong += (entry != NULL) != (id < PAIRS);
	}
	rcumap_read_unlock(map);
	_exit(wrong ? 1 : 0);
}

static _Noreturn void get(struct rcumap *map, uint64_t first)
{
	struct key unknown = { { 0, 0 } };
	char value[32];
	unsigned wrong = 0;

	/* A thread's first section registers it. */
	(void)rcumap_get(map, &unknown, sizeof unknown, value, sizeof value, NULL, NULL);
	for (uint64_t id = first; id < first + LOOKUPS; id++) {
		struct key key = key_of(id);
		size_t size;
		int error;

		MARK();
		error = rcumap_get(map, &key, sizeof key, value, sizeof value, &size, NULL);
		MARK();
		wrong += (error == 0) != (id < PAIRS);
	}
	_exit(wrong ? 1 : 0);
}

static _Noreturn void overwrite(struct rcumap *map, uint64_t first)
{
	char value[32] = "";
	unsigned wrong = 0;

	for (uint64_t id = first; id < first + LOOKUPS; id++) {
		struct key key = key_of(id);
		int error;

		MARK();
		error = rcumap_put(map, &key, sizeof key, value, sizeof value, RCUMAP_TTL_DEFAULT, NULL);
		MARK();
		wrong += error != 0;
	}
	_exit(wrong ? 1 : 0);
}

/* To the next trap; false: the child has ended, having found what it must. */
static bool step(pid_t pid, bool single, bool *marked)
{
	siginfo_t info;
	int status;

	if (ptrace(single ? PTRACE_SINGLESTEP : PTRACE_CONT, pid, NULL, NULL) != 0 || waitpid(pid, &status, 0) != pid)
		bail("ptrace: %s", strerror(errno));
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return false;
	if (!WIFSTOPPED(status) || WSTOPSIG(status) != SIGTRAP || ptrace(PTRACE_GETSIGINFO, pid, NULL, &info) != 0)
		bail("the child ends or stops with status %#x", (unsigned)status);
	*marked = info.si_code == SI_KERNEL; /* an int3; not a step, over a system call or not */
	return true;
}

static int by_size(const void *a, const void *b)
{
	const unsigned *x = a, *y = b;

	return *x < *y ? -1 : *x > *y;
}

/* The median over all; 0: a process may not trace its child here. */
static unsigned count(struct rcumap *map, void (*work)(struct rcumap *map, uint64_t first), uint64_t first)
{
	unsigned counts[LOOKUPS] = { 0 }, lookups = 0;
	pid_t pid = child_fork();
	bool marked = false;
	int status;

	if (pid == 0) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
			_exit(2);
		raise(SIGTRAP);
		work(map, first);
	}
	if (waitpid(pid, &status, 0) != pid || WIFEXITED(status))
		return 0;
	while (step(pid, false, &marked)) {
		unsigned steps = 0;

		while (step(pid, true, &marked) && !marked)
			steps++;
		if (lookups < LOOKUPS)
			counts[lookups++] = steps;
	}
	is_int(lookups, LOOKUPS, "all were counted");
	qsort(counts, LOOKUPS, sizeof counts[0], by_size);
	diag("from %u to %u instructions, median %u", counts[0], counts[LOOKUPS - 1], counts[LOOKUPS / 2]);
	return counts[LOOKUPS / 2];
}

static void count_each(struct rcumap *map)
{
	unsigned hit = count(map, look_up, 0), miss = count(map, look_up, PAIRS), put = count(map, overwrite, 0);
	unsigned get_hit = count(map, get, 0), get_miss = count(map, get, PAIRS);

	if (!hit || !miss || !put || !get_hit || !get_miss) {
		skip(5, "a child may not be traced here");
		return;
	}
	ok(hit <= HIT_MAX, "a find that hits executes %u instructions, at most %d", hit, HIT_MAX);
	ok(miss <= MISS_MAX, "one that misses %u, at most %d", miss, MISS_MAX);
	ok(get_hit <= GET_HIT_MAX, "a get, with its own section, that hits %u, at most %d", get_hit, GET_HIT_MAX);
	ok(get_miss <= GET_MISS_MAX, "one that misses %u, at most %d", get_miss, GET_MISS_MAX);
	ok(put <= PUT_MAX, "a put that overwrites %u, at most %d", put, PUT_MAX);
}

int main(void)
{
	struct rcumap *map;

	map = map_of_pairs();
	count_each(map);
	fixture_destroy(map);
	return tap_done();
}

#else

int main(void)
{
	skip(1, "instructions are counted where they are those of a release");
	return tap_done();
}

#endif
