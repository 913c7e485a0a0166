/* SPDX-License-Identifier: Apache-2.0
 * test_hints.c -- tables that can be read but may be meant otherwise: warnings of patients that differ in form, of
 * columns that look like patients, of labels that look like ids, of overlapping splits; files that are no tables, and
 * pictures whose names nearly agree. */
#include "table_files.h"
#include <peft/io.h>
#include <stdbool.h>

/* The messages since the table was opened have each part of words (separated by "|"), of which "!x" must not be
 * there. */
static void warned(const char *words)
{
    char copy[400], *next = NULL;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, "|", &next); word; word = strtok_r(NULL, "|", &next)) {
        const bool wanted = *word != '!';
        ck_assert_msg((strstr(table_log, word + !wanted) != NULL) == wanted, "'%s' in: %s", word, table_log);
    }
}

START_TEST(patients_that_differ_in_form_are_named)
{
    touch("a.png b.png c.png");
    reads("image,label,patient\na.png,x,0003\nb.png,y,3\nc.png,x,4\n", NULL, NULL,
          "x,y; a.png=0/0003 b.png=1/3 c.png=0/4");
    warned("1: |'0003' and '3' count as two patients|write each patient in one form");
    reads("image,label,patient\na.png,x,P07\nb.png,y,p7\nc.png,x,P70\n", NULL, NULL,
          "x,y; a.png=0/P07 b.png=1/p7 c.png=0/P70");
    warned("'P07' and 'p7' count as two|!'P70'");
    reads("image,label,patient\na.png,x,k\xc2\xa0\nb.png,y,k\nc.png,x,10\n", NULL, NULL,
          "x,y; a.png=0/k\xc2\xa0 b.png=1/k c.png=0/10");
    warned("' and 'k|count as two patients");
    reads("image,label,patient\na.png,x,10\nb.png,y,1\nc.png,x,100\n", NULL, NULL,
          "x,y; a.png=0/10 b.png=1/1 c.png=0/100");
    warned("!count as two patients");
}
END_TEST

/* Each split alone has one form of the patient. */
START_TEST(patients_of_two_sets_that_differ_in_form_are_named)
{
    static const char table[] = "image,label,patient,split\na.png,x,0003,train\nb.png,y,3,test\n";
    peft_dataset *train, *test;
    int64_t count;
    touch("a.png b.png");
    ok(open_text(table, "train", NULL, &train));
    ok(open_text(table, "test", NULL, &test));
    warned("!count as two patients");
    ok(peft_dataset_shared_groups(train, test, 0, NULL, NULL, &count));
    ck_assert_int_eq(count, 0);
    warned("two data sets: '0003' and '3' count as two patients");
    peft_dataset_free(train);
    peft_dataset_free(test);
}
END_TEST

START_TEST(names_that_give_similar_patients_are_named)
{
    peft_dataset *d, *grouped;
    touch("P1_a.png p01_b.png");
    ok(open_text("image,label\nP1_a.png,x\np01_b.png,y\n", NULL, NULL, &d));
    ok(peft_dataset_with_groups(d, "(*)_*", &grouped));
    warned("'P1' and 'p01' count as two patients");
    peft_dataset_free(grouped);
    peft_dataset_free(d);
}
END_TEST

START_TEST(columns_that_look_like_patients_are_named)
{
    static const char *const like[] = { "MRN", "PatientName", "Patient code", "subject key", "Case number",
                                        "Fallnummer", "Fall-Nr.", "Pat", "subj_id" };
    static const char *const other[] = { "PatientAge", "patient sex", "site", "fname2", "patch", "waterfall" };
    char table[200], text[80];
    touch("a.png b.png");
    for (size_t i = 0; i < sizeof like / sizeof *like; i++) {
        snprintf(table, sizeof table, "image,label,%s\na.png,x,1\nb.png,y,2\n", like[i]);
        reads(table, NULL, NULL, "x,y; a.png=0 b.png=1");
        snprintf(text, sizeof text, "1: |column '%s'|--table 'patient=%s'|--patients", like[i], like[i]);
        warned(text);
        reads(table, NULL, "patient=none", "x,y; a.png=0 b.png=1");
        warned("!no column of patients");
    }
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        snprintf(table, sizeof table, "image,label,%s\na.png,x,1\nb.png,y,2\n", other[i]);
        reads(table, NULL, NULL, "x,y; a.png=0 b.png=1");
        warned("!no column of patients");
    }
    reads("image,MRN\na.png,1\nb.png,2\n", NULL, "labels=none", "unlabelled; a.png=0 b.png=0");
    warned("!no column of patients");
}
END_TEST

