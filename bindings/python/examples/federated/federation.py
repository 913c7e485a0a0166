# SPDX-License-Identifier: Apache-2.0
"""What the sites and the server of a federation compute, whatever engine carries the parameters between them.

Parameters are arrays by name: the tensors of a model file, which are those of its adapter and its head. All sites and
the server have a copy of the model file that the federation begins with, `start`. It states the method, its options,
the classes, and how pictures are prepared. finetune or Model.save made it."""

import json
import pathlib
import tempfile

import numpy as np

import libpeft

# The defaults of the program finetune
RECIPE = {"batch": 4, "lr": 1e-3, "weight_decay": 0.01, "decay_on": "matrices", "schedule": "cosine"}
TYPES = {"F32": "<f4", "F64": "<f8", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}


def _tensors(data):
    """Name, element type, shape and bytes of the tensors of a safetensors file, in the order of the bytes."""
    size = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:size])
    header.pop("__metadata__", None)
    for name, entry in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        first, last = entry["data_offsets"]
        yield name, TYPES[entry["dtype"]], tuple(entry["shape"]), data[size + first : size + last]


def parameters_of(data):
    """The parameters in the bytes of a model file."""
    return {name: np.frombuffer(raw, kind).reshape(shape) for name, kind, shape, raw in _tensors(data)}


def model_file(start, parameters):
    """The bytes of a model file with these parameters; start: the bytes of one whose other contents it gets.
    ValueError: names, shapes or element types differ from those of start."""
    given = {name: (value.shape, value.dtype.str) for name, value in parameters.items()}
    expected = {name: (shape, kind) for name, kind, shape, _ in _tensors(start)}
    if given != expected:
        name = min(name for name in given.keys() | expected.keys() if given.get(name) != expected.get(name))
        raise ValueError(f"parameter {name}: given {given.get(name)}, expected {expected.get(name)} as in the start")
    values = b"".join(parameters[name].tobytes() for name in expected)
    return start[: len(start) - len(values)] + values


def train(backbone, start, data, parameters, seed, epochs=1, **options):
    """Trains from these parameters on the pictures of a site: the bits of `finetune --model FILE --seed --epochs`.

    backbone: the pretrained network, which every site has. data: the site's pictures, as for Dataset.open. options: of
    the trainer. Returns the new parameters, the number of pictures, and the loss of the last step."""
    context = libpeft.Context(seed=seed)
    pictures = libpeft.Dataset.open(data, context=context)
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "model.safetensors"
        file.write_bytes(model_file(pathlib.Path(start).read_bytes(), parameters))
        model = libpeft.Model.load(libpeft.Backbone.open(backbone, context=context), file)
        if pictures.classes != model.class_names:
            raise ValueError(
                f"{data}: given classes {pictures.classes}, expected those of {start}: {model.class_names}"
            )
        prepare = libpeft.Transform(model.note("preprocess"))
        with libpeft.Trainer.of(model, pictures, epochs=epochs, transform=prepare, **{**RECIPE, **options}) as trainer:
            trainer.fit()
            loss = trainer.loss
        model.save(file)
        return parameters_of(file.read_bytes()), len(pictures), loss


def options_of(text):
    """The dictionary of "lr=0.01,batch=8", the form in which the programs take options."""
    return dict(pair.split("=", 1) for pair in text.split(",") if pair)


def aggregate(start, before, results, **options):
    """The next global parameters: those of libpeft.Aggregator(**options), by default the mean by numbers of pictures.

    Sites are added in the order of their names. start: the bytes of the file that the federation began with. before:
    the global parameters that the round began with. results: (site, pictures, parameters) of each site."""
    aggregator = libpeft.Aggregator(**options)
    aggregator.start(model_file(start, before))
    for site, pictures, parameters in sorted(results, key=lambda result: result[0]):
        aggregator.add(model_file(start, parameters), pictures, name=site)
    return parameters_of(aggregator.to_bytes())
