/* SPDX-License-Identifier: Apache-2.0
 * test_table_labels.c -- labels of tables: text, numbers, several in a cell, columns of 0 and 1; public layouts. */
#include "table_files.h"
#include <peft/io.h>

START_TEST(one_label_is_text_or_a_number)
{
    touch("a.png b.png c.png");
    reads("image,label\na.png,m\nb.png,B\nc.png,b\n", NULL, NULL, "B,b,m; a.png=2 b.png=0 c.png=1");
    ck_assert_msg(strstr(table_log, "'B' and 'b' are two classes, which differ in upper and lower case") != NULL, "%s",
                  table_log);
    reads("image,label\na.png,10\nb.png,9\nc.png,1\n", NULL, NULL, "1,9,10; a.png=2 b.png=1 c.png=0");
    reads("image,label\na.png,1.0\nb.png,01\nc.png,0\n", NULL, NULL, "0,1; a.png=1 b.png=1 c.png=0");
    reads("image,label\na.png,1\nb.png,x\nc.png,1\n", NULL, NULL, "1,x; a.png=0 b.png=1 c.png=0");
    reads("image,label\na.png,m\nb.png,b\n", NULL, "classes=m:b:z", "m,b,z; a.png=0 b.png=1");
    reads("image,label\na.png,1\nb.png,-1\n", NULL, "classes=-1:1", "-1,1; a.png=1 b.png=0");
    reads("image,label\na.png,No Finding\nb.png,x\n", NULL, NULL, "No Finding,x; a.png=0 b.png=1");
    reads("image,sex\na.png,m\nb.png,f\n", NULL, "labels=none", "unlabelled; a.png=0 b.png=0");
    refuses(PEFT_E_FORMAT, "line 3: label 'b' is not among the classes of option classes",
            "image,label\na.png,m\nb.png,b\n", NULL, "classes=m:n");
    refuses(PEFT_E_FORMAT, "two classes have the name 'm'", "image,label\na.png,m\n", NULL, "classes=m:m");
}
END_TEST

START_TEST(cells_may_have_several_labels)
{
    static const char table[] = "Image Index,Finding Labels\na.png,Mass|Edema\nb.png,No Finding\nc.png,Edema\n";
    touch("a.png b.png c.png");
    reads(table, NULL, NULL, "Edema,Mass; a.png=1:1 b.png=0:0 c.png=1:0");
    reads(table, NULL, "classes=Mass:Edema", "Mass,Edema; a.png=1:1 b.png=0:0 c.png=0:1");
    reads(table, NULL, "separator=none", "Edema,Mass|Edema,No Finding; a.png=1 b.png=2 c.png=0");
    reads(table, NULL, "none=", "Edema,Mass,No Finding; a.png=1:1:0 b.png=0:0:1 c.png=1:0:0");
    reads("image,label\na.png,x ; y\nb.png,x\n", NULL, "separator=;,delimiter=comma", "x,y; a.png=1:1 b.png=1:0");
    reads("image,label\na.png,x\nb.png,x\n", NULL, "separator=|", "x; a.png=1 b.png=1");
    refuses(PEFT_E_FORMAT, "line 2: an empty label in 'x||y'", "image,label\na.png,x||y\n", NULL, NULL);
    refuses(PEFT_E_FORMAT, "line 2: an empty label in ''|No Finding", "image,label\na.png,\nb.png,x|y\n", NULL, NULL);
    refuses(PEFT_E_FORMAT, "line 3: 'No Finding' beside other labels", "image,label\na.png,x\nb.png,x|No Finding\n",
            NULL,
            NULL);
    refuses(PEFT_E_FORMAT, "no row has a label", "image,label\na.png,No Finding\n", NULL, "separator=|");
    refuses(PEFT_E_FORMAT, "label 'Mass' is not among the classes", table, NULL, "classes=Edema");
}
END_TEST

/* Free text in the column: every row is a class, and rows times classes would need more than the limit of 1 GiB. */
START_TEST(texts_are_not_taken_for_billions_of_targets)
{
    enum { ROWS = 33000 };
    char *text = malloc(32 * ROWS);
    size_t n = (size_t)sprintf(text, "image,label\na.png,x|y\n");
    for (int i = 0; i < ROWS; i++) n += (size_t)sprintf(text + n, "a.png,text %d\n", i);
    refuses(PEFT_E_UNSUPPORTED, "33001 rows with 33002 different labels in column 'label'|limit is 1073741824|"
            "separator=none", text, NULL, NULL);
    free(text);
}
END_TEST

