/* SPDX-License-Identifier: Apache-2.0
 * test_case_figures.c -- the file of figures by case of the programs (examples/common/segment/figures): what is written
 * is read again, patients are numbered, and damaged files are refused with their line. */
#include "common/files/text_file.h"
#include "common/segment/figures/case_figures.h"
#include "suite.h"
#include <math.h>
#include <peft/file.h>
#include <sys/wait.h>
#include <unistd.h>

enum { CASES = 3, CLASSES = 2 };
#define HEADING "case,patient,class,pixels_truth,pixels_predicted,dice,iou,precision,recall,hd95,surface_distance," \
    "unit,images\n"

static char path[64];

static const char *new_path(void)
{
    strcpy(path, "/tmp/case_figures_XXXXXX");
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    return path;
}

static case_table example(void)
{
    static const char *const name[CASES] = { "a,1.png", "b \"2\".png", "c.nii.gz" };
    static const char *const patient[CASES] = { "p2", NULL, "p2" };
    case_table f = make_case_figures(CASES, CLASSES);
    f.class_name[0] = strdup("tissue");
    f.class_name[1] = strdup("lesion, small");
    for (; f.cases < CASES; f.cases++) {
        f.name[f.cases] = strdup(name[f.cases]);
        f.patient[f.cases] = patient[f.cases] ? strdup(patient[f.cases]) : NULL;
        f.millimetres[f.cases] = f.cases != 1;
        f.images[f.cases] = f.cases + 1;
        for (int64_t c = 0; c < CLASSES; c++) {
            const int64_t at = f.cases * CLASSES + c;
            f.truth[at] = 10 + at;
            f.predicted[at] = 20 + at;
            for (int k = 0; k < CASE_KINDS; k++) f.value[k][at] = (double)(k + 1) / (double)(at + 7);
        }
    }
    f.value[CASE_DICE][1] = NAN;
    f.value[CASE_HD95][3] = INFINITY;
    f.value[CASE_SURFACE_DISTANCE][5] = 123.5;
    return f;
}

START_TEST(what_is_written_is_read)
{
    case_table f = example(), g;
    write_case_figures(&f, new_path());
    g = read_case_figures(path);
    ck_assert_int_eq(g.cases, CASES);
    ck_assert_int_eq(g.classes, CLASSES);
    ck_assert_int_eq(images_of_cases(&g), 6);
    for (int c = 0; c < CLASSES; c++) ck_assert_str_eq(g.class_name[c], f.class_name[c]);
    for (int i = 0; i < CASES; i++) {
        ck_assert_str_eq(g.name[i], f.name[i]);
        ck_assert_int_eq(!g.patient[i], !f.patient[i]);
        if (g.patient[i]) ck_assert_str_eq(g.patient[i], f.patient[i]);
        ck_assert_int_eq(g.millimetres[i], f.millimetres[i]);
        ck_assert_int_eq(g.images[i], i + 1);
    }
    for (int at = 0; at < CASES * CLASSES; at++) {
        ck_assert_int_eq(g.truth[at], f.truth[at]);
        ck_assert_int_eq(g.predicted[at], f.predicted[at]);
        for (int k = 0; k < CASE_KINDS; k++) {
            const double want = f.value[k][at], got = g.value[k][at];
            ck_assert(isnan(want) ? isnan(got) : isinf(want) ? isinf(got) : fabs(got - want) <= 1e-8 * want);
        }
    }
    char *text = read_text_file(path, NULL);
    ck_assert(!strncmp(text, HEADING, strlen(HEADING)));
    ck_assert_ptr_nonnull(strstr(text, "\"a,1.png\",p2,\"lesion, small\",11,21,,0.25,0.375,0.5,"));
    ck_assert_ptr_nonnull(strstr(text, ",inf,"));
    free(text);
    free_case_figures(&g);
    free_case_figures(&f);
    unlink(path);
}
END_TEST

