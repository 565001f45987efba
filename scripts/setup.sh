#!/bin/sh
# Makes .venv, or the folder that VENV names, hold what requirements.lock says, and xmlib itself, editable. `make` calls
# it; it may be stopped at any point and started again: only a finished set of packages is marked, by a copy of the locks
# inside it. A file whose hash is not in the lock is not installed. `pip check` says at the end whether the lock is whole.
# Usage: scripts/setup.sh [python …]    the first of these that will do is used
set -eu
cd "$(dirname "$0")/.."
venv=${VENV:-.venv}
mark=$venv/.packages
locks="requirements.lock requirements-cuda.lock"
log=$venv/setup.log

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

stop() { cat "$log" >&2; echo "error: set-up stopped; start it again when the cause is gone" >&2; exit 1; }

run() { "$@" >>"$log" 2>&1 || stop; }  # quiet when it works, everything when it does not

installed() { ls -d $venv/lib/python*/site-packages/*.dist-info 2>/dev/null | wc -l; }

show() {  # how far pip is, on a terminal: it finds and fetches all packages, then installs them, in about equal times
    found=$(grep -c '^Collecting' "$log" || true)
    there=$(installed)
    steps=$((there > 2 ? total + there : found))
    spent=$(($(date +%s) - start))
    left=$((steps > total / 4 ? spent * (2 * total - steps) / steps : 120))
    printf '\r\033[K%s of %s packages installed, %s found; about %s s left' "$there" "$total" "$found" "$left" >&2
}

# pip would compile 17,000 modules one after the other, most of which nobody imports: half of its time.
take() { $venv/bin/python -m pip install --disable-pip-version-check --no-compile --no-deps --require-hashes "$@" >>"$log" 2>&1; }

package() { sed -n "/^$1==/,/[^\\\\]\$/p" requirements.lock; }  # its lines in the lock: pin and hashes

# pip prefers files whose hash an index names to those of a folder, and PyTorch's CUDA build so to a CPU build at hand.
# Hence the file is chosen without hashes, put aside, and installed only if its hash is in the lock.
take_torch() {
    $venv/bin/python -m pip download --disable-pip-version-check --no-deps --dest $venv/torch \
        "$(package torch | sed 's/ .*//;q')" >>"$log" 2>&1 || return 1
    package torch | sed "1s|^[^ ]*|$(ls $venv/torch/torch-*.whl)|" >$venv/torch.lock
    take -r $venv/torch.lock && rm -r $venv/torch
}

# Some packages come as source. They are built by the setuptools of the lock, and not by one that pip would fetch unseen.
take_all() {
    { package setuptools; package wheel; } >$venv/build.lock
    take -r $venv/build.lock && take_torch && take --no-build-isolation -r requirements.lock || return 1
    if $venv/bin/python -c 'import importlib.metadata as m
raise SystemExit(not any(r.startswith(("nvidia", "cuda")) for r in m.requires("torch")))'
    then take -r requirements-cuda.lock; fi
}

install() {
    take_all &
    pip=$!
    trap 'kill $pip 2>/dev/null; exit 130' INT TERM
    while kill -0 $pip 2>/dev/null; do
        if [ -t 2 ]; then show; fi
        sleep 1
    done
    if [ -t 2 ]; then printf '\r\033[K' >&2; fi
    trap - INT TERM
    wait $pip
}

compile() {  # what is imported, once and on two cores; elsewhere it would happen on the way, or each time anew
    unset PYTHONDONTWRITEBYTECODE
    $venv/bin/python -c "import book.make.results.report, book.make.explorer.write, xmlib.neighborhoods.study, book.make.theory.figures, torch._dynamo" &
    $venv/bin/python -c "import jupytext, papermill.cli, ipykernel.kernelapp, IPython, music21, verovio, snakemake.cli
import matplotlib_inline.backend_inline, jupyter_book.cli.main, sphinx.builders.html, sphinx_book_theme, myst_nb" || :
    wait
}

fresh=
if ! cat $locks | cmp -s - "$mark"; then
    [ $# -gt 0 ] || set -- python3.11 python3.12 python3.13 python3
    python=$(choose "$@")
    start=$(date +%s)
    total=$(grep -c '^[^# ]' requirements.lock)
    if [ -L "$venv" ]; then
        echo "error: $venv is a link to $(readlink "$venv"), which would be emptied: remove the link, or install there" >&2
        exit 2
    fi
    echo "Installing $total packages of requirements.lock into $venv ($("$python" -V), 2.6 GB): 2 to 10 min, by what else the machine does"
    "$python" -m venv --clear "$venv"
    : >"$log"
    install || stop
    cat $locks >"$mark"
    fresh=yes
fi
: >"$log"
run $venv/bin/python -m pip install --disable-pip-version-check --no-deps --no-build-isolation --editable .
run $venv/bin/python -m pip check
if [ "$fresh" ]; then
    compile >>"$log" 2>&1
    echo "Installed in $(($(date +%s) - start)) s."
fi
touch $venv/.installed
