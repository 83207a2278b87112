#!/bin/sh
# Lays out the root of an image: programs, the libraries that they load, and what these read. There is no
# shell in it and no package manager, so whoever gets in finds nothing to go on with.
#
#   image_root.sh DIRECTORY PROGRAM…
#
# Runs while the image is built (deploy/Dockerfile), in a Debian that has the packages of the libraries.
# Those of which something was taken stand in /var/lib/dpkg/status.d, where scanners look for them.
set -eu
root=$1
shift

for folder in bin lib lib64; do
  install -d "$root/usr/$folder"
  ln -s "usr/$folder" "$root/$folder"
done
install -d "$root/etc/ssl/certs" "$root/usr/local/bin" "$root/var/lib/dpkg/status.d"
install -d -m 1777 "$root/tmp"

install "$@" "$root/usr/local/bin/"

# `name => /path (address)`, and the dynamic linker without a name. A library is asked for by the name that
# it is found by here, which may be a link; its package knows the file.
packages="base-files ca-certificates"
for library in $(ldd "$@" | grep -o '/[^ ]*\.so[^ ]*' | sort -u); do
  case "$library" in
    /lib64/*) to=$root/usr$library ;;
    *) to=$root/usr/lib/${library#*/lib/} ;;
  esac
  install -D -m 755 "$(readlink -f "$library")" "$to"
  file=$(basename "$(readlink -f "$library")")
  packages="$packages $(dpkg -S "*/$file" | head -n 1 | cut -d: -f1)"
done
for package in $(printf '%s\n' $packages | sort -u); do
  dpkg-query -s "$package" >"$root/var/lib/dpkg/status.d/$package"
  install -D -m 644 "/usr/share/doc/$package/copyright" "$root/usr/share/doc/$package/copyright"
done

# Whom providers' certificates are checked against, who the user is, and where names are looked up.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -L /etc/os-release /etc/debian_version "$root/etc/"
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
echo "assetgate:x:65532:65532:assetgate:/var/lib/assetgate:/nonexistent" >"$root/etc/passwd"
echo "assetgate:x:65532:" >"$root/etc/group"

# Nothing is missing: the programs start with what is there, and nothing else.
for program in "$@"; do
  chroot --userspec=65532:65532 "$root" "/usr/local/bin/$(basename "$program")" --help >/dev/null
done
