/* SPDX-License-Identifier: Apache-2.0
 * fold_scores.c -- out-of-fold predictions, their file and their figures (fold_scores.h). */
#include "fold_scores.h"
#include "compare_int64.h"
#include "common/files/atomic_file.h"
#include "common/files/text_file.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

fold_scores new_fold_scores(const peft_dataset *d, int64_t folds, const char *settings)
{
    fold_scores s = { .folds = folds, .images = peft_dataset_count(d), .classes = peft_dataset_classes(d) };
    char digest[65], *text;
    s.epoch = check_alloc(calloc((size_t)folds, sizeof *s.epoch));
    s.scores = check_alloc(calloc((size_t)(s.images * s.classes), sizeof *s.scores));
    must(peft_dataset_digest(d, digest));
    const int n = asprintf(&text, "%lld %s %s", (long long)folds, digest, settings);
    if (n < 0) fail("out of memory");
    peft_sha256(text, (size_t)n, s.key);
    free(text);
    return s;
}

void free_fold_scores(fold_scores *s)
{
    free(s->epoch);
    free(s->scores);
    *s = (fold_scores){ 0 };
}

void set_fold_scores(fold_scores *s, int64_t k, const fold *f, const double *scores, int64_t epoch)
{
    const size_t row = (size_t)s->classes * sizeof *scores;
    for (int64_t i = 0; i < peft_dataset_count(f->held); i++)
        memcpy(s->scores + f->held_index[i] * s->classes, scores + i * s->classes, row);
    s->epoch[k] = epoch;
}

static const char hash_line[] = "sha256 ";                    /* begins the last line */

/* All scores are written, those of folds that are not trained as 0, in hexadecimal, which keeps their bits; the last
 * line has the SHA-256 of the lines before it. */
void write_fold_scores(const fold_scores *s, const char *path)
{
    char *text, hash[65];
    size_t size;
    FILE *f = check_alloc(open_memstream(&text, &size));
    fprintf(f, "libpeft folds 2 %s\n", s->key);
    for (int64_t k = 0; k < s->folds; k++) fprintf(f, "%lld\n", (long long)s->epoch[k]);
    for (int64_t i = 0; i < s->images * s->classes; i++) fprintf(f, "%a\n", s->scores[i]);
    if (fclose(f)) fail("out of memory");
    peft_sha256(text, size, hash);
    atomic_file w;
    open_atomic(&w, path);
    fprintf(w.file, "%s%s%s\n", text, hash_line, hash);
    close_atomic(&w);
    free(text);
}

_Noreturn static void refuse(const char *path, const char *why)
{
    fail("--resume: %s %s; train from the beginning without --resume", path, why);
}

/* Removes the last line, which has the SHA-256 of the text before it. False: it is another text's, or not there. */
static bool take_hash(char *text)
{
    char hash[65];
    const size_t size = strlen(text), line = strlen(hash_line) + 64 + 1;
    if (size < line) return false;
    char *last = text + size - line;
    peft_sha256(text, size - line, hash);
    const bool same = !strncmp(last, hash_line, strlen(hash_line)) && text[size - 1] == '\n' &&
                      !strncmp(last + strlen(hash_line), hash, 64);
    *last = 0;
    return same;
}

bool read_fold_scores(fold_scores *s, const char *path, int64_t epochs)
{
    char *text = read_text_file(path, NULL), *at = text, key[65];
    int used = 0;
    if (!text) return false;
    if (!strncmp(text, "libpeft folds 2 ", 16) && !take_hash(text)) refuse(path, "is damaged");
    if (sscanf(text, "libpeft folds 2 %64s\n%n", key, &used) != 1 || !used) refuse(path, "is no file of folds");
    if (strcmp(key, s->key))
        refuse(path, "is of another backbone, or of other images, folds, seed or training options");
    at += used;
    for (int64_t i = 0; i < s->folds + s->images * s->classes; i++) {
        char *end;
        const bool is_epoch = i < s->folds;
        if (is_epoch) s->epoch[i] = strtoll(at, &end, 10);
        else s->scores[i - s->folds] = strtod(at, &end);
        const bool in_range = !is_epoch || (s->epoch[i] >= 0 && s->epoch[i] <= epochs);
        if (end == at || *end != '\n' || !in_range) refuse(path, "is damaged");
        at = end + 1;
    }
    if (*at) refuse(path, "is longer than its scores");
    free(text);
    return true;
}

int64_t median_epoch(const fold_scores *s)
{
    const size_t bytes = (size_t)s->folds * sizeof *s->epoch;
    int64_t *sorted = memcpy(check_alloc(malloc(bytes)), s->epoch, bytes);
    qsort(sorted, (size_t)s->folds, sizeof *sorted, compare_int64);
    const int64_t median = sorted[(s->folds - 1) / 2];
    free(sorted);
    return median;
}
