/* SPDX-License-Identifier: Apache-2.0
 * test_resume.c -- a run that is saved at any step and resumed in a new trainer ends with the same bits as an
 * uninterrupted run; a state that does not fit the trainer is refused and changes nothing. */
#include "tiny_files.h"

enum { STEPS = 10, N = 3 };

/* net: backbone, method and model; options: of the trainer; group: the head has a rate and a decay of its own. */
typedef struct run { tiny_spec net; const char *options; bool group; } run;
static const run runs[] = {
    { { .method = "ept" }, "", false },
    { { .method = "lora", .adapter = "dropout=0.3" }, ",weight_decay=0.1", true },
    { { .method = "linear", .model = "classes=3,head=bn_linear,pool=mean" }, ",optimizer=sgd,nesterov=1", false },
    { { .method = "bitfit", .model = "classes=3,head=mlp,head_layers=1" }, ",accumulate=3", false },
    { { .method = "lora", .adapter = "dropout=0.3" }, ",accumulate=3,loss=bce", false },
    { { .method = "ln_tune" }, ",schedule=warmup_cosine,steps=10,warmup=3,clip_norm=0.5", true } };
enum { RUNS = sizeof runs / sizeof *runs };

/* OTHER_START: the context has another seed than the saved run, and other parameters; both must come from the state. */
typedef enum { USUAL_START, OTHER_START } start;
enum { USUAL_SEED = 7, OTHER_SEED = 12 };

/* A context, backbone, adapter and model for a run. */
static tiny tiny_for(const run *r, start how)
{
    tiny t = tiny_make(&r->net);
    if (how == OTHER_START) tiny_perturb(t.model);
    OK(peft_context_set_seed(t.ctx, how == OTHER_START ? OTHER_SEED : USUAL_SEED));
    return t;
}

/* A trainer of the run; more: further options, such as ",threads=2". */
static peft_trainer *trainer_for(const run *r, tiny *t, const char *more)
{
    peft_trainer *x = tiny_trainer(t->model, "batch=%d,lr=1e-2%s%s", N, r->options, more);
    const double lr_scale = 2, weight_decay = 0.5;
    if (r->group) OK(peft_trainer_group(x, "head.*", lr_scale, weight_decay));
    return x;
}

/* Frees both; resets the seed of the context, which tests share. */
static void free_trainer(tiny *t, peft_trainer *x)
{
    OK(peft_context_set_seed(t->ctx, USUAL_SEED));
    peft_trainer_free(x);
    tiny_free(t);
}

/* Steps from .. to - 1; every fourth batch is shorter. */
static void steps(peft_trainer *x, int from, int to)
{
    for (int i = from; i < to; i++) tiny_step(x, i % 4 == 3 ? 2 : N, i * N % 12);
}

START_TEST(a_run_saved_at_any_step_ends_with_the_same_bits)
{
    for (int i = 0; i < RUNS; i++) {
        tiny_bits uninterrupted = { 0 };
        tiny t = tiny_for(&runs[i], USUAL_START);
        peft_trainer *x = trainer_for(&runs[i], &t, "");
        steps(x, 0, STEPS);
        tiny_bits_training(&uninterrupted, x);
        free_trainer(&t, x);
        for (int k = 0; k <= STEPS; k++) {
            tiny_bits resumed = { 0 };
            char name[96];
            t = tiny_for(&runs[i], USUAL_START);
            x = trainer_for(&runs[i], &t, ",threads=2");
            steps(x, 0, k);
            OK(peft_trainer_save(x, tiny_path("state")));
            free_trainer(&t, x);
            t = tiny_for(&runs[i], OTHER_START);
            x = trainer_for(&runs[i], &t, k % 2 ? ",cache_features=50000" : ",executor=naive");
            OK(peft_trainer_restore(x, tiny_path("state")));
            steps(x, k, STEPS);
            tiny_bits_training(&resumed, x);
            free_trainer(&t, x);
            snprintf(name, sizeof name, "%s%s, saved at step %d", runs[i].net.method, runs[i].options, k);
            tiny_same(&uninterrupted, &resumed, name);
        }
        tiny_bits_free(&uninterrupted);
    }
    tiny_clean();
}
END_TEST

/* --- fit -------------------------------------------------------------------------------------- */
enum { NOWHERE = -1, BATCHES = 8 };              /* BATCHES: of the two epochs */
/* stop_step, stop_batch: where the progress or the batch callback stops the run, or NOWHERE. updates, batches: how many
 * there were. */
