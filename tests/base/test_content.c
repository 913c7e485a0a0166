/* SPDX-License-Identifier: Apache-2.0
 * test_content.c -- files that are no safetensors file: the error names what they are (PyTorch checkpoint, web page,
 * ...) and what to do; files that change while they are loaded; and model files with very many notes. */
#include "suite.h"
#include <peft/peft.h>
#include <peft/sys/content.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "core/base/json_text.h"
#include "core/os/file.h"

static peft_context *ctx;
static char folder[] = "/tmp/peft-content-XXXXXX", path[100];

static void must(peft_status s) { ck_assert_msg(s == PEFT_OK, "%s", peft_last_error()); }

/* The call returned this status and its message contains word. */
static void expect_error(peft_status got, peft_status want, const char *word)
{
    ck_assert_msg(got == want, "%s, expected %s: %s", peft_status_name(got), peft_status_name(want), peft_last_error());
    ck_assert_msg(strstr(peft_last_error(), word), "'%s' lacks '%s'", peft_last_error(), word);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    must(peft_context_create(NULL, NULL, NULL, &ctx));
}

static void teardown(void)
{
    char command[100];
    snprintf(command, sizeof command, "rm -rf %s", folder);
    ck_assert_int_eq(system(command), 0);
    peft_context_free(ctx);
}

static peft_options *options(const char *text)
{
    peft_options *o;
    must(peft_options_create(ctx, &o));
    must(peft_options_parse(o, text));
    return o;
}

/* A model with LoRA on a new backbone *vit. */
static peft_model *small_model(peft_backbone **vit)
{
    peft_options *o = options("image_size=16,patch=8,width=32,depth=2,heads=2,mlp=64,classes=2,seed=1");
    peft_adapter *a;
    peft_model *m;
    must(peft_backbone_create(ctx, o, vit));
    peft_options_free(o);
    must(peft_adapter_create(*vit, "lora", NULL, &a));
    must(peft_model_create(*vit, NULL, &m));
    must(peft_model_attach(m, a));
    peft_adapter_free(a);
    return m;
}

/* Bytes at an offset by which a kind of file is recognised, and the name and the cure in the error message ("": none is
 * checked). "PK" begins a zip archive, which has at offset 26 the length of the first member's name. */
static const struct { size_t offset; const char *bytes; size_t length; const char *name, *cure; } kinds[] = {
#define KIND(offset, bytes, name, cure) { offset, bytes, sizeof bytes - 1, name, cure }
    KIND(0, "version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "a git-lfs pointer", "git lfs pull"),
    KIND(0, "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\20\0\0\0archive/data.pkl", "a PyTorch checkpoint",
         "cut short, fetch it again"),
    KIND(0, "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0w.npy", "a numpy archive", "npz"),
    KIND(0, "PK\3\4\24\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.png", "a zip archive", ""),
    KIND(0, "PK\3\4", "a zip archive", ""),
    KIND(0, "\x80\4}\x94.", "a Python pickle", "torch.save(model.state_dict()"),
    KIND(0, "\r\n <!DOCTYPE HTML><html></html>", "a web page", "in place of the file"),
    KIND(0, "<HTML><head>", "a web page", ""),
    KIND(0, "<?xml version='1.0'?><Error/>", "XML text", ""),
    KIND(0, "{\"error\":\"Access to this model is restricted\"}", "JSON text", "error message"),
    KIND(0, "\x1f\x8b\x08\0\0\0\0\0\0\3", "compressed by gzip", "gunzip"),
    KIND(128, "DICM", "a DICOM file", "picture"),
    KIND(344, "n+1\0", "a NIfTI volume", ""),
    KIND(0, "\x93NUMPY\1\0v\0{'descr'", "a numpy array", ".npy"),
    KIND(0, "\x89HDF\r\n\x1a\n", "an HDF5 file", "Keras"),
    KIND(0, "GIF89a\1\0\1\0", "a GIF picture", "convert it to PNG"),
    KIND(0, "RIFF\x24\0\0\0WEBPVP8 ", "a WebP picture", ""),
    KIND(0, "II*\0\10\0\0\0", "a TIFF picture", ""),
    KIND(257, "ustar", "a tar archive", "unpack"),
    KIND(0, "\x08\7\x12\7pytorch\x1a\0052.4.0", "an ONNX model", "original weights"),
    KIND(64, "\0", "zeros at its beginning", "fetch it again"),
    KIND(0, "", "empty (0 bytes)", ""),
};

/* All functions that open weights give this error. */
START_TEST(files_of_other_kinds_are_named_in_the_error)
{
    setup();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        static char bytes[1000];
        size_t n = kinds[i].offset + kinds[i].length;
        peft_file *f = NULL;
        peft_backbone *b = NULL;
        char expected[200];
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes + kinds[i].offset, kinds[i].bytes, kinds[i].length);
        must(peft_write_file(path, bytes, n));
        snprintf(expected, sizeof expected, "%s: is %s", path, kinds[i].name);
        expect_error(peft_file_open(ctx, path, &f), PEFT_E_FORMAT, expected);
        expect_error(peft_backbone_load(ctx, path, NULL, &b), PEFT_E_FORMAT, expected);
        ck_assert_ptr_nonnull(strstr(peft_last_error(), kinds[i].cure));
        const bool torch = !memcmp(bytes, "PK", 2) || bytes[0] == '\x80';      /* read as files of torch.save */
        ck_assert(torch || strstr(peft_last_error(), "expected a safetensors file or a file of torch.save"));
        if (n) expect_error(peft_backbone_load_memory(ctx, bytes, n, NULL, &b), PEFT_E_FORMAT, kinds[i].name);
    }
    ck_assert_ptr_null(peft_sys_content_kind("plain text", 10));
    ck_assert_ptr_null(peft_sys_content_kind("PKZIP", 5));
    ck_assert_str_eq(peft_sys_content_kind(NULL, 0), "empty (0 bytes)");
    peft_file *f;
    expect_error(peft_file_open(ctx, folder, &f), PEFT_E_IO, "is a folder without a file of weights");
    teardown();
}
END_TEST