START_TEST(one_column_of_0_and_1_is_a_label_or_a_target)
{
    static const char table[] = "image,edema\na.png,1\nb.png,0\n", gaps[] = "image,edema\na.png,1\nb.png,\nc.png,-1\n";
    touch("a.png b.png c.png");
    reads(table, NULL, "label=edema", "0,1; a.png=1 b.png=0");
    reads(table, NULL, "labels=all", "edema; a.png=1 b.png=0");
    reads(gaps, NULL, "labels=all", "edema; a.png=1 b.png=-1 c.png=-1");
    reads(gaps, NULL, "labels=all,blank=0,uncertain=1", "edema; a.png=1 b.png=0 c.png=1");
    refuses(PEFT_E_FORMAT, "line 2: column 'edema' has 'x', expected 0, 1, -1", "image,edema\na.png,x\n", NULL,
            "labels=all");
    refuses(PEFT_E_FORMAT, "line 3: no label in column 'edema'", gaps, NULL, "label=edema");
}
END_TEST

START_TEST(columns_of_0_and_1_are_several_labels_or_one)
{
    touch("a.png b.png");
    reads("image,p,q\na.png,1,1\nb.png,0,1\n", NULL, NULL, "p,q; a.png=1:1 b.png=0:1");
    reads("image,p,q\na.png,1,0\nb.png,0,1\n", NULL, NULL, "p,q; a.png=0 b.png=1");
    ck_assert_msg(strstr(table_log, "every row has exactly one 1") != NULL, "%s", table_log);
    reads("image,p,q\na.png,1,0\nb.png,0,1\n", NULL, "onehot=false", "p,q; a.png=1:0 b.png=0:1");
    reads("image,p,q\na.png,1.0,0.0\nb.png,TRUE,false\n", NULL, NULL, "p,q; a.png=0 b.png=0");
    reads("image,sex,q,p\na.png,m,1,0\nb.png,m,0,0\n", NULL, "label=p:q", "p,q; a.png=0:1 b.png=0:0");
    reads("image,p,q\na.png,-1,\nb.png,1,nan\n", NULL, "labels=all", "p,q; a.png=-1:-1 b.png=1:-1");
    ck_assert_msg(strstr(table_log, "2 are empty and 1 are -1") != NULL, "%s", table_log);
    reads("image,p,q\na.png,-1,\nb.png,1,1\n", NULL, "blank=0,uncertain=1", "p,q; a.png=1:0 b.png=1:1");
    reads("image,p,q\na.png,-1.0,\nb.png,,1\n", NULL, "blank=0,uncertain=1", "p,q; a.png=0 b.png=1");
    reads("image,p,q\na.png,,0\nb.png,1,-1\n", NULL, "blank=1,uncertain=0", "p,q; a.png=0 b.png=0");
    reads("image,p,q,split\na.png,1,1,train\nb.png,0,1,test\n", "test", "labels=all", "p,q; b.png=0:1");
    refuses(PEFT_E_FORMAT, "line 3: column 'q' is empty, and option blank=error", "image,p,q\na.png,1,1\nb.png,1,\n",
            NULL,
            "blank=error");
    refuses(PEFT_E_FORMAT, "line 3: column 'q' has '2', expected 0, 1, -1", "image,p,q\na.png,1,1\nb.png,1,2\n", NULL,
            "labels=all");
    refuses(PEFT_E_FORMAT, "two classes have the name 'p'", "image,p,p\na.png,1,1\nb.png,1,0\n", NULL, "label=#2:#3");
    refuses(PEFT_E_OPTION, "'classes' has no meaning for labels in several columns", "image,p,q\na.png,1,1\n", NULL,
            "classes=q:p");
    refuses(PEFT_E_FORMAT, "label=p (columns of 0 and 1)", "image,p,age\na.png,1,61\n", NULL, NULL);
}
END_TEST

