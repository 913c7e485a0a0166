/* SPDX-License-Identifier: Apache-2.0
 * federation.c -- the clients of a federation (federation.h): their images, their draw, their training. */
#include "federation.h"
#include "common/federated/mix.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number that depends on all of its arguments. */
static uint64_t mixed(uint64_t seed, int64_t a, int64_t b)
{
    return split_mix(seed, (uint64_t)a * 1000003 + (uint64_t)b + 1);
}

/* Draws `count` of the numbers 0 .. all - 1, ascending. */
static void draw(uint64_t seed, int64_t purpose, int64_t round, int64_t all, int64_t count, int64_t *out)
{
    int64_t taken = 0;
    for (int64_t i = 0; i < all && taken < count; i++)        /* each subset is equally likely (Knuth, algorithm S) */
        if ((double)(mixed(seed, round, purpose + i) >> 11) * 0x1p-53 * (double)(all - i) < (double)(count - taken))
            out[taken++] = i;
}

enum { CLIENTS = 1 << 20, BLOCKS = 1 << 21, TRAINING = 1 << 22 };       /* purposes of random numbers */

void draw_clients(const federation *f, int64_t round, int64_t *client)
{
    draw(f->seed, CLIENTS, round, f->clients, f->per_round, client);
}

static blob file_of(const peft_model *m)
{
    peft_tensor *bytes;
    must(peft_model_save_bytes(m, &bytes));
    blob b = { .size = (size_t)peft_tensor_count(bytes) };
    b.data = check_alloc(malloc(b.size));
    memcpy(b.data, peft_tensor_data(bytes), b.size);
    peft_tensor_free(bytes);
    return b;
}

void open_federation(federation *f) { f->global = file_of(f->base.model); }

void close_federation(federation *f)
{
    for (int64_t k = 0; k < f->clients; k++) {
        peft_dataset_free(f->part[k]);
        free(f->name[k]);
    }
    free(f->part);
    free(f->name);
    peft_dataset_free(f->base.train);
    free(f->global.data);
}

peft_model *global_model(const federation *f)
{
    peft_model *m;
    must(peft_model_load_bytes(f->base.vit, f->global.data, f->global.size, &m));
    return m;
}

/* Does the parameter belong to a block that the round trains? block [blocks]: these; the head always does. */
static bool is_trained(const federation *f, const char *name, const int64_t *block)
{
    const int64_t number = strncmp(name, "blocks.", 7) ? -1 : atoll(name + 7);
    bool found = number < 0;
    for (int64_t i = 0; i < f->blocks && !found; i++) found = block[i] == number;
    return found || !f->blocks;
}

static int64_t *draw_blocks(const federation *f, int64_t round)
{
    int64_t *block = check_alloc(calloc((size_t)f->blocks + 1, sizeof *block));
    draw(f->seed, BLOCKS, round, peft_backbone_get(f->base.vit, "depth"), f->blocks, block);
    return block;
}

static void freeze_other_blocks(const federation *f, int64_t round, training_run *t)
{
    int64_t *block = draw_blocks(f, round);
    for (size_t i = 0; i < peft_model_param_count(t->model); i++) {
        const char *name = peft_param_name(peft_model_param(t->model, i));
        if (!is_trained(f, name, block)) must(peft_trainer_freeze(t->trainer, name, 1));
    }
    free(block);
}

double trained_values(const federation *f, int64_t round)
{
    int64_t *block = draw_blocks(f, round);
    double sum = 0;
    for (size_t i = 0; i < peft_model_param_count(f->base.model); i++) {
        peft_param *p = peft_model_param(f->base.model, i);
        if (is_trained(f, peft_param_name(p), block)) sum += (double)peft_tensor_count(peft_param_value(p));
    }
    free(block);
    return sum;
}

/* Sets the error s again, with round and client before its message. */
static peft_status name_client(const federation *f, peft_status s, int64_t round, int64_t client)
{
    char *text;
    if (asprintf(&text, "round %lld, %s: %s", (long long)round, f->name[client], peft_last_error()) < 0)
        fail("out of memory");
    s = peft_set_error(s, text);
    free(text);
    return s;
}

peft_status train_client(const federation *f, int64_t round, int64_t client, blob *out)
{
    training_run other = f->base;
    other.seed = f->sites ? f->seed + (uint64_t)round         /* options hold integers of 63 bits */
                          : mixed(f->seed, round, TRAINING + client) >> 1;
    must(peft_context_set_seed(other.ctx, other.seed));       /* for dropout */
    peft_loader *loader = training_loader(&other, f->recipe, f->part[client]);
    training_run t = training_of_model(&other, f->recipe, f->part[client], loader, global_model(f));
    if (f->blocks) freeze_other_blocks(f, round, &t);
    peft_status s = peft_trainer_fit(t.trainer, t.epochs, peft_loader_next, NULL, t.loader);
    if (s) s = name_client(f, s, round, client);
    else *out = file_of(t.model);
    free_training_beside(&t);
    return s;
}
