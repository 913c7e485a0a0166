/* SPDX-License-Identifier: Apache-2.0
 * federate.c -- simulates federated training on one machine: divides the training images over clients, does rounds of
 * local training and aggregation, evaluates the global model on the test images after each round. */
#include "common/data/data.h"
#include "common/figures/statistics.h"
#include "common/files/csv.h"
#include "common/files/output.h"
#include "common/flags/flags.h"
#include "common/model/evaluate.h"
#include "common/predictions/predictions.h"
#include "common/program/errors.h"
#include "common/program/settings.h"
#include "common/ranks/ranks.h"
#include "federation.h"
#include <glob.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FLAGS(X) \
    X(backbone, "PATH", NULL, "required: pretrained Vision Transformer, a safetensors file, a file of PyTorch " \
      "(.pth), a folder with one of these, or a .npz file of Google's ViT") \
    DATA_FLAGS(X) \
    X(shots, "N", "0", "training images per class, drawn before they are divided (0: all)") \
    X(test_per_class, "N", "0", "test images per class (0: all)") \
    X(sites, NULL, NULL, "--data is a folder with the training images of each site in a folder of its own; a site " \
      "trains as finetune --model GLOBAL with the seed --seed + round") \
    X(clients, "N", "5", "without --sites: sites over which the training images are divided") \
    X(alpha, "ALPHA", "0", "shares of the classes are drawn of a Dirichlet distribution with this parameter: 0.1 " \
      "unequal, 100 nearly equal; 0: equal shares") \
    X(rounds, "N", "10", "rounds") \
    X(share, "SHARE", "1", "share of the clients that take part in a round, drawn for each") \
    X(blocks, "N", "0", "train so many blocks of the network in a round, drawn for each (0: all that the method " \
      "trains)") \
    X(model, "PATH", NULL, "the model file that the federation begins with; without it one with new values") \
    X(also, "METHOD,LIST", NULL, "a second method beside --method, with its options: vpt,tokens=5") \
    AGGREGATION_FLAGS(X) \
    X(seed, "N", "1", "seed of the first run: of the division, of initial values, of the order of images") \
    X(seeds, "N", "1", "runs, with the seeds from --seed on; with two or more, intervals are printed") \
    X(judge_every, "N", "1", "evaluate after every N rounds, and after the last") \
    X(by, "DIR", NULL, "exchange models by files in this folder, round0.peft, round1.client0.peft, ..; with one seed") \
    X(out, "PATH", NULL, "the global model after the last round; with one seed") \
    X(force, NULL, NULL, "overwrite --out, and the files of rounds in --by") \
    X(label, "TEXT", "", "first column of --csv") \
    X(csv, "FILE", NULL, "one row for each evaluation is added to this file") \
    X(threads, "N", "0", "threads (0: all cores)")
enum { FLAGS(FLAG_ID) own_flags, flags = own_flags + recipe_flags };
static flag given[] = { FLAGS(FLAG_ROW) RECIPE_FLAGS(FLAG_ROW) };
static const program about = {
    "--backbone PATH --data PATH [options]",
    "Simulates federated training on one machine: training images are divided over clients, or are those of sites;\n"
    "these train the global model in rounds, and only the adapters are exchanged. --epochs are those of a client in a\n"
    "round. docs/federated.md.",
    "  federate --backbone vit.safetensors --data scans --clients 5 --alpha 0.5 --rounds 20 --method lora\n"
    "  federate --backbone vit.safetensors --data scans --method lora --lora product --seeds 5 --csv rounds.csv\n"
    "  federate --backbone vit.safetensors --sites --data hospitals --test scans --model global.peft" };

static int64_t whole(int f, int64_t low) { return flag_whole(&given[f], low, 100000); }

/* Attaches the second method. The trainer was freed before, as each client makes one of its own. */
static void attach_second(training_run *t)
{
    if (!given[also].value) return;
    const char *comma = strchr(given[also].value, ',');
    char *method = check_alloc(comma ? strndup(given[also].value, (size_t)(comma - given[also].value))
                                     : strdup(given[also].value));
    peft_options *o = options_from_text(t->ctx, comma ? comma + 1 : "");
    peft_adapter *a;
    must(peft_adapter_create(t->vit, method, o, &a));
    must(peft_model_attach(t->model, a));
    peft_adapter_free(a);
    peft_options_free(o);
    free(method);
}

