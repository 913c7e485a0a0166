/* SPDX-License-Identifier: Apache-2.0
 * table_files.h -- fixture of the tests of tables: writes a table and its pictures, and prints the data set that is
 * read from it. */
#ifndef TABLE_FILES_H
#define TABLE_FILES_H
#include "io_files.h"

static char table_log[4000];                                  /* messages since open_table was called */
static inline void keep_log(int level, const char *message, void *user)
{
    (void)user;
    const size_t used = strlen(table_log);
    snprintf(table_log + used, sizeof table_log - used, "%d: %s\n", level, message);
}

/* Makes empty files of these names, separated by blanks, in the folder of the table, t/. */
static inline void touch(const char *names)
{
    char copy[1000], *next = NULL;
    snprintf(copy, sizeof copy, "%s", names);
    for (char *name = strtok_r(copy, " ", &next); name; name = strtok_r(NULL, " ", &next)) {
        char path[200];
        snprintf(path, sizeof path, "t/%s", name);
        write_bytes(in_folder(path), "", 0);
    }
}

/* Writes the table and opens a split (NULL: all rows) of it. options NULL: by peft_dataset_open. */
static inline peft_status open_bytes(const void *text, size_t size, const char *split, const char *options,
                                     peft_dataset **out)
{
    *table_log = 0;
    ok(peft_context_set_log(io_ctx, keep_log, NULL, 2));
    write_bytes(in_folder("t/table.csv"), text, size);
    return options ? peft_dataset_open_table(io_ctx, in_folder("t/table.csv"), split, options, out)
                   : peft_dataset_open(io_ctx, in_folder("t/table.csv"), split, out);
}
static inline peft_status open_text(const char *text, const char *split, const char *options, peft_dataset **out)
{
    return open_bytes(text, strlen(text), split, options, out);
}

/* Opens a table of patients; patient k has 1 + k % most pictures, which are of class k % 3. */
static inline peft_dataset *patient_table(int patients, int most)
{
    enum { ROW = 64 };
    const size_t size = (size_t)(patients * most + 1) * ROW;
    char *text = malloc(size);
    size_t n = (size_t)snprintf(text, size, "image,label,patient\n");
    peft_dataset *d;
    for (int k = 0; k < patients; k++)
        for (int i = 0; i <= k % most; i++) {
            char name[40];
            snprintf(name, sizeof name, "p%d_%d.png", k, i);
            touch(name);
            n += (size_t)snprintf(text + n, size - n, "%s,c%d,P%d\n", name, k % 3, k);
        }
    ok(open_text(text, NULL, NULL, &d));
    free(text);
    return d;
}

/* Writes "benign,malignant; a.png=0 b.png=1": classes, then samples with labels, or targets "1:0:-1", behind them the
 * group "/p1" where the set has groups, and the case "#s1". */
static inline const char *dataset_text(const peft_dataset *d)
{
    static char text[4000];
    size_t used = 0;
    const size_t base = strlen(in_folder("t/"));
    float targets[64];
#define PUT(...) used += (size_t)snprintf(text + used, sizeof text - used, __VA_ARGS__)
    *text = 0;
    for (int64_t c = 0; c < peft_dataset_classes(d); c++) PUT("%s%s", c ? "," : "", peft_dataset_class_name(d, c));
    PUT(";");
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        const char *name = peft_dataset_name(d, i);
        PUT(" %s=", !strncmp(name, io_folder, strlen(io_folder)) ? name + base : name);
        if (!peft_dataset_multilabel(d)) PUT("%d", (int)peft_dataset_label(d, i));
        else {
            ok(peft_dataset_targets(d, i, targets));
            for (int64_t c = 0; c < peft_dataset_classes(d); c++) PUT("%s%g", c ? ":" : "", targets[c]);
        }
        if (peft_dataset_has_groups(d)) PUT("/%s", peft_dataset_group(d, i) ? peft_dataset_group(d, i) : "-");
        if (peft_dataset_has_cases(d)) PUT("#%s", peft_dataset_case(d, i) ? peft_dataset_case(d, i) : "-");
    }
#undef PUT
    return text;
}

/* The table opens as this text (dataset_text). */
static inline void reads_bytes(const void *table, size_t size, const char *split, const char *options, const char *want)
{
    peft_dataset *d;
    const peft_status s = open_bytes(table, size, split, options, &d);
    ck_assert_msg(s == PEFT_OK, "table '%s' (%s): %s", (const char *)table, options ? options : "", peft_last_error());
    ck_assert_msg(!strcmp(dataset_text(d), want), "table '%s' (%s) was read as '%s', expected '%s'",
                  (const char *)table,
                  options ? options : "", dataset_text(d), want);
    peft_dataset_free(d);
}
static inline void reads(const char *table, const char *split, const char *options, const char *want)
{
    reads_bytes(table, strlen(table), split, options, want);
}
/* The table is refused with this status and a message that contains each part of words (separated by "|"). */
static inline void refuses(peft_status status, const char *words, const char *table, const char *split,
                           const char *options)
{
    char copy[400], *next = NULL;
    peft_dataset *d = NULL;
    const peft_status s = open_text(table, split, options, &d);
    ck_assert_msg(s == status, "table '%s': %s: %s", table, peft_status_name(s), s ?
                  peft_last_error() : dataset_text(d));
    ck_assert_ptr_null(d);
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, "|", &next); word; word = strtok_r(NULL, "|", &next))
        ck_assert_msg(strstr(peft_last_error(), word) != NULL, "table '%s': no '%s' in: %s", table, word,
                      peft_last_error());
}
#endif
