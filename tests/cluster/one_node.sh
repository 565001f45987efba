#!/bin/sh
# Starts a real Slurm of one node, this machine, from Debian's packages slurm-wlm and munge: `one_node.sh start|stop`.
# For a machine of one's own or of CI, as root: it writes /etc/slurm/slurm.conf, and leaves one alone that it did not write.
set -e
CONF=/etc/slurm/slurm.conf
HERE=/run/one-node-slurm
case "$1" in
stop)
    for name in slurmctld slurmd munged; do
        if [ -f "$HERE/$name.pid" ]; then kill "$(cat "$HERE/$name.pid")" 2>/dev/null || true; fi
    done
    if grep -q '^ClusterName=one-node$' "$CONF" 2>/dev/null; then rm "$CONF"; fi
    sleep 3
    rm -rf "$HERE"
    exit 0 ;;
start) ;;
*) echo "error: say start or stop" >&2; exit 2 ;;
esac
for command in munged slurmctld slurmd sbatch; do
    command -v $command >/dev/null || { echo "error: there is no $command here: apt-get install slurm-wlm munge" >&2; exit 2; }
done
if [ -f "$CONF" ] && ! grep -q '^ClusterName=one-node$' "$CONF"; then
    echo "error: $CONF is of another cluster, which stays as it is: use that one" >&2; exit 2
fi
mkdir -p "$HERE/state" "$HERE/spool" /etc/slurm
head -c 1024 /dev/urandom >"$HERE/key"; chmod 400 "$HERE/key"
munged --force --key-file="$HERE/key" --socket="$HERE/munge.socket" --pid-file="$HERE/munged.pid" \
    --log-file="$HERE/munged.log" --seed-file="$HERE/seed"
HOST=$(hostname -s)
cat >"$CONF" <<EOF
ClusterName=one-node
SlurmctldHost=$HOST(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=$HERE/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$HERE/state
SlurmdSpoolDir=$HERE/spool
SlurmctldPidFile=$HERE/slurmctld.pid
SlurmdPidFile=$HERE/slurmd.pid
SlurmctldLogFile=$HERE/slurmctld.log
SlurmdLogFile=$HERE/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
NodeName=$HOST NodeAddr=127.0.0.1 CPUs=$(nproc --all) RealMemory=$(($(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo) / 1024))
PartitionName=main Nodes=ALL Default=YES MaxTime=INFINITE State=UP
EOF
slurmctld -c
slurmd
for _ in $(seq 60); do
    sinfo -h -o %T 2>/dev/null | grep -q idle && exit 0
    sleep 1
done
echo "error: the node did not come up; see $HERE/slurmctld.log" >&2
exit 1
