# SPDX-License-Identifier: Apache-2.0
"""The same federation (5 sites, 5 rounds) by files through the programs, over MPI, in Flower and in NVIDIA FLARE: the
same bits where the server averages as libpeft does, within 1e-6 where the engine averages in its own way."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "bindings" / "python"), str(ROOT / "bindings" / "python" / "examples" / "federated")]
os.environ["PYTHONPATH"] = os.pathsep.join(sys.path[:2])  # of the engines' processes

import federation  # noqa: E402
import flower_client  # noqa: E402
import libpeft  # noqa: E402
import simulators  # noqa: E402
from flwr.app import RecordDict  # noqa: E402
from flwr.common.serde import recorddict_to_proto  # noqa: E402
from nvflare.app_common.abstract.fl_model import FLModel  # noqa: E402
from nvflare.app_common.decomposers import common_decomposers  # noqa: E402
from nvflare.app_common.utils.fl_model_utils import FLModelUtils  # noqa: E402
from nvflare.fuel.utils import fobs  # noqa: E402

BACKBONE = ROOT / "examples" / "data" / "vit_cifar10.safetensors"
PROGRAMS = pathlib.Path(os.environ["PEFT_LIBRARIES"]) / "examples"
IMAGES = (4, 5, 6, 7, 8)  # of each class at each site
ROUNDS, EPOCHS, SEED, LIMIT = 5, 1, 1, 1e-6
# AdamW divides the gradients of parameters that hardly matter by their own size, which makes differences of the last
# bit grow from round to round (docs/federated-engines.md): with it the engines' own averages may be off by more.
SGD = "optimizer=sgd,momentum=0.9,batch=4"
METHODS = {"ept": f"lr=0.1,{SGD}", "lora": f"lr=0.05,{SGD}"}


def run(command):
    """Runs it and returns what it prints."""
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stdout}{done.stderr}")
    return done.stdout


def program(name, *arguments):
    return run([PROGRAMS / name, *arguments])


def find_mpirun():
    """The mpirun of the MPI that federate-mpi was built for; None: it was not built."""
    cache = (PROGRAMS.parent / "CMakeCache.txt").read_text()
    found = re.search(r"^MPIEXEC_EXECUTABLE:\w+=(/.+)$", cache, re.MULTILINE)
    return found[1] if found and (PROGRAMS / "federate-mpi").exists() else None


def pictures(folder):
    """The sites' folders of pictures, and one of test pictures."""
    (folder / "sites").mkdir()
    for k, images in enumerate(IMAGES, 1):
        program("phantom", "--out", folder / "sites" / f"site-{k}", "--images", images, "--seed", 10 + k)
    program("phantom", "--out", folder / "test", "--images", 1, "--seed", 99)


def start_file(folder, method):
    """A model that is not trained yet."""
    vit = libpeft.Backbone.open(BACKBONE, context=libpeft.Context(seed=SEED))
    data = libpeft.Dataset.open(folder / "sites" / "site-1")
    with libpeft.Trainer(vit, libpeft.Adapter(vit, method), data) as trainer:
        trainer.model.save(folder / f"{method}.safetensors")
    return folder / f"{method}.safetensors"


def by_files(folder, start, options):
    """finetune trains at the sites, aggregate joins their files; returns the last global file."""
    before, out = start, folder / "files.safetensors"
    for turn in range(1, ROUNDS + 1):
        trained = []
        for site in sorted((folder / "sites").iterdir()):
            trained.append(folder / f"{site.name}.safetensors")
            program("finetune", "--backbone", BACKBONE, "--data", site, "--test", folder / "test", "--model", before,
                    "--epochs", EPOCHS, "--seed", SEED + turn, "--trainer", options, "--out", trained[-1], "--force")
        program("aggregate", "--start", before, "--out", folder / "next.safetensors", "--force", *trained)
        before = (folder / "next.safetensors").rename(out)
    return out


