#!/usr/bin/env bash
# needed.sh PROGRAM…: installs programs from Debian packages of the same names where it may (root
# on Debian and its relatives), and says elsewhere what to install.
set -euo pipefail
export PATH="$PATH:/usr/sbin"

missing=()
for program in "$@"; do
  command -v "$program" >/dev/null || missing+=("$program")
done
[ ${#missing[@]} -gt 0 ] || exit 0

install() {
  DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet --no-install-recommends "${missing[@]}" >/dev/null
}
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "Installing ${missing[*]}" >&2
  install || { apt-get update --quiet >/dev/null && install; }
else
  echo "Missing: ${missing[*]}. On Debian: apt-get install --no-install-recommends ${missing[*]}" >&2
  exit 1
fi
