#!/usr/bin/env bash
# build.sh TARGET…: builds targets of the Dockerfile with docker, where an engine runs, else with
# buildah, and tells their sizes. From the environment:
#   BASE_IMAGE    another base; `debootstrap` makes one out of Debian's packages (base.sh)
#   IMAGE_PREFIX  before each target's name; default: localhost/videoannotator
#   IMAGE_TAG     default: the program's version
#   DOCKERFILE    default: Dockerfile
#   IMAGE_SOURCE  address of the code, for a label; default: none
#   CERTIFICATES  authorities that the build trusts; default: this machine's
# A mirror of packages is taken from PIP_INDEX_URL and UV_DEFAULT_INDEX, a proxy from its usual
# variables; neither is in an image.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' services/videoannotator/__init__.py)
REVISION=$(git rev-parse HEAD 2>/dev/null || echo unknown)
PREFIX=${IMAGE_PREFIX:-localhost/videoannotator}
TAG=${IMAGE_TAG:-$VERSION}
FILE=${DOCKERFILE:-Dockerfile}
CERTIFICATES=${CERTIFICATES:-${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}}
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}

builder() {
  if docker info >/dev/null 2>&1; then
    echo docker
  elif images/needed.sh buildah; then
    echo buildah
  else
    echo "Neither a docker engine nor buildah is here." >&2
    exit 1
  fi
}

# What every build is given; an argument only where it is set.
arguments() {
  local name
  printf -- '--file\n%s\n' "$FILE"
  [ -z "$BASE" ] || printf -- '--build-arg\nBASE_IMAGE=%s\n' "$BASE"
  # For a Dockerfile that builds on these images.
  [ "$FILE" = Dockerfile ] || printf -- '--build-arg\nIMAGE_PREFIX=%s\n--build-arg\nIMAGE_TAG=%s\n' "$PREFIX" "$TAG"
  for name in PIP_INDEX_URL UV_DEFAULT_INDEX; do
    [ -z "${!name:-}" ] || printf -- '--build-arg\n%s\n' "$name=${!name}"
  done
  [ ! -s "$CERTIFICATES" ] || printf -- '--secret\nid=certificates,src=%s\n' "$CERTIFICATES"
  printf -- '--label\norg.opencontainers.image.version=%s\n' "$VERSION"
  printf -- '--label\norg.opencontainers.image.revision=%s\n' "$REVISION"
  printf -- '--label\norg.opencontainers.image.created=%s\n' "$(date --utc +%Y-%m-%dT%H:%M:%SZ)"
  [ -z "${IMAGE_SOURCE:-}" ] || printf -- '--label\norg.opencontainers.image.source=%s\n' "$IMAGE_SOURCE"
}

build() {
  local target=$1
  local -a given
  mapfile -t given < <(arguments)
  if [ "$WITH" = docker ]; then
    DOCKER_BUILDKIT=1 docker build "${given[@]}" --target "$target" --tag "$PREFIX/$target:$TAG" .
  else
    buildah build --layers "${given[@]}" --target "$target" --tag "$PREFIX/$target:$TAG" .
  fi
}

# What an image holds on top of its base, in MB: all that is ours lies in one folder.
size_of() {
  local image=$1 container
  if [ "$WITH" = docker ]; then
    docker run --rm --network none --entrypoint du "$image" -sm --apparent-size /opt/videoannotator
  else
    container=$(buildah from --pull-never "$image")
    buildah run "$container" -- du -sm --apparent-size /opt/videoannotator
    buildah rm "$container" >/dev/null
  fi | cut -f 1
}

WITH=$(builder)
BASE=${BASE_IMAGE:-}
[ "$BASE" != debootstrap ] || BASE=$(images/base.sh)
for target in "$@"; do
  build "$target"
done

printf '\n%-48s %s\n' IMAGE "MB ON TOP OF THE BASE"
for target in "$@"; do
  printf '%-48s %s\n' "$PREFIX/$target:$TAG" "$(size_of "$PREFIX/$target:$TAG")"
done
