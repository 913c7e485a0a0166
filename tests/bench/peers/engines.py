# SPDX-License-Identifier: Apache-2.0
"""Inference by onnxruntime and OpenVINO. --prepare: exports the network of vit.py into --folder and quantises it, each
file once; --compute and --how then are those of a file. Without it measures one engine in one way and prints a line
of JSON, with the relative error of its logits from torch's float32 (largest difference over largest value).
--engine onnxruntime: f32; int8, --how dynamic or static. --engine openvino: f32; bf16, by the precision hint; int8,
by nncf: --how nncf, or "nncf bf16", whose operations that are not quantised are in bf16."""
import os

import numpy as np
import record

CALIBRATION = 8                                     # random images for the quantisers


def path(a, name):
    return os.path.join(a.folder, f"{a.network}_{a.image}_{name}")


def random_images(a, n, seed):
    return np.random.default_rng(seed).uniform(-1, 1, (n, 3, a.image, a.image)).astype(np.float32)


def torch_model(a):
    """The network that steps.py measures, with the same values in every process."""
    import vit
    return vit.make(a.network, a.image, "infer", True)


def export_onnx(a, out):
    import torch
    torch.onnx.export(torch_model(a), (torch.from_numpy(random_images(a, 2, 1)),), out, input_names=["images"],
                      output_names=["logits"], dynamic_axes={"images": {0: "batch"}, "logits": {0: "batch"}},
                      opset_version=17, dynamo=False)


def quantise_onnx(a, out):
    from onnxruntime import quantization as q
    from onnxruntime.quantization.shape_inference import quant_pre_process
    source = path(a, "f32.onnx")
    if "dynamic" in os.path.basename(out):
        q.quantize_dynamic(source, out, weight_type=q.QuantType.QInt8, per_channel=True)
        return

    class Images(q.CalibrationDataReader):
        def __init__(self):
            self.rest = iter([{"images": x[None]} for x in random_images(a, CALIBRATION, 3)])

        def get_next(self):
            return next(self.rest, None)
    prepared = path(a, "prepared.onnx")
    quant_pre_process(source, prepared, skip_symbolic_shape=True)
    q.quantize_static(prepared, out, Images(), quant_format=q.QuantFormat.QDQ, per_channel=True,
                      activation_type=q.QuantType.QUInt8, weight_type=q.QuantType.QInt8)


def export_openvino(a, out):
    import openvino
    import torch
    model = openvino.convert_model(torch_model(a), example_input=torch.from_numpy(random_images(a, 2, 1)),
                                   input=[-1, 3, a.image, a.image])
    openvino.save_model(model, out, compress_to_fp16=False)


def quantise_openvino(a, out):
    import nncf
    import openvino
    model = openvino.Core().read_model(path(a, "f32.xml"))
    data = nncf.Dataset([x[None] for x in random_images(a, CALIBRATION, 3)])
    openvino.save_model(nncf.quantize(model, data, model_type=nncf.ModelType.TRANSFORMER, subset_size=CALIBRATION), out)


FILES = {("onnxruntime", "f32", ""): ("f32.onnx", export_onnx),
         ("onnxruntime", "int8", "dynamic"): ("int8_dynamic.onnx", quantise_onnx),
         ("onnxruntime", "int8", "static"): ("int8_static.onnx", quantise_onnx),
         ("openvino", "f32", ""): ("f32.xml", export_openvino), ("openvino", "bf16", ""): ("f32.xml", export_openvino),
         ("openvino", "int8", "nncf"): ("int8.xml", quantise_openvino),
         ("openvino", "int8", "nncf bf16"): ("int8.xml", quantise_openvino)}


def file_of(a):
    if (a.engine, a.compute, a.how) not in FILES:
        raise SystemExit(f"{a.engine} has no {a.compute} {a.how}".rstrip())
    return FILES[a.engine, a.compute, a.how]


def prepare(a):
    name, make = file_of(a)
    if os.path.exists(path(a, name)):
        return
    unfinished = path(a, "unfinished_" + name)
    make(a, unfinished)
    stem, part = os.path.splitext(path(a, name))[0], os.path.splitext(unfinished)[0]
    for end in (".bin", os.path.splitext(name)[1]):
        if os.path.exists(part + end):
            os.replace(part + end, stem + end)


def onnxruntime_call(a, file):
    import onnxruntime
    o = onnxruntime.SessionOptions()
    o.intra_op_num_threads, o.inter_op_num_threads = a.threads, 1
    o.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    o.add_free_dimension_override_by_name("batch", a.batch)
    session = onnxruntime.InferenceSession(file, o, providers=["CPUExecutionProvider"])
    return onnxruntime.__version__, lambda x: session.run(None, {"images": x})[0]


def openvino_call(a, file):
    import openvino
    core = openvino.Core()
    model = core.read_model(file)
    model.reshape([a.batch, 3, a.image, a.image])
    precision = openvino.Type.bf16 if "bf16" in (a.compute, *a.how.split()) else openvino.Type.f32
    compiled = core.compile_model(model, "CPU", {
        "INFERENCE_NUM_THREADS": a.threads, "NUM_STREAMS": 1, "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision})
    if precision == openvino.Type.bf16 and compiled.get_property("INFERENCE_PRECISION_HINT") != openvino.Type.bf16:
        raise SystemExit("openvino does not compute in bf16 on this processor")
    request = compiled.create_infer_request()
    return openvino.get_version().split("-")[0], lambda x: request.infer({0: x}, share_inputs=True)[0]


def reference(a, images):
    """Logits of these images by torch, kept in the folder."""
    file = path(a, f"logits_{a.batch}.npy")
    if not os.path.exists(file):
        import torch
        with torch.no_grad():
            np.save(file, torch_model(a)(torch.from_numpy(images)).numpy())
    return np.load(file)


def main():
    a = record.arguments(__doc__, engine="onnxruntime", how="", folder=".", prepare="")
    os.makedirs(a.folder, exist_ok=True)
    images = random_images(a, a.batch, 2)
    if a.prepare:
        prepare(a)
        reference(a, images)
        return
    version, call = {"onnxruntime": onnxruntime_call, "openvino": openvino_call}[a.engine](a, path(a, file_of(a)[0]))
    times = record.measure(a.rounds, lambda: call(images))
    want = reference(a, images)
    error = float(np.abs(call(images) - want).max() / np.abs(want).max())
    how = a.how or {"f32": "default", "bf16": "precision hint"}[a.compute]
    record.write(a, f"{a.engine} {version}", how, times, logits_error=error)


if __name__ == "__main__":
    main()
