/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_get_or_load() in a map with max_bytes: what is loaded counts once, stored or not, and waits for memory as stores do. */
#include "bytes_fixture.h"
#include "load_fixture.h"

#define LIMIT (2 * MIB)
#define SIZE 2000u
#define LOADS 3000u

static char bytes[SIZE];

/* Somebody stores the key, and removes it, while it is being loaded. */
static int overtake(struct source *s)
{
	return rcumap_put(s->map, KEY, 3, "newer", 5, RCUMAP_TTL_NEVER, NULL) == 0 && rcumap_delete(s->map, KEY, 3) == 0 ?
		       0 :
		       -1;
}

/* With qsbr a loader is offline. */
static int overtake_online(struct source *s)
{
	flavor_online(fixture_flavor);

	int result = overtake(s);

	flavor_offline(fixture_flavor);
	return result;
}

static int load_bytes(void *ctx, const void *key, size_t key_size, struct rcumap_value *value)
{
	int result = load(ctx, key, key_size, value);

	value->data = bytes;
	value->size = sizeof bytes;
	return result;
}

static void what_is_not_stored_is_given_back(void)
{
	struct rcumap *map = bytes_map(LIMIT, 10000);
	struct source s = { .map = map, .value = "", .inside = overtake_online };
	struct rcumap_loader loader = loader_of(&s);
	unsigned wrong = 0;

	loader.load = load_bytes;
	for (unsigned i = 0; i < LOADS && !wrong; i++) {
		const struct rcumap_entry *entry = NULL;

		wrong += rcumap_get_or_load(map, KEY, 3, &loader, &entry) != 0 || !entry;
		if (entry)
			rcumap_release(map, entry);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: %u loads that were overtaken, of more than there is room for, give their values", fixture_name(),
	       LOADS);
	ok(is_tidy(map, 0), "%s: nothing is left", fixture_name());
	is_int(fixture_stats(map).entry_bytes, 0, "%s: nor counted", fixture_name());
	fixture_destroy(map);
}

/* Each load displaces what is in the map by then. */
static void waits_for_memory(void)
{
	struct rcumap *map = bytes_map(LIMIT, 10000);
	struct source s = { .map = map, .value = "" };
	struct rcumap_loader loader = loader_of(&s);
	unsigned wrong = 0;

	loader.load = load_bytes;
	for (uint64_t i = 0; i < 4 * LOADS && !wrong; i++) {
		const struct rcumap_entry *entry = NULL;

		wrong += rcumap_get_or_load(map, &i, sizeof i, &loader, &entry) != 0;
		if (entry)
			rcumap_release(map, entry);
		flavor_quiescent(fixture_flavor);
	}
	is_int(wrong, 0, "%s: loads of more than there is room for: none is refused", fixture_name());
	ok(fixture_stats(map).evicted > 0 && fixture_stats(map).accounted_bytes <= LIMIT, "%s: others are evicted",
	   fixture_name());
	rcumap_clear(map);
	ok(is_tidy(map, 0) && fixture_stats(map).entry_bytes == 0, "%s: nothing is left", fixture_name());
	fixture_destroy(map);
}

static void test(void)
{
	what_is_not_stored_is_given_back();
	waits_for_memory();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
