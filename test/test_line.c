/* SPDX-License-Identifier: BSD-2-Clause */
/* layout/line: the words of a bucket say what they were made to say, and nothing else. */
#include "layout/line.h"

#include "fixture.h"

#define VERSION_MAX ((UINT64_C(1) << ENTRY_VERSION_BITS) - 1)

/* The addresses that a word can hold: the lowest, the highest, and some between. */
static const uint64_t addresses[] = {
	ADDRESS_ALIGN, 3 * ADDRESS_ALIGN, 4096, 0x7fffdeadbee0, ADDRESS_MASK - ADDRESS_ALIGN, ADDRESS_MASK
};
static const uint64_t versions[] = { 0, 1, 2, 3, 4, 63, 64, UINT64_C(1) << 32, VERSION_MAX - 1, VERSION_MAX };
static const uint64_t tags[] = { 0, 1, 0x5555, 0xaaaa, 0x8000, 0xffff };
static const uint64_t marks[] = { 0, SLOT_MAIN, SLOT_AGED, SLOT_MARKS };

#define COUNT(a) (sizeof(a) / sizeof(a)[0])

static struct rcumap_entry *entry_at(uint64_t address)
{
	return (struct rcumap_entry *)(uintptr_t)address;
}

/* What a slot word is: exactly one of the three, whether frozen or not. */
enum slot_kind { UNFILLED, EMPTY, ENTRY };

static bool slot_is(uint64_t word, enum slot_kind kind)
{
	bool right = true;

	for (unsigned frozen = 0; frozen < 2; frozen++) {
		uint64_t w = word | frozen;

		right = right && slot_is_frozen(w) == (frozen == 1) && slot_is_empty(w) == (kind == EMPTY) &&
			slot_has_entry(w) == (kind == ENTRY) &&
			((w & ~WORD_FROZEN) == SLOT_UNFILLED) == (kind == UNFILLED);
	}
	return right;
}

static void slots(void)
{
	unsigned wrong = 0, lost = 0, same = 0;

	ok(slot_is(SLOT_UNFILLED, UNFILLED), "UNFILLED is neither empty nor an entry");
	for (unsigned v = 0; v < COUNT(versions); v++) {
		wrong += !slot_is(slot_empty(versions[v]), EMPTY);
		for (unsigned other = 0; other < v; other++)
			same += slot_empty(versions[v]) == slot_empty(versions[other]);
	}
	is_int(wrong, 0, "EMPTY of any version is empty, frozen or not");
	is_int(same, 0, "and differs with the version");
	wrong = 0;
	for (unsigned a = 0; a < COUNT(addresses); a++)
		for (unsigned n = 0; n < COUNT(tags) * COUNT(marks); n++) {
			const unsigned t = n / COUNT(marks), m = n % COUNT(marks);
			uint64_t word = slot_of(entry_at(addresses[a]), tags[t] << 48, marks[m]);

			wrong += !slot_is(word, ENTRY);
			lost += (word & SLOT_MARKS) != marks[m] || ((word | WORD_FROZEN) & SLOT_MARKS) != marks[m];
			lost += slot_entry(word) != entry_at(addresses[a]) ||
				slot_entry(word | WORD_FROZEN) != entry_at(addresses[a]);
			for (unsigned other = 0; other < COUNT(tags); other++)
				lost += slot_has_tag(word, tags[other] << 48) != (t == other) ||
					slot_has_tag(word | WORD_FROZEN, tags[other] << 48) != (t == other);
		}
	is_int(wrong, 0, "an entry is an entry, frozen or not, whatever its tag and marks");
	is_int(lost, 0, "address, tag and marks come back, frozen or not");
}

/* What a ctl word is: exactly one of these. */
enum ctl_kind { INIT, IDLE, BUSY, FROZEN, MIGRATED };

static bool ctl_is(uint64_t word, enum ctl_kind kind)
{
	return ctl_is_busy(word) == (kind == BUSY) && (word == CTL_INIT) == (kind == INIT) &&
	       (word == CTL_FROZEN) == (kind == FROZEN) && (word == CTL_MIGRATED) == (kind == MIGRATED) &&
	       ((word & 3) == 1) == (kind == IDLE);
}

