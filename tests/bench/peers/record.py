# SPDX-License-Identifier: Apache-2.0
"""What the programs that measure a peer share: their arguments, the measuring, and the line of JSON they print."""
import argparse
import json
import resource
import statistics
import time


def arguments(description, **more):
    """Those of all programs, and more: name=default, all text."""
    p = argparse.ArgumentParser(description=description)
    for name, default in dict(row="infer", network="vit_base", compute="f32", **more).items():
        p.add_argument("--" + name, default=default)
    for name, default in dict(image=224, threads=2, batch=4, rounds=3).items():
        p.add_argument("--" + name, type=int, default=default)
    return p.parse_args()


def measure(rounds, step):
    """Seconds of each of `rounds` calls, after two that are not counted."""
    times = []
    for i in range(rounds + 2):
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return times[2:]


def write(a, peer, how, times, **more):
    """Prints the row in the form of `bench --json`; what only bench knows is null. rss_mb: the largest memory that
    the process had up to now, with imports, loading and compiling."""
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024e-6
    print(json.dumps(dict(row=a.row, network=a.network, image=a.image, compute=a.compute, isa=None, threads=a.threads,
                          batch=a.batch, seconds=statistics.median(times), gflop=None, of_peak=None, planned_mb=None,
                          peer=peer, how=how, rss_mb=round(rss, 1), **more)), flush=True)
