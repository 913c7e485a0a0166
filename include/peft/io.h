/* SPDX-License-Identifier: Apache-2.0
 * io.h -- all of libpeft-io, the companion library of libpeft: images, transforms that turn them into network input,
 * data sets, loaders of batches, and predictors. Link it beside libpeft; it uses libpeft's public functions only.
 *
 * As everywhere in <peft/...>: a call that fails returns a status, leaves a message in peft_last_error(), and does not
 * touch its outputs. The caller frees what it gets through `T **out`, with one call of T's _free function; what a
 * function returns is borrowed from the handle. A handle keeps the handles that it uses alive, so that they may be
 * freed in any order. Loaders and predictors are used by one thread at a time; all other handles do not change and may
 * be used by any number of threads. A getter returns 0 or NULL for a NULL handle, or -1 for a label or an id.
 *
 * Every object belongs to a context and keeps it alive: the one that the call gets, or that of the object it is made
 * from (a resized image has the context of the image, a loader that of the data set). Its memory comes from the
 * context's allocator and is counted by peft_context_memory_used, and so is the memory of libspng, which reads and
 * writes PNG. libjpeg, libzip and zlib use malloc: libzip while an archive is open, the others while one file is read.
 * For a JPEG in several scans libjpeg allocates all coefficients, which the option max_bytes bounds. Warnings go to the
 * context's log, with level 1.
 *
 * Options are a text name=value,name=value (peft_options_parse in options.h); NULL and "" give the defaults. A list of
 * numbers is written a:b:c. PEFT_E_OPTION: an unknown name, a name given twice, or a value out of bounds. */
#ifndef PEFT_IO_H
#define PEFT_IO_H
#include <peft/dataset.h>
#include <peft/dicom_seg.h>
#include <peft/image.h>
#include <peft/loader.h>
#include <peft/masks.h>
#include <peft/predictor.h>
#include <peft/segmenter.h>
#include <peft/transform.h>
PEFT_BEGIN_DECLS

/* Converts a ViT in Google's .npz (the augreg, in21k and big_vision checkpoints; f32) to a safetensors file with timm's
 * names, which peft_backbone_load reads. Atomic: the path safetensors holds the old file or the whole new one.
 * PEFT_E_IO: a file cannot be read or written. PEFT_E_FORMAT: the file is broken or holds no such ViT.
 * PEFT_E_UNSUPPORTED: other element types, more than 4096 arrays or 64 blocks, or an array that unpacks to more than
 * 8 GiB or to more than 1032 times its packed size. */
PEFT_API PEFT_NODISCARD peft_status
peft_npz_to_safetensors(peft_context *ctx, const char *npz, const char *safetensors);

PEFT_END_DECLS
#endif
