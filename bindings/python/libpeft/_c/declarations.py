# SPDX-License-Identifier: Apache-2.0
"""The public headers of libpeft and libpeft-io for ctypes. Written by generate.py; do not edit."""
import enum
from ctypes import CFUNCTYPE, Structure
from ctypes import c_char_p, c_double, c_float, c_int, c_int64, c_size_t, c_uint, c_uint64, c_uint8, c_void_p
from typing import Any


class Status(enum.IntEnum):
    """The codes of failed calls: status.h says what each means."""

    OK = 0
    INVALID = -1
    NOMEM = -2
    IO = -3
    FORMAT = -4
    SHAPE = -5
    DTYPE = -6
    NOTFOUND = -7
    OPTION = -8
    STATE = -9
    UNSUPPORTED = -10
    MISMATCH = -11
    CANCELLED = -12
    NONFINITE = -13
    INTERNAL = -99


class DType(enum.IntEnum):
    """Element types of tensors."""

    F32 = 1
    BF16 = 2
    F16 = 3
    I32 = 4
    I64 = 5
    U8 = 6
    F64 = 7
    U16 = 8
    I16 = 9
    I8 = 10


PEFT_VERSION_MAJOR = 1
PEFT_VERSION_MINOR = 0
PEFT_VERSION_PATCH = 0
PEFT_MAX_DIMS = 8
PEFT_DEPTH_MAX = 64
PEFT_SIGNED_16 = -16
PEFT_FLOAT_32 = -32
PEFT_MASK_IGNORED = -1


class peft_segment(Structure):
    """As in the header."""

    _fields_ = [
        ("judged", c_int64),
        ("truth", c_int64),
        ("predicted", c_int64),
        ("both", c_int64),
        ("truth_surface", c_int64),
        ("predicted_surface", c_int64),
        ("hd", c_double),
        ("hd95", c_double),
        ("surface_distance", c_double),
        ("extent", c_double),
    ]


class peft_estimate(Structure):
    """As in the header."""

    _fields_ = [
        ("value", c_double),
        ("error", c_double),
        ("low", c_double),
        ("high", c_double),
        ("p", c_double),
        ("resamples", c_int64),
        ("undefined", c_int64),
    ]


class peft_samples(Structure):
    """As in the header."""

    _fields_ = [
        ("n", c_int64),
        ("classes", c_int64),
        ("scores", c_void_p),
        ("others", c_void_p),
        ("labels", c_void_p),
        ("targets", c_void_p),
        ("thresholds", c_void_p),
        ("groups", c_void_p),
    ]


class peft_rates(Structure):
    """As in the header."""

    _fields_ = [
        ("tp", c_int64),
        ("fp", c_int64),
        ("fn", c_int64),
        ("tn", c_int64),
        ("sensitivity", peft_estimate),
        ("specificity", peft_estimate),
        ("ppv", peft_estimate),
        ("npv", peft_estimate),
    ]


peft_alloc_fn = CFUNCTYPE(c_void_p, c_size_t, c_size_t, c_void_p)
peft_free_fn = CFUNCTYPE(None, c_void_p, c_size_t, c_void_p)
peft_log_fn = CFUNCTYPE(None, c_int, c_char_p, c_void_p)
peft_job_fn = CFUNCTYPE(None, c_void_p, c_int)
peft_pool_fn = CFUNCTYPE(None, c_void_p, c_void_p, c_int, c_void_p)
peft_text_fn = CFUNCTYPE(None, c_char_p, c_void_p)
peft_case_pool_fn = CFUNCTYPE(c_int, c_int64, c_double, c_void_p)
peft_maps_fn = CFUNCTYPE(c_int, c_int64, c_int64, c_void_p)
peft_progress_fn = CFUNCTYPE(c_int, c_void_p, c_void_p)
peft_batch_fn = CFUNCTYPE(c_int64, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p)
peft_loss_fn = CFUNCTYPE(c_int, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)
peft_reduce_fn = CFUNCTYPE(c_int, c_void_p, c_int64, c_void_p, c_void_p)
peft_gather_fn = CFUNCTYPE(c_int, c_void_p, c_void_p, c_size_t, c_void_p)
peft_segmenter_fn = CFUNCTYPE(c_int, c_int64, c_void_p, c_void_p, c_void_p)

