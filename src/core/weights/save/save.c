/* SPDX-License-Identifier: Apache-2.0
 * save.c -- saves a backbone as a safetensors file under the names of a library, or as a folder of Hugging Face with
 * model.safetensors, config.json and preprocessor_config.json. All tensors get one element type. */
#include "core/weights/save/save.h"
#include <math.h>
#include <string.h>
#include <unistd.h>
#include "core/bits/weight_reader.h"
#include "core/format/folder.h"
#include "core/format/meta.h"
#include "core/weights/int8_file.h"

static const pf_opt options[] = {
    { "naming", 's', "timm", 0, 0, "library whose names the tensors get: timm; hf (transformers before version 5); "
      "hf5 (transformers since version 5); with rotary positions both are hf-dinov3, transformers' DINOv3; clip "
      "(open_clip, the image tower); torchvision" },
    { "classifier", 'b', "true", 0, 0, "the classifier is saved too" },
    { "class_names", 's', "", 0, 0, "names of the classes for config.json, one a line; empty: LABEL_0, LABEL_1, .." },
    { "link", 's', "", 0, 0, "function from the classifier's logits to probabilities, for config.json: softmax (one "
      "label an image) or sigmoid (several); empty: as the backbone's note says" },
    { "dtype", 's', "f32", 0, 0, "element type of all tensors: f32, f16 or bf16 (half the bytes, rounded to nearest "
      "even); int8: the matrices of the blocks are whole numbers with scales (a quarter of the bytes, only for naming "
      "timm and this library), other tensors f32" },
    { 0 } };

const peft_option *peft_backbone_save_option(size_t i) { return pf_option_at(options, i); }

/* A limit is half a step above the largest finite number (f16: 65504): rounding to nearest even makes it Inf. In f32,
 * the type of the elements in memory, only Inf is Inf. */
static const pf_stored_type stored_types[] = {
    { "f32", "float32", PF_REAL, INFINITY, false }, { "f16", "float16", PEFT_F16, 65520, false },
    { "bf16", "bfloat16", PEFT_BF16, 0x1.FFp127, false }, { "int8", NULL, PF_REAL, INFINITY, true } };

/* PEFT_E_OPTION: there is no element type of this name. */
static peft_status choose_type(const char *name, const pf_stored_type **out)
{
    for (size_t i = 0; i < sizeof stored_types / sizeof *stored_types; i++)
        if (!strcmp(stored_types[i].name, name)) {
            *out = &stored_types[i];
            return PEFT_OK;
        }
    return pf_fail(PEFT_E_OPTION, "dtype: given '%s', expected f32, f16, bf16 or int8", name);
}

/* PEFT_E_OPTION: backbones are saved in no naming of this name. */
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
    pf_list_saved_namings(pf_all_families, names, sizeof names);
    return pf_fail(PEFT_E_OPTION, "naming: given '%s', expected %s", name, names);
}

/* Is a bias of k of any block not +0? */
static bool has_k_bias(const peft_backbone *b)
{
    const size_t width = (size_t)b->shape.width;
    for (int64_t i = 0; i < b->shape.depth; i++) {
        char name[PF_NAME_MAX];
        snprintf(name, sizeof name, "blocks.%lld.attn.qkv.bias", (long long)i);
        const peft_tensor *t = pf_backbone_find(b, name);
        const pk_real *k = t ? (const pk_real *)t->data + width : NULL, zero = 0;
        for (size_t c = 0; k && c < width; c++) if (memcmp(&k[c], &zero, sizeof zero)) return true;
    }
    return false;
}

/* The form of timm's names: that of the file that b was loaded from, as far as b still has it. Rotary positions are of
 * timm's class Eva; what no file of timm's states about them is as in DINOv3 and EVA-02. */
