/* SPDX-License-Identifier: Apache-2.0
 * options.c -- the options of a table, and lists with colons in them. */
#include "io/table/table.h"

#define STORED_IN(field) offsetof(io_table_options, field)
#define TEXT(name, size, fallback, help) { { #name, 's', fallback, 0, size, help }, STORED_IN(name), NULL }
#define WORD(name, words, fallback, help) { { #name, 'c', fallback, 0, 0, help }, STORED_IN(name), words }
/* Rows of { name, kind, default, lowest, highest, help }, where the value is stored, words. */
static const peft_opt_key keys[] = {
    TEXT(path, IO_TABLE_WORD, "", "column of the pictures' paths or names; without it a column with a common name "
         "(path, filename, image, image_id, ..). A column is its name, or #N for the N-th, here and below"),
    TEXT(label, IO_TABLE_LIST, "", "column of the label, whose texts are the classes, or several columns of 0 and 1, "
         "a:b:c; a single column of 0 and 1 has the classes 0 and 1"),
    TEXT(patient, IO_TABLE_WORD, "", "column of the patient, whose pictures stay in one part of a split; none: no "
         "column"),
    TEXT(study, IO_TABLE_WORD, "", "column of the study or volume whose pictures are one case; none: no column"),
    TEXT(split, IO_TABLE_WORD, "", "column of the split: train, val or test; none: no column"),
    WORD(labels, "auto|all|none", "auto", "all: every column that is not one of the above is a label of 0 and 1, even "
         "if it is the only one; none: no labels, all pictures are of the class 'unlabelled'"),
    TEXT(folder, 4096, "", "folder that the paths begin in; without it that of the table"),
    TEXT(strip, 4096, "", "text that is removed where a path begins with it, such as C:/scans/ of another computer"),
    TEXT(ending, IO_TABLE_WORD, "", "text behind every path, such as .png for a column of names without it"),
    WORD(missing, "error|skip", "error", "skip: rows whose picture does not exist are left out, with a warning"),
    TEXT(classes, IO_TABLE_LIST, "", "the classes in their order, a:b:c; without it text sorted bytewise, or numbers "
         "in their order"),
    TEXT(separator, IO_TABLE_WORD, "", "character between the labels in a cell; without it |, if there is one in the "
         "column; none: a cell is one label"),
    TEXT(none, IO_TABLE_WORD, "No Finding", "cell that stands for no label at all, where cells have several"),
    WORD(blank, "-1|0|1|error", "-1", "what an empty cell in a column of 0 and 1 means; -1: not judged"),
    WORD(uncertain, "-1|0|1|error", "-1", "what -1 in a column of 0 and 1 means; -1: not judged"),
    { { "onehot", 'b', "true", 0, 0, "columns of 0 and 1 with exactly one 1 in every row are one label" },
      STORED_IN(onehot), NULL },
    TEXT(train, IO_TABLE_WORD, "", "cells of the column of splits that mean train, a:b:c"),
    TEXT(val, IO_TABLE_WORD, "", "those that mean val"),
    TEXT(test, IO_TABLE_WORD, "", "those that mean test"),
    WORD(delimiter, "auto|comma|semicolon|tab", "auto", "character between cells"),
    TEXT(mask, IO_TABLE_WORD, "", "column of the paths of masks, which begin in the folder of the pictures' paths; "
         "without it no column"),
    { { 0 }, 0, NULL }
};

/* Refuses a cell of the column of splits that two of the options train, val and test name. */
static peft_status check_shares(const io_table_options *o)
{
    const struct { const char *name, *list; } share[] = {
        { "train", o->train }, { "val", o->val }, { "test", o->test } };
    enum { SHARES = sizeof share / sizeof *share };
    char part[IO_TABLE_WORD];
    for (int k = 1; k < SHARES; k++)
        for (int64_t i = 0; i < io_list_count(share[k].list); i++)
            for (int before = 0; before < k; before++)
                if (io_list_part(share[k].list, i, part) && io_list_has(share[before].list, part))
                    return io_fail(PEFT_E_OPTION, "table: '%s' is in %s=%s and in %s=%s; give each cell of the column "
                                   "of splits to one split", part, share[before].name, share[before].list,
                                   share[k].name, share[k].list);
    return PEFT_OK;
}

const peft_option *io_table_option(size_t i) { return peft_sys_opt_row(keys, i); }

peft_status io_table_read_options(const char *text, io_table_options *o)
{
    memset(o, 0, sizeof *o);
    peft_status s = peft_sys_opt_defaults(keys, o);
    if (!s) s = peft_sys_opt_read(keys, text, "table", o, NULL);
    const char *separator = o->separator;
    if (!s && *separator && separator[1] && strcmp(separator, "none"))
        s = io_fail(PEFT_E_OPTION, "table: option 'separator' is '%.40s'; expected one character, or none", separator);
    if (!s && o->labels != IO_LABELS_AUTO && *o->label)
        s = io_fail(PEFT_E_OPTION, "table: options 'label' and 'labels' exclude each other; expected one of them");
    return s ? s : check_shares(o);
}

int64_t io_list_count(const char *list)
{
    int64_t parts = *list != 0;
    for (; *list; list++) parts += *list == ':';
    return parts;
}

const char *io_list_part(const char *list, int64_t i, char *text)
{
    for (; i; i--) list += strcspn(list, ":") + 1;
    const size_t n = strcspn(list, ":");
    if (n >= IO_TABLE_WORD) return NULL;
    memcpy(text, list, n);
    text[n] = 0;
    return text;
}

bool io_list_has(const char *list, const char *word)
{
    char part[IO_TABLE_WORD];
    for (int64_t i = 0; i < io_list_count(list); i++) {
        const char *p = io_list_part(list, i, part);
        if (p && !strcmp(p, word)) return true;
    }
    return false;
}
