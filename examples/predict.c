/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- prints class probabilities of pictures, by a model that finetune wrote. Prints nine digits, which
 * identify a float exactly, so the output of two runs can be compared bit by bit. If a picture cannot be read, the
 * program prints an error, predicts the others and ends with status 1. With --adapt the model adapts to the pictures
 * (predict/adapted.c). */
#include "common/data/data.h"
#include "common/files/output.h"
#include "common/model/adaptation.h"
#include "common/model/evaluate.h"
#include "common/model/weights.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "common/program/flags.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "predict/predict.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: the pretrained Vision Transformer that the model was trained on, a " \
      "safetensors file, a file of PyTorch (.pth), the index of a model in several files, a folder with one of " \
      "these, or a .npz file of Google's ViT") \
    X(model, "PATH", NULL, "the model that finetune wrote, or a folder in Hugging Face's PEFT format; without it the " \
      "backbone's own classifier") \
    BACKBONE_OPTIONS(X) \
    X(preprocess, "LIST", NULL, "preprocessing settings that replace those of the model, name=value,... (inspect " \
      "--preprocess lists them)") \
    X(class_names, "LIST", NULL, "names of the classes, name,name,... in the order of training") \
    X(csv, NULL, NULL, "print a CSV table with a heading line") \
    X(data, "PATH", NULL, "predict the pictures of this data set (as for finetune --data) in place of IMAGE") \
    X(split, "NAME", NULL, "with --data: the split to predict, train, val or test; without it all pictures") \
    TABLE_FLAG(X) \
    CASE_FLAG(X) \
    X(adapt, "KIND", NULL, "adapt to the pictures by a kind of test-time adaptation with its options, foa_bp or " \
      "\"tent,batch=8\" (inspect --adaptation, docs/adaptation.md)") \
    X(batch, "N", "64", "with --adapt: pictures in a call, which adapts once") \
    X(source, "PATH", NULL, "with --adapt: training images, as for finetune --data, for kinds that compare pictures " \
      "with them; labels are not used") \
    X(source_images, "N", "64", "number of them, drawn at random (0: all)") \
    X(seed, "N", "1", "with --adapt: seed of this draw and of the adaptation") \
    X(state, "FILE", NULL, "with --adapt: continue from this file if it exists, and write to it what was learned") \
    X(compute, "NAME", "f32", "arithmetic of matrix products: f32; bf16 or int8, which round factors to 8 bits " \
      "and are faster on CPUs with instructions for them") \
    X(threads, "N", "0", "number of threads (0: one for each core)")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH [--model PATH] [options] IMAGE... | --data PATH",
    "Prints for each picture (.png, .jpg, .jpeg, .pgm, .ppm, .pnm, .npy) its name, the most probable class, and the\n"
    "probabilities of all classes. For a model that was trained with several labels per image, it prints one\n"
    "probability for each label and no most probable class.",
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png\n"
    "  predict --backbone merged.safetensors --csv new/*.png > new.csv\n"
    "  predict --backbone merged.safetensors --adapt foa_bp --source scans --state new.state new/*.png" };

/* Writes the picture's probabilities to p [classes]. On an error prints it and returns false. */
static bool predict_file(loaded_model *s, peft_session *session, const pictures *all, int i, float *p)
{
    peft_image *im = NULL;
    peft_status status = load_picture(s->ctx, all, i, &im);
    const char *link = s->multilabel ? "sigmoid" : "softmax";
    if (!status) status = try_predict_image(s->ctx, session, s->transform, im, link, s->classes, p);
    if (status)                                             /* a failed peft_image_load names the path itself */
        fprintf(stderr, "%s: %s%s%s (%s)\n", program_name, im ? picture_name(all, i) : "", im ? ": " : "",
                peft_last_error(), peft_status_name(status));
    peft_image_free(im);
    return !status;
}

/* Predicts the pictures one by one; returns how many failed. *done: those before a stop. */
static int predict_files(loaded_model *s, const pictures *all, results *r, int *done)
{
    peft_session *session;
    int failed = 0;
    peft_options *o = empty_options(s->ctx);
    must(peft_options_set_string(o, "compute", given[compute].value));
    must(peft_session_create(s->model, o, &session));
    peft_options_free(o);
    float *p = check_alloc(malloc((size_t)s->classes * sizeof *p));
    for (*done = 0; *done < all->count && !stop_requested; ++*done) {
        if (predict_file(s, session, all, *done, p)) put_result(r, *done, p);
        else failed++;
    }
    free(p);
    peft_session_free(session);
    return failed;
}

/* Options that say how to adapt are errors without --adapt. The state is checked before anything is computed. */
static adaptation adaptation_of_flags(void)
{
    const int only_adapting[] = { batch, source, source_images, seed, state };
    const char *const inputs[] = { given[backbone].value, given[model].value, given[source].value };
    for (size_t i = 0; i < sizeof only_adapting / sizeof *only_adapting; i++)
        if (!given[adapt].value && given[only_adapting[i]].source != FROM_DEFAULT)
            fail("--%s: is for adapting alone; give --adapt KIND too", given[only_adapting[i]].name);
    if (given[adapt].value && given[compute].source != FROM_DEFAULT)
        fail("--compute: with --adapt it is an option of the kind; give --adapt KIND,compute=%s", given[compute].value);
    adaptation a = { .kind = given[adapt].value, .source = given[source].value, .state = given[state].value,
                     .table = given[table].value };
    if (!a.kind) return a;
    a.batch = flag_integer(&given[batch]);
    a.source_images = flag_integer(&given[source_images]);
    a.seed = (uint64_t)flag_integer(&given[seed]);
    check_kind_of("adapt", a.kind, NULL);
    const bool replace = true;                                /* restore reads an existing file, and refuses others */
    if (a.state) {
        const input_files in = { given[backbone].value, given[backbone_options].value, given[model].value };
        check_output("state", a.state, replace, inputs, 3);
        check_not_input("state", a.state, &in);
    }
    a.resumed = a.state && !access(a.state, F_OK);
    return a;
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
    int first = read_flags(given, flags, &about, argc, argv), done;
    if (!given[backbone].value || (first == argc && !given[data].value))
        fail("--backbone and at least one image, or --data, are required; see --help");
    if (!given[data].value && (given[split].value || (given[table].value && !given[source].value)))
        fail("--split and --table: are for --data; give it too");
    const adaptation a = adaptation_of_flags();
    watch_signals();
    loaded_model s = open_model(given[backbone].value, given[backbone_options].value, given[model].value,
                           (int)flag_integer(&given[threads]));
    pictures all = open_pictures(s.ctx, given[data].value, given[split].value, given[table].value, argv + first,
                                 argc - first);
    if (a.kind && !a.resumed) warn_of_one_call("--adapt", a.kind, a.batch, all.count);
    refuse_patch_head(s.model);
    choose_transform(&s, given[preprocess].value);
    name_classes(&s, given[class_names].value);
    results r;
    open_results(&r, &s, &all, given[per_case].value, given[csv].value);
    if (given[csv].value) print_heading(&s, given[per_case].value ? "case" : "image");
    const int failed = a.kind ? predict_adapting(&s, &a, &all, &r, &done) : predict_files(&s, &all, &r, &done);
    close_results(&r);
    peft_dataset_free(all.d);
    close_model(&s);
    if (failed) fprintf(stderr, "predict: %d of %d pictures could not be predicted\n", failed, done);
    if (done < all.count) fprintf(stderr, "predict: stopped after %d of %d pictures\n", done, all.count);
    return failed || done < all.count;
}
