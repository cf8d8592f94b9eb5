#!/bin/sh
# Lays out the root file system of the image: a program, the loader and the libraries that it needs, each
# where the loader looks for it, certificates, and the licence files and package records for scanners and
# lawyers. Run it in the build stage, as root; the paths come from ldd, so it works on any architecture.
#
# usage: docker/collect.sh PROGRAM ROOT UID
set -eu
program=$1 root=$2 uid=$3

# Follows the links in the path: the image has no links.
copy() {
	mkdir -p "$root$(dirname "$1")"
	cp -L --preserve=mode,timestamps "$1" "$root$1"
}

# Debian's /lib is a link to /usr/lib, and packages list either path.
package_of() {
	dpkg-query --search "$1" 2>/dev/null || dpkg-query --search "/usr$1" 2>/dev/null ||
		dpkg-query --search "${1#/usr}"
}

copy "$program"
# "name => path (address)", and the loader as "path (address)"; the vdso has no path.
libraries=$(ldd "$program" | sed -n 's/.*[[:space:]]\(\/[^ ]*\) (0x.*/\1/p')
case $(ldd "$program") in
*'not found'*)
	ldd "$program" >&2
	exit 1
	;;
esac
for file in $libraries /etc/ssl/certs/ca-certificates.crt; do
	copy "$file"
done

# As in Google's distroless images: scanners read status.d if there is no dpkg.
mkdir -p "$root/var/lib/dpkg/status.d"
for file in $libraries /usr/sbin/update-ca-certificates; do
	package=$(package_of "$file" | head -n 1 | sed 's/:.*//')
	[ ! -e "$root/var/lib/dpkg/status.d/$package" ] || continue
	dpkg-query --status "$package" >"$root/var/lib/dpkg/status.d/$package"
	copy "/usr/share/doc/$package/copyright"
done

mkdir -p "$root/etc"
echo "steadycache:x:$uid:$uid:steadycache:/data:/nonexistent" >"$root/etc/passwd"
echo "steadycache:x:$uid:" >"$root/etc/group"
install -d -m 0700 -o "$uid" -g "$uid" "$root/data"
