/* SPDX-License-Identifier: Apache-2.0
 * segment.c -- predicts a class for each pixel of the pictures (segment.h). */
#include "segment.h"
#include "truth.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/segment/label_pixels.h"
#include "predict/command_line.h"
#include <stdlib.h>
#include <string.h>

/* Flags that only one of the two tasks has, and the cure. */
static void refuse_flags(const int *only, size_t count, const char *cure)
{
    for (size_t i = 0; i < count; i++)
        if (given[only[i]].value && given[only[i]].source != FROM_DEFAULT)
            fail("--%s: %s", name_of_flag(&given[only[i]]).text, cure);
}

bool segments(const loaded_model *s)
{
    const int of_classes[] = { per_case }, of_labels[] = { threshold };
    const int of_maps[] = { save_masks, save_overlays, save_segmentations, segmentation_per, segmenter, spacing, masks,
                            mask_options, case_figures };
    const int of_segmentations[] = { segmentation_per };
    int64_t dims[PEFT_MAX_DIMS];
    const bool map = peft_model_output(s->model, dims) > 1;
    const char *wanted = given[task].value, *path = given[model].value ? given[model].value : given[backbone].value;
    if (wanted && strcmp(wanted, "classify") && strcmp(wanted, "segment"))
        fail("--task: given '%s', expected classify or segment", wanted);
    if (wanted && !strcmp(wanted, "segment") && !map)
        fail("--task segment: the head of %s gives one class for the picture, not one for each pixel; train a model "
             "with a head that does, such as head=patch_linear, or leave --task out", path);
    if (wanted && !strcmp(wanted, "classify") && map)
        fail("--task classify: the head of %s gives a class for each part of the picture (%lldx%lld of them, height x "
             "width), none for the picture; leave --task out to segment", path, (long long)dims[0], (long long)dims[1]);
    if (map && !s->multilabel)
        refuse_flags(of_labels, 1, "a pixel has its most probable class; thresholds are for several labels a pixel, "
                     "leave it out");
    if (map) refuse_flags(of_classes, sizeof of_classes / sizeof *of_classes,
                          "is for models that give one class for the picture; leave it out");
    else refuse_flags(of_maps, sizeof of_maps / sizeof *of_maps,
                      "is for models that give a class for each pixel; leave it out");
    if (!given[save_segmentations].value)
        refuse_flags(of_segmentations, 1, "is for DICOM segmentations; give --save-segmentations DIR too, or leave it "
                     "out");
    if (map) check_ground_truth_flags();
    return map;
}

char *describe_segmentation(void)
{
    char *text;
    if (asprintf(&text, ", segmenter %s, spacing %s, masks %s, overlays %s, segmentations %s%s",
                 given[segmenter].value ? given[segmenter].value : "whole",
                 given[spacing].value ? given[spacing].value : "none", given[save_masks].value ? "saved" : "not saved",
                 given[save_overlays].value ? "saved" : "not saved",
                 given[save_segmentations].value ? "saved by " : "not saved",
                 given[save_segmentations].value ? given[segmentation_per].value : "") < 0) fail("out of memory");
    return text;
}

/* What a run needs for each picture. */
typedef struct run {
    const loaded_model *model;
    const adaptation *adaptation;
    const inputs *in;
    prediction_table *table;
    peft_segmenter *segmenter;
    map_files *files;
    int64_t *pixels;                                          /* [classes] */
    case_evaluator *evaluator;                                /* --masks; else NULL */
} run;

static bool in_tiles(void) { return given[segmenter].value && strstr(given[segmenter].value, "tiles"); }

void begin_adapting_maps(const loaded_model *s, adaptation *a)
{
    if (given[batch].source == FROM_DEFAULT) a->batch = 1;
    begin_adapting(s, a);
    if (peft_adaptor_batch(a->adaptor) > 1 && !in_tiles())
        fail("--batch: the model adapts to %lld pictures in a call, but whole pictures are segmented one by one; leave "
             "it out, also in --adapt, or give --segmenter mode=tiles", (long long)peft_adaptor_batch(a->adaptor));
}

