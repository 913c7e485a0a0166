# SPDX-License-Identifier: Apache-2.0
"""Bindings by ctypes of the functions of libpeft and libpeft-io that the comparisons call. PEFT_LIBRARIES: the build
folder. Arrays are numpy arrays; a status other than PEFT_OK raises PeftError with the library's message."""
import ctypes as C
import os

import numpy as np

_build = os.environ["PEFT_LIBRARIES"]
lib = C.CDLL(os.path.join(_build, "libpeft.so"), mode=C.RTLD_GLOBAL)
io = C.CDLL(os.path.join(_build, "src", "io", "libpeft-io.so"))

_text = ["peft_last_error", "peft_status_name", "peft_param_name", "peft_backbone_note", "peft_metrics_name",
         "peft_transform_text", "peft_method_name"]
_size = ["peft_model_param_count", "peft_method_count"]
_pointer = ["peft_model_param", "peft_param_value", "peft_tensor_data", "peft_trainer_logits", "peft_session_tap",
            "peft_image_pixels"]
for _name in _text:
    getattr(io if hasattr(io, _name) and not hasattr(lib, _name) else lib, _name).restype = C.c_char_p
for _name in _size:
    getattr(lib, _name).restype = C.c_size_t
for _name in _pointer:
    getattr(io if not hasattr(lib, _name) else lib, _name).restype = C.c_void_p
lib.peft_tensor_dim.restype = C.c_int64
lib.peft_backbone_get.restype = C.c_int64
lib.peft_model_classes.restype = C.c_int64
lib.peft_trainer_get.restype = C.c_double
io.peft_image_slope.restype = io.peft_image_intercept.restype = C.c_double
for _name in ("peft_transform_size", "peft_image_width", "peft_image_height"):
    getattr(io, _name).restype = C.c_int64

LOG = C.CFUNCTYPE(None, C.c_int, C.c_char_p, C.c_void_p)


class PeftError(Exception):
    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


def ok(status):
    if status:
        raise PeftError(lib.peft_status_name(status).decode(), lib.peft_last_error().decode())


def _new(function, *args):
    out = C.c_void_p()
    ok(function(*args, C.byref(out)))
    return out


class Handle:
    """A pointer to an object of the library and the function that frees it."""
    free = None
    _as_parameter_ = None

    def __init__(self, pointer):
        self._as_parameter_ = pointer

    def __del__(self):
        if self._as_parameter_:
            type(self).free(self._as_parameter_)


class Context(Handle):
    free = lib.peft_context_free

    def __init__(self, seed=0, threads=2):
        super().__init__(_new(lib.peft_context_create, None, None, None))
        self.log = []
        ok(lib.peft_context_set_seed(self, C.c_uint64(seed)))
        ok(lib.peft_context_set_threads(self, threads))
        self._keep = LOG(lambda level, message, user: self.log.append((level, message.decode())))
        ok(lib.peft_context_set_log(self, self._keep, None, 1))

    def options(self, **values):
        o = Options(_new(lib.peft_options_create, self))
        for name, value in values.items():
            text = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, float) else str(value)
            ok(lib.peft_options_set_string(o, name.encode(), text.encode()))
        return o

    def tensor(self, array):
        kinds = {np.dtype("float32"): 1, np.dtype("int64"): 5, np.dtype("uint8"): 6}
        dims = (C.c_int64 * max(array.ndim, 1))(*array.shape)
        assert array.flags.c_contiguous
        t = Tensor(_new(lib.peft_tensor_wrap, self, kinds[array.dtype], array.ndim, dims,
                        array.ctypes.data_as(C.c_void_p)))
        t.array = array
        return t


class Options(Handle):
    free = lib.peft_options_free


class Tensor(Handle):
    free = lib.peft_tensor_free


def view(tensor):
    """An array that shares the memory of an f32 tensor."""
    n = lib.peft_tensor_ndim(C.c_void_p(tensor))
    shape = [lib.peft_tensor_dim(C.c_void_p(tensor), i) for i in range(n)]
    data = lib.peft_tensor_data(C.c_void_p(tensor))
    count = int(np.prod(shape)) if shape else 1
    return np.ctypeslib.as_array(C.cast(data, C.POINTER(C.c_float)), (count,)).reshape(shape)


class Backbone(Handle):
    free = lib.peft_backbone_free

    def __init__(self, context, path=None, **options):
        o = context.options(**options)
        if path is None:
            super().__init__(_new(lib.peft_backbone_create, context, o))
        else:
            super().__init__(_new(lib.peft_backbone_load, context, os.fsencode(path), o))
        self.context = context

    def get(self, what):
        return lib.peft_backbone_get(self, what.encode())

    def note(self, key):
        text = lib.peft_backbone_note(self, key.encode())
        return text.decode() if text is not None else None

    def save_as(self, path, **options):
        ok(lib.peft_backbone_save_as(self, os.fsencode(path), self.context.options(**options)))

    def save(self, path):
        ok(lib.peft_backbone_save(self, os.fsencode(path)))


class Model(Handle):
    free = lib.peft_model_free

    def __init__(self, backbone, method=None, adapter={}, **options):
        super().__init__(_new(lib.peft_model_create, backbone, backbone.context.options(**options)))
        self.context, self.backbone = backbone.context, backbone
        if method:
            a = _new(lib.peft_adapter_create, backbone, method.encode(), self.context.options(**adapter))
            try:
                ok(lib.peft_model_attach(self, a))
            finally:
                lib.peft_adapter_free(a)

    def parameters(self):
        """Maps names to arrays that share the model's memory."""
        out = {}
        for i in range(lib.peft_model_param_count(self)):
            p = C.c_void_p(lib.peft_model_param(self, C.c_size_t(i)))
            out[lib.peft_param_name(p).decode()] = view(lib.peft_param_value(p))
        return out


