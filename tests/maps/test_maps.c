/* SPDX-License-Identifier: Apache-2.0
 * test_maps.c -- maps over the image: occlusion against direct predictions, the map of prompts against the session's
 * taps, every method and pooling, the same bits for any threads, batch and number of images, and what is refused.
 * double_maps compares roll-out and Grad-CAM with their definitions. */
#include <math.h>
#include "tiny.h"

enum { N = 3, SIDE = 16, PATCH = 4, GRID = SIDE / PATCH, CLASSES = 3 };

static peft_maps *make(peft_model *m, const char *text)
{
    peft_maps *s;
    peft_options *o = tiny_options(m->backbone->ctx, "%s", text);
    OK(peft_maps_create(m, o, &s));
    peft_options_free(o);
    return s;
}

/* The maps of n images; the caller frees them. */
static peft_tensor *maps_of(peft_model *m, const char *text, const peft_tensor *images, const int64_t *classes,
                            int64_t *chosen)
{
    int64_t h, w;
    peft_maps *s = make(m, text);
    peft_maps_size(s, &h, &w);
    peft_tensor *maps = tiny_tensor(m->backbone->ctx, PF_REAL, 3, (int)images->dim[0], (int)h, (int)w);
    OK(peft_maps_compute(s, images, classes, maps, chosen, NULL, NULL));
    ck_assert_uint_gt(peft_maps_memory(s), 0);
    peft_maps_free(s);
    return maps;
}

/* What a pixel of the image x [3,SIDE,SIDE] becomes. */
static double filled(const float *x, int c, int y0, int x0, const char *fill, int patch)
{
    double sum = 0;
    int count = 0;
    if (!strcmp(fill, "zero")) return 0;
    for (int y = 0; y < SIDE; y++)
        for (int k = 0; k < SIDE; k++) {
            const bool near = y >= y0 - patch / 2 && y < y0 - patch / 2 + patch && k >= x0 - patch / 2
                && k < x0 - patch / 2 + patch;
            if (strcmp(fill, "mean") && !near) continue;
            sum += (double)x[(c * SIDE + y) * SIDE + k];
            count++;
        }
    return sum / count;
}

typedef struct { int patch, stride; const char *fill, *score; bool multi_label; } square;

/* The map by one prediction for each square, and means pixel by pixel. */
static void plain_occlusion(peft_model *m, const square *q, const float *image, int class, double *map)
{
    peft_session *s = tiny_session(m, "batch=1");
    peft_tensor *x = tiny_tensor(m->backbone->ctx, PEFT_F32, 4, 1, 3, SIDE, SIDE);
    peft_tensor *y = tiny_tensor(m->backbone->ctx, PF_REAL, 2, 1, CLASSES);
    double sum[SIDE][SIDE] = { { 0 } }, whole = 0;
    int count[SIDE][SIDE] = { { 0 } };
    for (int first = -1; first < SIDE * SIDE; first++) {
        const int top = first / SIDE, left = first % SIDE;
        float *to = x->data;
        memcpy(to, image, sizeof *to * 3 * SIDE * SIDE);
        if (first >= 0 && (top % q->stride || left % q->stride)) continue;
        if (first >= 0 && (top >= SIDE - q->patch + q->stride || left >= SIDE - q->patch + q->stride)) continue;
        for (int i = 0; first >= 0 && i < 3 * SIDE * SIDE; i++) {
            const int c = i / (SIDE * SIDE), r = i / SIDE % SIDE, k = i % SIDE;
            if (r >= top && r < top + q->patch && k >= left && k < left + q->patch)
                to[i] = (float)filled(image, c, r, k, q->fill, q->patch);
        }
        if (!strcmp(q->score, "logit")) OK(peft_session_predict(s, x, y));
        else OK(peft_session_probabilities(s, x, q->multi_label, y));
        const double got = (double)((pk_real *)y->data)[class];
        if (first < 0) whole = got;
        for (int i = 0; first >= 0 && i < SIDE * SIDE; i++) {
            const int r = i / SIDE, k = i % SIDE;
            if (r < top || r >= top + q->patch || k < left || k >= left + q->patch) continue;
            sum[r][k] += whole - got;
            count[r][k]++;
        }
    }
    const int cells = SIDE / q->stride;
    for (int i = 0; i < cells * cells; i++) map[i] = 0;
    for (int i = 0; i < SIDE * SIDE; i++)
        map[i / SIDE / q->stride * cells + i % SIDE / q->stride] +=
            sum[i / SIDE][i % SIDE] / count[i / SIDE][i % SIDE] / (q->stride * q->stride);
    peft_tensor_free(x);
    peft_tensor_free(y);
    peft_session_free(s);
}

