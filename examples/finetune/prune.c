/* SPDX-License-Identifier: Apache-2.0
 * prune.c -- the search of --prune: importance of the trained masks, a training for each pair of percentages, results
 * in a table that a later run goes on with (stages.h). */
#include "stages.h"
#include "common/backbone/image_sides.h"
#include "common/files/atomic_file.h"
#include "common/files/csv.h"
#include "common/model/evaluate.h"
#include "common/predictions/predictions.h"
#include "common/program/errors.h"
#include "common/program/stop.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PERCENTAGES_MAX = 16, CANDIDATES_MAX = PERCENTAGES_MAX * PERCENTAGES_MAX, COLUMNS = 6 };
static const char heading[] = "score,tokens,pieces,figure,kept_tokens,kept_pieces";
/* A pair of percentages and the result of its training: figure (NaN: not trained yet), tokens and pieces that are kept.
 * NOT_SEARCHED: of a mask that is not trained. line: of the table of an earlier run; 0: not from there. */
enum { NOT_SEARCHED = -1 };
typedef struct candidate { int tokens, pieces; double figure; int kept_tokens, kept_pieces, line; } candidate;
typedef struct candidates { candidate item[CANDIDATES_MAX]; int count; } candidates;

/* Parses "10-90" or "10,30" to to[PERCENTAGES_MAX]; returns how many, 0: malformed. */
static int read_percentages(const char *text, int *to)
{
    int first, last, used = 0, n = 0;
    if (sscanf(text, "%d-%d%n", &first, &last, &used) == 2 && !text[used]) {
        if (first < 0 || last > 100 || last < first) return 0;
        for (int p = first; p <= last && n < PERCENTAGES_MAX; p += 10) to[n++] = p;
        return n;
    }
    for (; n < PERCENTAGES_MAX && sscanf(text, "%d%n", &to[n], &used) == 1; text += used + 1) {
        if (to[n] < 0 || to[n] > 100 || (text[used] && text[used] != ',')) return 0;
        n++;
        if (!text[used]) return n;
    }
    return 0;
}

int check_search(const prune_search *s)
{
    int list[PERCENTAGES_MAX];
    const int n = read_percentages(s->percentages, list);
    if (!n)
        fail("--prune %s: expected a range in steps of 10, such as 10-90, or at most %d whole numbers from 0 to 100, "
             "such as 25,50,75", s->percentages, PERCENTAGES_MAX);
    if (strcmp(s->score, "signed") && strcmp(s->score, "absolute"))
        fail("--prune-score %s: expected signed or absolute", s->score);
    return s->searched[TOKENS] && s->searched[PIECES] ? n * n : n;
}

/* Adds every batch of the first epoch of the training images. */
static peft_importance *gather(const training_run *t)
{
    const int64_t batch = peft_loader_batch_size(t->loader);
    const int64_t classes = peft_dataset_classes(t->train);
    peft_importance *importance;
    peft_tensor *images, *labels, *some, *some_labels;
    const bool multilabel = peft_dataset_multilabel(t->train);
    const size_t only_adapter = 0;
    const int64_t first_epoch = 0;
    int64_t *const no_ids = NULL;                             /* without ids the feature cache is not used */
    must(peft_importance_create(peft_model_adapter(t->model, only_adapter), &importance));
    images = new_images(t->io_ctx, t->transform, batch);
    must(peft_tensor_create(t->io_ctx, multilabel ? PEFT_F32 : PEFT_I64, multilabel ? 2 : 1,
                            (int64_t[]){ batch, classes }, &labels));
    for (int64_t b = 0, n; b < peft_loader_batches(t->loader) && !stop_requested; b++) {
        must(peft_loader_read(t->loader, first_epoch, b, images, labels, no_ids, &n));
        some = images_over(t->io_ctx, t->transform, n, peft_tensor_data(images));
        must(peft_tensor_wrap(t->io_ctx, multilabel ? PEFT_F32 : PEFT_I64, multilabel ? 2 : 1,
                              (int64_t[]){ n, classes }, peft_tensor_data(labels), &some_labels));
        must(peft_importance_add(importance, t->trainer, some, some_labels, no_ids));
        peft_tensor_free(some);
        peft_tensor_free(some_labels);
    }
    peft_tensor_free(images);
    peft_tensor_free(labels);
    return importance;
}

static peft_adapter *pruned(const training_run *t, const peft_importance *importance, const prune_search *s,
                            const candidate *c)
{
    peft_options *o;
    peft_adapter *adapter;
    must(peft_options_create(t->ctx, &o));
    must(peft_options_set_string(o, "score", s->score));
    if (c->tokens != NOT_SEARCHED) must(peft_options_set_int(o, "mask_tokens", c->tokens));
    if (c->pieces != NOT_SEARCHED) must(peft_options_set_int(o, "mask_pieces", c->pieces));
    must(peft_adapter_prune(importance, o, &adapter));
    peft_options_free(o);
    return adapter;
}

