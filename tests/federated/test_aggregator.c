/* SPDX-License-Identifier: Apache-2.0
 * test_aggregator.c -- peft_aggregator: weighted means of every method's tensors against a plain reference, running
 * statistics, figures of a round, files and bytes, failing allocations. */
#include "failing_alloc.h"
#include "sites.h"

/* The values of a tensor of a model, by the place of parameter or buffer i. */
static const peft_tensor *tensor_at(peft_model *m, size_t i, const char **name)
{
    const size_t params = peft_model_param_count(m);
    if (i < params) {
        *name = peft_param_name(peft_model_param(m, i));
        return peft_param_value(peft_model_param(m, i));
    }
    *name = peft_model_buffer_name(m, i - params);
    return *name ? peft_model_find_buffer(m, *name) : NULL;
}

static double element(const peft_tensor *t, int64_t k) { return (double)((const pk_real *)peft_tensor_cdata(t))[k]; }

/* The mean of v[SITES] by the sites' weights, in their order. */
static double mean(const double *v)
{
    double sum = 0, weights = 0;
    for (int k = 0; k < SITES; k++) {
        sum += site_weight[k] * v[k];
        weights += site_weight[k];
    }
    return sum / weights;
}

/* Compares the result with means that are computed here. */
static void check_values(const sites *s, const char *path)
{
    peft_model *result = sites_load(s, path), *site[SITES];
    const char *name;
    const peft_tensor *r;
    for (int k = 0; k < SITES; k++) site[k] = sites_load(s, s->site[k]);
    for (size_t i = 0; (r = tensor_at(result, i, &name)); i++) {
        if (strstr(name, "running_var")) continue;
        for (int64_t e = 0; e < peft_tensor_count(r); e++) {
            double v[SITES];
            const char *same;
            for (int k = 0; k < SITES; k++) v[k] = element(tensor_at(site[k], i, &same), e);
            ck_assert_msg((pk_real)element(r, e) == (pk_real)mean(v), "%s[%lld] is %.9g, expected %.9g", name,
                          (long long)e, element(r, e), mean(v));
        }
    }
    for (int k = 0; k < SITES; k++) peft_model_free(site[k]);
    peft_model_free(result);
}

static void check_method(const char *method, const char *model)
{
    sites s = sites_make(&(tiny_spec){ .method = method, .model = model });
    peft_aggregator *a = sites_round(&s, "");
    char path[128];
    snprintf(path, sizeof path, "%s", tiny_path("next"));
    OK(peft_aggregator_write(a, path));
    check_values(&s, path);
    peft_aggregator_free(a);
    sites_free(&s);
}

START_TEST(every_method_is_averaged)
{
    for (size_t i = 0; i < tiny_method_count(); i++) check_method(tiny_method_name(i), NULL);
    check_method(NULL, "classes=3,head=bn_linear");
    check_method("lora", "classes=3,head=mlp");
}
END_TEST