static unsigned timm_form(const peft_backbone *b)
{
    const pf_vit_shape *s = &b->shape;
    unsigned form = b->timm_form;
    if (s->rope.kind && !(form & PF_TIMM_KNOWN)) {
        form |= PF_TIMM_GAMMA | PF_TIMM_NO_K_BIAS;
        if (s->gate == PF_GATE_FIRST) form |= PF_TIMM_SPLIT_GATE;
    }
    if (s->pool == PF_FEATURE_CLS_DIST && !s->pos_prefix) form |= PF_TIMM_PREFIX_ROWS;
    const bool changed = (form & PF_TIMM_NO_K_BIAS) && has_k_bias(b);
    if (changed && (b->timm_form & PF_TIMM_NO_K_BIAS))
        pf_warn(b->ctx, "the keys have biases now, which the file that the backbone was loaded from did not have: timm "
                "loads them with attn_type=rope");
    return changed ? form & ~(unsigned)PF_TIMM_NO_K_BIAS : form;
}

/* Fills in *f by the caller's options and the backbone's notes. */
static peft_status choose_form(const peft_backbone *b, const peft_options *o, pf_form *f)
{
    PF_TRY(pf_options_check(o, options, "saving a backbone"));
    PF_TRY(choose_naming(pf_options_string(o, options, "naming"), &f->naming));
    PF_TRY(choose_type(pf_options_string(o, options, "dtype"), &f->type));
    if (f->type->int8 && f->naming != &pf_naming_timm)
        return pf_fail(PEFT_E_OPTION, "naming: given '%s', but only this library reads files with dtype=int8: expected "
                       "timm, or another dtype", f->naming->name);
    if (b->shape.rope.kind && f->naming->rotary) f->naming = f->naming->rotary;
    f->classifier = b->shape.classes > 0 && pf_options_int(o, options, "classifier");
    const pf_saving as = pf_saved_as(pf_all_families, f->naming, &b->shape, b->model_type, f->classifier);
    f->model = as.model;
    f->shape = b->shape;
    f->shape.timm_form = as.naming->unfused ? timm_form(b) : 0;
    const bool all_names = as.naming->unfused ? !(f->shape.timm_form & PF_TIMM_NO_K_BIAS)
                                              : as.naming->absent_biases != PF_ABSENT_ANY;
    f->k_bias = all_names || (!as.naming->unfused && has_k_bias(b));
    f->names = f->shape.timm_form & PF_TIMM_SPLIT_QKV ? as.naming->unfused : as.naming;
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

/* The facts of rotary positions, under the names of the load options. */
static peft_status add_rope(const pf_rope *r, pf_st_out *o)
{
    const struct { const char *name; double value; } numbers[] = {
        { "rope_temperature", r->temperature }, { "rope_grid_offset", r->offset },
        { "ref_feat_shape", (double)r->reference } };
    PF_TRY(pf_st_out_meta(o, "rope", pf_rope_name(r->kind)));
    PF_TRY(pf_st_out_meta(o, "rope_grid_indexing", r->xy ? "xy" : "ij"));
    PF_TRY(pf_st_out_meta(o, "rope_rotate_half", r->halves ? "true" : "false"));
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        char text[32];
        pf_print_float(text, sizeof text, numbers[i].value);
        PF_TRY(pf_st_out_meta(o, numbers[i].name, text));
    }
    return PEFT_OK;
}

/* Writes what is needed to read matrices stored as int8. b: the backbone that is saved, whose values may not be rounded
 * yet; stored: its tensors as the file will have them. */
static peft_status add_storage(const peft_backbone *b, const peft_backbone *stored, pf_st_out *o)
{
    pf_int8_header h = { .int8 = true, .mlp = b->shape.mlp };
    peft_backbone *digested = (peft_backbone *)(uintptr_t)b;              /* keeps the digest, under its lock */
    snprintf(h.source, sizeof h.source, "%s", pf_backbone_effective(digested));
    pf_backbone_content(stored, h.content);
    return pf_int8_write_header(&h, o);
}

