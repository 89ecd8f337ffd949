/* SPDX-License-Identifier: BSD-2-Clause */
/* layout/entry: header, key and value in one block. */
#include "layout/entry.h"

#include "fixture.h"

static void sizes_add_up(void)
{
	is_int(entry_size(1, 0), 17, "the smallest entry");
	is_int(entry_size(16, 32), 64, "a key of 16 and a value of 32 bytes are one line");
	is_int(entry_size(RCUMAP_KEY_SIZE_MAX, RCUMAP_VALUE_SIZE_MAX), UINT64_C(16) + 65535 + 2147483647,
	       "the largest entry does not overflow");
}

/* Would a block that begins at a multiple of the entry's alignment lie in one line? */
static void entries_of_a_line_do_not_straddle_two(void)
{
	unsigned straddling = 0, odd = 0;

	for (size_t size = 17; size <= 64; size++) {
		size_t align = entry_align(size);

		odd += align != 16 && align != 64;
		for (size_t at = 0; at < 256; at += align)
			straddling += size > 32 && at / 64 != (at + size - 1) / 64;
	}
	for (size_t size = 65; size < 10000; size++)
		odd += entry_align(size) != 16;
	is_int(straddling, 0, "an entry of 33 to 64 bytes never straddles two lines");
	is_int(odd, 0, "all others are aligned to 16");
}

static void holds_what_it_was_filled_with(void)
{
	static const size_t key_sizes[] = { 1, 2, 7, 8, 9, 16, 255, 256, 4096, 65535 };
	static const size_t value_sizes[] = { 0, 1, 7, 8, 32, 100, 5000 };
	unsigned char *key = malloc(65535), *value = malloc(5000);
	unsigned wrong = 0, beyond = 0;

	for (size_t i = 0; i < 65535; i++)
		key[i] = (unsigned char)(i * 7 + 1);
	for (size_t i = 0; i < 5000; i++)
		value[i] = (unsigned char)(i * 11 + 3);
	for (unsigned k = 0; k < sizeof key_sizes / sizeof key_sizes[0]; k++)
		for (unsigned v = 0; v < sizeof value_sizes / sizeof value_sizes[0]; v++) {
			size_t key_size = key_sizes[k], value_size = value_sizes[v],
			       size = entry_size(key_size, value_size);
			struct rcumap_entry *entry = malloc(size + 1);

			memset(entry, 0xcc, size + 1);
			entry->version = 42;
			entry_fill(entry, key, key_size, value_size ? value : NULL, value_size);
			wrong += entry->version != 42 || entry->key_size != key_size ||
				 entry->value_size != value_size || entry->zero != 0 ||
				 memcmp(entry->bytes, key, key_size) != 0 ||
				 memcmp(entry_value(entry), value, value_size) != 0 || entry_size_of(entry) != size ||
				 entry_value(entry) != (unsigned char *)entry + 16 + key_size;
			beyond += ((unsigned char *)entry)[size] != 0xcc;
			free(entry);
		}
	is_int(wrong, 0, "key and value stand one behind the other, the version is left alone");
	is_int(beyond, 0, "nothing is written behind them");
	free(key);
	free(value);
}

static void compares_whole_keys(void)
{
	union {
		struct rcumap_entry entry;
		unsigned char bytes[64];
	} u;

	memset(&u, 0, sizeof u);
	entry_fill(&u.entry, "abc\0d", 5, "e", 1);
	ok(entry_has_key(&u.entry, "abc\0d", 5), "its own key");
	ok(!entry_has_key(&u.entry, "abc\0x", 5), "another last byte, behind a zero");
	ok(!entry_has_key(&u.entry, "abc", 3), "a beginning of it");
	ok(!entry_has_key(&u.entry, "abc\0de", 6), "a longer key that goes on as the value does");
	ok(!entry_has_key(&u.entry, "xbc\0d", 5), "another first byte");
}

int main(void)
{
	sizes_add_up();
	entries_of_a_line_do_not_straddle_two();
	holds_what_it_was_filled_with();
	compares_whole_keys();
	return tap_done();
}
