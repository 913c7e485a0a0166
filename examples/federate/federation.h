/* SPDX-License-Identifier: Apache-2.0
 * federation.h -- a federation on one machine: each client has training images; in each round some of the clients train
 * the global model on their images, and their models are joined. */
#ifndef FEDERATION_H
#define FEDERATION_H
#include "common/data/data.h"
#include "common/federated/rules.h"
#include "common/model/recipe.h"
#include <peft/io.h>
#include <peft/peft.h>
#include <stdint.h>

/* A file in memory. */
typedef struct blob { void *data; size_t size; } blob;

typedef struct federation {
    /* set by the caller */
    training_run base;                                        /* recipe of all; base.model: the first global one */
    const flag *recipe, *rules;                               /* rules: the flag lora and those behind it */
    uint64_t seed;
    bool sites;                                               /* clients are folders of sites, which train with the
                                                                 seed of the round, seed + round */
    int64_t clients, per_round;                               /* per_round: clients that take part in a round;
                                                                 clients: with sites, set by open_clients */
    double alpha;                                             /* of the division of classes; 0: equal shares */
    int64_t blocks;                                           /* blocks that a round trains, drawn; 0: all */
    const char *folder;                                       /* where the files of rounds are written; NULL: nowhere */
    /* made by open_clients */
    peft_dataset **part;                                      /* [clients] */
    char **name;                                              /* [clients]: "client 3", or the name of the site's
                                                                 folder; for messages */
    /* made by open_federation */
    blob global;                                              /* the file of the global model */
} federation;

/* What a round was. sent: bytes of trained values from all clients, and the same to them. images, drift, update: 0 in
 * other ranks than rank 0. */
typedef struct round_figures { int64_t clients; double images, sent, drift, update; } round_figures;

/* Opens the images: f->part, f->name, f->base.train (all, or those of the first site), and *test, to be freed. Ends the
 * program if it cannot. Returns a phrase for print_sets; NULL with sites. */
const char *open_clients(federation *f, const data_request *q, peft_dataset **test);
void open_federation(federation *f);
/* Draws the clients of round `round`, from 1 on: client [per_round], ascending. */
void draw_clients(const federation *f, int64_t round, int64_t *client);
/* Trains the global model on the images of a client. out: the file of its model, to be freed. It depends on the seed,
 * the round and the client alone, so that clients may be trained in any order and by any process. */
peft_status train_client(const federation *f, int64_t round, int64_t client, blob *out);
/* Bytes are sent for these alone: values that a round changes. */
double trained_values(const federation *f, int64_t round);
/* Does a round: trains its clients and makes the next global model. All ranks call it. */
round_figures do_round(federation *f, int64_t round);
/* The global model, to be freed. */
peft_model *global_model(const federation *f);
void close_federation(federation *f);
#endif