class Session(Handle):
    free = lib.peft_session_free

    def __init__(self, model, **options):
        super().__init__(_new(lib.peft_session_create, model, model.context.options(**options)))
        self.model = model

    def predict(self, images):
        logits = np.empty((len(images), lib.peft_model_classes(self.model)), np.float32)
        context = self.model.context
        ok(lib.peft_session_predict(self, context.tensor(images), context.tensor(logits)))
        return logits

    def tap(self, name):
        tensor = lib.peft_session_tap(self, name.encode())
        if not tensor:
            raise PeftError("", lib.peft_last_error().decode())
        return view(tensor).copy()


class Trainer(Handle):
    free = lib.peft_trainer_free

    def __init__(self, model, **options):
        super().__init__(_new(lib.peft_trainer_create, model, model.context.options(**options)))
        self.model = model

    def step(self, images, labels):
        context = self.model.context
        ok(lib.peft_trainer_step(self, context.tensor(images), context.tensor(labels), None))

    def group(self, pattern, lr_scale, weight_decay):
        ok(lib.peft_trainer_group(self, pattern.encode(), C.c_double(lr_scale), C.c_double(weight_decay)))

    def get(self, what):
        return lib.peft_trainer_get(self, what.encode())


def _image_context():
    """The context of all images and transforms."""
    if not hasattr(_image_context, "context"):
        _image_context.context = Context()
    return _image_context.context


class Image(Handle):
    free = io.peft_image_free

    def __init__(self, path=None, array=None, pointer=None, options=None):
        if pointer is not None:
            super().__init__(pointer)
        elif path is not None:
            super().__init__(_new(io.peft_image_load, _image_context(), os.fsencode(path),
                                  options.encode() if options else None))
        else:
            channels = 1 if array.ndim == 2 else array.shape[2]
            super().__init__(_new(io.peft_image_from_buffer, _image_context(),
                                  np.ascontiguousarray(array).ctypes.data_as(C.c_void_p), C.c_int64(array.shape[1]),
                                  C.c_int64(array.shape[0]), channels, 8 * array.dtype.itemsize, C.c_int64(0)))

    def pixels(self):
        h, w = io.peft_image_height(self), io.peft_image_width(self)
        c, depth = io.peft_image_channels(self), io.peft_image_depth(self)
        kind = {8: C.c_uint8, 16: C.c_uint16, -16: C.c_int16, -32: C.c_float}[depth]
        data = np.ctypeslib.as_array(C.cast(io.peft_image_pixels(self), C.POINTER(kind)), (h * w * c,)).copy()
        return data.reshape((h, w) if c == 1 else (h, w, c))


    def values(self):
        """slope * sample + intercept, as float64."""
        return self.pixels().astype(np.float64) * io.peft_image_slope(self) + io.peft_image_intercept(self)


def slices(path, options=None):
    n = C.c_int64()
    ok(io.peft_image_slices(_image_context(), os.fsencode(path), options.encode() if options else None, C.byref(n)))
    return n.value


def resize(image, width, height, filter):
    return Image(pointer=_new(io.peft_image_resize, image, C.c_int64(width), C.c_int64(height), filter.encode())).pixels()


class Transform(Handle):
    free = io.peft_transform_free

    def __init__(self, text):
        super().__init__(_new(io.peft_transform_parse, _image_context(), text.encode()))

    def text(self):
        return io.peft_transform_text(self).decode()

    def apply(self, image):
        size = io.peft_transform_size(self)
        out = np.empty((3, size, size), np.float32)
        ok(io.peft_transform_apply(self, image, out.ctypes.data_as(C.POINTER(C.c_float))))
        return out


def _array(a, kind):
    a = np.ascontiguousarray(a, kind)
    return a, a.ctypes.data_as(C.c_void_p)


def metric(function, *arrays, name, extents, count=1, context=None, threshold=None):
    """Calls peft_metrics_<function>(arrays.., extents.., [threshold], name); returns count doubles, or one number."""
    kept = [_array(a, k) for a, k in arrays]
    args = [p for _, p in kept] + [C.c_int64(e) for e in extents]
    out = np.empty(count)
    if threshold is not None:
        args.append(C.c_double(threshold))
    ok(getattr(lib, "peft_metrics_" + function)(*([context] if context else []), *args, name.encode(),
                                                out.ctypes.data_as(C.c_void_p), C.c_size_t(count)))
    return out if count > 1 else out[0]


class Tally:
    """Counts cases, prints the first failures and a summary; close() returns the exit status of the process."""

    def __init__(self, what):
        self.what, self.passed, self.failures, self.kinds = what, 0, [], {}

    def check(self, good, message):
        if good:
            self.passed += 1
        else:
            self.failures.append(message)
            if len(self.failures) <= 20:
                print("FAILED", message, flush=True)

    def count(self, kind):
        self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def close(self):
        detail = "".join(f", {n} {kind}" for kind, n in sorted(self.kinds.items()))
        print(f"{self.what}: {self.passed} passed, {len(self.failures)} failed{detail}", flush=True)
        return 1 if self.failures or not self.passed else 0
