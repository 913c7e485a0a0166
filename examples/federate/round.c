/* SPDX-License-Identifier: Apache-2.0
 * round.c -- a round of a federation (federation.h). Several ranks divide the clients of a round: rank 0 gets the files
 * of all in the order of the clients, joins them, and passes the next global file to all. */
#include "federation.h"
#include "common/program/errors.h"
#include "common/ranks/ranks.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
    if (!f->folder) {
        must(peft_aggregator_add_bytes(a, b->data, b->size, f->name[client], images));
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
    peft_options *o = aggregation_options(f->base.ctx, f->rules, round);
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

/* Brings the file that rank `from` has to the rank `to`, -1: to all. What another rank gets is to be freed. */
static void pass_file(int64_t from, int64_t to, blob *b)
{
    uint64_t size = b->size;
    if (!ranks.pass || from == to) return;
    ranks.pass(from, to, &size, sizeof size);
    if (ranks.rank != from && (to < 0 || ranks.rank == to)) *b = (blob){ check_alloc(malloc(size)), size };
    ranks.pass(from, to, b->data, (int64_t)size);
}

/* Trains clients of the round, one in each rank, and gives their files to the aggregator of rank 0. */
static void train_some(const federation *f, peft_aggregator *a, int64_t round, const int64_t *client, int64_t count)
{
    blob own = { 0 };
    peft_status s = ranks.rank < count ? train_client(f, round, client[ranks.rank], &own) : PEFT_OK;
    if (ranks.agree) s = ranks.agree(s);
    if (s) fail("%s", peft_last_error());
    for (int64_t i = 0; i < count; i++) {
        blob b = i == ranks.rank ? own : (blob){ 0 };
        pass_file(i, 0, &b);
        if (a) add_client(f, a, round, client[i], &b);
        if (i != ranks.rank) free(b.data);
    }
    free(own.data);
}

round_figures do_round(federation *f, int64_t round)
{
    int64_t *client = check_alloc(calloc((size_t)f->clients, sizeof *client));
    draw_clients(f, round, client);
    peft_aggregator *a = ranks.rank ? NULL : open_round(f, round);
    for (int64_t i = 0; i < f->per_round; i += ranks.count)
        train_some(f, a, round, client + i, f->per_round - i < ranks.count ? f->per_round - i : ranks.count);
    blob next = a ? next_global(f, a, round) : (blob){ 0 };
    pass_file(0, -1, &next);
    round_figures r = { .clients = f->per_round, .sent = 4 * trained_values(f, round) * (double)f->per_round };
    if (a) {
        for (int64_t i = 0; i < f->per_round; i++)
            r.images += (double)peft_dataset_count(f->part[client[i]]);
        r.drift = peft_aggregator_drift(a);
        r.update = peft_aggregator_update(a);
    }
    free(f->global.data);
    f->global = next;
    peft_aggregator_free(a);
    free(client);
    return r;
}