typedef struct batch_source { const peft_model *m; int64_t stop_step, stop_batch; int updates, batches; } batch_source;

/* Four batches an epoch, the last one of two samples; fails at batch stop_batch, counted over the epochs. */
static int64_t next_batch(int64_t epoch, int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    batch_source *source = user;
    (void)epoch;
    int64_t n = i < 3 ? N : i == 3 ? 2 : 0;      /* samples of batch i of an epoch */
    if (source->stop_batch != NOWHERE && source->batches == source->stop_batch) return -1;
    if (!n) return 0;
    source->batches++;
    tiny_batch b = tiny_batch_make(source->m, (int)n, (int)i * N);
    memcpy(peft_tensor_data(images), peft_tensor_cdata(b.images), pf_tensor_bytes(b.images));
    const peft_tensor *y = peft_tensor_dtype(labels) == PEFT_I64 ? b.labels : b.targets;
    memcpy(peft_tensor_data(labels), peft_tensor_cdata(y), pf_tensor_bytes(y));
    memcpy(ids, b.ids, sizeof *ids * (size_t)n);
    tiny_batch_free(&b);
    return n;
}

static int progress(peft_trainer *t, void *user)
{
    batch_source *source = user;
    source->updates++;
    ck_assert(peft_trainer_get(t, "step") > 0);
    return source->stop_step != NOWHERE && peft_trainer_get(t, "step") >= (double)source->stop_step;
}

/* Two epochs, stopped at a step or batch, saved and resumed. */
static void check_fit(const run *r, const tiny_bits *uninterrupted, int64_t stop_step, int64_t stop_batch)
{
    char name[96];
    tiny_bits resumed = { 0 };
    tiny t = tiny_for(r, USUAL_START);
    peft_trainer *x = trainer_for(r, &t, "");
    batch_source source = { .m = t.model, .stop_step = stop_step, .stop_batch = stop_batch };
    FAILS(PEFT_E_CANCELLED, stop_batch == NOWHERE ? "step" : "batch",
          peft_trainer_fit(x, 2, next_batch, progress, &source));
    OK(peft_trainer_save(x, tiny_path("state")));
    free_trainer(&t, x);
    t = tiny_for(r, OTHER_START);
    x = trainer_for(r, &t, "");
    OK(peft_trainer_restore(x, tiny_path("state")));
    source = (batch_source){ .m = t.model, .stop_step = NOWHERE, .stop_batch = NOWHERE };
    OK(peft_trainer_fit(x, 2, next_batch, progress, &source));
    tiny_bits_training(&resumed, x);
    free_trainer(&t, x);
    snprintf(name, sizeof name, "%s%s, stopped at step %d, batch %d", r->net.method, r->options, (int)stop_step,
        (int)stop_batch);
    tiny_same(uninterrupted, &resumed, name);
}

START_TEST(a_stopped_fit_resumes_to_the_same_bits)
{
    for (int i = 0; i < RUNS; i++) {
        tiny_bits uninterrupted = { 0 };
        tiny t = tiny_for(&runs[i], USUAL_START);
        peft_trainer *x = trainer_for(&runs[i], &t, "");
        batch_source source = { .m = t.model, .stop_step = NOWHERE, .stop_batch = NOWHERE };
        OK(peft_trainer_fit(x, 2, next_batch, progress, &source));
        ck_assert_int_eq(source.batches, BATCHES);
        ck_assert_int_eq(source.updates, strstr(runs[i].options, "accumulate=3") ? 4 : BATCHES);
        ck_assert(peft_trainer_get(x, "epoch") == 2);
        tiny_bits_training(&uninterrupted, x);
        free_trainer(&t, x);
        for (int64_t k = 1; k <= source.updates; k++) check_fit(&runs[i], &uninterrupted, k, NOWHERE);
        for (int64_t k = 0; k < BATCHES; k++) check_fit(&runs[i], &uninterrupted, NOWHERE, k);
        tiny_bits_free(&uninterrupted);
    }
    tiny_clean();
}
END_TEST