/* Writes the facts that are in no tensor, and the notes except image_size, to the header, where loading looks first. */
static peft_status add_facts(const peft_backbone *b, const pf_form *f, pf_st_out *o)
{
    const pf_vit_shape *s = &b->shape;
    char eps[32];
    pf_print_float(eps, sizeof eps, s->eps);
    PF_TRY(pf_st_out_meta(o, "format", "pt"));
    PF_TRY(pf_st_out_meta(o, "eps", eps));
    PF_TRY(pf_st_out_meta(o, "act", pf_act_name(pf_vit_is_swiglu(s) ? PK_GELU : s->act)));
    if (s->gate && !pf_vit_is_swiglu(s))              /* without this entry, a gated MLP is read as SwiGLU */
        PF_TRY(pf_st_out_meta(o, "gate", s->gate == PF_GATE_FIRST ? "first" : "last"));
    PF_TRY(pf_st_out_meta(o, "pool", pf_feature_name(s->pool)));
    if (!s->norm && !s->fc_norm) PF_TRY(pf_st_out_meta(o, "final_norm", "false"));
    if (s->rope.kind) PF_TRY(add_rope(&s->rope, o));
    if (f->shape.timm_form & PF_TIMM_GAMMA) PF_TRY(pf_st_out_meta(o, PF_TIMM_CLASS_KEY, "Eva"));
    const bool before_mean = s->pool == PF_FEATURE_MEAN && s->norm;
    if (f->model && !f->naming->dtype && before_mean)        /* open_clip's norm may follow the mean */
        PF_TRY(pf_st_out_meta(o, "fc_norm", "false"));
    char sides[PF_SIDES_MAX];
    if (!s->pos_embed || s->image.h != s->image.w)            /* the rows of pos_embed tell a square, nothing else */
        PF_TRY(pf_st_out_meta(o, "image_size", pf_sides_text(sides, s->image)));
    if (s->pool_all) PF_TRY(pf_st_out_meta(o, "pool_all", "true"));
    if (s->attn_pool.width) {
        PF_TRY(pf_meta_add_int(o, "pool_heads", s->attn_pool.heads));
        pf_print_float(eps, sizeof eps, s->attn_pool.eps);
        PF_TRY(pf_st_out_meta(o, "pool_eps", eps));
        if (s->attn_pool.act != s->act) PF_TRY(pf_st_out_meta(o, "pool_act", pf_act_name(s->attn_pool.act)));
    }
    if (*b->rule) PF_TRY(pf_st_out_meta(o, "resample", b->rule));
    PF_TRY(pf_meta_add_int(o, "heads", s->heads));
    PF_TRY(pf_meta_add_int(o, "patch", s->patch));
    for (int i = 0; i < PF_NOTES; i++)
        if (*b->note[i] && strcmp(pf_note_name[i], "image_size") && i != PF_NOTE_LINK)
            PF_TRY(pf_st_out_meta(o, pf_note_name[i], b->note[i]));
    if (*b->preprocess || *b->note[PF_NOTE_MEAN])            /* "" is written if mean and std alone are known */
        PF_TRY(pf_st_out_meta(o, "preprocess", b->preprocess));
    if (f->classifier && *f->link) PF_TRY(pf_st_out_meta(o, "link", f->link));
    return f->classifier && *f->class_names ? pf_st_out_meta(o, "class_names", f->class_names) : PEFT_OK;
}

/* Refuses a tensor with NaN or Inf, or with a value that becomes Inf in the file's element type. */
static peft_status check_values(const char *name, const peft_tensor *t, const pf_stored_type *type)
{
    const pk_weight w = pf_tensor_weight(t);
    pf_reader r;
    int64_t i = 0;
    pf_reader_start(&r, t->ctx->kernels, &w);
    while (pf_reader_next(&r)) {
        for (i = 0; i < r.n && fabs((double)r.x[i]) < type->limit;) i++;        /* also stops at NaN */
        if (i < r.n) break;
    }
    if (!r.n) return PEFT_OK;                          /* all were read; else r.x[i] is the refused one */
    if (!isfinite(r.x[i])) return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds NaN or Inf: not saved", name);
    char value[40], limit[40];
    enum { DIGITS = 9 };                               /* enough to tell any two floats apart */
    pf_print_digits(value, sizeof value, (double)r.x[i], DIGITS);
    pf_print_digits(limit, sizeof limit, type->limit, DIGITS);
    return pf_fail(PEFT_E_NONFINITE, "tensor '%s' holds %s, but in %s magnitudes from %s on become Inf: not saved; "
                   "dtype=f32 can hold it", name, value, type->name, limit);
}

