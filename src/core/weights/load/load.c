/* SPDX-License-Identifier: Apache-2.0
 * load.c -- loads a backbone from files or memory: the public functions, and the steps in their order. */
#include <string.h>
#include "core/weights/files/files.h"
#include "core/weights/load/load.h"

/* Makes and fills the backbone *b. If a step after pf_backbone_alloc fails, *b is set all the same and the caller frees
 * it. path NULL: the tensors are in memory. */
static peft_status run_steps(pf_loader *l, const char *path, peft_backbone **b)
{
    PF_TRY(pf_int8_read_header(l->file, &l->int8));
    PF_TRY(pf_load_names(l));
    PF_TRY(pf_load_leave_out(l));
    PF_TRY(pf_load_width_and_patch(l));
    PF_TRY(pf_config_read(l, path, &l->config));
    PF_TRY(pf_load_shape(l));
    const unsigned form = pf_load_form(l);
    PF_TRY(pf_backbone_alloc(l->ctx, &l->shape, b));
    (*b)->file = l->file;                               /* from here on the backbone owns the file */
    l->file = NULL;
    (*b)->timm_form = form;
    pf_load_model_type(l, (*b)->model_type);
    (*b)->naming = l->naming;
    memcpy((*b)->stated, l->int8.source, sizeof (*b)->stated);
    memcpy((*b)->content, l->int8.content, sizeof (*b)->content);
    PF_TRY(pf_load_tensors(l, *b));
    PF_TRY(pf_load_notes(l, *b));
    PF_TRY(pf_backbone_check_finite(*b));
    PF_TRY(pf_backbone_make_rope(*b));
    pf_load_release_copied(l, *b);
    return PEFT_OK;
}

/* Takes ownership of file, also on failure. */
static peft_status load(peft_context *ctx, pf_st *file, const char *path, const peft_options *o, pf_families families,
                        peft_backbone **out)
{
    pf_loader l = { .ctx = ctx, .o = o, .file = file, .families = families };
    peft_backbone *b = NULL;
    peft_status s = run_steps(&l, path, &b);
    pf_st_close(l.file);
    pf_free(ctx, l.found);
    pf_config_free(&l.config);
    if (s) peft_backbone_free(b);
    else *out = b;
    return s;
}

/* source: the path or the memory that is loaded; source_name: the name of that argument. */
static peft_status check_arguments(const void *ctx, const void *source, const char *source_name,
                                   const peft_options *o, const void *out)
{
    if (!ctx || !source || !out)
        return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", !ctx ? "ctx" : !source ? source_name : "out");
    return pf_options_check(o, pf_backbone_load_options, "loading a backbone");
}

/* Opens and loads the weights file. */
static peft_status load_file(peft_context *ctx, const char *path, const peft_options *o, pf_families families,
                             peft_backbone **out)
{
    pf_st *file;
    unsigned k, n;
    PF_TRY(pf_weights_open(ctx, path, &file));
    peft_status s = load(ctx, file, path, o, families, out);
    if (s && pf_weights_is_shard(path, &k, &n))
        s = pf_prefix_error(s, "shard %u of %u of a model (load its index, such as model.safetensors.index.json, or "
                            "their folder)", k, n);
    return s ? pf_prefix_error(s, "%s", path) : PEFT_OK;
}

peft_status pf_backbone_load(peft_context *ctx, const char *path, const peft_options *o, pf_families families,
                             peft_backbone **out)
{
    PK_FLOAT_SCOPE;
    char *file;
    PF_TRY(check_arguments(ctx, path, "path", o, out));
    PF_TRY(pf_weights_find(ctx, path, &file));
    peft_status s = load_file(ctx, file, o, families, out);
    pf_free(ctx, file);
    return s;
}

peft_status peft_backbone_load(peft_context *ctx, const char *path, const peft_options *o, peft_backbone **out)
{
    return pf_backbone_load(ctx, path, o, pf_all_families, out);
}

peft_status peft_backbone_load_memory(peft_context *ctx, const void *data, size_t size, const peft_options *o,
                                      peft_backbone **out)
{
    PK_FLOAT_SCOPE;
    pf_st *file;
    PF_TRY(check_arguments(ctx, data, "data", o, out));
    PF_TRY(pf_weights_open_memory(ctx, data, size, &file));
    const char *no_path = NULL;
    return load(ctx, file, no_path, o, pf_all_families, out);
}
