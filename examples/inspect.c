/* SPDX-License-Identifier: Apache-2.0
 * inspect.c -- prints the contents of files (backbones, models, adapters, training states) and lists the library's
 * methods, options and metrics. */
#include "common/data/data.h"
#include "common/model/loaded_model.h"
#include "common/backbone/weights.h"
#include "common/program/errors.h"
#include "common/flags/flags.h"
#include "common/program/settings.h"
#include "common/program/verbose.h"
#include "inspect/lists.h"
#include "inspect/pictures.h"
#include "inspect/record.h"
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <peft/io.h>
#include <peft/sys/content.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define FLAGS(X) \
    X(methods, NULL, NULL, "list the fine-tuning methods and their options (finetune --method, --options)") \
    X(trainer, NULL, NULL, "list the training options (finetune --trainer)") \
    X(adaptation, NULL, NULL, "list the kinds of test-time adaptation and their options (adapt --kind)") \
    X(options, NULL, NULL, "list the options of backbones, models, sessions, pictures and loaders") \
    X(preprocess, NULL, NULL, "list the preprocessing settings and their defaults (finetune --preprocess)") \
    X(table, NULL, NULL, "list the settings of tables with column names (finetune --table)") \
    X(metrics, NULL, NULL, "list the metrics of <peft/metrics.h>") \
    X(operations, "N", NULL, "list the operations that FILE (a backbone, model or adapter) runs to predict N images: " \
      "tensors, shapes, kernels, FLOPs (docs/verbose.md)") \
    X(compute, "f32|bf16x3|bf16|int8|int8_all", "f32", "with --operations: arithmetic of matrix products " \
      "(docs/arithmetic.md)") \
    X(backbone, "FILE", NULL, "with --operations: the backbone that the model or adapter was trained on") \
    BACKBONE_OPTIONS(X) \
    IMAGE_FLAG(X) \
    X(ids, NULL, NULL, "print patient, study and series of DICOM files too, which tell who was examined") \
    X(full, NULL, NULL, "print metadata values in full length, not only their first 200 characters (preprocessing " \
      "always is), and the files that a training record lists")
enum { FLAGS(FLAG_ID) flags };                               /* flags: the number of flags (flags.h) */
static flag given[] = { FLAGS(FLAG_ROW) };
static const program about = {
    "[options] [FILE...]",
    "Prints metadata and tensors of backbones, models, adapters, training states and other safetensors files, and the\n"
    "facts that had to be assumed of a backbone; training records; of pictures the format, size, bits and header, and\n"
    "how they are read; of folders and .zip files how many pictures of each kind they hold; or lists the\n"
    "methods, options and metrics of the library.",
    "  inspect deit_tiny_patch16_224.safetensors scans.safetensors\n"
    "  inspect --operations 1 deit_tiny_patch16_224.safetensors\n"
    "  inspect --image-options window=none scan.dcm\n"
    "  inspect --methods" };

/* Bits of an element from the name of its type: the first number in it ("BF16", "F8_E4M3"), or 8 ("BOOL"). */
static int64_t type_bits(const char *type)
{
    while (*type && !isdigit((unsigned char)*type)) type++;
    return *type ? strtol(type, NULL, 10) : 8;
}

static void print_tensors(const peft_file *f)
{
    int64_t total = 0, bytes = 0;
    for (size_t i = 0; i < peft_file_tensor_count(f); i++) {
        const char *type = peft_file_tensor_type(f, i);
        int64_t count = 1;
        printf("  %-44s %-5s [", peft_file_tensor_name(f, i), type);
        for (int k = 0; k < peft_file_tensor_ndim(f, i); k++) {
            const int64_t extent = peft_file_tensor_dim(f, i, k);
            printf(k ? ", %" PRId64 : "%" PRId64, extent);
            count *= extent;
        }
        printf("]  %" PRId64 " bytes\n", count * type_bits(type) / 8);
        total += count;
        bytes += count * type_bits(type) / 8;
    }
    printf("  %zu tensors, %" PRId64 " values, %" PRId64 " bytes\n", peft_file_tensor_count(f), total, bytes);
}

/* Prints each line of text as "  name: line". */
static void print_lines(const char *name, const char *text)
{
    while (text && *text) {
        const size_t n = strcspn(text, "\n");
        printf("  %s: %.*s\n", name, (int)n, text);
        text += n + (text[n] == '\n');
    }
}

/* Log function: prints warnings, except for assumed facts, which print_backbone prints. */
static void print_warning(int level, const char *message, void *user)
{
    (void)level, (void)user;
    if (strncmp(message, "backbone: assumed", 17)) printf("  warning: %s\n", message);
}

static int status;                                           /* of the program */

/* Loads the backbone and prints its architecture, preprocessing, class names and assumed facts; or why it cannot be
 * loaded, and sets the status. unknown: the file may be something else than a network, of which nothing is printed. */
