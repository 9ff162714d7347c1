#!/usr/bin/env bash
# Lints the contracts and compares them with the last ones on main, by buf (an npm package).
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

BUF_VERSION=1.75.0
FOLDER=.make/buf-$BUF_VERSION
BUF=$FOLDER/node_modules/.bin/buf

if ! command -v npm >/dev/null; then
  echo "protos: lint and comparison skipped, they need node and npm (apt-get install npm)"
  exit 0
fi
if [ ! -x "$BUF" ]; then
  npm install --silent --no-save --no-audit --no-fund --prefix "$FOLDER" "@bufbuild/buf@$BUF_VERSION"
fi

"$BUF" lint protos
echo "protos: lint passed"

# Field numbers and JSON names that somebody may have stored or sent must keep their meaning.
for branch in origin/main main; do
  git rev-parse --quiet --verify "$branch^{commit}" >/dev/null || continue
  git cat-file -e "$branch:protos" 2>/dev/null || continue
  before=$(mktemp -d)
  trap 'rm -rf "$before"' EXIT
  git archive "$branch" protos | tar -x -C "$before"
  "$BUF" breaking protos --against "$before/protos"
  echo "protos: nothing breaks those on $branch"
  exit 0
done
echo "protos: no branch main to compare with"
