/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- class probabilities of pictures, by a model that finetune wrote, printed or written to a file. Numbers
 * have nine digits, which identify a float exactly, so the output of two runs can be compared bit by bit. If a picture
 * cannot be read, the program prints an error, predicts the others and ends with status 1. With --adapt the model
 * adapts to the pictures (predict/adapted.c). */
#include "common/data/data.h"
#include "common/files/output.h"
#include "common/model/adaptation.h"
#include "common/backbone/weights.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/program/threads.h"
#include "predict/predict.h"
#include <math.h>
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
    IMAGE_FLAG(X) \
    X(format, "NAME", NULL, "text, csv (a table with a heading line) or jsonl (a JSON object on each line); without " \
      "it text, or with --out csv") \
    X(csv, NULL, NULL, "the same as --format csv") \
    X(out, "FILE", NULL, "write the table to this file; until all pictures are done, it is FILE.part") \
    X(resume, NULL, NULL, "with --out: go on with FILE.part of an earlier run by the same options") \
    X(force, NULL, NULL, "overwrite --out if it exists") \
    X(data, "PATH", NULL, "predict the pictures of this data set (as for finetune --data) in place of PICTURES") \
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
    "--backbone PATH [--model PATH] [options] PICTURES... | --data PATH",
    "Prints for each picture its name, the most probable class, and the probabilities of all classes. PICTURES are\n"
    "picture files, folders and .zip files with pictures at any depth, or text files with the path of a picture on\n"
    "each line. For a model that was trained with several labels per image, it prints one probability for each label\n"
    "and no most probable class.",
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png\n"
    "  predict --backbone merged.safetensors --out new.csv new/\n"
    "  predict --backbone merged.safetensors --adapt foa_bp --source scans --state new.state new/*.png" };

/* Predicts pictures first .. first + count - 1 of the call: p [count, classes]. */
static peft_status predict_some(const loaded_model *s, peft_session *session, const call *c, int64_t first,
                                int64_t count, float *p)
{
    peft_tensor *images = call_images(c, first, count), *out;
    must(peft_tensor_wrap(s->ctx, PEFT_F32, 2, (int64_t[]){ count, s->classes }, p, &out));
    peft_status status = peft_session_probabilities(session, images, s->multilabel, out);
    for (int64_t k = 0; !status && k < count * s->classes; k++)
        if (!isfinite(p[k]))
            status = peft_set_error(PEFT_E_NONFINITE, "the model's output is NaN or infinite; train it again with a "
                                    "smaller learning rate");
    peft_tensor_free(images);
    peft_tensor_free(out);
    return status;
}

/* Predicts the pictures of a call and hands the results over; returns how many failed. Results do not depend on the
 * number of pictures: where the whole call fails, each is predicted by itself. */
static int64_t predict_call(const loaded_model *s, peft_session *session, call *c, results *r, float *p)
{
    int64_t failed = 0;
    const bool together = c->count && !predict_some(s, session, c, 0, c->count, p);
    for (int64_t k = 0; k < c->count; k++) {
        const peft_status status = together ? PEFT_OK : predict_some(s, session, c, k, 1, p + k * s->classes);
        if (status) print_error(input_name(r->in, c->picture[k]), status), failed++;
        else add_result(r, c->picture[k], p + k * s->classes);
    }
    c->count = 0;
    return failed;
}

