/* SPDX-License-Identifier: Apache-2.0
 * test_rules.c -- the rules of aggregation that are no means of elements: LoRA's product and stack against the mean of
 * the updates and a plain decomposition, ept's logits and mass, clipping, noise, the accountant. */
#include "failing_alloc.h"
#include "sites.h"

static char result_path[128];

/* The model that the sites give with these options. */
static peft_model *aggregate(const sites *s, const char *options)
{
    peft_aggregator *a = sites_round(s, options);
    snprintf(result_path, sizeof result_path, "%s", tiny_path("next"));
    OK(peft_aggregator_write(a, result_path));
    peft_aggregator_free(a);
    return sites_load(s, result_path);
}

static const peft_tensor *value_of(peft_model *m, const char *name)
{
    peft_param *p = peft_model_find_param(m, name);
    ck_assert_msg(p != NULL, "no parameter %s", name);
    return peft_param_value(p);
}

static double at(const peft_tensor *t, int64_t i) { return (double)((const pk_real *)peft_tensor_cdata(t))[i]; }

static const char name_a[] = "blocks.1.attn.q.lora_A.weight", name_b[] = "blocks.1.attn.q.lora_B.weight";

/* Adds weight * B A of the model to m [out, in]. */
static void add_update(peft_model *model, double weight, double *m)
{
    const peft_tensor *a = value_of(model, name_a), *b = value_of(model, name_b);
    const int64_t rank = peft_tensor_dim(a, 0), in = peft_tensor_dim(a, 1), out = peft_tensor_dim(b, 0);
    for (int64_t o = 0; o < out; o++)
        for (int64_t i = 0; i < in; i++)
            for (int64_t r = 0; r < rank; r++) m[o * in + i] += weight * at(b, o * rank + r) * at(a, r * in + i);
}

enum { WIDTH = 48 };                                          /* of the tiny backbone */

/* The mean of the sites' updates. */
static void mean_update(const sites *s, double m[WIDTH * WIDTH])
{
    memset(m, 0, WIDTH * WIDTH * sizeof *m);
    for (int k = 0; k < SITES; k++) {
        peft_model *site = sites_load(s, s->site[k]);
        add_update(site, site_weight[k] / 140, m);
        peft_model_free(site);
    }
}

/* Squared singular values of m, largest first: Jacobi's method on m^T m, as in textbooks. */
static void squared_values(const double *m, double value[WIDTH])
{
    static double g[WIDTH][WIDTH];
    for (int i = 0; i < WIDTH; i++)
        for (int j = 0; j < WIDTH; j++) {
            g[i][j] = 0;
            for (int k = 0; k < WIDTH; k++) g[i][j] += m[k * WIDTH + i] * m[k * WIDTH + j];
        }
    for (int sweep = 0; sweep < 30; sweep++)
        for (int p = 0; p < WIDTH; p++)
            for (int q = p + 1; q < WIDTH; q++) {
                if (fabs(g[p][q]) < 1e-300) continue;
                const double theta = 0.5 * atan2(2 * g[p][q], g[q][q] - g[p][p]), c = cos(theta), s = sin(theta);
                for (int k = 0; k < WIDTH; k++) {
                    const double x = g[k][p], y = g[k][q];
                    g[k][p] = c * x - s * y;
                    g[k][q] = s * x + c * y;
                }
                for (int k = 0; k < WIDTH; k++) {
                    const double x = g[p][k], y = g[q][k];
                    g[p][k] = c * x - s * y;
                    g[q][k] = s * x + c * y;
                }
            }
    for (int i = 0; i < WIDTH; i++) value[i] = g[i][i];
    for (int i = 0; i < WIDTH; i++)
        for (int j = i + 1; j < WIDTH; j++)
            if (value[j] > value[i]) {
                const double t = value[i];
                value[i] = value[j];
                value[j] = t;
            }
}

/* |x - y|^2 */
static double distance(const double *x, const double *y)
{
    double sum = 0;
    for (int i = 0; i < WIDTH * WIDTH; i++) sum += (x[i] - y[i]) * (x[i] - y[i]);
    return sum;
}