/* libpeft names images too, and libpeft-io files of weights: both use one table. */
START_TEST(images_and_weights_are_recognised_by_one_function)
{
    static const struct { const char *bytes; size_t length; const char *expected; } rows[] = {
#define ROW(bytes, expected) { bytes, sizeof bytes - 1, expected }
        ROW("\x80\2\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", "such as an old PyTorch checkpoint"),
        ROW("BM6\0\0\0", "a BMP picture"), ROW("GGUF\3\0\0\0", "a GGUF file"), ROW("P2\n1 1\n", "P5 or P6"),
        ROW("\xff\x0a\0\0", "djxl"), ROW("\0\0\0 ftypheic", "a HEIF picture"), ROW("<svg>", "an SVG drawing") };
#undef ROW
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const char *kind = peft_sys_content_kind(rows[i].bytes, rows[i].length);
        ck_assert_msg(kind && strstr(kind, rows[i].expected), "'%s' is recognised as %s", rows[i].expected,
                      kind ? kind : "nothing");
    }
}
END_TEST

/* Stepping through JSON text gives the characters outside strings; depth is the number of open brackets at the end. */
static const struct { const char *text, *walk; int depth; } walks[] = {
    { "{\"a\":[1,\"]}\"]}", "{\":[1,\"]}", 0 }, { "[[\"\\\"]\"", "[[\"", 2 }, { "]", "]", -1 },
    { "\"open", "\"", 0 }, { "[\"\\", "[\"", 1 }, { "", "", 0 } };

START_TEST(json_steps_skip_the_insides_of_strings)
{
    for (size_t i = 0; i < sizeof walks / sizeof *walks; i++) {
        pf_json_walk w = { .text = walks[i].text, .size = strlen(walks[i].text) };
        char steps[40];
        size_t n = 0;
        for (char c; (c = pf_json_step(&w)); ) steps[n++] = c;
        steps[n] = 0;
        ck_assert_str_eq(steps, walks[i].walk);
        ck_assert_int_eq(w.depth, walks[i].depth);
        ck_assert_uint_eq(w.position, w.size);
    }
}
END_TEST

/* A damaged header whose first bytes look like a Python pickle is reported as damaged; __metadata__ may be null. */
START_TEST(damaged_headers_are_not_taken_for_other_kinds)
{
    static const char damaged[] = "\x80\2\0\0\0\0\0\0{\"a\":";
    static const char null[] = "\x1b\0\0\0\0\0\0\0{\"__metadata__\":null      }   ";
    char bytes[1000] = "";
    peft_file *f;
    setup();
    memcpy(bytes, damaged, sizeof damaged);
    must(peft_write_file(path, bytes, sizeof bytes));
    expect_error(peft_file_open(ctx, path, &f), PEFT_E_FORMAT, "header is not valid JSON");
    must(peft_write_file(path, null, 8 + 27));
    must(peft_file_open(ctx, path, &f));
    ck_assert_uint_eq(peft_file_meta_count(f), 0);
    ck_assert_uint_eq(peft_file_tensor_count(f), 0);
    peft_file_free(f);
    teardown();
}
END_TEST

