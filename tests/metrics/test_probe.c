/* SPDX-License-Identifier: Apache-2.0
 * test_probe.c -- nearest neighbours and prototypes against plain implementations, ties, samples scored in parts, and
 * errors of all kinds of probes. */
#include "failing_alloc.h"
#include "probes.h"

enum { N = 61, M = 37, WIDTH = 19, CLASSES = 4 };
typedef struct samples { float train[N * WIDTH], test[M * WIDTH], targets[N * CLASSES]; int64_t labels[N]; } samples;

static samples make_samples(uint64_t seed)
{
    samples s;
    int64_t unused[M];
    simulated r = { seed };
    simulate_features(&r, s.train, s.labels, N, WIDTH, CLASSES);
    simulate_features(&r, s.test, unused, M, WIDTH, CLASSES);
    simulate_targets(&r, s.train, s.targets, N, WIDTH, CLASSES);
    return s;
}

/* --- plain implementations ---------------------------------------------------------------------------------------- */
static double plain_feature(const samples *s, const float *x, int64_t j, bool standardize)
{
    double mean = 0, variance = 0;
    if (!standardize) return (double)x[j];
    for (int i = 0; i < N; i++) mean += (double)s->train[i * WIDTH + j] / N;
    for (int i = 0; i < N; i++) variance += pow((double)s->train[i * WIDTH + j] - mean, 2) / N;
    return ((double)x[j] - mean) / sqrt(variance);
}

static double plain_similarity(const double *a, const double *b, bool cosine)
{
    double ab = 0, aa = 0, bb = 0, distance = 0;
    for (int j = 0; j < WIDTH; j++) {
        ab += a[j] * b[j];
        aa += a[j] * a[j];
        bb += b[j] * b[j];
        distance += pow(a[j] - b[j], 2);
    }
    return cosine ? ab / sqrt(aa) / sqrt(bb) : -distance;
}

static void plain_row(const samples *s, const float *x, bool standardize, double row[WIDTH])
{
    for (int64_t j = 0; j < WIDTH; j++) row[j] = plain_feature(s, x, j, standardize);
}

/* The score of test sample m for class c by the k most similar training samples. */
static double plain_knn(const samples *s, int m, int c, bool several, bool cosine, bool standardize, bool exponential,
                        int k, double temperature)
{
    double similarity[N], row[WIDTH], other[WIDTH], votes = 0, all = 0, positive = 0, judged = 0;
    bool taken[N] = { false };
    plain_row(s, s->test + m * WIDTH, standardize, row);
    for (int i = 0; i < N; i++) {
        plain_row(s, s->train + i * WIDTH, standardize, other);
        similarity[i] = plain_similarity(row, other, cosine);
    }
    for (int round = 0; round < k; round++) {
        int best = -1;
        for (int i = 0; i < N; i++)
            if (!taken[i] && (best < 0 || similarity[i] > similarity[best])) best = i;
        taken[best] = true;
        const double vote = exponential ? exp(similarity[best] / temperature) : 1;
        const double target = several ? (double)s->targets[best * CLASSES + c] : s->labels[best] == c;
        if (target >= 0) all += vote;
        if (target > 0) votes += vote;
    }
    for (int i = 0; i < N; i++) {
        judged += s->targets[i * CLASSES + c] >= 0;
        positive += s->targets[i * CLASSES + c] > 0;
    }
    return all > 0 ? votes / all : positive / judged;
}

static double plain_prototype(const samples *s, const double *row, int c, double target, bool several, bool cosine)
{
    double mean[WIDTH] = { 0 }, other[WIDTH];
    int count = 0;
    for (int i = 0; i < N; i++) {
        if (several ? (double)s->targets[i * CLASSES + c] != target : s->labels[i] != c) continue;
        double squares = 0;
        plain_row(s, s->train + i * WIDTH, false, other);
        for (int j = 0; j < WIDTH; j++) squares += other[j] * other[j];
        for (int j = 0; j < WIDTH; j++) mean[j] += cosine ? other[j] / sqrt(squares) : other[j];
        count++;
    }
    for (int j = 0; j < WIDTH; j++) mean[j] /= count;
    return plain_similarity(row, mean, cosine);
}

