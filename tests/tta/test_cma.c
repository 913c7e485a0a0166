/* SPDX-License-Identifier: Apache-2.0
 * test_cma.c -- CMA-ES: strategy parameters and numbers of evaluations of pycma, invariances, injected solutions, the
 * saved state, refusals. tests/interop/check_cma.py compares single iterations and more cases with pycma itself. */
#include "suite.h"
#include "cma_problems.h"
#include "core/tta/cma/parameters.h"

static peft_context *ctx;
static const cma_problem *const sphere = &cma_problems[0], *const ellipsoid = &cma_problems[1];

static void make_context(void) { ck_assert_int_eq(peft_context_create(NULL, NULL, NULL, &ctx), PEFT_OK); }

static pf_cma *create(const pf_cma_settings *s)
{
    pf_cma *es = NULL;
    ck_assert_msg(!pf_cma_create(ctx, s, &es), "%s", peft_last_error());
    return es;
}

static void expect_refused(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want, "%s, expected %s: %s", peft_status_name(got), peft_status_name(want), peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
}

/* The numbers that the manual of pycma prints for 20 variables and its default population of 12. */
START_TEST(parameters_are_those_of_pycma)
{
    static const double weights[] = { 0.4024029428, 0.2533890840, 0.1662215645, 0.1043752252, 0.05640347757,
        0.01720770576, -0.05018713636, -0.1406167894, -0.2203813963, -0.2917332686, -0.3562788884, -0.4152044225 };
    double w[12];
    pf_cma_parameters p;
    ck_assert_int_eq(pf_cma_default_population(20), 12);
    ck_assert_int_eq(pf_cma_default_population(1), 4);
    pf_cma_set_parameters(&p, w, 20, 12, PF_CMA_FULL);
    for (int i = 0; i < 12; i++) ck_assert_double_eq_tol(w[i], weights[i], 1e-10);
    ck_assert_int_eq(p.parents, 6);
    ck_assert_double_eq_tol(p.c1, 0.00437235, 1e-8);
    ck_assert_double_eq_tol(p.cmu, 0.00921656, 1e-8);
    ck_assert_double_eq_tol(p.path_c, 0.171767, 1e-6);
    pf_cma_set_parameters(&p, w, 20, 12, PF_CMA_SEPARABLE);
    ck_assert_double_eq_tol(p.c1, 0.0343279, 1e-7);
    ck_assert_double_eq_tol(p.cmu, 0.0565385, 1e-7);
    ck_assert_double_eq_tol(p.path_c, 0.252594, 1e-6);
    pf_cma_set_parameters(&p, w, 4, pf_cma_default_population(4), PF_CMA_FULL);
    ck_assert_double_eq_tol(p.damping, 1.479176368423, 1e-12);
    pf_cma_set_parameters(&p, w, 3, 7, PF_CMA_FULL);
    ck_assert_double_eq_tol(p.mean_length, 1.595769121605731, 1e-15);
}
END_TEST

static int ascending(const void *x, const void *y)
{
    const long long p = *(const long long *)x, q = *(const long long *)y;
    return (p > q) - (p < q);
}

static long long median_evaluations(const cma_problem *problem, int64_t n, pf_cma_covariance covariance)
{
    enum { SEEDS = 15, MOST = 200000 };
    long long evaluations[SEEDS];
    for (int i = 0; i < SEEDS; i++) {
        const long long used = cma_evaluations(ctx, problem, n, covariance, (uint64_t)i + 1, MOST);
        evaluations[i] = used < 0 ? MOST : used;
    }
    qsort(evaluations, SEEDS, sizeof *evaluations, ascending);
    return evaluations[SEEDS / 2];
}

/* Medians of 15 seeds of pycma 4.5.0, which tests/interop/check_cma.py prints. */
START_TEST(needs_no_more_evaluations_than_pycma)
{
    static const struct { const char *problem; int64_t n; pf_cma_covariance covariance; long long pycma; } rows[] = {
        { "sphere", 10, PF_CMA_FULL, 1680 }, { "ellipsoid", 10, PF_CMA_FULL, 4310 },
        { "rosenbrock", 10, PF_CMA_FULL, 5180 }, { "sphere", 10, PF_CMA_SEPARABLE, 1380 },
        { "ellipsoid", 10, PF_CMA_SEPARABLE, 2470 }, { "rosenbrock", 10, PF_CMA_SEPARABLE, 131570 },
        { "sphere", 100, PF_CMA_SEPARABLE, 12308 } };
    make_context();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const long long used = median_evaluations(cma_find_problem(rows[i].problem), rows[i].n, rows[i].covariance);
        ck_assert_msg((double)used <= 1.2 * (double)rows[i].pycma, "%s in %lld variables: %lld evaluations, pycma %lld",
                      rows[i].problem, (long long)rows[i].n, used, rows[i].pycma);
    }
    peft_context_free(ctx);
}
END_TEST

