/* SPDX-License-Identifier: BSD-2-Clause */
/**
 * @file subject.h
 * What is measured: every map behind one table of functions, so that all get the same work.
 *
 * One file per subject: ours and the mutex baseline here, `subject_NAME.c`, the others in `rivals/NAME.c` (or .cc), built where
 * their libraries are; a subject joins by its line in `rivals/rivals.c`. Every call goes through the table, so each
 * subject pays the same indirect call. Keys and values are byte strings, copied in and out. Whatever may be chosen is chosen as
 * the subject's own documentation recommends; the hash, where it may be, is XXH3 with a seed.
 */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Keys in one get_batch() at most. */
#define SUBJECT_BATCH 32u

/** What a map has done with its entries. */
struct subject_books {
	uint64_t inserted, replaced, deleted, expired; /* so far; expired: because their deadline had passed */
	uint64_t left;				       /* entries now */
	uint64_t reclaimed;			       /* of all that went or was replaced, so many were given back */
};

/** How full a settled table is: entries a slot; overflow lines a bucket, of which at most so many are read beyond the first line. */
struct subject_fill {
	double slots, overflow;
};

struct subject {
	const char *name; /* as an option takes it, and for a column's head: at most 12 characters */
	const char *what; /* one line for --help and the report */

	/** A new, empty map with a seed of its own, or NULL for want of memory. `pairs`: how many will be in it, for tables that
	 * cannot grow; the others begin small. */
	void *(*create)(uint64_t pairs);
	/** Give all of it back. Called by a thread that has not entered, when no other uses the map. */
	void (*destroy)(void *map);

	/** First and last call of every thread that gets, puts or deletes. */
	void (*thread_enter)(void);
	void (*thread_leave)(void);
	/** Called every few dozen operations, outside all of them. */
	void (*thread_pause)(void);
	/** A reader's section, for a thread that has entered: nothing that he may have found is given back before he has left it.
	 * Both NULL where readers hold locks: whoever stays then stops the writers instead. */
	void (*section_begin)(void);
	void (*section_end)(void);

	/** May be NULL: make room for so many pairs in an empty map. 0 or -errno. */
	int (*reserve)(void *map, uint64_t pairs);

	/** Copy the value out: 0, -ENOENT, or another -errno. */
	int (*get)(void *map, const void *key, size_t key_size, void *buffer, size_t buffer_size, size_t *value_size);
	/** May be NULL: the same of up to SUBJECT_BATCH keys at once, as the subject recommends for that. value_size[i] is SIZE_MAX
	 * where key i is absent. How many were there. */
	size_t (*get_batch)(void *map, size_t n, const void *const key[], size_t key_size, void *const buffer[], size_t buffer_size,
			    size_t value_size[]);
	/** Insert or replace: 0 or -errno. Any thread at any time: where a subject allows one writer, it has a mutex for that. */
	int (*put)(void *map, const void *key, size_t key_size, const void *value, size_t value_size);
	/** May be NULL: the same, for a life of so many milliseconds. */
	int (*put_for)(void *map, const void *key, size_t key_size, const void *value, size_t value_size,
		       uint64_t ttl_ms);
	/** Remove: 0, -ENOENT, or another -errno. */
	int (*remove)(void *map, const void *key, size_t key_size);

	/** Entries; exact while nobody writes. */
	uint64_t (*count)(void *map);
	/** Bytes that the map holds by its own account, what the allocator rounds up included. */
	uint64_t (*memory)(void *map);
	/** May be NULL. Exact after settle(), while nobody writes and nothing expires. */
	struct subject_books (*books)(void *map);
	/** May be NULL: for tables of lines that may overflow. */
	struct subject_fill (*fill)(void *map);
	/** Wait until work that was put off (reclaiming, moving to a larger table) is done. Called by a thread that has not
	 * entered, while nobody writes. */
	void (*settle)(void *map);
	bool cannot_grow;
};

/** For what a subject has no use for: nothing to be done by a thread; nothing that is put off. */
static inline void subject_nothing(void)
{
}

static inline void subject_settled(void *map)
{
	(void)map;
}

extern const struct subject subject_rcumap_bp, subject_rcumap_memb, subject_rcumap_qsbr, subject_mutex;
/** The same maps, read by rcumap_find() in sections of the caller's, each of as many operations as lie between two pauses. */
extern const struct subject subject_find_bp, subject_find_memb, subject_find_qsbr;

#endif
