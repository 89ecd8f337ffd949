#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: run.sh [NAME...]
# Plants the bug of each NAME.patch beside this script in a copy of the tree under build/planted/NAME, and runs the gate that the
# patch names on it. Without names all of them; with QUICK=1 six. The gate must fail: one that finds no planted bug finds no other.
#
# A patch begins with what the bug is ("Bug: ...") and who must catch it ("Gate: ..."):
#
#     Gate: explorer SCENARIO...        one of these scenarios of the schedule explorer ends with status 1
#     Gate: tsan stress ARGUMENTS       build/tsan/stress/stress ends with a report of ThreadSanitizer
#     Gate: asan stress ARGUMENTS       build/asan/stress/stress ends with one of AddressSanitizer, or with a violation
#     Gate: debug NAME                  build/debug/test/test_NAME fails, or does not end
#
# Environment: MAKE, JOBS, QUICK. Status 1 if a bug was not caught, a patch does not apply, or a copy does not build.
set -u

here=test/planted
make=${MAKE:-make}
jobs=${JOBS:-$(nproc)}
limit=60 # seconds that a gate may take
fixed_layout=$(setarch -R true 2>/dev/null && echo setarch -R)

program() {
	case $1 in
	explorer) echo build/explorer/explorer ;;
	tsan | asan) echo "build/$1/stress/stress" ;;
	debug) echo "build/debug/test/test_$2" ;;
	*) echo "run.sh: unknown gate '$1'" >&2 && exit 2 ;;
	esac
}

gate_of() {
	sed -n 's/^Gate: //p' "$here/$1.patch"
}

# A copy of the sources and, with their times, of the objects of one variant: only what the patch touches is compiled anew.
copy_tree() {
	rm -rf "$2" && mkdir -p "$2/build" && cp -a GNUmakefile lib include server test stress "$2" && cp -a "build/$1" "$2/build/"
}

# $1 program, $2... its arguments as the gate names them. 0: the gate has caught the bug.
caught() {
	gate=$1
	shift
	case $gate in
	explorer)
		for scenario; do
			timeout "$limit" build/explorer/explorer --scenario "$scenario" --jobs 1
			[ $? = 1 ] && echo "$scenario" >planted.by && return 0
		done
		return 1
		;;
	tsan)
		shift
		TSAN_OPTIONS='exitcode=66 halt_on_error=1' timeout "$limit" $fixed_layout build/tsan/stress/stress "$@"
		[ $? = 66 ]
		;;
	debug)
		timeout "$limit" "build/debug/test/test_$1"
		case $? in
		1 | 124 | 134 | 137 | 139) return 0 ;;
		*) return 1 ;;
		esac
		;;
	asan)
		shift
		ASAN_OPTIONS='exitcode=66' timeout "$limit" $fixed_layout build/asan/stress/stress "$@"
		case $? in
		1 | 66) return 0 ;;
		*) return 1 ;;
		esac
		;;
	esac
}

# Everything about one patch, in words that are one line on the terminal.
plant() {
	name=$1
	patch=$PWD/$here/$name.patch
	tree=build/planted/$name
	began=$(date +%s)
	set -- $(gate_of "$name")
	if [ $# -lt 2 ]; then
		echo "FAIL $name: no gate is named"
		return 1
	fi
	if ! copy_tree "$1" "$tree" || ! cd "$tree"; then
		echo "FAIL $name: no copy of the tree"
		return 1
	fi
	if ! patch -s -p1 --no-backup-if-mismatch <"$patch" >planted.log 2>&1; then
		echo "FAIL $name: the patch does not apply"
		sed 's/^/    /' planted.log
		return 1
	fi
	if ! $make --no-print-directory "$(program "$1" "$2")" >planted.log 2>&1; then
		echo "FAIL $name: does not build"
		tail -n 20 planted.log | sed 's/^/    /'
		return 1
	fi
	if ! caught "$@" >planted.log 2>&1 </dev/null; then
		echo "FAIL $name: not caught by $*  ($tree/planted.log)"
		tail -n 5 planted.log | sed 's/^/    /'
		return 1
	fi
	[ -f planted.by ] && set -- "$1 $(cat planted.by)"
	echo "ok   $name: caught by $1, $(($(date +%s) - began)) s"
	rm -rf build # large; the sources and the log stay
}

if [ "${1-}" = --one ]; then
	plant "$2"
	exit
fi

quick='empty_repeats slots_not_frozen insert_bypasses_ctl relaxed_publication free_at_once retire_before_unlink'
[ $# -gt 0 ] || [ "${QUICK-}" != 1 ] || set -- $quick
[ $# -gt 0 ] || set -- $(cd $here && ls ./*.patch | sed 's|^\./||; s|\.patch$||')
programs=
for name; do
	if [ ! -f "$here/$name.patch" ]; then
		echo "run.sh: there is no $here/$name.patch" >&2
		exit 2
	fi
	wanted=$(program $(gate_of "$name" | cut -d ' ' -f 1-2)) || exit
	case " $programs " in
	*" $wanted "*) ;;
	*) programs="$programs $wanted" ;;
	esac
done

# The copies are at fixed places: one run at a time.
mkdir -p build && exec 9>build/planted.lock && flock 9

# What all copies start from.
if ! $make --no-print-directory -j"$jobs" $programs >/dev/null; then
	echo "run.sh: the tree does not build" >&2
	exit 1
fi
if printf '%s\n' "$@" | MAKEFLAGS= xargs -P "$jobs" -n 1 "$0" --one; then
	echo "$# planted bugs, all caught"
else
	echo "$# planted bugs, some not caught"
	exit 1
fi
