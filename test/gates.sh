#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: gates.sh [GATE...]
# Runs the gates of `make check`, all by default, one after the other, and prints one line for each: name, ok or FAIL,
# seconds. What a gate prints goes to build/check/GATE.log; its end is shown when the gate fails. The last lines are those
# with which prove closes the gate "tests". Status 1 if any gate failed.
#
# Environment: MAKE, JOBS, QUICK (1: without six of the gates), GATE_SECONDS (no gate may take longer).
set -u

all="lint tests stress explorer planted hitratio tsan-gcc tsan-clang asan no-inline bench-smoke server-soak fuzz-smoke install"
make=${MAKE:-make}
limit=${GATE_SECONDS:-600}
logs=build/check
child=

target() {
	case $1 in
	tests) echo test ;;
	planted) echo check-planted ;;
	install) echo check-install ;;
	server-soak) echo server-soak-short ;;
	*) echo "$1" ;;
	esac
}

# timeout(1) leads a process group of its own: an interrupt must be passed on to it.
interrupted() {
	[ -n "$child" ] && kill -TERM "$child" 2>/dev/null
	echo interrupted
	exit 130
}
trap interrupted INT TERM HUP

quick=$(echo "$all" | sed "s/ tsan-clang//; s/ asan//; s/ no-inline//; s/ bench-smoke//; s/ server-soak//; s/ fuzz-smoke//")

if [ $# = 0 ]; then
	[ "${QUICK:-}" = 1 ] && set -- $quick || set -- $all
fi
for gate; do
	case " $all " in
	*" $gate "*) ;;
	*)
		echo "gates.sh: there is no gate '$gate'; there are: $all" >&2
		exit 2
		;;
	esac
done

mkdir -p $logs
failed=0
began=$(date +%s)
for gate; do
	printf '%-12s' "$gate"
	start=$(date +%s)
	timeout -v -k 10 "$limit" $make --no-print-directory -j"${JOBS:-2}" "$(target "$gate")" >"$logs/$gate.log" 2>&1 </dev/null &
	child=$!
	if wait $child; then
		echo "ok   $(($(date +%s) - start)) s"
	else
		echo "FAIL $(($(date +%s) - start)) s  $logs/$gate.log"
		tail -n 40 "$logs/$gate.log" | sed 's/^/    /'
		failed=$((failed + 1))
	fi
	child=
done
echo "$# gates, $failed failed, $(($(date +%s) - began)) s"

case " $* " in
*" tests "*) grep -E '^(All tests successful|Files=|Result: )' $logs/tests.log ;;
esac
[ $failed = 0 ]