/* The best matrix of rank r leaves the smaller singular values (Eckart and Young). */
START_TEST(product_is_the_nearest_of_its_rank)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora", .adapter = "r=2" });
    static double wanted[WIDTH * WIDTH], got[WIDTH * WIDTH], biased[WIDTH * WIDTH], values[WIDTH];
    double rest = 0;
    mean_update(&s, wanted);
    squared_values(wanted, values);
    for (int i = 2; i < WIDTH; i++) rest += values[i];
    peft_model *m = aggregate(&s, "lora=product"), *factors = aggregate(&s, "lora=factors");
    ck_assert_int_eq(peft_tensor_dim(value_of(m, name_a), 0), 2);
    memset(got, 0, sizeof got);
    memset(biased, 0, sizeof biased);
    add_update(m, 1, got);
    add_update(factors, 1, biased);
    ck_assert_double_eq_tol(distance(got, wanted), rest, 1e-6 * values[0]);
    ck_assert_double_gt(distance(biased, wanted), 1.01 * rest);
    peft_model_free(m);
    peft_model_free(factors);
    sites_free(&s);
}
END_TEST

/* In a first round B is 0 at all sites: the update is 0, and A stays the mean, so that training can go on. */
START_TEST(product_of_zero_updates_can_be_trained)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora" });
    for (int k = 0; k < SITES; k++) {
        peft_model *site = sites_load(&s, s.site[k]);
        for (size_t i = 0; i < peft_model_param_count(site); i++) {
            peft_tensor *v = peft_param_value(peft_model_param(site, i));
            if (strstr(peft_param_name(peft_model_param(site, i)), "lora_B"))
                memset(peft_tensor_data(v), 0, pf_tensor_bytes(v));
        }
        OK(peft_model_save(site, s.site[k]));
        peft_model_free(site);
    }
    peft_model *m = aggregate(&s, "lora=product"), *factors = aggregate(&s, "");
    for (int64_t i = 0; i < peft_tensor_count(value_of(m, name_a)); i++)
        ck_assert_double_eq(at(value_of(m, name_a), i), at(value_of(factors, name_a), i));
    for (int64_t i = 0; i < peft_tensor_count(value_of(m, name_b)); i++)
        ck_assert_double_eq(at(value_of(m, name_b), i), 0);
    peft_model_free(m);
    peft_model_free(factors);
    sites_free(&s);
}
END_TEST

static void check_stack(const char *options, const char *rank, double scale)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora", .adapter = options });
    static double wanted[WIDTH * WIDTH], got[WIDTH * WIDTH];
    mean_update(&s, wanted);
    peft_model *m = aggregate(&s, "lora=stack");
    peft_adapter *a = peft_model_adapter(m, 0);
    ck_assert_str_eq(peft_adapter_option_value(a, "r"), rank);
    const double r = atof(rank), alpha = atof(peft_adapter_option_value(a, "alpha"));
    const bool root = !strcmp(peft_adapter_option_value(a, "rslora"), "true");
    ck_assert_double_eq_tol(alpha / (root ? sqrt(r) : r), scale, 1e-12);
    memset(got, 0, sizeof got);
    add_update(m, 1, got);
    ck_assert_double_lt(distance(got, wanted), 1e-12);
    peft_model_free(m);
    sites_free(&s);
}

START_TEST(stack_is_exact)
{
    check_stack("r=2,alpha=5", "6", 2.5);
    check_stack("r=3,rslora=true", "9", 8 / sqrt(3));
}
END_TEST

static double log_sum(const peft_tensor *p, int64_t row, int64_t length)
{
    double sum = 0;
    for (int64_t j = 0; j < length; j++) sum += exp(at(p, row * length + j));
    return log(sum);
}

