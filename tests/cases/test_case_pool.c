/* SPDX-License-Identifier: Apache-2.0
 * test_case_pool.c -- attention over slices: probabilities, weights and loss equal those of the equations in
 * <peft/case_pool.h> written down plainly, gradients those of differences, and bits those of any number of threads.
 * A set whose label stands in one slice of each case is learned, and is not learned from the mean of the slices. */
#include "cases_data.h"

enum { HIDDEN = 4 };
static const struct { const char *options; bool gated, multilabel; } kinds[] = {
    { "hidden=4,gated=true,loss=ce", true, false }, { "hidden=4,gated=false,loss=ce", false, false },
    { "hidden=4,gated=true,loss=bce", true, true }, { "hidden=4,gated=false,loss=bce", false, true } };
enum { KINDS = sizeof kinds / sizeof *kinds };

static peft_context *context(void)
{
    peft_context *ctx = NULL;
    OK(peft_context_create(NULL, NULL, NULL, &ctx));
    return ctx;
}

/* V h or U h, element l; m is transposed, [WIDTH,HIDDEN]. */
static double product(const double *m, const float *h, int l)
{
    double sum = 0;
    for (int d = 0; d < WIDTH; d++) sum += m[d * HIDDEN + l] * (double)h[d];
    return sum;
}

/* w' (tanh(V h) * sigm(U h)), or without the gate. */
static double plain_score(const double *values, bool gated, const float *h)
{
    const double *u = values + WIDTH * HIDDEN, *w = values + WIDTH * HIDDEN * (gated ? 2 : 1);
    double sum = 0;
    for (int l = 0; l < HIDDEN; l++)
        sum += w[l] * tanh(product(values, h, l)) * (gated ? 1 / (1 + exp(-product(u, h, l))) : 1);
    return sum;
}

/* Equations 7 to 9 for case n: the weights of its slices, and its probabilities. */
static void plain_case(const double *values, int kind, const cases_data *d, int n, double *a, double *p)
{
    const double *c = values + WIDTH * HIDDEN * (kinds[kind].gated ? 2 : 1) + HIDDEN, *b = c + CLASSES * WIDTH;
    double sum = 0, sum_of_classes = 0, z[WIDTH] = { 0 };
    for (int i = 0; i < SLICES; i++)
        if (d->of[i] == n) sum += exp(plain_score(values, kinds[kind].gated, d->features + i * WIDTH));
    for (int i = 0; i < SLICES; i++) {
        if (d->of[i] != n) continue;
        a[i] = exp(plain_score(values, kinds[kind].gated, d->features + i * WIDTH)) / sum;
        for (int j = 0; j < WIDTH; j++) z[j] += a[i] * (double)d->features[i * WIDTH + j];
    }
    for (int k = 0; k < CLASSES; k++) {
        double logit = b[k];
        for (int j = 0; j < WIDTH; j++) logit += c[k * WIDTH + j] * z[j];
        p[k] = kinds[kind].multilabel ? 1 / (1 + exp(-logit)) : exp(logit);
        sum_of_classes += p[k];
    }
    for (int k = 0; k < CLASSES && !kinds[kind].multilabel; k++) p[k] /= sum_of_classes;
}

