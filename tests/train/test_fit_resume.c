/* SPDX-License-Identifier: Apache-2.0
 * test_fit_resume.c -- peft_trainer_fit over a loader: a run that is stopped, saved and resumed with a new trainer and
 * loader takes as many steps and ends with the same bits as an uninterrupted run. */
#include <peft/io.h>
#include "io_files.h"
#include "tiny_bits.h"

enum { SAMPLES = 13, BATCH = 4, EPOCHS = 4, STEPS = EPOCHS * ((SAMPLES + BATCH - 1) / BATCH) };

/* Writes SAMPLES images of three classes and a list file of them. */
static void make_pictures(void)
{
    char name[40], list[600] = "";
    for (int i = 0; i < SAMPLES; i++) {
        snprintf(name, sizeof name, "i%d.png", i);
        save_picture(in_folder(name), 20, 17 + i % 3, 3, (unsigned)i);
        sprintf(list + strlen(list), "i%d.png %d\n", i, i % 3);
    }
    write_bytes(in_folder("list"), list, strlen(list));
}

typedef struct run { tiny t; peft_trainer *trainer; peft_loader *loader; } run;

/* A new trainer and loader; loader: further options of the loader. */
static run run_make(const char *loader)
{
    char text[100];
    peft_dataset *d;
    peft_transform *pre;
    run r = { .t = tiny_make(&(tiny_spec){ .method = "lora", .adapter = "dropout=0.2" }) };
    r.trainer = tiny_trainer(r.t.model, "batch=%d,lr=1e-2", BATCH);
    snprintf(text, sizeof text, "size=%d,flip=0.5,random_crop=true",
             (int)peft_backbone_get(r.t.backbone, "image_size"));
    ok(peft_dataset_open_list(io_ctx, in_folder("list"), NULL, 0, &d));
    ok(peft_transform_parse(io_ctx, text, &pre));
    snprintf(text, sizeof text, "batch=%d,shuffle=true,train=true,%s", BATCH, loader);
    ok(peft_loader_create(d, pre, text, &r.loader));
    peft_dataset_free(d);
    peft_transform_free(pre);
    return r;
}

static void run_free(run *r)
{
    peft_trainer_free(r->trainer);
    peft_loader_free(r->loader);
    tiny_free(&r->t);
}

static int stop_step;
/* A progress callback that stops the run after step stop_step. */
static int stop_at_step(peft_trainer *t, void *user)
{
    (void)user;
    return peft_trainer_get(t, "step") == (double)stop_step;
}

START_TEST(a_run_stopped_at_any_step_ends_with_the_same_bits)
{
    make_pictures();
    run r = run_make("threads=0");
    tiny_bits uninterrupted = { 0 };
    ok(peft_trainer_fit(r.trainer, EPOCHS, peft_loader_next, NULL, r.loader));
    ck_assert(peft_trainer_get(r.trainer, "step") == STEPS && peft_trainer_get(r.trainer, "epoch") == EPOCHS);
    tiny_bits_training(&uninterrupted, r.trainer);
    run_free(&r);
    for (stop_step = 1; stop_step < STEPS; stop_step++) {
        tiny_bits resumed = { 0 };
        char name[40];
        r = run_make("threads=2");
        fails(PEFT_E_CANCELLED, "step", peft_trainer_fit(r.trainer, EPOCHS, peft_loader_next, stop_at_step, r.loader));
        ok(peft_trainer_save(r.trainer, in_folder("state")));
        run_free(&r);
        r = run_make(stop_step % 2 ? "threads=0" : "threads=3");
        ok(peft_trainer_restore(r.trainer, in_folder("state")));
        ok(peft_trainer_fit(r.trainer, EPOCHS, peft_loader_next, NULL, r.loader));
        ck_assert(peft_trainer_get(r.trainer, "step") == STEPS && peft_trainer_get(r.trainer, "epoch") == EPOCHS);
        tiny_bits_training(&resumed, r.trainer);
        run_free(&r);
        snprintf(name, sizeof name, "stopped at step %d", stop_step);
        tiny_same(&uninterrupted, &resumed, name);
    }
    tiny_bits_free(&uninterrupted);
}
END_TEST

IO_SUITE_MAIN("fit_resume", a_run_stopped_at_any_step_ends_with_the_same_bits)
