/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * get_or_load: of those who miss a key one loads it, the others wait for him (map/flight.h).
 *
 * That a key is being loaded is a placeholder under it (layout/placeholder.h), an entry that is dead from the beginning: for
 * all others the key is absent, and whoever stores or removes it takes the placeholder away by what he does anyway. The one
 * who loads puts his value in the place of his own placeholder, and nowhere else. doc/loading.md has the whole.
 *
 * Invariants
 * F5 No placeholder of a load whose flight is enlisted is displaced by another load. So of two loads of one key that run at
 *    a time the first one's placeholder has been displaced: somebody has stored or removed the key since, or evicted it.
 * F6 A loaded value gets into the map only in exchange for the placeholder that was there before the loader was
 *    called. So nothing that was stored or removed meanwhile is undone.
 * F7 The loader runs, and a thread waits, with no lock and outside of any section.
 */
#include <errno.h>
#include <sched.h>
#include <time.h>

#include "layout/placeholder.h"
#include "map/attempt.h"
#include "map/flight.h"
#include "map/options.h"
#include "map/read.h"
#include "map/reclaimer.h"
#include "map/spare.h"

/* The first release's struct. */
#define LOADER_SIZE_MIN sizeof(struct rcumap_loader)

/* A call under way. */
struct call {
	struct rcumap *map;
	const void *key;
	size_t key_size;
	struct rcumap_loader loader;
	uint64_t deadline_ns; /* of waiting; 0: not known yet, or none is wanted */
	uint64_t orphan; /* the version of a placeholder that no flight belongs to; 0: none */
	const struct rcumap_entry *entry; /* the result, held */
};

/* ------------------------------------------------------------------ what is there */

enum sight {
	SIGHT_DONE, /* the call has its result */
	SIGHT_ABSENT,
	SIGHT_LOAD, /* somebody loads it, or has vanished */
};

/* What is under the key, of which there is no living entry. */
static enum sight look_for_placeholder(const struct call *call, uint64_t *version, int *result)
{
	const struct rcumap *map = call->map;
	const struct rcumap_entry *entry = bucket_find(
		&map->tables, hash_key(&map->tables.hash, call->key, call->key_size), call->key, call->key_size);

	if (!entry || !entry_is_placeholder(entry))
		return SIGHT_ABSENT;

	const struct placeholder placeholder = placeholder_of(entry);

	if (placeholder_is_load(&placeholder)) {
		*version = entry_version(entry);
		return *version == call->orphan ? SIGHT_ABSENT : SIGHT_LOAD;
	}
	if (placeholder.until_us <= clock_coarse_us(&map->clock))
		return SIGHT_ABSENT;
	entry_warm(entry);
	*result = placeholder.error;
	return SIGHT_DONE;
}

static enum sight look(struct call *call, uint64_t *version, int *result)
{
	struct rcumap *map = call->map;
	enum sight sight = SIGHT_DONE;

	map->section->lock();

	const struct rcumap_entry *entry = read_find(map, call->key, call->key_size);

	if (entry) {
		*result = rcumap_hold(map, entry);
		call->entry = *result ? NULL : entry;
	} else {
		sight = look_for_placeholder(call, version, result);
	}
	map->section->unlock();
	return sight;
}

/* ------------------------------------------------------------------ placeholders */

static int put_placeholder(struct attempt *attempt, struct finding *finding, const struct call *call,
			   const struct placeholder *placeholder)
{
	const struct write_content content = { call->key, call->key_size, placeholder, PLACEHOLDER_SIZE };
	const struct life life = { LIFE_PLACEHOLDER, placeholder->until_us };
	uint64_t version;

	return attempt_put(attempt, finding, &content, &life, &version);
}

/* May a load begin where this was found? */
static bool is_free(const struct attempt *attempt, const struct call *call, const struct finding *finding)
{
	const struct rcumap_entry *entry = finding->view.entry;

	if (finding->found != FOUND_EXPIRED || !entry_is_placeholder(entry))
		return finding->found != FOUND_LIVE;

	const struct placeholder placeholder = placeholder_of(entry);

	return placeholder_is_load(&placeholder) ? entry_version(entry) == call->orphan :
						   placeholder.until_us <= attempt->now_us;
}

/* What came before the placeholder could be put there: look at the whole again. */
#define OVERTAKEN 2

/* 1: look again. */
static int try_begin(struct attempt *attempt, const struct call *call)
{
	static const struct placeholder load = { DEADLINE_NEVER, 0 };
	struct finding finding;
	int result = attempt_look(attempt, call->key, call->key_size, &finding);

	if (result)
		return result;
	if (!is_free(attempt, call, &finding))
		return OVERTAKEN;
	return finding.view.frozen ? 1 : put_placeholder(attempt, &finding, call, &load);
}

