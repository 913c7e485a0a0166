/* SPDX-License-Identifier: Apache-2.0
 * record.c -- what inspect prints of a training record: every member but long lists, of which it prints the number. */
#include "record.h"
#include "common/files/text_file.h"
#include "common/record/json_read.h"
#include "common/record/record.h"
#include "common/program/errors.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void print_members(const json *j, int indent, bool full);

/* A list that is printed without --full: a short one, and of the candidates of --tune a longer one too. */
static bool is_short(const json *j) { return j->count <= (j->name && !strcmp(j->name, "candidates") ? 32 : 4); }

static void print_member(const json *j, int indent, bool full)
{
    if (j->name) printf("%*s%s:", indent, "", j->name);
    else printf("%*s-", indent, "");
    const bool texts = j->kind == JSON_LIST && (!j->count || j->item[0].text);
    if (j->text) printf(" %s\n", j->kind == JSON_NULL ? "-" : j->text);
    else if (texts) {
        for (size_t i = 0; i < j->count; i++) printf(" %s", j->item[i].text ? j->item[i].text : "..");
        putchar('\n');
    } else if (j->kind == JSON_LIST && !is_short(j) && !full) printf(" %zu (--full lists them)\n", j->count);
    else {
        putchar('\n');
        print_members(j, indent + 2, full);
    }
}

static void print_members(const json *j, int indent, bool full)
{
    for (size_t i = 0; i < j->count; i++) print_member(&j->item[i], indent, full);
}

bool inspect_record(const char *path, bool full)
{
    const size_t length = strlen(path), ending = strlen(".json");
    if (length < ending || strcmp(path + length - ending, ".json")) return false;
    char *text = read_text_file(path, NULL);
    json *j = text ? json_parse(text) : NULL;
    free(text);
    const bool is_record = json_is_record(j);
    if (is_record) {
        printf("%s: training record\n", path);
        print_members(j, 2, full);
    }
    json_free(j);
    return is_record;
}

void print_record_beside(const char *model)
{
    char hex[65], *path = record_path(model), *text = read_text_file(path, NULL);
    json *j = text ? json_parse(text) : NULL;
    const char *sum = json_text_of(json_member(j, "model"), "sha256");
    const bool same = sum && hash_file(model, hex) && !strcmp(sum, hex);
    if (!text) printf("  record: there is no %s beside it\n", path);
    else if (!json_is_record(j)) printf("  record: %s is no training record\n", path);
    else printf("  record: %s, %s\n", path, same ? "of this file, by its SHA-256"
                : "of another file: the SHA-256 of the model in it is not that of this file");
    json_free(j);
    free(text);
    free(path);
}
