/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- class probabilities of pictures, by a model file that finetune wrote. Nine digits tell any two floats
 * apart, so the output of two runs can be compared bit by bit. A picture that cannot be read is named on standard
 * error, the others are predicted, and the program ends with status 1. */
#include "common/files/csv.h"
#include "common/model/judge.h"
#include "common/model/names.h"
#include "common/model/source.h"
#include "common/model/weights.h"
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/stop.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "the pretrained Vision Transformer the model was trained on: safetensors, a folder " \
      "with one, Google's .npz; needed") \
    X(model, "PATH", NULL, "what finetune wrote, or a folder of Hugging Face's PEFT; none: the backbone's classifier") \
    BACKBONE_OPTIONS(X) \
    X(preprocess, "LIST", NULL, "name=value,... (inspect --preprocess) in place of single words of the files'") \
    X(class_names, "LIST", NULL, "name,name,... where no file has them") \
    X(csv, NULL, NULL, "a table with a heading line") \
    X(threads, "N", "0", "0: all cores")
enum { FLAGS(FLAG_ID) flags };
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH [--model PATH] [options] IMAGE...",
    "Prints the class probabilities of pictures (.png, .jpg, .jpeg, .pgm, .ppm, .pnm, .npy). With one label an image\n"
    "the most probable class follows the name; with several every label has a probability of its own, and no class\n"
    "is printed.",
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png\n"
    "  predict --backbone merged.safetensors --csv new/*.png > new.csv" };

/* A line is written at once, so that a program that is stopped leaves whole ones. */
static void put_line(char *text, size_t size)
{
    fwrite(text, 1, size, stdout);
    if (fflush(stdout)) fail("standard output cannot be written to; what was printed is not complete");
    free(text);
}

static void print_heading(const char *const *names, int64_t classes, bool several)
{
    char *text;
    size_t size;
    FILE *f = need(open_memstream(&text, &size));
    fputs(several ? "image" : "image,predicted", f);
    for (int64_t c = 0; c < classes; c++) {
        fputc(',', f);
        put_csv_field(f, names[c]);
    }
    fputc('\n', f);
    if (fclose(f)) fail("out of memory");
    put_line(text, size);
}

static void print_line(const char *path, const char *const *names, const float *p, int64_t classes, bool several)
{
    char *text;
    size_t size;
    int64_t best = 0;
    FILE *f = need(open_memstream(&text, &size));
    for (int64_t c = 1; c < classes; c++)
        if (p[c] > p[best]) best = c;
    if (given[csv].value) {
        put_csv_field(f, path);
        if (!several) {
            fputc(',', f);
            put_csv_field(f, names[best]);
        }
        for (int64_t c = 0; c < classes; c++) fprintf(f, ",%.9g", p[c]);
    } else {
        fprintf(f, "%s  ", path);
        if (!several) fprintf(f, "%s ", names[best]);
        for (int64_t c = 0; c < classes; c++) fprintf(f, " %s=%.9g", names[c], p[c]);
    }
    fputc('\n', f);
    if (fclose(f)) fail("out of memory");
    put_line(text, size);
}

/* false: the picture could not be read or predicted, which is said. */
static bool predict_file(source *s, peft_session *session, const char *path, float *p)
{
    peft_image *im = NULL;
    peft_status status = peft_image_load(s->ctx, path, NULL, &im);
    const char *link = s->several ? "sigmoid" : "softmax";
    if (!status) status = try_predict_image(s->ctx, session, s->transform, im, link, s->classes, p);
    if (status)
        fprintf(stderr, "%s: %s%s%s (%s)\n", program_name, im ? path : "", im ? ": " : "", peft_last_error(),
                peft_status_name(status));
    peft_image_free(im);
    return !status;
}

/* A model whose head makes a map has no class of an image to print. */
static void refuse_maps(const peft_model *m)
{
    int64_t dims[PEFT_MAX_DIMS];
    if (peft_model_output(m, dims) > 1)
        fail("--model %s: its head gives a class for each patch, %lld x %lld an image, and this program prints one of "
             "the image; peft_session_predict (session.h) gives all of them", given[model].value, (long long)dims[0],
             (long long)dims[1]);
}

int main(int argc, char **argv)
{
    program_name = "predict";
    int first = read_flags(given, flags, &about, argc, argv), failed = 0, i = first;
    if (!given[backbone].value || first == argc) fail("--backbone and at least one image are needed; see --help");
    watch_signals();
    source s = open_source(given[backbone].value, given[backbone_options].value, given[model].value,
                           (int)flag_count(&given[threads]));
    refuse_maps(s.model);
    choose_transform(&s, given[preprocess].value);
    name_classes(&s, given[class_names].value);
    peft_session *session;
    must(peft_session_create(s.model, NULL, &session));
    float *p = need(malloc((size_t)s.classes * sizeof *p));
    if (given[csv].value) print_heading(s.names, s.classes, s.several);
    for (; i < argc && !stop_requested; i++) {
        if (predict_file(&s, session, argv[i], p)) print_line(argv[i], s.names, p, s.classes, s.several);
        else failed++;
    }
    free(p);
    peft_session_free(session);
    close_source(&s);
    if (failed) fprintf(stderr, "predict: %d of %d pictures could not be predicted\n", failed, i - first);
    if (i < argc) fprintf(stderr, "predict: stopped; %d of %d pictures were looked at\n", i - first, argc - first);
    return failed || i < argc;
}
