#!/bin/sh
# Makes .venv hold what requirements.lock says, and xmlib itself, editable. `make` calls it; it may be stopped at any
# point and started again: only a finished set of packages is marked, by a copy of the lock inside .venv.
# Usage: scripts/setup.sh [python …]    the first of these that will do is used
set -eu
cd "$(dirname "$0")/.."
mark=.venv/.packages
log=.venv/setup.log

will_do() {  # Python 3.11 to 3.13, and able to make environments (Debian keeps that in python3-venv)
    "$1" -c 'import sys, ensurepip, venv; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' 2>/dev/null
}

choose() {
    for candidate in "$@"; do
        if will_do "$candidate"; then echo "$candidate"; return; fi
    done
    echo "error: none of these is a Python 3.11, 3.12 or 3.13 with the venv module: $*" >&2
    echo "Install one (Debian, Ubuntu: apt-get install python3 python3-venv) or name it: make PYTHON=/path/to/python" >&2
    return 1
}

run() {  # quiet when it works, everything when it does not
    "$@" >>"$log" 2>&1 || { cat "$log" >&2; echo "error: set-up stopped; start it again when the cause is gone" >&2; exit 1; }
}

if ! cmp -s requirements.lock "$mark"; then
    [ $# -gt 0 ] || set -- python3.11 python3.12 python3.13 python3
    python=$(choose "$@")
    start=$(date +%s)
    echo "Installing the packages of requirements.lock into .venv ($("$python" -V); some minutes, 2.6 GB) …"
    "$python" -m venv --clear .venv
    : >"$log"
    run .venv/bin/python -m pip install --disable-pip-version-check -r requirements.lock
    cp requirements.lock "$mark"
    echo "Installed in $(($(date +%s) - start)) s."
fi
: >"$log"
run .venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
run .venv/bin/python -m pip check
touch .venv/.installed
