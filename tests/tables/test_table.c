/* SPDX-License-Identifier: Apache-2.0
 * test_table.c -- the syntax of tables: encodings, separators, quotes, line ends; which files are tables; columns. */
#include "failing_alloc.h"
#include "table_files.h"
#include <peft/io.h>

START_TEST(every_separator_and_quote_gives_cells)
{
    static const char *const tables[] = {
        "image,label\na.png,x\nb.png,y\n", "image;label\na.png;x\nb.png;y", "image\tlabel\na.png\tx\nb.png\ty\n",
        "image,label\r\na.png,x\r\nb.png,y\r\n", "image,label\ra.png,x\rb.png,y\r",
        "sep=;\nimage;label\na.png;x\nb.png;y\n",
        "sep=|\nimage|label\na.png|x\nb.png|y\n", "\"sep=;\"\r\nimage;label\r\na.png;x\r\nb.png;y\r\n",
        "\xef\xbb\xbfimage,label\na.png,x\nb.png,y\n", "\"image\",\"label\"\n\"a.png\",\"x\"\n\"b.png\" , \"y\"\n",
        "image , label\n a.png , x \n\tb.png,y\n", "\n\nimage,label\n\na.png,x\n,\nb.png,y\n,,\n",
        "# made by hand\nimage,label\na.png,x\nb.png,y\n", "label,image\nx,a.png\ny,b.png\n",
        "image,label,,\na.png,x,,\nb.png,y\n", "image,note,label\na.png,\"1,5 \"\"mm\"\"\n\nx\",x\nb.png,,y\n",
        "Image Index;Age;Finding Labels\na.png;3,5;x\nb.png;4,5;y\n" };
    touch("a.png b.png");
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++) reads(tables[i], NULL, NULL, "x,y; a.png=0 b.png=1");
    reads("a,b\na.png,x\n", NULL, "path=a,label=b", "x; a.png=0");
    reads("image;a,b,c,d;label\na.png;1;x\n", NULL, "delimiter=semicolon", "x; a.png=0");
}
END_TEST

/* Writes text as UTF-16 with a byte order mark; characters of UTF-8 are those up to U+FFFF. Returns the size. */
static size_t utf16(const char *text, int big, unsigned char *to)
{
    size_t n = 0;
    unsigned c = 0xfeff;
    do {
        to[n + !big] = (unsigned char)(c >> 8);
        to[n + (size_t)big] = (unsigned char)c;
        n += 2;
        c = (unsigned char)*text;
        if (c >= 0xe0) c = (c & 15) << 12 | (text[1] & 63) << 6 | (text[2] & 63), text += 2;
        else if (c >= 0xc0) c = (c & 31) << 6 | (text[1] & 63), text++;
    } while (*text++);
    return n;
}

START_TEST(the_encoding_is_found)
{
    static const char table[] = "image\tlabel\na.png\tgutartig \xc3\xbc\nb.png\t\xe2\x82\xac\n";
    static const char windows[] = "image,label\na.png,gutartig \xfc\nb.png,\x80\n";
    static const char want[] = "gutartig \xc3\xbc,\xe2\x82\xac; a.png=0 b.png=1";
    unsigned char wide[400];
    touch("a.png b.png");
    reads(table, NULL, NULL, want);
    ck_assert_str_eq(table_log, "");
    for (int big = 0; big < 2; big++) reads_bytes(wide, utf16(table, big, wide), NULL, NULL, want);
    reads(windows, NULL, NULL, want);
    ck_assert_msg(strstr(table_log, "line 2 is not UTF-8; the table is read as Windows-1252") != NULL, "%s", table_log);
    refuses(PEFT_E_FORMAT, "0x81, which neither", "image,label\na.png,\x81\n", NULL, NULL);
    peft_dataset *d;
    fails(PEFT_E_FORMAT, "odd number of bytes", open_bytes(wide, utf16(table, 0, wide) - 1, NULL, NULL, &d));
    const size_t size = utf16("image,label\na.png,x\n", 0, wide);
    memcpy(wide + size - 4, "\x00\xd8", 2);
    fails(PEFT_E_FORMAT, "half a character", open_bytes(wide, size, NULL, "", &d));
    fails(PEFT_E_FORMAT, "zero byte", open_bytes("image,label\na.png,\0\n", 20, NULL, "", &d));
    reads_bytes("\xff\xfei\0d\0,\0l\0a\0b\0e\0l\0\n\0a\0.\0p\0n\0g\0,\0=\xd8\x00\xde\n\0", 38, NULL, NULL,
                "\xf0\x9f\x98\x80; a.png=0");
}
END_TEST

