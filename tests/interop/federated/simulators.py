# SPDX-License-Identifier: Apache-2.0
"""Runs the examples of bindings/python/examples/federated in Flower's and NVIDIA FLARE's own simulators."""

import contextlib
import os
import pathlib
import socket
import subprocess
import sys
import time
import urllib.request

import psutil

EXAMPLES = pathlib.Path(__file__).resolve().parents[3] / "bindings" / "python" / "examples" / "federated"
PATIENCE = 300  # seconds for one federation


def start(command, log, **environment):
    """A process with its output in the file log."""
    with open(log, "w") as out:
        return subprocess.Popen(list(map(str, command)), stdout=out, stderr=out, env={**os.environ, **environment})


def stop(process):
    """Kills it and what it has started, which the engines put into process groups of their own. All are halted first,
    so that none starts another meanwhile."""
    family = set()
    with contextlib.suppress(psutil.NoSuchProcess):
        root = psutil.Process(process.pid)
        while (now := {root, *root.children(recursive=True)}) - family:
            for other in now - family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    other.suspend()
            family |= now
    for other in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            other.kill()
    process.wait()


def last_lines(log):
    return "\n".join(log.read_text(errors="replace").splitlines()[-40:])


class Flower:
    """A SuperLink on loopback that simulates the sites; no other program is contacted."""

    def __init__(self, folder):
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        self.folder, self.log = folder, folder / "superlink.log"
        self.environment = {
            "FLWR_HOME": str(folder / "flwr"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
        }
        (folder / "flwr").mkdir()
        (folder / "flwr" / "config.toml").write_text(
            f'[superlink]\ndefault = "here"\n[superlink.here]\naddress = "127.0.0.1:{port}"\ninsecure = true\n'
        )
        self.process = start(
            f"flower-superlink --insecure --simulation --host 127.0.0.1 --port {port} "
            "--disable-runtime-dependency-installation".split(),
            self.log,
            **self.environment,
        )
        self._wait(f"http://127.0.0.1:{port}/health")

    def _wait(self, address):
        for _ in range(PATIENCE):
            with contextlib.suppress(OSError):
                urllib.request.urlopen(address, timeout=2).close()
                return
            if self.process.poll() is not None:
                break
            time.sleep(1)
        raise RuntimeError(f"flower-superlink does not answer:\n{last_lines(self.log)}")

    def run(self, **config):
        """Runs the app with this configuration, that of its pyproject.toml."""
        values = " ".join(f"{key}={value}" if isinstance(value, int) else f'{key}="{value}"'
                          for key, value in config.items())
        log = self.folder / "flower.log"
        run = start(
            ["flwr", "run", EXAMPLES, "here", "--stream", "--federation-config", f"num-supernodes={config['sites']}",
             "--run-config", values],
            log,
            **self.environment,
        )
        try:
            run.wait(PATIENCE)
        finally:
            stop(run)
        if not config["out"].exists():
            raise RuntimeError(f"Flower wrote no model:\n{last_lines(log)}")

    def close(self):
        self.process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(20)
        stop(self.process)


def flare(folder, **arguments):
    """Runs flare_job.py with these arguments. FLARE's simulator starts the sites' processes at the same time, and loses
    one if its first connection reaches a socket that is about to be closed, and waits for it without end. The run is
    then started again."""
    log, out = folder / "flare.log", arguments["out"]
    words = [word for name, value in arguments.items() for word in (f"--{name}", value)]
    for _ in range(5):
        run = start([sys.executable, EXAMPLES / "flare_job.py", *words, "--workspace", folder / "flare"], log)
        try:
            deadline = time.time() + PATIENCE
            while run.poll() is None and time.time() < deadline and "Communication error" not in log.read_text():
                time.sleep(0.5)
        finally:
            stop(run)
        if out.exists() and run.returncode == 0:
            return
        if "Communication error" not in log.read_text():
            break
    raise RuntimeError(f"FLARE wrote no model:\n{last_lines(log)}")
