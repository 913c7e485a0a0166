/* SPDX-License-Identifier: Apache-2.0
 * explain.c -- maps over pictures that show what a model looks at (peft/maps.h): for each picture and kind an overlay
 * of the picture's size and the values. If a picture cannot be read, the program prints an error, goes on with
 * the others and ends with status 1. */
#include "common/backbone/image_sides.h"
#include "common/backbone/weights.h"
#include "common/data/data.h"
#include "common/flags/flags.h"
#include "common/program/errors.h"
#include "common/program/progress_line.h"
#include "common/program/stop.h"
#include "explain/explain.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: the pretrained Vision Transformer that the model was trained on, as for " \
      "predict") \
    X(model, "PATH", NULL, "the model that finetune wrote, or a folder in Hugging Face's PEFT format; without it the " \
      "backbone's own classifier") \
    X(out, "DIR", NULL, "required: a new or empty folder for the maps") \
    X(kind, "LIST", "rollout,cam", "kinds of maps, with commas between them: rollout (attention roll-out), ept " \
      "(attention on the prompts of method ept), cam (Grad-CAM), occlusion") \
    X(class, "NAME", NULL, "the class that cam and occlusion are of; without it the predicted one. Required for a " \
      "model that predicts several labels") \
    X(map_options, "LIST", NULL, "options of the kinds, name=value,..., each for the kinds that have it: fuse, " \
      "discard, row, first, last, block, rectify, patch, stride, fill, score (docs/api/maps.md)") \
    X(values, "FORMAT", "npy", "how the values are written: npy (NumPy, f32) or csv") \
    X(blend, NULL, NULL, "also write each picture with the map over it, NAME.KIND.blend.png") \
    X(cells, NULL, NULL, "draw each cell of a map in one colour; without it values between the centres of cells are " \
      "interpolated") \
    X(opacity, "X", "0.6", "of the overlay, 0 to 1") \
    BACKBONE_OPTIONS(X) \
    X(preprocess, "LIST", NULL, "preprocessing settings that replace those of the model, name=value,... (inspect " \
      "--preprocess lists them)") \
    X(class_names, "LIST", NULL, "names of the classes, name,name,... in the order of training") \
    IMAGE_FLAG(X) \
    X(all_slices, NULL, NULL, "every slice of a file of several pictures, such as a volume") \
    X(batch, "N", "8", "occluded pictures that are predicted at a time") \
    X(force, NULL, NULL, "write into a folder that is not empty; files of the same names are replaced") \
    X(threads, "N", "0", "number of threads (0: one for each core)")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH [--model PATH] --out DIR [options] PICTURES...",
    "Writes maps over pictures that show what a model looks at. For each picture and kind DIR gets a transparent PNG\n"
    "of the picture's size, NAME.KIND.png, and the values; index.csv lists them with the lowest and highest value,\n"
    "which are the ends of the colours in scale.png. PICTURES are as for predict. A map tells how a model computes,\n"
    "and is no evidence of a finding (docs/explain.md).",
    "  explain --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors --out maps new/*.png\n"
    "  explain --backbone merged.safetensors --kind occlusion --class malignant --blend --out maps scan.png" };

static bool values_as_csv(void)
{
    const char *v = given[values].value;
    if (strcmp(v, "npy") && strcmp(v, "csv")) fail("--values: given '%s', expected npy or csv", v);
    return !strcmp(v, "csv");
}

/* All maps of picture i. */
static peft_status explain_picture(const loaded_model *s, const inputs *in, int64_t i, const map_kinds *kinds,
                                   map_files *files, float *input)
{
    double box[4];
    peft_image *im = NULL;
    peft_status status = load_input(in, i, &im);
    if (!status) status = peft_transform_apply(s->transform, im, input);
    if (!status) status = peft_transform_box(s->transform, peft_image_width(im), peft_image_height(im), box);
    for (int k = 0; k < kinds->count && !status; k++) {
        int64_t chosen;
        status = compute_map(s, kinds, k, input, &chosen);
        if (!status)
            status = write_map(files, s->ctx, &kinds->item[k], i + 1, input_name(in, i),
                               chosen < 0 ? NULL : s->names[chosen], im, box);
    }
    peft_image_free(im);
    return status;
}

/* Returns how many pictures failed. *tried: those before a stop. */
static int64_t explain_pictures(const loaded_model *s, const inputs *in, const map_kinds *kinds, map_files *files,
                                int64_t *tried)
{
    float *input = check_alloc(malloc((size_t)image_floats(s->transform) * sizeof *input));
    progress_line bar = start_progress("pictures", in->count);
    int64_t failed = 0;
    for (*tried = 0; *tried < in->count && !stop_requested; ++*tried) {
        const peft_status status = explain_picture(s, in, *tried, kinds, files, input);
        if (stop_requested) break;
        hide_progress(&bar);
        if (status) print_error(input_name(in, *tried), status, in->of_model), failed++;
        show_progress(&bar, *tried + 1, 0, "");
    }
    hide_progress(&bar);
    end_picture_errors();
    free(input);
    return failed;
}

int main(int argc, char **argv)
{
    program_name = "explain";
    const int first = read_flags(given, flags, &about, argc, argv);
    if (!given[backbone].value || !given[out].value || first == argc)
        fail("--backbone, --out and at least one picture are required; see --help");
    const double chosen_opacity = flag_number(&given[opacity], 0, 1);
    const bool csv = values_as_csv();
    const int64_t chosen_batch = flag_whole(&given[batch], 1, most_in_batch);
    watch_signals();
    loaded_model s = open_model(given[backbone].value, given[backbone_options].value, given[model].value,
                                (int)flag_integer(&given[threads]));
    choose_transform(&s, given[preprocess].value);
    name_classes(&s, given[class_names].value);
    map_kinds kinds = open_kinds(&s, given[kind].value, given[map_options].value, given[class].value, chosen_batch);
    input_reading how = choose_reading(s.image_options, given[image_options].value, given[all_slices].value != NULL);
    inputs in = open_inputs(s.ctx, argv + first, argc - first, &how);
    if (!in.count) fail("no picture could be opened");
    map_files files = open_files(given[out].value, csv, given[blend].value != NULL, given[cells].value != NULL,
                                 chosen_opacity, given[force].value != NULL);
    int64_t tried;
    const int64_t failed = explain_pictures(&s, &in, &kinds, &files, &tried) + in.failed;
    close_files(&files, s.ctx);
    if (failed) fprintf(stderr, "explain: %lld of %lld pictures have no maps\n", (long long)failed,
                        (long long)(tried + in.failed));
    if (tried < in.count) fprintf(stderr, "explain: stopped after %lld of %lld pictures\n", (long long)tried,
                                  (long long)in.count);
    const int status = failed || tried < in.count;
    free_kinds(&kinds);
    free_inputs(&in);
    free_reading(&how);
    close_model(&s);
    return status;
}