START_TEST(common_names_of_patients_are_known)
{
    static const char *const names[] = { "PatNr", "Pat.-Nr.", "Patientennr", "Patienten-Nummer", "Patienten-ID",
                                         "pat_nr", "Pat No", "pid", "subject_id", "case_id" };
    char table[200];
    touch("a.png b.png");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(table, sizeof table, "image,label,%s\na.png,x,P\nb.png,y,Q\n", names[i]);
        reads(table, NULL, NULL, "x,y; a.png=0/P b.png=1/Q");
    }
}
END_TEST

START_TEST(overlapping_splits_are_refused)
{
    static const char table[] = "image,label,fold\na.png,x,0\nb.png,y,2\n", none[] = "image,label\na.png,x\n";
    touch("a.png b.png");
    refuses(PEFT_E_OPTION, "'2' is in train=0:1:2 and in test=2:3|one split", table, "train", "train=0:1:2,test=2:3");
    refuses(PEFT_E_OPTION, "'3' is in val=3 and in test=2:3", table, "train", "train=0,val=3,test=2:3");
    refuses(PEFT_E_FORMAT, "train=, val= or test= is given|give split=COLUMN", none, NULL, "train=0,test=1");
}
END_TEST

START_TEST(columns_that_are_labels_by_default_are_named)
{
    static const char table[] = "image,edema,sex\na.png,1,1\nb.png,0,1\n";
    touch("a.png b.png");
    reads(table, NULL, NULL, "edema,sex; a.png=1:1 b.png=0:1");
    warned("1: |several labels, the 2 columns of 0 and 1 'edema', 'sex'|label=COLUMN:COLUMN");
    reads(table, NULL, "labels=all", "edema,sex; a.png=1:1 b.png=0:1");
    warned("!several labels, the 2");
    reads(table, NULL, "label=edema:sex", "edema,sex; a.png=1:1 b.png=0:1");
    warned("!several labels, the 2");
}
END_TEST

/* A table of 12 pictures, whose labels are k % classes. */
static const char *twelve(int classes)
{
    static char text[600];
    size_t n = (size_t)sprintf(text, "image,label\n");
    for (int k = 0; k < 12; k++) {
        char name[20];
        sprintf(name, "n%d.png", k);
        touch(name);
        n += (size_t)sprintf(text + n, "%s,c%d\n", name, k % classes);
    }
    return text;
}

START_TEST(ids_are_not_taken_for_labels)
{
    peft_dataset *d;
    refuses(PEFT_E_FORMAT, "every one of the 12 rows has another label in column 'label'|label=COLUMN|classes=A:B",
            twelve(12), NULL, NULL);
    ok(open_text(twelve(12), NULL, "classes=c0:c1:c2:c3:c4:c5:c6:c7:c8:c9:c10:c11", &d));
    peft_dataset_free(d);
    ok(open_text(twelve(9), NULL, NULL, &d));
    warned("column 'label' has 9 different labels in 12 rows, as if it were an id");
    peft_dataset_free(d);
    ok(open_text(twelve(6), NULL, NULL, &d));
    warned("!as if it were an id");
    peft_dataset_free(d);
}
END_TEST

