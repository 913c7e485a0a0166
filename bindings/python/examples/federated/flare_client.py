# SPDX-License-Identifier: Apache-2.0
"""The script that NVIDIA FLARE runs at each site: trains what the server sends on the site's own pictures.
flare_job.py makes the job."""

import argparse

import federation
import nvflare.client as flare
from nvflare.apis.fl_constant import FLMetaKey


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--start", required=True)
    parser.add_argument("--data", required=True, help="the site's pictures; {site} stands for its name")
    parser.add_argument("--epochs", type=int, default=1)
    parser.add_argument("--options", default="")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()

    flare.init()
    data = args.data.replace("{site}", flare.get_site_name())
    while flare.is_running():
        task = flare.receive()
        parameters, pictures, loss = federation.train(
            args.backbone,
            args.start,
            data,
            task.params,
            seed=args.seed + task.current_round + 1,  # rounds count from 1, as in Flower
            epochs=args.epochs,
            **federation.options_of(args.options),
        )
        meta = {FLMetaKey.NUM_STEPS_CURRENT_ROUND: pictures}  # what FLARE weighs a site by
        flare.send(flare.FLModel(params=parameters, metrics={"loss": loss}, meta=meta))


if __name__ == "__main__":
    main()
