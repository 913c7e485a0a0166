/* SPDX-License-Identifier: Apache-2.0
 * options.c -- the options of peft_maps, and what all kinds of maps ask for: blocks, classes, progress. */
#include <string.h>
#include "core/maps/maps.h"
#include "core/options/text.h"

const pf_opt pf_maps_options[] = {
    { "kind", 's', "rollout", 0, 0, "rollout, ept, cam or occlusion" },
    { "batch", 'i', "1", 1, 65536, "images, or occluded images, that are computed at a time" },
    { "threads", 'i', "0", 0, 1024, "threads that compute; 0: the context's number" },
    { "multi_label", 'b', "false", 0, 0, "classes do not exclude each other: sigmoids, and a class must be named" },
    { "fuse", 's', "mean", 0, 0, "rollout: how heads become one matrix: mean, max or min" },
    { "discard", 'f', "0", 0, 0.999, "rollout: share of the smallest entries that are set to 0" },
    { "row", 's', "auto", 0, 0, "rollout: row of the result: auto, class, or mean of the patches" },
    { "first", 'i', "0", -1, PEFT_DEPTH_MAX, "rollout, ept: first block; -1: the last one" },
    { "last", 'i', "-1", -1, PEFT_DEPTH_MAX, "rollout, ept: last block; -1: that of the network" },
    { "block", 'i', "-1", -1, PEFT_DEPTH_MAX, "cam: block whose normed input is read; -1: the last one" },
    { "rectify", 'b', "true", 0, 0, "cam: negative values become 0" },
    { "patch", 'i', "0", 0, 65536, "occlusion: side of the square in pixels; 0: of a patch" },
    { "stride", 'i', "0", 0, 65536, "occlusion: step of the square, side of a cell; 0: of a patch" },
    { "fill", 's', "mean", 0, 0, "occlusion: what fills the square: mean, zero or blur" },
    { "score", 's', "probability", 0, 0, "occlusion: whose drop is shown: probability or logit" },
    { 0 } };
const peft_option *peft_maps_option(size_t i) { return pf_option_at(pf_maps_options, i); }

int64_t pf_maps_int(const peft_maps *s, const char *option)
{
    return pf_options_int(s->options, pf_maps_options, option);
}
const char *pf_maps_string(const peft_maps *s, const char *option)
{
    return pf_options_string(s->options, pf_maps_options, option);
}
double pf_maps_float(const peft_maps *s, const char *option)
{
    return pf_options_float(s->options, pf_maps_options, option);
}

peft_status pf_maps_word(const peft_maps *s, const char *option, const char *const *words, int count, int *index)
{
    char known[160];
    const char *given = pf_maps_string(s, option);
    for (*index = 0; *index < count; ++*index) if (!strcmp(words[*index], given)) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: given '%.60s', expected %s", option, given,
                   pf_names_text(words, (size_t)count, ", ", " or ", known, sizeof known));
}

peft_status pf_maps_block(const peft_maps *s, const char *option, int64_t *block)
{
    const int64_t depth = s->model->backbone->shape.depth;
    *block = pf_maps_int(s, option);
    if (*block < 0) *block = depth - 1;
    if (*block < depth) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "%s: given %lld, expected a block from 0 to %lld, or -1 for the last one", option,
                   (long long)*block, (long long)depth - 1);
}

peft_status pf_maps_blocks(const peft_maps *s, int64_t *first, int64_t *last)
{
    PF_TRY(pf_maps_block(s, "first", first));
    PF_TRY(pf_maps_block(s, "last", last));
    if (*first <= *last) return PEFT_OK;
    return pf_fail(PEFT_E_OPTION, "first: given block %lld, expected at most the last one, %lld", (long long)*first,
                   (long long)*last);
}

peft_status pf_maps_progress(peft_maps *s, int64_t count)
{
    s->done += count;
    pf_clear_failure();
    if (!s->progress || !s->progress(s->done, s->of, s->user)) return PEFT_OK;
    const peft_status failed = pf_last_failure();
    return failed ? failed : pf_fail(PEFT_E_CANCELLED, "peft_maps_compute: stopped after %lld of %lld predictions",
                                     (long long)s->done, (long long)s->of);
}

int64_t pf_maps_class(const peft_maps *s, int64_t given, const pk_real *logits)
{
    int64_t best = 0;
    if (given >= 0) return given;
    for (int64_t c = 1; c < s->model->classes; c++) if (logits[c] > logits[best]) best = c;
    return best;
}
