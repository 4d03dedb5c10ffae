#!/bin/bash
# Checks the ledger in shards, one job of an array each; a last job reads all results and writes the report. On a login
# node:
#
#     bash slurm/check.sh 16 mirror --instances 10000
#
# 16 is the number of shards, the rest goes to `linreg-mirror check`. Run it where linreg-mirror is installed, in a folder
# that all nodes see: results/ is made there, or LINREG_MIRROR_RESULTS says where. Partition, account and the like are
# read by sbatch from the environment (SBATCH_PARTITION=...). To do shards 3 and 7 again:
#
#     sbatch --array=3,7 slurm/check.sh shard 16 mirror --instances 10000
#
#SBATCH --job-name=linreg-mirror
#SBATCH --cpus-per-task=4
#SBATCH --mem-per-cpu=2G
#SBATCH --time=04:00:00
set -euo pipefail

check() {
    linreg-mirror check "$@" --jobs "${SLURM_CPUS_PER_TASK:-1}"
}

step=${1:-}
shift || true
case $step in
    shard)  # shard COUNT ...: a job of the array. Not SLURM_ARRAY_TASK_COUNT, which is smaller where few are done again.
        count=$1
        shift
        check "$@" --shard "$SLURM_ARRAY_TASK_ID/$count"
        ;;
    merge)  # merge ...: the job after the array
        check "$@"
        ;;
    '' | 0 | *[!0-9]*)
        echo "usage: bash slurm/check.sh SHARDS [THEOREMS AND OPTIONS OF linreg-mirror check], got '$step' for SHARDS" >&2
        exit 2
        ;;
    *)
        command -v sbatch > /dev/null || { echo "sbatch is not here: submit from a login node of a SLURM cluster" >&2; exit 1; }
        array=$(sbatch --parsable --array="1-$step" "$0" shard "$step" "$@")
        array=${array%%;*}  # of several clusters, ID;CLUSTER
        # Also after a shard that was killed: what it has not stored is computed here.
        last=$(sbatch --parsable --dependency="afterany:$array" "$0" merge "$@")
        echo "shards: job $array, report: job ${last%%;*}"
        ;;
esac