START_TEST(ept_in_logits_and_in_mass)
{
    sites s = sites_make(&(tiny_spec){ .method = "ept" });
    peft_model *logits = aggregate(&s, "ept=logits"), *mass = aggregate(&s, "ept=mass"), *values = aggregate(&s, "");
    peft_model *site[SITES];
    for (int k = 0; k < SITES; k++) site[k] = sites_load(&s, s.site[k]);
    const peft_tensor *p = value_of(logits, "prompt");
    const int64_t length = peft_tensor_dim(p, 2), rows = peft_tensor_count(p) / length;
    for (int64_t row = 0; row < rows; row++) {
        double z = 0, e = 0;
        for (int k = 0; k < SITES; k++) {
            z += site_weight[k] / 140 * log_sum(value_of(site[k], "prompt"), row, length);
            e += site_weight[k] / 140 * exp(log_sum(value_of(site[k], "prompt"), row, length));
        }
        ck_assert_double_eq_tol(log_sum(p, row, length), z, 1e-6);
        ck_assert_double_eq_tol(log_sum(value_of(mass, "prompt"), row, length), log(e), 1e-6);
        ck_assert_double_lt(log_sum(value_of(values, "prompt"), row, length), z - 1e-6);         /* biased */
    }
    for (int k = 0; k < SITES; k++) peft_model_free(site[k]);
    peft_model_free(logits);
    peft_model_free(mass);
    peft_model_free(values);
    sites_free(&s);
}
END_TEST

/* The L2 norm of the difference of two models' parameters. */
static double change(peft_model *x, peft_model *y)
{
    double sum = 0;
    for (size_t i = 0; i < peft_model_param_count(x); i++) {
        const peft_tensor *p = peft_param_value(peft_model_param(x, i)), *q = peft_param_value(peft_model_param(y, i));
        for (int64_t e = 0; e < peft_tensor_count(p); e++) sum += (at(p, e) - at(q, e)) * (at(p, e) - at(q, e));
    }
    return sqrt(sum);
}

START_TEST(clipping_bounds_each_site)
{
    sites s = sites_make(&(tiny_spec){ .method = "ssf" });
    peft_model *start = sites_load(&s, s.start);
    peft_aggregator *a = sites_aggregator(&s, "clip_norm=0.5");
    OK(peft_aggregator_start(a, s.start));
    OK(peft_aggregator_add(a, s.site[0], 1));
    OK(peft_aggregator_write(a, tiny_path("next")));
    peft_model *m = sites_load(&s, tiny_path("next"));
    ck_assert_double_eq_tol(change(m, start), 0.5, 1e-5);
    ck_assert_uint_eq(peft_aggregator_clipped(a), 1);
    peft_model_free(m);
    peft_aggregator_free(a);
    peft_model *wide = aggregate(&s, "clip_norm=1e6"), *plain = aggregate(&s, "");
    ck_assert_double_eq(change(wide, plain), 0);              /* nothing is clipped: the same bits */
    peft_model_free(wide);
    peft_model_free(plain);
    peft_model_free(start);
    sites_free(&s);
}
END_TEST

/* The noise has the standard deviation noise * clip_norm / sites, and each site counts the same. */
/* Two results with the same noise, one with a site more, would reveal that site. */
static void no_site_after_noise(const sites *s)
{
    peft_aggregator *a;
    peft_options *o;
    const void *data;
    size_t size;
    OK(peft_options_create(s->t.ctx, &o));
    OK(peft_options_parse(o, "clip_norm=1,noise=1"));
    OK(peft_aggregator_create(s->t.ctx, o, &a));
    peft_options_free(o);
    OK(peft_aggregator_start(a, s->start));
    OK(peft_aggregator_add(a, s->site[0], 1));
    OK(peft_aggregator_bytes(a, &data, &size));
    FAILS(PEFT_E_STATE, "written with noise", peft_aggregator_add(a, s->site[1], 1));
    OK(peft_aggregator_bytes(a, &data, &size));
    peft_aggregator_free(a);
}

START_TEST(noise_has_its_deviation)
{
    sites s = sites_make(&(tiny_spec){ .method = "ept", .adapter = "length=100" });
    peft_model *noisy = aggregate(&s, "clip_norm=1000,noise=0.001,seed=5");
    peft_model *again = aggregate(&s, "clip_norm=1000,noise=0.001,seed=5"), *site[SITES];
    peft_model *other = aggregate(&s, "clip_norm=1000,noise=0.001");
    const peft_tensor *p = value_of(noisy, "prompt");
    const int64_t n = peft_tensor_count(p);
    double sum = 0, squares = 0;
    for (int k = 0; k < SITES; k++) site[k] = sites_load(&s, s.site[k]);
    for (int64_t i = 0; i < n; i++) {
        double mean = 0;
        for (int k = 0; k < SITES; k++) mean += at(value_of(site[k], "prompt"), i) / SITES;
        sum += at(p, i) - mean;
        squares += (at(p, i) - mean) * (at(p, i) - mean);
    }
    const double sigma = 1.0 / SITES, error = 1 / sqrt((double)n);       /* standard errors, relative to sigma */
    ck_assert_double_eq_tol(sum / (double)n, 0, 5 * error * sigma);
    ck_assert_double_eq_tol(sqrt(squares / (double)n), sigma, 5 * error * sigma);
    ck_assert_double_eq(change(noisy, again), 0);
    ck_assert_double_gt(change(noisy, other), 0.1);
    for (int k = 0; k < SITES; k++) peft_model_free(site[k]);
    no_site_after_noise(&s);
    peft_model_free(noisy);
    peft_model_free(again);
    peft_model_free(other);
    sites_free(&s);
}
END_TEST

