# SPDX-License-Identifier: Apache-2.0
"""Measures the rows of `bench` in libpeft and in the peers, in turns, each measurement in a process of its own. Round 1
tries every way of every peer; the later rounds measure libpeft and each row's fastest ways (those within 15 % of the
fastest). Writes peers.json (after each measurement, so a run that is ended early is kept) and peers.svg into --out and
prints a table. What cannot be measured is listed with the reason."""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

import chart
import table

HERE = os.path.dirname(os.path.abspath(__file__))
ROWS = "infer,linear,ept,vpt,lora,full"
ENGINES = [("onnxruntime", "f32", ""), ("onnxruntime", "int8", "dynamic"), ("onnxruntime", "int8", "static"),
           ("openvino", "f32", ""), ("openvino", "bf16", ""), ("openvino", "int8", "nncf"),
           ("openvino", "int8", "nncf bf16")]
NEAR = 1.15                       # later rounds measure the ways whose time is at most this multiple of the fastest


def arguments():
    p = argparse.ArgumentParser(prog="peers.sh", description=__doc__)
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--batch", default="1,4", help="batch sizes between commas")
    p.add_argument("--rounds", type=int, default=3)
    p.add_argument("--repeat", type=int, default=5, help="times measured in one process")
    p.add_argument("--rows", default=ROWS, help="of " + ROWS)
    p.add_argument("--compute", default="f32,bf16,bf16_all,int8", help="bf16_all: peers that keep everything in bf16")
    p.add_argument("--modes", default="eager,compiled,frozen", help="of torch; tuned: with max-autotune, takes long")
    p.add_argument("--attention", default="fused,math", help="of torch")
    p.add_argument("--network", default="vit_base", help="vit_tiny, vit_small, vit_base or vit_large")
    p.add_argument("--image", type=int, default=224, help="pixels")
    p.add_argument("--quick", action="store_true", help="a trial: vit_tiny, batch 1, one round, one time each")
    p.add_argument("--bench", required=True, help=argparse.SUPPRESS)
    p.add_argument("--out", required=True, help="folder for results, exported models and compiled code")
    a = p.parse_args()
    if a.quick:
        a.network, a.batch, a.rounds, a.repeat = "vit_tiny", "1", 1, 1
    unknown = set(a.rows.split(",")) - set(ROWS.split(","))
    if unknown:
        p.error(f"--rows: given '{min(unknown)}'; expected names of {ROWS}")
    return a


class Way:
    """One way to compute a row: a program, and what its measurements gave."""

    def __init__(self, peer, row, batch, compute, how, command):
        self.peer, self.row, self.batch, self.compute, self.how, self.command = peer, row, batch, compute, how, command
        self.records, self.reason = [], None

    def seconds(self):
        return statistics.median(r["seconds"] for r in self.records)

    def summary(self):
        """The row of peers.json: the last record, with the median over rounds and the greatest memory."""
        return dict(self.records[-1], seconds=self.seconds(), rounds=[r["seconds"] for r in self.records],
                    rss_mb=max(r["rss_mb"] for r in self.records))

    def failure(self):
        return dict(row=self.row, batch=self.batch, compute=self.compute, peer=self.peer, how=self.how,
                    reason=self.reason)


def ways_of(a, row, batch):
    """All ways to compute a row: libpeft's first."""
    shared = ["--network", a.network, "--image", a.image, "--threads", a.threads, "--batch", batch,
              "--rounds", a.repeat]
    computes = [c for c in a.compute.split(",") if row == "infer" or c != "int8"]
    ways = []
    for c in dict.fromkeys(c.removesuffix("_all") for c in computes):
        # For inference the peers store the weights in the type that they compute in; training keeps those of the file.
        weights = c if row == "infer" and c in ("bf16", "int8") else "file"
        ways.append(Way("libpeft", row, batch, c, "", [a.bench, *shared, "--only", "steps", "--row", row,
                                                       "--compute", c, "--weights", weights,
                                                       "--json", os.path.join(a.out, "row.json")]))
    for c in computes:
        if c == "int8":
            way = Way("PyTorch", row, batch, c, "", None)
            way.reason = "torch has no int8 quantiser for this network without further packages"
            ways.append(way)
            continue
        for mode in a.modes.split(","):
            for attention in a.attention.split(","):
                if mode != "frozen" or row == "infer":
                    command = [sys.executable, os.path.join(HERE, "steps.py"), *shared, "--row", row, "--compute", c,
                               "--mode", mode, "--attention", attention]
                    ways.append(Way("PyTorch", row, batch, c, f"{mode} {attention}", command))
    for engine, c, how in ENGINES:
        if row == "infer" and c in computes:
            command = [sys.executable, os.path.join(HERE, "engines.py"), *shared, "--compute", c, "--engine", engine,
                       "--how", how, "--folder", os.path.join(a.out, "models")]
            ways.append(Way(engine, row, batch, c, how, command))
    return ways


