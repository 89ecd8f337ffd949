/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the threads of one run did, as the caller of the map saw it: each call with its result, between two moments.
 *
 * Values are numbered: each call that stores has a number of its own, and the number is what the value says. 0 means absent.
 */
#ifndef EXPLORER_HISTORY_H
#define EXPLORER_HISTORY_H

#include <stdbool.h>
#include <stdint.h>

#define HISTORY_MAX 160u
#define KEYS_MAX 8u

enum verb {
	/* These store a value. */
	VERB_PUT,
	VERB_ADD,
	VERB_REPLACE,
	VERB_COMPARE_AND_SWAP,
	VERB_UPDATE,
	/* These have a key, too. The loader of the first stores its value, if it runs; that of the second fails. */
	VERB_LOAD,
	VERB_LOAD_ERROR,
	VERB_UPDATE_REMOVE,
	VERB_DELETE,
	VERB_DELETE_IF,
	VERB_FIND,
	VERB_TTL,
	VERB_TOUCH,
	VERB_CLEAR,
	/* Not calls on a key: the subject's own. */
	VERB_GROW,
	VERB_SHRINK,
	VERB_BEGIN_GROW,
	VERB_BEGIN_SHRINK,
	VERB_RECLAIM,
	VERB_EXPIRE,
	VERB_TICK, /* an hour passes */
	/* In scripts only: one of the verbs above, on one of the first keys, without or with a life; grow or shrink. */
	VERB_ANY,
	VERB_ANY_LIFE,
	VERB_RESIZE,
	VERBS,
};

#define NEVER UINT64_MAX

/* A life in hours; the hour of a deadline. */
#define ENDLESS UINT32_MAX
/* What the function of an update saw before it was called. */
#define UNSEEN UINT32_MAX

struct event {
	enum verb verb;
	unsigned thread;
	unsigned key;
	unsigned value;	   /* stored by a put, add, replace, compare_and_swap, update; loaded by a load */
	unsigned life;	   /* given to what is stored or touched; ENDLESS with an update: as it was */
	unsigned expected; /* the value whose version a compare_and_swap or delete_if expects */
	/* The outcome. */
	int rc;
	unsigned found;	  /* by find: the value, 0 if absent; by a load; by the function of an update, when it was called last */
	unsigned left;	  /* the life that ttl found */
	uint64_t version; /* of the entry stored or found */
	uint64_t load_begin, load_end; /* its loader ran then; 0: it did not. end: NEVER while it runs */
	uint64_t begin, end;	       /* end: NEVER while the call has not returned */
	unsigned hour_begin, hour_end; /* hour_end: by now, while it has not returned */
};

struct history {
	unsigned count;
	unsigned evicts; /* a call may remove another key: see struct subject */
	struct event event[HISTORY_MAX];
};

const char *verb_name(enum verb verb);
/* Is it a call on one key? */
bool verb_has_key(enum verb verb);
bool verb_stores(enum verb verb);
/* Can it say how long the entry lives? */
bool verb_has_life(enum verb verb);

/* Were they under way at the same time? */
bool event_overlaps(const struct event *a, const struct event *b);
/* Does it want room for an entry? */
bool event_inserts(const struct event *event);
/* Or for one in the place of another? */
bool event_builds(const struct event *event);

/* A comment line for each event. */
void history_print(const struct history *history);

#endif