/* ------------------------------------------------------------------ the end of a load */

/* What becomes of the placeholder. */
struct ending {
	enum {
		END_STORE,
		END_REMEMBER,
		END_REMOVE,
	} kind;
	struct write_content content; /* with END_STORE */
	struct life life;
	struct placeholder error; /* with END_REMEMBER */
};

/* 1: look again. */
static int try_end(struct attempt *attempt, const struct call *call, uint64_t version, const struct ending *ending)
{
	struct finding finding;
	uint64_t drawn;
	int result = attempt_look(attempt, call->key, call->key_size, &finding);

	if (result)
		return result;
	/* By version, for an address may have come back since. F6. */
	if (finding.found != FOUND_EXPIRED || entry_version(finding.view.entry) != version)
		return OVERTAKEN;
	if (finding.view.frozen)
		return 1;
	switch (ending->kind) {
	case END_STORE:
		return attempt_put(attempt, &finding, &ending->content, &ending->life, &drawn);
	case END_REMEMBER:
		return put_placeholder(attempt, &finding, call, &ending->error);
	default:
		return attempt_forget(attempt, &finding);
	}
}

/* 0, OVERTAKEN or -errno. */
static int end_somehow(struct attempt *attempt, const struct call *call, uint64_t version, const struct ending *ending)
{
	int result;

	do
		result = try_end(attempt, call, version, ending);
	while (result == 1);
	return result;
}

static void leave_section(struct rcumap *map, const struct attempt *attempt)
{
	map->section->unlock();
	if (attempt->yield)
		sched_yield();
}

/* -ENOSPC: there is no memory now. */
static int try_end_with_value(struct call *call, uint64_t version, const struct ending *ending)
{
	struct rcumap *map = call->map;

	map->section->lock();

	struct attempt attempt = attempt_begin(map, call->key, call->key_size);

	attempt.hold = true;

	int result = end_somehow(&attempt, call, version, ending);

	if (result == OVERTAKEN || (result == 0 && ending->kind == END_REMOVE))
		result = attempt_keep_apart(&attempt, &ending->content, &ending->life);
	call->entry = result ? NULL : attempt.held;
	result = attempt_end(&attempt, result);
	leave_section(map, &attempt);
	return result;
}

/* As a store that was refused for want of memory, in a map with max_bytes: try again? */
static bool may_try_again(struct call *call, int result, struct spare_wait *wait)
{
	if (result == -ENOSPC && spare_wait(call->map, wait))
		return true;
	spare_end(call->map, wait, result);
	return false;
}

/* The call gets the value, whether it is stored or not. */
static int end_with_value(struct call *call, uint64_t version, const struct rcumap_value *value)
{
	const bool stays = value->ttl_ms != 0;
	const struct ending ending = { .kind = stays ? END_STORE : END_REMOVE,
				       .content = { call->key, call->key_size, value->data, value->size },
				       .life = stays ? attempt_life(call->map, value->ttl_ms) :
						       (struct life){ LIFE_FINITE, DEADLINE_DEAD } };
	struct spare_wait wait = { 0 };
	int result;

	do
		result = try_end_with_value(call, version, &ending);
	while (may_try_again(call, result, &wait));
	return result;
}

/* There is no value. What cannot be remembered is not; what cannot even be removed is nobody's (F1). */
static void end_without(const struct call *call, uint64_t version, const struct ending *ending)
{
	struct rcumap *map = call->map;

	map->section->lock();

	struct attempt attempt = attempt_begin(map, call->key, call->key_size);
	int result = end_somehow(&attempt, call, version, ending);

	(void)attempt_end(&attempt, result < 0 ? result : 0);
	leave_section(map, &attempt);
	if (result < 0 && ending->kind == END_REMEMBER)
		end_without(call, version, &(struct ending){ .kind = END_REMOVE });
}

static void end_with_error(const struct call *call, uint64_t version, int error)
{
	const struct rcumap_loader *loader = &call->loader;
	const uint64_t ttl_ms = error == -ENOENT ? loader->absent_ttl_ms : loader->error_ttl_ms;
	struct ending ending = { .kind = END_REMOVE };

	if (ttl_ms) {
		ending.kind = END_REMEMBER;
		ending.error = (struct placeholder){ attempt_life(call->map, ttl_ms).deadline_us, error };
	}
	end_without(call, version, &ending);
}

static int check_value(const struct rcumap_value *value)
{
	int error = write_check_value(value->data, value->size);

	return error ? error : write_check_ttl(value->ttl_ms);
}