START_TEST(occlusion_equals_direct_predictions)
{
    static const square squares[] = {
        { 4, 4, "mean", "probability", false }, { 8, 4, "zero", "logit", false }, { 6, 4, "blur", "logit", false },
        { 5, 2, "blur", "probability", true }, { 16, 8, "mean", "probability", false } };
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    tiny_batch b = tiny_batch_make(t.model, 2, 0);
    for (size_t k = 0; k < sizeof squares / sizeof *squares; k++) {
        const square *q = &squares[k];
        char text[128];
        const int64_t classes[] = { 1, 2 };
        const int cells = SIDE / q->stride * (SIDE / q->stride);
        snprintf(text, sizeof text, "kind=occlusion,batch=5,patch=%d,stride=%d,fill=%s,score=%s,multi_label=%d",
                 q->patch, q->stride, q->fill, q->score, q->multi_label);
        peft_tensor *maps = maps_of(t.model, text, b.images, classes, NULL);
        ck_assert_int_eq(peft_tensor_count(maps), 2 * cells);
        for (int i = 0; i < 2; i++) {
            double want[SIDE * SIDE], largest = 0;
            plain_occlusion(t.model, q, (const float *)b.images->data + i * 3 * SIDE * SIDE, (int)classes[i], want);
            for (int j = 0; j < cells; j++) largest = fmax(largest, fabs(want[j]));
            ck_assert_double_gt(largest, 1e-4);
            for (int j = 0; j < cells; j++)
                ck_assert_msg(fabs((double)((pk_real *)maps->data)[i * cells + j] - want[j]) < 2e-6,
                              "case %zu, cell %d: %g, expected %g", k, j,
                              (double)((pk_real *)maps->data)[i * cells + j], want[j]);
        }
        peft_tensor_free(maps);
    }
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

START_TEST(prompts_map_equals_the_taps)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .adapter = "layers=[0,2]" });
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    peft_session *s = tiny_session(t.model, "batch=%d,taps=[sink_mass.0,sink_mass.2]", N);
    peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 2, N, CLASSES);
    peft_tensor *all = maps_of(t.model, "kind=ept,batch=2", b.images, NULL, NULL),
                *last = maps_of(t.model, "kind=ept,first=1", b.images, NULL, NULL);
    OK(peft_session_predict(s, b.images, logits));
    const pk_real *first_tap = tiny_tap(s, "sink_mass.0")->data, *last_tap = tiny_tap(s, "sink_mass.2")->data;
    for (int i = 0; i < N * GRID * GRID; i++) {
        const int at = i / (GRID * GRID) * (GRID * GRID + 1) + 1 + i % (GRID * GRID);
        ck_assert_double_eq_tol((double)((pk_real *)all->data)[i], ((double)first_tap[at] + (double)last_tap[at]) / 2,
                                1e-6);
        ck_assert_double_eq_tol((double)((pk_real *)last->data)[i], (double)last_tap[at], 1e-6);
    }
    peft_tensor_free(all);
    peft_tensor_free(last);
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

/* Every kind for every method, and for backbones of every pooling; entries of a roll-out add up to at most 1. */
START_TEST(every_method_has_maps)
{
    static const char *const backbones[] = { NULL, "class_token=false,pool=mean", "pool=cls_dist,registers=1",
                                             "pool=attention,registers=2", "rope=axial,pos_embed=false" };
    const size_t methods = tiny_method_count();
    for (size_t i = 0; i < methods + sizeof backbones / sizeof *backbones; i++) {
        const bool of_method = i < methods;
        const char *method = of_method ? tiny_method_name(i) : NULL;
        if (method && tiny_method_named(method)->network) continue;
        tiny t = tiny_make(&(tiny_spec){ .method = method, .more = of_method ? NULL : backbones[i - methods] });
        tiny_batch b = tiny_batch_make(t.model, N, 0);
        int64_t chosen[N];
        peft_tensor *rollout = maps_of(t.model, "kind=rollout,batch=2", b.images, NULL, chosen),
                    *cam = maps_of(t.model, "kind=cam,batch=2,rectify=false", b.images, NULL, NULL);
        double spread = 0;
        for (int k = 0; k < N; k++) {
            double sum = 0;
            ck_assert_int_eq(chosen[k], -1);
            for (int j = 0; j < GRID * GRID; j++) {
                const double v = (double)((pk_real *)rollout->data)[k * GRID * GRID + j];
                ck_assert_double_ge(v, 0);
                sum += v;
                spread = fmax(spread, fabs((double)((pk_real *)cam->data)[k * GRID * GRID + j]));
            }
            ck_assert_msg(sum > 0.01 && sum < 1 + 1e-6, "%s: a roll-out adds up to %g", method ? method : "-", sum);
        }
        ck_assert_msg(spread > 0, "%s, %zu: no gradient", method ? method : "-", i);
        peft_tensor_free(rollout);
        peft_tensor_free(cam);
        tiny_batch_free(&b);
        tiny_free(&t);
    }
}
END_TEST