/* Empties the file and writes it again, endlessly, as cp and editors do. */
static void rewrite(const char *bytes, size_t n)
{
    for (;;) {
        FILE *f = fopen(path, "wb");
        for (size_t done = 0; f && done < n; done += 4096) {
            fwrite(bytes + done, 1, n - done < 4096 ? n - done : 4096, f);
            fflush(f);
        }
        if (f) fclose(f);
    }
}

/* Each load gives the whole model or an error, never a crash; an open file survives being truncated. */
START_TEST(a_file_rewritten_while_it_is_loaded_gives_an_error)
{
    static char bytes[1 << 20];
    peft_backbone *vit;
    setup();
    peft_model *m = small_model(&vit), *loaded;
    must(peft_model_save(m, path));
    FILE *f = fopen(path, "rb");
    size_t n = fread(bytes, 1, sizeof bytes, f);
    fclose(f);
    pid_t child = fork();
    if (!child) rewrite(bytes, n);
    int whole = 0;
    for (int i = 0; i < 2000 && (i < 150 || whole < 5); i++) {       /* at least 150 loads, until 5 were whole */
        peft_status s = peft_model_load(vit, path, &loaded);
        if (s) ck_assert_msg(s == PEFT_E_IO || s == PEFT_E_FORMAT, "%s: %s", peft_status_name(s), peft_last_error());
        else {
            whole++;
            peft_model_free(loaded);
        }
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    peft_file *opened;
    must(peft_write_file(path, bytes, n));
    must(peft_file_open(ctx, path, &opened));
    ck_assert_int_eq(truncate(path, 0), 0);
    ck_assert_str_eq(peft_file_kind(opened), "model");
    peft_file_free(opened);
    peft_model_free(m), peft_backbone_free(vit);
    teardown();
}
END_TEST

/* pf_file_fault calls this before every system call on files, with its name; 0: the call is made. Before each "read" it
 * runs before_read, which changes the file. */
static void (*before_read)(void);
static int run_before_read(const char *call)
{
    if (!strcmp(call, "read") && before_read) before_read();
    return 0;
}

static void truncate_file(void) { ck_assert_int_eq(truncate(path, 100), 0); }
static void change_time(void)
{
    const struct timespec times[] = { { 1, 0 }, { 1, 0 } };
    ck_assert_int_eq(utimensat(0, path, times, 0), 0);
}

START_TEST(a_file_changed_between_two_reads_is_refused)
{
    peft_backbone *vit;
    setup();
    peft_model *m = small_model(&vit), *loaded;
    must(peft_model_save(m, path));
    pf_file_fault = run_before_read;
    before_read = change_time;
    expect_error(peft_model_load(vit, path, &loaded), PEFT_E_IO, "was changed while it was read");
    before_read = truncate_file;
    expect_error(peft_model_load(vit, path, &loaded), PEFT_E_IO, "became shorter");
    before_read = NULL;
    expect_error(peft_model_load(vit, path, &loaded), PEFT_E_FORMAT, "cut short");
    pf_file_fault = NULL;
    peft_model_free(m), peft_backbone_free(vit);
    teardown();
}
END_TEST

START_TEST(setting_and_finding_many_notes_takes_linear_time)
{
    enum { NOTES = 75000 };
    peft_backbone *vit;
    char key[16];
    setup();
    peft_model *m = small_model(&vit), *loaded;
    clock_t start = clock();
    for (int i = 0; i < NOTES; i++) {
        snprintf(key, sizeof key, "%d", i);
        must(peft_model_set_note(m, key, "x"));
    }
    must(peft_model_save(m, path));
    must(peft_model_load(vit, path, &loaded));
    ck_assert_str_eq(peft_model_note(loaded, "74321"), "x");
    must(peft_model_set_note(loaded, "74321", "other"));
    ck_assert_str_eq(peft_model_note(loaded, "74321"), "other");
    ck_assert_ptr_null(peft_model_note(loaded, "75000"));
    double seconds = (double)(clock() - start) / CLOCKS_PER_SEC;
    ck_assert_msg(seconds < 3, "%d notes took %.1f s", NOTES, seconds);       /* 0.2 s; a linear search takes 10 s */
    peft_model_free(loaded), peft_model_free(m), peft_backbone_free(vit);
    teardown();
}
END_TEST

SUITE_MAIN("content", images_and_weights_are_recognised_by_one_function, json_steps_skip_the_insides_of_strings,
           files_of_other_kinds_are_named_in_the_error, damaged_headers_are_not_taken_for_other_kinds,
           a_file_rewritten_while_it_is_loaded_gives_an_error, a_file_changed_between_two_reads_is_refused,
           setting_and_finding_many_notes_takes_linear_time)
