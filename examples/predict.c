/* SPDX-License-Identifier: Apache-2.0
 * predict.c -- class probabilities of pictures, by a model that finetune wrote, printed or written to a file. Numbers
 * have nine digits, which identify a float exactly, so the output of two runs can be compared bit by bit. If a picture
 * cannot be read, the program prints an error, predicts the others and ends with status 1. With --adapt the model
 * adapts to the pictures (predict/adapted.c). */
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/program/stop.h"
#include "common/program/threads.h"
#include "predict/command_line.h"
#include "predict/segment/segment.h"
#include "predict/segment/truth.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static const program about = {
    "--backbone PATH [--model PATH] [options] PICTURES... | --data PATH",
    "Prints for each picture its name, the decided class, and the probabilities of all classes. PICTURES are\n"
    "picture files, folders and .zip files with pictures at any depth, or text files with the path of a picture on\n"
    "each line. For a model that was trained with several labels per image, it prints the labels whose probability is\n"
    "at least their threshold, and the probability of each label. For a model that gives a class for each pixel, it\n"
    "prints the area of each class, writes masks and overlays (--save-masks, --save-overlays), and compares masks\n"
    "with true ones (--masks).",
    "  predict --backbone deit_tiny_patch16_224.safetensors --model scans.safetensors new/*.png\n"
    "  predict --backbone merged.safetensors --out new.csv new/\n"
    "  predict --backbone merged.safetensors --adapt foa_bp --source scans --state new.state new/*.png" };

/* Predicts images first .. first + count - 1 of the batch: p [count, columns], probabilities or features. */
static peft_status predict_some(const loaded_model *s, const results *r, peft_session *session, const image_batch *b,
                                int64_t first, int64_t count, float *p)
{
    peft_tensor *images = batch_images(b, first, count), *out;
    must(peft_tensor_wrap(s->ctx, PEFT_F32, 2, (int64_t[]){ count, r->columns }, p, &out));
    peft_status status = r->pool ? peft_session_features(session, images, out)
                                 : peft_session_probabilities(session, images, s->multilabel, out);
    for (int64_t k = 0; !status && k < count * r->columns; k++)
        if (!isfinite(p[k]))
            status = peft_set_error(PEFT_E_NONFINITE, "the model's output is NaN or infinite; train it again with a "
                                    "smaller learning rate");
    peft_tensor_free(images);
    peft_tensor_free(out);
    return status;
}

/* Predicts the images of a batch and hands the results over; returns how many failed. Results do not depend on the
 * number of pictures: where the whole batch fails, each is predicted by itself. */
static int64_t predict_batch(const loaded_model *s, peft_session *session, image_batch *b, results *r, float *p)
{
    int64_t failed = 0;
    const bool together = b->count && !predict_some(s, r, session, b, 0, b->count, p);
    for (int64_t k = 0; k < b->count; k++) {
        const peft_status status = together ? PEFT_OK : predict_some(s, r, session, b, k, 1, p + k * r->columns);
        if (status) print_error(input_name(r->in, b->picture[k]), status, r->in->of_model), failed++;
        else add_result(r, b->picture[k], p + k * r->columns);
    }
    b->count = 0;
    return failed;
}

/* Predicts the pictures in order; returns how many failed. *tried: those before a stop. */
static int64_t predict_pictures(const loaded_model *s, const inputs *in, results *r, int threads, int64_t *tried)
{
    enum { BATCH = 8 };
    peft_session *session;
    peft_options *o = empty_options(s->ctx);
    must(peft_options_set_string(o, "compute", given[compute].value));
    must(peft_options_set_int(o, "batch", BATCH));
    must(peft_session_create(s->model, o, &session));
    peft_options_free(o);
    float *p = check_alloc(malloc((size_t)(BATCH * r->columns) * sizeof *p));
    image_batch b = make_batch(s, BATCH, threads);
    progress_line bar = start_progress("pictures", in->count);
    int64_t failed = 0;
    for (*tried = 0; *tried < in->count && !stop_requested; ) {
        failed += fill_batch(&b, in, r->table, tried);
        hide_progress(&bar);
        failed += predict_batch(s, session, &b, r, p);
        show_progress(&bar, *tried, r->table->done_count, "");
    }
    hide_progress(&bar);
    free_batch(&b);
    free(p);
    peft_session_free(session);
    return failed;
}

/* Says what could not be predicted; returns the exit status. */
static int report_failures(const inputs *in, int64_t failed, int64_t tried)
{
    failed += in->failed;
    end_picture_errors();
    if (failed) fprintf(stderr, "predict: %lld of %lld pictures could not be predicted\n", (long long)failed,
                        (long long)(tried + in->failed));
    if (tried < in->count) {
        fprintf(stderr, "predict: stopped after %lld of %lld pictures%s\n", (long long)tried, (long long)in->count,
                can_resume() ? "; the same command with --resume goes on" : "");
    }
    return failed || tried < in->count;
}

int main(int argc, char **argv)
{
    program_name = "predict";
    const int first = read_flags(given, flags, &about, argc, argv);
    check_inputs(argc - first, argv + first);
    lines_of_flags();                                         /* as a check, before files are read */
    adaptation a = adaptation_of_flags();
    const table_format chosen = format_of_flags();
    check_table_flags(argc - first, argv + first);
    watch_signals();
    loaded_model s = open_model(given[backbone].value, given[backbone_options].value, given[model].value,
                                (int)flag_integer(&given[threads]));
    const bool maps = segments(&s);
    choose_transform(&s, given[preprocess].value);
    name_classes(&s, given[class_names].value);
    choose_decisions(&s);
    input_reading how = choose_reading(s.image_options, given[image_options].value, given[all_slices].value != NULL);
    a.image_options = how.image_options;
    inputs in = given[data].value ? open_data_inputs(s.ctx, given[data].value, given[split].value,
                                                     given[table].value, &how, "predict needs no classes: leave "
                                                     "--data out, and give the path as PICTURES")
                                  : open_inputs(s.ctx, argv + first, argc - first, &how);
    if (!in.count) fail("no picture could be opened");
    if (maps) open_ground_truth(&in, &s);
    if (given[per_case].value) {
        check_has_cases(s.ctx, &in);
        drop_repeated(&in);
    }
    if (maps) begin_adapting_maps(&s, &a);
    else begin_adapting(&s, &a);
    if (a.kind && !a.resumed && !given[segmenter].value) warn_of_one_call("--adapt", a.kind, a.batch, in.count);
    map_files *files = maps ? prepare_map_files(&s, &in) : NULL;
    char *of_maps = maps ? describe_segmentation() : NULL;
    char *description = describe_run(&s, chosen, &how, given[compute].value, maps ? of_maps : "");
    prediction_table t = open_table(&s, chosen, maps ? LINE_OF_AREAS : lines_of_flags(), given[out].value, description,
                                    can_resume(), given[resume].value ? &in : NULL);
    results r = open_results(&t, &in, given[per_case].value, given[model].value);
    const int readers = thread_count((int)flag_integer(&given[threads]));
    int64_t tried;
    const int64_t failed = maps ? segment_pictures(&s, &a, &in, files, &t, &tried)
                           : a.kind ? predict_adapting(&s, &a, &in, &r, readers, &tried)
                                    : predict_pictures(&s, &in, &r, readers, &tried);
    end_adapting(&a);
    close_results(&r, tried == in.count);
    close_table(&t, tried == in.count);
    const int status = report_failures(&in, failed, tried);
    free(description);
    free(of_maps);
    free_map_files(files);
    free_inputs(&in);
    free_reading(&how);
    close_model(&s);
    return status;
}
