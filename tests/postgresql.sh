#!/usr/bin/env bash
# Sees to PostgreSQL and PgBouncer for the tests: installs them where it can, as root on Debian and
# its relatives, and says what to install elsewhere. No server of the system is started.
set -euo pipefail

MISSING="PostgreSQL is not installed. On Debian: apt-get install --no-install-recommends postgresql pgbouncer"
CLUSTERS=/etc/postgresql-common/createcluster.conf

installed() {
  { command -v postgres || compgen -G '/usr/lib/postgresql/*/bin/postgres'; } >/dev/null &&
    PATH="$PATH:/usr/sbin" command -v pgbouncer >/dev/null
}

# RUNLEVEL=1: the services of new packages are not started.
quietly_install() {
  DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
    apt-get install --yes --quiet --no-install-recommends "$@" >/dev/null
}

install_packages() {
  echo "Installing PostgreSQL and PgBouncer for the tests"
  quietly_install postgresql-common || { apt-get update --quiet >/dev/null && quietly_install postgresql-common; }
  # Debian makes and starts a server of its own with the package, unless this says no.
  cp "$CLUSTERS" "$CLUSTERS.before-tests"
  trap 'mv "$CLUSTERS.before-tests" "$CLUSTERS"' EXIT
  echo "create_main_cluster = false" >>"$CLUSTERS"
  quietly_install postgresql pgbouncer
}

if installed; then
  exit 0
fi
if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  (install_packages) || true
fi
if installed; then
  exit 0
fi

case "${CI:-}" in
  "" | 0 | false)
    echo "$MISSING" >&2
    echo "The tests that need it are left out." >&2
    ;;
  *)
    echo "$MISSING" >&2
    exit 1
    ;;
esac