/* The first lines of public data sets, with files of those names beside them. */
START_TEST(public_layouts_open_by_the_defaults)
{
    static const char chest14[] =
        "Image Index,Finding Labels,Follow-up #,Patient ID,Patient Age,Patient Gender,View Position,"
        "OriginalImage[Width,Height],OriginalImagePixelSpacing[x,y],\n"
        "00000001_000.png,Cardiomegaly,0,1,058Y,M,PA,2682,2749,0.143,0.143,\n"
        "00000001_001.png,Cardiomegaly|Emphysema,1,1,058Y,M,PA,2894,2729,0.143,0.143,\n"
        "00000002_000.png,No Finding,0,2,081Y,M,PA,2500,2048,0.171,0.171,\n";
    touch("images_001/images/00000001_000.png images_001/images/00000001_001.png images_001/images/00000002_000.png");
    write_bytes(in_folder("t/train_val_list.txt"), "00000001_000.png\n00000001_001.png", 33);
    write_bytes(in_folder("t/test_list.txt"), "00000002_000.png\r\n", 18);
#define AT " images_001/images/"
    reads(chest14, "train", NULL, "Cardiomegaly,Emphysema;" AT "00000001_000.png=1:0/1" AT "00000001_001.png=1:1/1");
    reads(chest14, "test", NULL, "Cardiomegaly,Emphysema;" AT "00000002_000.png=0:0/2");
#undef AT
    refuses(PEFT_E_NOTFOUND, "no row is of the split 'val'", chest14, "val", NULL);
    refuses(PEFT_E_NOTFOUND, "no column of splits", chest14, "train", "split=none");
    write_bytes(in_folder("t/test_list.txt"), "\n", 1);
    refuses(PEFT_E_FORMAT, "test_list.txt: the list is empty|split=none", chest14, "train", NULL);
    write_bytes(in_folder("t/test_list.txt"), " 00000002_000.png\t\r\na,\"b\n", 25);      /* lines, and no cells */
    reads(chest14, "test", NULL, "Cardiomegaly,Emphysema; images_001/images/00000002_000.png=0:0/2");

    static const char chexpert[] =
        "Path,Sex,Age,Frontal/Lateral,AP/PA,No Finding,Edema,Pleural Other\n"
        "CheXpert-v1.0-small/train/patient00001/study1/view1_frontal.jpg,Female,68,Frontal,AP,1.0,,0.0\n"
        "CheXpert-v1.0-small/train/patient00002/study2/view1_frontal.jpg,Male,87,Frontal,AP,,-1.0,1.0\n";
    touch("train/patient00001/study1/view1_frontal.jpg train/patient00002/study2/view1_frontal.jpg");
    reads(chexpert, NULL, "strip=CheXpert-v1.0-small/,label=No Finding:Edema:Pleural Other,blank=0,uncertain=-1",
          "No Finding,Edema,Pleural Other; train/patient00001/study1/view1_frontal.jpg=1:0:0 "
          "train/patient00002/study2/view1_frontal.jpg=0:-1:1");

    touch("ISIC_0000000.jpg ISIC_0000001.jpg");
    reads("image,MEL,NV,BCC\nISIC_0000000,0.0,1.0,0.0\nISIC_0000001,1.0,0.0,0.0\n", NULL, "ending=.jpg",
          "MEL,NV,BCC; ISIC_0000000.jpg=1 ISIC_0000001.jpg=0");
    reads("lesion_id,image_id,dx,dx_type,age,sex\nHAM_1,ISIC_0000000,bkl,histo,80.0,male\n"
          "HAM_1,ISIC_0000001,bkl,histo,80.0,male\n", NULL, "ending=.jpg",
          "bkl; ISIC_0000000.jpg=0/HAM_1 ISIC_0000001.jpg=0/HAM_1");
    reads("id_code,diagnosis\nISIC_0000000,2\nISIC_0000001,0\n", NULL, "ending=.jpg",
          "0,2; ISIC_0000000.jpg=1 ISIC_0000001.jpg=0");
    touch("1.2.dcm");
    reads("patientId,Target\n1.2,1\n", NULL, "path=patientId,ending=.dcm", "1; 1.2.dcm=0/1.2");
}
END_TEST

START_TEST(medfmc_lists_open)
{
    touch("a.png b.png");
    reads("a.png 0,1,0\nb.png 1,0,0\n", NULL, NULL, "0,1,2; a.png=0:1:0 b.png=1:0:0");
    reads("a.png 0\nb.png 1\n", NULL, NULL, "0,1; a.png=0 b.png=1");
    reads("img_id,pleural_effusion,nodule\na.png,1,1\nb.png,0,0\n", NULL, NULL,
          "pleural_effusion,nodule; a.png=1:1 b.png=0:0");
}
END_TEST

START_TEST(every_option_has_a_row)
{
    static const char *const names[] = {
        "path", "label", "patient", "study", "split", "labels", "folder", "strip", "ending", "missing", "classes",
        "separator", "none", "blank", "uncertain", "onehot", "train", "val", "test", "delimiter", "mask" };
    size_t n = 0;
    for (; peft_dataset_table_option(n); n++) {
        ck_assert_uint_lt(n, sizeof names / sizeof *names);
        ck_assert_str_eq(peft_option_name(peft_dataset_table_option(n)), names[n]);
        ck_assert_str_ne(peft_option_help(peft_dataset_table_option(n)), "");
    }
    ck_assert_uint_eq(n, sizeof names / sizeof *names);
}
END_TEST

IO_SUITE_MAIN("table labels", one_label_is_text_or_a_number, cells_may_have_several_labels,
              texts_are_not_taken_for_billions_of_targets, one_column_of_0_and_1_is_a_label_or_a_target,
              columns_of_0_and_1_are_several_labels_or_one, public_layouts_open_by_the_defaults, medfmc_lists_open,
              every_option_has_a_row)
