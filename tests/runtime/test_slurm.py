"""The job scripts, with a sbatch that runs what it is given at once."""

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from linreg_mirror.runtime.store import Store

CHECKOUT = Path(__file__).resolve().parents[2]
PYTHON = shlex.quote(sys.executable)

# Runs the jobs of an array all at once, then says their number, and writes down how it was called.
SBATCH = r"""
echo "$*" >> "$LOG"
parsable= array= dependency=
while [[ $1 == --* ]]; do
    case $1 in
        --parsable) parsable=1 ;;
        --array=*) array=${1#*=} ;;
        --dependency=*) dependency=${1#*=} ;;
        *) echo "sbatch: unrecognized option '$1'" >&2; exit 1 ;;
    esac
    shift
done
export SLURM_JOB_ID=$((100 + $(wc -l < "$LOG"))) SLURM_CPUS_PER_TASK=1
if [[ $array == *-* ]]; then
    indices=$(seq "${array%-*}" "${array#*-}")
else
    indices=${array//,/ }
fi
if [[ $array ]]; then
    export SLURM_ARRAY_JOB_ID=$SLURM_JOB_ID SLURM_ARRAY_TASK_COUNT=$(wc -w <<< "$indices")
    for i in $indices; do
        SLURM_ARRAY_TASK_ID=$i bash "$@" > "$LOG.shard-$i" 2>&1 &
    done
    wait
else
    bash "$@" > "$LOG.last" 2>&1
    echo $? > "$LOG.exit"
fi
[[ ! $parsable ]] || echo "$SLURM_JOB_ID;here"
"""


@pytest.fixture
def run(tmp_path):
    commands = {
        "sbatch": SBATCH,
        "linreg-mirror": f'exec {PYTHON} -W ignore -m linreg_mirror.cli "$@"',
        "torchrun": f'exec {PYTHON} -W ignore -m torch.distributed.run "$@"',
        "srun": 'exec "$@"',
        "scontrol": '[[ "$*" == "show hostnames localhost" ]] && printf "localhost\\nother\\n"',
    }
    (tmp_path / "bin").mkdir()
    for name, body in commands.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    environment = {name: value for name, value in os.environ.items() if not name.startswith("SLURM_")} | {
        "PATH": f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(CHECKOUT),
        "LOG": str(tmp_path / "log"),
        "LINREG_MIRROR_RESULTS": str(tmp_path / "results"),
        "OMP_NUM_THREADS": "1",
    }

    def run(*words, **more):
        return subprocess.run(
            ["bash", *map(str, words)],
            cwd=tmp_path, env=environment | more, capture_output=True, text=True, check=False, timeout=300,
        )  # fmt: skip

    return run


def report(folder):
    entries = json.loads((folder / "report.json").read_text(encoding="utf-8"))["theorems"]
    return {entry["id"]: {key: value for key, value in entry.items() if key != "seconds"} for entry in entries}


def test_shards_of_an_array_and_the_report_of_all(run, tmp_path):
    script, asked = CHECKOUT / "slurm" / "check.sh", ["masks", "--instances", "12"]
    done = run(script, 3, *asked)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "shards: job 101, report: job 102\n"
    submitted = (tmp_path / "log").read_text().splitlines()
    assert submitted == [
        f"--parsable --array=1-3 {script} shard 3 masks --instances 12",
        f"--parsable --dependency=afterany:101 {script} merge masks --instances 12",
    ]
    logs = [(tmp_path / f"log.{name}").read_text() for name in ("shard-1", "shard-2", "shard-3", "last")]
    assert (tmp_path / "log.exit").read_text() == "0\n", logs
    check = tmp_path / "results" / "check"
    stored = [json.dumps(settings) for settings, _ in Store(check / "instances").records()]
    # What one process finds in a store of its own.
    alone = run("-c", f"linreg-mirror check {' '.join(asked)}", LINREG_MIRROR_RESULTS=str(tmp_path / "alone"))
    assert alone.returncode == 0, alone.stdout + alone.stderr
    assert report(check / "selected") == report(tmp_path / "alone" / "check" / "selected")
    expected = [json.dumps(settings) for settings, _ in Store(tmp_path / "alone" / "check" / "instances").records()]
    assert stored == expected
    assert all((check / f"shard-{i}-of-3" / "report.json").exists() for i in (1, 2, 3))


@pytest.mark.slow
def test_shards_can_be_done_again(run, tmp_path):
    script, asked = CHECKOUT / "slurm" / "check.sh", ["signs.crossing", "--instances", "6"]
    done = run(tmp_path / "bin" / "sbatch", "--array=2,5", script, "shard", 16, *asked)
    assert done.returncode == 0, done.stderr
    folders = sorted(path.name for path in (tmp_path / "results" / "check").glob("shard-*"))
    assert folders == ["shard-2-of-16", "shard-5-of-16"]


@pytest.mark.parametrize("shards", ["", "0", "-3", "mirror", "3/16"])
def test_how_many_shards_must_be_said(run, shards, tmp_path):
    done = run(CHECKOUT / "slurm" / "check.sh", shards, "mirror")
    assert done.returncode == 2
    assert "usage: bash slurm/check.sh SHARDS" in done.stderr
    assert f"got '{shards}'" in done.stderr
    assert not (tmp_path / "log").exists()


@pytest.mark.slow
def test_a_network_is_trained_by_all_processes_of_a_job(run, tmp_path):
    job = {"SLURM_JOB_ID": "123456", "SLURM_NNODES": "1", "SLURM_GPUS_ON_NODE": "2", "SLURM_JOB_NODELIST": "localhost"}
    words = ["pilot-digits", "--set", "epochs=1", "--output", str(tmp_path / "run")]
    done = run(CHECKOUT / "slurm" / "train.sh", *words, **job)
    assert done.returncode == 0, done.stderr
    assert len((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()) == 1
    assert (tmp_path / "run" / "final.safetensors").exists()