/* The ellipsoid with its axes in other directions: x is reflected at the plane of normal (1, 2, .., n). */
static double turned_ellipsoid(const double *x, int64_t n)
{
    double y[10], product = 0, square = 0;
    for (int64_t i = 0; i < n; i++) {
        product += (double)(i + 1) * x[i];
        square += (double)((i + 1) * (i + 1));
    }
    for (int64_t i = 0; i < n; i++) y[i] = x[i] - 2 * product / square * (double)(i + 1);
    return cma_ellipsoid(y, n);
}

START_TEST(only_a_full_covariance_learns_dependencies)
{
    const cma_problem turned = { "turned ellipsoid", turned_ellipsoid, 1, 1 };
    make_context();
    const long long full = median_evaluations(&turned, 10, PF_CMA_FULL);
    ck_assert_msg(full < 1.2 * 4310, "%lld evaluations", full);            /* as many as on the ellipsoid */
    ck_assert_int_gt(median_evaluations(&turned, 10, PF_CMA_SEPARABLE), 4 * full);
    peft_context_free(ctx);
}
END_TEST

static double root_of_sphere(const double *x, int64_t n) { return sqrt(cma_sphere(x, n)); }

/* Fills mean with that of a run of some iterations; returns the last sigma. */
static double run(const cma_problem *problem, const pf_cma_settings *s, int iterations, double *mean)
{
    pf_cma *es = create(s);
    for (int t = 0; t < iterations; t++) cma_iterate(es, problem, s->dim);
    const double sigma = pf_cma_sigma(es);
    memcpy(mean, pf_cma_mean(es), (size_t)s->dim * sizeof *mean);
    pf_cma_free(es);
    return sigma;
}

START_TEST(only_seed_and_order_of_fitness_count)
{
    enum { N = 12 };
    const cma_problem root = { "root", root_of_sphere, 0, 0 };
    double first[N], start[N];
    make_context();
    for (int c = PF_CMA_FULL; c <= PF_CMA_SEPARABLE; c++) {
        pf_cma_settings s = { .dim = N, .sigma = 0.5, .covariance = (pf_cma_covariance)c, .seed = 3 };
        for (int i = 0; i < N; i++) start[i] = 1;
        s.mean = start;
        const double sigma = run(sphere, &s, 40, first);
        ck_assert_double_lt(sigma, 0.5);
        double again[N];
        ck_assert(sigma == run(&root, &s, 40, again));
        ck_assert_mem_eq(first, again, sizeof first);
        s.seed = 4;
        ck_assert(sigma != run(&root, &s, 40, again));
    }
    peft_context_free(ctx);
}
END_TEST

/* Runs both objects on, which must stay equal. */
static void expect_equal_runs(pf_cma *one, pf_cma *other, int64_t n)
{
    for (int t = 0; t < 12; t++) {
        const double best = cma_iterate(one, ellipsoid, n);
        ck_assert(best == cma_iterate(other, ellipsoid, n));
        ck_assert(pf_cma_sigma(one) == pf_cma_sigma(other));
        ck_assert_mem_eq(pf_cma_mean(one), pf_cma_mean(other), (size_t)n * sizeof(double));
    }
}

/* The array keeps what its description says. */
static void expect_valid(const pf_cma_array *a, int64_t count)
{
    for (int64_t i = 0; i < count; i++)
        if (a->type == PEFT_I64) {
            const int64_t v = ((const int64_t *)a->data)[i];
            ck_assert_msg(v >= 0 && v <= UINT32_MAX, "%s[%lld] is %lld", a->name, (long long)i, (long long)v);
        } else {
            const double v = ((const double *)a->data)[i];
            ck_assert_msg(isfinite(v) && (v > 0 || !a->positive), "%s[%lld] is %g", a->name, (long long)i, v);
        }
}

