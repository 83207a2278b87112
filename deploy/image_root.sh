#!/bin/sh
# Creates the root of an image: programs, the libraries that they load, and the files that these
# read. It contains no shell and no package manager, which an attacker could use.
#
#   image_root.sh DIRECTORY PROGRAM…
#
# Runs while the image is built (deploy/Dockerfile), in a Debian with the packages of the libraries.
# Lists the packages that files were taken from in /var/lib/dpkg/status.d, where scanners look.
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

# Reads lines of the form `name => /path (address)`, and the dynamic linker without a name. The
# linker looks a library up by the name found here, which may be a link; the package knows the file.
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

# The CA certificates for providers, the user, and the sources of host names.
cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
cp -L /etc/os-release /etc/debian_version "$root/etc/"
echo "hosts: files dns" >"$root/etc/nsswitch.conf"
echo "assetgate:x:65532:65532:assetgate:/var/lib/assetgate:/nonexistent" >"$root/etc/passwd"
echo "assetgate:x:65532:" >"$root/etc/group"

# Checks that nothing is missing: the programs start with only these files.
for program in "$@"; do
  chroot --userspec=65532:65532 "$root" "/usr/local/bin/$(basename "$program")" --help >/dev/null
done
