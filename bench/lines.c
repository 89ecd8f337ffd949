/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which cache lines go from core to core, operation by operation: counted, not timed, so it needs no cores.
 *
 * The library is compiled for ThreadSanitizer, whose entry points are here: each of its loads and stores is told to a model of
 * coherent caches. Every thread is a core, with a cache that forgets nothing; the library's own threads are one more. A line moves when
 * a core reads what another has written since, or writes what another has. Threads take turns, one operation each: nobody has a line for
 * longer than that, which is the worst case. Where a line was in nobody's cache when the counting began, it does not count: that would be
 * a miss with one thread, too.
 *
 * Not seen: accesses by assembly (the compare of tags, whose line the load before it tells; the word on which the reclaimer sleeps), and by
 * liburcu, whose readers have a word each.
 */
#include "args.h"
#include "format.h"
#include "machine.h"
#include "pair.h"
#include "report.h"
#include "team.h"

#include "map/map.h"

#include <rcumap.h>

#include <errno.h>
#include <inttypes.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#define LINE 64u
#define CORES_MAX 32u
/* The library's threads, and whoever works on a map before and after. */
#define OTHERS 0u
/* Room in the model; an operation touches few lines. */
#define MODEL_BITS 22
#define MODEL_LINES (UINT64_C(1) << MODEL_BITS)

/* ------------------------------------------------------------------------------------ the model */

/* Parts of a map that are counted apart. */
enum part {
	BUCKETS, /* of its tables, without overflow lines */
	MAP_STRIPES, /* what each stripe has for itself, and counters that are summed up */
	MAP_SHARED, /* all else of struct rcumap */
	ELSEWHERE, /* entries, overflow lines, blocks of retired words, arrays of free blocks, tables' heads */
	PARTS,
};

struct model_line {
	uint64_t number; /* its address in lines; 0: free */
	uint32_t holders; /* cores that have it as it is now, a bit each */
	bool written; /* since the counting began */
};

static struct {
	atomic_flag lock; /* guards what follows */
	bool counting;
	struct model_line *lines;
	const struct rcumap *map;
	const char *buckets;
	size_t buckets_size;
	uint64_t moves[PARTS];
	uint64_t at[sizeof(struct rcumap) / LINE + 2]; /* moves of each line of the map's struct */
} model = { .lock = ATOMIC_FLAG_INIT };

static _Thread_local unsigned core = OTHERS;

static void model_lock(void)
{
	while (atomic_flag_test_and_set_explicit(&model.lock, memory_order_acquire))
		;
}

static void model_unlock(void)
{
	atomic_flag_clear_explicit(&model.lock, memory_order_release);
}

static struct model_line *model_find(uint64_t number)
{
	for (uint64_t i = rng_mix(number);; i++) {
		struct model_line *line = &model.lines[i % MODEL_LINES];

		if (line->number == number)
			return line;
		if (!line->number) {
			line->number = number;
			return line;
		}
	}
}

static size_t offset_in_map(uint64_t number)
{
	return number * LINE - (uintptr_t)model.map;
}

static bool is_of_stripes(size_t offset)
{
	static const struct {
		size_t from, size;
	} striped[] = {
		{ offsetof(struct rcumap, stripe), sizeof model.map->stripe },
		{ offsetof(struct rcumap, memory.stripe), sizeof model.map->memory.stripe },
		{ offsetof(struct rcumap, retire.log.stripe), sizeof model.map->retire.log.stripe },
		{ offsetof(struct rcumap, retire.share), sizeof model.map->retire.share },
		{ offsetof(struct rcumap, expiry.log.stripe), sizeof model.map->expiry.log.stripe },
		{ offsetof(struct rcumap, eviction.share), sizeof model.map->eviction.share },
	};

	for (unsigned i = 0; i < sizeof striped / sizeof *striped; i++)
		if (offset >= striped[i].from && offset < striped[i].from + striped[i].size)
			return true;
	return false;
}

static enum part part_of(uint64_t number)
{
	const char *address = (const char *)(uintptr_t)(number * LINE);

	if (address >= model.buckets && address < model.buckets + model.buckets_size)
		return BUCKETS;
	if (number >= (uintptr_t)model.map / LINE && offset_in_map(number) < sizeof *model.map)
		return is_of_stripes(offset_in_map(number)) ? MAP_STRIPES : MAP_SHARED;
	return ELSEWHERE;
}

static void count_move(uint64_t number)
{
	enum part part = part_of(number);

	model.moves[part]++;
	if (part == MAP_SHARED)
		model.at[offset_in_map(number) / LINE]++;
}