/* --- states that do not fit ------------------------------------------------------------------ */
/* A trainer of run r, with the further options `more`, refuses the file "state" and is unchanged. */
static void check_refused(const run *r, const char *more, peft_status status, const char *text)
{
    tiny_bits before = { 0 }, after = { 0 };
    tiny t = tiny_for(r, USUAL_START);
    peft_trainer *x = trainer_for(r, &t, more);
    steps(x, 0, 2);
    tiny_bits_training(&before, x);
    FAILS(status, text, peft_trainer_restore(x, tiny_path("state")));
    tiny_bits_training(&after, x);
    tiny_same(&before, &after, text);
    steps(x, 2, 4);
    tiny_bits_free(&before);
    free_trainer(&t, x);
}

START_TEST(states_of_other_runs_are_refused)
{
    const run plain = { { .method = "ept" }, "", false }, grouped = { { .method = "ept" }, "", true };
    const run other_method = { { .method = "linear" }, "", false }, other_head =
        { { .method = "ept", .model = "classes=4" }, "", false };
    const run other_option = { { .method = "ept", .adapter = "length=4" }, "", false };
    const run other_net = { { .method = "ept", .more = "seed=3" }, "", false };
    tiny t = tiny_for(&plain, USUAL_START);
    peft_trainer *x = trainer_for(&plain, &t, "");
    steps(x, 0, 3);
    OK(peft_trainer_save(x, tiny_path("state")));
    check_refused(&plain, ",weight_decay=0.5", PEFT_E_MISMATCH, "weight_decay=0.5");
    check_refused(&plain, ",lr=0.5", PEFT_E_MISMATCH, "lr=0.5");
    check_refused(&grouped, "", PEFT_E_MISMATCH, "parameter 'head.weight'");
    check_refused(&other_method, "", PEFT_E_MISMATCH, "method=linear");
    check_refused(&other_head, "", PEFT_E_MISMATCH, "classes");
    check_refused(&other_option, "", PEFT_E_MISMATCH, "length");
    check_refused(&other_net, "", PEFT_E_MISMATCH, peft_backbone_fingerprint(t.backbone));
    OK(peft_model_save(t.model, tiny_path("state")));
    check_refused(&plain, "", PEFT_E_FORMAT, "expected a trainer");
    FAILS(PEFT_E_IO, "nowhere", peft_trainer_restore(x, tiny_path("nowhere")));
    FAILS(PEFT_E_IO, "no/folder", peft_trainer_save(x, tiny_path("no/folder")));
    FAILS(PEFT_E_INVALID, "trainer", peft_trainer_save(NULL, "x"));
    FAILS(PEFT_E_INVALID, "path", peft_trainer_save(x, NULL));
    FAILS(PEFT_E_INVALID, "path", peft_trainer_restore(x, NULL));
    free_trainer(&t, x);
    tiny_clean();
}
END_TEST

START_TEST(damaged_states_are_refused)
{
    static const struct { tiny_change change; peft_status status; const char *text; } edits[] = {
        { { DROP, "moment2.prompt", NULL }, PEFT_E_FORMAT, "moment2.prompt" },
        { { FLATTEN, "param.prompt", NULL }, PEFT_E_MISMATCH, "param.prompt" },
        { { RETYPE, "param.head.bias", NULL }, PEFT_E_MISMATCH, "param.head.bias" },
        { { ADD, "stranger", NULL }, PEFT_E_FORMAT, "expected" },
        { { DROP_META, "libpeft.seed", NULL }, PEFT_E_FORMAT, "libpeft.seed" },
        { { DROP_META, "libpeft.trainer.option.lr", NULL }, PEFT_E_FORMAT, "libpeft.trainer.option.lr" },
        { { SET_META, "libpeft.recipe", "lr=1e-3;" }, PEFT_E_UNSUPPORTED, "earlier version" },
        { { SET_META, "data", "others" }, PEFT_E_MISMATCH, "'others', the trainer has none" },
        { { SET_META, "libpeft.step", "9223372036854775807" }, PEFT_E_FORMAT, "libpeft.step" },
        { { SET_META, "libpeft.samples", "9223372036854775807" }, PEFT_E_FORMAT, "libpeft.samples" },
        { { SET_META, "libpeft.epoch", "9223372036854775807" }, PEFT_E_FORMAT, "libpeft.epoch" },
        { { SET_META, "libpeft.step", "-1" }, PEFT_E_FORMAT, "libpeft.step" },
        { { SET_META, "libpeft.pending", "many" }, PEFT_E_FORMAT, "libpeft.pending" },
        { { SET_META, "libpeft.pending", "2" }, PEFT_E_FORMAT, "grad.prompt" } };
    const run plain = { { .method = "ept" }, "", false };
    tiny t = tiny_for(&plain, USUAL_START);
    peft_trainer *x = trainer_for(&plain, &t, "");
    steps(x, 0, 3);
    OK(peft_trainer_save(x, tiny_path("good")));
    free_trainer(&t, x);
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        tiny_edit(tiny_path("good"), tiny_path("state"), &edits[i].change);
        check_refused(&plain, "", edits[i].status, edits[i].text);
    }
    tiny_clean();
}
END_TEST

