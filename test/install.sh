#!/bin/sh
# SPDX-License-Identifier: BSD-2-Clause
# Installs into a scratch root; compiles each header that lies there alone, as C and as C++; builds a user's program against
# it, shared and static, in C, and runs it; then uninstalls, after which nothing may be left.
# Environment: MAKE, CC, CXX.
set -eu

make=${MAKE:-make}
root=$PWD/build/install-check
prefix=/opt/rcumap
rm -rf "$root"
mkdir -p "$root"

$make --no-print-directory install DESTDIR="$root" PREFIX=$prefix LIBDIR=$prefix/lib INCLUDEDIR=$prefix/include

headers=$(cd "$root$prefix/include" && find . -name '*.h' | sort)
[ "$headers" = "$(cd include && find . -name '*.h' | sort)" ] || {
	echo "installed are not the headers of include/: $headers"
	exit 1
}
for header in $headers; do
	echo "#include <$header>" >"$root/header.c"
	${CC:-cc} -std=c99 -Wall -Wextra -Wpedantic -Werror -I"$root$prefix/include" -fsyntax-only "$root/header.c"
	${CXX:-c++} -std=c++11 -Wall -Wextra -Wpedantic -Wshadow -Werror -I"$root$prefix/include" -fsyntax-only -x c++ "$root/header.c"
done

cat >"$root/user.c" <<'END'
#include <rcumap.h>
#include <stdio.h>
#include <string.h>

/* A name that the library uses too must not clash. */
void table_new(void);
void table_new(void)
{
}

int main(void)
{
	struct rcumap *map;
	char value[8];
	size_t size;

	if (rcumap_create(&map, NULL) || rcumap_put(map, "key", 3, "value", 5, RCUMAP_TTL_DEFAULT, NULL) ||
	    rcumap_get(map, "key", 3, value, sizeof value, &size, NULL) || size != 5 || memcmp(value, "value", 5))
		return 1;
	puts("found it");
	return rcumap_destroy(map) ? 1 : 0;
}
END

pc() {
	PKG_CONFIG_PATH=$root$prefix/lib/pkgconfig PKG_CONFIG_SYSROOT_DIR=$root pkg-config "$@" rcumap
}

pc --modversion
${CC:-cc} -Wall -Wextra -o "$root/user-shared" "$root/user.c" $(pc --cflags --libs) -Wl,-rpath,"$root$prefix/lib"
"$root/user-shared"
readelf -d "$root/user-shared" | grep 'NEEDED.*librcumap.so.0'
# liburcu stays shared: its LGPL asks for that, or for more.
${CC:-cc} -Wall -Wextra -o "$root/user-static" "$root/user.c" $(pc --cflags) -Wl,-Bstatic $(pc --libs) -Wl,-Bdynamic \
	$(pc --libs --static | sed 's/-lrcumap//')
"$root/user-static"

# The server, where it was built: what its unit starts is there, and takes the configuration that the unit names.
if [ -e build/release/server/rcumapd ]; then
	start=$(sed -n 's/^ExecStart=//p' "$root$prefix/lib/systemd/system/rcumapd.service")
	[ "$start" = "$prefix/sbin/rcumapd --config $prefix/etc/rcumapd.conf" ]
	"$root$prefix/sbin/rcumapd" --config "$root$prefix/etc/rcumapd.conf" --check-config
	grep -q "$prefix/share/rcumapd/haproxy.cfg" "$root$prefix/share/man/man8/rcumapd.8"
	[ -e "$root$prefix/share/rcumapd/haproxy.cfg" ]
fi

$make --no-print-directory uninstall DESTDIR="$root" PREFIX=$prefix LIBDIR=$prefix/lib INCLUDEDIR=$prefix/include
left=$(find "$root$prefix" ! -type d; find "$root$prefix/include" -mindepth 1)
[ -z "$left" ] || {
	echo "uninstall left: $left"
	exit 1
}
echo "install: ok"
