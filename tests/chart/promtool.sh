#!/usr/bin/env bash
# Sees to promtool, which tries the alerts: it is in Debian's package prometheus. The package is
# unpacked and not installed, so no server is set up. Prints the program's path.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

FOLDER=$PWD/.make/promtool
FOUND=$(command -v promtool || true)

fetch() {
  rm -rf "$FOLDER"
  mkdir -p "$FOLDER/package"
  (cd "$FOLDER/package" &&
    { apt-get download prometheus >/dev/null 2>&1 ||
      { [ "$(id -u)" -eq 0 ] && apt-get update --quiet >/dev/null && apt-get download prometheus >/dev/null; }; })
  dpkg-deb --extract "$FOLDER"/package/*.deb "$FOLDER/files"
  mv "$FOLDER/files/usr/bin/promtool" "$FOLDER/promtool"
  rm -rf "$FOLDER/files" "$FOLDER/package"
}

if [ -n "$FOUND" ]; then
  echo "$FOUND"
  exit 0
fi
if [ ! -x "$FOLDER/promtool" ] && command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null; then
  fetch || true
fi
if [ ! -x "$FOLDER/promtool" ]; then
  echo "promtool is not installed. On Debian: apt-get install --no-install-recommends prometheus" >&2
  exit 1
fi
echo "$FOLDER/promtool"
