#!/bin/bash
# Trains one network on all accelerators of a job, a process each, by torchrun:
#
#     sbatch --nodes 2 --gpus-per-node 4 slurm/train.sh pilot-imagenet --data-dir DATA --device cuda
#
# What follows the script goes to `linreg-mirror train`. Run it where linreg-mirror and torch are installed, in a folder
# that all nodes see. Submitted again, it resumes after the last epoch.
#
#SBATCH --job-name=linreg-mirror-train
#SBATCH --ntasks-per-node=1
#SBATCH --cpus-per-task=16
#SBATCH --time=24:00:00
set -euo pipefail

mapfile -t nodes < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
# Jobs on one node at a time have ports of their own.
port=$((20000 + SLURM_JOB_ID % 10000))
srun torchrun \
    --nnodes "$SLURM_NNODES" --nproc-per-node "${SLURM_GPUS_ON_NODE:-1}" \
    --rdzv-backend c10d --rdzv-endpoint "${nodes[0]}:$port" --rdzv-id "$SLURM_JOB_ID" \
    --no-python linreg-mirror train "$@"
