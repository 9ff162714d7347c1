#!/usr/bin/env bash
# Read by the other scripts: how images are called here, and what builds them.
VERSION=$(sed -n 's/^__version__ = "\(.*\)"$/\1/p' services/videoannotator/__init__.py)
LOCAL=localhost/videoannotator
TAG=${IMAGE_TAG:-$VERSION}
export BUILDAH_ISOLATION=${BUILDAH_ISOLATION:-chroot}

if docker info >/dev/null 2>&1; then
  WITH=docker
elif images/needed.sh buildah; then
  WITH=buildah
else
  echo "Neither a docker engine nor buildah is here." >&2
  exit 1
fi