static int end_load(struct call *call, uint64_t version, int loaded, const struct rcumap_value *value)
{
	if (loaded) {
		end_with_error(call, version, loaded);
		return loaded;
	}

	int result = check_value(value);

	if (!result)
		result = end_with_value(call, version, value);
	if (result)
		end_without(call, version, &(struct ending){ .kind = END_REMOVE });
	return result;
}

/* For the placeholder of `flight`. */
static int run_loader(struct call *call, struct flight *flight)
{
	const struct rcumap_loader *loader = &call->loader;
	struct rcumap_value value = { .ttl_ms = RCUMAP_TTL_DEFAULT };
	const bool paused = call->map->section->pause();
	int loaded = loader->load(loader->ctx, call->key, call->key_size, &value);

	call->map->section->resume(paused);

	int result = end_load(call, flight->version, loaded > 0 ? -EINVAL : loaded, &value);

	flight_delist(flight, call->entry, result);
	if (loaded == 0 && loader->unload)
		loader->unload(loader->ctx, &value);
	return result;
}

/* ------------------------------------------------------------------ the call */

static int begin(struct call *call, uint64_t version)
{
	struct rcumap *map = call->map;
	int result;

	map->section->lock();

	struct attempt attempt = attempt_begin(map, call->key, call->key_size);

	attempt.version = version;
	do
		result = try_begin(&attempt, call);
	while (result == 1);
	result = attempt_end(&attempt, result);
	leave_section(map, &attempt);
	return result;
}

/* Load, unless somebody else does: then OVERTAKEN. */
static int load(struct call *call)
{
	struct spare_wait wait = { 0 };
	struct flight flight;
	uint64_t version;
	int result = attempt_draw_version(call->map, &version);

	if (result)
		return result;
	flight_enlist(&flight, call->map, version, call->key, call->key_size);
	do
		result = begin(call, version);
	while (may_try_again(call, result, &wait));
	if (!result)
		return run_loader(call, &flight);
	flight_delist(&flight, NULL, result); /* nobody has seen its placeholder */
	return result;
}

static uint64_t deadline_of(uint64_t timeout_ms)
{
	/* The sum is below UINT64_MAX up to RCUMAP_TTL_MAX: two hundred years, where five hundred fit. */
	return timeout_ms == 0			     ? 0 :
	       timeout_ms == RCUMAP_WAIT_FOREVER ? UINT64_MAX :
						   clock_system_ns(CLOCK_MONOTONIC) + timeout_ms * 1000000;
}

/* FLIGHT_NONE: look again. */
static int wait_for(struct call *call, uint64_t version)
{
	if (!call->deadline_ns)
		call->deadline_ns = deadline_of(call->loader.timeout_ms);

	const bool paused = call->map->section->pause();
	int result = flight_wait(call->map, version, call->deadline_ns, &call->entry);

	call->map->section->resume(paused);
	/* Its flight was delisted after the placeholder had gone: if it is still there next time, it was forgotten. F1. */
	if (result == FLIGHT_NONE)
		call->orphan = version;
	return result;
}

static int get_or_load(struct call *call)
{
	int result = 0;

	do {
		uint64_t version;

		switch (look(call, &version, &result)) {
		case SIGHT_DONE:
			return result;
		case SIGHT_LOAD:
			result = wait_for(call, version);
			break;
		default:
			result = flight_is_own(call->map, call->key, call->key_size) ? -EDEADLK : load(call);
		}
	} while (result > 0);
	return result;
}

static int check_loader(const struct rcumap_loader *loader)
{
	if (!loader->load)
		return -EINVAL;
	if (loader->timeout_ms > RCUMAP_TTL_MAX && loader->timeout_ms != RCUMAP_WAIT_FOREVER)
		return -ERANGE;
	return loader->absent_ttl_ms > RCUMAP_TTL_MAX || loader->error_ttl_ms > RCUMAP_TTL_MAX ? -ERANGE : 0;
}

int rcumap_get_or_load(struct rcumap *map, const void *key, size_t key_size, const struct rcumap_loader *loader,
		       const struct rcumap_entry **entry)
{
	struct call call = { .map = map, .key = key, .key_size = key_size };
	int result;

	if (!map || !read_key_valid(key, key_size) || !loader || !entry)
		return -EINVAL;
	map_assert_alive(map);
	result = options_read(loader, LOADER_SIZE_MIN, &call.loader, sizeof call.loader);
	if (!result)
		result = check_loader(&call.loader);
	if (!result && !reclaimer_caller_may_wait(map))
		result = -EDEADLK;
	if (!result)
		result = get_or_load(&call);
	if (!result)
		*entry = call.entry;
	return result;
}
