/* SPDX-License-Identifier: Apache-2.0
 * inputs.c -- the pictures that a program is given: each argument is a set of pictures, mostly of one (inputs.h). */
#include "common/inputs/inputs.h"
#include "common/data/data.h"
#include "common/data/image_options.h"
#include "common/program/errors.h"
#include "common/segment/mask_sets.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

input_reading choose_reading(const char *of_model, const char *given, bool all_slices)
{
    input_reading how = { .all_slices = all_slices };
    char *kept = kept_image_options(of_model, given);
    if (of_model || given) how.image_options = merge_image_options(of_model, given);
    if (*kept) how.of_model = kept;
    else free(kept);
    return how;
}

void free_reading(input_reading *how)
{
    free(how->image_options);
    free(how->of_model);
}

/* Applies how the pictures of a set are read; ends the life of d. */
static peft_dataset *read_by(peft_dataset *d, const input_reading *how)
{
    d = read_with_options(d, how->image_options);
    return how->all_slices ? all_slices_of(d, how->of_model) : d;
}

/* Opens an argument as pictures; NULL: it cannot be opened, and the error is printed. */
static peft_dataset *open_argument(peft_context *ctx, const char *path, const input_reading *how)
{
    peft_dataset *stored;
    peft_status s = peft_dataset_open_pictures(ctx, path, &stored);
    if (s) {
        print_error(path, s, how->of_model);
        return NULL;
    }
    if (*peft_dataset_skipped(stored)) warn("%s: left out: %s", path, peft_dataset_skipped(stored));
    return read_by(stored, how);
}

inputs open_inputs(peft_context *ctx, char *const *path, int count, const input_reading *how)
{
    inputs in = { .set = check_alloc(calloc((size_t)count + 1, sizeof *in.set)),
                  .first = check_alloc(calloc((size_t)count + 1, sizeof *in.first)), .of_model = how->of_model };
    for (int i = 0; i < count; i++) {
        peft_dataset *d = open_argument(ctx, path[i], how);
        if (!d) {
            in.failed++;
            continue;
        }
        in.set[in.sets++] = d;
        in.first[in.sets] = in.count += peft_dataset_count(d);
    }
    return in;
}

inputs open_data_inputs(peft_context *ctx, const char *data, const char *split, const char *table,
                        const input_reading *how, const char *advice)
{
    const data_request q = { .table = table, .advice = advice };
    peft_dataset *d = open_split(ctx, &q, data, split);
    if (!d) fail("--split %s: %s; leave --split out to take all pictures", split, peft_last_error());
    d = read_by(d, how);
    inputs in = { .set = check_alloc(malloc(sizeof *in.set)), .first = check_alloc(calloc(2, sizeof *in.first)),
                  .sets = 1, .count = peft_dataset_count(d), .of_model = how->of_model };
    in.set[0] = d;
    in.first[1] = in.count;
    return in;
}

void free_inputs(inputs *in)
{
    for (int64_t i = 0; i < in->sets; i++) peft_dataset_free(in->set[i]);
    free(in->set);
    free(in->first);
    free(in->number);
}

/* The set that has the picture given as number i, by bisection. */
static int64_t set_of(const inputs *in, int64_t i)
{
    int64_t low = 0, high = in->sets - 1;
    while (low < high) {
        const int64_t middle = (low + high + 1) / 2;
        if (in->first[middle] <= i) low = middle;
        else high = middle - 1;
    }
    return low;
}

/* The set that has picture i; *sample: its number there. */
static const peft_dataset *find_input(const inputs *in, int64_t i, int64_t *sample)
{
    const int64_t given = in->number ? in->number[i] : i, set = set_of(in, given);
    *sample = given - in->first[set];
    return in->set[set];
}

const char *input_name(const inputs *in, int64_t i)
{
    int64_t sample;
    const peft_dataset *d = find_input(in, i, &sample);
    return peft_dataset_name(d, sample);
}

const char *input_patient(const inputs *in, int64_t i)
{
    int64_t sample;
    const peft_dataset *d = find_input(in, i, &sample);
    return peft_dataset_has_groups(d) ? peft_dataset_group(d, sample) : NULL;
}

const char *input_case(const inputs *in, int64_t i)
{
    int64_t sample;
    const peft_dataset *d = find_input(in, i, &sample);
    return peft_dataset_case(d, sample);
}

peft_status load_input(const inputs *in, int64_t i, peft_image **out)
{
    int64_t sample;
    const peft_dataset *d = find_input(in, i, &sample);
    return peft_dataset_load(d, sample, out);
}

void add_input_masks(inputs *in, const char *path, const char *options)
{
    for (int64_t k = 0; k < in->sets; k++) {
        in->set[k] = add_masks(in->set[k], "masks", path, options);
        in->first[k + 1] = in->first[k] + peft_dataset_count(in->set[k]);
    }
    in->count = in->first[in->sets];
}

const char *input_mask_file(const inputs *in, int64_t i)
{
    int64_t sample;
    const peft_dataset *d = find_input(in, i, &sample);
    return peft_dataset_mask_file(d, sample, 0);
}

peft_status load_input_mask(const inputs *in, int64_t i, const peft_image *im, peft_mask **out)
{
    int64_t sample;
    const peft_dataset *d = find_input(in, i, &sample);
    return peft_dataset_load_mask(d, sample, im, out);
}
