#!/bin/sh
# Make .venv hold what a target needs; says nothing when it already does.
#
#   scripts/setup.sh run    the program and what it needs to run
#   scripts/setup.sh dev    that, and what tests, linters and docs need
#
# PYTHON=... names the interpreter, VENV=... another place than .venv. Every package comes from a
# hashed lock. The user's own pip settings (PIP_*, pip.conf) stay in force: mirrors keep working.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"
venv=${VENV:-.venv}
level=${1:-dev}
case $level in
    run) locks="requirements.lock requirements-build.lock" ;;
    dev) locks="requirements-dev.lock" ;;
    *)
        echo "setup: '$level' is not a level; allowed are run, dev" >&2
        exit 2
        ;;
esac

say() { echo "setup: $*" >&2; }
fail() {
    say "$@"
    exit 1
}

# What a finished set-up was made from. The place is part of it: a moved environment does not work.
stamp_of() { # level's locks
    { echo "$root"; cat "$@" pyproject.toml; } | cksum
}
is_done() { # level, its locks
    stamp_file="$venv/.ready-$1"
    shift
    [ -x "$venv/bin/python" ] && [ -f "$stamp_file" ] && [ "$(cat "$stamp_file")" = "$(stamp_of "$@")" ]
}

# shellcheck disable=SC2086  # a list of files without spaces, here and below
if is_done "$level" $locks; then exit 0; fi
if [ "$level" = run ] && is_done dev requirements-dev.lock; then exit 0; fi

# --- an interpreter ------------------------------------------------------------------------------
is_recent() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
has_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

find_python() { # a test that the interpreter must pass, too
    for candidate in ${PYTHON:-python3 python3.13 python3.12 python3.11 python3.14 python}; do
        if is_recent "$candidate" && "$1" "$candidate"; then
            echo "$candidate"
            return
        fi
    done
}

python=$(find_python has_venv)
if [ -z "$python" ]; then
    bare=$(find_python is_recent)
    if [ -z "$bare" ]; then
        if [ -n "${PYTHON:-}" ]; then
            fail "PYTHON=$PYTHON is not a Python of 3.11 or later"
        fi
        fail "no Python of 3.11 or later is on PATH (found: $(python3 --version 2>&1 || true)). Install one:" \
            "Debian 12 and Ubuntu 24.04 or later: apt-get install python3 python3-venv; macOS: brew install python@3.13"
    fi
    package="python$("$bare" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
    if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; then
        say "installing Debian's $package, without which $bare cannot make an environment (up to a minute)"
        apt_log=$(mktemp)
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$package"; } \
            >"$apt_log" 2>&1 </dev/null || {
            cat "$apt_log" >&2
            fail "apt-get could not install $package"
        }
        rm -f "$apt_log"
        python=$(find_python has_venv)
    fi
    [ -n "$python" ] || fail "$bare cannot make an environment: Debian and Ubuntu keep that part apart." \
        "Install it: apt-get install $package"
fi

# --- the environment -----------------------------------------------------------------------------
is_usable() { # works, and was not moved here from elsewhere: its scripts would start the old place
    "$venv/bin/python" -c 'import pip' >/dev/null 2>&1 && is_recent "$venv/bin/python" \
        && { [ ! -f "$venv/.place" ] || grep -qxF "$root" "$venv/.place"; }
}
if [ -e "$venv" ] && ! is_usable; then
    # Only ever remove what is an environment: VENV may name anything.
    [ -f "$venv/pyvenv.cfg" ] || fail "$venv is there and is no Python environment; remove it"
    say "$venv does not work any more (moved, or its Python is gone): making it anew"
    rm -rf "$venv"
fi
if [ ! -e "$venv" ]; then
    say "making $venv with $("$python" --version) (5 s)"
    "$python" -m venv "$venv"
fi
echo "$root" >"$venv/.place"
rm -f "$venv"/.ready-*

install() { # errors are shown, progress and warnings about the user's mirrors are not
    "$venv/bin/python" -m pip --disable-pip-version-check --no-input install -qq "$@" </dev/null
}
requirements=""
for lock in $locks; do requirements="$requirements -r $lock"; done
say "installing the packages of $locks (10 to 60 s)"
# shellcheck disable=SC2086  # a list of options, made just above
install --require-hashes $requirements
install --no-deps --no-build-isolation --editable .
# shellcheck disable=SC2086  # a list of files without spaces
stamp_of $locks >"$venv/.ready-$level"
say "ready"
