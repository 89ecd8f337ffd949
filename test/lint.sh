#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: lint.sh SHARED_LIBRARY
# What a compiler does not check. Prints every finding, status 1 if there is any.
#
# An ordering tag stands at the start of the comment above an atomic operation of lib/: `/* [DEPOT release] hands ...`.
# Elsewhere in a comment, `[DEPOT acquire]` mentions it: "pairs with [DEPOT acquire] in take()".
set -u
export LC_ALL=C

doc=doc/protocol.md
tag_form='\[[A-Z][A-Z0-9]* (relaxed|acquire|release|acq_rel|seq_cst)\]'
row_form='^\| [A-Z][A-Z0-9]* \|.*\| (seq_cst|acq_rel|release / acquire) \|'
found=$(mktemp)
trap 'rm -f "$found"' EXIT

say() {
	echo "$*" >>"$found"
}

# "tag order" of every operation that carries a tag, and of every mention.
sites=$(grep -rhoE --include='*.[ch]' "/\* $tag_form" lib | sed 's/.*\[\(.*\)\]/\1/' | sort)
mentions=$(grep -rhoE --include='*.[ch]' "$tag_form" lib | tr -d '[]' | sort -u)

[ -n "$sites" ] || say "lib/: no ordering tag found: has their form changed?"
[ -f $doc ] || say "$doc: missing"

for tag in $(echo "$sites" | cut -d' ' -f1 | sort -u); do
	of_tag=$(echo "$sites" | grep "^$tag ")
	[ "$(echo "$of_tag" | wc -l)" -ge 2 ] || say "lib/: [$tag] stands at one operation only: where is its partner?"
	echo "$of_tag" | grep -qE ' (release|acq_rel|seq_cst)$' || say "lib/: [$tag] has no releasing side"
	echo "$of_tag" | grep -qE ' (acquire|acq_rel|seq_cst)$' || say "lib/: [$tag] has no acquiring side"
	grep -q "^| $tag |" $doc 2>/dev/null || say "$doc: no row '| $tag |'"
done
echo "$mentions" | while read -r mention; do
	echo "$sites" | grep -qx "$mention" || say "lib/: [$mention] is mentioned, but stands at no operation"
done
grep -oE "$row_form" $doc 2>/dev/null | cut -d' ' -f2 | while read -r tag; do
	echo "$sites" | grep -q "^$tag " || say "$doc: row '| $tag |', but no such tag in lib/"
done

# Every order is written out; every one that orders anything has its tag within the 8 lines up to it.
grep -rnE --include='*.[ch]' '\batomic_(load|store|exchange|compare_exchange_(weak|strong)|fetch_[a-z]+|flag_[a-z_]+)\(' lib |
	while read -r line; do say "${line%%:	*}: an atomic operation without an explicit order"; done
find lib -name '*.[ch]' | sort | xargs awk '
	FNR == 1 { tagged = -99 }
	/\[[A-Z][A-Z0-9]* [a-z_]+\]/ { tagged = FNR }
	/memory_order_(acquire|release|acq_rel|seq_cst)/ && FNR - tagged > 8 {
		printf "%s:%d: an order without a tag\n", FILENAME, FNR
	}' >>"$found"
# ThreadSanitizer does not see fences: put the order on the operation.
grep -rnE --include='*.[ch]' '\b(atomic_thread_fence|__sync_synchronize|__atomic_thread_fence|cmm_mb|cmm_smp_mb|ck_pr_fence_[a-z]+)\b' lib |
	while read -r line; do say "${line%%:	*}: a bare fence"; done

find include lib server test stress bench examples -name '*.[ch]' 2>/dev/null | while read -r file; do
	lines=$(wc -l <"$file")
	[ "$lines" -le 600 ] || say "$file: $lines lines, at most 600"
done
find include lib server test stress bench examples -name '*.[ch]' -o -name '*.cc' -o -name '*.sh' 2>/dev/null | while read -r file; do
	head -n 3 "$file" | grep -q 'SPDX-License-Identifier: ' || say "$file: no SPDX line"
done

# The reference is read as it is: in a terminal, too.
find include -name '*.h' | while read -r file; do
	expand "$file" | awk -v file="$file" 'length > 120 { printf "%s:%d: %d columns, at most 120\n", file, FNR, length }'
done >>"$found"

# Exported: all that the public headers declare, and nothing else. One declaration a line, without comments; no typedefs.
declared=$(find include -name '*.h' -exec cat {} + | sed -zE 's@/\*([^*]|\*+[^*/])*\*+/@@g' | grep -v '^#' | tr '\n' ' ' | tr ';{}' '\n' |
	grep -vE '^ *typedef' | grep -oE '\brcumap_[a-z_0-9]+\(' | tr -d '(' | sort -u)
exported=$(nm -D --defined-only "$1" | awk '$2 != "A" { sub(/@.*/, "", $3); print $3 }' | sort -u)
for name in $exported; do
	echo "$declared" | grep -qx "$name" || say "$1: exports $name, which no public header declares"
done
for name in $declared; do
	echo "$exported" | grep -qx "$name" || say "$1: does not export $name"
done

sort -u "$found"
if [ -s "$found" ]; then
	echo "lint: $(sort -u "$found" | wc -l) findings"
	exit 1
fi
echo "lint: clean: $(echo "$sites" | wc -l) tagged operations, $(echo "$exported" | wc -l) exported functions"
