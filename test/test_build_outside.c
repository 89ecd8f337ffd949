/* SPDX-License-Identifier: BSD-2-Clause */
/* Large values are copied outside of the section: no grace period waits for that, and what was found before is looked for again. */
#include "clock_fixture.h"
#include "section/section.h"

#include <errno.h>
#include <stdlib.h>

#define LARGE 10000u
#define KEY "key"

static const struct section_ops *const sections[SECTION_FLAVORS] = { &section_bp, &section_memb, &section_qsbr };

/* The user's allocator is called in the midst of a store: it sees whether that is inside, and does what another writer would. */
struct scene {
	struct rcumap *map;
	void (*meanwhile)(struct rcumap *map); /* once */
	unsigned inside, outside; /* allocations for large values */
	bool fail; /* the next */
};

static void *scene_alloc(void *ctx, size_t size, size_t align)
{
	struct scene *scene = ctx;
	void (*meanwhile)(struct rcumap *) = scene->meanwhile;

	if (scene->map && size >= LARGE) {
		(*(sections[fixture_flavor]->inside() ? &scene->inside : &scene->outside))++;
		scene->meanwhile = NULL;
		if (meanwhile)
			meanwhile(scene->map);
		if (scene->fail) {
			scene->fail = false;
			return NULL;
		}
	}
	return aligned_alloc(align, (size + align - 1) / align * align);
}

static void scene_free(void *ctx, void *p, size_t size)
{
	(void)ctx;
	(void)size;
	free(p);
}

static void scene_open(struct scene *scene)
{
	const struct rcumap_options options = { .allocator = { scene_alloc, scene_free, scene } };

	memset(scene, 0, sizeof *scene);
	scene->map = fixture_map(&options);
}

static const char *large(char fill)
{
	static char value[LARGE];

	memset(value, fill, sizeof value);
	return value;
}

static bool has(struct rcumap *map, char fill)
{
	char value[LARGE];
	size_t size = 0;

	return rcumap_get(map, KEY, strlen(KEY), value, sizeof value, &size, NULL) == 0 && size == LARGE && value[0] == fill &&
	       value[LARGE - 1] == fill;
}

static int put(struct rcumap *map, char fill)
{
	return rcumap_put(map, KEY, strlen(KEY), large(fill), LARGE, RCUMAP_TTL_NEVER, NULL);
}

static int add(struct rcumap *map)
{
	return rcumap_add(map, KEY, strlen(KEY), large('a'), LARGE, RCUMAP_TTL_NEVER, NULL);
}

static int replace(struct rcumap *map)
{
	return rcumap_replace(map, KEY, strlen(KEY), large('r'), LARGE, RCUMAP_TTL_NEVER, NULL);
}

static void put_other(struct rcumap *map)
{
	if (rcumap_put(map, KEY, strlen(KEY), "other", 5, RCUMAP_TTL_NEVER, NULL) != 0)
		bail("put");
}

static void delete_it(struct rcumap *map)
{
	(void)rcumap_delete(map, KEY, strlen(KEY));
}

static void where_it_is_copied(void)
{
	struct scene scene;

	scene_open(&scene);
	is_int(put(scene.map, '1'), 0, "%s: a large value is stored", fixture_name());
	ok(scene.outside == 1 && (scene.inside == 0 || fixture_flavor == FLAVOR_QSBR), "%s: outside of any section",
	   fixture_name());
	rcumap_read_lock(scene.map);
	is_int(put(scene.map, '2'), 0, "%s: in the caller's section", fixture_name());
	ok(fixture_flavor == FLAVOR_QSBR || scene.inside == 1, "%s: that is not left", fixture_name());
	rcumap_read_unlock(scene.map);
	ok(has(scene.map, '2'), "%s: it is there", fixture_name());
	ok(!sections[fixture_flavor]->inside(), "%s: and no section is", fixture_name());
	fixture_destroy(scene.map);
}

/* Another writer is faster, while the value is copied. */
static void what_others_do_meanwhile(void)
{
	struct scene scene;
	uint64_t version = 0;

	scene_open(&scene);
	scene.meanwhile = put_other;
	is_int(add(scene.map), -EEXIST, "%s: add: another has come", fixture_name());
	ok(fixture_is_text(scene.map, KEY, "other"), "%s: and stays", fixture_name());
	scene.meanwhile = delete_it;
	is_int(replace(scene.map), -ENOENT, "%s: replace: it has gone", fixture_name());
	is_int(rcumap_count(scene.map), 0, "%s: and does not come back", fixture_name());
	(void)rcumap_put(scene.map, KEY, strlen(KEY), "old", 3, RCUMAP_TTL_NEVER, &version);
	scene.meanwhile = put_other;
	is_int(rcumap_compare_and_swap(scene.map, KEY, strlen(KEY), version, large('c'), LARGE, RCUMAP_TTL_NEVER, NULL), -ESTALE,
	       "%s: compare and swap: it has changed", fixture_name());
	scene.meanwhile = delete_it;
	is_int(put(scene.map, 'p'), 0, "%s: put: it has gone", fixture_name());
	ok(has(scene.map, 'p') && rcumap_count(scene.map) == 1, "%s: what was stored is there", fixture_name());
	delete_it(scene.map);
	scene.meanwhile = put_other;
	is_int(put(scene.map, 'q'), 0, "%s: put: another has come", fixture_name());
	ok(has(scene.map, 'q') && rcumap_count(scene.map) == 1, "%s: it is displaced", fixture_name());
	fixture_destroy(scene.map);
}

static void no_memory(void)
{
	struct scene scene;

	scene_open(&scene);
	put_other(scene.map);
	scene.fail = true;
	is_int(put(scene.map, 'n'), -ENOMEM, "%s: no memory", fixture_name());
	ok(fixture_is_text(scene.map, KEY, "other"), "%s: nothing has changed", fixture_name());
	ok(!sections[fixture_flavor]->inside(), "%s: and no section is open", fixture_name());
	is_int(put(scene.map, 'm'), 0, "%s: the next one is stored", fixture_name());
	fixture_destroy(scene.map);
}

static void test(void)
{
	where_it_is_copied();
	what_others_do_meanwhile();
	no_memory();
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