/* --- states of equal or compatible options ----------------------------------------------------------------------- */
/* saved, given: options of the saved and of the restoring trainer. */
static void check_accepted(const char *saved, const char *given)
{
    const run plain = { { .method = "ept" }, "", false };
    tiny t = tiny_for(&plain, USUAL_START);
    peft_trainer *x = tiny_trainer(t.model, "batch=%d,%s", N, saved);
    steps(x, 0, 3);
    OK(peft_trainer_save(x, tiny_path("state")));
    free_trainer(&t, x);
    t = tiny_for(&plain, OTHER_START);
    x = tiny_trainer(t.model, "batch=%d,%s", N, given);
    OK(peft_trainer_restore(x, tiny_path("state")));
    ck_assert(peft_trainer_get(x, "step") == 3);
    steps(x, 3, 5);
    free_trainer(&t, x);
}

START_TEST(states_of_equal_options_are_accepted)
{
    check_accepted("lr=1e-3", "lr=0.001");
    check_accepted("lr=1e-3", "beta1=0.90,nesterov=no,loss=ce");
    check_accepted("class_weights=\"1,2,0.5\"", "class_weights=[1.0, 2, 0.50]");
    check_accepted("steps=5", "steps=10,min_lr=0.0,decay=1e-1");
    check_accepted("schedule=step,decay_every=2,steps=5", "schedule=step,decay_every=2,steps=7");
    check_accepted("beta1=0.9,optimizer=sgd", "optimizer=sgd,momentum=0.9,eps=1e-8");
    tiny_clean();
}
END_TEST

/* A state restores into a trainer with more steps. With a constant schedule the run has the bits of one that had all
 * steps from the start; a cosine goes on at the rates of the longer schedule. Fewer steps are refused. */
START_TEST(a_run_can_be_extended)
{
    const run five = { { .method = "ept" }, ",steps=5", false }, ten = { { .method = "ept" }, ",steps=10", false };
    tiny_bits uninterrupted = { 0 }, extended = { 0 };
    tiny t = tiny_for(&ten, USUAL_START);
    peft_trainer *x = trainer_for(&ten, &t, "");
    steps(x, 0, STEPS);
    tiny_bits_training(&uninterrupted, x);
    free_trainer(&t, x);
    t = tiny_for(&five, USUAL_START);
    x = trainer_for(&five, &t, "");
    steps(x, 0, 5);
    OK(peft_trainer_save(x, tiny_path("state")));
    free_trainer(&t, x);
    t = tiny_for(&ten, OTHER_START);
    x = trainer_for(&ten, &t, "");
    OK(peft_trainer_restore(x, tiny_path("state")));
    steps(x, 5, STEPS);
    tiny_bits_training(&extended, x);
    free_trainer(&t, x);
    tiny_same(&uninterrupted, &extended, "5 of 10 steps");
    tiny_bits_free(&uninterrupted);
    check_accepted("schedule=cosine,steps=5", "schedule=cosine,steps=10");
    t = tiny_for(&ten, USUAL_START);
    x = trainer_for(&ten, &t, ",schedule=cosine");
    OK(peft_trainer_save(x, tiny_path("state")));
    check_refused(&five, ",schedule=cosine", PEFT_E_MISMATCH,
                  "steps=10, the trainer has steps=5; expected as many steps, or more");
    free_trainer(&t, x);
    tiny_clean();
}
END_TEST