/* 250 variables: the matrix is decomposed every second or third iteration, and the state is saved in between. */
START_TEST(a_restored_state_goes_on_exactly_and_a_reset_one_from_the_start)
{
    enum { N = 250 };
    make_context();
    for (int c = PF_CMA_FULL; c <= PF_CMA_SEPARABLE; c++) {
        const pf_cma_settings s = { .dim = N, .sigma = 2, .covariance = (pf_cma_covariance)c, .seed = 9ull << 33 | 5 };
        pf_cma *one = create(&s);
        for (int t = 0; t < 7; t++) cma_iterate(one, ellipsoid, N);
        pf_cma_settings another = s;
        another.seed = 1ull << 40 | 77;
        pf_cma *other = create(&another);
        cma_iterate(other, sphere, N);
        pf_cma_array from[PF_CMA_ARRAYS], to[PF_CMA_ARRAYS];
        const int arrays = pf_cma_state(one, from);
        ck_assert_int_eq(arrays, c == PF_CMA_FULL ? 8 : 6);
        ck_assert_int_eq(pf_cma_state(other, to), arrays);
        for (int i = 0; i < arrays; i++) {
            const int64_t count = from[i].dim[0] * (from[i].ndim == 2 ? from[i].dim[1] : 1);
            ck_assert_str_eq(from[i].name, to[i].name);
            expect_valid(&from[i], count);
            memcpy(to[i].data, from[i].data, (size_t)count * 8);           /* elements of 8 bytes */
        }
        ck_assert_int_eq(pf_cma_iteration(other), 7);
        const int64_t *numbers = from[0].data;                 /* iteration, that of the last decomposition, .. */
        if (c == PF_CMA_FULL) ck_assert_int_gt(numbers[0], numbers[1]);
        expect_equal_runs(one, other, N);
        pf_cma_reset(one);
        pf_cma_free(other);
        other = create(&s);
        expect_equal_runs(one, other, N);
        pf_cma_free(one);
        pf_cma_free(other);
    }
    peft_context_free(ctx);
}
END_TEST

/* Tells one iteration of equal fitness and one injected solution at distance `far` along the first variable, which is
 * the best; returns how far the mean moves along it. */
static double moved_by_injected(pf_cma_covariance covariance, double far)
{
    enum { N = 8, POPULATION = 10 };
    const pf_cma_settings s = { .dim = N, .population = POPULATION, .injected = 2, .sigma = 1,
                                .covariance = covariance };
    double fitness[POPULATION + 1], injected[N] = { far };
    pf_cma *es = create(&s);
    const double *x;
    ck_assert_int_eq(pf_cma_ask(es, &x), PEFT_OK);
    for (int k = 0; k < POPULATION; k++) fitness[k] = 1;
    fitness[POPULATION] = 0;
    ck_assert_int_eq(pf_cma_tell(es, fitness, injected, 1), PEFT_OK);
    const double moved = pf_cma_mean(es)[0];
    pf_cma_free(es);
    return moved;
}