/* --- comparisons -------------------------------------------------------------------------------------------------- */
static void scores_of(peft_context *ctx, const samples *s, bool several, const char *text, double *scores)
{
    peft_probe *p = NULL;
    OK(fit_probe(ctx, s->train, several ? NULL : s->labels, several ? s->targets : NULL, N, WIDTH, CLASSES, text, &p));
    OK(peft_probe_scores(p, s->test, M, scores));
    peft_probe_free(p);
}

START_TEST(neighbours_are_those_of_a_plain_search)
{
    static const struct row {
        const char *text;
        bool cosine, standardize, exponential;
        int k;
        double temperature;
    } rows[] = {
        { "kind=knn,k=1", true, false, true, 1, 0.07 },
        { "kind=knn", true, false, true, 5, 0.07 },
        { "kind=knn,k=20,temperature=0.3,standardize=true", true, true, true, 20, 0.3 },
        { "kind=knn,k=61,weights=uniform", true, false, false, N, 1 },
        { "kind=knn,k=7,distance=euclidean,temperature=20", false, false, true, 7, 20 },
        { "kind=knn,k=3,distance=euclidean,standardize=yes", false, true, true, 3, 1 },
        { "kind=knn,k=8,distance=euclidean,weights=uniform", false, false, false, 8, 1 } };
    peft_context *ctx = context();
    for (size_t k = 0; k < 2 * (sizeof rows / sizeof *rows); k++) {
        const struct row *r = &rows[k / 2];
        const samples s = make_samples(k);
        const bool several = k % 2;
        double scores[M * CLASSES];
        scores_of(ctx, &s, several, r->text, scores);
        for (int i = 0; i < M * CLASSES; i++)
            NEAR(scores[i], plain_knn(&s, i / CLASSES, i % CLASSES, several, r->cosine, r->standardize, r->exponential,
                                      r->k, r->temperature), 1e-10);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(prototypes_are_means_of_classes)
{
    static const struct { const char *text; bool cosine; double temperature; } row[] = {
        { "kind=prototypes", true, 0.07 },
        { "kind=prototypes,distance=euclidean,temperature=10", false, 10 },
        { "kind=prototypes,distance=euclidean", false, 1 } };
    peft_context *ctx = context();
    for (size_t k = 0; k < 2 * (sizeof row / sizeof *row); k++) {
        const samples s = make_samples(k);
        const bool several = k % 2, cosine = row[k / 2].cosine;
        double scores[M * CLASSES];
        scores_of(ctx, &s, several, row[k / 2].text, scores);
        for (int m = 0; m < M; m++) {
            double z[CLASSES], with[WIDTH], sum = 0;
            plain_row(&s, s.test + m * WIDTH, false, with);
            for (int c = 0; c < CLASSES; c++) {
                z[c] = plain_prototype(&s, with, c, 1, several, cosine) / row[k / 2].temperature;
                if (several) z[c] -= plain_prototype(&s, with, c, 0, several, cosine) / row[k / 2].temperature;
            }
            for (int c = 0; c < CLASSES; c++) sum += exp(z[c] - z[0]);
            for (int c = 0; c < CLASSES; c++)
                NEAR(scores[m * CLASSES + c], several ? 1 / (1 + exp(-z[c])) : exp(z[c] - z[0]) / sum, 1e-10);
        }
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(equal_neighbours_are_taken_by_index)
{
    const float x[6] = { 2, 1, 1, -1, 1, 1 }, test[2] = { 1, 0 };       /* of width 1 */
    const int64_t labels[6] = { 0, 2, 1, 0, 3, 2 };
    peft_context *ctx = context();
    peft_probe *p = NULL;
    double scores[2 * 4];
    OK(fit_probe(ctx, x, labels, NULL, 6, 1, 4, "kind=knn,distance=euclidean,k=3,weights=uniform", &p));
    OK(peft_probe_scores(p, test, 1, scores));
    ck_assert(scores[0] == 0 && scores[1] == 1.0 / 3 && scores[2] == 1.0 / 3 && scores[3] == 1.0 / 3);
    peft_probe_free(p);
    OK(fit_probe(ctx, x, labels, NULL, 6, 1, 4, "kind=knn,distance=euclidean,k=2,weights=uniform", &p));
    OK(peft_probe_scores(p, test, 1, scores));
    ck_assert(scores[1] == 0.5 && scores[2] == 0.5);
    peft_probe_free(p);
    /* a vector of zeros: all similarities are 0, and the first samples count */
    OK(fit_probe(ctx, x, labels, NULL, 6, 1, 4, "kind=knn,k=2", &p));
    OK(peft_probe_scores(p, test, 2, scores));
    ck_assert(scores[4] == 0.5 && scores[6] == 0.5);
    peft_probe_free(p);
    peft_context_free(ctx);
}
END_TEST

static const char *const kinds[] = { "kind=knn", "kind=prototypes", "kind=logistic,tolerance=1e-9" };

START_TEST(scores_do_not_depend_on_the_division)
{
    peft_context *ctx = context();
    for (int k = 0; k < 6; k++) {
        const samples s = make_samples(9);
        double all[M * CLASSES], part[M * CLASSES];
        peft_probe *p = NULL;
        OK(fit_probe(ctx, s.train, k % 2 ? NULL : s.labels, k % 2 ? s.targets : NULL, N, WIDTH, CLASSES, kinds[k / 2],
                     &p));
        OK(peft_probe_scores(p, s.test, M, all));
        for (int i = 0; i < M; i += 5)
            OK(peft_probe_scores(p, s.test + i * WIDTH, M - i < 5 ? M - i : 5, part + i * CLASSES));
        ck_assert_mem_eq(all, part, sizeof all);
        for (int i = 0; i < M && k % 2 == 0; i++) {
            double sum = 0;
            for (int c = 0; c < CLASSES; c++) sum += all[i * CLASSES + c];
            NEAR(sum, 1, 1e-14);
        }
        ck_assert(peft_probe_get(p, "classes") == CLASSES && peft_probe_get(p, "width") == WIDTH &&
                  peft_probe_get(p, "samples") == N);
        ck_assert(isnan(peft_probe_get(p, "depth")) && isnan(peft_probe_get(p, NULL)));
        ck_assert(isnan(peft_probe_get(NULL, "loss")));
        ck_assert(isnan(peft_probe_get(p, "loss")) == (k < 4));
        peft_probe_free(p);
    }
    peft_context_free(ctx);
}
END_TEST

/* Classes 1 and 3 of five have samples: the others get 0. Of several labels: one that all have, one that none has. */
START_TEST(classes_without_samples_get_no_probability)
{
    peft_context *ctx = context();
    for (int k = 0; k < 3; k++) {
        const float x[8] = { 1, 0,   2, 1,   0, 3,   1, 5 };
        const int64_t labels[4] = { 1, 1, 3, 3 }, one[4] = { 2, 2, 2, 2 };
        const float targets[4 * 3] = { 1, 0, -1,   1, -1, 0,   -1, 0, 0,   1, 0, 1 };
        char text[64];
        double s[4 * 5];
        peft_probe *p = NULL;
        snprintf(text, sizeof text, "%s%s", kinds[k], k ? "" : ",k=4");
        OK(fit_probe(ctx, x, labels, NULL, 4, 2, 5, text, &p));
        OK(peft_probe_scores(p, x, 4, s));
        for (int i = 0; i < 4; i++) {
            ck_assert(s[5 * i] == 0 && s[5 * i + 2] == 0 && s[5 * i + 4] == 0);
            ck_assert((s[5 * i + 1] > 0.5) == (labels[i] == 1));
        }
        peft_probe_free(p);
        OK(fit_probe(ctx, x, one, NULL, 4, 2, 5, text, &p));
        OK(peft_probe_scores(p, x, 4, s));
        for (int i = 0; i < 20; i++) ck_assert(s[i] == (i % 5 == 2));
        peft_probe_free(p);
        OK(fit_probe(ctx, x, NULL, targets, 4, 2, 3, text, &p));
        OK(peft_probe_scores(p, x, 4, s));
        for (int i = 0; i < 4; i++) {
            ck_assert(s[3 * i] == 1 && s[3 * i + 1] == 0);
            ck_assert(s[3 * i + 2] > 0 && s[3 * i + 2] < 1);
        }
        peft_probe_free(p);
    }
    peft_context_free(ctx);
}
END_TEST

/* Of two labels the nearest two samples are judged for neither: the share of the label in all samples. */
START_TEST(neighbours_that_are_not_judged_do_not_vote)
{
    const float x[5] = { 0, 1, 10, 11, 12 }, test[1] = { 0.5f };
    const float targets[5 * 2] = { -1, 1,   -1, -1,   1, 0,   1, 0,   0, -1 };
    peft_context *ctx = context();
    peft_probe *p = NULL;
    double s[2];
    OK(fit_probe(ctx, x, NULL, targets, 5, 1, 2, "kind=knn,distance=euclidean,k=2,weights=uniform", &p));
    OK(peft_probe_scores(p, test, 1, s));
    NEAR(s[0], 2.0 / 3, 1e-15);
    ck_assert(s[1] == 1);
    peft_probe_free(p);
    peft_context_free(ctx);
}
END_TEST

START_TEST(wrong_arguments_are_refused)
{
    peft_context *ctx = context();
    const float x[4] = { 0, 1, 2, 3 }, bad[4] = { 0, 1, NAN, 2 };
    const float targets[4] = { 1, 0, -1, 1 }, none[4] = { 1, -1, 0, -1 }, half[4] = { 0, 0.5f, 0, 0 };
    const int64_t labels[4] = { 0, 1, 0, 1 }, out[2] = { 0, 2 };
    peft_probe *p = NULL;
    double s[4] = { -7, -7, -7, -7 };
    peft_options *empty = probe_options(ctx, "");
#define FIT(x, l, t, n, w, c, text) fit_probe(ctx, x, l, t, n, w, c, text, &p)
    REFUSED(FIT(x, labels, targets, 2, 2, 2, ""), PEFT_E_INVALID, "labels and targets are both given");
    REFUSED(FIT(x, NULL, NULL, 2, 2, 2, ""), PEFT_E_INVALID, "labels and targets are both NULL");
    REFUSED(FIT(x, labels, NULL, 0, 2, 2, ""), PEFT_E_INVALID, "n is 0");
    REFUSED(FIT(x, labels, NULL, 2, 0, 2, ""), PEFT_E_INVALID, "width is 0");
    REFUSED(FIT(x, labels, NULL, 2, 2, 0, ""), PEFT_E_INVALID, "classes is 0");
    REFUSED(FIT(x, labels, NULL, 2, INT64_MAX / 4, 2, ""), PEFT_E_INVALID, "too many");
    REFUSED(FIT(x, out, NULL, 2, 2, 2, ""), PEFT_E_INVALID, "labels[1] is 2", "0..1");
    REFUSED(FIT(x, NULL, half, 2, 2, 2, ""), PEFT_E_INVALID, "targets[1]", "0.5");
    REFUSED(FIT(x, NULL, none, 2, 2, 2, ""), PEFT_E_INVALID, "class 1", "not judged");
    REFUSED(FIT(NULL, labels, NULL, 2, 2, 2, ""), PEFT_E_INVALID, "features is NULL");
    REFUSED(FIT(bad, labels, NULL, 2, 2, 2, ""), PEFT_E_NONFINITE, "features[2]", "NaN");
    REFUSED(FIT(x, labels, NULL, 4, 1, 2, "kind=knn,k=5,weights=uniform"), PEFT_E_OPTION, "'k' is 5", "at most", "4");
    REFUSED(FIT(x, labels, NULL, 2, 2, 2, "kind=kn"), PEFT_E_OPTION, "'kind' is 'kn'", "knn");
    REFUSED(FIT(x, labels, NULL, 2, 2, 2, "kind=knn,distance=l1"), PEFT_E_OPTION, "'l1'", "cosine euclidean");
    REFUSED(FIT(x, labels, NULL, 2, 2, 2, "kind=knn,weights=\"\""), PEFT_E_OPTION, "'weights' is ''");
    REFUSED(FIT(x, labels, NULL, 2, 2, 2, "kind=logistic,k=7"), PEFT_E_OPTION, "'k' is 7", "kind=logistic");
    REFUSED(FIT(x, labels, NULL, 2, 2, 2, "kind=prototypes,C=3"), PEFT_E_OPTION, "'C' is 3", "distance temperature");
    REFUSED(FIT(x, labels, NULL, 2, 2, 2, "C=0"), PEFT_E_OPTION, "'C'");
    REFUSED(FIT(x, labels, NULL, 2, 2, 2, "class_weights=1"), PEFT_E_OPTION, "did you mean 'class_weight'");
    REFUSED(peft_probe_fit(NULL, x, labels, NULL, 2, 2, 2, empty, &p), PEFT_E_INVALID, "ctx is NULL");
    REFUSED(peft_probe_fit(ctx, x, labels, NULL, 2, 2, 2, empty, NULL), PEFT_E_INVALID, "out is NULL");
    ck_assert_ptr_null(p);
    OK(FIT(x, labels, NULL, 2, 2, 2, "kind=knn,k=2,C=1"));
    REFUSED(peft_probe_scores(NULL, x, 1, s), PEFT_E_INVALID, "p is NULL");
    REFUSED(peft_probe_scores(p, x, 1, NULL), PEFT_E_INVALID, "scores is NULL");
    REFUSED(peft_probe_scores(p, x, 0, s), PEFT_E_INVALID, "n is 0");
    REFUSED(peft_probe_scores(p, bad, 2, s), PEFT_E_NONFINITE, "features[2] (image 1, column 0)");
    REFUSED(peft_probe_weights(p, s, s), PEFT_E_UNSUPPORTED, "kind knn", "logistic");
    REFUSED(peft_probe_weights(p, NULL, s), PEFT_E_INVALID, "weights is NULL");
    ck_assert(s[0] == -7 && s[1] == -7 && s[2] == -7 && s[3] == -7);
    peft_probe_free(p);
    peft_probe_free(NULL);
    peft_options_free(empty);
    peft_context_free(ctx);
}
END_TEST

/* Fits and scores; arg: the options. */
static peft_status fit_and_score(peft_context *ctx, void *arg)
{
    static const float x[8] = { 0, 1, 2, 3, 1, 1, 4, 0 }, targets[8] = { 0, 1, 1, 0, 1, 1, 0, 0 };
    static const int64_t labels[4] = { 0, 1, 2, 1 };
    const bool several = arg == kinds[2];
    peft_options *o = NULL;
    peft_probe *p = NULL;
    double s[4 * 3];
    peft_status status = peft_options_create(ctx, &o);
    if (!status) status = peft_options_parse(o, arg);
    if (!status) status = peft_options_parse(o, "standardize=true");
    if (!status) status = peft_probe_fit(ctx, x, several ? NULL : labels, several ? targets : NULL, 4, 2,
                                         several ? 2 : 3, o, &p);
    if (!status) status = peft_probe_scores(p, x, 4, s);
    peft_probe_free(p);
    peft_options_free(o);
    return status;
}

START_TEST(failing_allocations_are_reported)
{
    char knn[] = "kind=knn,k=2", logistic[] = "kind=logistic";
    ck_assert_int_gt(failing_alloc_loop(fit_and_score, knn), 6);
    ck_assert_int_gt(failing_alloc_loop(fit_and_score, (char *)(uintptr_t)kinds[1]), 6);
    ck_assert_int_gt(failing_alloc_loop(fit_and_score, (char *)(uintptr_t)kinds[2]), 12);
    ck_assert_int_gt(failing_alloc_loop(fit_and_score, logistic), 12);
}
END_TEST

SUITE_MAIN("probes", neighbours_are_those_of_a_plain_search, prototypes_are_means_of_classes,
           equal_neighbours_are_taken_by_index, scores_do_not_depend_on_the_division,
           classes_without_samples_get_no_probability, neighbours_that_are_not_judged_do_not_vote,
           wrong_arguments_are_refused, failing_allocations_are_reported)
