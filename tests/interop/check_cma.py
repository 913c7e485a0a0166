# SPDX-License-Identifier: Apache-2.0
"""CMA-ES against pycma. First both adapt to the same candidates, iteration by iteration, with the best one of the last
iteration told again: sigma and mean must agree. Then the evaluations that each needs on test functions: the median of
15 seeds may not exceed pycma's by more than 20 %. All cases take an hour on one core, most of it for the full covariance
matrix in 100 variables; those of QUICK take about a minute.
    check_cma.py [CASE..]     CASE: trace, a row of CASES as "sphere-10-full", or all; default: trace and QUICK"""
import multiprocessing
import os
import subprocess
import sys
import warnings

os.environ["OPENBLAS_NUM_THREADS"] = "1"
import cma
import numpy as np

import peft

SEEDS, TARGET, TOLERANCE = 15, 1e-10, 1.2
RUNS = os.path.join(os.environ["PEFT_LIBRARIES"], "tests", "cma_runs")
# Problem, variables, covariance, largest number of evaluations of a run.
CASES = [(problem, n, covariance, most)
         for n, most in ((10, 500_000), (100, 3_000_000)) for covariance in ("separable", "full")
         for problem in ("sphere", "ellipsoid", "rosenbrock")]
QUICK = ["sphere-10-separable", "sphere-10-full", "ellipsoid-10-separable", "ellipsoid-10-full", "rosenbrock-10-full",
         "sphere-100-separable"]
warnings.filterwarnings("ignore")


def function(problem, n):
    if problem == "sphere":
        return lambda x: float(x @ x)
    if problem == "ellipsoid":
        scale = 10.0 ** (6 * np.arange(n) / (n - 1))
        return lambda x: float(scale @ (x * x))
    return lambda x: float(np.sum(100 * (x[:-1] ** 2 - x[1:]) ** 2 + (1 - x[:-1]) ** 2))


def start(problem, n, covariance, seed):
    """pycma for the start point and sigma of tests/tta/cma_problems.h."""
    mean, sigma = (np.zeros(n), 0.1) if problem == "rosenbrock" else (np.ones(n), 1.0)
    return cma.CMAEvolutionStrategy(mean, sigma, {"seed": seed, "verbose": -9, "verb_disp": 0, "verb_log": 0,
                                                  "CMA_diagonal": covariance == "separable"})


def reference_evaluations(problem, n, covariance, seed, most):
    f, es = function(problem, n), start(problem, n, covariance, seed)
    while es.countevals < most:
        x = es.ask()
        fitness = [f(np.asarray(v)) for v in x]
        es.tell(x, fitness)
        if min(fitness) <= TARGET:
            return es.countevals
    return -1


def ours(*args):
    return subprocess.run([RUNS, *map(str, args)], check=True, capture_output=True, text=True).stdout


def both(job):
    problem, n, covariance, seed, most = job
    return (int(ours("evaluations", problem, n, covariance, seed, most)),
            reference_evaluations(problem, n, covariance, seed, most))


def trace(tally, problem, n, covariance, iterations):
    """Tells pycma the candidates of cma_runs."""
    f, es, solutions, worst = function(problem, n), start(problem, n, covariance, 1), [], 0.0
    if covariance == "full":
        es.sm.C = np.eye(n)                      # pycma starts 1e-4 / n apart from the identity
        es.sm.D = np.ones(n)
    es.ask()
    for line in ours("trace", problem, n, covariance, 1, iterations).splitlines():
        what, *numbers = line.split()
        numbers = np.array([float(v) for v in numbers])
        if what == "x":
            solutions.append(numbers)
            continue
        fitness = [f(x) for x in solutions]
        if len(solutions) > es.popsize:          # what tell does with a solution that it does not know
            solutions[-1] = es.repair_genotype(solutions[-1], copy_if_changed=True)
        es.tell(solutions, fitness, check_points=False)
        es.ask()
        want = np.concatenate(([es.sigma], es.mean))
        worst = max(worst, np.max(np.abs(numbers - want)) / np.max(np.abs(want)))
        solutions = []
    tally.check(worst < 1e-8, f"trace of {problem} in {n} variables, {covariance}: differs by {worst:.2g}")
    print(f"trace of {problem} in {n} variables, {covariance}: {iterations} iterations agree within {worst:.2g}")


def compare(tally, pool, case):
    problem, n, covariance, most = case
    runs = pool.map(both, [(problem, n, covariance, seed, most) for seed in range(1, SEEDS + 1)], chunksize=1)
    got, want = (sorted(v if v >= 0 else most for v in column)[SEEDS // 2] for column in zip(*runs))
    print(f"{problem} in {n} variables, {covariance}: median {got} evaluations, pycma {want}", flush=True)
    tally.check(got <= TOLERANCE * want and want < most, f"{problem}-{n}-{covariance}: {got} against {want}")


def main():
    names, tally = sys.argv[1:] or ["trace"] + QUICK, peft.Tally("cma")
    if "trace" in names or "all" in names:
        for covariance in ("separable", "full"):
            for problem, n in (("sphere", 5), ("ellipsoid", 10), ("rosenbrock", 30), ("ellipsoid", 150)):
                trace(tally, problem, n, covariance, 100)
    with multiprocessing.Pool(os.cpu_count()) as pool:
        for case in CASES:
            if "all" in names or "-".join(map(str, case[:3])) in names:
                compare(tally, pool, case)
    return tally.close()


if __name__ == "__main__":
    sys.exit(main())
