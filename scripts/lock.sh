#!/bin/sh
# Write the lock files from pyproject.toml, or say that they no longer fit it.
#
#   scripts/lock.sh              pin what pyproject.toml asks for; versions already locked stay
#   scripts/lock.sh --upgrade    the same with the newest versions (any option of `uv pip compile`)
#   scripts/lock.sh --check      change nothing; exit 1 when the locks do not fit pyproject.toml
#
# The committed locks go in as uv's preference, so that a new release upstream changes nothing:
# only a change of pyproject.toml (or --upgrade) makes the result differ. The work is done on copies
# under bare names, because uv writes the paths it was given into the lock.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
uv=${UV:-${VENV:-.venv}/bin/uv}
locks="requirements.lock requirements-build.lock requirements-dev.lock"

command -v "$uv" >/dev/null 2>&1 || {
    echo "lock: no uv at $uv; 'make setup' installs it, or name one by UV=" >&2
    exit 1
}
case $uv in
    */*) uv=$(cd "$(dirname "$uv")" && pwd)/$(basename "$uv") ;;
esac

# A company's own certificate authority is in the system's store, which uv does not read by itself.
if [ -z "${SSL_CERT_FILE:-}" ] && { [ -f /etc/ssl/certs/ca-certificates.crt ] || [ "$(uname)" = Darwin ]; }; then
    export UV_SYSTEM_CERTS="${UV_SYSTEM_CERTS:-true}"
fi

check=false
if [ "${1:-}" = "--check" ]; then
    check=true
    shift
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cp "$root/pyproject.toml" "$work/"
for lock in $locks; do
    if [ -f "$root/$lock" ]; then cp "$root/$lock" "$work/"; fi
done

cd "$work"
compile() {
    "$uv" pip compile "$@" --universal --python-version 3.11 \
        --generate-hashes --no-emit-index-url --no-header --quiet
}
compile pyproject.toml -o requirements.lock "$@" >/dev/null
compile --group pyproject.toml:build -c requirements.lock -o requirements-build.lock "$@" >/dev/null
compile pyproject.toml --group dev -c requirements.lock -c requirements-build.lock \
    -o requirements-dev.lock "$@" >/dev/null

stale=""
for lock in $locks; do
    if cmp -s "$lock" "$root/$lock"; then continue; fi
    stale="$stale $lock"
    if $check; then
        diff -u "$root/$lock" "$lock" | grep -E '^[+-][a-z0-9]' >&2 || true
    else
        cp "$lock" "$root/$lock"
    fi
done

if [ -z "$stale" ]; then
    echo "lock: the lock files fit pyproject.toml"
elif $check; then
    echo "lock: pyproject.toml asks for something else than$stale; run 'make lock' and commit the result" >&2
    exit 1
else
    echo "lock: written$stale"
fi