/* One row of the CSV file. */
static void append_row(int64_t seed_number, int64_t round, const round_figures *r, const metrics *m)
{
    if (!given[csv].value) return;
    FILE *f = fopen(given[csv].value, "a");
    if (!f) fail("--csv %s: cannot be written", given[csv].value);
    if (!ftell(f)) fprintf(f, "label,alpha,seed,round,clients,images,accuracy,balanced_accuracy,auroc_macro,"
                              "bytes_up,bytes_down,drift,update\n");
    put_csv_field(f, given[label].value);
    fprintf(f, ",%s,%lld,%lld,%lld,%.0f,%.6f,%.6f,%.6f,%.0f,%.0f,%.6g,%.6g\n", given[alpha].value,
            (long long)seed_number, (long long)round, (long long)r->clients, r->images, m->accuracy,
            m->balanced_accuracy, m->auroc_macro, r->sent, r->sent, r->drift, r->update);
    if (fclose(f)) fail("--csv %s: cannot be written", given[csv].value);
}

static metrics judge(const federation *f, peft_dataset *test)
{
    peft_model *m = global_model(f);
    peft_session *s;
    metrics figures;
    must(peft_session_create(m, NULL, &s));
    double *scores = predict_set(s, test, f->base.transform);
    compute_metrics(f->base.ctx, scores, test, &figures);
    free(scores);
    peft_session_free(s);
    peft_model_free(m);
    return figures;
}

static void print_sites(const federation *f)
{
    for (int64_t k = 0; k < f->clients; k++) {
        int64_t *images = count_classes(f->part[k]);
        printf("%s: %lld images:", f->name[k], (long long)peft_dataset_count(f->part[k]));
        for (int64_t c = 0; c < peft_dataset_classes(f->part[k]); c++)
            printf("%s %s %lld", c ? "," : "", peft_dataset_class_name(f->part[k], c), (long long)images[c]);
        putchar('\n');
        free(images);
    }
}

/* What a run ended with. */
typedef struct outcome { double accuracy, balanced, auroc, sent, drift; } outcome;

/* Does all rounds with one seed. */
static outcome run(uint64_t first_seed, int64_t index, flag *recipe)
{
    const uint64_t seed_number = first_seed + (uint64_t)index;
    federation f = { .recipe = recipe, .rules = given + lora, .seed = seed_number, .folder = given[by].value,
                     .sites = given[sites].value != NULL, .clients = whole(clients, 1),
                     .alpha = flag_number(&given[alpha], 0, 1e6),
                     .blocks = whole(blocks, 0) };
    const int64_t last = whole(rounds, 1), every = whole(judge_every, 1);
    const data_request q = { DATA_REQUEST, .shots = flag_integer(&given[shots]),
                             .tests = flag_integer(&given[test_per_class]), .seed = seed_number };
    peft_dataset *test_set;
    outcome o = { 0 };
    f.base = (training_run){ .backbone = given[backbone].value, .start = given[model].value, .seed = seed_number,
                             .threads = (int)flag_integer(&given[threads]) };
    must(peft_context_create(NULL, NULL, NULL, &f.base.io_ctx));
    const char *source = open_clients(&f, &q, &test_set);
    if (!index && source) print_sets(f.base.train, NULL, test_set, source);
    f.per_round = (int64_t)fmax(1, floor(flag_number(&given[share], 1e-6, 1) * (double)f.clients + 0.5));
    build_training(&f.base, recipe);
    peft_trainer_free(f.base.trainer);
    f.base.trainer = NULL;
    if (f.blocks > peft_backbone_get(f.base.vit, "depth"))
        fail("--blocks: given %lld, expected at most %lld, the blocks of the backbone", (long long)f.blocks,
             (long long)peft_backbone_get(f.base.vit, "depth"));
    attach_second(&f.base);
    open_federation(&f);
    print_sites(&f);
    for (int64_t round = 1; round <= last; round++) {
        const round_figures r = do_round(&f, round);
        o.sent += r.sent;
        o.drift = r.drift;
        if (round % every && round != last) continue;
        const metrics m = judge(&f, test_set);
        o.accuracy = m.accuracy, o.balanced = m.balanced_accuracy, o.auroc = m.auroc_macro;
        printf("seed %llu, round %lld: accuracy %.4f, balanced %.4f, macro AUROC %.4f, %.0f bytes up, drift %.4g\n",
               (unsigned long long)seed_number, (long long)round, m.accuracy, m.balanced_accuracy, m.auroc_macro,
               r.sent, r.drift);
        fflush(stdout);
        append_row((int64_t)seed_number, round, &r, &m);
    }
    if (given[out].value) must(peft_write_file(given[out].value, f.global.data, f.global.size));
    free_training(&f.base);
    close_federation(&f);
    peft_dataset_free(test_set);
    peft_context_free(f.base.io_ctx);
    return o;
}

