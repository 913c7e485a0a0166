/* SPDX-License-Identifier: Apache-2.0
 * test_shards.c -- models in several files with an index, and folders as the path of a backbone. */
#include <peft/file.h>
#include "pickles.h"

/* Writes one of two shards of the backbone: the tensors whose index is k modulo 2. The files of timm's names state the
 * facts of the network in each. */
static void save_shard(const peft_backbone *b, const char *whole, const char *path, size_t k)
{
    pf_st *in;
    pf_st_out *out;
    OK(pf_st_open(b->ctx, whole, &in));
    OK(pf_st_out_create(b->ctx, &out));
    for (size_t i = 0; i < pf_st_meta_count(in); i++) {
        const char *key, *value;
        pf_st_meta_at(in, i, &key, &value);
        OK(pf_st_out_meta(out, key, value));
    }
    for (size_t i = k; i < pf_st_count(in); i += 2) {
        const pf_st_tensor *t = pf_st_at(in, i);
        OK(pf_st_out_tensor(out, t->name, t->type, t->ndim, t->dim, t->data));
    }
    OK(pf_st_out_write(out, path));
    pf_st_out_free(out);
    pf_st_close(in);
}

static const char *const names[] = { "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors" };
#define INDEX "model.safetensors.index.json"

/* Writes the index of both shards. second: the name in it of the second one. */
static void save_index(peft_context *ctx, const char *whole, const char *second)
{
    static char text[65536];
    pf_st *in;
    size_t used = (size_t)snprintf(text, sizeof text, "{\"metadata\":{\"total_size\":1},\"weight_map\":{");
    OK(pf_st_open(ctx, whole, &in));
    for (size_t i = 0; i < pf_st_count(in); i++)
        used += (size_t)snprintf(text + used, sizeof text - used, "%s\"%s\":\"%s\"", i ? "," : "",
                                 pf_st_at(in, i)->name, i % 2 ? second : names[0]);
    used += (size_t)snprintf(text + used, sizeof text - used, "}}");
    OK(peft_write_file(tiny_path(INDEX), text, used));
    pf_st_close(in);
}

/* A backbone, saved as the file "whole" and as two shards with their index. */
static tiny start(void)
{
    tiny t = tiny_make(&(tiny_spec){ .more = "" });
    tiny_save_backbone(t.backbone, &(tiny_save){ .naming = TIMM }, tiny_path("whole"));
    for (size_t k = 0; k < 2; k++) save_shard(t.backbone, tiny_path("whole"), tiny_path(names[k]), k);
    save_index(t.ctx, tiny_path("whole"), names[1]);
    return t;
}

static void check_loads(tiny *t, const char *path)
{
    peft_backbone *b = tiny_load(t->ctx, path, "");
    tiny_same_backbone(t->backbone, b, path);
    peft_backbone_free(b);
}

START_TEST(shards_load_by_their_index_and_by_their_folder)
{
    tiny t = start();
    peft_file *f;
    check_loads(&t, tiny_path(INDEX));
    check_loads(&t, tiny_path(""));
    OK(peft_file_open(t.ctx, tiny_path(INDEX), &f));
    ck_assert_str_eq(peft_file_kind(f), "backbone");
    ck_assert_uint_eq(peft_file_tensor_count(f), t.backbone->weights);
    peft_file_free(f);
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* Loading the index fails, and the message contains expected. */
static void check_refused(tiny *t, const char *expected)
{
    peft_backbone *b = NULL;
    const size_t before = peft_context_memory_used(t->ctx);
    peft_status s = peft_backbone_load(t->ctx, tiny_path(INDEX), NULL, &b);
    ck_assert_msg(s && strstr(peft_last_error(), expected), "expected '%s', got %s", expected, peft_last_error());
    ck_assert_uint_eq(peft_context_memory_used(t->ctx), before);
}

static void check_index_refused(tiny *t, const char *text, const char *expected)
{
    OK(peft_write_file(tiny_path(INDEX), text, strlen(text)));
    check_refused(t, expected);
}

START_TEST(a_wrong_index_is_refused_with_the_reason)
{
    tiny t = start();
    static const char *const outside[] = { "../model.safetensors", "/etc/passwd", "a/b", "..", ".", "" };
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++) {
        save_index(t.ctx, tiny_path("whole"), outside[i]);
        check_refused(&t, "expected the name of a file in the folder of the index");
    }
    save_index(t.ctx, tiny_path("whole"), "model-00003-of-00002.safetensors");
    check_refused(&t, "shard model-00003-of-00002.safetensors: ");
    check_index_refused(&t, "{\"weight_map\":{\"x\":\"model-00001-of-00002.safetensors\"}}",
                        "tensor 'x' is not in the file 'model-00001-of-00002.safetensors'");
    check_index_refused(&t, "{\"weight_map\":{\"x\":1}}", "tensor 'x' is in the file '(not a text)'");
    check_index_refused(&t, "{\"weight_map\":{}}", "expected the object \"weight_map\"");
    check_index_refused(&t, "[]", "expected the object \"weight_map\"");
    check_index_refused(&t, "{\"weight_map\":", "not valid JSON");
    tiny_free(&t);
    tiny_clean();
}
END_TEST

START_TEST(a_tensor_in_two_shards_is_refused)
{
    tiny t = start();
    save_shard(t.backbone, tiny_path("whole"), tiny_path(names[1]), 0);
    check_refused(&t, "is not in the file");
    OK(peft_write_file(tiny_path(INDEX), "{}", 2));
    static char text[1000];
    pf_st *in;
    OK(pf_st_open(t.ctx, tiny_path(names[0]), &in));
    snprintf(text, sizeof text, "{\"weight_map\":{\"%s\":\"%s\",\"%s\":\"%s\"}}", pf_st_at(in, 0)->name, names[0],
             pf_st_at(in, 1)->name, names[1]);
    pf_st_close(in);
    check_index_refused(&t, text, "occurs twice; expected each name once");
    tiny_free(&t);
    tiny_clean();
}
END_TEST

/* A folder loads by each of the names of a weights file; without one the error lists them. */
START_TEST(a_folder_loads_by_the_usual_names)
{
    static const char *const files[] = { "model.safetensors", "open_clip_model.safetensors", "pytorch_model.bin",
                                         "open_clip_pytorch_model.bin" };
    tiny t = start();
    peft_backbone *b = NULL;
    peft_file *opened;
    char folder[200], file[400];
    snprintf(folder, sizeof folder, "%s", tiny_path("folder"));
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    FAILS(PEFT_E_IO, "is a folder without a file of weights; expected model.safetensors, model.saf",
          peft_backbone_load(t.ctx, folder, NULL, &b));
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        snprintf(file, sizeof file, "%s/%s", folder, files[i]);
        ck_assert_int_eq(mkdir(file, 0777), 0);
        FAILS(PEFT_E_IO, "is a folder; a file of weights is expected under this name",
              peft_file_open(t.ctx, file, &opened));
        ck_assert_int_eq(rmdir(file), 0);
        ck_assert_int_eq(link(tiny_path("whole"), file), 0);    /* formats are recognised by content */
        check_loads(&t, folder);
        ck_assert_int_eq(remove(file), 0);
    }
    tiny_free(&t);
    tiny_clean();
}
END_TEST

SUITE_MAIN("shards", shards_load_by_their_index_and_by_their_folder, a_wrong_index_is_refused_with_the_reason,
           a_tensor_in_two_shards_is_refused, a_folder_loads_by_the_usual_names)
