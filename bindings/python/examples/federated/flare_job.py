# SPDX-License-Identifier: Apache-2.0
"""A federation in NVIDIA FLARE: runs it in FLARE's simulator, or exports the job for the servers of an installation.

    flare_job.py --backbone vit.safetensors --start start.safetensors --sites hospitals --out global.safetensors
    flare_job.py .. --export --export-dir job

Paths are absolute, as each process of FLARE has its own folder."""

import argparse
import pathlib

from flare_server import LibpeftAverage, ModelFile
from nvflare.client.config import TransferType
from nvflare.fuel.utils.constants import FrameworkType
from nvflare.recipe.fedavg import FedAvgRecipe
from nvflare.recipe.sim_env import SimEnv

HERE = pathlib.Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--start", required=True, help="the model file that the federation begins with")
    parser.add_argument("--sites", required=True, help="a folder with a folder of pictures for each site")
    parser.add_argument("--out", required=True, help="the last global model")
    parser.add_argument("--average", choices=["libpeft", "flare"], default="libpeft", help="whose arithmetic")
    parser.add_argument("--aggregator", default="", help='options of libpeft\'s aggregator: "lora=product,ept=mass"')
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--options", default="lr=0.001,batch=4")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workspace", default="/tmp/nvflare/simulation")
    args, _ = parser.parse_known_args()  # --export and --export-dir are FLARE's

    sites = sorted(folder.name for folder in pathlib.Path(args.sites).iterdir())
    words = ["--backbone", args.backbone, "--start", args.start, "--data", f"{args.sites}/{{site}}"]
    words += ["--epochs", args.epochs, "--options", args.options, "--seed", args.seed]
    recipe = FedAvgRecipe(
        name="libpeft-federation",
        min_clients=len(sites),
        num_rounds=args.rounds,
        train_script=str(HERE / "flare_client.py"),
        train_args=" ".join(map(str, words)),
        framework=FrameworkType.RAW,
        params_transfer_type=TransferType.FULL,
        model_persistor=ModelFile(args.start, args.out),
        aggregator=LibpeftAverage(args.start, args.aggregator) if args.average == "libpeft" else None,
    )
    recipe.add_client_file(str(HERE / "federation.py"))
    recipe.add_server_file(str(HERE / "federation.py"))
    recipe.execute(SimEnv(clients=sites, num_threads=len(sites), workspace_root=args.workspace))


if __name__ == "__main__":
    main()
