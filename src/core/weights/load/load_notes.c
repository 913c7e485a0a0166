/* SPDX-License-Identifier: Apache-2.0
 * load_notes.c -- sets a backbone's notes on the preprocessing of its pictures and on its classes. Each comes from the
 * first that states it: the file's header, the configuration files beside it, the family. */
#include <stdio.h>
#include <string.h>
#include "core/weights/load/load.h"

/* The number of lines, and so of class names. */
static int64_t line_count(const char *text)
{
    int64_t n = 1;
    for (; *text; text++) n += *text == '\n' && text[1];    /* a line break at the end begins no line */
    return n;
}

/* Class names are ignored if the classifier has another number of rows: they belong to another classifier, such as that
 * of the pretraining. */
peft_status pf_backbone_describe(peft_backbone *b, const char *preprocess, const char *class_names)
{
    if (preprocess && *preprocess) {
        PF_TRY(pf_prep_scale(preprocess, b->shape.image, b->preprocess));    /* adapts sizes to the input's side */
        for (int i = PF_NOTE_MEAN; i <= PF_NOTE_STD; i++) {
            char text[PF_NOTE_MAX] = "";
            if (pf_prep_value(b->preprocess, pf_note_name[i], text, sizeof text)) memcpy(b->note[i], text, sizeof text);
        }
    }
    if (!class_names || !*class_names || line_count(class_names) != b->shape.classes) return PEFT_OK;
    char *copy = pf_strdup(b->ctx, class_names);
    if (!copy) return pf_nomem("class names", strlen(class_names) + 1);
    pf_free(b->ctx, b->class_names);
    b->class_names = copy;
    return PEFT_OK;
}

typedef struct { char text[PF_NOTES][PF_NOTE_MAX]; } notes;

/* The note "link", the function that turns logits into probabilities, for Hugging Face's problem_type; "": unknown. */
static const char *link_of(const char *problem_type)
{
    if (problem_type && !strcmp(problem_type, "multi_label_classification")) return "sigmoid";
    return problem_type && !strcmp(problem_type, "single_label_classification") ? "softmax" : "";
}

static void set_mean_std(notes *n, const double mean[3], const double std[3])
{
    pf_prep_print_triple(mean, n->text[PF_NOTE_MEAN], PF_NOTE_MAX);
    pf_prep_print_triple(std, n->text[PF_NOTE_STD], PF_NOTE_MAX);
}

/* The notes as the configuration files state them, else the family's usual values. native: the images that the
 * position embedding was trained for. */
static notes notes_without_header(const pf_loader *l, pf_grid native)
{
    const pf_config *c = &l->config;
    const pf_prep *p = &c->prep;
    const pf_pixels *usual = l->family->pixels;
    const char *side = pf_config_get(c, "image_size");
    notes n = { { "" } };
    if (usual) set_mean_std(&n, usual->mean, usual->std);
    pf_sides_text(n.text[PF_NOTE_IMAGE_SIZE], native);
    if (side) snprintf(n.text[PF_NOTE_IMAGE_SIZE], PF_NOTE_MAX, "%s", side);
    snprintf(n.text[PF_NOTE_LINK], PF_NOTE_MAX, "%s", link_of(pf_config_get(c, "problem_type")));
    if (!p->stated) return n;
    set_mean_std(&n, p->mean, p->std);
    if (p->size.h > 0) pf_sides_text(n.text[PF_NOTE_IMAGE_SIZE], p->size);
    /* only the fits up to LONGEST_MEAN have a crop_pct (prep.h) */
    if (p->fit <= PF_FIT_LONGEST_MEAN && !*p->inexpressible)
        pf_print_float(n.text[PF_NOTE_CROP_PCT], PF_NOTE_MAX, p->crop_pct);
    snprintf(n.text[PF_NOTE_INTERPOLATION], PF_NOTE_MAX, "%s", p->interpolation ? p->interpolation : "");
    return n;
}

/* Sets the note "preprocess" by the first of these that exists: "preprocess" of the header; the preprocessing of the
 * configuration files, with its mean and std replaced by those of the notes; the notes, if the header has mean and std
 * (has_mean_std; files of an earlier version, converted .npz files). An empty "preprocess" in the header means that
 * only mean and std are known: then the third is not used. pf_prep.inexpressible: a setting of the configuration files
 * that text cannot express. */
