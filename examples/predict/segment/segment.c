/* SPDX-License-Identifier: Apache-2.0
 * segment.c -- predicts a class for each pixel of the pictures (segment.h). */
#include "segment.h"
#include "truth.h"
#include "common/figures/picture.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/segment/mask_folders.h"
#include "common/segment/overlay.h"
#include "common/segment/palette.h"
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
    const int of_classes[] = { threshold, per_case };
    const int of_maps[] = { save_masks, save_overlays, save_segmentations, segmenter, spacing, masks, mask_options,
                            case_figures };
    int64_t dims[PEFT_MAX_DIMS];
    const bool map = peft_model_output(s->model, dims) > 1;
    const char *wanted = given[task].value, *path = given[model].value ? given[model].value : given[backbone].value;
    if (wanted && strcmp(wanted, "classify") && strcmp(wanted, "segment"))
        fail("--task: given '%s', expected classify or segment", wanted);
    if (wanted && !strcmp(wanted, "segment") && !map)
        fail("--task segment: the head of %s gives one class for the picture, not one for each pixel; train a model "
             "with a head that does, such as head=patch_linear, or leave --task out", path);
    if (wanted && !strcmp(wanted, "classify") && map)
        fail("--task classify: the head of %s gives a class for each part of the picture (%lld x %lld of them), none "
             "for the picture; leave --task out to segment", path, (long long)dims[0], (long long)dims[1]);
    if (map && s->multilabel && s->classes > 1)
        fail("%s: predicts several labels for each pixel, and a mask has one; train a model with one label a pixel, or "
             "call peft_segmenter_probabilities (segmenter.h)", path);
    if (map) refuse_flags(of_classes, sizeof of_classes / sizeof *of_classes,
                          "is for models that give one class for the picture; leave it out");
    else refuse_flags(of_maps, sizeof of_maps / sizeof *of_maps,
                      "is for models that give a class for each pixel; leave it out");
    if (map) check_truth_flags();
    return map;
}

char *describe_segmentation(void)
{
    char *text;
    if (asprintf(&text, ", segmenter %s, spacing %s, masks %s, overlays %s, segmentations %s",
                 given[segmenter].value ? given[segmenter].value : "whole",
                 given[spacing].value ? given[spacing].value : "none", given[save_masks].value ? "saved" : "not saved",
                 given[save_overlays].value ? "saved" : "not saved",
                 given[save_segmentations].value ? "saved" : "not saved") < 0) fail("out of memory");
    return text;
}