/* The statistics of two sites together are those of all their features: mean and variance of a mixture. */
START_TEST(running_statistics_are_pooled)
{
    sites s = sites_make(&(tiny_spec){ .model = "classes=3,head=bn_linear" });
    peft_aggregator *a = sites_round(&s, "");
    char path[128];
    snprintf(path, sizeof path, "%s", tiny_path("next"));
    OK(peft_aggregator_write(a, path));
    peft_model *result = sites_load(&s, path), *site[SITES];
    for (int k = 0; k < SITES; k++) site[k] = sites_load(&s, s.site[k]);
    const peft_tensor *var = peft_model_find_buffer(result, "head.0.running_var");
    ck_assert_ptr_nonnull(var);
    for (int64_t e = 0; e < peft_tensor_count(var); e++) {
        double m[SITES], v[SITES], between[SITES];
        for (int k = 0; k < SITES; k++) {
            m[k] = element(peft_model_find_buffer(site[k], "head.0.running_mean"), e);
            v[k] = element(peft_model_find_buffer(site[k], "head.0.running_var"), e);
        }
        for (int k = 0; k < SITES; k++) between[k] = (m[k] - mean(m)) * (m[k] - mean(m));
        ck_assert_double_eq_tol(element(var, e), mean(v) + mean(between), 1e-6);
    }
    for (int k = 0; k < SITES; k++) peft_model_free(site[k]);
    peft_model_free(result);
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

START_TEST(figures_of_a_round)
{
    sites s = sites_make(&(tiny_spec){ .method = "ept" });
    peft_aggregator *a = sites_round(&s, ""), *alone = sites_aggregator(&s, "");
    peft_model *start = sites_load(&s, s.start), *site[SITES];
    double squares[SITES] = { 0 }, update = 0, drift = 0;
    const char *name;
    for (int k = 0; k < SITES; k++) site[k] = sites_load(&s, s.site[k]);
    for (size_t i = 0; i < peft_model_param_count(start); i++)
        for (int64_t e = 0; e < peft_tensor_count(tensor_at(start, i, &name)); e++) {
            double v[SITES];
            for (int k = 0; k < SITES; k++) v[k] = element(tensor_at(site[k], i, &name), e);
            for (int k = 0; k < SITES; k++) squares[k] += (v[k] - mean(v)) * (v[k] - mean(v));
            update += pow(mean(v) - element(tensor_at(start, i, &name), e), 2);
        }
    drift = sqrt(mean(squares));
    ck_assert_double_eq_tol(peft_aggregator_drift(a), drift, 1e-9 * drift);
    ck_assert_double_eq_tol(peft_aggregator_update(a), sqrt(update), 1e-9);
    ck_assert_double_eq(peft_aggregator_weight(a), 140);
    ck_assert_uint_eq(peft_aggregator_sites(a), SITES);
    ck_assert_uint_eq(peft_aggregator_received(a), SITES * 4 * (size_t)peft_model_trainable_count(start));
    ck_assert_double_nan(peft_aggregator_drift(alone));
    OK(peft_aggregator_add(alone, s.site[0], 1));
    ck_assert_double_eq(peft_aggregator_drift(alone), 0);
    ck_assert_double_nan(peft_aggregator_update(alone));
    for (int k = 0; k < SITES; k++) peft_model_free(site[k]);
    peft_model_free(start);
    peft_aggregator_free(alone);
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

/* Reads a file; the caller frees the bytes. */
static char *read_file(const char *path, size_t *size)
{
    FILE *f = fopen(path, "rb");
    ck_assert_ptr_nonnull(f);
    fseek(f, 0, SEEK_END);
    *size = (size_t)ftell(f);
    rewind(f);
    char *bytes = malloc(*size);
    ck_assert_uint_eq(fread(bytes, 1, *size, f), *size);
    fclose(f);
    return bytes;
}

START_TEST(bytes_are_those_of_files)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora" });
    peft_aggregator *a = sites_round(&s, ""), *b = sites_aggregator(&s, "");
    size_t size, expected;
    const void *data;
    char *bytes = read_file(s.start, &size);
    OK(peft_aggregator_start_bytes(b, bytes, size));
    free(bytes);                                              /* they were copied */
    for (int k = 0; k < SITES; k++) {
        bytes = read_file(s.site[k], &size);
        OK(peft_aggregator_add_bytes(b, bytes, size, NULL, site_weight[k]));
        free(bytes);
    }
    OK(peft_aggregator_write(a, tiny_path("next")));
    bytes = read_file(tiny_path("next"), &expected);
    OK(peft_aggregator_bytes(b, &data, &size));
    ck_assert_uint_eq(size, expected);
    ck_assert_msg(!memcmp(data, bytes, size), "the bytes differ from those of the file");
    free(bytes);
    peft_aggregator_free(a);
    peft_aggregator_free(b);
    sites_free(&s);
}
END_TEST

/* With the weights 1, 1 and 2 of equal files the result has the bits of the files. */
START_TEST(equal_sites_keep_their_bits)
{
    sites s = sites_make(&(tiny_spec){ .method = "vpt" });
    peft_aggregator *a = sites_aggregator(&s, "");
    char path[128];
    snprintf(path, sizeof path, "%s", tiny_path("next"));
    OK(peft_aggregator_start(a, s.start));
    for (int k = 0; k < 3; k++) OK(peft_aggregator_add(a, s.site[0], k < 2 ? 1 : 2));
    OK(peft_aggregator_write(a, path));
    tiny_same_files(path, s.site[0]);
    for (int k = 1; k < 40; k++) {                            /* the sums are exact for any whole weights */
        OK(peft_aggregator_add(a, s.site[0], 7 * k));
        ck_assert_double_eq(peft_aggregator_drift(a), 0);
    }
    peft_aggregator_free(a);
    sites_free(&s);
}
END_TEST

START_TEST(failing_allocations_leak_nothing)
{
    sites s = sites_make(&(tiny_spec){ .method = "lora" });
    ck_assert_int_gt(failing_alloc_loop(whole_life, &(life){ &s, "" }), 20);
    sites_free(&s);
}
END_TEST

SUITE_MAIN("aggregator", every_method_is_averaged, running_statistics_are_pooled, figures_of_a_round,
           bytes_are_those_of_files, equal_sites_keep_their_bits, failing_allocations_leak_nothing)
