/* SPDX-License-Identifier: Apache-2.0
 * truth.c -- true masks, and figures of the predicted ones (truth.h). */
#include "truth.h"
#include "common/program/errors.h"
#include "common/segment/figures/mean_figures.h"
#include "common/segment/mask_sets.h"
#include "predict/command_line.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* BESIDE_IMAGES: they lie beside the pictures; NULL: there are none. */
static const char *path_of_truth(void) { return path_of_masks(given[masks].value, given[mask_options].value); }

/* What messages call the masks, to be freed. */
static char *flag_of_truth(void)
{
    char *text;
    const bool folder = given[masks].value;
    if (asprintf(&text, folder ? "--masks %s" : "--mask-options %s: the masks beside the pictures",
                 folder ? given[masks].value : given[mask_options].value) < 0) fail("out of memory");
    return text;
}

/* Is the folder `inner` the folder `outer`, or below it? Both are canonical. */
static bool is_within(const char *inner, const char *outer)
{
    const size_t n = strlen(outer);
    return !strncmp(inner, outer, n) && (!inner[n] || inner[n] == '/' || !strcmp(outer, "/"));
}

/* Ends the program if files are written to the folder of the true masks, to one below it or to one above it. */
static void check_other_folder(const flag *f)
{
    char *to = f->value ? realpath(f->value, NULL) : NULL, *from = realpath(given[masks].value, NULL);
    if (to && from && (is_within(to, from) || is_within(from, to)))
        fail("--%s %s: is the folder of --masks, or lies below or above it, and true masks are never written over; "
             "give another folder", name_of_flag(f).text, f->value);
    free(to);
    free(from);
}

pixel_spacing given_spacing(void)
{
    const char *text = given[spacing].value;
    return spacing_of_flag(text && strcmp(text, "file") ? text : NULL);
}

void check_ground_truth_flags(void)
{
    const int written[] = { save_masks, save_overlays, save_segmentations };
    (void)given_spacing();
    if (!path_of_truth() && given[case_figures].value)
        fail("--case-figures: is for true masks; give --masks DIR too, or --mask-options LIST if they lie beside the "
             "pictures");
    for (size_t i = 0; given[masks].value && i < sizeof written / sizeof *written; i++)
        check_other_folder(&given[written[i]]);
}

/* The classes of masks by the model; of one class those that are not it are background. */
static bool has_several(const loaded_model *s) { return s->multilabel && s->classes > 1; }
static int64_t classes_of(const loaded_model *s) { return s->classes == 1 ? 2 : s->classes; }
static const char *class_of(const loaded_model *s, int64_t c)
{
    return s->classes > 1 ? s->names[c] : c ? s->names[0] : "background";
}

/* The names with colons between them, to be freed. */
static char *list_names(int64_t count, const char *(*name)(const void *of, int64_t c), const void *of)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int64_t c = 0; c < count; c++) fprintf(f, "%s%s", c ? ":" : "", name(of, c));
    if (fclose(f)) fail("out of memory");
    return text;
}

static const char *name_in_model(const void *s, int64_t c) { return class_of(s, c); }
static const char *name_in_masks(const void *d, int64_t c) { return peft_dataset_mask_class_name(d, c); }

static void check_classes_of_masks(const peft_dataset *d, const loaded_model *s)
{
    const int64_t classes = peft_dataset_mask_classes(d);
    char *of_masks = list_names(classes, name_in_masks, d);
    char *of_model = list_names(classes_of(s), name_in_model, s), *shown = flag_of_truth();
    if (!peft_dataset_mask_multilabel(d) && has_several(s))
        fail("%s: give a pixel one class, and the model several labels; give --mask-options "
             "per_class=folder,multilabel=true,classes=%s", shown, of_model);
    if (peft_dataset_mask_multilabel(d) && !has_several(s))
        fail("%s: have several labels a pixel, the model one class; give --mask-options without multilabel=true",
             shown);
    if (strcmp(of_masks, of_model))
        fail("%s: have the classes %s, the model has %s; give --mask-options classes=%s", shown, of_masks, of_model,
             of_model);
    free(shown);
    free(of_masks);
    free(of_model);
}

void open_ground_truth(inputs *in, const loaded_model *s)
{
    const char *path = path_of_truth();
    if (!path) return;
    char *classes = list_names(classes_of(s), name_in_model, s), *options;
    if (asprintf(&options, "classes=%s", classes) < 0) fail("out of memory");
    refuse_repeated(in, given[masks].value ? "--masks" : "--mask-options");
    add_input_masks(in, path, given[mask_options].value ? given[mask_options].value : options);
    free(options);
    free(classes);
    if (given[masks].value) refuse_shared_masks(in, given[masks].value);
    for (int64_t k = 0; k < in->sets; k++) check_classes_of_masks(in->set[k], s);
    if (!in->count) fail("%s: no picture has a mask", flag_of_truth());
}

case_evaluator *begin_truth_evaluation(const loaded_model *s, int64_t pictures)
{
    const evaluation_rule rule = { true, given_spacing(), pictures, has_several(s) };
    if (!path_of_truth()) return NULL;
    const char **name = check_alloc(malloc((size_t)classes_of(s) * sizeof *name));
    for (int64_t c = 0; c < classes_of(s); c++) name[c] = class_of(s, c);
    case_evaluator *e = begin_evaluation(s->ctx, name, classes_of(s), &rule);
    free(name);
    return e;
}

peft_status evaluate_input(case_evaluator *e, const inputs *in, int64_t i, const peft_image *im, const uint8_t *labels)
{
    peft_mask *mask;
    if (!e) return PEFT_OK;
    const peft_status s = load_input_mask(in, i, im, &mask);
    if (s) return s;
    evaluate_picture(e, &(evaluated_picture){ input_name(in, i), input_patient(in, i), im, labels, mask });
    peft_mask_free(mask);
    return PEFT_OK;
}

void end_truth_evaluation(case_evaluator *e, peft_context *ctx, bool complete)
{
    const char *path = given[case_figures].value;
    if (!e) return;
    case_table f = end_evaluation(e);
    if (complete && f.cases) {
        mean_figures m = estimate_means(ctx, &f);
        print_means(given[out].value ? stdout : stderr, &m, "");
        free_means(&m);
        if (path) write_case_figures(&f, path);
    } else if (path) {
        warn("--case-figures: %s is not written, as %s", path, complete ? "no picture was segmented"
             : "the run was stopped");
    }
    free_case_figures(&f);
}
