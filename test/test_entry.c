/* SPDX-License-Identifier: BSD-2-Clause */
/* layout/entry: header, key and value in one block. */
#include "layout/entry.h"

#include "fixture.h"

static void sizes_add_up(void)
{
	is_int(entry_size(1, 0, false), 17, "the smallest entry");
	is_int(entry_size(16, 32, false), 64, "a key of 16 and a value of 32 bytes are one line");
	is_int(entry_size(16, 32, true), 72, "a deadline is a word more");
	is_int(entry_size(RCUMAP_KEY_SIZE_MAX, RCUMAP_VALUE_SIZE_MAX, true), UINT64_C(24) + 65535 + 2147483647,
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
		odd += entry_align(size) != ADDRESS_ALIGN;
	is_int(straddling, 0, "an entry of 33 to 64 bytes never straddles two lines");
	is_int(odd, 0, "smaller ones are aligned to 16, larger ones as any address must be");
}

static void holds_what_it_was_filled_with(void)
{
	static const size_t key_sizes[] = { 1, 2, 7, 8, 9, 16, 255, 256, 4096, 65535 };
	static const size_t value_sizes[] = { 0, 1, 7, 8, 32, 100, 5000 };
	unsigned char *key = malloc(65535), *value = malloc(5000);
	struct rcumap_entry *entry = malloc(80000);
	unsigned wrong = 0, beyond = 0;

	for (size_t i = 0; i < 65535; i++)
		key[i] = (unsigned char)(i * 7 + 1);
	for (size_t i = 0; i < 5000; i++)
		value[i] = (unsigned char)(i * 11 + 3);
	for (unsigned k = 0; k < sizeof key_sizes / sizeof key_sizes[0]; k++)
		for (unsigned v = 0; v < sizeof value_sizes / sizeof value_sizes[0]; v++) {
			size_t key_size = key_sizes[k], value_size = value_sizes[v];
			bool has_deadline = (k + v) % 2;
			size_t size = entry_size(key_size, value_size, has_deadline);
			const unsigned char *key_at = (const unsigned char *)entry + (has_deadline ? 24 : 16);

			memset(entry, 0xcc, 80000);
			entry_set_head(entry, 42, 0, false);
			entry_fill(entry, key, key_size, value_size ? value : NULL, value_size, has_deadline);
			if (has_deadline)
				entry_set_deadline(entry, deadline_word(7, 3));
			wrong += entry_version(entry) != 42 || entry->key_size != key_size ||
				 entry_value_size(entry) != value_size || entry_has_deadline(entry) != has_deadline ||
				 entry_key(entry) != key_at || memcmp(key_at, key, key_size) != 0 ||
				 memcmp(entry_value(entry), value, value_size) != 0 || entry_size_of(entry) != size ||
				 entry_value(entry) != key_at + key_size;
			wrong += has_deadline && entry_deadline(entry) != deadline_word(7, 3);
			beyond += ((unsigned char *)entry)[size] != 0xcc;
		}
	is_int(wrong, 0, "key and value stand one behind the other, the version is left alone");
	is_int(beyond, 0, "nothing is written behind them");
	free(entry);
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
	entry_fill(&u.entry, "abc\0d", 5, "e", 1, false);
	ok(entry_has_key(&u.entry, "abc\0d", 5), "its own key");
	ok(!entry_has_key(&u.entry, "abc\0x", 5), "another last byte, behind a zero");
	ok(!entry_has_key(&u.entry, "abc", 3), "a beginning of it");
	ok(!entry_has_key(&u.entry, "abc\0de", 6), "a longer key that goes on as the value does");
	ok(!entry_has_key(&u.entry, "xbc\0d", 5), "another first byte");
}

static void deadlines(void)
{
	uint64_t word = deadline_word(1000, 5), hint = hint_of(UINT64_C(0xfedcba9876543210), word);

	is_int(deadline_us(word), 1000, "a deadline comes out as it went in");
	is_int(deadline_arm(word), 5, "and its arm");
	ok(!deadline_has_passed(word, 999) && deadline_has_passed(word, 1000),
	   "it has passed when the clock reaches it");
	ok(deadline_is_finite(word) && !deadline_is_finite(deadline_word(DEADLINE_NEVER, DEADLINE_ARM)), "NEVER is not finite");
	ok(!deadline_has_passed(deadline_word(DEADLINE_NEVER, 0), UINT64_C(1) << 52), "and does not pass");
	ok(deadline_has_passed(deadline_word(DEADLINE_DEAD, DEADLINE_ARM), 0), "DEAD has, whatever the clock says");
	ok(deadline_is_sealed(word | DEADLINE_SEALED) && !deadline_is_sealed(word) &&
		   deadline_us(word | DEADLINE_SEALED) == 1000 && deadline_arm(word | DEADLINE_SEALED) == 5,
	   "a seal leaves the rest alone");
	ok(hint_first_hash(hint) >> 10 == UINT64_C(0xfedcba9876543210) >> 10 && hint_last_hash(hint, HINT_WHOLE) == hint_first_hash(hint),
	   "a hint has the top 54 bits of the hash");
	ok(hint_is_of(hint, HINT_WHOLE, word) && hint_is_of(hint, HINT_WHOLE, word | DEADLINE_SEALED) &&
		   !hint_is_of(hint, HINT_WHOLE, deadline_word(1000, 6)) &&
		   !hint_is_of(hint, HINT_WHOLE, deadline_word(1000, 5 + 16)),
	   "and knows its own by the arm");

	uint64_t shortened = hint_shorten(hint), again = hint_of_short(shortened);

	is_int(shortened, UINT64_C(0xfedcba9805), "shortened it has 30 bits of the hash and the arm");
	is_int(again, hint & HINT_SHORT, "which come out as they went in");
	ok(hint_is_of(again, HINT_SHORT, word) && !hint_is_of(again, HINT_SHORT, deadline_word(1000, 5 + 16)) &&
		   !hint_is_of(again, HINT_SHORT, deadline_word(1000, 6)),
	   "and it knows its own by the arm");
	ok(hint_first_hash(again) == UINT64_C(0xfedcba9800000000) && hint_last_hash(again, HINT_SHORT) >> 10 == UINT64_C(0xfedcba9bffffffff) >> 10,
	   "in the place that these hashes have");
}

static void arms(void)
{
	uint64_t arm = 0, next;
	unsigned steps = 0, wrong = 0;

	do {
		next = deadline_arm_after(arm);
		wrong += next == 0 || next >= DEADLINE_ARM || (next & HINT_ARM) != ((arm + 1) & HINT_ARM);
		arm = next;
	} while (++steps < 3 * DEADLINE_ARMS && arm != DEADLINE_ARMS);
	is_int(steps, DEADLINE_ARMS, "arms follow on each other until all had their turn");
	wrong += deadline_arm_after(arm) != 1;
	is_int(wrong, 0, "none is a word that a log does not take; and the bits that are kept count round");
}

static void is_given_back_by_the_last(void)
{
	struct rcumap_entry entry;
	bool first = false, last = false;

	memset(&entry, 0, sizeof entry);
	ok(entry_hold(&entry, &first) && first, "the first hold is told");
	ok(entry_hold(&entry, &first) && !first, "the second is another");
	ok(!entry_orphan(&entry), "an entry that is held does not go with its grace period");
	ok(!entry_release(&entry, &last) && !last, "nor with the first release");
	ok(entry_release(&entry, &last) && last, "but with the last");
	memset(&entry, 0, sizeof entry);
	ok(entry_hold(&entry, &first) && !entry_release(&entry, &last) && last,
	   "before the grace period no release gives it back");
	ok(entry_orphan(&entry), "an entry that nobody holds goes with its grace period");
	memset(&entry, 0, sizeof entry);
	for (unsigned i = 0; i < ENTRY_HOLDS_MAX; i++)
		(void)entry_hold(&entry, &first);
	ok(!entry_hold(&entry, &first), "32,767 are the most");
	ok(!entry_orphan(&entry) && !entry_release(&entry, &last), "of which all count");
}

int main(void)
{
	deadlines();
	arms();
	is_given_back_by_the_last();
	sizes_add_up();
	entries_of_a_line_do_not_straddle_two();
	holds_what_it_was_filled_with();
	compares_whole_keys();
	return tap_done();
}