START_TEST(bits_do_not_depend_on_threads_and_batch)
{
    static const char *const kinds[] = { "kind=rollout,fuse=max,discard=0.2", "kind=ept", "kind=cam",
                                         "kind=occlusion,patch=8,stride=8" };
    tiny t = tiny_make(&(tiny_spec){ .method = "ept", .backbone = TINY_WIDE });
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++) {
        char one[96], three[96];
        snprintf(one, sizeof one, "%s,threads=1,batch=1", kinds[k]);
        snprintf(three, sizeof three, "%s,threads=3,batch=5", kinds[k]);
        peft_tensor *a = maps_of(t.model, one, b.images, NULL, NULL),
                    *c = maps_of(t.model, three, b.images, NULL, NULL);
        peft_tensor first = *b.images;
        first.owned = false;
        first.dim[0] = 1;
        peft_tensor *d = maps_of(t.model, three, &first, NULL, NULL);
        ck_assert_msg(!memcmp(a->data, c->data, pf_tensor_bytes(a)), "%s: other bits", kinds[k]);
        ck_assert_msg(!memcmp(a->data, d->data, pf_tensor_bytes(d)), "%s: other bits of one image", kinds[k]);
        peft_tensor_free(a);
        peft_tensor_free(c);
        peft_tensor_free(d);
    }
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

