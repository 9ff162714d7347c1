#!/usr/bin/env bash
# push.sh TARGET…: sends images to the registry that IMAGE_PREFIX names, as
# registry.example.org/videoannotator; those in the archives of FOLDER, when that is set.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. images/settings.sh

if [ -z "${IMAGE_PREFIX:-}" ]; then
  echo "Say where to: IMAGE_PREFIX=registry.example.org/videoannotator" >&2
  exit 1
fi
for target in "$@"; do
  name="$target:$TAG"
  archive="${FOLDER:-}/$target-$TAG.tar"
  if [ "$WITH" = docker ]; then
    [ -z "${FOLDER:-}" ] || docker load --quiet --input "$archive"
    docker tag "$LOCAL/$name" "$IMAGE_PREFIX/$name"
    docker push --quiet "$IMAGE_PREFIX/$name"
  else
    [ -z "${FOLDER:-}" ] || buildah pull --quiet "docker-archive:$archive" >/dev/null
    buildah push --quiet "$LOCAL/$name" "docker://$IMAGE_PREFIX/$name"
    echo "$IMAGE_PREFIX/$name"
  fi
done
