#!/usr/bin/env bash
# Makes a base image out of Debian's packages, where no registry of images can be reached: minbase
# with Python 3.11, venv and the certificates of authorities. Prints its name. Needs root, buildah
# and debootstrap; is made once. MIRROR names another source of Debian's packages.
set -euo pipefail

NAME=${1:-localhost/videoannotator/base:bookworm}
PACKAGES=python3,python3-venv,ca-certificates

export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}
if command -v buildah >/dev/null && buildah inspect --type image "$NAME" >/dev/null 2>&1; then
  echo "$NAME"
  exit 0
fi
"$(dirname "$0")/needed.sh" buildah debootstrap

folder=$(mktemp -d)
container=
tidy() {
  [ -z "$container" ] || buildah rm "$container" >/dev/null
  rm -rf "$folder"
}
trap tidy EXIT

echo "Making $NAME out of Debian's packages; this takes a minute, once" >&2
PATH="$PATH:/usr/sbin" debootstrap --variant=minbase --include="$PACKAGES" bookworm "$folder" \
  ${MIRROR:+"$MIRROR"} >&2
rm -rf "$folder"/var/cache/apt/archives/*.deb "$folder"/var/lib/apt/lists/* "$folder"/var/log/*.log \
  "$folder"/etc/resolv.conf "$folder"/etc/hostname
container=$(buildah from scratch)
buildah add --quiet "$container" "$folder" / >/dev/null
buildah config --cmd /bin/bash --env PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "$container"
buildah commit --quiet "$container" "$NAME" >/dev/null
echo "$NAME"