static void print_line(const char *name, const double *v, int64_t n)
{
    const statistics s = statistics_of(v, n);
    printf("%-18s %.4f", name, s.mean);
    if (n > 1) printf(" +- %.4f", confidence_half_width(s));
    putchar('\n');
}

/* Ends the program if the folder of --by holds files of another federation, unless --force is given. */
static void check_exchange(void)
{
    if (!given[by].value || given[force].value) return;
    char *pattern;
    glob_t found;
    if (asprintf(&pattern, "%s/round*.peft", given[by].value) < 0) fail("out of memory");
    if (!glob(pattern, GLOB_NOSORT, NULL, &found))
        fail("--by %s: holds files of a federation already (%s); give an empty folder, or --force to write over them",
             given[by].value, found.gl_pathv[0]);
    free(pattern);
}

/* Ends the program if one of `count` flags is given; why: what it does, and with which flag to leave it out. */
static void leave_out(const int *unwanted, size_t count, const char *why)
{
    for (size_t i = 0; i < count; i++)
        if (given[unwanted[i]].source != FROM_DEFAULT) fail("--%s: %s", name_of_flag(&given[unwanted[i]]).text, why);
}

static void check_sites_and_model(void)
{
    static const int dividing[] = { clients, alpha }, in_file[] = { own_flags + recipe_options,
                                                                own_flags + recipe_head };
    if (given[sites].value && !given[test].value) fail("--sites: no site has the test images; give them by --test");
    if (given[sites].value) leave_out(dividing, 2, "divides the images of one data set; leave it out with --sites");
    if (given[model].value) leave_out(in_file, 2, "is settled by the file of --model; leave one of the two out");
}

/* Ranks share the clients of a round and the test images, but not the passes of a client's training. */
static void join_ranks(void)
{
    static const int written[] = { by, out, csv };
    if (!ranks.join) return;
    ranks.share = NULL;
    ranks.join(NULL, 0);
    for (size_t i = 0; ranks.rank && i < sizeof written / sizeof *written; i++) given[written[i]].value = NULL;
}

int main(int argc, char **argv)
{
    program_name = "federate";
    const int first = read_flags(given, flags, &about, argc, argv);
    flag *recipe = given + own_flags;
    if (first < argc) fail("'%s' is not an option; expected --name value, see --help", argv[first]);
    if (!given[backbone].value || !given[data].value) fail("--backbone and --data are required; see --help");
    if (recipe[recipe_epochs].source == FROM_DEFAULT) recipe[recipe_epochs].value = "1";
    if (recipe[recipe_schedule].source == FROM_DEFAULT) recipe[recipe_schedule].value = "constant";
    join_ranks();
    resolve_recipe(recipe);
    const int64_t n = whole(seeds, 1);
    if (n > 1 && (given[by].value || given[out].value)) fail("--by and --out: expected one run; leave --seeds out");
    if (given[out].value)
        check_output("out", given[out].value, given[force].value != NULL,
                     (const char *[]){ given[backbone].value, given[data].value, given[test].value,
                                       given[model].value }, 4);
    check_exchange();
    check_sites_and_model();
    if (!strcmp(given[lora].value, "stack") && whole(rounds, 1) > 1)
        fail("--lora stack: multiplies the rank by the number of clients in each round; give --rounds 1, or --lora "
             "product");
    double *v = check_alloc(calloc((size_t)n * 4, sizeof *v)), sent = 0;
    for (int64_t i = 0; i < n; i++) {
        const outcome o = run((uint64_t)flag_integer(&given[seed]), i, recipe);
        v[i] = o.accuracy, v[n + i] = o.balanced, v[2 * n + i] = o.auroc, v[3 * n + i] = o.drift;
        sent = o.sent;
    }
    printf("\nafter %s rounds, %lld run%s%s\n", given[rounds].value, (long long)n, n > 1 ? "s" : "",
           n > 1 ? ", means with 95 % intervals (Student's t)" : "");
    print_line("accuracy", v, n);
    print_line("balanced accuracy", v + n, n);
    print_line("macro AUROC", v + 2 * n, n);
    print_line("drift", v + 3 * n, n);
    printf("%-18s %.0f up, %.0f down\n", "bytes in a run", sent, sent);
    free(v);
    if (ranks.leave) ranks.leave();
    return 0;
}