START_TEST(notes_are_saved_and_compared)
{
    const run plain = { { .method = "ept" }, "", false };
    tiny t = tiny_for(&plain, USUAL_START);
    peft_trainer *x = trainer_for(&plain, &t, "");
    ck_assert_ptr_null(peft_trainer_note(x, "data"));
    OK(peft_trainer_set_note(x, "data", "first"));
    OK(peft_trainer_set_note(x, "data", "digest of 20 images"));
    ck_assert_str_eq(peft_trainer_note(x, "data"), "digest of 20 images");
    FAILS(PEFT_E_INVALID, "libpeft.", peft_trainer_set_note(x, "libpeft.step", "1"));
    FAILS(PEFT_E_INVALID, "key", peft_trainer_set_note(x, "", "1"));
    FAILS(PEFT_E_INVALID, "UTF-8", peft_trainer_set_note(x, "name", "\xff"));
    FAILS(PEFT_E_INVALID, "value", peft_trainer_set_note(x, "name", NULL));
    static char large[400000];
    memset(large, 'x', sizeof large - 1);
    OK(peft_trainer_set_note(x, "large", large));
    OK(peft_trainer_set_note(x, "large", large));             /* replaces the note: counts once towards the limit */
    FAILS(PEFT_E_INVALID, "notes", peft_trainer_set_note(x, "larger", large));
    OK(peft_trainer_set_note(x, "large", "x"));
    FAILS(PEFT_E_INVALID, "trainer", peft_trainer_set_note(NULL, "name", "1"));
    OK(peft_trainer_save(x, tiny_path("state")));
    OK(peft_trainer_restore(x, tiny_path("state")));
    OK(peft_trainer_set_note(x, "data", "digest of 16 images"));
    FAILS(PEFT_E_MISMATCH, "'digest of 20 images', the trainer has 'digest of 16 images'",
          peft_trainer_restore(x, tiny_path("state")));
    OK(peft_trainer_set_note(x, "data", "digest of 20 images"));
    OK(peft_trainer_set_note(x, "seed", "1"));
    FAILS(PEFT_E_MISMATCH, "'seed': the state has none", peft_trainer_restore(x, tiny_path("state")));
    free_trainer(&t, x);
    check_refused(&plain, "", PEFT_E_MISMATCH, "'digest of 20 images', the trainer has none");
    tiny_clean();
}
END_TEST

/* Long settings are saved and restored: a list of 27 kB, options of an adapter beyond 1 kB, and a group for every
 * tensor of a deep network. */
START_TEST(long_settings_are_saved)
{
    enum { CLASSES = 3000 };
    static char weights[CLASSES * 9 + 40], layers[4000];
    int n = sprintf(weights, "batch=%d,class_weights=[", N);
    for (int i = 0; i < CLASSES; i++) n += sprintf(weights + n, "%s0.%05d", i ? "," : "", i + 1);
    sprintf(weights + n, "]");
    sprintf(layers, "layers=\"0%1500s\"", ",1");             /* "0,1" with 1498 blanks before the comma */
    peft_context *ctx = tiny_plain_context();
    peft_backbone *b = tiny_backbone(ctx, "image_size=16,patch=8,width=12,depth=34,heads=2", NULL);
    peft_adapter *a = tiny_adapter(b, "ept", layers);
    peft_model *m = tiny_model(b, "classes=3000");
    OK(peft_model_attach(m, a));
    peft_adapter *all = tiny_adapter(b, "full", "");
    OK(peft_model_attach(m, all));
    peft_options *o;
    peft_trainer *x;
    OK(peft_options_create(ctx, &o));
    OK(peft_options_parse(o, weights));
    OK(peft_trainer_create(m, o, &x));
    for (size_t i = 0; i < peft_model_param_count(m); i++)
        OK(peft_trainer_group(x, peft_param_name(peft_model_param(m, i)), 1 - 0.01 / (double)(i + 1), 0.05));
    OK(peft_trainer_save(x, tiny_path("state")));
    OK(peft_trainer_restore(x, tiny_path("state")));
    OK(peft_model_save(m, tiny_path("model")));
    peft_model *loaded;
    OK(peft_model_load(b, tiny_path("model"), &loaded));
    peft_model_free(loaded);
    peft_trainer_free(x);
    peft_options_free(o);
    peft_model_free(m);
    peft_adapter_free(a);
    peft_adapter_free(all);
    peft_backbone_free(b);
    peft_context_free(ctx);
    tiny_clean();
}
END_TEST

SUITE_MAIN("resume", states_of_equal_options_are_accepted, a_run_can_be_extended, notes_are_saved_and_compared,
           long_settings_are_saved, a_run_saved_at_any_step_ends_with_the_same_bits,
           a_stopped_fit_resumes_to_the_same_bits, states_of_other_runs_are_refused, damaged_states_are_refused)
