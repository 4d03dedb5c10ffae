"""A Dask cluster whose scheduler and workers are processes."""

import json
import os
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).parents[2]


class Dask:
    """A scheduler and workers, none of which shares this process's working directory."""

    def __init__(self, folder):
        self.folder, self.processes = folder, []
        self.environment = os.environ | {"PYTHONPATH": str(CHECKOUT)}
        file = folder / "scheduler.json"
        self.scheduler = self._start("scheduler", "--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file))
        while not (text := file.read_text() if file.exists() else "").endswith("}"):  # whole, not only begun
            assert self.scheduler.poll() is None
            time.sleep(0.05)
        self.address = json.loads(text)["address"]

    def _start(self, role, *options, **environment):
        process = subprocess.Popen(
            [sys.executable, "-m", f"distributed.cli.dask_{role}", *options, "--no-dashboard"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            cwd=self.folder,
            env=self.environment | environment,
        )
        self.processes.append(process)
        return process

    def worker(self, *, threads=1, **environment):
        """Start a worker and return its process, which nobody starts again."""
        return self._start("worker", self.address, "--nthreads", str(threads), "--no-nanny", **environment)

    def workers(self, count, **options):
        """Start workers and wait until they have all arrived."""
        from distributed import Client

        processes = [self.worker(**options) for _ in range(count)]
        with Client(self.address, set_as_default=False) as client:
            client.wait_for_workers(count, 60)
        return processes

    def stop(self):
        for process in reversed(self.processes):
            process.kill()
            process.wait(30)