static peft_session *make_session(const loaded_model *s)
{
    enum { TILES = 4 };                                       /* in a batch; a whole picture is one */
    peft_session *session;
    peft_options *o = empty_options(s->ctx);
    must(peft_options_set_string(o, "compute", given[compute].value));
    must(peft_options_set_int(o, "batch", in_tiles() ? TILES : 1));
    must(peft_session_create(s->model, o, &session));
    peft_options_free(o);
    return session;
}

/* adaptor NULL: the model as it is. */
static peft_segmenter *make_segmenter(const loaded_model *s, peft_adaptor *adaptor)
{
    peft_segmenter *out;
    const char *text = given[segmenter].value;
    peft_session *session = adaptor ? NULL : make_session(s);
    const peft_status status = adaptor ? peft_segmenter_create_adapting(adaptor, s->transform, text, &out)
                                       : peft_segmenter_create(session, s->transform, text, &out);
    if (status == PEFT_E_OPTION) fail("--segmenter: %s", peft_last_error());
    must(status);
    peft_session_free(session);
    return out;
}

/* Counts the pixels of each class and adds the line. */
static void add_line(run *r, int64_t i, const peft_image *im, const pixel_labels *m)
{
    const int64_t pixels = m->width * m->height, classes = m->classes;
    const pixel_spacing mm = spacing_of(im, given_spacing());
    areas a = { m->width, m->height, r->pixels, mm.row * mm.column };
    memset(r->pixels, 0, (size_t)classes * sizeof *r->pixels);
    for (int64_t k = 0; k < pixels; k++)
        if (m->several) for (int64_t c = 0; c < classes; c++) r->pixels[c] += m->label[k * classes + c];
        else if (classes > 1) r->pixels[m->label[k]]++;
        else r->pixels[0] += m->label[k];
    add_to_table(r->table, &(prediction){ .name = input_name(r->in, i), .areas = &a });
}

/* Segments picture i: its files, then its line, so that a picture with a line has its files. */
static bool segment_picture(run *r, int64_t i)
{
    peft_image *im = NULL;
    pixel_labels m = { .classes = r->model->classes, .several = r->model->multilabel && r->model->classes > 1 };
    peft_status s = load_input(r->in, i, &im);
    if (!s) {
        m.width = peft_image_width(im), m.height = peft_image_height(im);
        s = label_pixels(r->model->ctx, r->segmenter, im, r->model->how.thresholds, &m.label);
        check_has_source(s, r->adaptation);
        if (!s) s = evaluate_input(r->evaluator, r->in, i, im, m.label);
    }
    if (s) miss_map_files(r->files, i);
    else s = write_map_files(r->files, i, im, &m);
    if (s) print_error(input_name(r->in, i), s, r->in->of_model);
    else add_line(r, i, im, &m);
    peft_image_free(im);
    free(m.label);
    return !s;
}

int64_t segment_pictures(const loaded_model *s, const adaptation *a, const inputs *in, map_files *files,
                         prediction_table *t, int64_t *tried)
{
    run r = { .model = s, .adaptation = a, .in = in, .table = t, .segmenter = make_segmenter(s, a->adaptor),
              .files = files, .pixels = check_alloc(malloc((size_t)s->classes * sizeof *r.pixels)),
              .evaluator = begin_truth_evaluation(s, in->count) };
    progress_line bar = start_progress("pictures", in->count);
    int64_t failed = 0;
    for (*tried = 0; *tried < in->count && !stop_requested; ++*tried) {
        if (take_done_line(t, input_name(in, *tried))) continue;
        hide_progress(&bar);
        failed += !segment_picture(&r, *tried);
        show_progress(&bar, *tried + 1, t->done_count, "");
    }
    hide_progress(&bar);
    end_truth_evaluation(r.evaluator, s->ctx, *tried == in->count);
    free(r.pixels);
    peft_segmenter_free(r.segmenter);
    return failed;
}
