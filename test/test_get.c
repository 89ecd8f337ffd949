/* SPDX-License-Identifier: BSD-2-Clause */
/* rcumap_get(): copies a whole value or nothing, and tells the size that it needs. */
#include "fixture.h"

static void copies_the_whole_value(struct rcumap *map)
{
	char buffer[16];
	size_t size = 99;
	uint64_t version = 99, stored = 0;

	rcumap_put(map, "key", 3, "0123456789", 10, RCUMAP_TTL_DEFAULT, &stored);
	memset(buffer, '#', sizeof buffer);
	is_int(rcumap_get(map, "key", 3, buffer, sizeof buffer, &size, &version), 0, "%s: get", fixture_name());
	is_int(size, 10, "%s: the value's size", fixture_name());
	is_int(version, stored, "%s: the entry's version", fixture_name());
	is_mem(buffer, "0123456789######", 16, "%s: the value, and nothing behind it", fixture_name());

	memset(buffer, '#', sizeof buffer);
	is_int(rcumap_get(map, "key", 3, buffer, 10, &size, NULL), 0, "%s: a buffer that just fits", fixture_name());
	is_mem(buffer, "0123456789######", 16, "%s: is filled", fixture_name());
	is_int(rcumap_get(map, "key", 3, buffer, sizeof buffer, NULL, NULL), 0, "%s: without outputs", fixture_name());
}

static void tells_the_size_when_it_does_not_fit(struct rcumap *map)
{
	char buffer[16];
	size_t size = 99;
	uint64_t version = 99, stored = 0;

	rcumap_put(map, "key", 3, "0123456789", 10, RCUMAP_TTL_DEFAULT, &stored);
	memset(buffer, '#', sizeof buffer);
	is_int(rcumap_get(map, "key", 3, buffer, 9, &size, &version), -ENOBUFS, "%s: a buffer one byte short",
	       fixture_name());
	is_int(size, 10, "%s: the size that it needs", fixture_name());
	is_int(version, stored, "%s: the version of what is there", fixture_name());
	is_mem(buffer, "################", 16, "%s: the buffer is untouched", fixture_name());
	size = version = 99;
	is_int(rcumap_get(map, "key", 3, NULL, 0, &size, &version), -ENOBUFS, "%s: no buffer asks for the size",
	       fixture_name());
	ok(size == 10 && version == stored, "%s: and gets it, with the version", fixture_name());
	is_int(rcumap_get(map, "key", 3, NULL, 0, NULL, NULL), -ENOBUFS, "%s: without outputs", fixture_name());
}

static void empty_values_need_no_buffer(struct rcumap *map)
{
	size_t size = 99;

	rcumap_put(map, "empty", 5, NULL, 0, RCUMAP_TTL_DEFAULT, NULL);
	is_int(rcumap_get(map, "empty", 5, NULL, 0, &size, NULL), 0, "%s: a value of 0 bytes needs no buffer",
	       fixture_name());
	is_int(size, 0, "%s: its size is 0", fixture_name());
}

static void errors_leave_the_outputs(struct rcumap *map)
{
	char buffer[4] = "###";
	size_t size = 99;
	uint64_t version = 99;

	is_int(rcumap_get(map, "absent", 6, buffer, sizeof buffer, &size, &version), -ENOENT, "%s: an absent key",
	       fixture_name());
	is_int(rcumap_get(map, NULL, 6, buffer, sizeof buffer, &size, &version), -EINVAL, "%s: a NULL key",
	       fixture_name());
	is_int(rcumap_get(map, "key", 3, NULL, 4, &size, &version), -EINVAL, "%s: a NULL buffer with a size",
	       fixture_name());
	ok(size == 99 && version == 99 && memcmp(buffer, "###", 4) == 0, "%s: errors leave the outputs as they were",
	   fixture_name());
}

static void works_inside_the_callers_section(struct rcumap *map)
{
	char buffer[16];
	int result;

	rcumap_put(map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL);
	rcumap_read_lock(map);
	result = rcumap_get(map, "key", 3, buffer, sizeof buffer, NULL, NULL);
	rcumap_delete(map, "key", 3);
	is_int(rcumap_get(map, "key", 3, buffer, sizeof buffer, NULL, NULL), -ENOENT,
	       "%s: inside a section get sees a deletion at once", fixture_name());
	rcumap_read_unlock(map);
	is_int(result, 0, "%s: get inside the caller's section", fixture_name());
}

static void test(void)
{
	struct rcumap *map = fixture_map(NULL);

	copies_the_whole_value(map);
	tells_the_size_when_it_does_not_fit(map);
	empty_values_need_no_buffer(map);
	errors_leave_the_outputs(map);
	works_inside_the_callers_section(map);
	fixture_destroy(map);
}

int main(void)
{
	fixture_each_flavor(test);
	return tap_done();
}
