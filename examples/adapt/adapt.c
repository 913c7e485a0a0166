/* SPDX-License-Identifier: Apache-2.0
 * adapt.c -- test-time adaptation: predicts a data set with a model as it is and with adaptors that go on learning from
 * the images, without their labels, and prints the figures of both. The images may be corrupted first, and the runs
 * repeated with several seeds, to compare kinds of adaptation. */
#include "adapt.h"
#include "common/corruption/corruption.h"
#include "common/data/data.h"
#include "common/data/image_options.h"
#include "common/files/atomic_file.h"
#include "common/files/csv.h"
#include "common/files/output.h"
#include "common/model/adaptation.h"
#include "common/backbone/weights.h"
#include "common/outputs/input_files.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: the pretrained Vision Transformer, as for predict") \
    X(model, "PATH", NULL, "the model that finetune wrote; without it the backbone's own classifier") \
    BACKBONE_OPTIONS(X) \
    X(preprocess, "LIST", NULL, "preprocessing settings that replace those of the model, name=value,... (inspect " \
      "--preprocess lists them)") \
    X(class_names, "LIST", NULL, "names of the model's classes, name,name,... in the order of training; required if " \
      "no file names them") \
    TRAINING_DATA_FLAG(X) \
    X(test, "PATH", NULL, "test images; without it the split \"test\" (or \"val\") of --data, or else the part of " \
      "--data that finetune holds out with the same --data, --shots and --seed") \
    PATIENT_FLAGS(X) \
    CASE_FLAG(X) \
    X(shots, "N", "0", "training images per class, as for finetune (0: all); without --test and a split the others " \
      "are the test images") \
    X(kind, "LIST", "tent", "kinds of adaptation, separated by semicolons, each with its options: " \
      "\"tent,lr=0.01;t3a\"") \
    X(batch, "N", "64", "images in a call, unless the options of a kind give batch") \
    X(images, "N", "0", "test images, drawn at random (0: all)") \
    X(source, "N", "64", "training images, without their labels, for kinds that need statistics of them (0: all)") \
    X(corrupt, "LIST", "none", "corruptions of the test images, NAME:STRENGTH separated by commas, or every " \
      "(docs/adapt.md)") \
    X(seeds, "N", "1", "repetitions, with other images, orders and noise") \
    X(seed, "N", "1", "seed of the first repetition, and of the draw of --shots") \
    X(csv, "FILE", NULL, "write the figures of every run to this file") \
    X(predictions, "FILE", NULL, "write the predictions of every run to this file") \
    X(force, NULL, NULL, "overwrite --csv and --predictions if they exist") \
    X(threads, "N", "0", "number of threads (0: one for each core)")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH --data PATH [options]",
    "Predicts test images with a model and with test-time adaptation, and prints accuracy, calibration, time and\n"
    "memory of both. The model itself is not changed.",
    "  adapt --backbone vit.safetensors --model scans.safetensors --data scans --kind tent\n"
    "  adapt --backbone merged.safetensors --data scans.zip --kind \"t3a;tent,lr=0.002\" --corrupt contrast:3" };

enum { LIST_MAX = 64 };

/* Splits text at `separator` in place; item[i] are the parts. Returns their number. */
static int split(char *text, char separator, const char **item, const char *option)
{
    int n = 0;
    for (char *at = text; at; n++) {
        char *end = strchr(at, separator);
        if (n == LIST_MAX) fail("--%s: more than %d items", option, LIST_MAX);
        if (end) *end++ = 0;
        item[n] = at;
        at = end;
    }
    return n;
}

/* The settings of --corrupt, as "contrast:2"; to be freed. Fails if one is malformed. */
static char **settings_of(const char *text, int *count)
{
    enum { BYTES_MAX = 40 };                                  /* of a setting of `every` */
    const char *item[LIST_MAX];
    char **setting = check_alloc(malloc(LIST_MAX * sizeof *setting)), *copy = check_alloc(strdup(text));
    *count = 0;
    if (!strcmp(text, "every"))
        for (int c = 0; c < CORRUPTIONS; c++)
            for (int s = 1; s <= CORRUPTION_STRENGTHS; s++) {
                setting[*count] = check_alloc(malloc(BYTES_MAX));
                snprintf(setting[(*count)++], BYTES_MAX, "%s:%d", corruption_name[c], s);
            }
    else
        for (int n = split(copy, ',', item, "corrupt"); *count < n; (*count)++) {
            int corruption, strength;                         /* parsed as a check; run_setting parses them again */
            parse_corruption(item[*count], "corrupt", &corruption, &strength);
            setting[*count] = check_alloc(strdup(item[*count]));
        }
    free(copy);
    return setting;
}