START_TEST(equals_the_equations)
{
    peft_context *ctx = context();
    for (int kind = 0; kind < KINDS; kind++) {
        const cases_data d = random_cases(kinds[kind].multilabel);
        peft_case_pool *pool = new_pool(ctx, WIDTH, CLASSES, kinds[kind].options);
        double p[CASES * CLASSES], a[SLICES], want_p[CASES * CLASSES], want_a[SLICES], loss, want = 0, judged = 0;
        double *values = peft_case_pool_values(pool);
        for (int64_t i = 0; i < peft_case_pool_get(pool, "parameters"); i++) values[i] += 0.01 * (double)(i % 7);
        OK(peft_case_pool_predict(pool, d.features, d.of, SLICES, CASES, p, a));
        OK(peft_case_pool_loss(pool, d.features, d.of, SLICES, CASES, d.targets, &loss, NULL));
        for (int n = 0; n < CASES; n++) plain_case(values, kind, &d, n, want_a, want_p + n * CLASSES);
        for (int i = 0; i < SLICES; i++) ck_assert_double_eq_tol(a[i], want_a[i], 1e-14);
        for (int i = 0; i < CASES * CLASSES; i++) {
            ck_assert_double_eq_tol(p[i], want_p[i], 1e-14);
            if (d.targets[i] < 0 || (!kinds[kind].multilabel && d.targets[i] == 0)) continue;
            want -= log(d.targets[i] > 0 ? want_p[i] : 1 - want_p[i]);
            judged++;
        }
        ck_assert_double_eq_tol(loss, want / judged, 1e-14);
        peft_case_pool_free(pool);
    }
    peft_context_free(ctx);
}
END_TEST

typedef struct gradient_case { peft_case_pool *pool; const cases_data *d; } gradient_case;

static double loss_now(void *user)
{
    const gradient_case *g = user;
    double loss;
    OK(peft_case_pool_loss(g->pool, g->d->features, g->d->of, SLICES, CASES, g->d->targets, &loss, NULL));
    return loss;
}

/* Central differences in double, after a training that has set shift and scale too. */
START_TEST(gradients_are_those_of_differences)
{
    peft_context *ctx = context();
    for (int kind = 0; kind < KINDS; kind++) {
        char options[100];
        const cases_data d = random_cases(kinds[kind].multilabel);
        snprintf(options, sizeof options, "%s,epochs=5,lr=0.1", kinds[kind].options);
        gradient_case g = { new_pool(ctx, WIDTH, CLASSES, options), &d };
        double *values = peft_case_pool_values(g.pool), gradient[200], loss, largest = 0;
        const int64_t count = peft_case_pool_get(g.pool, "parameters");
        ck_assert_int_le(count, 200);
        OK(peft_case_pool_fit(g.pool, d.features, d.of, SLICES, CASES, d.targets, NULL, NULL));
        OK(peft_case_pool_loss(g.pool, d.features, d.of, SLICES, CASES, d.targets, &loss, gradient));
        for (int64_t i = 0; i < count; i++) largest = fmax(largest, fabs(gradient[i]));
        ck_assert_double_gt(largest, 1e-3);
        for (int64_t i = 0; i < count; i++) {
            const double original = values[i], h = 1e-3;
            double at[5];
            for (int k = -2; k <= 2; k++) values[i] = original + k * h, at[k + 2] = loss_now(&g);
            values[i] = original;
            ck_assert_double_eq_tol((at[0] - 8 * at[1] + 8 * at[3] - at[4]) / (12 * h), gradient[i], 1e-9 * largest);
        }
        peft_case_pool_free(g.pool);
    }
    peft_context_free(ctx);
}
END_TEST

/* Trains and predicts with this number of threads; out: parameters, probabilities and weights. */
static size_t bits_of(int threads, double *out)
{
    enum { MANY = 40, OF_EACH = 6 };
    static float features[MANY * OF_EACH * WIDTH], targets[MANY * CLASSES];
    static int64_t of[MANY * OF_EACH];
    char options[100];
    uint64_t state = 3;
    peft_context *ctx = context();
    for (int i = 0; i < MANY * OF_EACH * WIDTH; i++) features[i] = (float)random_number(&state);
    for (int i = 0; i < MANY * OF_EACH; i++) of[i] = i * 7 % MANY;
    for (int i = 0; i < MANY * CLASSES; i++) targets[i] = i % CLASSES == i / CLASSES % CLASSES;
    snprintf(options, sizeof options, "hidden=9,epochs=20,threads=%d", threads);
    peft_case_pool *p = new_pool(ctx, WIDTH, CLASSES, options);
    const size_t count = (size_t)peft_case_pool_get(p, "parameters");
    OK(peft_case_pool_fit(p, features, of, MANY * OF_EACH, MANY, targets, NULL, NULL));
    memcpy(out, peft_case_pool_values(p), count * sizeof *out);
    OK(peft_case_pool_predict(p, features, of, MANY * OF_EACH, MANY, out + count, out + count + MANY * CLASSES));
    peft_case_pool_free(p);
    peft_context_free(ctx);
    return count + MANY * CLASSES + MANY * OF_EACH;
}