START_TEST(a_wrong_line_is_refused_with_its_number)
{
    static const struct { const char *table, *words; } bad[] = {
        { "image,label\na.png,x\nb.png\n", "line 3: 1 cells, but the first line has 2" },
        { "image,label\n\na.png,x,y\n", "line 3: 3 cells, but the first line has 2|quotes" },
        { "image,label\n\"a.png,x\n\n", "line 2: the quote of a cell is not closed" },
        { "image,label\n\"a\n\r\n.png\"b,x\n", "line 4: text behind the closing quote" },
        { "image,label\n\n", "one line, of column names or of a picture" },
        { "image,label\na.png,\n", "line 2: no label in column 'label'" },
        { "image,label\n,x\n", "line 2: no path in column 'image'" },
        { "image,label\na.png,x\nC:\\data\\b.png,y\n", "line 3: 'C:/data/b.png' is a path of Windows|strip=|folder=" },
        { "image,label\n\\\\pacs\\b.png,y\n", "is a path of Windows" },
        { "image,label\na.png,x\nb.png,y\na.png,y\n", "line 4: '|a.png' has another label than in line 2" },
        { "image,label\na.png,-1\nb.png,0\n", "line 2: label -1, expected numbers from 0 on" },
        { "image,label\na.png,\"x\ny\"\n", "class number 0: its name" },
        { "image,label\na.png,x\nb.png,y\nc.png,y\nd.png,y\ne.png,z\n",
          "4 of 5 pictures do not exist|b.png|c.png|d.png, .. (first in line 3)|folder=FOLDER|missing=skip" },
        { "image,label\nA 1,x\n", "1 of 1 pictures do not exist|ending=.png" },
    };
    touch("a.png");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(strstr(bad[i].words, "exist") ? PEFT_E_IO : PEFT_E_FORMAT, bad[i].words, bad[i].table, NULL, NULL);
    refuses(PEFT_E_FORMAT, "the table is empty", "\n \n", NULL, "");
}
END_TEST

START_TEST(columns_are_found_or_named)
{
    static const struct { const char *status, *words, *table, *options; } bad[] = {
        { "", "no column has a common name of the pictures' paths|the columns are 'a', 'b'|path=COLUMN", "a,b\n1,2\n",
          "" },
        { "", "may be in column 'label' or 'class'|label=COLUMN", "image,label,class\na.png,1,x\n", NULL },
        { "", "may be in column 'patient' or 'subject_id'|patient=COLUMN",
          "image,label,patient,subject_id\na.png,1,x,y\n",
          NULL },
        { "", "no column has a common name of labels|the columns are 'image', 'side', 'm'|label=m (columns of 0 and 1)",
          "image,side,m\na.png,left,1\n", NULL },
        { "", "no column has a common name of labels|or labels=none for pictures without labels",
          "image,side\na.png,left\n", NULL },
        { "", "option label=lable names no column|'image', 'label'", "image,label\na.png,x\n", "label=lable" },
        { "", "option label=label names 2 columns|#N", "image,label,label\na.png,x,y\n", "label=label" },
        { "", "option path=#3 names no column", "image,label\na.png,x\n", "path=#3" },
        { "option", "names the column 'm' twice", "image,m,n\na.png,0,1\n", "label=m:m" },
        { "option", "unknown option 'lable'; did you mean 'label'?", "image,label\na.png,x\n", "lable=x" },
        { "option", "option 'separator' is 'ab'; expected one character", "image,label\na.png,x\n", "separator=ab" },
        { "option", "exclude each other", "image,label\na.png,x\n", "label=label,labels=all" },
        { "option", "'missing' is 'no'; expected error or skip", "image,label\na.png,x\n", "missing=no" } };
    touch("a.png sub/a.png b.png");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        refuses(*bad[i].status ? PEFT_E_OPTION : PEFT_E_FORMAT, bad[i].words, bad[i].table, NULL, bad[i].options);
    reads("image_id,path,dx\n7,a.png,x\n", NULL, NULL, "x; a.png=0");
    reads("IMAGE,Class Name\na.png,x\n", NULL, NULL, "x; a.png=0");
    reads("image,label,class\na.png,1,x\n", NULL, "label=class", "x; a.png=0");
    reads("image,label,label\na.png,x,y\n", NULL, "label=#3", "y; a.png=0");
    reads("image,Label,class\na.png,x,1\n", NULL, "label=label", "x; a.png=0");
    reads("image,label\nsub\\a.png,x\n", NULL, NULL, "x; sub/a.png=0");
    reads("image,label\nD:\\s\\sub\\a.png,x\n", NULL, "strip=D:/s/", "x; sub/a.png=0");
    reads("image,label\nD:\\s\\sub\\a.png,x\n", NULL, "strip=\"D:\\\\s\\\\\"", "x; sub/a.png=0");
    reads("image_id,label\na,x\n", NULL, "ending=.png", "x; a.png=0");
    char options[200];
    snprintf(options, sizeof options, "folder=%s", in_folder("t/sub"));
    reads("image,label\na.png,x\n", NULL, options, "x; sub/a.png=0");
}
END_TEST

