# SPDX-License-Identifier: Apache-2.0
"""What a call from Python costs beside the same call from C: fails from 50 microseconds on.

    overhead.py             needs a C compiler (CC) and libpeft by PEFT_LIBRARIES or in the package

Both call the same session with the same arrays, in turns; the least time of several rounds counts, so that other
programs on the machine do not."""

import ctypes
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import numpy as np

import libpeft
from libpeft._c.arrays import Wrapped
from libpeft._c.library import lib

LIMIT = 50.0  # microseconds
ROUNDS, CALLS = 200, 40
LOOP = r"""
#include <time.h>
double run(int (*call)(void *, void *, void *), void *object, void *a, void *b, int n)
{
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    for (int i = 0; i < n; i++) if (call(object, a, b)) return -1;
    clock_gettime(CLOCK_MONOTONIC, &to);
    return ((to.tv_sec - from.tv_sec) * 1e9 + (to.tv_nsec - from.tv_nsec)) / n / 1e3;
}
"""


def c_loop(folder):
    source, library = pathlib.Path(folder) / "loop.c", pathlib.Path(folder) / "loop.so"
    source.write_text(LOOP)
    subprocess.run([os.environ.get("CC", "cc"), "-O2", "-shared", "-fPIC", "-o", library, source], check=True)
    run = ctypes.CDLL(str(library)).run
    run.restype, run.argtypes = ctypes.c_double, (*(ctypes.c_void_p,) * 4, ctypes.c_int)
    return run


def python_loop(call, n):
    begin = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - begin) / n * 1e6


def main():
    vit = libpeft.Backbone.random(
        context=libpeft.Context(threads=1), image_size=16, patch=8, width=16, depth=1, heads=1, mlp=16
    )
    session = libpeft.Session(libpeft.Model(vit, classes=2))
    predictor = libpeft.Predictor(session, libpeft.Transform(size=16))
    x, out = np.zeros((1, 3, 16, 16), np.float32), np.empty((1, 2), np.float32)
    pixels = np.zeros((1, 16, 16, 3), np.uint8)
    cases = {
        "Session.logits": (lambda: session.logits(x), lib.peft_session_predict, session, x),
        "Session.logits(out=)": (lambda: session.logits(x, out=out), lib.peft_session_predict, session, x),
        "Predictor.logits": (lambda: predictor.logits(pixels), lib.peft_predictor_pixels, predictor, pixels),
    }
    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        run = c_loop(folder)
        for name, (call, function, thing, given) in cases.items():
            a, b = Wrapped(thing._context, given), Wrapped(thing._context, out)
            c, python = [], []
            for _ in range(ROUNDS):
                c.append(run(function, thing._c, a, b, CALLS))
                python.append(python_loop(call, CALLS))
            more = min(python) - min(c)
            worst = max(worst, more)
            print(
                f"{name:22} {min(c):7.2f} us in C, {min(python):7.2f} us in Python: {more:6.2f} us more, "
                f"{min(python) / min(c):.2f} times"
            )
    if worst >= LIMIT:
        sys.exit(f"a call from Python costs {worst:.1f} us more than from C, expected less than {LIMIT:.0f}")


if __name__ == "__main__":
    main()
