/* SPDX-License-Identifier: Apache-2.0
 * test_list.c -- syntax of list files: separators, quotes, comments, line ends, byte order marks; errors name the
 * line. */
#include "failing_alloc.h"
#include "io_files.h"
#include <peft/io.h>
#include <stdbool.h>

/* Opens a list file of this text. */
static peft_status open_text(const char *text, peft_dataset **out)
{
    write_bytes(in_folder("l/list.txt"), text, strlen(text));
    return peft_dataset_open_list(io_ctx, in_folder("l/list.txt"), NULL, 0, out);
}

/* A list of this text opens. want: the samples as "name=label ..." or, with several labels, "name=0:1:0 ...". */
static void reads_as(const char *text, const char *want)
{
    char got[300] = "";
    peft_dataset *d;
    ok(open_text(text, &d));
    const size_t base = strlen(in_folder("l/"));
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        float t[4];
        const char *name = peft_dataset_name(d, i);
        const bool in_test_folder = !strncmp(name, io_folder, strlen(io_folder));
        sprintf(got + strlen(got), "%s%s=", i ? " " : "", in_test_folder ? name + base : name);
        if (!peft_dataset_multilabel(d)) sprintf(got + strlen(got), "%d", (int)peft_dataset_label(d, i));
        else {
            ck_assert_int_le(peft_dataset_classes(d), 4);
            ok(peft_dataset_targets(d, i, t));
            for (int64_t c = 0; c < peft_dataset_classes(d); c++)
                sprintf(got + strlen(got), "%s%g", c ? ":" : "", t[c]);
        }
    }
    ck_assert_msg(!strcmp(got, want), "list '%s' was read as %s, expected %s", text, got, want);
    peft_dataset_free(d);
}

START_TEST(every_accepted_syntax_gives_names_and_labels)
{
    reads_as("\xef\xbb\xbf" "a.png 0\nb.png 1\n", "a.png=0 b.png=1");
    reads_as("a.png 0\r\nb.png 1\r\n", "a.png=0 b.png=1");
    reads_as("a.png 0\rb.png 1\r", "a.png=0 b.png=1");
    reads_as("# fold 1\n  # 2\na.png 0\n", "a.png=0");
    reads_as("  a.png 0\n\tb.png\t1 \n", "a.png=0 b.png=1");
    reads_as("a.png, 0\nb.png , 1\n", "a.png=0 b.png=1");
    reads_as("a.png,0\nb,c.png,1\n", "a.png=0 b,c.png=1");
    reads_as("a.png,0,1\nb.png,1,0\n", "a.png=0:1 b.png=1:0");
    reads_as("a.png 0, 1, 0\nb.png 1 ,1,0\n", "a.png=0:1:0 b.png=1:1:0");
    reads_as("a b.png 0\nc  d.png 1\n", "a b.png=0 c  d.png=1");
    reads_as("\"a b.png\" 0\n\" c\",1\n\"x \"\"y\"\" 2\", 0\n\"#\" 1\n", "a b.png=0  c=1 x \"y\" 2=0 #=1");
    reads_as("\"a 1\" 0,1\n\"b\",1,0\n", "a 1=0:1 b=1:0");
    reads_as("sub\\a.png 0\n/x/b.png 1\n", "sub/a.png=0 /x/b.png=1");
    reads_as("a.png 0\na.png 0\n", "a.png=0 a.png=0");
}
END_TEST

START_TEST(a_wrong_line_is_refused_with_its_number)
{
    static const struct { const char *text, *word; } bad[] = {
        { "image,label\na.png,0\n", "line 1: expected a name" },
        { "a.png 0 1 0\n", "line 1: the name ends in a number" },
        { "a.png 0\n\n# x\nb 2 0\n", "line 4: the name ends in a number" },
        { "a.png 0\r\nC:\\data\\b.png 1\r\n", "line 2: a Windows path" },
        { "\\\\server\\b.png 1\n", "a Windows path" },
        { "\"a.png 0\n", "quote is not closed" },
        { "\"a.png\"0\n", "after the quoted name" },
        { "\"a.png\" b 0\n", "after the quoted name" },
        { "\"a.png\"\n", "after the quoted name" },
        { "\"\" 0\n", "the name is empty" },
        { "0\n", "without a name" },
        { "a.png 0,\n", "expected a name" },
        { "a.png 0,1\nb.png 1\n", "line 2: 1 values, but the first line has 2" },
        { "a.png 1\nb.png 0,1\n", "line 2: 2 values, but the first line has 1" },
        { "a.png 0,1\nb.png 0,2\n", "line 2: target 2" },
        { "a.png 0\nb.png 1\n# x\na.png 1\n", "l/a.png' has another label than in line 1" },
        { "a.png 0,1\na.png 1,1\n", "has another label than in line 1" },
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        peft_dataset *d = NULL;
        fails(PEFT_E_FORMAT, bad[i].word, open_text(bad[i].text, &d));
        ck_assert_ptr_null(d);
    }
    peft_dataset *d = NULL;
    write_bytes(in_folder("l/wide.txt"), "\xff\xfe" "a\0 \0" "0\0", 8);
    fails(PEFT_E_FORMAT, "UTF-8", peft_dataset_open_list(io_ctx, in_folder("l/wide.txt"), NULL, 0, &d));
}
END_TEST