CORE: dict[str, tuple[Any, tuple[Any, ...]]] = {
    # status.h
    "peft_status_name": (c_char_p, (c_int,)),
    "peft_last_error": (c_char_p, ()),
    "peft_set_error": (c_int, (c_int, c_char_p)),
    "peft_version_number": (c_uint, ()),
    "peft_version_string": (c_char_p, ()),
    "peft_build_info": (c_char_p, ()),
    # context.h
    "peft_context_create": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "peft_context_free": (None, (c_void_p,)),
    "peft_context_set_threads": (c_int, (c_void_p, c_int)),
    "peft_context_share_threads": (c_int, (c_void_p, c_int)),
    "peft_context_set_pool": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_context_set_seed": (c_int, (c_void_p, c_uint64)),
    "peft_context_seed": (c_uint64, (c_void_p,)),
    "peft_context_set_isa": (c_int, (c_void_p, c_char_p)),
    "peft_context_set_gemm": (c_int, (c_void_p, c_char_p)),
    "peft_context_set_log": (c_int, (c_void_p, c_void_p, c_void_p, c_int)),
    "peft_context_isa": (c_char_p, (c_void_p,)),
    "peft_context_memory_used": (c_size_t, (c_void_p,)),
    "peft_context_memory_peak": (c_size_t, (c_void_p,)),
    # options.h
    "peft_options_create": (c_int, (c_void_p, c_void_p)),
    "peft_options_free": (None, (c_void_p,)),
    "peft_options_set_int": (c_int, (c_void_p, c_char_p, c_int64)),
    "peft_options_set_float": (c_int, (c_void_p, c_char_p, c_double)),
    "peft_options_set_string": (c_int, (c_void_p, c_char_p, c_char_p)),
    "peft_options_parse": (c_int, (c_void_p, c_char_p)),
    "peft_option_name": (c_char_p, (c_void_p,)),
    "peft_option_type": (c_char_p, (c_void_p,)),
    "peft_option_fallback": (c_char_p, (c_void_p,)),
    "peft_option_help": (c_char_p, (c_void_p,)),
    "peft_option_bounds": (c_int, (c_void_p, c_void_p, c_void_p)),
    # tensor.h
    "peft_tensor_create": (c_int, (c_void_p, c_int, c_int, c_void_p, c_void_p)),
    "peft_tensor_wrap": (c_int, (c_void_p, c_int, c_int, c_void_p, c_void_p, c_void_p)),
    "peft_tensor_free": (None, (c_void_p,)),
    "peft_tensor_dtype": (c_int, (c_void_p,)),
    "peft_tensor_ndim": (c_int, (c_void_p,)),
    "peft_tensor_dim": (c_int64, (c_void_p, c_int)),
    "peft_tensor_count": (c_int64, (c_void_p,)),
    "peft_tensor_data": (c_void_p, (c_void_p,)),
    "peft_tensor_cdata": (c_void_p, (c_void_p,)),
    "peft_tensor_copy_from": (c_int, (c_void_p, c_void_p, c_size_t)),
    "peft_tensor_to_f32": (c_int, (c_void_p, c_void_p, c_int64)),
    # backbone.h
    "peft_backbone_load": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "peft_backbone_option": (c_void_p, (c_size_t,)),
    "peft_backbone_load_memory": (c_int, (c_void_p, c_void_p, c_size_t, c_void_p, c_void_p)),
    "peft_backbone_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_backbone_create_option": (c_void_p, (c_size_t,)),
    "peft_backbone_save": (c_int, (c_void_p, c_char_p)),
    "peft_backbone_save_as": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_backbone_save_option": (c_void_p, (c_size_t,)),
    "peft_backbone_free": (None, (c_void_p,)),
    "peft_backbone_context": (c_void_p, (c_void_p,)),
    "peft_backbone_get": (c_int64, (c_void_p, c_char_p)),
    "peft_backbone_note": (c_char_p, (c_void_p, c_char_p)),
    "peft_backbone_tensor_count": (c_size_t, (c_void_p,)),
    "peft_backbone_tensor_name": (c_char_p, (c_void_p, c_size_t)),
    "peft_backbone_tensor": (c_void_p, (c_void_p, c_size_t)),
    "peft_backbone_fingerprint": (c_char_p, (c_void_p,)),
    # adapter.h
    "peft_method_count": (c_size_t, ()),
    "peft_method_name": (c_char_p, (c_size_t,)),
    "peft_method_summary": (c_char_p, (c_char_p,)),
    "peft_method_paper": (c_char_p, (c_char_p,)),
    "peft_method_head": (c_char_p, (c_char_p,)),
    "peft_method_option": (c_void_p, (c_char_p, c_size_t)),
    "peft_param_name": (c_char_p, (c_void_p,)),
    "peft_param_value": (c_void_p, (c_void_p,)),
    "peft_param_grad": (c_void_p, (c_void_p,)),
    "peft_param_group": (c_char_p, (c_void_p,)),
    "peft_adapter_create": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "peft_adapter_load": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_adapter_save": (c_int, (c_void_p, c_char_p)),
    "peft_adapter_free": (None, (c_void_p,)),
    "peft_adapter_method": (c_char_p, (c_void_p,)),
    "peft_adapter_option": (c_void_p, (c_void_p, c_size_t)),
    "peft_adapter_option_value": (c_char_p, (c_void_p, c_char_p)),
    "peft_adapter_trainable_count": (c_int64, (c_void_p,)),
    "peft_adapter_param_count": (c_size_t, (c_void_p,)),
    "peft_adapter_param": (c_void_p, (c_void_p, c_size_t)),
    "peft_adapter_buffer_count": (c_size_t, (c_void_p,)),
    "peft_adapter_buffer_name": (c_char_p, (c_void_p, c_size_t)),
    "peft_adapter_find_buffer": (c_void_p, (c_void_p, c_char_p)),
    "peft_model_option": (c_void_p, (c_size_t,)),
    "peft_model_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_model_free": (None, (c_void_p,)),
    "peft_model_attach": (c_int, (c_void_p, c_void_p)),
    "peft_model_detach": (c_int, (c_void_p, c_void_p)),
    "peft_model_backbone": (c_void_p, (c_void_p,)),
    "peft_model_adapter_count": (c_size_t, (c_void_p,)),
    "peft_model_adapter": (c_void_p, (c_void_p, c_size_t)),
    "peft_model_merge": (c_int, (c_void_p, c_void_p)),
    "peft_model_classes": (c_int64, (c_void_p,)),
    "peft_model_feature_width": (c_int64, (c_void_p,)),
    "peft_model_link": (c_char_p, (c_void_p,)),
    "peft_model_output": (c_int, (c_void_p, c_void_p)),
    "peft_model_param_count": (c_size_t, (c_void_p,)),
    "peft_model_param": (c_void_p, (c_void_p, c_size_t)),
    "peft_model_find_param": (c_void_p, (c_void_p, c_char_p)),
    "peft_model_trainable_count": (c_int64, (c_void_p,)),
    "peft_model_buffer_count": (c_size_t, (c_void_p,)),
    "peft_model_buffer_name": (c_char_p, (c_void_p, c_size_t)),
    "peft_model_find_buffer": (c_void_p, (c_void_p, c_char_p)),
    "peft_model_set_note": (c_int, (c_void_p, c_char_p, c_char_p)),
    "peft_model_note": (c_char_p, (c_void_p, c_char_p)),
    "peft_model_save": (c_int, (c_void_p, c_char_p)),
    "peft_model_load": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_model_save_bytes": (c_int, (c_void_p, c_void_p)),
    "peft_model_load_bytes": (c_int, (c_void_p, c_void_p, c_size_t, c_void_p)),
    # session.h
    "peft_session_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_session_free": (None, (c_void_p,)),
    "peft_session_model": (c_void_p, (c_void_p,)),
    "peft_session_batch": (c_int64, (c_void_p,)),
    "peft_session_option": (c_void_p, (c_size_t,)),
    "peft_session_predict": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_session_probabilities": (c_int, (c_void_p, c_void_p, c_int, c_void_p)),
    "peft_session_features": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_session_input": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_session_tap": (c_void_p, (c_void_p, c_char_p)),
    "peft_session_memory": (c_size_t, (c_void_p,)),
    "peft_session_describe": (None, (c_void_p, c_void_p, c_void_p)),
    "peft_model_merge_drift": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    # adaptor.h
    "peft_adaptor_kind_count": (c_size_t, ()),
    "peft_adaptor_kind_name": (c_char_p, (c_size_t,)),
    "peft_adaptor_kind_summary": (c_char_p, (c_char_p,)),
    "peft_adaptor_kind_paper": (c_char_p, (c_char_p,)),
    "peft_adaptor_option": (c_void_p, (c_size_t,)),
    "peft_adaptor_kind_option": (c_void_p, (c_char_p, c_size_t)),
    "peft_adaptor_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_adaptor_free": (None, (c_void_p,)),
    "peft_adaptor_model": (c_void_p, (c_void_p,)),
    "peft_adaptor_kind": (c_char_p, (c_void_p,)),
    "peft_adaptor_batch": (c_int64, (c_void_p,)),
    "peft_adaptor_memory": (c_size_t, (c_void_p,)),
    "peft_adaptor_predict": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_adaptor_input": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_adaptor_source": (c_int, (c_void_p, c_void_p)),
    "peft_adaptor_store_source": (c_int, (c_void_p,)),
    "peft_adaptor_reset": (c_int, (c_void_p,)),
    "peft_adaptor_save": (c_int, (c_void_p, c_char_p)),
    "peft_adaptor_restore": (c_int, (c_void_p, c_char_p)),
    "peft_adaptor_get_int": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_adaptor_get_float": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_adaptor_describe": (None, (c_void_p, c_void_p, c_void_p)),
    # analysis.h
    "peft_analysis_scatter": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p)),
    "peft_analysis_silhouette": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p)),
    "peft_analysis_effective_rank": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_void_p)),
    "peft_analysis_pca": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p)),
    # case_pool.h
    "peft_case_pool_create": (c_int, (c_void_p, c_int64, c_int64, c_void_p, c_void_p)),
    "peft_case_pool_free": (None, (c_void_p,)),
    "peft_case_pool_option": (c_void_p, (c_size_t,)),
    "peft_case_pool_get": (c_int64, (c_void_p, c_char_p)),
    "peft_case_pool_values": (c_void_p, (c_void_p,)),
    "peft_case_pool_fit": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_case_pool_loss": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_case_pool_predict": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_void_p)),
    "peft_case_pool_save": (c_int, (c_void_p, c_char_p)),
    "peft_case_pool_load": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_case_pool_set_note": (c_int, (c_void_p, c_char_p, c_char_p)),
    "peft_case_pool_note": (c_char_p, (c_void_p, c_char_p)),
    # conformal.h
    "peft_conformal_option": (c_void_p, (c_size_t,)),
    "peft_conformal_fit": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_double, c_void_p, c_void_p)),
    "peft_conformal_sets": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_int64, c_void_p, c_void_p)),
    # early_stop.h
    "peft_early_stop_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_early_stop_free": (None, (c_void_p,)),
    "peft_early_stop_option": (c_void_p, (c_size_t,)),
    "peft_early_stop_offer": (c_int, (c_void_p, c_int64, c_double, c_void_p)),
    "peft_early_stop_best_epoch": (c_int64, (c_void_p,)),
    "peft_early_stop_best_figure": (c_double, (c_void_p,)),
    "peft_early_stop_waited": (c_int64, (c_void_p,)),
    "peft_early_stop_restore": (c_int, (c_void_p,)),
    "peft_early_stop_save": (c_int, (c_void_p, c_char_p)),
    "peft_early_stop_load": (c_int, (c_void_p, c_char_p)),
    # federated.h
    "peft_aggregator_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_aggregator_free": (None, (c_void_p,)),
    "peft_aggregator_option": (c_void_p, (c_size_t,)),
    "peft_aggregator_start": (c_int, (c_void_p, c_char_p)),
    "peft_aggregator_start_bytes": (c_int, (c_void_p, c_void_p, c_size_t)),
    "peft_aggregator_add": (c_int, (c_void_p, c_char_p, c_double)),
    "peft_aggregator_add_bytes": (c_int, (c_void_p, c_void_p, c_size_t, c_char_p, c_double)),
    "peft_aggregator_write": (c_int, (c_void_p, c_char_p)),
    "peft_aggregator_bytes": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_dp_epsilon": (c_int, (c_double, c_double, c_int64, c_double, c_void_p)),
    "peft_aggregator_sites": (c_size_t, (c_void_p,)),
    "peft_aggregator_weight": (c_double, (c_void_p,)),
    "peft_aggregator_received": (c_size_t, (c_void_p,)),
    "peft_aggregator_clipped": (c_size_t, (c_void_p,)),
    "peft_aggregator_drift": (c_double, (c_void_p,)),
    "peft_aggregator_update": (c_double, (c_void_p,)),
    # file.h
    "peft_file_open": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_file_free": (None, (c_void_p,)),
    "peft_file_kind": (c_char_p, (c_void_p,)),
    "peft_file_tensor_count": (c_size_t, (c_void_p,)),
    "peft_file_tensor_name": (c_char_p, (c_void_p, c_size_t)),
    "peft_file_tensor_type": (c_char_p, (c_void_p, c_size_t)),
    "peft_file_tensor_ndim": (c_int, (c_void_p, c_size_t)),
    "peft_file_tensor_dim": (c_int64, (c_void_p, c_size_t, c_int)),
    "peft_file_meta_count": (c_size_t, (c_void_p,)),
    "peft_file_meta_key": (c_char_p, (c_void_p, c_size_t)),
    "peft_file_meta_value": (c_char_p, (c_void_p, c_size_t)),
    "peft_file_meta": (c_char_p, (c_void_p, c_char_p)),
    "peft_sha256": (None, (c_void_p, c_size_t, c_char_p)),
    "peft_write_file": (c_int, (c_char_p, c_void_p, c_size_t)),
    # interop.h
    "peft_adapter_load_hf": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_adapter_save_hf": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_save_hf_option": (c_void_p, (c_size_t,)),
    "peft_model_load_hf": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_model_save_hf": (c_int, (c_void_p, c_char_p, c_void_p)),
    # maps.h
    "peft_maps_kind_name": (c_char_p, (c_size_t,)),
    "peft_maps_kind_options": (c_char_p, (c_size_t,)),
    "peft_maps_kind_of_class": (c_int, (c_size_t,)),
    "peft_maps_kind_summary": (c_char_p, (c_size_t,)),
    "peft_maps_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_maps_free": (None, (c_void_p,)),
    "peft_maps_option": (c_void_p, (c_size_t,)),
    "peft_maps_size": (None, (c_void_p, c_void_p, c_void_p)),
    "peft_maps_memory": (c_size_t, (c_void_p,)),
    "peft_maps_compute": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    # metrics.h
    "peft_metrics_name": (c_char_p, (c_size_t,)),
    "peft_metrics_help": (c_char_p, (c_char_p,)),
    "peft_metrics_scores": (c_int, (c_void_p, c_int64, c_int64, c_char_p, c_void_p)),
    "peft_metrics_decide": (c_int, (c_void_p, c_int64, c_int64, c_void_p)),
    "peft_metrics_one_hot": (c_int, (c_void_p, c_int64, c_int64, c_void_p)),
    "peft_metrics_confusion": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_void_p)),
    "peft_metrics_decision": (c_int, (c_void_p, c_int64, c_char_p, c_void_p, c_size_t)),
    "peft_metrics_multilabel": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_double, c_char_p, c_void_p, c_size_t)),
    "peft_metrics_multilabel_at":
        (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_char_p, c_void_p, c_size_t)),
    "peft_metrics_ranking": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_char_p, c_void_p, c_size_t)),
    "peft_metrics_calibration": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_char_p, c_void_p, c_size_t)),
    "peft_metrics_reliability": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_metrics_reliability_of_classes":
        (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_metrics_values": (c_int, (c_void_p, c_int64, c_int64, c_char_p, c_void_p, c_size_t)),
    "peft_metrics_fit_temperature": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_void_p)),
    "peft_metrics_temperature_scores": (c_int, (c_void_p, c_int64, c_int64, c_double, c_void_p)),
    # probe.h
    "peft_probe_option": (c_void_p, (c_size_t,)),
    "peft_probe_fit": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p)),
    "peft_probe_free": (None, (c_void_p,)),
    "peft_probe_scores": (c_int, (c_void_p, c_void_p, c_int64, c_void_p)),
    "peft_probe_weights": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_probe_get": (c_double, (c_void_p, c_char_p)),
    # trainer.h
    "peft_trainer_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_trainer_free": (None, (c_void_p,)),
    "peft_trainer_option": (c_void_p, (c_size_t,)),
    "peft_trainer_group": (c_int, (c_void_p, c_char_p, c_double, c_double)),
    "peft_trainer_freeze": (c_int, (c_void_p, c_char_p, c_int)),
    "peft_trainer_set_lr": (c_int, (c_void_p, c_double)),
    "peft_trainer_step": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "peft_trainer_input": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_trainer_backward": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "peft_trainer_update": (c_int, (c_void_p,)),
    "peft_trainer_set_loss": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_trainer_forward": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_trainer_backward_logits": (c_int, (c_void_p, c_void_p, c_double)),
    "peft_trainer_set_reduce": (c_int, (c_void_p, c_int64, c_int64, c_void_p, c_void_p)),
    "peft_trainer_set_ranks": (c_int, (c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_trainer_fit": (c_int, (c_void_p, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_trainer_evaluate": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_trainer_logits": (c_void_p, (c_void_p,)),
    "peft_trainer_get_int": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_trainer_get_float": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_trainer_get": (c_double, (c_void_p, c_char_p)),
    "peft_trainer_describe": (None, (c_void_p, c_void_p, c_void_p)),
    "peft_trainer_save": (c_int, (c_void_p, c_char_p)),
    "peft_trainer_restore": (c_int, (c_void_p, c_char_p)),
    "peft_trainer_warm_start": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_trainer_set_note": (c_int, (c_void_p, c_char_p, c_char_p)),
    "peft_trainer_note": (c_char_p, (c_void_p, c_char_p)),
    # prune.h
    "peft_importance_create": (c_int, (c_void_p, c_void_p)),
    "peft_importance_free": (None, (c_void_p,)),
    "peft_importance_add": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p)),
    "peft_importance_batches": (c_int64, (c_void_p,)),
    "peft_importance_shape": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_importance_scores": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p)),
    "peft_adapter_prune": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_importance_option": (c_void_p, (c_void_p, c_size_t)),
    # segmentation.h
    "peft_segmentation_create": (c_int, (c_void_p, c_int64, c_int, c_void_p)),
    "peft_segmentation_free": (None, (c_void_p,)),
    "peft_segmentation_add": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "peft_segmentation_add_targets": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    "peft_segmentation_case": (c_int, (c_void_p, c_void_p, c_size_t)),
    "peft_segmentation_values": (c_int, (c_void_p, c_int64, c_char_p, c_void_p, c_void_p)),
    "peft_segmentation_option": (c_void_p, (c_size_t,)),
    # statistics.h
    "peft_statistics_proportion": (c_int, (c_int64, c_int64, c_double, c_char_p, c_void_p)),
    "peft_statistics_mcnemar": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_void_p, c_void_p)),
    "peft_statistics_auroc": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_double, c_char_p, c_void_p)),
    "peft_statistics_auroc_difference":
        (c_int, (c_void_p, c_void_p, c_void_p, c_void_p, c_void_p, c_int64, c_double, c_void_p)),
    "peft_statistics_option": (c_void_p, (c_size_t,)),
    "peft_statistics_bootstrap": (c_int, (c_void_p, c_void_p, c_char_p, c_void_p, c_void_p, c_size_t)),
    "peft_statistics_permutation": (c_int, (c_void_p, c_void_p, c_char_p, c_void_p, c_void_p, c_size_t)),
    # threshold.h
    "peft_threshold_choose": (c_int, (c_void_p, c_void_p, c_void_p, c_int64, c_int64, c_char_p, c_double, c_void_p)),
    "peft_threshold_rates": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_double, c_char_p, c_void_p)),
    "peft_threshold_net_benefit":
        (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_void_p, c_int64, c_void_p, c_void_p)),
}
IO: dict[str, tuple[Any, tuple[Any, ...]]] = {
    # image.h
    "peft_image_load": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_image_option": (c_void_p, (c_size_t,)),
    "peft_image_load_memory": (c_int, (c_void_p, c_void_p, c_size_t, c_char_p, c_void_p)),
    "peft_image_slices": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_image_format": (c_char_p, (c_void_p, c_size_t)),
    "peft_image_from_buffer": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_int, c_int, c_int64, c_void_p)),
    "peft_image_rescale": (c_int, (c_void_p, c_double, c_double, c_void_p)),
    "peft_image_free": (None, (c_void_p,)),
    "peft_image_width": (c_int64, (c_void_p,)),
    "peft_image_height": (c_int64, (c_void_p,)),
    "peft_image_channels": (c_int, (c_void_p,)),
    "peft_image_depth": (c_int, (c_void_p,)),
    "peft_image_slope": (c_double, (c_void_p,)),
    "peft_image_intercept": (c_double, (c_void_p,)),
    "peft_image_spacing": (None, (c_void_p, c_void_p)),
    "peft_image_directions": (c_char_p, (c_void_p,)),
    "peft_image_pixels": (c_void_p, (c_void_p,)),
    "peft_image_save_png": (c_int, (c_void_p, c_char_p)),
    "peft_image_save_png_alpha": (c_int, (c_void_p, c_void_p, c_char_p)),
    "peft_image_save_png_palette": (c_int, (c_void_p, c_void_p, c_int, c_char_p)),
    "peft_image_resize": (c_int, (c_void_p, c_int64, c_int64, c_char_p, c_void_p)),
    "peft_image_resize_float": (c_int, (c_void_p, c_int64, c_int64, c_char_p, c_void_p)),
    "peft_image_resize_shorter": (c_int, (c_void_p, c_int64, c_char_p, c_void_p)),
    "peft_image_crop": (c_int, (c_void_p, c_int64, c_int64, c_int64, c_int64, c_void_p)),
    "peft_image_centre_crop": (c_int, (c_void_p, c_int64, c_int64, c_void_p)),
    "peft_image_flip": (c_int, (c_void_p, c_void_p)),
    "peft_dicom_header_read": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_dicom_header_text": (c_char_p, (c_void_p, c_char_p)),
    "peft_dicom_header_frames": (c_int64, (c_void_p,)),
    "peft_dicom_header_sort": (c_int, (c_void_p, c_void_p, c_int64, c_void_p, c_void_p)),
    "peft_dicom_header_free": (None, (c_void_p,)),
    # dataset.h
    "peft_dataset_open_folder": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_dataset_open_zip": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_dataset_open_npz": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_dataset_open_list": (c_int, (c_void_p, c_char_p, c_char_p, c_int64, c_void_p)),
    "peft_dataset_open_table": (c_int, (c_void_p, c_char_p, c_char_p, c_char_p, c_void_p)),
    "peft_dataset_table_option": (c_void_p, (c_size_t,)),
    "peft_dataset_open": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_dataset_open_pictures": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_dataset_free": (None, (c_void_p,)),
    "peft_dataset_count": (c_int64, (c_void_p,)),
    "peft_dataset_classes": (c_int64, (c_void_p,)),
    "peft_dataset_class_name": (c_char_p, (c_void_p, c_int64)),
    "peft_dataset_multilabel": (c_int, (c_void_p,)),
    "peft_dataset_label": (c_int64, (c_void_p, c_int64)),
    "peft_dataset_targets": (c_int, (c_void_p, c_int64, c_void_p)),
    "peft_dataset_name": (c_char_p, (c_void_p, c_int64)),
    "peft_dataset_id": (c_int64, (c_void_p, c_int64)),
    "peft_dataset_load": (c_int, (c_void_p, c_int64, c_void_p)),
    "peft_dataset_skipped": (c_char_p, (c_void_p,)),
    "peft_dataset_digest": (c_int, (c_void_p, c_char_p)),
    "peft_dataset_match_classes": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_dataset_overlap": (c_int, (c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_dataset_overlap_pixels": (c_int, (c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_dataset_has_groups": (c_int, (c_void_p,)),
    "peft_dataset_has_cases": (c_int, (c_void_p,)),
    "peft_dataset_group": (c_char_p, (c_void_p, c_int64)),
    "peft_dataset_case": (c_char_p, (c_void_p, c_int64)),
    "peft_dataset_with_groups": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_dataset_shared_groups": (c_int, (c_void_p, c_void_p, c_int64, c_void_p, c_void_p, c_void_p)),
    "peft_dataset_with_image_options": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_dataset_with_slices": (c_int, (c_void_p, c_void_p)),
    "peft_dataset_subset": (c_int, (c_void_p, c_void_p, c_int64, c_void_p)),
    "peft_dataset_few_shot": (c_int, (c_void_p, c_int64, c_int64, c_uint64, c_void_p, c_void_p)),
    "peft_dataset_split": (c_int, (c_void_p, c_double, c_uint64, c_void_p, c_void_p)),
    "peft_dataset_fold": (c_int, (c_void_p, c_int64, c_int64, c_uint64, c_void_p, c_void_p)),
    "peft_dataset_partition": (c_int, (c_void_p, c_int64, c_int64, c_double, c_uint64, c_void_p)),
    # dicom_seg.h
    "peft_dicom_seg_write": (c_int, (c_void_p, c_char_p, c_void_p, c_void_p, c_int64, c_char_p)),
    "peft_dicom_seg_writer_create": (c_int, (c_void_p, c_void_p, c_int64, c_void_p)),
    "peft_dicom_seg_writer_free": (None, (c_void_p,)),
    "peft_dicom_seg_writer_frames": (c_int64, (c_void_p,)),
    "peft_dicom_seg_writer_rows": (c_int64, (c_void_p,)),
    "peft_dicom_seg_writer_columns": (c_int64, (c_void_p,)),
    "peft_dicom_seg_writer_add": (c_int, (c_void_p, c_char_p)),
    "peft_dicom_seg_writer_set": (c_int, (c_void_p, c_int64, c_char_p, c_char_p)),
    "peft_dicom_seg_writer_labels": (c_int, (c_void_p, c_void_p, c_char_p)),
    "peft_dicom_seg_writer_planes": (c_int, (c_void_p, c_void_p, c_char_p)),
    "peft_dicom_seg_read": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_dicom_seg_read_memory": (c_int, (c_void_p, c_void_p, c_size_t, c_void_p)),
    "peft_dicom_seg_free": (None, (c_void_p,)),
    "peft_dicom_seg_rows": (c_int64, (c_void_p,)),
    "peft_dicom_seg_columns": (c_int64, (c_void_p,)),
    "peft_dicom_seg_frames": (c_int64, (c_void_p,)),
    "peft_dicom_seg_segments": (c_int64, (c_void_p,)),
    "peft_dicom_seg_number": (c_int64, (c_void_p, c_int64)),
    "peft_dicom_seg_text": (c_char_p, (c_void_p, c_int64, c_char_p)),
    "peft_dicom_seg_source": (c_char_p, (c_void_p, c_int64)),
    "peft_dicom_seg_frame_segment": (c_int64, (c_void_p, c_int64)),
    "peft_dicom_seg_frame_source": (c_char_p, (c_void_p, c_int64, c_void_p)),
    "peft_dicom_seg_frame": (c_int, (c_void_p, c_int64, c_void_p)),
    "peft_dicom_seg_labels": (c_int, (c_void_p, c_void_p, c_int64, c_void_p)),
    "peft_dicom_seg_planes": (c_int, (c_void_p, c_void_p, c_int64, c_void_p)),
    "peft_dicom_seg_instance_labels": (c_int, (c_void_p, c_char_p, c_int64, c_void_p)),
    # transform.h
    "peft_transform_parse": (c_int, (c_void_p, c_char_p, c_void_p)),
    "peft_transform_option": (c_void_p, (c_size_t,)),
    "peft_transform_parse_over": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_transform_text": (c_char_p, (c_void_p,)),
    "peft_transform_free": (None, (c_void_p,)),
    "peft_transform_height": (c_int64, (c_void_p,)),
    "peft_transform_width": (c_int64, (c_void_p,)),
    "peft_transform_size": (c_int64, (c_void_p,)),
    "peft_transform_apply": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_transform_box": (c_int, (c_void_p, c_int64, c_int64, c_void_p)),
    "peft_transform_apply_train": (c_int, (c_void_p, c_void_p, c_uint64, c_int64, c_int64, c_void_p)),
    # loader.h
    "peft_loader_create": (c_int, (c_void_p, c_void_p, c_char_p, c_void_p)),
    "peft_loader_option": (c_void_p, (c_size_t,)),
    "peft_loader_free": (None, (c_void_p,)),
    "peft_loader_batch_size": (c_int64, (c_void_p,)),
    "peft_loader_batches": (c_int64, (c_void_p,)),
    "peft_loader_read": (c_int, (c_void_p, c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p)),
    "peft_loader_samples": (c_int, (c_void_p, c_int64, c_int64, c_void_p, c_void_p)),
    "peft_loader_next": (c_int64, (c_int64, c_int64, c_void_p, c_void_p, c_void_p, c_void_p)),
    # masks.h
    "peft_dataset_with_masks": (c_int, (c_void_p, c_char_p, c_char_p, c_void_p)),
    "peft_dataset_mask_option": (c_void_p, (c_size_t,)),
    "peft_dataset_has_masks": (c_int, (c_void_p,)),
    "peft_dataset_mask_classes": (c_int64, (c_void_p,)),
    "peft_dataset_mask_class_name": (c_char_p, (c_void_p, c_int64)),
    "peft_dataset_mask_multilabel": (c_int, (c_void_p,)),
    "peft_dataset_mask_file": (c_char_p, (c_void_p, c_int64, c_int64)),
    "peft_dataset_load_mask": (c_int, (c_void_p, c_int64, c_void_p, c_void_p)),
    "peft_mask_from_labels": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p)),
    "peft_mask_from_targets": (c_int, (c_void_p, c_void_p, c_int64, c_int64, c_int64, c_void_p)),
    "peft_mask_free": (None, (c_void_p,)),
    "peft_mask_width": (c_int64, (c_void_p,)),
    "peft_mask_height": (c_int64, (c_void_p,)),
    "peft_mask_classes": (c_int64, (c_void_p,)),
    "peft_mask_multilabel": (c_int, (c_void_p,)),
    "peft_mask_labels": (c_int, (c_void_p, c_void_p)),
    "peft_mask_targets": (c_int, (c_void_p, c_void_p)),
    "peft_transform_apply_mask": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_transform_apply_train_mask": (c_int, (c_void_p, c_void_p, c_uint64, c_int64, c_int64, c_void_p)),
    # predictor.h
    "peft_predictor_create": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_predictor_free": (None, (c_void_p,)),
    "peft_predictor_transform": (c_void_p, (c_void_p,)),
    "peft_predictor_link": (c_char_p, (c_void_p,)),
    "peft_predictor_pixels": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_predictor_pixels_probabilities": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_predictor_images": (c_int, (c_void_p, c_void_p, c_int64, c_void_p)),
    "peft_predictor_images_probabilities": (c_int, (c_void_p, c_void_p, c_int64, c_void_p)),
    # segmenter.h
    "peft_segmenter_create": (c_int, (c_void_p, c_void_p, c_char_p, c_void_p)),
    "peft_segmenter_create_adapting": (c_int, (c_void_p, c_void_p, c_char_p, c_void_p)),
    "peft_segmenter_option": (c_void_p, (c_size_t,)),
    "peft_segmenter_free": (None, (c_void_p,)),
    "peft_segmenter_classes": (c_int64, (c_void_p,)),
    "peft_segmenter_link": (c_char_p, (c_void_p,)),
    "peft_segmenter_tiles": (c_int64, (c_void_p, c_int64, c_int64)),
    "peft_segmenter_memory": (c_size_t, (c_void_p, c_int64)),
    "peft_segmenter_rows": (c_int, (c_void_p, c_void_p, c_int, c_void_p, c_void_p)),
    "peft_segmenter_labels": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_segmenter_probabilities": (c_int, (c_void_p, c_void_p, c_void_p)),
    "peft_segmenter_targets": (c_int, (c_void_p, c_void_p, c_void_p, c_void_p)),
    # io.h
    "peft_npz_to_safetensors": (c_int, (c_void_p, c_char_p, c_char_p)),
}
