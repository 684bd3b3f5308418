#!/usr/bin/env bash
# The recipes for Slurm of "Run it yourself", on a Slurm of one node that this script starts and stops. Needs root on Debian or Ubuntu.
#   tests/cluster/slurm.sh [STUDY]      default: sim_concept_learning, smoke scale
# 1. A job array of six runs with disjoint seeds, and one table of them.
# 2. A sweep of four runs on Dask workers that dask-jobqueue submits; it is stopped half-way and started again.
set -euo pipefail
cd "$(dirname "$0")/../.."
study=${1:-sim_concept_learning}
root=$PWD
work=$(mktemp -d)
export SLURM_CONF=$work/slurm.conf
export OMP_NUM_THREADS=1

command -v slurmctld >/dev/null || apt-get install -y -q --no-install-recommends slurmctld slurmd slurm-client munge
[ -x .venv/bin/dask ] || { echo "run 'make book' first" >&2; exit 2; }
.venv/bin/python -c 'import dask_jobqueue' 2>/dev/null || .venv/bin/python -m pip install -q -c constraints.txt dask-jobqueue

stop() {
  pkill -F "$work/slurmd.pid" 2>/dev/null || true
  pkill -F "$work/slurmctld.pid" 2>/dev/null || true
  sleep 2
  rm -rf "$work" || true
}
trap stop EXIT

host=$(hostname -s)
cat >"$SLURM_CONF" <<CONF
ClusterName=here
SlurmctldHost=$host(127.0.0.1)
SlurmUser=root
AuthType=auth/munge
ProctrackType=proctrack/pgid
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
ReturnToService=2
MpiDefault=none
SlurmctldPort=26817
SlurmdPort=26818
StateSaveLocation=$work/state
SlurmdSpoolDir=$work/spool
SlurmctldPidFile=$work/slurmctld.pid
SlurmdPidFile=$work/slurmd.pid
SlurmctldLogFile=$work/slurmctld.log
SlurmdLogFile=$work/slurmd.log
NodeName=$host NodeAddr=127.0.0.1 CPUs=$(nproc) RealMemory=6000 State=UNKNOWN
PartitionName=all Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
mkdir "$work/state" "$work/spool"
pgrep -x munged >/dev/null || { mkdir -p /run/munge && chown munge: /run/munge && runuser -u munge -- munged; }
slurmctld
slurmd
for _ in $(seq 60); do sinfo -h -o %T | grep -q idle && break; sleep 1; done
sinfo

echo "== a job array of six"
cat >"$work/array.sh" <<JOB
#!/bin/bash
#SBATCH --array=0-5
#SBATCH --cpus-per-task=1
#SBATCH --output=$work/array-%a.log
cd $root
source .venv/bin/activate
export OMP_NUM_THREADS=\$SLURM_CPUS_PER_TASK
seed=\$((100 * SLURM_ARRAY_TASK_ID))
synthcore run $study --scale smoke -p seed \$seed --out $work/runs/seed-\$seed
JOB
sbatch --wait "$work/array.sh"
.venv/bin/synthcore collect "$work/runs" | grep "^6 runs, varying seed"

echo "== a sweep on workers of dask-jobqueue"
cat >"$work/workers.py" <<PY
import sys, time
from dask_jobqueue import SLURMCluster
if __name__ == "__main__":
    cluster = SLURMCluster(
        cores=1, processes=1, memory="2GB", walltime="00:30:00", interface="lo", python=sys.executable,
        job_script_prologue=["export OMP_NUM_THREADS=1", "cd $root"], log_directory="$work",
    )
    cluster.scale(jobs=2)
    print(cluster.scheduler_address, flush=True)
    time.sleep(3600)
PY
.venv/bin/python "$work/workers.py" >"$work/address" &
workers=$!
trap 'kill $workers 2>/dev/null || true; stop' EXIT
until [ -s "$work/address" ]; do sleep 1; done
sweep=(.venv/bin/synthcore sweep "$study" --scale smoke --seeds 4 --out "$work/sweep" --scheduler "$(cat "$work/address")")
"${sweep[@]}" & running=$!
until ls "$work"/sweep/*/record.json >/dev/null 2>&1; do sleep 1; done
kill -9 "$running"
wait "$running" || true
echo "stopped with $(ls "$work"/sweep/*/record.json | wc -l) of 4 runs done"
"${sweep[@]}" | grep "^4 of 4 runs done"
echo "== both recipes work"