static int stop_on_request(peft_trainer *t, void *user)
{
    (void)t, (void)user;
    return stop_requested;
}

/* Sets how many tokens and pieces the candidate's adapter keeps. */
static void set_kept(candidate *c, const training_run *masked, const prune_search *s, const peft_adapter *adapter)
{
    const kept_prompts kept = count_kept(adapter, peft_backbone_get(masked->vit, "width"));
    c->kept_tokens = s->searched[TOKENS] ? (int)kept.tokens : NOT_SEARCHED;
    c->kept_pieces = s->searched[PIECES] ? (int)kept.pieces : NOT_SEARCHED;
}

/* Trains and judges a candidate. Its figure stays NaN if stop_requested was set meanwhile. */
static void try_candidate(const training_run *masked, const flag *recipe, const peft_importance *importance,
                          const prune_search *s, candidate *c)
{
    peft_adapter *adapter = pruned(masked, importance, s, c);
    training_run t = training_beside(masked, recipe, masked->train, adapter);
    peft_session *session = NULL;
    const peft_status status = peft_trainer_fit(t.trainer, t.epochs, peft_loader_next, stop_on_request, t.loader);
    if (status && !stop_requested) must(status);
    if (!status) must(peft_session_create(t.model, NULL, &session));
    double *scores = status ? NULL : predict_set(session, s->validation, t.transform);
    if (scores) {
        metrics m;
        compute_metrics(t.ctx, scores, s->validation, &m);
        c->figure = peft_dataset_multilabel(s->validation) ? m.map : m.balanced_accuracy;
        set_kept(c, masked, s, adapter);
    }
    free(scores);
    peft_session_free(session);
    free_training_beside(&t);
    peft_adapter_free(adapter);
}

/* A percentage or count as text, "-" for NOT_SEARCHED. */
static const char *number(int value, char text[12])
{
    if (value == NOT_SEARCHED) return "-";
    snprintf(text, 12, "%d", value);
    return text;
}

_Noreturn static void refuse_table(const prune_search *s, int line, const char *what)
{
    fail("%s: line %d: %s; this program did not write it for this search: remove the file, and --resume tries all "
         "candidates again", s->table, line, what);
}

/* A whole number of the table, NOT_SEARCHED for "-". */
static int read_number(const prune_search *s, int line, const char *text)
{
    char *end;
    const long v = strtol(text, &end, 10);
    if (!strcmp(text, "-")) return NOT_SEARCHED;
    if (end == text || *end || v < 0 || v > INT32_MAX) refuse_table(s, line, "expected a whole number or -");
    return (int)v;
}

static double read_figure(const prune_search *s, int line, const char *text)
{
    char *end;
    const double v = strtod(text, &end);
    if (end == text || *end || !(v >= 0 && v <= 1)) refuse_table(s, line, "expected a figure from 0 to 1");
    return v;
}

/* Takes the results of candidates from the table of an earlier run. Rows of another score are left out. */
static void read_table(const prune_search *s, candidates *all)
{
    FILE *f = fopen(s->table, "r");
    char text[256], *field[COLUMNS], *rest;
    for (int line = 1; f && fgets(text, sizeof text, f); line++) {
        rest = text;
        if (line == 1) {
            if (strncmp(text, heading, strlen(heading))) refuse_table(s, line, "expected the heading");
            continue;
        }
        if (read_csv_row(&rest, field, COLUMNS) != COLUMNS) refuse_table(s, line, "expected six fields");
        const candidate c = { .tokens = read_number(s, line, field[1]), .pieces = read_number(s, line, field[2]),
                              .figure = read_figure(s, line, field[3]), .kept_tokens = read_number(s, line, field[4]),
                              .kept_pieces = read_number(s, line, field[5]), .line = line };
        for (int k = 0; k < all->count; k++) {
            candidate *to = &all->item[k];
            if (!strcmp(field[0], s->score) && to->tokens == c.tokens && to->pieces == c.pieces) *to = c;
        }
    }
    if (f) fclose(f);
}

/* Ends the program if a result of the table keeps other numbers of tokens or pieces than pruning does now. */
static void check_kept(const training_run *masked, const peft_importance *importance, const prune_search *s,
                       const candidate *from_table)
{
    candidate c = *from_table;
    char what[120];
    if (!c.line) return;
    peft_adapter *adapter = pruned(masked, importance, s, &c);
    set_kept(&c, masked, s, adapter);
    peft_adapter_free(adapter);
    if (c.kept_tokens == from_table->kept_tokens && c.kept_pieces == from_table->kept_pieces) return;
    snprintf(what, sizeof what, "keeps %d tokens and %d pieces, expected %d and %d (-1: not searched)",
             from_table->kept_tokens, from_table->kept_pieces, c.kept_tokens, c.kept_pieces);
    refuse_table(s, c.line, what);
}

