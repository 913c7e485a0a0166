/* SPDX-License-Identifier: Apache-2.0
 * io.h -- the companion library libpeft-io: pictures, the preprocessing that turns them into network input, data sets
 * and batches. Link it beside libpeft; it uses libpeft's public functions only.
 *
 * As everywhere in <peft/...>: a call that fails returns a status, leaves a message in peft_last_error(), and does not
 * touch its outputs. The caller frees what it gets through `T **out`, with one call of T's _free function; what a
 * function returns is borrowed from the handle. Handles count their references, so they may be freed in any order.
 * All handles but the loader are immutable and may be used from any number of threads. A getter gives 0 or NULL for a
 * NULL handle, or -1 for a label or an id.
 *
 * Every object is made under a context, which it keeps alive: the one that is given, or that of the object it is made
 * of (the resized image that of the image, the loader that of the data set). Its memory comes from the context's
 * allocator and is counted by peft_context_memory_used, also what libspng uses to read and write PNG. libjpeg, libzip
 * and zlib allocate with malloc what they need: libzip while an archive is open, the others while one file is read;
 * libjpeg also the coefficients of a JPEG in several scans, which max_bytes bounds. Warnings go to the context's log,
 * with level 1.
 *
 * Settings are text as peft_options_parse (options.h) takes it, NULL or "" for the defaults; a list of numbers is
 * written a:b:c. Unknown names, names given twice and values out of bounds are PEFT_E_OPTION. */
#ifndef PEFT_IO_H
#define PEFT_IO_H
#include <peft/dataset.h>
#include <peft/image.h>
#include <peft/loader.h>
#include <peft/predictor.h>
#include <peft/transform.h>
PEFT_BEGIN_DECLS

/* Turns a ViT in Google's .npz (the augreg, in21k and big_vision checkpoints; f32) into a safetensors file with timm's
 * names, which peft_backbone_load reads. Atomic: safetensors holds the old file or the whole new one.
 * PEFT_E_IO: cannot be read or written. PEFT_E_FORMAT: broken, or no such ViT. PEFT_E_UNSUPPORTED: other element types,
 * more than 4096 arrays or 64 blocks, an array that unpacks to more than 8 GiB or to 1032 times its packed size. */
PEFT_API PEFT_NODISCARD peft_status
peft_npz_to_safetensors(peft_context *ctx, const char *npz, const char *safetensors);

PEFT_END_DECLS
#endif