START_TEST(bits_do_not_depend_on_threads)
{
    static double one[1000], other[1000];
    const size_t count = bits_of(1, one);
    ck_assert_uint_le(count, 1000);
    for (int threads = 2; threads <= 5; threads++) {
        ck_assert_uint_eq(bits_of(threads, other), count);
        ck_assert_msg(!memcmp(one, other, count * sizeof *one), "%d threads", threads);
    }
}
END_TEST

/* Cases of twelve slices, ten of which are noise. A case of class 1 has a slice with large elements 0 and 1, and one
 * with the opposite values; in class 0 the elements of these two slices differ in sign. In the mean of a case all of
 * this cancels: only single slices tell the class. marked: the two slices. */
enum { OF_CASE = 12, TRAINING = 120, TEST = 200 };
typedef struct marks { int first, second; } marks;
static void hidden_labels(uint64_t seed, int cases, float *features, int64_t *of, float *targets, marks *marked)
{
    uint64_t state = seed;
    for (int n = 0; n < cases; n++) {
        const int label = random_number(&state) > 0, one = (int)(OF_CASE * (0.5 + 0.499 * random_number(&state)));
        const int other = (one + 1 + (int)((OF_CASE - 1) * (0.5 + 0.499 * random_number(&state)))) % OF_CASE;
        marked[n] = (marks){ one, other };
        targets[2 * n] = (float)!label;
        targets[2 * n + 1] = (float)label;
        for (int i = 0; i < OF_CASE; i++) {
            float *h = features + (n * OF_CASE + i) * WIDTH, sign = i == one ? 1 : i == other ? -1 : 0;
            of[n * OF_CASE + i] = n;
            for (int d = 0; d < WIDTH; d++) h[d] = (float)random_number(&state);
            h[0] += 2.5f * sign;
            h[1] += 2.5f * (label ? sign : -sign);
        }
    }
}

/* The share of cases whose class is predicted. */
static double accuracy(peft_case_pool *p, const float *features, const int64_t *of, int slices, int cases,
                       const float *targets, double *weights)
{
    double probabilities[2 * TEST];
    int right = 0;
    OK(peft_case_pool_predict(p, features, of, slices, cases, probabilities, weights));
    for (int n = 0; n < cases; n++)
        right += (probabilities[2 * n + 1] > probabilities[2 * n]) == (targets[2 * n + 1] > 0);
    return (double)right / cases;
}

static void means(const float *features, int cases, float *mean)
{
    for (int n = 0; n < cases; n++)
        for (int d = 0; d < WIDTH; d++) {
            mean[n * WIDTH + d] = 0;
            for (int i = 0; i < OF_CASE; i++) mean[n * WIDTH + d] += features[(n * OF_CASE + i) * WIDTH + d] / OF_CASE;
        }
}

static int largest_of(const double *weights)
{
    int largest = 0;
    for (int i = 1; i < OF_CASE; i++) if (weights[i] > weights[largest]) largest = i;
    return largest;
}