/* The Renyi divergence of the mixture (1 - q) N(0, s^2) + q N(1, s^2) from N(0, s^2) by Simpson's rule. */
static double divergence(double noise, double q, double order)
{
    enum { STEPS = 40000 };
    const double low = -20 * noise, high = 20 * noise + order, h = (high - low) / STEPS;
    double sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        const double x = low + i * h, ratio = 1 - q + q * exp((2 * x - 1) / (2 * noise * noise));
        const double y = pow(ratio, order) * exp(-x * x / (2 * noise * noise)) / (noise * sqrt(2 * acos(-1)));
        sum += y * (i == 0 || i == STEPS ? 1 : i % 2 ? 4 : 2);
    }
    return log(sum * h / 3) / (order - 1);
}

static void check_epsilon(double noise, double rate, int64_t rounds, double delta)
{
    double got, least = INFINITY;
    for (int order = 2; order < 64; order++) {
        const double e = (double)rounds * divergence(noise, rate, order) + log1p(-1.0 / order)
                       - (log(delta) + log(order)) / (order - 1);
        least = fmin(least, e);
    }
    OK(peft_dp_epsilon(noise, rate, rounds, delta, &got));
    ck_assert_msg(fabs(got - least) < 1e-6 * least, "epsilon is %.9g, by quadrature %.9g", got, least);
}

START_TEST(epsilon_agrees_with_quadrature)
{
    double e, f;
    check_epsilon(1, 0.1, 20, 1e-5);
    check_epsilon(2, 0.5, 10, 1e-3);
    check_epsilon(4, 1, 20, 1e-5);
    OK(peft_dp_epsilon(1, 0.1, 20, 1e-5, &e));
    OK(peft_dp_epsilon(1, 0.1, 40, 1e-5, &f));
    ck_assert_double_gt(f, e);
    OK(peft_dp_epsilon(1e-155, 0.5, 10, 1e-5, &e));           /* noise^2 is 0, or 1 / noise^2 infinite */
    ck_assert(isinf(e));
    OK(peft_dp_epsilon(1e-300, 0.01, 10, 1e-5, &e));
    ck_assert(isinf(e));
    FAILS(PEFT_E_INVALID, "rate: given 1.5", peft_dp_epsilon(1, 1.5, 20, 1e-5, &e));
    FAILS(PEFT_E_INVALID, "noise", peft_dp_epsilon(0, 0.5, 20, 1e-5, &e));
    FAILS(PEFT_E_INVALID, "rounds", peft_dp_epsilon(1, 0.5, 0, 1e-5, &e));
    FAILS(PEFT_E_INVALID, "delta", peft_dp_epsilon(1, 0.5, 1, 1, &e));
}
END_TEST

START_TEST(failing_allocations_leak_nothing)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora", .backbone =
                           "image_size=8,patch=4,width=16,depth=1,heads=2,mlp=16,classes=5" });
    failing_alloc_loop(whole_life, &(life){ &s, "lora=product,clip_norm=1" });
    failing_alloc_loop(whole_life, &(life){ &s, "lora=stack" });
    sites_free(&s);
}
END_TEST

SUITE_MAIN("rules", product_is_the_nearest_of_its_rank, product_of_zero_updates_can_be_trained, stack_is_exact,
           ept_in_logits_and_in_mass, clipping_bounds_each_site, noise_has_its_deviation,
           epsilon_agrees_with_quadrature, failing_allocations_leak_nothing)
