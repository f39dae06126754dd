#!/bin/sh
# Every linter over the whole tree; all run, and the ones that complained are named at the end.
set -u

cd "$(dirname "$0")/.." || exit 1
PATH=$(cd "${VENV:-.venv}/bin" && pwd):$PATH
failed=""

lint() { # name, command...
    name=$1
    shift
    echo "-- $name"
    "$@" || failed="$failed $name"
}
lint_where_present() { # hadolint and shellcheck come with the environment on Linux x86-64 only
    if command -v "$2" >/dev/null 2>&1; then
        lint "$@"
    else
        echo "-- $1: no $2 here, left out"
    fi
}

lint "ruff-check" ruff check .
lint "ruff-format" ruff format --check .
lint "import-rules" lint-imports --no-logo
lint_where_present "shellcheck" shellcheck .ci/run scripts/*.sh
lint_where_present "hadolint" hadolint Dockerfile

if [ -n "$failed" ]; then
    echo "lint: failed:$failed" >&2
    exit 1
fi