START_TEST(other_files_than_tables_are_named)
{
    static const char wide[] = "i\0m\0a\0g\0e\0,\0l\0a\0b\0e\0l\0\n\0a\0.\0p\0n\0g\0,\0\xe4\0\n\0";
    static const struct { const char *bytes; size_t size; const char *words; } sheet[] = {
        { "PK\3\4\x14\0\6\0\x08\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\x13\0\0\0[Content_Types].xml", 49,
          "Excel workbook (.xlsx)" },
        { "PK\3\4\x14\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0docProps/app.xml", 46,
          "Excel workbook (.xlsx)" },
        { "PK\3\4\x14\0\0\0\0\0\0\0\x21\0\0\0\0\0\0\0\0\0\0\0\0\0\x08\0\0\0mimetypeapplication/vnd.oasis.opendocument."
          "spreadsheet", 84, "OpenDocument spreadsheet (.ods)" },
        { "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1\0\0\0\0", 12, "old Excel workbook (.xls)" } };
    peft_dataset *d;
    touch("a.png");
    for (size_t i = 0; i < sizeof sheet / sizeof *sheet; i++)
        for (int as_table = 0; as_table < 2; as_table++) {
            ck_assert_int_eq(open_bytes(sheet[i].bytes, sheet[i].size, NULL, as_table ? "path=image" : NULL, &d),
                             PEFT_E_FORMAT);
            ck_assert_msg(strstr(peft_last_error(), sheet[i].words) && strstr(peft_last_error(),
                                                                              "save the table as CSV"),
                          "%s", peft_last_error());
        }
    reads_bytes(wide, sizeof wide - 1, NULL, NULL, "\xc3\xa4; a.png=0");
    warned("UTF-16 without a byte order mark");
    reads_bytes("\0i\0m\0g\0,\0l\0a\0b\0e\0l\0\n\0a\0.\0p\0n\0g\0,\0x", 34, NULL, NULL, "x; a.png=0");
    refuses(PEFT_E_FORMAT, "'Bild;Befund' are the names of a table's columns|path=#1,label=#2",
            "Bild;Befund\na.png;x\n",
            NULL, NULL);
}
END_TEST

/* The first line could also be that of a list, of the picture "patient;file;Befund 1;Befund" and the class 2. */
START_TEST(a_heading_that_ends_in_a_number_is_that_of_a_table)
{
    touch("a.png b.png image image,a.1");
    reads("patient;file;Befund 1;Befund 2\nP;a.png;1;0\nQ;b.png;1;1\n", NULL, NULL,
          "Befund 1,Befund 2; a.png=1:0/P b.png=1:1/Q");
    reads("\xef\xbb\xbf" "file,Befund 1,Befund 2\r\na.png,1,0\r\nb.png,1,1\r\n", NULL, NULL,
          "Befund 1,Befund 2; a.png=1:0 b.png=1:1");
    reads("image,1\n", NULL, NULL, "0,1; image=1");
    reads("image 0,1\n", NULL, NULL, "0,1; image=0:1");
    reads("image,a.1 1\n", NULL, NULL, "0,1; image,a.1=1");
}
END_TEST

START_TEST(repeated_lines_of_a_list_are_named)
{
    touch("a.png b.png");
    reads("a.png 0\nb.png 1\na.png 0\n", NULL, NULL, "0,1; a.png=0 b.png=1 a.png=0");
    warned("1: |1 lines repeat a picture, such as line 3|training and test alike");
    reads("a.png 0\nb.png 0\n", NULL, NULL, "0; a.png=0 b.png=0");
    warned("!repeat a picture");
}
END_TEST

START_TEST(files_whose_names_nearly_agree_are_named)
{
    touch("one.JPG two.jpeg three.png");
    refuses(PEFT_E_IO, "1 of 1 pictures do not exist|There is |one.JPG: names must agree in upper and lower case",
            "image,label\nOne.jpg,x\n", NULL, NULL);
    refuses(PEFT_E_IO, "There is |two.jpeg: names must agree", "image,label\ntwo.jpg,x\n", NULL, NULL);
    refuses(PEFT_E_IO, "ending=.png", "image,label\nthree,x\n", NULL, NULL);
}
END_TEST

IO_SUITE_MAIN("table hints", patients_that_differ_in_form_are_named, patients_of_two_sets_that_differ_in_form_are_named,
              names_that_give_similar_patients_are_named, columns_that_look_like_patients_are_named,
              common_names_of_patients_are_known,
              overlapping_splits_are_refused, columns_that_are_labels_by_default_are_named,
              ids_are_not_taken_for_labels, other_files_than_tables_are_named,
              a_heading_that_ends_in_a_number_is_that_of_a_table, repeated_lines_of_a_list_are_named,
              files_whose_names_nearly_agree_are_named)
