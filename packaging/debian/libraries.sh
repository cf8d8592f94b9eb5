#!/bin/sh
# The packages beside that of the server: libsteadycache0, libsteadycache-dev, and steadycache-lmdb if the plugin was
# built. CPack, which makes the server's, puts scripts into a library's package that Debian forbids.
#
# usage: packaging/debian/libraries.sh BUILD   (configured with the prefix /usr; the packages are written there)
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT

cached() {
	sed -n "s/^$1:[A-Z]*=//p" "$build/CMakeCache.txt"
}
release=1
version=$(cached CMAKE_PROJECT_VERSION)-$release
maintainer=$(cached PACKAGE_MAINTAINER)
libdir=$(cached CMAKE_INSTALL_LIBDIR)
architecture=$(dpkg --print-architecture)
# SOURCE_DATE_EPOCH, if it is set, is the time.
now=$(LC_ALL=C date -u -R -d "@${SOURCE_DATE_EPOCH:-$(date +%s)}")

# The shared libraries that these files need, as Depends.
needed() {
	mkdir -p "$scratch/needed/debian"
	printf 'Source: steadycache\n\nPackage: none\nArchitecture: any\n' >"$scratch/needed/debian/control"
	(cd "$scratch/needed" && dpkg-shlibdeps -O --ignore-missing-info "$@" 2>/dev/null) |
		sed -n 's/^shlibs:Depends=//p'
}

# begin NAME COMPONENT: what is installed of it, with the documents that Debian wants. Sets $tree.
begin() {
	tree=$scratch/$1
	DESTDIR=$tree cmake --install "$build" --prefix /usr --component "$2" --strip >/dev/null
	doc=$tree/usr/share/doc/$1
	mkdir -p "$doc" "$tree/usr/share/lintian/overrides" "$tree/DEBIAN"
	cp "$source/packaging/debian/copyright" "$doc/copyright"
	cp "$source/CHANGELOG.md" "$doc/changelog"
	sed -e '1s/^steadycache/'"$1/" -e "s|@version@|$version|" -e "s|@maintainer@|$maintainer|" -e "s|@now@|$now|" \
		"$source/packaging/debian/changelog.in" >"$doc/changelog.Debian"
	gzip -9n "$doc/changelog" "$doc/changelog.Debian"
	printf '# Not an upload to Debian.\n%s: initial-upload-closes-no-bugs [usr/share/doc/%s/changelog.Debian.gz:1]\n' \
		"$1" "$1" >"$tree/usr/share/lintian/overrides/$1"
}

# finish NAME SECTION DEPENDS SUMMARY: packs $tree; the description is standard input.
finish() {
	find "$tree/usr" -type d -exec chmod 0755 {} +
	find "$tree/usr" -type f ! -perm -100 -exec chmod 0644 {} +
	(cd "$tree" && find usr -type f -exec md5sum {} + >DEBIAN/md5sums)
	cat >"$tree/DEBIAN/control" <<-END
		Package: $1
		Source: steadycache
		Version: $version
		Architecture: $architecture
		Maintainer: $maintainer
		Installed-Size: $(du -sk "$tree/usr" | cut -f1)
		Depends: $3
		Section: $2
		Priority: optional
		Description: $4
		$(sed 's/^/ /')
	END
	dpkg-deb --root-owner-group --build "$tree" "$build/$1_${version}_$architecture.deb"
}

begin libsteadycache0 runtime
library=$(find "$tree/usr/$libdir" -name 'libsteadycache.so.0.*')
chmod 0644 "$library"
echo "libsteadycache 0 libsteadycache0 (>= ${version%-*})" >"$tree/DEBIAN/shlibs"
echo 'activate-noawait ldconfig' >"$tree/DEBIAN/triggers"
finish libsteadycache0 libs "$(needed "$library")" "cache in memory, SQLite, Redis, DynamoDB or D1 - library" <<END
The store of the cache server steadycache in a program of its own: entries
with a time to live and limits of their namespaces, in memory, in a database
that processes share, or on another server, by the URL that names it.
END

begin libsteadycache-dev development
strip --strip-debug --remove-section=.comment "$tree/usr/$libdir/libsteadycache.a"
gzip -9n "$tree"/usr/share/man/man3/*
finish libsteadycache-dev libdevel "libsteadycache0 (= $version), libcurl4-openssl-dev | libcurl-dev, libexpat1-dev, \
libgnutls28-dev, libhiredis-dev, libjansson-dev, libsqlite3-dev, libxxhash-dev, nettle-dev, libzstd-dev, zlib1g-dev" \
	"cache in memory, SQLite, Redis, DynamoDB or D1 - development files" <<END
The store of the cache server steadycache in a program of its own: headers,
the static library and what pkg-config needs, the manual page and examples in
C and in Python. With the header of plugins, which add backends to the server
and to the library.
END

if [ "$(cached WITH_LMDB)" = ON ] || [ "$(cached WITH_LMDB)" = 1 ]; then
	begin steadycache-lmdb lmdb
	plugin=$(find "$tree/usr" -name lmdb.so)
	chmod 0644 "$plugin"
	finish steadycache-lmdb net "steadycache (= $version), $(needed "$plugin")" \
		"cache server - entries in LMDB" <<-END
		A plugin of the cache server steadycache that keeps the entries in an LMDB
		database: STEADYCACHE_BACKEND=plugin:lmdb.
	END
fi