START_TEST(patients_are_numbered)
{
    case_table f = example();
    int64_t *number = patients_of_cases(&f);
    ck_assert(number[0] == 0 && number[1] == -1 && number[2] == 0);
    free(number);
    free(f.patient[0]);
    f.patient[0] = strdup("p3");
    number = patients_of_cases(&f);
    ck_assert(number[0] == 1 && number[1] == -1 && number[2] == 0);
    free(number);
    for (int i = 0; i < CASES; i++) {
        free(f.patient[i]);
        f.patient[i] = NULL;
    }
    ck_assert_ptr_null(patients_of_cases(&f));
    free_case_figures(&f);
}
END_TEST

/* A child that reads a file of this text ends with an error that has the words. */
static void refused(const char *text, const char *words)
{
    int ends[2], status;
    char message[1000] = "";
    ck_assert_int_eq(peft_write_file(new_path(), text, strlen(text)), PEFT_OK);
    ck_assert_int_eq(pipe(ends), 0);
    const pid_t child = fork();
    if (!child) {
        dup2(ends[1], STDERR_FILENO);
        read_case_figures(path);
        _exit(0);
    }
    close(ends[1]);
    for (ssize_t n, at = 0; (n = read(ends[0], message + at, sizeof message - 1 - (size_t)at)) > 0; at += n) { }
    close(ends[0]);
    waitpid(child, &status, 0);
    unlink(path);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 1, "accepted: %s", text);
    ck_assert_msg(strstr(message, words) != NULL, "'%s' lacks '%s'", message, words);
}

START_TEST(damage_is_refused)
{
#define A "a.png,,x,5,6,0.5,0.5,0.5,0.5,1,1,mm,1\n"
    static const struct { const char *text, *words; } damaged[] = {
        { "", "column 1 is ''" },
        { "image,width\n", "column 1 is 'image', expected 'case'" },
        { HEADING, "no cases" },
        { HEADING "a.png,,x,5\n", ":2: has fewer" },
        { HEADING "a.png,,x,5,6,0.5,0.5,0.5,0.5,1,1,mm,1,9\n", ":2: has more" },
        { HEADING "a.png,,x,5,6,1.5,0.5,0.5,0.5,1,1,mm,1\n", ":2: dice is '1.5', expected a number from 0 to 1" },
        { HEADING "a.png,,x,5,6,0.5,0.5,0.5,0.5,nan,1,mm,1\n", ":2: hd95 is 'nan'" },
        { HEADING "a.png,,x,,6,0.5,0.5,0.5,0.5,1,1,mm,1\n", ":2: pixels_truth is ''" },
        { HEADING "a.png,,x,5,6.5,0.5,0.5,0.5,0.5,1,1,mm,1\n", ":2: pixels_predicted is '6.5', expected a whole" },
        { HEADING "a.png,,x,5,6,0.5,0.5,0.5,0.5,1,1,cm,1\n", ":2: unit is 'cm'" },
        { HEADING A "b.png,,y,5,6,0.5,0.5,0.5,0.5,1,1,mm,1\n", ":3: is of class 'y' of case 'b.png'; expected class" },
        { HEADING A "a.png,,y,5,6,0.5,0.5,0.5,0.5,1,1,px,1\n", ":3: patient or unit" },
        { HEADING A "a.png,,y,5,6,0.5,0.5,0.5,0.5,1,1,mm,1\nb.png,,x,5,6,0.5,0.5,0.5,0.5,1,1,mm,1\n", "class 'y'" },
        { HEADING "a.png,,x,5,6,0.5,0.5,0.5,0.5,1,1,mm,0\n", ":2: images is '0'" },
        { HEADING "a.png,,x,5,6,0.5,0.5,0.5,0.5,1,1,mm,\n", ":2: images is ''" },
        { HEADING A "a.png,,y,5,6,0.5,0.5,0.5,0.5,1,1,mm,2\n", ":3: images is another number" },
        { HEADING A A, "two cases named 'a.png'" } };
#undef A
    for (size_t i = 0; i < sizeof damaged / sizeof *damaged; i++) refused(damaged[i].text, damaged[i].words);
}
END_TEST

SUITE_MAIN("case_figures", what_is_written_is_read, patients_are_numbered, damage_is_refused)
