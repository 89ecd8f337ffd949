#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# usage: deps.sh PACKAGE...
# Installs those of the Debian packages that are missing, without a question. Touches nothing when all are there.
set -u

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system; what is needed there is called: $*" >&2
	exit 0
fi

missing=
for package; do
	dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing="$missing $package"
done
[ -z "$missing" ] && exit 0

if [ "$(id -u)" = 0 ]; then
	as_root=
elif command -v sudo >/dev/null; then
	as_root=sudo
else
	echo "deps: missing, and neither root nor sudo to install them:$missing" >&2
	echo "deps: as root: apt-get update && apt-get install$missing" >&2
	exit 2
fi

apt() {
	$as_root env DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=300 "$@" </dev/null >&2
}

install() {
	# Unquoted: one word a package.
	apt install --no-install-recommends $missing
}

echo "deps: installing$missing" >&2
if [ -z "$(find /var/lib/apt/lists -name '*_Packages*' -print -quit 2>/dev/null)" ]; then
	apt update || exit 2
	install || exit 2
else
	install || { apt update && install; } || exit 2
fi