static void ctls(void)
{
	unsigned wrong = 0, lost = 0;

	ok(ctl_is(CTL_INIT, INIT), "INIT is nothing else");
	ok(ctl_is(CTL_FROZEN, FROZEN), "FROZEN is nothing else");
	ok(ctl_is(CTL_MIGRATED, MIGRATED), "MIGRATED is nothing else");
	for (unsigned v = 0; v < COUNT(versions); v++) {
		wrong += !ctl_is(ctl_idle(versions[v]), IDLE);
		lost += ctl_idle(versions[v]) >> 2 != versions[v];
	}
	is_int(wrong, 0, "IDLE of any version is nothing else");
	is_int(lost, 0, "the version comes back");
	wrong = lost = 0;
	for (unsigned a = 0; a < COUNT(addresses); a++)
		for (unsigned position = 0; position <= CTL_POSITION_MAX; position += 13107) {
			uint64_t word = ctl_busy(entry_at(addresses[a]), position);

			wrong += !ctl_is(word, BUSY);
			lost += ctl_entry(word) != entry_at(addresses[a]) || ctl_position(word) != position;
		}
	is_int(wrong, 0, "BUSY is nothing else");
	is_int(lost, 0, "entry and position come back, up to the last");
}

static void links(void)
{
	struct line *lines = aligned_alloc(LINE_SIZE, 2 * LINE_SIZE);
	uint64_t link = (uint64_t)(uintptr_t)&lines[1];

	ok(link_line(LINK_UNFILLED) == NULL && link_line(LINK_UNFILLED | WORD_FROZEN) == NULL,
	   "no line is behind an unfilled link, frozen or not");
	ok(link_line(LINK_END) == NULL && link_line(LINK_END | WORD_FROZEN) == NULL, "nor behind the last");
	ok(link_line(link) == &lines[1] && link_line(link | WORD_FROZEN) == &lines[1],
	   "the line behind a link comes back, frozen or not");

	atomic_init(&lines[0].link, LINK_UNFILLED);
	ok(line_next(&lines[0]) == NULL, "a line without a next");
	ok(!link_cas(&lines[0], LINK_END, link), "a line is chained only if the link is as expected");
	ok(link_cas(&lines[0], LINK_UNFILLED, link) && line_next(&lines[0]) == &lines[1], "then it is");
	is_int(link_freeze(&lines[0]), link | WORD_FROZEN, "a link freezes as it is");
	ok(!link_cas(&lines[0], link, LINK_END), "nobody changes it then");
	ok(line_next(&lines[0]) == &lines[1], "but it still leads on");
	free(lines);
}

static void words_change_only_as_expected(void)
{
	struct line *line = aligned_alloc(LINE_SIZE, LINE_SIZE);
	uint64_t word = slot_of(entry_at(4096), UINT64_C(7) << 48, 0);

	atomic_init(&line->ctl, ctl_idle(0));
	for (unsigned i = 0; i < LINE_SLOTS; i++)
		atomic_init(&line->slot[i], slot_empty(i));
	ok(!slot_cas(line, 1, slot_empty(0), word) && slot_load(line, 1) == slot_empty(1),
	   "a slot changes only from the word that is expected");
	ok(slot_cas(line, 1, slot_empty(1), word) && slot_load(line, 1) == word, "then it does");
	ok(slot_load(line, 0) == slot_empty(0) && ctl_load(line) == ctl_idle(0), "its neighbours do not");
	is_int(slot_freeze(line, 1), word | WORD_FROZEN, "a slot freezes as it is");
	is_int(slot_freeze(line, 1), word | WORD_FROZEN, "once and for all");
	ok(!slot_cas(line, 1, word, slot_empty(9)), "nobody changes it then");
	is_int(slot_freeze(line, 0), slot_empty(0) | WORD_FROZEN, "an empty one, too");
	ok(!ctl_cas(line, ctl_idle(1), CTL_FROZEN) && ctl_load(line) == ctl_idle(0),
	   "ctl changes only from the word that is expected");
	ok(ctl_cas(line, ctl_idle(0), CTL_FROZEN) && ctl_load(line) == CTL_FROZEN, "then it does");
	free(line);
}

static void layout(void)
{
	is_int(sizeof(struct line), LINE_SIZE, "a line is a line");
	is_int(offsetof(struct line, ctl), 0, "ctl comes first");
	is_int(offsetof(struct line, slot), 8, "then the slots");
	is_int(offsetof(struct line, link), LINE_SIZE - 8, "the link comes last");
}

int main(void)
{
	layout();
	slots();
	ctls();
	links();
	words_change_only_as_expected();
	return tap_done();
}
