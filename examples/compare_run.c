/* SPDX-License-Identifier: Apache-2.0
 * compare_run.c -- one run of compare: draw, train, measure, judge, in one thread. */
#include "compare_study.h"
#include <string.h>
#include <sys/resource.h>

const char *const result_name[] = {
#define RESULT_NAME(name) #name,
    RESULT_COLUMNS(RESULT_NAME)
};

typedef struct clocked { peft_loader *loader; double reading; int64_t steps; } clocked;

static int64_t next_batch(int64_t i, peft_tensor *images, peft_tensor *labels, int64_t *ids, void *user)
{
    clocked *c = user;
    double start = seconds_now();
    int64_t n = peft_loader_next(i, images, labels, ids, c->loader);
    c->reading += seconds_now() - start;
    c->steps += n > 0;
    return n;
}

/* What this process held at most until now, KiB in Linux. */
static double peak_bytes(void)
{
    struct rusage use;
    getrusage(RUSAGE_SELF, &use);
    return 1024.0 * (double)use.ru_maxrss;
}

static void open_trial(const study *s, int64_t i, trial *t, peft_dataset **test)
{
    *t = (trial){ .backbone = s->backbone, .seed = run_seed(s, i), .threads = 1 };
    draw_sets(s->data, s->test, s->shots, s->test_per_class, draw_seed(s, i), &t->train, test);
}

void do_run(study *s, int64_t i)
{
    double start = seconds_now(), *v = s->result[i].value;
    trial t;
    peft_dataset *test;
    peft_session *session;
    figures f;
    open_trial(s, i, &t, &test);
    build_trial(&t, entry_of(s, i)->recipe);
    clocked c = { .loader = t.loader };
    double fit = seconds_now();
    must(peft_trainer_fit(t.trainer, t.epochs, next_batch, NULL, &c));
    v[result_seconds_per_step] = (seconds_now() - fit - c.reading) / (double)(c.steps ? c.steps : 1);
    v[result_peak_bytes] = peak_bytes();
    v[result_planned_bytes] = t.planned;
    v[result_steps] = (double)c.steps;
    v[result_loss] = peft_trainer_get(t.trainer, "loss");
    v[result_trainable_parameters] = (double)peft_model_trainable_count(t.model);
    must(peft_session_create(t.model, NULL, &session));
    judge(t.ctx, session, test, t.transform, &f);
    v[result_test_images] = (double)f.images;
    v[result_accuracy] = f.accuracy;
    v[result_balanced_accuracy] = f.balanced_accuracy;
    v[result_f1_macro] = f.f1_macro;
    v[result_auroc_macro] = f.auroc_macro;
    v[result_map] = f.map;
    v[result_seconds] = seconds_now() - start;
    peft_session_free(session);
    free_trial(&t);
    peft_dataset_free(t.train);
    peft_dataset_free(test);
}

void check_list(study *s)
{
    char place[256];
    peft_dataset *test;
    trial t;
    open_trial(s, 0, &t, &test);
    for (int64_t i = 0; i < s->entries; i++) {
        snprintf(place, sizeof place, "%s:%d", s->list, s->entry[i].line);
        program_name = place;
        build_trial(&t, s->entry[i].recipe);
        if (!i) memcpy(s->fingerprint, peft_backbone_fingerprint(t.vit), 64);
        free_trial(&t);
    }
    peft_dataset_free(t.train);
    peft_dataset_free(test);
}