START_TEST(one_slice_of_a_case_tells_the_label)
{
    static float x[TRAINING * OF_CASE * WIDTH], test_x[TEST * OF_CASE * WIDTH], y[2 * TRAINING], test_y[2 * TEST];
    static int64_t of[TRAINING * OF_CASE], test_of[TEST * OF_CASE];
    static double weights[TEST * OF_CASE];
    static marks marked[TEST];
    const char *const attention[] = { "gated=true", "gated=false" };
    peft_context *ctx = context();
    hidden_labels(1, TRAINING, x, of, y, marked);
    hidden_labels(2, TEST, test_x, test_of, test_y, marked);
    for (int k = 0; k < 2; k++) {
        peft_case_pool *p = new_pool(ctx, WIDTH, 2, attention[k]);
        int positive = 0, found = 0;
        OK(peft_case_pool_fit(p, x, of, TRAINING * OF_CASE, TRAINING, y, NULL, NULL));
        const double right = accuracy(p, test_x, test_of, TEST * OF_CASE, TEST, test_y, weights);
        for (int n = 0; n < TEST; n++) {
            const int largest = largest_of(weights + n * OF_CASE);
            positive += test_y[2 * n + 1] > 0;
            found += test_y[2 * n + 1] > 0 && (largest == marked[n].first || largest == marked[n].second);
        }
        printf("%s: accuracy %.3f, a marked slice weighs most in %d of %d cases of class 1\n", attention[k], right,
               found, positive);
        ck_assert_double_ge(right, 0.95);
        ck_assert_int_ge(found, positive * 95 / 100);
        peft_case_pool_free(p);
    }
    /* a case of one slice, its mean, has weight 1: the pool is then a linear classifier of means */
    for (int n = 0; n < TEST; n++) of[n % TRAINING] = n % TRAINING, test_of[n] = n;
    static float mean_x[TRAINING * WIDTH], test_mean_x[TEST * WIDTH];
    means(x, TRAINING, mean_x);
    means(test_x, TEST, test_mean_x);
    peft_case_pool *p = new_pool(ctx, WIDTH, 2, "gated=true");
    OK(peft_case_pool_fit(p, mean_x, of, TRAINING, TRAINING, y, NULL, NULL));
    const double of_means = accuracy(p, test_mean_x, test_of, TEST, TEST, test_y, weights);
    printf("mean of the slices: accuracy %.3f\n", of_means);
    ck_assert_double_le(of_means, 0.65);
    peft_case_pool_free(p);
    peft_context_free(ctx);
}
END_TEST

/* Slices of a case that follow each other, and of one far away: only the order within a case can matter. */
START_TEST(order_of_cases_does_not_matter)
{
    peft_context *ctx = context();
    const cases_data d = random_cases(false);
    peft_case_pool *p = new_pool(ctx, WIDTH, CLASSES, "hidden=4");
    float grouped[SLICES * WIDTH];
    int64_t of[SLICES], from[SLICES];
    double mixed_p[CASES * CLASSES], mixed_a[SLICES], p_[CASES * CLASSES], a[SLICES];
    int at = 0;
    for (int n = CASES - 1; n >= 0; n--)
        for (int i = 0; i < SLICES; i++)
            if (d.of[i] == n) {
                memcpy(grouped + at * WIDTH, d.features + i * WIDTH, WIDTH * sizeof *grouped);
                from[at] = i;
                of[at++] = n;
            }
    OK(peft_case_pool_predict(p, d.features, d.of, SLICES, CASES, mixed_p, mixed_a));
    OK(peft_case_pool_predict(p, grouped, of, SLICES, CASES, p_, a));
    ck_assert_mem_eq(p_, mixed_p, sizeof p_);
    for (int i = 0; i < SLICES; i++) ck_assert(a[i] == mixed_a[from[i]]);
    peft_case_pool_free(p);
    peft_context_free(ctx);
}
END_TEST

static peft_status fit(peft_case_pool *p, const cases_data *d)
{
    return peft_case_pool_fit(p, d->features, d->of, SLICES, CASES, d->targets, NULL, NULL);
}