def by_mpi(folder, config, out):
    """federate-mpi with a rank for each site. Returns the bytes with which a rank sends or gets a model, from the sum
    that it prints: in a round each rank but rank 0, which is the server and a site, sends one and gets one."""
    ranks = len(IMAGES)
    printed = run(["sh", "-c", f'. "{ROOT}/tests/mpi/launch.sh"; launch "$@"', "sh", find_mpirun(), ranks,
                   PROGRAMS / "federate-mpi", "--backbone", config["backbone"], "--model", config["start"], "--sites",
                   "--data", folder / "sites", "--test", folder / "test", "--rounds", config["rounds"], "--epochs",
                   config["epochs"], "--schedule", "cosine", "--trainer", config["options"], "--seed", config["seed"],
                   "--threads", 1, "--out", out])
    sent = int(re.search(r"^bytes_sent_by_all +(\d+)$", printed, re.MULTILINE)[1])
    return sent // (config["rounds"] * 2 * (ranks - 1))


def message_sizes(start):
    """Bytes of the parameters as a file, as a message of Flower, and as one of FLARE."""
    parameters = federation.parameters_of(start.read_bytes())
    record = RecordDict({"arrays": flower_client.to_record(parameters)})
    message = FLModelUtils.to_shareable(FLModel(params=parameters))
    return {"files": start.stat().st_size, "flower": recorddict_to_proto(record).ByteSize(),
            "flare": len(fobs.dumps(message))}


def difference(a, b):
    """The largest difference of a parameter, over its size where that is more than 1, which is how float32 rounds."""
    a, b = (federation.parameters_of(file.read_bytes()) for file in (a, b))
    assert a.keys() == b.keys()
    apart = (np.abs(a[name].astype(np.float64) - b[name]) / np.maximum(np.abs(b[name]), 1) for name in a)
    return max(float(values.max()) for values in apart)


def row(method, engine, average, size, apart, bits, seconds, more=""):
    print(f"{method:8}{engine:10}{average:10}{size:10}{apart:12.1e}  {bits:10}{seconds:8.1f}{more}", flush=True)


def compare(folder, method, options, flower, engines):
    """The rows of a method; returns how many runs differ by more than they may."""
    begin, failed = time.time(), 0
    start = start_file(folder, method)
    reference, sizes = by_files(folder, start, options), message_sizes(start)
    row(method, "files", "libpeft", sizes["files"], 0, "-", time.time() - begin,
        f"; training moved a parameter by {difference(start, reference):.2f}")
    config = {"backbone": BACKBONE, "start": start, "rounds": ROUNDS, "epochs": EPOCHS, "options": options,
              "seed": SEED}
    for engine, average in engines:
        begin, out = time.time(), folder / f"{method}-{engine}-{average}.safetensors"
        if engine == "mpi":
            sizes["mpi"] = by_mpi(folder, config, out)
        elif engine == "flower":
            flower.run(**config, out=out, average=average, data=folder / "sites", sites=len(IMAGES))
        else:
            simulators.flare(folder, **config, out=out, average=average, sites=folder / "sites")
        same, apart = out.read_bytes() == reference.read_bytes(), difference(out, reference)
        failed += not same if average == "libpeft" else apart > LIMIT
        row(method, engine, average, sizes[engine], apart, "same" if same else "different", time.time() - begin)
    return failed


def main():
    common_decomposers.register()
    engines = [(engine, average) for engine in ("flower", "flare") for average in ("libpeft", engine)]
    if find_mpirun():
        engines.insert(0, ("mpi", "libpeft"))
    else:
        print("mpi: not compared, as this build has no federate-mpi")
    print(f"{len(IMAGES)} sites, {ROUNDS} rounds; bytes: of one site in one round, up or down; difference of "
          "the global parameters from those by files, |a - b| / max(1, |b|)")
    print(f"{'method':8}{'engine':10}{'average':10}{'bytes':>10}{'difference':>12}  {'bits':10}{'seconds':>8}")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        pictures(folder)
        flower = simulators.Flower(folder)
        try:
            failed = sum(compare(folder, method, options, flower, engines) for method, options in METHODS.items())
        finally:
            flower.close()
    print(f"federated: {failed} of {len(engines) * len(METHODS)} runs differ by more than they may")
    return 1 if failed else 0


sys.exit(main())