START_TEST(names_are_searched_in_the_folders_below)
{
    touch("images_001/images/a.png images_002/images/b.png images_002/images/c.png other/c.png");
    reads("image,label\na.png,x\nb.png,y\n", NULL, NULL, "x,y; images_001/images/a.png=0 images_002/images/b.png=1");
    ck_assert_msg(strstr(table_log, "2 pictures were found by their names in the folders below") != NULL, "%s",
                  table_log);
    refuses(PEFT_E_FORMAT, "line 2: 'c.png' is in several folders|folder=", "image,label\nc.png,x\n", NULL, NULL);
    refuses(PEFT_E_IO, "1 of 1 pictures do not exist", "image,label\nno/a.png,x\n", NULL, NULL);
}
END_TEST

START_TEST(missing_pictures_can_be_skipped)
{
    peft_dataset *d;
    touch("a.png");
    ok(open_text("image,label\na.png,x\nb.png,y\nc.png,x\n", NULL, "missing=skip", &d));
    ck_assert_str_eq(dataset_text(d), "x,y; a.png=0");
    ck_assert_str_eq(peft_dataset_skipped(d), "2 missing files");
    ck_assert_msg(strstr(table_log, "2 missing files left out: ") != NULL, "%s", table_log);
    peft_dataset_free(d);
    refuses(PEFT_E_IO, "1 of 1 pictures do not exist", "image,label\nb.png,y\n", NULL, "missing=skip");
    touch("folder/e.png");
    refuses(PEFT_E_IO, "1 of 2 pictures do not exist, or are folders|/folder (no regular file)",
            "image,label\na.png,x\nfolder,y\n", NULL, NULL);
}
END_TEST

/* A file that could be opened as a list still is one; a table is recognised by its column names. */
START_TEST(lists_stay_lists)
{
    touch("a.png image image,label");
    reads("image 0\n", NULL, NULL, "0; image=0");
    reads("image,label,1\na.png,0\n", NULL, NULL, "0,1; image,label=1 a.png=0");
    reads("image,0,1\na.png,1,0\n", NULL, NULL, "0,1; image=0:1 a.png=1:0");
    reads("image,0,1\na.png,1,0\n", NULL, "", "0,1; a.png=0");
    refuses(PEFT_E_FORMAT, "line 1: expected a name, then a blank", "scan,kind\na.png,x\n", NULL, NULL);
    refuses(PEFT_E_FORMAT, "line 2: a Windows path", "# l\nC:\\image.png 1\n", NULL, NULL);
    refuses(PEFT_E_FORMAT, "line 2: expected a name", "a.png 0\nimage,label\n", NULL, NULL);
    refuses(PEFT_E_NOTFOUND, "a list has no split", "a.png 0\n", "train", NULL);
    refuses(PEFT_E_FORMAT, "line 1: ", "\xef", NULL, NULL);   /* one byte of three of a byte order mark */
    refuses(PEFT_E_FORMAT, "line 1: ", "\xef\xbb", NULL, NULL);
    reads("\xef\xbb\xbfimage,label\na.png,x\n", NULL, NULL, "x; a.png=0");
}
END_TEST

static const char every_part[] = "image,label,patient,study,split\na.png,x|y,p,s,train\nb.png,No Finding,q,s,test\n"
                                 "d/c.png,y,q,u,train\nb.png,No Finding,q,s,test\n";

static peft_status open_every_part(peft_context *ctx, void *arg)
{
    peft_dataset *d;
    (void)arg;
    if (peft_context_set_log(ctx, NULL, NULL, 0)) return PEFT_E_INVALID;
    peft_status s = peft_dataset_open(ctx, in_folder("t/table.csv"), NULL, &d);
    if (!s) peft_dataset_free(d);
    return s;
}

START_TEST(failed_allocations_are_errors)
{
    touch("a.png sub/b.png d/c.png");
    write_bytes(in_folder("t/table.csv"), every_part, strlen(every_part));
    ck_assert_int_gt(failing_alloc_loop(open_every_part, NULL), 30);
}
END_TEST

IO_SUITE_MAIN("table", every_separator_and_quote_gives_cells, the_encoding_is_found,
              a_wrong_line_is_refused_with_its_number, columns_are_found_or_named,
              names_are_searched_in_the_folders_below, missing_pictures_can_be_skipped, lists_stay_lists,
              failed_allocations_are_errors)
