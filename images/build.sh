#!/usr/bin/env bash
# build.sh TARGET…: builds targets of the Dockerfile as localhost/videoannotator/TARGET with docker,
# where an engine runs, else with buildah, and tells their sizes. From the environment:
#   BASE_IMAGE    another base; `debootstrap` makes one out of Debian's packages
#   IMAGE_TAG     default: the program's version
#   IMAGE_SOURCE  address of the code, for a label; default: none
#   CERTIFICATES  authorities that the build trusts; default: this machine's
#   DOCKERFILE    another Dockerfile, which builds on these images
# A mirror of packages is taken from PIP_INDEX_URL and UV_DEFAULT_INDEX, a proxy from its usual
# variables; neither is in an image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. images/settings.sh

FILE=${DOCKERFILE:-Dockerfile}
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
CERTIFICATES=${CERTIFICATES:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}

# What every build is given, a word a line; an argument only where it is set.
arguments() {
  local name
  printf -- '--file\n%s\n' "$FILE"
  [ -z "$BASE" ] || printf -- '--build-arg\nBASE_IMAGE=%s\n' "$BASE"
  [ "$FILE" = Dockerfile ] || printf -- '--build-arg\nIMAGE_TAG=%s\n' "$TAG"
  for name in PIP_INDEX_URL UV_DEFAULT_INDEX {HTTP,HTTPS,NO}_PROXY {http,https,no}_proxy; do
    [ -z "${!name:-}" ] || printf -- '--build-arg\n%s=%s\n' "$name" "${!name}"
  done
  [ ! -s "$CERTIFICATES" ] || printf -- '--secret\nid=certificates,src=%s\n' "$CERTIFICATES"
  printf -- '--label\norg.opencontainers.image.version=%s\n' "$VERSION"
  printf -- '--label\norg.opencontainers.image.revision=%s\n' "$REVISION"
  [ -z "${IMAGE_SOURCE:-}" ] || printf -- '--label\norg.opencontainers.image.source=%s\n' "$IMAGE_SOURCE"
}

build() {
  local -a given
  mapfile -t given < <(arguments)
  given+=(--target "$1" --tag "$LOCAL/$1:$TAG")
  if [ "$WITH" = docker ]; then
    DOCKER_BUILDKIT=1 docker build "${given[@]}" .
  else
    buildah build --layers "${given[@]}" .
  fi
}

# What an image holds on top of its base: all that is ours lies in one folder.
size_of() {
  local container
  if [ "$WITH" = docker ]; then
    docker run --rm --network none --entrypoint du "$1" -s --block-size=MB --apparent-size /opt/videoannotator
  else
    container=$(buildah from --pull-never "$1")
    buildah run "$container" -- du -s --block-size=MB --apparent-size /opt/videoannotator
    buildah rm "$container" >/dev/null
  fi | cut -f 1
}

# The base that the test cluster uses too, where no registry of images can be reached.
debian_base() {
  python3 -c 'from tests.cluster.up.images import base_image; print(base_image())' | tail -n 1
}

BASE=${BASE_IMAGE:-}
[ "$BASE" != debootstrap ] || BASE=$(debian_base)
for target in "$@"; do
  build "$target"
done

printf '\n%-48s %s\n' IMAGE "ON TOP OF THE BASE"
for target in "$@"; do
  printf '%-48s %s\n' "$LOCAL/$target:$TAG" "$(size_of "$LOCAL/$target:$TAG")"
done