/* A log function that copies warnings to user, a buffer of 300 bytes. */
static void keep_message(int level, const char *message, void *user)
{
    ck_assert_int_eq(level, 1);
    snprintf(user, 300, "%s", message);
}

/* A class without samples below the largest label gives a warning, unless the caller gives the number of classes. */
START_TEST(a_class_without_samples_gives_a_warning)
{
    static const struct { const char *text, *word; } cases[] = {
        { "a 1\nb 2\n", "no sample has class 0, but" }, { "a 0\nb 7\n", "class 1 (and others)" },
        { "a 0\nb 1\n", "" } };
    char message[300];
    peft_dataset *d;
    ok(peft_context_set_log(io_ctx, keep_message, message, 1));
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        *message = 0;
        ok(open_text(cases[i].text, &d));
        ck_assert_msg(*cases[i].word ? strstr(message, cases[i].word) != NULL : !*message, "list '%s' logged '%s'",
                      cases[i].text, message);
        peft_dataset_free(d);
    }
    *message = 0;
    write_bytes(in_folder("l/list.txt"), "a 1\n", 4);
    ok(peft_dataset_open_list(io_ctx, in_folder("l/list.txt"), NULL, 3, &d));
    ck_assert_str_eq(message, "");
    ck_assert_int_eq(peft_dataset_classes(d), 3);
    peft_dataset_free(d);
}
END_TEST

START_TEST(names_are_relative_to_the_given_folder)
{
    static const struct { const char *folder, *name; } cases[] = {
        { "", "a.png" }, { ".", "./a.png" }, { "/x", "/x/a.png" } };
    peft_dataset *d;
    write_bytes(in_folder("l/list.txt"), "a.png 0\n", 8);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        ok(peft_dataset_open_list(io_ctx, in_folder("l/list.txt"), cases[i].folder, 0, &d));
        ck_assert_str_eq(peft_dataset_name(d, 0), cases[i].name);
        peft_dataset_free(d);
    }
}
END_TEST

/* The largest label of a list of a few bytes takes 16 bytes a class. */
START_TEST(the_largest_label_takes_little_memory)
{
    failing_alloc f = { .fail_at = -1 };
    peft_context *ctx;
    peft_dataset *d;
    write_bytes(in_folder("l/list.txt"), "a 1048575\n", 10);
    ok(peft_context_create(failing_alloc_take, failing_alloc_give, &f, &ctx));
    const long blocks = f.blocks;
    ok(peft_context_set_log(ctx, NULL, NULL, 0));
    ok(peft_dataset_open_list(ctx, in_folder("l/list.txt"), NULL, 0, &d));
    ck_assert_int_eq(peft_dataset_classes(d), 1 << 20);
    ck_assert_str_eq(peft_dataset_class_name(d, 0), "0");
    ck_assert_str_eq(peft_dataset_class_name(d, 1048575), "1048575");
    ck_assert_uint_le(f.bytes, 17 << 20);
    ck_assert_int_le(f.blocks - blocks, 20);
    peft_dataset_free(d);
    peft_context_free(ctx);
    ck_assert_int_eq(f.blocks, 0);
}
END_TEST

IO_SUITE_MAIN("list", every_accepted_syntax_gives_names_and_labels, a_wrong_line_is_refused_with_its_number,
              a_class_without_samples_gives_a_warning, names_are_relative_to_the_given_folder,
              the_largest_label_takes_little_memory)
