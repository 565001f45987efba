#!/bin/sh
# Runs a command without a network: in a network namespace of its own, where this machine alone can be reached.
# Usage: scripts/offline.sh COMMAND …    as root, or where users may make namespaces; exit status 2 elsewhere
set -eu
cd "$(dirname "$0")/.."
for apart in "unshare -n" "unshare -rn"; do
    if $apart ip link set lo up 2>/dev/null; then
        # Connecting a datagram socket sends nothing: it asks for a route. The address is one of those kept for documents.
        exec $apart sh -euc 'ip link set lo up
            .venv/bin/python -c "
import errno, socket
code = socket.socket(type=socket.SOCK_DGRAM).connect_ex((\"192.0.2.1\", 80))
raise SystemExit(0 if code == errno.ENETUNREACH else \"error: an address outside can be reached; nothing was run\")"
            echo "No address outside this machine can be reached: $*"
            exec "$@"' sh "$@"
    fi
done
echo "error: no network namespace can be made here: run this as root, with unshare and ip (Debian: util-linux, iproute2)" >&2
exit 2