static void print_backbone(peft_context *ctx, const char *path, bool unknown)
{
    static const char *const before[] = { "width", "depth", "heads", "mlp", "patch" };
    static const char *const after[] = { "registers", "classes", "feature_width" };
    peft_backbone *b;
    char sides[SIDES_TEXT];
    const int errors_and_warnings = 1;
    must(peft_context_set_log(ctx, print_warning, NULL, errors_and_warnings));
    const peft_status s = try_load_backbone(ctx, path, STORED_IMAGE_SIZE, given[backbone_options].value, &b);
    if (s && unknown && s != PEFT_E_UNSUPPORTED) return;      /* UNSUPPORTED: a network that the library recognises */
    if (s) {
        printf("  cannot be loaded as a backbone: %s\n", peft_last_error());
        status = 1;
        return;
    }
    printf("  network:");
    for (size_t i = 0; i < sizeof before / sizeof *before; i++)
        printf(" %s=%" PRId64, before[i], peft_backbone_get(b, before[i]));
    printf(" image_size=%s", sides_text(sides, backbone_sides(b)));
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        printf(" %s=%" PRId64, after[i], peft_backbone_get(b, after[i]));
    putchar('\n');
    print_lines("settings", peft_backbone_note(b, "settings"));
    print_lines("parts", peft_backbone_note(b, "parts"));
    if (is_int8_backbone(b)) printf("  weights: the matrices of the blocks are stored as int8\n");
    printf("  fingerprint: %s\n", peft_backbone_fingerprint(b));
    print_lines("preprocessing", peft_backbone_note(b, "preprocess"));
    print_lines("class", peft_backbone_note(b, "class_names"));
    print_lines("assumed", peft_backbone_note(b, "assumed"));
    peft_backbone_free(b);
}

static void print_operation(const char *line, void *user)
{
    (void)user;
    printf("  %s\n", line);
}

/* Prints the operations of a session for --operations images. */
static void print_operations_of_model(peft_model *m, peft_context *ctx)
{
    peft_session *s;
    peft_options *o = empty_options(ctx);
    must(peft_options_set_string(o, "batch", given[operations].value));
    must(peft_options_set_string(o, "compute", given[compute].value));
    must(peft_session_create(m, o, &s));
    peft_session_describe(s, print_operation, NULL);
    peft_session_free(s);
    peft_options_free(o);
}

/* Prints the operations of the backbone with its own classifier, or without a head if it has none. */
static void print_operations_of_backbone(peft_context *ctx, const char *path)
{
    peft_model *m;
    peft_backbone *b = load_backbone(ctx, path, STORED_IMAGE_SIZE, given[backbone_options].value);
    peft_options *o = options_from_text(ctx, peft_backbone_get(b, "classes") > 0 ? NULL : "head=none");
    must(peft_model_create(b, o, &m));
    print_operations_of_model(m, ctx);
    peft_model_free(m);
    peft_options_free(o);
    peft_backbone_free(b);
}

/* With --operations: prints those of the file, whose kind is given ("backbone", "model", ...). */
static void print_operations(peft_context *ctx, const char *path, const char *kind)
{
    if (!given[operations].value) return;
    if (!strcmp(kind, "backbone")) {
        print_operations_of_backbone(ctx, path);
        return;
    }
    if (strcmp(kind, "model") && strcmp(kind, "adapter"))
        fail("--operations: %s is a file of kind '%s'; expected a backbone, a model or an adapter", path, kind);
    if (!given[backbone].value)
        fail("--operations: %s needs its backbone; give --backbone FILE, the backbone it was trained on", path);
    loaded_model s = open_model(given[backbone].value, given[backbone_options].value, path, ALL_CORES);
    print_operations_of_model(s.model, s.ctx);
    close_model(&s);
}

/* Prints the metadata in the file's header. */
static void print_metadata(const peft_file *f)
{
    for (size_t i = 0; i < peft_file_meta_count(f); i++) {
        const char *value = peft_file_meta_value(f, i);
        const bool whole = given[full].value || strstr(peft_file_meta_key(f, i), "preprocess");
        const size_t length = strlen(value), shown = !whole && length > 200 ? 200 : length;
        printf("  %s: ", peft_file_meta_key(f, i));
        for (size_t k = 0; k < shown; k++) putchar(iscntrl((unsigned char)value[k]) ? ' ' : value[k]);
        printf(shown < length ? "...\n" : "\n");
    }
}

