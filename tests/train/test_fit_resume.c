/* SPDX-License-Identifier: Apache-2.0
 * test_fit_resume.c -- peft_trainer_fit over a loader: a run that was stopped, saved, and goes on in another process
 * (another trainer, another loader) takes as many steps and ends with the same bits as one that was not stopped. */
#include <peft/io.h>
#include "io_files.h"
#include "tiny_bits.h"

enum { SAMPLES = 13, BATCH = 4, EPOCHS = 4, STEPS = EPOCHS * ((SAMPLES + BATCH - 1) / BATCH) };

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

static run begin(const char *loader)
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

static void end(run *r)
{
    peft_trainer_free(r->trainer);
    peft_loader_free(r->loader);
    tiny_free(&r->t);
}

static int stop_at;
static int progress(peft_trainer *t, void *user)
{
    (void)user;
    return peft_trainer_get(t, "step") == (double)stop_at;
}

START_TEST(stopped_at_any_step)
{
    make_pictures();
    run r = begin("threads=0");
    tiny_bits whole = { 0 };
    ok(peft_trainer_fit(r.trainer, EPOCHS, peft_loader_next, NULL, r.loader));
    ck_assert(peft_trainer_get(r.trainer, "step") == STEPS && peft_trainer_get(r.trainer, "epoch") == EPOCHS);
    tiny_bits_training(&whole, r.trainer);
    end(&r);
    for (stop_at = 1; stop_at < STEPS; stop_at++) {
        tiny_bits resumed = { 0 };
        char who[40];
        r = begin("threads=2");
        fails(PEFT_E_CANCELLED, "step", peft_trainer_fit(r.trainer, EPOCHS, peft_loader_next, progress, r.loader));
        ok(peft_trainer_save(r.trainer, in_folder("state")));
        end(&r);
        r = begin(stop_at % 2 ? "threads=0" : "threads=3");
        ok(peft_trainer_restore(r.trainer, in_folder("state")));
        ok(peft_trainer_fit(r.trainer, EPOCHS, peft_loader_next, NULL, r.loader));
        ck_assert(peft_trainer_get(r.trainer, "step") == STEPS && peft_trainer_get(r.trainer, "epoch") == EPOCHS);
        tiny_bits_training(&resumed, r.trainer);
        end(&r);
        snprintf(who, sizeof who, "stopped at step %d", stop_at);
        tiny_same(&whole, &resumed, who);
    }
    tiny_bits_free(&whole);
}
END_TEST

IO_SUITE_MAIN("fit_resume", stopped_at_any_step)
