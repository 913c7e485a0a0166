/* SPDX-License-Identifier: Apache-2.0
 * clients.c -- the training images of a federation's clients (federation.h): the parts of one data set, or the folders
 * of sites. */
#include "common/program/errors.h"
#include "federation.h"
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static void make_room(federation *f)
{
    f->part = check_alloc(calloc((size_t)f->clients, sizeof *f->part));
    f->name = check_alloc(calloc((size_t)f->clients, sizeof *f->name));
}

static void divide(federation *f)
{
    make_room(f);
    for (int64_t k = 0; k < f->clients; k++) {
        if (peft_dataset_partition(f->base.train, f->clients, k, f->alpha, f->seed, &f->part[k]))
            fail("--clients %lld: %s", (long long)f->clients, peft_last_error());
        if (asprintf(&f->name[k], "client %lld", (long long)k) < 0) fail("out of memory");
    }
}

static int is_visible(const struct dirent *e) { return *e->d_name != '.'; }

/* The names in a folder, in the order of their bytes, which no locale changes. */
static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

/* The path of the folder of a site, to be freed. */
static char *path_of_site(const char *data, const char *name)
{
    struct stat st;
    char *path;
    if (asprintf(&path, "%s/%s", data, name) < 0) fail("out of memory");
    if (stat(path, &st) || !S_ISDIR(st.st_mode))
        fail("--data %s: %s is no folder; with --sites, expected only folders, one with the images of each site; move "
             "the file elsewhere", data, name);
    return path;
}

/* Opens each site as finetune does, with the classes of the first. */
static void open_sites(federation *f, const data_request *q, peft_dataset **test)
{
    struct dirent **site;
    f->clients = scandir(q->data, &site, is_visible, by_name);
    if (f->clients < 1) fail("--data %s: with --sites, expected a folder with a folder for each site", q->data);
    make_room(f);
    for (int64_t k = 0; k < f->clients; k++) free(path_of_site(q->data, site[k]->d_name));
    for (int64_t k = 0; k < f->clients; k++) {
        char *path = path_of_site(q->data, site[k]->d_name);
        data_request own = *q;
        own.data = path;
        f->name[k] = check_alloc(strdup(site[k]->d_name));
        if (!k) draw_sets(f->base.io_ctx, &own, &f->base.train, test);
        peft_dataset *train = k ? draw_training(f->base.io_ctx, &own) : f->base.train;
        if (peft_dataset_match_classes(train, f->base.train, &f->part[k]))
            fail("%s: %s; give the classes the same names at all sites", path, peft_last_error());
        check_patients((named_set){ train, "training", "data" }, (named_set){ *test, "test", "test" }, "the metrics",
                       q->allow_shared_patients, false);
        if (k) peft_dataset_free(train);
        free(path);
        free(site[k]);
    }
    free(site);
}

const char *open_clients(federation *f, const data_request *q, peft_dataset **test)
{
    if (f->sites) {
        open_sites(f, q, test);
        return NULL;
    }
    const char *source = draw_sets(f->base.io_ctx, q, &f->base.train, test);
    divide(f);
    return source;
}