/* Prints the configuration and the tensors of a folder of Hugging Face's PEFT; false: path is none. */
static bool print_peft_folder(peft_context *ctx, const char *path)
{
    static const char *const tensor_files[] = { "adapter_model.safetensors", "adapter_model.bin" };
    char *config, *tensors = NULL, line[4096];
    if (asprintf(&config, "%s/adapter_config.json", path) < 0) fail("out of memory");
    FILE *in = fopen(config, "r");
    free(config);
    if (!in) return false;
    printf("%s: folder of Hugging Face's PEFT; with its backbone it is a --model of the programs\n", path);
    while (fgets(line, sizeof line, in)) printf("  %s%s", line, strchr(line, '\n') ? "" : "\n");
    fclose(in);
    for (size_t i = 0; i < sizeof tensor_files / sizeof *tensor_files; i++) {
        free(tensors);
        if (asprintf(&tensors, "%s/%s", path, tensor_files[i]) < 0) fail("out of memory");
        if (!access(tensors, F_OK)) break;
    }
    peft_file *f;
    must(peft_file_open(ctx, tensors, &f));
    printf("%s: adapter\n", tensors);
    print_tensors(f);
    print_operations(ctx, path, "adapter");
    peft_file_free(f);
    free(tensors);
    return true;
}

static const char expected[] = "expected a file of weights, a model, an adapter or a training state, a picture, or a "
                               "folder or .zip of pictures";

/* Does the file begin with text that is of no known kind (one is a git-lfs pointer)? Files of weights begin with a
 * number of 8 bytes, of which some are 0. */
static bool is_plain_text(const char *path)
{
    unsigned char head[4096];
    FILE *in = fopen(path, "rb");
    if (!in) return false;
    const size_t size = fread(head, 1, sizeof head, in);
    fclose(in);
    for (size_t i = 0; i < size; i++)
        if (head[i] < '\t' || (head[i] > '\r' && head[i] < ' ')) return false;
    return size > 0 && !peft_sys_content_kind(head, size);
}

/* Opens a file of weights, or ends the program with an error that says what the file is. */
static peft_file *open_weights(peft_context *ctx, const char *file)
{
    peft_file *f;
    if (!peft_file_open(ctx, file, &f)) return f;
    if (is_plain_text(file))
        fail("%s: a text file; %s. A table of labels (.csv, .tsv) or a list of pictures is given to the programs as "
             "--data", file, expected);
    fail("%s; %s", peft_last_error(), expected);
}

/* Ends the program unless path is a file, or a folder with weights. open_error: why its pictures could not be read. */
static void check_path(const char *path, const char *open_error)
{
    struct stat st;
    if (stat(path, &st)) fail("%s: %s; %s", path, strerror(errno), expected);
    if (S_ISDIR(st.st_mode) && !has_weights(path))
        fail("%s: a folder without weights (model.safetensors, pytorch_model.bin) and without pictures: %s", path,
             open_error);
}

/* Prints all about a file, or about the weights file in a folder. */
static void inspect(peft_context *ctx, const char *path)
{
    bool failed = false;
    if (print_peft_folder(ctx, path) || inspect_record(path, given[full].value)) return;
    if (inspect_picture(ctx, path, given[image_options].value, given[ids].value, &failed) ||
        (!has_weights(path) && inspect_folder(ctx, path, given[image_options].value, &failed))) {
        status |= failed;
        return;
    }
    check_path(path, peft_last_error());
    char *file = weights_file(path);
    if (!file && inspect_arrays(ctx, path)) return;
    if (!file) {                                             /* not safetensors: a .npz file */
        printf("%s: Google's .npz\n", path);
        print_backbone(ctx, path, false);
        print_operations(ctx, path, "backbone");
        return;
    }
    peft_file *f = open_weights(ctx, file);
    printf("%s: %s\n", file, peft_file_kind(f));
    print_metadata(f);
    if (!strcmp(peft_file_kind(f), "model")) print_record_beside(file);
    const bool unknown = !strcmp(peft_file_kind(f), "unknown");
    if (unknown || !strcmp(peft_file_kind(f), "backbone")) print_backbone(ctx, path, unknown);
    print_tensors(f);
    print_operations(ctx, path, peft_file_kind(f));
    peft_file_free(f);
    free(file);
}

int main(int argc, char **argv)
{
    static const struct { int flag; void (*list)(void); } lists[] = {
        { methods, list_methods }, { trainer, list_trainer }, { adaptation, list_adaptation },
        { options, list_options }, { preprocess, list_preprocess }, { table, list_tables }, { metrics, list_metrics } };
    peft_context *ctx;
    program_name = "inspect";
    int first = read_flags(given, flags, &about, argc, argv), listed = 0;
    if (given[operations].value) (void)flag_whole(&given[operations], 1, most_in_batch);
    for (size_t i = 0; i < sizeof lists / sizeof *lists; i++) {
        if (!given[lists[i].flag].value) continue;
        if (listed++) putchar('\n');
        lists[i].list();
    }
    if (first == argc && !listed) fail("no file and no list given; give a FILE, or a list such as --methods");
    ctx = make_context();
    for (int i = first; i < argc; i++) inspect(ctx, argv[i]);
    peft_context_free(ctx);
    return status;
}