/* A rate and a decay that multiply the parameters by almost -1e6 in each of the first epochs. */
START_TEST(training_that_diverges_is_refused)
{
    peft_context *ctx = context();
    for (int multilabel = 0; multilabel < 2; multilabel++)
        for (int epochs = 1; epochs <= 128; epochs *= 2) {
            char options[100];
            double before[200], p[CASES * CLASSES];
            const cases_data d = random_cases(multilabel);
            snprintf(options, sizeof options, "hidden=4,loss=%s,lr=1000,weight_decay=1000,epochs=%d",
                     multilabel ? "bce" : "ce", epochs);
            peft_case_pool *pool = new_pool(ctx, WIDTH, CLASSES, options);
            const size_t count = (size_t)peft_case_pool_get(pool, "parameters");
            ck_assert_uint_le(count, 200);
            peft_case_pool_values(pool)[0] = 0.25;
            memcpy(before, peft_case_pool_values(pool), count * sizeof *before);
            const peft_status s = fit(pool, &d);
            if (s) {
                ck_assert_int_eq(s, PEFT_E_NONFINITE);
                ck_assert_ptr_nonnull(strstr(peft_last_error(), "smaller lr or weight_decay"));
                ck_assert_mem_eq(before, peft_case_pool_values(pool), count * sizeof *before);
                ck_assert_int_eq(peft_case_pool_get(pool, "epochs"), 0);
            } else ck_assert_int_lt(epochs, 128);
            OK(peft_case_pool_predict(pool, d.features, d.of, SLICES, CASES, p, NULL));
            for (int i = 0; i < CASES * CLASSES; i++) ck_assert(p[i] >= 0 && p[i] <= 1);
            peft_case_pool_free(pool);
        }
    peft_context_free(ctx);
}
END_TEST

/* Each parameter in turn, written by the caller; then parameters that are finite, and whose sums are not. */
START_TEST(parameters_that_are_not_finite_are_refused)
{
    const double bad[] = { NAN, INFINITY, -INFINITY };
    peft_context *ctx = context();
    for (int kind = 0; kind < KINDS; kind++) {
        const cases_data d = random_cases(kinds[kind].multilabel);
        peft_case_pool *pool = new_pool(ctx, WIDTH, CLASSES, kinds[kind].options);
        double *values = peft_case_pool_values(pool), loss = -7, p[CASES * CLASSES], a[SLICES];
        const int64_t count = peft_case_pool_get(pool, "parameters");
        for (int64_t i = 0; i < count; i++)
            for (int k = 0; k < 3; k++) {
                const double original = values[i];
                char named[40];
                snprintf(named, sizeof named, "parameter %lld of", (long long)i);
                values[i] = bad[k];
                ck_assert_int_eq(peft_case_pool_loss(pool, d.features, d.of, SLICES, CASES, d.targets, &loss, NULL),
                                 PEFT_E_NONFINITE);
                ck_assert_ptr_nonnull(strstr(peft_last_error(), named));
                ck_assert_int_eq(peft_case_pool_predict(pool, d.features, d.of, SLICES, CASES, p, a), PEFT_E_NONFINITE);
                ck_assert_ptr_nonnull(strstr(peft_last_error(), named));
                values[i] = original;
            }
        for (int64_t i = 0; i < count; i++) values[i] = i % 2 ? 1.7e308 : -1.7e308;
        ck_assert_int_eq(peft_case_pool_predict(pool, d.features, d.of, SLICES, CASES, NULL, NULL), PEFT_E_NONFINITE);
        ck_assert_ptr_nonnull(strstr(peft_last_error(), "a probability is NaN"));
        ck_assert_int_eq(peft_case_pool_loss(pool, d.features, d.of, SLICES, CASES, d.targets, &loss, NULL),
                         PEFT_E_NONFINITE);
        ck_assert_ptr_nonnull(strstr(peft_last_error(), "the loss is NaN"));
        ck_assert(loss == -7);
        values[0] = NAN;
        OK(fit(pool, &d));                                   /* begins from the initial values */
        OK(peft_case_pool_predict(pool, d.features, d.of, SLICES, CASES, p, a));
        peft_case_pool_free(pool);
    }
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("case_pool", equals_the_equations, gradients_are_those_of_differences, bits_do_not_depend_on_threads,
           one_slice_of_a_case_tells_the_label, order_of_cases_does_not_matter, training_that_diverges_is_refused,
           parameters_that_are_not_finite_are_refused)
