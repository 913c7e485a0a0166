/* SPDX-License-Identifier: Apache-2.0
 * federation.c -- rounds of a federation on one machine (federation.h). */
#include "federation.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A number that depends on all of its arguments (the output function of splitmix64). */
static uint64_t mixed(uint64_t seed, int64_t a, int64_t b)
{
    uint64_t z = seed + 0x9e3779b97f4a7c15u * ((uint64_t)a * 1000003 + (uint64_t)b + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
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

void open_federation(federation *f)
{
    f->part = check_alloc(calloc((size_t)f->clients, sizeof *f->part));
    for (int64_t k = 0; k < f->clients; k++)
        if (peft_dataset_partition(f->base.train, f->clients, k, f->alpha, f->seed, &f->part[k]))
            fail("--clients %lld: %s", (long long)f->clients, peft_last_error());
    f->global = file_of(f->base.model);
}

void close_federation(federation *f)
{
    for (int64_t k = 0; k < f->clients; k++) peft_dataset_free(f->part[k]);
    free(f->part);
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

/* Values that a round changes, which are all that need be sent. */
static double trained_values(const federation *f, int64_t round)
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

blob train_client(const federation *f, int64_t round, int64_t client)
{
    training_run other = f->base;
    other.seed = mixed(f->seed, round, TRAINING + client) >> 1;           /* options hold integers of 63 bits */
    must(peft_context_set_seed(other.ctx, other.seed));       /* for dropout */
    peft_loader *loader = training_loader(&other, f->recipe, f->part[client]);
    training_run t = training_of_model(&other, f->recipe, f->part[client], loader, global_model(f));
    if (f->blocks) freeze_other_blocks(f, round, &t);
    if (peft_trainer_fit(t.trainer, t.epochs, peft_loader_next, NULL, t.loader))
        fail("round %lld, client %lld: %s", (long long)round, (long long)client, peft_last_error());
    blob b = file_of(t.model);
    free_training_beside(&t);
    return b;
}

/* The path of a file of a round: FOLDER/round3.client2.peft, or for client -1 FOLDER/round3.peft; to be freed. */
static char *path_of(const federation *f, int64_t round, int64_t client)
{
    char *path;
    const int n = client < 0 ? asprintf(&path, "%s/round%lld.peft", f->folder, (long long)round)
                             : asprintf(&path, "%s/round%lld.client%lld.peft", f->folder, (long long)round,
                                        (long long)client);
    return n < 0 ? check_alloc(NULL) : path;
}

static void write_blob(const char *path, const blob *b) { must(peft_write_file(path, b->data, b->size)); }

/* Gives the file of a client to the aggregator: in memory, or by the file that is written for it. */
static void add_client(const federation *f, peft_aggregator *a, int64_t round, int64_t client, const blob *b)
{
    const double images = (double)peft_dataset_count(f->part[client]);
    char name[64];
    snprintf(name, sizeof name, "client %lld", (long long)client);
    if (!f->folder) {
        must(peft_aggregator_add_bytes(a, b->data, b->size, name, images));
        return;
    }
    char *path = path_of(f, round, client);
    write_blob(path, b);
    must(peft_aggregator_add(a, path, images));
    free(path);
}

/* The next global file, in memory or by a file. */
static blob next_global(const federation *f, peft_aggregator *a, int64_t round)
{
    const void *data;
    size_t size;
    must(peft_aggregator_bytes(a, &data, &size));
    blob b = { check_alloc(malloc(size)), size };
    memcpy(b.data, data, size);
    if (!f->folder) return b;
    char *path = path_of(f, round, -1);
    must(peft_aggregator_write(a, path));
    free(path);
    return b;
}

static peft_aggregator *open_round(const federation *f, int64_t round)
{
    peft_aggregator *a;
    peft_options *o = aggregation_options(f->base.ctx, f->rules);
    must(peft_aggregator_create(f->base.ctx, o, &a));
    peft_options_free(o);
    if (!f->folder) must(peft_aggregator_start_bytes(a, f->global.data, f->global.size));
    else {
        char *path = path_of(f, round - 1, -1);
        if (round == 1) write_blob(path, &f->global);
        must(peft_aggregator_start(a, path));
        free(path);
    }
    return a;
}

round_figures do_round(federation *f, int64_t round)
{
    int64_t *client = check_alloc(calloc((size_t)f->clients, sizeof *client));
    draw_clients(f, round, client);
    peft_aggregator *a = open_round(f, round);
    for (int64_t i = 0; i < f->per_round; i++) {
        blob b = train_client(f, round, client[i]);
        add_client(f, a, round, client[i], &b);
        free(b.data);
    }
    const blob next = next_global(f, a, round);
    const round_figures r = { f->per_round, peft_aggregator_weight(a),
                              4 * trained_values(f, round) * (double)f->per_round, peft_aggregator_drift(a),
                              peft_aggregator_update(a) };
    free(f->global.data);
    f->global = next;
    peft_aggregator_free(a);
    free(client);
    return r;
}