/* PEFT_E_UNSUPPORTED: files of other libraries are read as those of a square grid of positions. */
static peft_status check_sides(const peft_backbone *b, const pf_naming *naming)
{
    const pf_grid image = b->shape.image;
    char sides[PF_SIDES_MAX];
    if (image.h == image.w || !strcmp(naming->name, "timm")) return PEFT_OK;
    return pf_fail(PEFT_E_UNSUPPORTED, "naming: given %s for a backbone of image_size %s: files of that naming are "
                   "read as those of square images; expected naming=timm, or a backbone loaded with image_size=N",
                   naming->name, pf_sides_text(sides, image));
}

/* Adds everything that the file will hold: facts, notes, and the tensors of `stored`, which are those of b in the
 * storage of the file. */
static peft_status fill_output(const peft_backbone *b, const peft_backbone *stored, const pf_form *f, pf_made *made,
                               pf_st_out *o)
{
    PF_TRY(add_facts(b, f, o));
    if (f->type->int8) PF_TRY(add_storage(b, stored, o));
    for (size_t i = 0; i < stored->weights; i++) {
        const char *name = stored->weight[i].name;
        const peft_tensor *t = &stored->weight[i].tensor;
        if (pf_is_classifier(name) && !f->classifier) continue;
        if (!t->scales) PF_TRY(check_values(name, t, f->type));
        PF_TRY(pf_save_tensor(stored, f, made, o, name, t));
    }
    return pf_save_filled(stored, f, made, o);
}

/* Does the path name a file, and not a folder? */
static bool is_file(const char *path)
{
    static const char end[] = ".safetensors";
    const size_t n = strlen(path), m = sizeof end - 1;
    return n > m && !strcmp(path + n - m, end);
}

/* Writes the note "preprocess" as preprocessor_config.json. If the note cannot be written in that form, an existing
 * file stays, and a warning says that it describes the preprocessing of another model. */
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
        pf_warn(b->ctx, "%s exists but does not describe the saved model: it was left as it is, because %s", path,
                *b->preprocess ? "the format has no form for the model's note \"preprocess\""
                               : "the model has no note \"preprocess\"");
    pf_free(b->ctx, path);
    return s;
}

/* Writes one file, or Hugging Face's folder of files. */
static peft_status write_files(const peft_backbone *b, const pf_form *f, pf_st_out *o, const char *path)
{
    char *text;
    if (!f->naming->dtype || is_file(path)) return pf_st_out_write(o, path);
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
    pf_made made = { .count = 0 };
    if (!b || !path) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", b ? "path" : "backbone");
    PF_TRY(choose_form(b, o, &f));
    PF_TRY(check_sides(b, f.naming));
    peft_backbone *restored = NULL;
    peft_status s = pf_st_out_create(b->ctx, &out);
    if (!s && f.type->int8 != b->int8) s = pf_save_restored(b, f.type->int8, &restored);
    if (!s) s = fill_output(b, restored ? restored : b, &f, &made, out);
    if (!s) s = write_files(b, &f, out, path);
    pf_st_out_free(out);
    peft_backbone_free(restored);
    for (size_t i = 0; i < made.count; i++) pf_free(b->ctx, made.data[i]);
    if (s) return pf_prefix_error(s, "%s", path);
    if (b->int8 && !f.type->int8)
        pf_warn(b->ctx, "%s: the backbone's matrices are stored as int8, so that the file holds rounded values and has "
                "another fingerprint; dtype=int8 saves them as they are", path);
    if (pf_source_any(b->source))
        pf_warn(b->ctx, "%s: files of weights have no place for statistics of training images "
                "(peft_adaptor_store_source), which were left out; peft_model_save of a model made of this backbone "
                "writes them", path);
    return PEFT_OK;
}

peft_status peft_backbone_save(const peft_backbone *b, const char *path)
{
    return peft_backbone_save_as(b, path, NULL);
}