/* What a run needs for each picture. */
typedef struct run {
    const loaded_model *model;
    const adaptation *adaptation;
    const inputs *in;
    prediction_table *table;
    peft_segmenter *segmenter;
    const char *masks, *overlays, *segmentations;             /* folders; NULL: none */
    const mask_paths *paths;
    int64_t *pixels;                                          /* [colours] */
    int64_t colours;                                          /* classes, or 2 for one class that is there or not */
    case_judge *judge;                                        /* --masks; else NULL */
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

/* Writes the labels as a DICOM segmentation of picture i. */
static peft_status write_segmentation(const run *r, int64_t i, const peft_image *labels)
{
    const loaded_model *s = r->model;
    const char *const one_class[] = { "background", s->names[0] };
    const char *source = input_name(r->in, i);
    peft_tensor *map;
    must(peft_tensor_wrap(s->ctx, PEFT_U8, 2, (int64_t[]){ peft_image_height(labels), peft_image_width(labels) },
                          (void *)(uintptr_t)peft_image_pixels(labels), &map));
    char *path = mask_path(r->segmentations, r->paths, i, "dcm");
    const peft_status status = peft_dicom_seg_write(s->ctx, source, map, s->classes == 1 ? one_class : s->names,
                                                    r->colours, path);
    free(path);
    peft_tensor_free(map);
    return status;
}

/* Writes a mask of the labels, and the picture with the labels drawn over it. */
static peft_status write_files(const run *r, int64_t i, const peft_image *im, const peft_image *labels)
{
    uint8_t palette[PALETTE_COLOURS * 3];
    peft_status s = PEFT_OK;
    class_palette(palette);
    if (r->masks) {
        char *path = mask_path(r->masks, r->paths, i, "png");
        s = peft_image_save_png_palette(labels, palette, (int)r->colours, path);
        free(path);
    }
    if (!s && r->segmentations) s = write_segmentation(r, i, labels);
    if (s || !r->overlays) return s;
    const int64_t width = peft_image_width(im), height = peft_image_height(im);
    uint8_t *rgb = check_alloc(malloc((size_t)(3 * width * height)));
    char *path = mask_path(r->overlays, r->paths, i, "png");
    peft_image *drawn;
    draw_picture(im, rgb);
    draw_overlay(peft_image_pixels(labels), width, height, 0.35, rgb);
    s = peft_image_from_buffer(r->model->ctx, rgb, width, height, 3, 8, 0, &drawn);
    if (!s) {
        s = peft_image_save_png(drawn, path);
        peft_image_free(drawn);
    }
    free(path);
    free(rgb);
    return s;
}

/* Counts the pixels of each class and adds the line. */
static void add_line(run *r, int64_t i, const peft_image *im, const peft_image *labels)
{
    const uint8_t *label = peft_image_pixels(labels);
    const pixel_spacing mm = spacing_of(im, spacing_of_flag(given[spacing].value));
    areas a = { peft_image_width(labels), peft_image_height(labels), r->pixels, mm.row * mm.column };
    memset(r->pixels, 0, (size_t)r->colours * sizeof *r->pixels);
    for (int64_t k = 0; k < a.width * a.height; k++) r->pixels[label[k]]++;
    if (r->model->classes == 1) a.pixels++;                   /* the pixels where the only class is */
    add_to_table(r->table, &(prediction){ .name = input_name(r->in, i), .areas = &a });
}

/* Segments picture i: its files, then its line, so that a picture with a line has its files. */
static bool segment_picture(run *r, int64_t i)
{
    peft_image *im = NULL, *labels = NULL;
    peft_status s = load_input(r->in, i, &im);
    if (!s) {
        s = peft_segmenter_labels(r->segmenter, im, &labels);
        check_has_source(s, r->adaptation);
        if (!s) s = judge_input(r->judge, r->in, i, im, labels);
        if (!s) s = write_files(r, i, im, labels);
    }
    if (s) print_error(input_name(r->in, i), s, r->in->of_model);
    else add_line(r, i, im, labels);
    peft_image_free(im);
    peft_image_free(labels);
    return !s;
}

/* With --resume the files of an earlier run are there. */
mask_paths prepare_masks(const inputs *in)
{
    static const struct { int flag; const char *ending; } kind[] = {
        { save_masks, "png" }, { save_overlays, "png" }, { save_segmentations, "dcm" } };
    enum { KINDS = sizeof kind / sizeof *kind };
    flag_name flags_of[KINDS];
    mask_folder folder[KINDS];
    int folders = 0;
    if (given[save_segmentations].value && given[all_slices].value)
        fail("--save-segmentations: writes a file for a picture of one frame; leave --all-slices out");
    for (int k = 0; k < KINDS; k++) {
        const flag *f = &given[kind[k].flag];
        flags_of[k] = name_of_flag(f);
        if (f->value) folder[folders++] = (mask_folder){ flags_of[k].text, f->value, kind[k].ending };
    }
    if (!folders) return (mask_paths){ 0 };
    const char **name = check_alloc(malloc(((size_t)in->count + 1) * sizeof *name));
    for (int64_t i = 0; i < in->count; i++) name[i] = input_name(in, i);
    const mask_paths paths = find_mask_paths(name, in->count);
    prepare_mask_folders(folder, folders, &paths, name, given[force].value || given[resume].value);
    free(name);
    return paths;
}

int64_t segment_pictures(const loaded_model *s, const adaptation *a, const inputs *in, const mask_paths *paths,
                         prediction_table *t, int64_t *tried)
{
    run r = { .model = s, .adaptation = a, .in = in, .table = t, .segmenter = make_segmenter(s, a->adaptor),
              .masks = given[save_masks].value, .overlays = given[save_overlays].value,
              .segmentations = given[save_segmentations].value, .paths = paths,
              .colours = s->classes == 1 ? 2 : s->classes };
    r.pixels = check_alloc(malloc((size_t)r.colours * sizeof *r.pixels));
    r.judge = begin_truth(s, in->count);
    progress_line bar = start_progress("pictures", in->count);
    int64_t failed = 0;
    for (*tried = 0; *tried < in->count && !stop_requested; ++*tried) {
        if (take_done_line(t, input_name(in, *tried))) continue;
        hide_progress(&bar);
        failed += !segment_picture(&r, *tried);
        show_progress(&bar, *tried + 1, t->done_count, "");
    }
    hide_progress(&bar);
    end_truth(r.judge, s->ctx, *tried == in->count);
    free(r.pixels);
    peft_segmenter_free(r.segmenter);
    return failed;
}
