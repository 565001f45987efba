#!/bin/sh
# Runs pytest where the plugins for clusters are at hand: in an environment of its own on top of .venv, which stays as
# the lock has it. Usage: scripts/cluster.sh [argument of pytest …]
set -eu
cd "$(dirname "$0")/.."
own=.venv-cluster
wanted=tests/cluster/requirements.txt
if ! cmp -s "$wanted" "$own/.packages" || [ .venv/.installed -nt "$own/.packages" ]; then
    .venv/bin/python -m venv --clear "$own"
    .venv/bin/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))' >"$(echo "$own"/lib/python*/site-packages)/below.pth"
    "$own/bin/python" -m pip install --disable-pip-version-check --quiet -r "$wanted"
    cp "$wanted" "$own/.packages"
fi
exec "$own/bin/python" -m pytest "$@"
