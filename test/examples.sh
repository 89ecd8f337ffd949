#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: examples.sh PROGRAM...
# Runs each example; one TAP result each. What a failing one printed is shown.
n=0
echo "1..$#"
for program; do
	n=$((n + 1))
	if output=$("$program" 2>&1); then
		echo "ok $n - $(basename "$program") runs"
	else
		echo "not ok $n - $(basename "$program") runs, status $?"
		printf '%s\n' "$output" | tail -n 100 | sed 's/^/# /' >&2
	fi
done
