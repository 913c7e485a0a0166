/* SPDX-License-Identifier: Apache-2.0
 * save.c -- a backbone becomes a safetensors file under timm's names or Hugging Face's, the latter with config.json
 * and preprocessor_config.json beside it in a folder; all of it in one element type. */
#include "core/weights/save.h"
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "core/bits/weight_reader.h"
#include "core/format/folder.h"
#include "core/format/meta.h"

static const pf_opt options[] = {
    { "naming", 's', "timm", 0, 0, "timm; hf, the names of transformers before version 5; hf5, those since" },
    { "classifier", 'b', "true", 0, 0, "false leaves the classifier out" },
    { "class_names", 's', "", 0, 0, "for config.json, one a line; else LABEL_0, LABEL_1, .." },
    { "link", 's', "", 0, 0, "of the classifier: softmax (one label an image), sigmoid (several); else not said" },
    { "dtype", 's', "f32", 0, 0, "of every tensor: f32; f16 or bf16, half the bytes, rounded to nearest even" },
    { 0 } };

/* A limit lies half a step above the largest number (f16: 65504), where the tie already goes up. */
static const pf_stored stored[] = { { "f32", "float32", PF_REAL, INFINITY }, { "f16", "float16", PEFT_F16, 65520 },
                                    { "bf16", "bfloat16", PEFT_BF16, 0x1.FFp127 } };

static peft_status choose_type(const char *name, const pf_stored **out)
{
    for (size_t i = 0; i < sizeof stored / sizeof *stored; i++)
        if (!strcmp(stored[i].name, name)) {
            *out = &stored[i];
            return PEFT_OK;
        }
    return pf_fail(PEFT_E_OPTION, "dtype: given '%s', expected f32, f16 or bf16", name);
}

static peft_status choose_naming(const char *name, const pf_naming **out)
{
    const pf_naming *known[PF_NAMINGS_MAX];
    const size_t n = pf_namings(pf_all_families, known);
    for (size_t i = 0; i < n; i++)
        if (known[i]->written && !strcmp(known[i]->name, name)) {
            *out = known[i];
            return PEFT_OK;
        }
    char names[256];
    pf_naming_names(pf_all_families, true, names, sizeof names);
    return pf_fail(PEFT_E_OPTION, "naming: given '%s', expected %s", name, names);
}

static peft_status choose(const peft_backbone *b, const peft_options *o, pf_form *f)
{
    PF_TRY(pf_options_check(o, options, NULL, "saving a backbone"));
    PF_TRY(choose_naming(pf_options_string(o, options, "naming"), &f->naming));
    PF_TRY(choose_type(pf_options_string(o, options, "dtype"), &f->as));
    f->model = pf_saved_as(pf_all_families, f->naming, &b->shape);
    f->classifier = b->shape.classes > 0 && pf_options_int(o, options, "classifier");
    f->class_names = pf_options_string(o, options, "class_names");
    f->names_given = *f->class_names != 0;
    f->link = pf_options_string(o, options, "link");
    if (*f->link && strcmp(f->link, "softmax") && strcmp(f->link, "sigmoid"))
        return pf_fail(PEFT_E_OPTION, "link: given '%s', expected softmax or sigmoid", f->link);
    if (!*f->link) f->link = b->note[PF_NOTE_LINK];
    if (!f->names_given && b->class_names) f->class_names = b->class_names;
    if (f->classifier) PF_TRY(pf_save_check_names(&b->shape, f));
    return f->model ? pf_save_expressible(&b->shape, f) : PEFT_OK;
}

