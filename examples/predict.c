/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- prints class probabilities of pictures, by a model that finetune wrote. Prints nine digits, which
 * identify a float exactly, so the output of two runs can be compared bit by bit. If a picture cannot be read, the
 * program prints an error, predicts the others and ends with status 1. */
#include "common/files/csv.h"
#include "common/model/evaluate.h"
#include "common/model/names.h"
#include "common/model/loaded_model.h"
#include "common/model/weights.h"
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: the pretrained Vision Transformer that the model was trained on, a " \
      "safetensors file, a folder that holds model.safetensors, or a .npz file of Google's ViT") \
    X(model, "PATH", NULL, "the model that finetune wrote, or a folder in Hugging Face's PEFT format; without it the " \
      "backbone's own classifier") \
    BACKBONE_OPTIONS(X) \
    X(preprocess, "LIST", NULL, "preprocessing settings that replace those of the model, name=value,... (inspect " \
      "--preprocess lists them)") \
    X(class_names, "LIST", NULL, "names of the classes, name,name,... in the order of training") \
    X(csv, NULL, NULL, "print a CSV table with a heading line") \
    X(threads, "N", "0", "number of threads (0: one for each core)")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH [--model PATH] [options] IMAGE...",
    "Prints for each picture (.png, .jpg, .jpeg, .pgm, .ppm, .pnm, .npy) its name, the most probable class, and the\n"
    "probabilities of all classes. For a model that was trained with several labels per image, it prints one\n"
    "probability for each label and no most probable class.",
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png\n"
    "  predict --backbone merged.safetensors --csv new/*.png > new.csv" };

/* Writes and flushes a whole line, so that a stopped program leaves no partial line. Frees text. */
static void put_line(char *text, size_t size)
{
    fwrite(text, 1, size, stdout);
    if (fflush(stdout)) fail("standard output cannot be written; what was printed is not complete");
    free(text);
}

static void print_heading(const char *const *names, int64_t classes, bool multilabel)
{
    char *text;
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    fputs(multilabel ? "image" : "image,predicted", f);
    for (int64_t c = 0; c < classes; c++) {
        fputc(',', f);
        put_csv_field(f, names[c]);
    }
    fputc('\n', f);
    if (fclose(f)) fail("out of memory");
    put_line(text, size);
}

/* Prints the line of a picture with the probabilities p [classes], as text or as a row of the CSV table. */
static void print_line(const char *path, const char *const *names, const float *p, int64_t classes, bool multilabel)
{
    char *text;
    size_t size;
    int64_t best = 0;
    FILE *f = check_alloc(open_memstream(&text, &size));
    for (int64_t c = 1; c < classes; c++)
        if (p[c] > p[best]) best = c;
    if (given[csv].value) {
        put_csv_field(f, path);
        if (!multilabel) {
            fputc(',', f);
            put_csv_field(f, names[best]);
        }
        for (int64_t c = 0; c < classes; c++) fprintf(f, ",%.9g", p[c]);
    } else {
        fprintf(f, "%s  ", path);
        if (!multilabel) fprintf(f, "%s ", names[best]);
        for (int64_t c = 0; c < classes; c++) fprintf(f, " %s=%.9g", names[c], p[c]);
    }
    fputc('\n', f);
    if (fclose(f)) fail("out of memory");
    put_line(text, size);
}

/* Writes the picture's probabilities to p [classes]. On an error prints it and returns false. */
static bool predict_file(loaded_model *s, peft_session *session, const char *path, float *p)
{
    peft_image *im = NULL;
    peft_status status = peft_image_load(s->ctx, path, NULL, &im);
    const char *link = s->multilabel ? "sigmoid" : "softmax";
    if (!status) status = try_predict_image(s->ctx, session, s->transform, im, link, s->classes, p);
    if (status)                                             /* a failed peft_image_load names the path itself */
        fprintf(stderr, "%s: %s%s%s (%s)\n", program_name, im ? path : "", im ? ": " : "", peft_last_error(),
                peft_status_name(status));
    peft_image_free(im);
    return !status;
}

/* A model with the head patch_linear predicts patches, so there is no class of the image to print. */
static void refuse_patch_head(const peft_model *m)
{
    int64_t dims[PEFT_MAX_DIMS];
    if (peft_model_output(m, dims) > 1)
        fail("--model %s: its head predicts a class for each patch (%lld x %lld for an image), but this program prints "
             "one class of the image; call peft_session_predict (session.h) for such a model", given[model].value,
             (long long)dims[0], (long long)dims[1]);
}

int main(int argc, char **argv)
{
    program_name = "predict";
    int first = read_flags(given, flags, &about, argc, argv), failed = 0, i = first;
    if (!given[backbone].value || first == argc) fail("--backbone and at least one image are required; see --help");
    watch_signals();
    loaded_model s = open_model(given[backbone].value, given[backbone_options].value, given[model].value,
                           (int)flag_integer(&given[threads]));
    refuse_patch_head(s.model);
    choose_transform(&s, given[preprocess].value);
    name_classes(&s, given[class_names].value);
    peft_session *session;
    must(peft_session_create(s.model, NULL, &session));
    float *p = check_alloc(malloc((size_t)s.classes * sizeof *p));
    if (given[csv].value) print_heading(s.names, s.classes, s.multilabel);
    for (; i < argc && !stop_requested; i++) {
        if (predict_file(&s, session, argv[i], p)) print_line(argv[i], s.names, p, s.classes, s.multilabel);
        else failed++;
    }
    free(p);
    peft_session_free(session);
    close_model(&s);
    if (failed) fprintf(stderr, "predict: %d of %d pictures could not be predicted\n", failed, i - first);
    if (i < argc) fprintf(stderr, "predict: stopped after %d of %d pictures\n", i - first, argc - first);
    return failed || i < argc;
}