START_TEST(injected_solutions_take_part_and_are_not_longer_than_candidates)
{
    double w[10];
    pf_cma_parameters p;
    make_context();
    pf_cma_set_parameters(&p, w, 8, 10, PF_CMA_FULL);
    for (int c = PF_CMA_FULL; c <= PF_CMA_SEPARABLE; c++) {
        const double near = moved_by_injected((pf_cma_covariance)c, 2);
        const double nearer = moved_by_injected((pf_cma_covariance)c, 1);
        ck_assert_double_eq_tol(near - nearer, w[0], 1e-12);
        const double longest = sqrt(8) + 2 * 8.0 / 10;
        const double far = moved_by_injected((pf_cma_covariance)c, 1e6);
        ck_assert_double_eq_tol(far - near, w[0] * (longest - 2), 1e-9);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(asking_twice_gives_the_same_candidates)
{
    enum { N = 6 };
    make_context();
    const pf_cma_settings s = { .dim = N, .sigma = 1, .seed = 5 };
    pf_cma *es = create(&s);
    cma_iterate(es, sphere, N);
    double first[N];
    const double *x;
    ck_assert_int_eq(pf_cma_ask(es, &x), PEFT_OK);
    memcpy(first, x, sizeof first);
    ck_assert_int_eq(pf_cma_ask(es, &x), PEFT_OK);
    ck_assert_mem_eq(first, x, sizeof first);
    pf_cma_free(es);
    peft_context_free(ctx);
}
END_TEST

START_TEST(refusals_name_what_was_given)
{
    make_context();
    pf_cma *es = NULL;
    const double bad_mean[] = { 0, INFINITY };
    const pf_cma_settings wrong[] = { { .dim = 0, .sigma = 1 }, { .dim = 2, .population = 2, .sigma = 1 },
        { .dim = 2, .population = -5, .sigma = 1 }, { .dim = 2, .injected = -1, .sigma = 1 }, { .dim = 2 },
        { .dim = 2, .sigma = NAN }, { .dim = 2, .sigma = 1, .mean = bad_mean } };
    const char *words[] = { "dim is 0", "population is 2", "population is -5", "injected is -1", "sigma is 0",
                            "sigma is nan", "mean[1]" };
    for (int i = 0; i < 7; i++)
        expect_refused(pf_cma_create(ctx, &wrong[i], &es), i == 6 ? PEFT_E_NONFINITE : PEFT_E_INVALID, words[i]);
    const pf_cma_settings huge = { .dim = INT64_MAX / 2, .population = 4, .sigma = 1 };
    ck_assert_uint_eq(pf_cma_bytes(&huge), SIZE_MAX);
    expect_refused(pf_cma_create(ctx, &huge, &es), PEFT_E_NOMEM, "CMA-ES");

    const pf_cma_settings s = { .dim = 2, .population = 4, .injected = 1, .sigma = 1 };
    es = create(&s);
    double fitness[] = { 1, 2, INFINITY, 0, 5 }, injected[] = { 0, NAN };
    expect_refused(pf_cma_tell(es, fitness, NULL, 0), PEFT_E_INVALID, "no candidates were asked for");
    const double *x;
    ck_assert_int_eq(pf_cma_ask(es, &x), PEFT_OK);
    expect_refused(pf_cma_tell(es, fitness, injected, 2), PEFT_E_INVALID, "2 injected");
    expect_refused(pf_cma_tell(es, fitness, injected, 1), PEFT_E_NONFINITE, "variable 1 of injected solution 0");
    fitness[1] = NAN;
    expect_refused(pf_cma_tell(es, fitness, NULL, 0), PEFT_E_NONFINITE, "candidate 1 of 4");
    fitness[1] = 2;
    ck_assert_int_eq(pf_cma_tell(es, fitness, NULL, 0), PEFT_OK);                /* as if nothing had failed */
    ck_assert_int_eq(pf_cma_iteration(es), 1);
    pf_cma_free(es);
    peft_context_free(ctx);
}
END_TEST

/* A linear function has no minimum: sigma grows until the candidates would overflow, or up to its limit. */
START_TEST(a_function_without_minimum_ends_in_an_error_or_at_the_limit)
{
    make_context();
    for (int c = PF_CMA_FULL; c <= PF_CMA_SEPARABLE; c++) {
        const pf_cma_settings s = { .dim = 3, .sigma = 1e140, .covariance = (pf_cma_covariance)c };
        pf_cma *es = create(&s);
        peft_status status = PEFT_OK;
        for (int t = 0; t < 2000 && !status; t++) {
            const double *x;
            double fitness[16];
            status = pf_cma_ask(es, &x);
            for (int64_t k = 0; !status && k < pf_cma_population(es); k++) fitness[k] = x[3 * k];
            if (!status) status = pf_cma_tell(es, fitness, NULL, 0);
        }
        ck_assert(status == PEFT_OK || status == PEFT_E_NONFINITE);
        ck_assert_double_le(pf_cma_sigma(es), 1e150);
        ck_assert_double_gt(pf_cma_sigma(es), 1e140);
        pf_cma_free(es);
    }
    peft_context_free(ctx);
}
END_TEST

START_TEST(allocates_once_what_it_says)
{
    make_context();
    for (int c = PF_CMA_FULL; c <= PF_CMA_SEPARABLE; c++) {
        const pf_cma_settings s = { .dim = 30, .injected = 1, .sigma = 1, .covariance = (pf_cma_covariance)c };
        const size_t before = peft_context_memory_used(ctx);
        pf_cma *es = create(&s);
        const size_t with = peft_context_memory_used(ctx);
        ck_assert_uint_ge(with - before, pf_cma_bytes(&s));
        ck_assert_uint_le(with - before, pf_cma_bytes(&s) + 64);
        for (int t = 0; t < 5; t++) cma_iterate(es, sphere, 30);
        ck_assert_uint_eq(peft_context_memory_used(ctx), with);
        pf_cma_free(es);
        ck_assert_uint_eq(peft_context_memory_used(ctx), before);
    }
    peft_context_free(ctx);
}
END_TEST

SUITE_MAIN("cma", parameters_are_those_of_pycma, needs_no_more_evaluations_than_pycma,
           only_a_full_covariance_learns_dependencies, only_seed_and_order_of_fitness_count,
           a_restored_state_goes_on_exactly_and_a_reset_one_from_the_start,
           injected_solutions_take_part_and_are_not_longer_than_candidates, asking_twice_gives_the_same_candidates,
           refusals_name_what_was_given, a_function_without_minimum_ends_in_an_error_or_at_the_limit,
           allocates_once_what_it_says)