/* Facts that the weights do not tell, and notes but the side of the images, where loading looks for them first. */
static peft_status add_facts(const peft_backbone *b, const pf_form *f, pf_st_out *o)
{
    const pf_vit_shape *s = &b->shape;
    char eps[32];
    pf_print_float(eps, sizeof eps, s->eps);
    PF_TRY(pf_st_out_meta(o, "format", "pt"));
    PF_TRY(pf_st_out_meta(o, "eps", eps));
    PF_TRY(pf_st_out_meta(o, "act", pf_act_name(s->act)));
    PF_TRY(pf_st_out_meta(o, "pool", s->mean_pool ? "mean" : "cls"));
    if (s->bare) PF_TRY(pf_st_out_meta(o, "final_norm", "false"));
    if (*b->rule) PF_TRY(pf_st_out_meta(o, "resample", b->rule));
    PF_TRY(pf_meta_number(o, "heads", s->heads));
    PF_TRY(pf_meta_number(o, "patch", s->patch));
    for (int i = 0; i < PF_NOTES; i++)
        if (*b->note[i] && strcmp(pf_note_name[i], "image_size") && i != PF_NOTE_LINK)
            PF_TRY(pf_st_out_meta(o, pf_note_name[i], b->note[i]));
    if (*b->preprocess || *b->note[0])                       /* empty: mean and std are known and the rest is not */
        PF_TRY(pf_st_out_meta(o, "preprocess", b->preprocess));
    if (f->classifier && *f->link) PF_TRY(pf_st_out_meta(o, "link", f->link));
    return f->classifier && *f->class_names ? pf_st_out_meta(o, "class_names", f->class_names) : PEFT_OK;
}

/* q, k and v lie one after the other in the fused tensor, so each is a part of its memory. */
static peft_status add_tensor(const peft_backbone *b, const pf_form *f, pf_st_out *o, const char *timm,
                              const peft_tensor *t)
{
    /* In a Hugging Face model with a classifier all other tensors stand behind the model's type:
     * "vit.layernorm.bias". */
    const bool prefixed = f->model && f->classifier && !pf_is_classifier(timm);
    char name[PF_NAME_MAX], whole[2 * PF_NAME_MAX];
    int64_t dims[PEFT_MAX_DIMS];
    const int parts = pf_naming_theirs(pf_all_families, f->naming, &b->shape, timm, 0, name) ? 1 : 3;
    const int64_t bytes = peft_tensor_count(t) / parts * (int64_t)pf_dtype_size(t->type);
    memcpy(dims, t->dim, sizeof dims);
    dims[0] /= parts;
    for (int p = 0; p < parts; p++) {
        if (parts > 1 && !pf_naming_theirs(pf_all_families, f->naming, &b->shape, timm, p + 1, name))
            return pf_fail(PEFT_E_UNSUPPORTED, "tensor '%s' has no name in the %s naming", timm,
                           f->naming->name);
        snprintf(whole, sizeof whole, "%s%s%s", prefixed ? f->model->type : "", prefixed ? "." : "", name);
        PF_TRY(pf_st_out_floats(o, whole, f->as->type, t->ndim, dims, t->type, (const char *)t->data + p * bytes));
    }
    return PEFT_OK;
}

/* Hugging Face's files keep a position for the class token. Where it has joined the token the row written is -0, which
 * changes no bit of what it is added to. Written row by row into owned memory; NULL data: not needed. */
static peft_status make_positions(const peft_backbone *b, const pf_form *f, peft_tensor *out)
{
    if (!f->model || b->shape.pos_prefix) return PEFT_OK;
    const peft_tensor *t = pf_backbone_find(b, "pos_embed");
    *out = *t;
    out->dim[1]++;
    pk_real *x = out->data = pf_alloc(b->ctx, pf_tensor_bytes(out));
    if (!x) return pf_nomem("pos_embed", pf_tensor_bytes(out));
    for (int64_t c = 0; c < b->shape.width; c++) x[c] = (pk_real)-0.0;
    memcpy(x + b->shape.width, t->data, pf_tensor_bytes(t));
    return PEFT_OK;
}

