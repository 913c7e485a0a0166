/* SPDX-License-Identifier: Apache-2.0
 * prune.c -- peft_adapter_prune: an adapter whose fixed masks leave out the elements of lowest importance. */
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "core/train/prune/importance.h"

typedef struct { double score; int64_t index; } element;

static int by_score(const void *x, const void *y)
{
    const element *a = x, *b = y;
    if (a->score != b->score) return a->score < b->score ? -1 : 1;
    return a->index < b->index ? -1 : a->index > b->index;
}

/* Sorts the n elements of order by score, and sets keep[index] to 0 for the first `prune` of them; but in each row of
 * cols elements of keep at least `remain` ones are left. */
static void prune_lowest(element *order, int64_t n, int64_t prune, int64_t cols, int64_t remain, char *keep)
{
    qsort(order, (size_t)n, sizeof *order, by_score);
    for (int64_t e = 0; e < n && prune > 0; e++) {
        char *row = keep + order[e].index / cols * cols;
        int64_t ones = 0;
        for (int64_t c = 0; c < cols; c++) ones += row[c];
        if (ones <= remain) continue;
        keep[order[e].index] = 0;
        prune--;
    }
}

/* The mask as a list, "[1,0,1]", or a list of its rows. text: at least 4 * count + 4 bytes (rows of one element take 4
 * for each: "[1],"). */
static void write_list(char *text, const char *keep, int64_t count, int64_t cols, bool rows)
{
    if (rows) *text++ = '[';
    for (int64_t e = 0; e < count; e++) {
        *text++ = e % cols ? ',' : '[';
        *text++ = (char)('0' + keep[e]);
        if (e % cols < cols - 1) continue;
        *text++ = ']';
        if (rows) *text++ = e == count - 1 ? ']' : ',';
    }
    *text = 0;
}

/* Sets the option of mask number k to the list of what remains. */
static peft_status set_mask(const peft_importance *i, int k, pf_scoring scoring, const peft_options *given, bool across,
                            peft_options *to)
{
    const pf_mask *m = i->mask[k];
    const peft_tensor *value = &m->p->value;
    peft_context *ctx = i->adapter->backbone->ctx;
    const int64_t count = peft_tensor_count(value), cols = value->dim[value->ndim - 1], group = across ? count : cols;
    const double percent = pf_options_float(given, i->option, m->option);
    const size_t keep_and_text = 1 + 4, each = sizeof(double) + sizeof(element) + keep_and_text;
    const size_t bytes = (size_t)count * each + 4;             /* 4: the end of the text */
    char *block = pf_alloc(ctx, bytes);
    if (!block) return pf_nomem("pruned mask", bytes);
    element *order = (element *)(void *)block;
    double *scores = (double *)(void *)(order + count);
    char *keep = (char *)(scores + count), *text = keep + count;
    pf_mask_scores(i, k, scoring, scores);
    memset(keep, 1, (size_t)count);
    for (int64_t first = 0; first < count; first += group) {
        for (int64_t e = 0; e < group; e++) order[e] = (element){ scores[first + e], first + e };
        prune_lowest(order, group, (int64_t)floor((double)group * percent / 100), cols, m->keep, keep);
    }
    write_list(text, keep, count, cols, value->ndim > 1);
    const peft_status s = peft_options_set_string(to, m->option, text);
    pf_free(ctx, block);
    return s;
}

static peft_status prune(const peft_importance *i, const peft_options *o, peft_options *to, peft_adapter **out)
{
    const bool across = pf_options_int(o, i->option, "across");
    pf_scoring scoring;
    PF_TRY(pf_scoring_read(o, &scoring));
    if (scoring.norm && !across)
        return pf_fail(PEFT_E_OPTION, "norm: it changes no order within a row; give across=true too, or leave it out");
    pf_source *const initial_values = NULL;                    /* no file that tensors are read from */
    for (int k = 0; k < i->masks; k++) PF_TRY(set_mask(i, k, scoring, o, across, to));
    return pf_adapter_make(i->adapter->backbone, i->adapter->method->name, to, initial_values, out);
}

peft_status peft_adapter_prune(const peft_importance *i, const peft_options *o, peft_adapter **out)
{
    PK_FLOAT_SCOPE;
    peft_options *to;
    if (!i || !out) return pf_fail(PEFT_E_INVALID, "%s is NULL: expected a pointer", i ? "out" : "importance");
    PF_TRY(pf_options_check(o, i->option, "peft_adapter_prune"));
    PF_TRY(pf_importance_ready(i, "peft_adapter_prune"));
    if (i->adapter->options) PF_TRY(pf_options_copy(i->adapter->options, &to));
    else PF_TRY(peft_options_create(i->adapter->backbone->ctx, &to));
    const peft_status s = prune(i, o, to, out);
    peft_options_free(to);
    return s;
}