static void touch_line(uint64_t number, bool store)
{
	struct model_line *line = model_find(number);
	const uint32_t me = UINT32_C(1) << core;

	if (store ? line->holders & ~me : line->written && !(line->holders & me))
		if (core != OTHERS)
			count_move(number);
	line->holders = store ? me : line->holders | me;
	line->written |= store;
}

static void touch(const volatile void *address, size_t size, bool store)
{
	if (!model.counting)
		return;
	model_lock();
	for (uint64_t number = (uintptr_t)address / LINE; number <= ((uintptr_t)address + size - 1) / LINE; number++)
		touch_line(number, store);
	model_unlock();
}

/* ------------------------------------------------------------------------------------ what the compiler calls */

#pragma GCC diagnostic ignored "-Wmissing-prototypes"

#define DEFINE_FETCH(bits, name, builtin)                                                                                   \
	uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t *p, uint##bits##_t v, int order)                \
	{                                                                                                                   \
		(void)order;                                                                                                \
		touch(p, sizeof *p, true);                                                                                  \
		return builtin(p, v, __ATOMIC_SEQ_CST);                                                                     \
	}

/* One that fails has taken the line, too. */
#define DEFINE_COMPARE(bits, name)                                                                                          \
	int __tsan_atomic##bits##_compare_exchange_##name(volatile uint##bits##_t *p, uint##bits##_t *expected,             \
							  uint##bits##_t desired, int order, int order_failed)              \
	{                                                                                                                   \
		(void)order, (void)order_failed;                                                                            \
		touch(p, sizeof *p, true);                                                                                  \
		return __atomic_compare_exchange_n(p, expected, desired, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
	}

#define DEFINE_ATOMICS(bits)                                                                                                \
	uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t *p, int order)                              \
	{                                                                                                                   \
		(void)order;                                                                                                \
		touch(p, sizeof *p, false);                                                                                 \
		return __atomic_load_n(p, __ATOMIC_SEQ_CST);                                                                \
	}                                                                                                                   \
	void __tsan_atomic##bits##_store(volatile uint##bits##_t *p, uint##bits##_t v, int order)                           \
	{                                                                                                                   \
		(void)order;                                                                                                \
		touch(p, sizeof *p, true);                                                                                  \
		__atomic_store_n(p, v, __ATOMIC_SEQ_CST);                                                                   \
	}                                                                                                                   \
	DEFINE_FETCH(bits, exchange, __atomic_exchange_n)                                                                   \
	DEFINE_FETCH(bits, fetch_add, __atomic_fetch_add)                                                                   \
	DEFINE_FETCH(bits, fetch_sub, __atomic_fetch_sub)                                                                   \
	DEFINE_FETCH(bits, fetch_and, __atomic_fetch_and)                                                                   \
	DEFINE_FETCH(bits, fetch_or, __atomic_fetch_or)                                                                     \
	DEFINE_COMPARE(bits, strong)                                                                                        \
	DEFINE_COMPARE(bits, weak)

DEFINE_ATOMICS(8)
DEFINE_ATOMICS(16)
DEFINE_ATOMICS(32)
DEFINE_ATOMICS(64)

#define DEFINE_PLAIN(name, size, store)           \
	void __tsan_##name(const void *p)         \
	{                                         \
		touch(p, size, store);            \
	}