static peft_status check_values(const char *name, const peft_tensor *t, const pf_stored *as)
{
    const pk_weight w = pf_tensor_weight(t);
    pf_reader r;
    int64_t i = 0;
    pf_reader_start(&r, t->ctx->kernels, &w);
    while (pf_read(&r)) {
        for (i = 0; i < r.n && fabs((double)r.x[i]) < as->limit;) i++;
        if (i < r.n) break;
    }
    if (!r.n) return PEFT_OK;
    if (!isfinite(r.x[i])) return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: not saved", name);
    char value[40], limit[40];
    pf_print_digits(value, sizeof value, (double)r.x[i], 9);
    pf_print_digits(limit, sizeof limit, as->limit, 9);
    return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds %s, and in %s all from %s on is Inf: not saved", name, value,
                   as->name, limit);
}

static peft_status fill(const peft_backbone *b, const pf_form *f, const peft_tensor *positions, pf_st_out *o)
{
    PF_TRY(add_facts(b, f, o));
    for (size_t i = 0; i < b->weights; i++) {
        const char *name = b->weight[i].name;
        const peft_tensor *t = &b->weight[i].tensor;
        if (pf_is_classifier(name) && !f->classifier) continue;
        PF_TRY(check_values(name, t, f->as));
        PF_TRY(add_tensor(b, f, o, name, positions->data && !strcmp(name, "pos_embed") ? positions : t));
    }
    return PEFT_OK;
}

static bool is_file(const char *path)
{
    static const char end[] = ".safetensors";
    const size_t n = strlen(path), tail = sizeof end - 1;
    return n > tail && !strcmp(path + n - tail, end);
}

/* Where nothing can be written, a file of another model must not be taken for this one's without a word. */
static peft_status write_processor(const peft_backbone *b, const char *dir)
{
    char text[PF_PREP_MAX], *path = pf_path_join(b->ctx, dir, "preprocessor_config.json");
    pf_writer *w = NULL;
    if (!path) return PEFT_E_NOMEM;
    peft_status s = PEFT_OK;
    if (pf_save_processor(b->preprocess, text)) {
        s = pf_writer_open(b->ctx, path, &w);
        if (!s) s = pf_writer_write(w, text, strlen(text));
        if (!s) s = pf_writer_commit(w);
        else pf_writer_abandon(w);
    } else if (!access(path, F_OK))
        pf_log(b->ctx, 1, "%s stands there and is not about the saved model, %s", path, *b->preprocess ? "whose note "
               "\"preprocess\" has no form in it" : "which has no note \"preprocess\"");
    pf_free(b->ctx, path);
    return s;
}

static peft_status write_files(const peft_backbone *b, const pf_form *f, pf_st_out *o, const char *path)
{
    char *text;
    if (!f->model || is_file(path)) return pf_st_out_write(o, path);
    PF_TRY(pf_save_config(b->ctx, &b->shape, f, &text));
    peft_status s = pf_folder_write(b->ctx, path, "model.safetensors", o, "config.json", text);
    pf_free(b->ctx, text);
    return s ? s : write_processor(b, path);
}

peft_status peft_backbone_save_as(const peft_backbone *b, const char *path, const peft_options *o)
{
    PK_FLOAT_SCOPE;
    pf_form f;
    pf_st_out *out = NULL;
    peft_tensor positions = { .data = NULL };
    if (!b || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", b ? "path" : "backbone");
    PF_TRY(choose(b, o, &f));
    peft_status s = pf_st_out_create(b->ctx, &out);
    if (!s) s = make_positions(b, &f, &positions);
    if (!s) s = fill(b, &f, &positions, out);
    if (!s) s = write_files(b, &f, out, path);
    pf_st_out_free(out);
    pf_free(b->ctx, positions.data);
    return s ? pf_within(s, "%s", path) : PEFT_OK;
}

peft_status peft_backbone_save(const peft_backbone *b, const char *path)
{
    return peft_backbone_save_as(b, path, NULL);
}