/* What the lines of a run's predictions begin with. */
typedef struct run_name { const char *setting; uint64_t seed; const char *kind; } run_name;

/* Appends a line of CSV for each prediction of a run. */
static void put_predictions(FILE *f, const loaded_model *m, const peft_dataset *d, const image_set *test,
                            const double *scores, const run_name *run)
{
    const int64_t n = judged_count(test);
    int64_t *predicted = check_alloc(malloc((size_t)n * sizeof *predicted));
    must(peft_metrics_decide(scores, n, m->classes, predicted));
    for (int64_t i = 0; i < n; i++) {
        fprintf(f, "%s,%llu,\"%s\",", run->setting, (unsigned long long)run->seed, run->kind);
        if (test->by_case) {
            put_csv_field(f, case_name(d, test->sample[test->cases.first[i]]));
            fprintf(f, ",%lld", (long long)test->cases.slices[i]);
        } else put_csv_field(f, peft_dataset_name(d, test->sample[i]));
        fputc(',', f);
        put_csv_field(f, m->names[judged_label(test, i)]);
        fputc(',', f);
        put_csv_field(f, m->names[predicted[i]]);
        fprintf(f, ",%.9g\n", scores[i * m->classes + predicted[i]]);
    }
    free(predicted);
}

enum { TRAINING, TEST };                                      /* sets of images */

/* Runs all kinds on the images of one setting and seed. */
static void run_setting(study *s, const loaded_model *m, peft_dataset *const sets[2], int setting, int repetition,
                        FILE *out)
{
    image_choice choice = { .count = flag_integer(&given[images]),
                            .seed = (uint64_t)flag_integer(&given[seed]) + (uint64_t)repetition };
    image_choice training = { .count = flag_integer(&given[source]), .seed = choice.seed };
    parse_corruption(s->setting[setting], "corrupt", &choice.corruption, &choice.strength);
    image_set test_images = load_images(m, sets[TEST], &choice);
    image_set train_images = load_images(m, sets[TRAINING], &training);
    if (given[per_case].value) group_cases(&test_images, sets[TEST], parse_case_rule(given[per_case].value, false));
    double *scores = check_alloc(malloc((size_t)(test_images.count * m->classes) * sizeof *scores));
    for (int k = 0; k < s->kinds; k++) {
        const run_name run = { s->setting[setting], choice.seed, s->kind[k] };
        *run_of(s, setting, repetition, k) = run_kind(m, s->kind[k], flag_integer(&given[batch]), &test_images,
                                                &train_images, scores);
        if (out) put_predictions(out, m, sets[TEST], &test_images, scores, &run);
    }
    free(scores);
    free_images(&test_images);
    free_images(&train_images);
}

static void print_study(const study *s)
{
    printf("Means over %d setting%s of the images", s->settings, s->settings > 1 ? "s" : "");
    if (s->seeds > 1) printf("; in brackets the 95 %% interval of the mean over %d repetitions", s->seeds);
    printf(". Time is that of all threads together.");
    if (given[per_case].value)
        printf(" Accuracy and ECE are of cases: %s.", case_rule_phrase[parse_case_rule(given[per_case].value, false)]);
    printf("\n\n");
    print_kinds(s);
    if (s->settings == 1) return;
    printf("\nAccuracy in %%:\n\n");
    print_settings(s);
}

static void run_study(study *s, const loaded_model *m, peft_dataset *const sets[2])
{
    atomic_file w;
    const char *path = given[predictions].value;
    if (path) {
        open_atomic(&w, path);
        fprintf(w.file, "setting,seed,adaptation,%s,class,predicted,probability\n",
                given[per_case].value ? "case,slices" : "image");
    }
    for (int i = 0; i < s->settings; i++)
        for (int r = 0; r < s->seeds; r++) run_setting(s, m, sets, i, r, path ? w.file : NULL);
    if (path) close_atomic(&w);
    print_study(s);
    if (given[csv].value) write_runs(s, (uint64_t)flag_integer(&given[seed]), given[csv].value);
}

static void check_case_flags(void)
{
    if (!given[per_case].value) return;
    parse_case_rule(given[per_case].value, false);
    if (flag_integer(&given[images]))
        fail("--images: draws images, so that slices of cases are left out; with --per-case leave it out");
}

/* Ends the program if a file of figures or predictions exists or cannot be written. */
static void check_files(void)
{
    const flag *outputs[] = { &given[csv], &given[predictions] };
    const char *inputs[] = { given[backbone].value, given[model].value, given[data].value, given[test].value, NULL };
    const input_files in = { given[backbone].value, given[backbone_options].value, given[model].value };
    enum { COUNT = sizeof inputs / sizeof *inputs };
    for (int i = 0; i < 2; i++) {
        if (!outputs[i]->value) continue;
        check_output(outputs[i]->name, outputs[i]->value, given[force].value, inputs, COUNT);
        check_not_input(outputs[i]->name, outputs[i]->value, &in);
        inputs[COUNT - 1] = outputs[i]->value;
    }
}

