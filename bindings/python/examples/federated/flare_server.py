# SPDX-License-Identifier: Apache-2.0
"""What NVIDIA FLARE's server has of libpeft: the global model is a model file, and may be averaged as libpeft does."""

import pathlib

import federation
from nvflare.apis.fl_constant import FLMetaKey
from nvflare.app_common.abstract.fl_model import FLModel
from nvflare.app_common.abstract.model import ModelLearnableKey, make_model_learnable
from nvflare.app_common.abstract.model_persistor import ModelPersistor
from nvflare.app_common.aggregators.model_aggregator import ModelAggregator
from nvflare.app_common.app_constant import AppConstants


class ModelFile(ModelPersistor):
    """Reads the first global model from the file `start`, and writes that of each round to `out`."""

    def __init__(self, start, out):
        super().__init__()
        self.start, self.out = start, out

    def load_model(self, fl_ctx):
        return make_model_learnable(federation.parameters_of(pathlib.Path(self.start).read_bytes()), {})

    def save_model(self, model, fl_ctx):
        data = federation.model_file(pathlib.Path(self.start).read_bytes(), model[ModelLearnableKey.WEIGHTS])
        pathlib.Path(self.out).write_bytes(data)


class LibpeftAverage(ModelAggregator):
    """libpeft's aggregation, in double and in the order of the sites' names, so that the result does not depend on
    which site was faster and has the bits of libpeft's programs. FLARE's own adds in float32, in the order of arrival.
    start: the model file; options: text of the options of libpeft.Aggregator."""

    def __init__(self, start, options):
        super().__init__()
        self.start, self.options, self.results = start, options, []

    def accept_model(self, model):
        self.results.append((model.meta["client_name"], model.meta[FLMetaKey.NUM_STEPS_CURRENT_ROUND], model.params))

    def aggregate_model(self):
        before = self.fl_ctx.get_prop(AppConstants.GLOBAL_MODEL)[ModelLearnableKey.WEIGHTS]
        start, options = pathlib.Path(self.start).read_bytes(), federation.options_of(self.options)
        return FLModel(params=federation.aggregate(start, before, self.results, **options), params_type="FULL")

    def reset_stats(self):
        self.results = []
