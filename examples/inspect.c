/* SPDX-License-Identifier: Apache-2.0
 * inspect.c -- what is in a safetensors file of any kind, and what methods the library has. */
#include "common.h"
#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { methods, full, flags };
static flag given[] = {
    [methods] = { "methods", NULL, NULL, "lists the methods and their options" },
    [full] = { "full", NULL, NULL, "metadata values in full length" },
};

static void list_methods(void)
{
    for (size_t m = 0; m < peft_method_count(); m++) {
        const char *name = peft_method_name(m), *paper = peft_method_paper(name);
        printf("%s%s\n    %s", m ? "\n" : "", name, peft_method_summary(name));
        printf(*paper ? " (%s)\n" : "\n", paper);
        for (size_t i = 0; i < peft_method_option_count(name); i++) {
            const char *option, *type, *fallback, *help;
            must(peft_method_option(name, i, &option, &type, &fallback, &help));
            printf("    %-14s %-8s %s; default %s\n", option, type, help, *fallback ? fallback : "none");
        }
    }
}

/* Bits of an element from the name of its type: the first number in it ("BF16", "F8_E4M3"). */
static int64_t type_bits(const char *type)
{
    while (*type && !isdigit((unsigned char)*type)) type++;
    return *type ? strtol(type, NULL, 10) : 8;
}

static void print_tensors(const peft_file *f)
{
    int64_t total = 0, bytes = 0;
    for (size_t i = 0; i < peft_file_tensor_count(f); i++) {
        const char *name, *type;
        const int64_t *dims;
        int ndim;
        int64_t count = 1;
        must(peft_file_tensor(f, i, &name, &type, &ndim, &dims));
        printf("  %-44s %-5s [", name, type);
        for (int k = 0; k < ndim; k++) {
            printf(k ? ", %" PRId64 : "%" PRId64, dims[k]);
            count *= dims[k];
        }
        printf("]  %" PRId64 " bytes\n", count * type_bits(type) / 8);
        total += count;
        bytes += count * type_bits(type) / 8;
    }
    printf("  %zu tensors, %" PRId64 " values, %" PRId64 " bytes\n", peft_file_tensor_count(f), total, bytes);
}

/* Facts of a backbone that the library had to assume. */
static void print_assumed(peft_context *ctx, const char *path)
{
    peft_backbone *b;
    must(peft_context_set_log(ctx, NULL, NULL, 0));                 /* they are printed here, not logged as well */
    if (peft_backbone_load(ctx, path, NULL, &b)) {
        printf("  cannot be loaded as a backbone: %s\n", peft_last_error());
        return;
    }
    const char *line = peft_backbone_note(b, "assumed");
    while (line && *line) {
        const size_t n = strcspn(line, "\n");
        printf("  assumed %.*s\n", (int)n, line);
        line += n + (line[n] == '\n');
    }
    peft_backbone_free(b);
}

static void inspect(peft_context *ctx, const char *path)
{
    peft_file *f;
    must(peft_file_open(ctx, path, &f));
    printf("%s: %s\n", path, peft_file_kind(f));
    for (size_t i = 0; i < peft_file_meta_count(f); i++) {
        const char *key, *value;
        must(peft_file_meta_at(f, i, &key, &value));
        size_t length = strlen(value), shown = !given[full].value && length > 200 ? 200 : length;
        printf("  %s: ", key);
        for (size_t k = 0; k < shown; k++) putchar(iscntrl((unsigned char)value[k]) ? ' ' : value[k]);
        printf(shown < length ? "...\n" : "\n");
    }
    print_tensors(f);
    if (!strcmp(peft_file_kind(f), "backbone")) print_assumed(ctx, path);
    peft_file_free(f);
}

int main(int argc, char **argv)
{
    peft_context *ctx;
    program_name = "inspect";
    int first = read_flags(given, flags, "[--methods] [--full] FILE...", argc, argv);
    if (first == argc && !given[methods].value) fail("a file or --methods is needed; see --help");
    if (given[methods].value) list_methods();
    must(peft_context_create(NULL, NULL, NULL, &ctx));
    for (int i = first; i < argc; i++) inspect(ctx, argv[i]);
    peft_context_free(ctx);
    return 0;
}