/* Predicts the pictures in order; returns how many failed. *tried: those before a stop. */
static int64_t predict_pictures(const loaded_model *s, const inputs *in, results *r, int threads, int64_t *tried)
{
    enum { PICTURES_IN_CALL = 8 };
    peft_session *session;
    peft_options *o = empty_options(s->ctx);
    must(peft_options_set_string(o, "compute", given[compute].value));
    must(peft_session_create(s->model, o, &session));
    peft_options_free(o);
    float *p = check_alloc(malloc((size_t)(PICTURES_IN_CALL * s->classes) * sizeof *p));
    call c = make_call(s, PICTURES_IN_CALL, threads);
    progress_line bar = start_progress("pictures", in->count);
    int64_t failed = 0;
    for (*tried = 0; *tried < in->count && !stop_requested; ) {
        failed += fill_call(&c, in, r->table, tried);
        hide_progress(&bar);
        failed += predict_call(s, session, &c, r, p);
        show_progress(&bar, *tried, r->table->done_count, "");
    }
    hide_progress(&bar);
    free_call(&c);
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

/* The format of the table: that of --format or --csv, else text, or CSV for a file. */
static table_format format_of_flags(void)
{
    const char *name = given[format].value;
    if (given[csv].value && name && strcmp(name, "csv")) fail("--csv and --format %s: give one of them", name);
    if (given[csv].value) return FORMAT_CSV;
    if (!name) return given[out].value ? FORMAT_CSV : FORMAT_TEXT;
    if (given[out].value && read_format(name) == FORMAT_TEXT)
        fail("--format text: is for the terminal; give csv or jsonl with --out");
    return read_format(name);
}

/* Whether a run that was stopped can go on where it was: a case needs all its pictures, and predictions with --adapt
 * depend on the pictures before. */
static bool can_resume(void) { return given[out].value && !given[per_case].value && !given[adapt].value; }

/* Ends the program if path is one of the files that it reads. */
static void check_table_path(const char *path, bool replace, int arguments, char *const *argument)
{
    const char *const flags_read[] = { given[backbone].value, given[model].value, given[source].value,
                                       given[state].value, given[data].value };
    enum { FLAGS_READ = sizeof flags_read / sizeof *flags_read };
    const input_files in = { given[backbone].value, given[backbone_options].value, given[model].value };
    const char **read = check_alloc(malloc((size_t)(FLAGS_READ + arguments) * sizeof *read));
    for (int i = 0; i < FLAGS_READ + arguments; i++)
        read[i] = i < FLAGS_READ ? flags_read[i] : argument[i - FLAGS_READ];
    check_output("out", path, replace, read, FLAGS_READ + arguments);
    check_not_input("out", path, &in);
    free(read);
}

/* Checks --out before anything is computed. */
static void check_table_flags(int arguments, char *const *argument)
{
    const char *path = given[out].value;
    const bool replace_part = true;                           /* it is asked for below */
    char *part;
    if (!path && (given[resume].value || given[force].value))
        fail("--%s: is for a table in a file; give --out FILE too", given[resume].value ? "resume" : "force");
    if (!path) return;
    if (given[resume].value && given[per_case].value)
        fail("--resume: a case needs the probabilities of all its pictures; predict without --resume");
    if (given[resume].value && given[adapt].value)
        fail("--resume: predictions with --adapt depend on the pictures before; give --state FILE to go on with what "
             "was learned");
    if (asprintf(&part, "%s.part", path) < 0) fail("out of memory");
    if (given[resume].value && !given[force].value && !access(path, F_OK) && access(part, F_OK))
        fail("--resume: %s is complete: there is no %s of a run that was stopped; give --force to predict again", path,
             part);
    check_table_path(path, given[force].value, arguments, argument);
    check_table_path(part, replace_part, arguments, argument);
    if (!given[resume].value && !given[force].value && !access(part, F_OK))
        fail("--out: %s is of a run that was stopped; give %s--force to begin again", part,
             can_resume() ? "--resume to go on with it, or " : "");
    free(part);
}

/* Says what could not be predicted; returns the exit status. */
static int report_failures(const inputs *in, int64_t failed, int64_t tried)
{
    failed += in->failed;
    if (failed) fprintf(stderr, "predict: %lld of %lld pictures could not be predicted\n", (long long)failed,
                        (long long)(tried + in->failed));
    if (tried < in->count) {
        fprintf(stderr, "predict: stopped after %lld of %lld pictures%s\n", (long long)tried, (long long)in->count,
                can_resume() ? "; the same command with --resume goes on" : "");
    }
    return failed || tried < in->count;
}

/* Pictures are given either as arguments or by --data. */
static void check_inputs(int arguments, char *const *argument)
{
    if (!given[backbone].value || (!arguments && !given[data].value))
        fail("--backbone and at least one picture, or --data, are required; see --help");
    if (arguments && given[data].value)
        fail("--data: predicts the pictures of a data set; leave '%s' out, or leave --data out", argument[0]);
    if (!given[data].value && (given[split].value || (given[table].value && !given[source].value)))
        fail("--split and --table: are for --data; give it too");
}

int main(int argc, char **argv)
{
    program_name = "predict";
    const int first = read_flags(given, flags, &about, argc, argv);
    check_inputs(argc - first, argv + first);
    adaptation a = adaptation_of_flags();
    const table_format chosen = format_of_flags();
    check_table_flags(argc - first, argv + first);
    watch_signals();
    loaded_model s = open_model(given[backbone].value, given[backbone_options].value, given[model].value,
                                (int)flag_integer(&given[threads]));
    refuse_patch_head(s.model);
    choose_transform(&s, given[preprocess].value);
    name_classes(&s, given[class_names].value);
    const char *reading = given[image_options].value ? given[image_options].value : s.image_options;
    a.image_options = reading;
    inputs in = given[data].value ? open_data_inputs(s.ctx, given[data].value, given[split].value,
                                                     given[table].value, reading)
                                  : open_inputs(s.ctx, argv + first, argc - first, reading);
    if (!in.count) fail("no picture could be opened");
    if (a.kind && !a.resumed) warn_of_one_call("--adapt", a.kind, a.batch, in.count);
    char *description = describe_run(&s, chosen, reading, given[compute].value);
    prediction_table t = open_table(&s, chosen, given[per_case].value ? LINE_OF_CASE : LINE_OF_IMAGE, given[out].value,
                                    description, can_resume(), given[resume].value);
    results r = open_results(&t, &in, given[per_case].value);
    const int readers = thread_count((int)flag_integer(&given[threads]));
    int64_t tried;
    const int64_t failed = a.kind ? predict_adapting(&s, &a, &in, &r, readers, &tried)
                                  : predict_pictures(&s, &in, &r, readers, &tried);
    close_results(&r, tried == in.count);
    close_table(&t, tried == in.count);
    const int status = report_failures(&in, failed, tried);
    free(description);
    free_inputs(&in);
    close_model(&s);
    return status;
}