/* The predicted class is the one with the largest logit, and naming it gives the same map. */
START_TEST(the_predicted_class_is_chosen)
{
    static const char *const kinds[] = { "kind=cam,batch=2", "kind=occlusion,batch=7" };
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" });
    tiny_batch b = tiny_batch_make(t.model, N, 0);
    peft_session *s = tiny_session(t.model, "batch=%d", N);
    peft_tensor *logits = tiny_tensor(t.ctx, PF_REAL, 2, N, CLASSES);
    OK(peft_session_predict(s, b.images, logits));
    for (int k = 0; k < 2; k++) {
        int64_t chosen[N], other[N];
        peft_tensor *predicted = maps_of(t.model, kinds[k], b.images, NULL, chosen);
        for (int i = 0; i < N; i++) {
            const pk_real *x = (const pk_real *)logits->data + i * CLASSES;
            for (int c = 0; c < CLASSES; c++) ck_assert(x[chosen[i]] >= x[c]);
            other[i] = (chosen[i] + 1) % CLASSES;
        }
        peft_tensor *named = maps_of(t.model, kinds[k], b.images, chosen, NULL),
                    *of_other = maps_of(t.model, kinds[k], b.images, other, NULL);
        ck_assert(!memcmp(predicted->data, named->data, pf_tensor_bytes(named)));
        ck_assert(memcmp(predicted->data, of_other->data, pf_tensor_bytes(named)));
        peft_tensor_free(predicted);
        peft_tensor_free(named);
        peft_tensor_free(of_other);
    }
    peft_tensor_free(logits);
    peft_session_free(s);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

static void refuses(peft_model *m, const char *text, peft_status status, const char *message)
{
    peft_maps *s = NULL;
    peft_options *o = tiny_options(m->backbone->ctx, "%s", text);
    FAILS(status, message, peft_maps_create(m, o, &s));
    ck_assert_ptr_null(s);
    peft_options_free(o);
}

START_TEST(what_has_no_map_is_refused)
{
    tiny t = tiny_make(&(tiny_spec){ .method = "lora" }), network = tiny_make(&(tiny_spec){ .method = "fpt" });
    tiny none = tiny_make(&(tiny_spec){ .model = "head=none" });
    tiny patches = tiny_make(&(tiny_spec){ .model = "classes=3,head=patch_linear" });
    tiny mean = tiny_make(&(tiny_spec){ .more = "class_token=false,pool=mean" });
    refuses(t.model, "kind=saliency", PEFT_E_OPTION, "expected rollout, ept, cam or occlusion");
    refuses(t.model, "fuse=median", PEFT_E_OPTION, "expected mean, max or min");
    refuses(t.model, "kind=cam,fuse=max", PEFT_E_OPTION,
            "option 'fuse' (given 'max') is of kind rollout; expected one of: kind batch threads multi_label block "
            "rectify; leave it out");
    refuses(t.model, "kind=occlusion,first=1", PEFT_E_OPTION, "option 'first' (given '1') is of kind rollout or ept");
    refuses(t.model, "first=2,last=1", PEFT_E_OPTION, "first: given block 2");
    refuses(t.model, "last=3", PEFT_E_OPTION, "a block from 0 to 2");
    refuses(t.model, "kind=cam,block=7", PEFT_E_OPTION, "block: given 7");
    refuses(t.model, "kind=ept", PEFT_E_UNSUPPORTED, "expected a model with method ept");
    refuses(t.model, "kind=occlusion,patch=17", PEFT_E_OPTION, "patch: given 17");
    refuses(t.model, "kind=occlusion,stride=3", PEFT_E_OPTION, "a divisor of the image's side 16");
    refuses(t.model, "kind=occlusion,patch=2", PEFT_E_OPTION, "stride: given 4");
    refuses(network.model, "kind=rollout", PEFT_E_UNSUPPORTED, "method 'fpt' makes the logits by a network of its own");
    refuses(network.model, "kind=cam", PEFT_E_UNSUPPORTED, "or kind=occlusion");
    refuses(none.model, "kind=cam", PEFT_E_UNSUPPORTED, "a map of a class");
    refuses(patches.model, "kind=occlusion", PEFT_E_UNSUPPORTED, "head=patch_linear predicts a map of classes");
    refuses(mean.model, "row=class", PEFT_E_OPTION, "no class token");
    peft_maps_free(make(patches.model, "kind=rollout"));
    tiny_free(&t);
    tiny_free(&network);
    tiny_free(&none);
    tiny_free(&patches);
    tiny_free(&mean);
}
END_TEST

static int stop_after_six(int64_t done, int64_t of, void *user)
{
    int *calls = user;
    ck_assert_int_eq(of, 17);
    ++*calls;
    return done >= 6;
}

START_TEST(calls_are_checked_and_can_be_stopped)
{
    tiny t = tiny_make(&(tiny_spec){ 0 });
    tiny_batch b = tiny_batch_make(t.model, 1, 0);
    peft_tensor *maps = tiny_tensor(t.ctx, PF_REAL, 3, 1, GRID, GRID), *wide = tiny_tensor(t.ctx, PF_REAL, 2, 1, 9);
    peft_maps *rollout = make(t.model, "kind=rollout"), *cam = make(t.model, "kind=cam,multi_label=true"),
              *occlusion = make(t.model, "kind=occlusion,batch=4");
    int64_t class = 3;
    int calls = 0;
    FAILS(PEFT_E_INVALID, "is of no class", peft_maps_compute(rollout, b.images, &class, maps, NULL, NULL, NULL));
    FAILS(PEFT_E_INVALID, "multi_label=true", peft_maps_compute(cam, b.images, NULL, maps, NULL, NULL, NULL));
    FAILS(PEFT_E_INVALID, "given 3 for image 0", peft_maps_compute(cam, b.images, &class, maps, NULL, NULL, NULL));
    class = -1;
    FAILS(PEFT_E_INVALID, "given -1", peft_maps_compute(cam, b.images, &class, maps, NULL, NULL, NULL));
    FAILS(PEFT_E_SHAPE, "expected [1, 4, 4]", peft_maps_compute(rollout, b.images, NULL, wide, NULL, NULL, NULL));
    FAILS(PEFT_E_INVALID, "images is NULL", peft_maps_compute(rollout, NULL, NULL, maps, NULL, NULL, NULL));
    FAILS(PEFT_E_INVALID, "maps is NULL", peft_maps_compute(NULL, b.images, NULL, maps, NULL, NULL, NULL));
    FAILS(PEFT_E_CANCELLED, "stopped after 9 of 17",
          peft_maps_compute(occlusion, b.images, &class, maps, NULL, stop_after_six, &calls));
    ck_assert_int_eq(calls, 3);
    ((float *)b.images->data)[7] = NAN;
    FAILS(PEFT_E_NONFINITE, "the map's cell", peft_maps_compute(rollout, b.images, NULL, maps, NULL, NULL, NULL));
    class = 1;
    FAILS(PEFT_E_NONFINITE, "logit of class", peft_maps_compute(cam, b.images, &class, maps, NULL, NULL, NULL));
    peft_maps_free(rollout);
    peft_maps_free(cam);
    peft_maps_free(occlusion);
    peft_maps_free(NULL);
    peft_tensor_free(maps);
    peft_tensor_free(wide);
    tiny_batch_free(&b);
    tiny_free(&t);
}
END_TEST

SUITE_MAIN("maps", occlusion_equals_direct_predictions, prompts_map_equals_the_taps, every_method_has_maps,
           bits_do_not_depend_on_threads_and_batch, the_predicted_class_is_chosen, what_has_no_map_is_refused,
           calls_are_checked_and_can_be_stopped)