def run(a, command):
    """Runs a program; its output, its error or None, and its peak memory in MB."""
    inductor = os.path.join(a.out, "inductor")
    environment = dict(os.environ, OMP_NUM_THREADS=str(a.threads), MKL_NUM_THREADS=str(a.threads),
                       PYTHONDONTWRITEBYTECODE="1", TORCHINDUCTOR_CACHE_DIR=inductor, TOKENIZERS_PARALLELISM="false")
    log = os.path.join(a.out, "log")
    with open(log, "w+") as errors, open(log + ".out", "w+") as output:
        child = subprocess.Popen([str(c) for c in command], stdout=output, stderr=errors, env=environment)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        errors.seek(0)
        output.seek(0)
        said = [line.strip() for line in errors if line.strip()]
        reason = None if child.returncode == 0 else (said or [f"ended with status {child.returncode}"])[-1][:300]
        return output.read(), reason, usage.ru_maxrss * 1024e-6


def measure(a, way):
    if way.peer == "libpeft":
        file = way.command[-1]
        if os.path.exists(file):
            os.remove(file)
        _, way.reason, rss = run(a, way.command)
        if not way.reason:
            with open(file) as f:
                way.records.append(dict(json.loads(f.read()), peer="libpeft", how="", rss_mb=round(rss, 1)))
        return
    if way.peer in ("onnxruntime", "openvino"):
        _, way.reason, _ = run(a, way.command + ["--prepare", "yes"])
        if way.reason:
            return
    output, way.reason, _ = run(a, way.command)
    if not way.reason:
        way.records.append(json.loads([line for line in output.splitlines() if line.startswith("{")][-1]))


def chosen(ways, first):
    """The ways that a round measures."""
    fastest = {}
    for w in ways:
        if w.records and w.peer != "libpeft":
            fastest[w.compute] = min(w.seconds(), fastest.get(w.compute, w.seconds()))
    return [w for w in ways if w.command and not w.reason and
            (first or w.peer == "libpeft" or w.records and w.seconds() <= NEAR * fastest[w.compute])]


def save(a, machine, all_ways):
    result = dict(machine=machine, arguments={k: v for k, v in vars(a).items() if k not in ("bench", "out")},
                  rows=[w.summary() for w in all_ways if w.records],
                  not_measured=[w.failure() for w in all_ways if w.reason])
    with open(os.path.join(a.out, "peers.json.new"), "w") as f:
        json.dump(result, f, indent=1)
    os.replace(os.path.join(a.out, "peers.json.new"), os.path.join(a.out, "peers.json"))
    return result


def main():
    a = arguments()
    os.makedirs(a.out, exist_ok=True)
    machine = table.machine()
    print(table.machine_text(machine), flush=True)
    groups = [ways_of(a, row, int(batch)) for batch in a.batch.split(",") for row in a.rows.split(",")]
    all_ways = [w for ways in groups for w in ways]
    start = time.monotonic()
    for r in range(a.rounds):
        for ways in groups:
            for way in chosen(ways, r == 0):
                measure(a, way)
                result = save(a, machine, all_ways)
                said = way.reason or f"{way.records[-1]['seconds']:.4f} s"
                print(f"{time.monotonic() - start:6.0f} s  round {r + 1}: {way.row} batch {way.batch} {way.compute} "
                      f"{way.peer} {way.how}: {said}", file=sys.stderr, flush=True)
    lines = table.lines(result)
    print(table.text(lines, result))
    with open(os.path.join(a.out, "peers.svg"), "w") as f:
        f.write(chart.svg(lines, machine, result["arguments"]))
    print(f"{a.out}/peers.json, {a.out}/peers.svg")


if __name__ == "__main__":
    main()