static peft_status set_preprocess(const pf_loader *l, peft_backbone *b, bool has_mean_std)
{
    const char *whole = pf_st_meta(b->file, "preprocess"), *no_change = NULL;     /* of the class names */
    char text[PF_PREP_MAX], mean_std[2 * PF_NOTE_MAX + 16];
    if (whole && *whole) return pf_backbone_describe(b, whole, no_change);
    snprintf(mean_std, sizeof mean_std, ",mean=%s,std=%s", b->note[PF_NOTE_MEAN], b->note[PF_NOTE_STD]);
    if (l->config.prep.stated && !*l->config.prep.inexpressible) {
        pf_prep_text(&l->config.prep, text);
        char *mean = strstr(text, ",mean=");            /* the text ends with mean and std */
        snprintf(mean, sizeof text - (size_t)(mean - text), "%s", mean_std);
    } else if (has_mean_std && !whole && !l->config.prep.stated) {
        const char *pct = b->note[PF_NOTE_CROP_PCT], *filter = b->note[PF_NOTE_INTERPOLATION];
        snprintf(text, sizeof text, "size=%s%s%s%s%s%s", b->note[PF_NOTE_IMAGE_SIZE],
                 *pct ? ",resize=shorter,crop_pct=" : "", pct, *filter ? ",interpolation=" : "", filter, mean_std);
    } else return PEFT_OK;
    return pf_backbone_describe(b, text, no_change);
}

/* Writes the caller's options that state settings of the network, "heads=6,act=silu", without those whose value leaves
 * the setting to the file ("auto", 0). */
static void list_options(const pf_loader *l, char out[PF_SETTINGS_MAX])
{
    static const char *const no_setting[] = { "image_size", "resample", "naming", "prefix", "ignore", "config",
                                              "weights" };
    size_t used = 0;
    *out = 0;
    for (const pf_opt *row = pf_backbone_load_options; row->name; row++) {
        const char *value = pf_options_setting(l->o, row->name);
        bool other = !value || pf_option_same(row, value, row->fallback);
        for (size_t i = 0; i < sizeof no_setting / sizeof *no_setting; i++) other |= !strcmp(row->name, no_setting[i]);
        if (!other && used < PF_SETTINGS_MAX)
            used += (size_t)snprintf(out + used, PF_SETTINGS_MAX - used, "%s%s=%s", used ? "," : "", row->name, value);
    }
}

/* Warns of class names in the configuration files that the classifier's outputs do not have. */
static void warn_of_names(const pf_loader *l, const peft_backbone *b)
{
    const pf_config *c = &l->config;
    const long long names = c->class_names ? (long long)line_count(c->class_names) : 0;
    const long long classes = (long long)b->shape.classes;
    if (classes < 1) return;
    if (*c->no_names)
        pf_warn(l->ctx, "%s: %s: the class names are left out", c->source, c->no_names);
    else if (names && names != classes)
        pf_warn(l->ctx, "%s has %lld class names, but the classifier has %lld outputs: the class names are left out",
                c->source, names, classes);
}

/* A header's entry of the note's name comes before all other sources. */
peft_status pf_load_notes(const pf_loader *l, peft_backbone *b)
{
    const pf_grid grid = l->native_grid, native = { grid.h * b->shape.patch, grid.w * b->shape.patch };
    const notes known = notes_without_header(l, native);
    const char *problem = pf_config_get(&l->config, "problem_type");
    const bool has_mean_std = pf_st_meta(b->file, "mean") && pf_st_meta(b->file, "std");
    for (int i = 0; i < PF_NOTES; i++) {
        const char *stated = pf_st_meta(b->file, pf_note_name[i]), *text = stated ? stated : known.text[i];
        if (strlen(text) < PF_NOTE_MAX) memcpy(b->note[i], text, strlen(text) + 1);
        else pf_warn(l->ctx, "backbone: the file's header has a \"%s\" of %zu bytes, but at most %d are read: the "
                     "backbone has no such note", pf_note_name[i], strlen(text), PF_NOTE_MAX - 1);
    }
    if (b->shape.classes < 1) *b->note[PF_NOTE_LINK] = 0;
    else if (problem && !strcmp(problem, "regression"))
        pf_warn(l->ctx, "backbone: problem_type is regression: the classifier's outputs are values, and not logits "
                "from which class probabilities can be computed");
    memcpy(b->assumed, l->assumed, sizeof b->assumed);
    list_options(l, b->options);
    PF_TRY(set_preprocess(l, b, has_mean_std));
    const char *names = pf_st_meta(b->file, "class_names");
    const char *no_change = NULL;                       /* of "preprocess" */
    if (!names) warn_of_names(l, b);
    return pf_backbone_describe(b, no_change, names ? names : l->config.class_names);
}