/* Writes the results so far, so that a run that is stopped loses one candidate at most. */
static void write_table(const prune_search *s, const candidates *all)
{
    atomic_file w;
    open_atomic(&w, s->table);
    fprintf(w.file, "%s\n", heading);
    for (int k = 0; k < all->count; k++) {
        const candidate *c = &all->item[k];
        char text[4][12];
        if (!isnan(c->figure))
            fprintf(w.file, "%s,%s,%s,%.17g,%s,%s\n", s->score, number(c->tokens, text[0]), number(c->pieces, text[1]),
                    c->figure, number(c->kept_tokens, text[2]), number(c->kept_pieces, text[3]));
    }
    close_atomic(&w);
}

/* The candidates are in the order of what they leave out, so that of equal figures the last one is the best. */
static const candidate *best_of(const candidates *all)
{
    const candidate *best = &all->item[0];
    for (int k = 1; k < all->count; k++) if (all->item[k].figure >= best->figure) best = &all->item[k];
    return best;
}

/* Prints which pair was chosen, and a warning if no figure tells the candidates apart. */
static void print_choice(const candidates *all, const candidate *best, const char *figure)
{
    char tokens[12], pieces[12];
    int same = 0;
    for (int k = 0; k < all->count; k++) same += all->item[k].figure == best->figure;
    if (same > 1 && same == all->count)
        warn("all %d candidates have the same %s, so that the choice says nothing of their quality: it is the one that "
             "leaves out most", same, figure);
    if (best->tokens == NOT_SEARCHED)
        printf("chosen: %s %% of the pieces pruned\n", number(best->pieces, pieces));
    else if (best->pieces == NOT_SEARCHED)
        printf("chosen: %s %% of the tokens pruned\n", number(best->tokens, tokens));
    else printf("chosen: %s %% of the tokens, %s %% of the pieces pruned\n", number(best->tokens, tokens),
                number(best->pieces, pieces));
}

static int by_sum(const void *x, const void *y)
{
    const candidate *a = x, *b = y;
    const int d = a->tokens + a->pieces - b->tokens - b->pieces;
    return d ? d : a->tokens - b->tokens;
}

static candidates make_candidates(const prune_search *s)
{
    candidates all = { .count = 0 };
    int list[PERCENTAGES_MAX];
    const int n = read_percentages(s->percentages, list);
    for (int i = 0; i < (s->searched[TOKENS] ? n : 1); i++)
        for (int k = 0; k < (s->searched[PIECES] ? n : 1); k++)
            all.item[all.count++] = (candidate){ s->searched[TOKENS] ? list[i] : NOT_SEARCHED,
                                                 s->searched[PIECES] ? list[k] : NOT_SEARCHED, NAN, 0, 0, 0 };
    qsort(all.item, (size_t)all.count, sizeof *all.item, by_sum);
    return all;
}

peft_adapter *search_pruned(const training_run *masked, const flag *recipe, const prune_search *s)
{
    candidates all = make_candidates(s);
    peft_importance *importance = gather(masked);
    const char *figure = peft_dataset_multilabel(s->validation) ? "map" : "balanced_accuracy";
    if (s->resume) read_table(s, &all);
    for (int k = 0; k < all.count; k++) check_kept(masked, importance, s, &all.item[k]);
    const int64_t batches = peft_importance_batches(importance);
    printf("pruning by %s importance over %lld batch%s; %d candidate%s, judged on %lld validation images\n"
           "%8s %8s %18s %12s %12s\n", s->score, (long long)batches, batches == 1 ? "" : "es", all.count,
           all.count == 1 ? "" : "s", (long long)peft_dataset_count(s->validation), "tokens %", "pieces %", figure,
           "tokens kept", "pieces kept");
    for (int k = 0; k < all.count; k++) {
        candidate *c = &all.item[k];
        if (isnan(c->figure) && !stop_requested) try_candidate(masked, recipe, importance, s, c);
        if (stop_requested) fail("stopped while prompts were pruned; the same command with --resume continues");
        write_table(s, &all);
        char text[4][12];
        printf("%8s %8s %18.4f %12s %12s\n", number(c->tokens, text[0]), number(c->pieces, text[1]), c->figure,
               number(c->kept_tokens, text[2]), number(c->kept_pieces, text[3]));
        fflush(stdout);
    }
    const candidate *best = best_of(&all);
    print_choice(&all, best, figure);
    peft_adapter *adapter = pruned(masked, importance, s, best);
    peft_importance_free(importance);
    return adapter;
}
