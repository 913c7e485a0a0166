# SPDX-License-Identifier: Apache-2.0
"""A site (client) and the server of a federation in Flower, whose settings are those of pyproject.toml."""

import pathlib

import federation
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp
from flwr.serverapp import Grid, ServerApp
from flwr.serverapp.strategy import FedAvg

client = ClientApp()
server = ServerApp()


def to_parameters(record):
    return {name: array.numpy() for name, array in record.items()}


def to_record(parameters):
    return ArrayRecord({name: Array(value) for name, value in parameters.items()})


def place(context):
    """Name and pictures of this site: of the SuperNode's --node-config 'site="a" data="/scans"', or, in a simulation,
    those of the next of the sites' folders."""
    node = context.node_config
    if "data" in node:
        return node["site"], node["data"]
    folder = sorted(pathlib.Path(context.run_config["data"]).iterdir())[node["partition-id"]]
    return folder.name, str(folder)


@client.train()
def train(message: Message, context: Context) -> Message:
    config, (site, data) = context.run_config, place(context)
    parameters, pictures, loss = federation.train(
        config["backbone"],
        config["start"],
        data,
        to_parameters(message.content["arrays"]),
        seed=config["seed"] + message.content["config"]["server-round"],
        epochs=config["epochs"],
        **federation.options_of(config["options"]),
    )
    content = {
        "arrays": to_record(parameters),
        "metrics": MetricRecord({"num-examples": pictures, "loss": loss}),
        "site": ConfigRecord({"name": site}),
    }
    return Message(content=RecordDict(content), reply_to=message)


class LibpeftAverage(FedAvg):
    """FedAvg with libpeft's aggregation, in double and in the order of the sites' names, so that the result does not
    depend on which site was faster and has the bits of libpeft's programs. FedAvg itself adds in float32, in the order
    of arrival. start: the bytes of the model file; options: of libpeft.Aggregator."""

    def __init__(self, start, options, **settings):
        super().__init__(**settings)
        self.start_file, self.options = start, options

    def configure_train(self, server_round, arrays, config, grid):
        self.before = to_parameters(arrays)
        return super().configure_train(server_round, arrays, config, grid)

    def aggregate_train(self, server_round, replies):
        replies = list(replies)
        arrays, metrics = super().aggregate_train(server_round, replies)
        if arrays is not None:
            sites = [reply.content for reply in replies if reply.has_content()]
            results = [(s["site"]["name"], s["metrics"]["num-examples"], to_parameters(s["arrays"])) for s in sites]
            arrays = to_record(federation.aggregate(self.start_file, self.before, results, **self.options))
        return arrays, metrics


@server.main()
def main(grid: Grid, context: Context) -> None:
    config = context.run_config
    start = pathlib.Path(config["start"]).read_bytes()
    settings = {"fraction_evaluate": 0.0, "min_train_nodes": config["sites"], "min_available_nodes": config["sites"]}
    if config["average"] == "libpeft":
        strategy = LibpeftAverage(start, federation.options_of(config["aggregator"]), **settings)
    else:
        strategy = FedAvg(**settings)
    result = strategy.start(grid, to_record(federation.parameters_of(start)), num_rounds=config["rounds"])
    pathlib.Path(config["out"]).write_bytes(federation.model_file(start, to_parameters(result.arrays)))
