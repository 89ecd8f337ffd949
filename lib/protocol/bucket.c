/* SPDX-License-Identifier: BSD-2-Clause */
#include "protocol/bucket.h"

#include <assert.h>

void bucket_scan(struct bucket_view *view, const void *key, size_t key_size)
{
	struct line *line = view->line;

	view->entry = NULL;
	view->empty_line = NULL;
	view->lines = 0;
	view->frozen = false;
	do {
		for (unsigned i = 0; i < LINE_SLOTS; i++) {
			uint64_t word = slot_load(line, i);

			view->frozen |= slot_is_frozen(word);
			if (slot_is_empty(word)) {
				unsigned position = view->lines * LINE_SLOTS + i;

				/* Beyond what ctl can name a slot is as good as taken. */
				if (!view->empty_line && position <= CTL_POSITION_MAX) {
					view->empty_line = line;
					view->empty_position = position;
				}
			} else if (slot_has_tag(word, view->tag) && slot_has_entry(word) &&
				   entry_has_key(slot_entry(word), key, key_size)) {
				view->entry = slot_entry(word);
				view->entry_line = line;
				view->entry_slot = i;
				view->entry_word = word;
				return;
			}
		}
		view->last = line;
		view->lines++;

		uint64_t link = link_load(line);

		view->frozen |= (link & WORD_FROZEN) != 0;
		line = link_line(link);
	} while (line);
}

/* The line and slot at a position of the chain. */
static struct line *line_at(struct line *line, unsigned position)
{
	for (unsigned n = position / LINE_SLOTS; n; n--)
		line = line_next(line);
	return line;
}

/*
 * The slot's word is loaded before ctl is checked again. If ctl still says BUSY(e) then, the word was either e or the
 * EMPTY word that the inserter chose (I3), and since that word never comes back (I2), the exchange puts e in only if
 * nobody has before. If ctl has moved on, e is in already, and may even be out again.
 */
static void settle(struct line *line, uint64_t ctl, struct line *slot_line, unsigned slot, uint64_t word)
{
	uint64_t seen = slot_load(slot_line, slot);

	if (slot_is_empty(seen) && ctl_load(line) == ctl)
		slot_cas(slot_line, slot, seen, word);
	ctl_cas(line, ctl, ctl_idle(entry_version(ctl_entry(ctl))));
}

void bucket_help(const struct tables *tables, const struct table *table, struct line *line, uint64_t ctl)
{
	/* Not retired before this section began, or ctl would not name it (I3). */
	const struct rcumap_entry *entry = ctl_entry(ctl);
	uint64_t tag = table_tag(table, hash_key(&tables->hash, entry_key(entry), entry->key_size));
	unsigned position = ctl_position(ctl);

	settle(line, ctl, line_at(line, position), position % LINE_SLOTS, slot_of(entry, tag, slot_first_marks(entry)));
}

bool bucket_insert(struct bucket_view *view, struct rcumap_entry *entry)
{
	uint64_t busy = ctl_busy(entry, view->empty_position);

	/* I5: from `view->ctl` on no other insert has begun here, so the key is absent and the slot is as we saw it. */
	if (!ctl_cas(view->line, view->ctl, busy))
		return false;
	settle(view->line, busy, view->empty_line, view->empty_position % LINE_SLOTS,
	       slot_of(entry, view->tag, slot_first_marks(entry)));
	return true;
}

bool bucket_remove_at(const struct tables *tables, const struct table *table, struct line *primary,
		      struct line *line, unsigned slot, uint64_t word)
{
	assert(!slot_is_frozen(word));
	bucket_settle(tables, table, primary);
	return slot_cas(line, slot, word, slot_empty(entry_version(slot_entry(word))));
}

bool bucket_remove(const struct tables *tables, const struct table *table, struct bucket_view *view)
{
	return bucket_remove_at(tables, table, view->line, view->entry_line, view->entry_slot, view->entry_word);
}

bool bucket_mark(struct line *line, unsigned slot, uint64_t word, uint64_t marks)
{
	assert(!slot_is_frozen(word));
	return slot_cas(line, slot, word, (word & ~SLOT_MARKS) | marks);
}

bool bucket_extend(struct table *table, struct bucket_view *view, struct line *fresh)
{
	if (!link_cas(view->last, LINK_END, (uint64_t)(uintptr_t)fresh))
		return false;
	table_own_line(table, fresh);
	return true;
}