/* Ends the program if the model's classes cannot be compared with those of the images, because they have no names. */
static void check_class_names(const loaded_model *m, const peft_dataset *images)
{
    if (m->class_names || given[class_names].value) return;
    char *names = class_name_lines(images);
    for (char *c = names; *c; c++) if (*c == '\n') *c = ',';
    fail("no file names the %lld classes of the model, so that its predictions cannot be compared with the classes of "
         "--data (%s); give --class-names NAME,NAME,... in the order of the model's training", (long long)m->classes,
         names);
}

/* Ends the program if the head gives a map. */
static void check_is_for_images(const loaded_model *m)
{
    int64_t dims[PEFT_MAX_DIMS];
    if (peft_model_output(m->model, dims) > 1)
        fail("--model %s: its head gives a class for each part of the image (%lldx%lld of them, height x width), and "
             "adapt compares classes of images; segment the images by predict --adapt KIND and without it, and "
             "compare the masks",
             given[model].value ? given[model].value : given[backbone].value, (long long)dims[0], (long long)dims[1]);
}

/* Opens training and test images, says which they are, and how many of them a run takes. */
static void open_sets(const loaded_model *m, peft_dataset *sets[2])
{
    const int64_t count = flag_integer(&given[images]);
    char *options = merge_image_options(m->image_options, given[image_options].value);
    data_request q = { DATA_REQUEST, .shots = flag_integer(&given[shots]),
                       .seed = (uint64_t)flag_integer(&given[seed]) };
    q.image_options = *options ? options : NULL;
    const char *origin = draw_sets(m->ctx, &q, &sets[TRAINING], &sets[TEST]);
    const int64_t tests = peft_dataset_count(sets[TEST]);
    print_sets(sets[TRAINING], NULL, sets[TEST], origin);
    if (drawn_from_training_data(origin))
        warn("the test images are a part of --data. The model was not trained on them if finetune was given the same "
             "--data, --shots and --seed, and no --test; otherwise the figures are too good: give --test other images");
    check_overlap(sets[TRAINING], sets[TEST]);
    free(options);
    if (given[per_case].value) check_cases(sets[TEST], "test");
    if (count > tests) warn("--images %lld: there are only %lld test images", (long long)count, (long long)tests);
    printf("a run: %lld test images; %lld training images for kinds that need statistics of them\n\n",
           (long long)image_count(sets[TEST], count),
           (long long)image_count(sets[TRAINING], flag_integer(&given[source])));
}

int main(int argc, char **argv)
{
    program_name = "adapt";
    const char *kinds[LIST_MAX + 1] = { "none" };
    peft_dataset *sets[2];                                    /* [TRAINING], [TEST] */
    study s = { .kind = kinds };
    const int first = read_flags(given, flags, &about, argc, argv);
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[backbone].value || !given[data].value) fail("--backbone and --data are required; see --help");
    char *list = check_alloc(strdup(given[kind].value));
    s.kinds = 1 + split(list, ';', kinds + 1, "kind");
    for (int k = 0; k < s.kinds; k++) check_kind_of("kind", s.kind[k], "none");
    s.setting = settings_of(given[corrupt].value, &s.settings);
    s.seeds = (int)flag_whole(&given[seeds], 1, 1000);
    (void)flag_whole(&given[batch], 1, most_in_batch);
    check_case_flags();
    check_files();
    s.run = check_alloc(calloc((size_t)(s.settings * s.seeds * s.kinds), sizeof *s.run));
    loaded_model m = open_model(given[backbone].value, given[backbone_options].value, given[model].value,
                                (int)flag_integer(&given[threads]));
    choose_transform(&m, given[preprocess].value);
    check_is_for_images(&m);
    if (m.multilabel) fail("--model: predicts several labels for an image; expected a model of one label for each");
    open_sets(&m, sets);
    check_class_names(&m, sets[TRAINING]);
    name_classes(&m, given[class_names].value);
    const int64_t tests = image_count(sets[TEST], flag_integer(&given[images]));
    for (int k = 0; k < s.kinds; k++) warn_of_one_call("--kind", s.kind[k], flag_integer(&given[batch]), tests);
    run_study(&s, &m, sets);
    for (int i = 0; i < 2; i++) peft_dataset_free(sets[i]);
    for (int i = 0; i < s.settings; i++) free(s.setting[i]);
    free(s.setting);
    free(s.run);
    free(list);
    close_model(&m);
    return 0;
}
