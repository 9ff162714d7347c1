#!/usr/bin/env bash
# save.sh FOLDER TARGET…: writes images into FOLDER, an archive each, which `docker load` and
# `ctr images import` read.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. images/settings.sh

folder=$1
mkdir -p "$folder"
for target in "${@:2}"; do
  archive="$folder/$target-$TAG.tar"
  rm -f "$archive"
  if [ "$WITH" = docker ]; then
    docker save --output "$archive" "$LOCAL/$target:$TAG"
  else
    buildah push --quiet "$LOCAL/$target:$TAG" "docker-archive:$archive:$LOCAL/$target:$TAG"
  fi
  echo "$archive"
done