#define DEFINE_PLAINS(size)                       \
	DEFINE_PLAIN(read##size, size, false)     \
	DEFINE_PLAIN(write##size, size, true)     \
	DEFINE_PLAIN(unaligned_read##size, size, false) \
	DEFINE_PLAIN(unaligned_write##size, size, true)

DEFINE_PLAINS(1)
DEFINE_PLAINS(2)
DEFINE_PLAINS(4)
DEFINE_PLAINS(8)
DEFINE_PLAINS(16)

void __tsan_read_range(const void *p, unsigned long size)
{
	touch(p, size, false);
}

void __tsan_write_range(const void *p, unsigned long size)
{
	touch(p, size, true);
}

void __tsan_init(void)
{
}

void __tsan_func_entry(const void *pc)
{
	(void)pc;
}

void __tsan_func_exit(void)
{
}

/* ------------------------------------------------------------------------------------ operations */

/* Each thread has pairs of its own, those whose number leaves its index. */
struct turn {
	struct rcumap *map;
	uint64_t pairs, threads, index, n; /* of all threads: pairs there at first; n: of this thread's operation */
};

static uint64_t own_pair(const struct turn *t)
{
	uint64_t each = t->pairs / t->threads;

	return rng_mix(t->n) % each * t->threads + t->index;
}

static void check(int result, int expected, const char *what)
{
	if (result != expected) {
		fprintf(stderr, "lines: %s: %s\n", what, strerror(-result));
		exit(1);
	}
}

static void put(const struct turn *t, uint64_t id, uint64_t ttl_ms)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];

	pair_key(key, id);
	pair_value(value, id, t->n);
	check(rcumap_put(t->map, key, sizeof key, value, sizeof value, ttl_ms, NULL), 0, "put");
}

static void get(const struct turn *t, uint64_t id, int expected)
{
	unsigned char key[PAIR_KEY_SIZE], value[PAIR_VALUE_SIZE];
	size_t size;

	pair_key(key, id);
	check(rcumap_get(t->map, key, sizeof key, value, sizeof value, &size, NULL), expected, "get");
}

/* Of everybody's pairs. */
static void do_get(const struct turn *t)
{
	get(t, rng_mix(t->n * t->threads + t->index) % t->pairs, 0);
}

static void do_miss(const struct turn *t)
{
	get(t, UINT64_MAX - (t->n * t->threads + t->index), -ENOENT);
}

static void do_overwrite(const struct turn *t)
{
	put(t, own_pair(t), RCUMAP_TTL_DEFAULT);
}

static void do_overwrite_for(const struct turn *t)
{
	put(t, own_pair(t), 3600000);
}

static void do_insert(const struct turn *t)
{
	put(t, t->pairs + t->n * t->threads + t->index, RCUMAP_TTL_DEFAULT);
}

static void do_delete(const struct turn *t)
{
	unsigned char key[PAIR_KEY_SIZE];

	pair_key(key, t->n * t->threads + t->index);
	check(rcumap_delete(t->map, key, sizeof key), 0, "delete");
}

static const struct operation {
	const char *name;
	void (*once)(const struct turn *t);
	uint64_t max_bytes; /* of the map; 0: no limit */
	bool moves_none; /* must not move any line */
} operations[] = {
	{ "get", do_get, 0, true },
	{ "get, absent", do_miss, 0, true },
	{ "overwrite", do_overwrite, 0, false },
	{ "overwrite, lives", do_overwrite_for, 0, false },
	{ "insert", do_insert, 0, false },
	{ "delete", do_delete, 0, false },
	{ "get, max_bytes", do_get, UINT64_C(1) << 30, false },
	{ "overwrite, max_bytes", do_overwrite, UINT64_C(1) << 30, false },
};

/* ------------------------------------------------------------------------------------ one run */

struct run_of {
	const struct operation *operation;
	struct rcumap *map;
	uint64_t pairs, times; /* of each thread */
	unsigned threads;
	sem_t turn[CORES_MAX]; /* posted by who had his before */
};

static void work(struct team_member *me)
{
	struct run_of *r = me->ctx;
	struct turn t = { .map = r->map, .pairs = r->pairs, .threads = r->threads, .index = me->index };

	core = me->index + 1;
	for (t.n = 0; t.n < r->times; t.n++) {
		while (sem_wait(&r->turn[me->index]) != 0)
			;
		r->operation->once(&t);
		sem_post(&r->turn[(me->index + 1) % r->threads]);
	}
}

static void start_counting(struct rcumap *map)
{
	const struct table *table = tables_current(&map->tables);

	model_lock();
	memset(model.lines, 0, MODEL_LINES * sizeof *model.lines);
	memset(model.moves, 0, sizeof model.moves);
	memset(model.at, 0, sizeof model.at);
	model.map = map;
	model.buckets = (const char *)table->lines;
	model.buckets_size = table_buckets(table) * sizeof(struct line);
	model.counting = true;
	model_unlock();
}

static struct rcumap *create_loaded(const struct operation *operation, uint64_t pairs)
{
	struct rcumap_options options = { .size = sizeof options, .max_bytes = operation->max_bytes };
	struct turn t = { .pairs = pairs, .threads = 1 };

	check(rcumap_create(&t.map, &options), 0, "create");
	for (; t.n < pairs; t.n++)
		put(&t, t.n, operation->once == do_overwrite_for ? 3600000 : RCUMAP_TTL_DEFAULT);
	/* Nothing is on its way any more: no table grows, nothing waits to be given back. */
	do
		rcumap_barrier(t.map);
	while (table_next(tables_current(&t.map->tables)));
	return t.map;
}

static void count_operation(const struct operation *operation, unsigned threads, uint64_t pairs, uint64_t times)
{
	struct run_of r = { .operation = operation, .pairs = pairs, .times = times, .threads = threads };
	struct team_options options = { .threads = threads, .work = work, .ctx = &r, .name = "lines", .watchdog_s = 300 };
	struct team *team;

	r.map = create_loaded(operation, pairs);
	for (unsigned i = 0; i < threads; i++)
		if (sem_init(&r.turn[i], 0, 0) != 0)
			check(-errno, 0, "sem_init");
	start_counting(r.map);
	team = team_start(&options);
	sem_post(&r.turn[0]);
	team_join(team);
	model_lock();
	model.counting = false;
	model_unlock();
	rcumap_destroy(r.map);
	for (unsigned i = 0; i < threads; i++)
		sem_destroy(&r.turn[i]);
}

/* ------------------------------------------------------------------------------------ what came out */

static const char *name_of(size_t offset)
{
	static const struct {
		size_t end;
		const char *name;
	} places[] = {
		{ offsetof(struct rcumap, memory), "tables, options" },
		{ offsetof(struct rcumap, memory.slab), "memory.outside" },
		{ offsetof(struct rcumap, memory.slab.chunk), "memory.slab.class" },
		{ offsetof(struct rcumap, memory.stripe), "memory.slab" },
		{ offsetof(struct rcumap, memory.budget), "memory" },
		{ offsetof(struct rcumap, retire), "memory.budget" },
		{ offsetof(struct rcumap, retire.log.blocks), "retire.log" },
		{ offsetof(struct rcumap, expiry), "retire" },
		{ offsetof(struct rcumap, eviction), "expiry" },
		{ offsetof(struct rcumap, spare), "eviction" },
		{ offsetof(struct rcumap, stripe), "spare" },
		{ offsetof(struct rcumap, reclaimer), "stripe" },
	};

	for (unsigned i = 0; i < sizeof places / sizeof *places; i++)
		if (offset < places[i].end)
			return places[i].name;
	return "reclaimer";
}

/* Lines of the map's struct that move most. */
static void print_worst(double total)
{
	for (unsigned shown = 0; shown < 3; shown++) {
		size_t worst = 0;

		for (size_t i = 1; i < sizeof model.at / sizeof *model.at; i++)
			if (model.at[i] > model.at[worst])
				worst = i;
		if ((double)model.at[worst] * 1000 / total < 1)
			break;
		printf("%s%s+%zu %.0f", shown ? ", " : "   ", name_of(worst * LINE), worst * LINE,
		       (double)model.at[worst] * 1000 / total);
		model.at[worst] = 0;
	}
	printf("\n");
}

/* False: lines moved, and must not have. */
static bool print_row(const struct operation *operation, unsigned threads, uint64_t times)
{
	uint64_t moves = 0;
	double total = (double)times * threads;

	printf("  %-22s%8u", operation->name, threads);
	for (unsigned part = 0; part < PARTS; part++) {
		moves += model.moves[part];
		printf("%12.1f", (double)model.moves[part] * 1000 / total);
	}
	print_worst(total);
	fflush(stdout);
	return moves == 0 || !operation->moves_none;
}

int main(int argc, char **argv)
{
	uint64_t pairs = 200000, times = 3000, threads_max = 16;
	const struct arg args[] = {
		ARG_U64("pairs", &pairs, "how many are in the map at first"),
		ARG_U64("times", &times, "operations of each thread"),
		ARG_U64("threads", &threads_max, "2, 4, 8 and so on, up to this many"),
		ARG_END,
	};
	struct machine machine;
	bool holds = true;

	args_parse(args, "Cache lines that go from core to core, counted operation by operation; status 1 if a get moves any.", argc, argv);
	if (threads_max < 2 || threads_max >= CORES_MAX || times < 1 || times * threads_max > pairs || pairs > 10000000) {
		fprintf(stderr, "lines: 2 to %u threads, and up to 10 million pairs, at least as many as operations\n", CORES_MAX - 1);
		return 2;
	}
	machine = machine_describe();
	report_machine(&machine);
	model.lines = calloc(MODEL_LINES, sizeof *model.lines);
	if (!model.lines)
		check(-ENOMEM, 0, "the model");
	printf("Moves of cache lines to a thread, for 1000 operations; threads take turns, each with pairs of its own but for gets\n\n");
	printf("  %-22s%8s%12s%12s%12s%12s   %s\n", "", "threads", "buckets", "stripes", "shared", "elsewhere", "of the shared: line, moves");
	for (unsigned i = 0; i < sizeof operations / sizeof *operations; i++)
		for (unsigned threads = 2; threads <= threads_max; threads *= 2) {
			count_operation(&operations[i], threads, pairs, times);
			holds &= print_row(&operations[i], threads, times);
		}
	printf("\n  Buckets: of the table, without overflow lines. Stripes: what each stripe has for itself. Shared: the map's own lines otherwise.\n"
	       "  Elsewhere: entries, overflow lines, blocks of retired words, arrays of free blocks.\n"
	       "\n  A get in a map without a limit must move none: %s.\n",
	       holds ? "holds" : "MISSED");
	return holds ? 0 : 1;
}
