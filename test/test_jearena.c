/* SPDX-License-Identifier: BSD-2-Clause */
/* memory/jearena: jemalloc's arenas. The test runs itself again with jemalloc preloaded. */
#include "memory/jearena.h"

#include "fixture.h"

#include <dlfcn.h>
#include <unistd.h>

#define MIB ((size_t)1 << 20)
#define BLOCK ((size_t)64)
#define BLOCKS (8 * MIB / BLOCK)

/* Is the page at `p` advised to be huge? The flags of its mapping say "hg". -1: the kernel does not tell. */
static int is_advised(const void *p)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char row[512];
	bool inside = false;
	int advised = -1;

	while (file && advised < 0 && fgets(row, sizeof row, file)) {
		unsigned long start, end;

		if (sscanf(row, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)p >= start && (uintptr_t)p < end;
		else if (inside && strncmp(row, "VmFlags:", 8) == 0)
			advised = strstr(row, " hg") != NULL;
	}
	if (file)
		fclose(file);
	return advised;
}

static bool kernel_has_huge_pages(void)
{
	return access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK) == 0;
}

static void blocks_are_distinct_and_aligned(unsigned arena, bool huge_pages)
{
	char **block = calloc(BLOCKS, sizeof *block);
	uint64_t bad = 0, advised = 0;

	for (size_t i = 0; i < BLOCKS; i++) {
		block[i] = jearena_alloc(arena, BLOCK, 64);
		if (block[i])
			memset(block[i], (int)(i % 251), BLOCK);
		bad += !block[i] || (uintptr_t)block[i] % 64;
	}
	is_int(bad, 0, "%zu blocks, aligned", (size_t)BLOCKS);
	for (size_t i = 0; i < BLOCKS; i++)
		bad += !block[i] || block[i][0] != (char)(i % 251) || block[i][BLOCK - 1] != (char)(i % 251);
	is_int(bad, 0, "each is its owner's alone");
	for (size_t i = 0; i < BLOCKS; i += BLOCKS / 16)
		advised += is_advised(block[i]) == 1;
	if (!kernel_has_huge_pages())
		skip(1, "this kernel has no huge pages");
	else if (huge_pages)
		ok(advised > 8, "most are to stand on huge pages (%ju of 16)", (uintmax_t)advised);
	else
		is_int(advised, 0, "none is to stand on a huge page");
	for (size_t i = 0; i < BLOCKS; i++)
		jearena_free(block[i]);
	free(block);
}

static void arenas(void)
{
	for (unsigned huge_pages = 0; huge_pages < 2; huge_pages++) {
		unsigned arena[2];

		if (!ok(jearena_create(&arena[0], huge_pages) && jearena_create(&arena[1], huge_pages), "two arenas"))
			continue;
		ok(arena[0] != arena[1], "not the same");
		blocks_are_distinct_and_aligned(arena[0], huge_pages);
		blocks_are_distinct_and_aligned(arena[1], huge_pages);
		jearena_destroy(arena[0]);
		jearena_destroy(arena[1]);
	}
}

/* One after the other, so that arenas are used again. */
static void maps_with_limits(void)
{
	static const size_t limits[] = { 4 * MIB, 64 * MIB, 130 * MIB, 64 * MIB };

	for (unsigned i = 0; i < sizeof limits / sizeof limits[0]; i++) {
		const struct rcumap_options options = { .size = sizeof options, .max_bytes = limits[i] };
		char value[1000] = { 0 };
		struct rcumap_stats stats;
		struct rcumap *map;
		uint64_t bad = 0, found = 0;

		if (!is_int(rcumap_create(&map, &options), 0, "a map of %zu MiB", limits[i] / MIB))
			continue;
		for (uint64_t key = 0; key < 2 * limits[i] / sizeof value; key++) {
			memcpy(value, &key, sizeof key);
			bad += rcumap_put(map, &key, sizeof key, value, sizeof value, RCUMAP_TTL_NEVER, NULL) != 0;
		}
		is_int(bad, 0, "twice what fits goes in");
		for (uint64_t key = 0; key < 2 * limits[i] / sizeof value; key++) {
			if (rcumap_get(map, &key, sizeof key, value, sizeof value, NULL, NULL))
				continue;
			found++;
			bad += memcmp(value, &key, sizeof key) != 0;
		}
		ok(found > limits[i] / sizeof value / 2, "more than half of what fits is found");
		is_int(bad, 0, "each key has its value");
		is_int(rcumap_stats(map, &stats, sizeof stats), 0, "stats");
		ok(stats.accounted_bytes <= limits[i], "within the limit");
		is_int(rcumap_destroy(map), 0, "destroyed");
	}
}

/* Is jemalloc the malloc of this process? It is started again for that. */
static bool has_jemalloc(char **argv)
{
	unsigned arena;

	if (dlsym(RTLD_DEFAULT, "mallctl"))
		return true;
#if defined(TEST_TSAN) || defined(TEST_ASAN)
	(void)argv;
	diag("a sanitizer brings its own malloc");
#else
	if (!getenv("LD_PRELOAD") && !jearena_create(&arena, false) && setenv("LD_PRELOAD", "libjemalloc.so.2", 1) == 0)
		execv("/proc/self/exe", argv);
#endif
	ok(!jearena_create(&arena, false), "there is no arena without jemalloc");
	skip(1, "there is no jemalloc");
	return false;
}

int main(int argc, char **argv)
{
	(void)argc;
	if (has_jemalloc(argv)) {
		arenas();
		maps_with_limits();
	}
	return tap_done();
}
