/* SPDX-License-Identifier: Apache-2.0
 * open.c -- opens weights by their content (files.h). */
#include <peft/sys/content.h>
#include "core/format/torch/torch.h"
#include "core/weights/files/files.h"

enum { FIRST_BYTES = 512 };                              /* of a file, by which its kind is recognised */

/* PEFT_E_FORMAT: these bytes begin a file of a kind that is known, but not one of weights. */
static peft_status check_kind(const void *data, size_t size)
{
    const char *kind = pf_torch_recognise(data, size) || pf_st_recognise(data, size) ? NULL
                     : peft_sys_content_kind(data, size);
    return kind ? pf_fail(PEFT_E_FORMAT, "is %s; expected a safetensors file or a file of torch.save (.pth, .pt, .bin)",
                          kind) : PEFT_OK;
}

/* Opens the one file whose bytes are in map; owns map. */
static peft_status open_map(peft_context *ctx, pf_map *map, pf_st **out)
{
    const uint8_t *data = pf_map_data(map);
    const size_t size = pf_map_size(map);
    peft_status s = check_kind(data, size);
    if (s) {
        pf_map_close(map);
        return s;
    }
    return pf_torch_recognise(data, size) ? pf_torch_open(ctx, map, data, size, out) : pf_st_open_map(ctx, map, out);
}

static peft_status open_file(peft_context *ctx, const char *file, pf_st **out)
{
    pf_map *map;
    PF_TRY(pf_map_open(ctx, file, &map));
    peft_status s = open_map(ctx, map, out);
    return s ? pf_prefix_error(s, "%s", file) : PEFT_OK;
}

/* Reads the header of a safetensors file into memory, so that the file may change while *out is open. A file of PyTorch
 * is mapped: its names may stand anywhere in it. */
static peft_status open_header(peft_context *ctx, const char *file, pf_st **out)
{
    pf_map *first;
    PF_TRY(pf_map_read(ctx, file, FIRST_BYTES, &first));
    const bool torch = pf_torch_recognise(pf_map_data(first), pf_map_size(first));
    const peft_status s = check_kind(pf_map_data(first), pf_map_size(first));
    pf_map_close(first);
    if (s) return pf_prefix_error(s, "%s", file);
    return torch ? open_file(ctx, file, out) : pf_st_open_header(ctx, file, out);
}

peft_status pf_weights_open(peft_context *ctx, const char *file, pf_st **out)
{
    return pf_weights_is_index(file) ? pf_shards_open(ctx, file, open_file, out) : open_file(ctx, file, out);
}

peft_status pf_weights_open_header(peft_context *ctx, const char *file, pf_st **out)
{
    return pf_weights_is_index(file) ? pf_shards_open(ctx, file, open_header, out) : open_header(ctx, file, out);
}

peft_status pf_weights_open_memory(peft_context *ctx, const void *data, size_t size, pf_st **out)
{
    pf_map *const no_map = NULL;
    if (!pf_torch_recognise(data, size)) return pf_st_open_memory(ctx, data, size, out);
    peft_status s = pf_torch_open(ctx, no_map, data, size, out);
    return s ? pf_prefix_error(s, "weights in memory") : PEFT_OK;
}
