/* SPDX-License-Identifier: Apache-2.0
 * test_groups.c -- patients and cases of data sets: from tables and from names; splits and draws that keep them apart;
 * patients in two sets. */
#include "failing_alloc.h"
#include "table_files.h"
#include <peft/io.h>
#include <stdbool.h>

START_TEST(tables_have_patients_cases_and_splits)
{
    static const char table[] = "image,label,patient,study,split\na.png,x,p,s,train\nb.png,y,q,s2,Testing\n"
                                "c.png,x,p,s3,valid\nd.png,y,,s2,train\n";
    touch("a.png b.png c.png d.png");
    reads(table, NULL, NULL, "x,y; a.png=0/p#s b.png=1/q#s2 c.png=0/p#s3 d.png=1/q#s2");
    reads(table, "train", NULL, "x,y; a.png=0/p#s d.png=1/q#s2");      /* the patient is in a line of another split */
    reads("image,label,patient\na.png,x,p\nb.png,y,\n", NULL, NULL, "x,y; a.png=0/p b.png=1/-");
    ck_assert_msg(strstr(table_log, "1 of 2 pictures have nothing in column 'patient'") != NULL, "%s", table_log);
    reads("image,label,patient,study\na.png,x,,s\nb.png,y,,s\nc.png,x,,\n", NULL, NULL,
          "x,y; a.png=0/s#s b.png=1/s#s c.png=0/-#-");
    reads("image,label,patient,study\na.png,x,p,s\nb.png,y,q,s\n", NULL, NULL, "x,y; a.png=0/p#p/s b.png=1/q#q/s");
    ck_assert_msg(strstr(table_log, "a study has pictures of several patients, such as 's'") != NULL, "%s", table_log);
    reads(table, "validation", NULL, "x,y; c.png=0/p#s3");
    reads(table, "test", "patient=none,study=none", "x,y; b.png=1");
    reads(table, "test", "patient=none", "x,y; b.png=1/s2#s2");
    reads("image,label,study\na.png,x,s\nb.png,y,\n", NULL, NULL, "x,y; a.png=0/s#s b.png=1/-#-");
    const char *warning = strstr(table_log, "have nothing in column 'study'");
    ck_assert_msg(warning && !strstr(warning + 1, "have nothing in column"), "not one warning: %s", table_log);
    reads("image,label,patient\na.png,x,12\na.png,x,12.0\n", NULL, NULL, "x; a.png=0/12");
    reads("image,label,patient\na.png,x,\na.png,x,\nb.png,x,7.0\n", NULL, NULL, "x; a.png=0/- b.png=0/7");
    refuses(PEFT_E_FORMAT, "another patient", "image,label,patient\na.png,x,12\na.png,x,12.05\n", NULL, NULL);
    reads("image,label,case\na.png,x,1\n", NULL, NULL, "x; a.png=0/1");
    reads("image,label,case,patient\na.png,x,1,7.0\n", NULL, NULL, "x; a.png=0/7#1");
    reads("image,label,fold\na.png,x,0\nb.png,y,4\nc.png,x,2\n", "train", "train=0:1:2,test=4", "x,y; a.png=0 c.png=0");
    reads("image,label,fold\na.png,x,0\nb.png,y,4\nc.png,x,2\n", "test", "train=0:1,test=4", "x,y; b.png=1");
    ck_assert_msg(strstr(table_log, "1 rows are in no split") != NULL, "%s", table_log);
    reads("image,label,fold\na.png,x,0\nb.png,y,4\n", NULL, NULL, "x,y; a.png=0 b.png=1");
    refuses(PEFT_E_FORMAT, "line 2: column 'fold' has '0', expected train, val or test|train=A:B|split=none",
            "image,label,fold\na.png,x,0\nb.png,y,4\n", "train", NULL);
    refuses(PEFT_E_NOTFOUND, "no column of splits", "image,label\na.png,x\n", "train", NULL);
    refuses(PEFT_E_NOTFOUND, "no row is of the split 'test'", "image,label,split\na.png,x,train\n", "test", NULL);
    refuses(PEFT_E_INVALID, "split 'tset'", table, "tset", NULL);
    refuses(PEFT_E_FORMAT, "line 3: '|a.png' has another split than in line 2",
            "image,label,split\na.png,x,train\na.png,x,test\n", "train", NULL);
    refuses(PEFT_E_FORMAT, "line 3: '|has another patient than in line 2",
            "image,label,patient\na.png,x,1\na.png,x,2\n", NULL,
            NULL);
    reads("image,label\na.png,x\nb.png,y\na.png,x\n", NULL, NULL, "x,y; a.png=0 b.png=1");
    ck_assert_msg(strstr(table_log, "1: ") && strstr(table_log, "1 lines repeat a picture with the same label, such as "
                  "line 4"), "%s", table_log);
}
END_TEST

START_TEST(studies_numbered_anew_for_each_patient_are_cases_of_each)
{
    static const char table[] = "image,label,patient,study,split\na.png,x,A,1,train\nb.png,y,A,2,train\n"
                                "c.png,x,B,1,test\nd.png,y,B,1.0,test\ne.png,x,B,3,train\n";
    touch("a.png b.png c.png d.png e.png");
    reads(table, NULL, NULL, "x,y; a.png=0/A#A/1 b.png=1/A#2 c.png=0/B#B/1 d.png=1/B#B/1 e.png=0/B#3");
    ck_assert_msg(strstr(table_log, "such as '1': it counts as a case of each of them, 'A/1' and 'B/1'") != NULL, "%s",
                  table_log);
    reads(table, "train", NULL, "x,y; a.png=0/A#A/1 b.png=1/A#2 e.png=0/B#3");
    reads(table, NULL, "patient=none", "x,y; a.png=0/1#1 b.png=1/2#2 c.png=0/1#1 d.png=1/1#1 e.png=0/3#3");
    refuses(PEFT_E_FORMAT, "line 4: there is no patient, and study '1' is listed under several patients, such as 'A'|"
            "patient=none", "image,label,patient,study\na.png,x,A,1\nb.png,y,B,1\nc.png,x,,1\n", NULL, NULL);
}
END_TEST

/* A table of `patients` patients: patient k has 1 + k % 7 pictures, whose class is k % 3; multi-label: the labels k % 3
 * and, of every fifth patient, "rare". */
static peft_dataset *many(int patients, bool multi_label)
{
    peft_dataset *d;
    char *text = malloc(1 << 20);
    size_t n = (size_t)sprintf(text, "image,label,patient\n");
    for (int k = 0; k < patients; k++)
        for (int i = 0; i <= k % 7; i++) {
            char name[40];
            sprintf(name, "m%d_%d.png", k, i);
            touch(name);
            n += (size_t)sprintf(text + n, "%s,c%d%s,P%d\n", name, k % 3, !multi_label ? "" : k % 5 ? "|all" : "|rare",
                                 k);
        }
    ok(open_text(text, NULL, NULL, &d));
    free(text);
    return d;
}

static double share(const peft_dataset *part, const peft_dataset *whole, int64_t c)
{
    float targets[8];
    double in_part = 0, in_whole = 0;
    for (int64_t i = 0; i < peft_dataset_count(part); i++) {
        ok(peft_dataset_targets(part, i, targets));
        in_part += targets[c];
    }
    for (int64_t i = 0; i < peft_dataset_count(whole); i++) {
        ok(peft_dataset_targets(whole, i, targets));
        in_whole += targets[c];
    }
    return in_part / in_whole;
}

static int64_t shared(const peft_dataset *a, const peft_dataset *b)
{
    int64_t count;
    ok(peft_dataset_shared_groups(a, b, 0, NULL, NULL, &count));
    return count;
}

START_TEST(a_split_divides_no_patient)
{
    for (int multi_label = 0; multi_label < 2; multi_label++) {
        peft_dataset *d = many(60, multi_label);
        char first[65] = "", again[65];
        for (uint64_t seed = 0; seed < 5; seed++) {
            const double fraction = seed % 2 ? 0.8 : 0.5;
            peft_dataset *a, *b, *c;
            ok(peft_dataset_split(d, fraction, seed, &a, &b));
            ck_assert_int_eq(peft_dataset_count(a) + peft_dataset_count(b), peft_dataset_count(d));
            ck_assert_int_eq(shared(a, b), 0);
            ck_assert_int_gt(shared(a, d), 0);
            for (int64_t k = 0; k < peft_dataset_classes(d); k++)
                ck_assert_msg(share(a, d, k) > fraction - 0.1 && share(a, d, k) < fraction + 0.1,
                              "seed %d: class %d: a share of %g, expected about %g", (int)seed, (int)k, share(a, d, k),
                              fraction);
            ok(peft_dataset_split(d, fraction, seed, &c, NULL));
            ok(peft_dataset_digest(a, again));
            char same[65];
            ok(peft_dataset_digest(c, same));
            ck_assert_str_eq(again, same);
            ck_assert_str_ne(again, first);
            strcpy(first, again);
            peft_dataset_free(a);
            peft_dataset_free(b);
            peft_dataset_free(c);
        }
        peft_dataset_free(d);
    }
}
END_TEST

START_TEST(few_shot_leaves_patients_out_of_the_rest)
{
    peft_dataset *d = many(30, false), *out, *rest, *all;
    ok(peft_dataset_few_shot(d, 0, 4, 7, &out, &rest));
    ck_assert_int_eq(peft_dataset_count(out), 12);
    ck_assert_int_eq(shared(out, rest), 0);
    int64_t left_out = 0;
    for (int64_t i = 0; i < peft_dataset_count(d); i++) {
        bool drawn = false, in_rest = false, of_drawn = false;
        for (int64_t k = 0; k < peft_dataset_count(out); k++) {
            drawn |= peft_dataset_id(out, k) == i;
            of_drawn |= !strcmp(peft_dataset_group(out, k), peft_dataset_group(d, i));
        }
        for (int64_t k = 0; k < peft_dataset_count(rest); k++) in_rest |= peft_dataset_id(rest, k) == i;
        ck_assert(in_rest == !of_drawn);
        left_out += of_drawn && !drawn;
    }
    ck_assert_int_gt(left_out, 0);
    char words[60];
    snprintf(words, sizeof words, "few-shot: %d samples that were not drawn", (int)left_out);
    ck_assert_msg(strstr(table_log, words) != NULL, "no '%s' in %s", words, table_log);
    ok(peft_dataset_few_shot(d, 0, 4, 7, &all, NULL));         /* the draw is that of a set without patients */
    ck_assert_int_eq(peft_dataset_count(all), 12);
    peft_dataset_free(all);
    peft_dataset_free(rest);
    peft_dataset_free(out);
    peft_dataset_free(d);
}
END_TEST

START_TEST(classes_of_two_patients_are_in_both_parts)
{
    peft_dataset *d, *a, *b;
    touch("a.png b.png c.png d.png e.png f.png");
    ok(open_text("image,label,patient\na.png,x,1\nb.png,x,1\nc.png,x,2\nd.png,y,3\ne.png,y,4\nf.png,y,4\n", NULL, NULL,
                 &d));
    for (uint64_t seed = 0; seed < 20; seed++) {
        ok(peft_dataset_split(d, 0.8, seed, &a, &b));
        for (int64_t c = 0; c < 2; c++) ck_assert(share(a, d, c) > 0 && share(b, d, c) > 0);
        ck_assert_int_eq(shared(a, b), 0);
        peft_dataset_free(a);
        peft_dataset_free(b);
    }
    peft_dataset_free(d);
    ok(open_text("image,label,patient\na.png,x,1\nb.png,y,1\n", NULL, NULL, &d));
    fails(PEFT_E_UNSUPPORTED, "of one group (patient), '", peft_dataset_split(d, 0.5, 1, &a, &b));
    ck_assert_ptr_nonnull(strstr(peft_last_error(), "correct the pattern or the column"));
    fails(PEFT_E_UNSUPPORTED, "rest would be empty", peft_dataset_few_shot(d, 0, 1, 1, &a, &b));
    peft_dataset_free(d);
}
END_TEST

enum { PATIENTS = 7, LABELS = 3 };
/* Whether a part without class c may get it: one of at least two patients with c in the other part is not the last one
 * there with another class that both parts have. has: of each patient with a picture, its labels. */
static bool may_get(const bool has[PATIENTS][LABELS], const bool in_a[PATIENTS], bool part, int c)
{
    int count[2][LABELS] = { { 0 } };
    for (int k = 0; k < PATIENTS; k++)
        for (int l = 0; l < LABELS; l++) count[in_a[k]][l] += has[k][l];
    if (count[part][c] || count[!part][c] < 2) return false;
    for (int k = 0; k < PATIENTS; k++) {
        bool last = false;
        for (int l = 0; l < LABELS; l++) last |= has[k][l] && count[!part][l] == 1 && count[part][l];
        if (in_a[k] != part && has[k][c] && !last) return true;
    }
    return false;
}

START_TEST(no_class_is_taken_from_a_part_to_fill_the_other)
{
    touch("0.png 1.png 2.png 3.png 4.png 5.png 6.png");
    for (unsigned draw = 1; draw < 400; draw++) {
        bool has[PATIENTS][LABELS], in_a[PATIENTS] = { false };
        char text[1000] = "image,patient,x,y,z\n";
        for (unsigned k = 0, bits = draw * 2654435761u; k < PATIENTS; k++, bits = bits * 1664525u + 1013904223u) {
            for (int l = 0; l < LABELS; l++) has[k][l] = bits >> (20 + 3 * l) & 1;
            sprintf(text + strlen(text), "%u.png,p%u,%d,%d,%d\n", k, k, has[k][0], has[k][1], has[k][2]);
        }
        peft_dataset *d, *a, *b;
        ok(open_text(text, NULL, "onehot=false", &d));
        ok(peft_dataset_split(d, 0.75, draw, &a, &b));
        for (int64_t i = 0; i < peft_dataset_count(a); i++) in_a[peft_dataset_id(a, i)] = true;
        for (int c = 0; c < LABELS; c++)
            for (int part = 0; part < 2; part++)
                ck_assert_msg(!may_get(has, in_a, part, c), "draw %u: %s lacks class %d; %s", draw,
                              part ? "out" : "rest", c, text);
        peft_dataset_free(a);
        peft_dataset_free(b);
        peft_dataset_free(d);
    }
}
END_TEST

/* Makes groups of the pictures of two classes by a pattern. want: "p1 p2 -", the group of each. */
static void groups_are(const char *pattern, const char *want)
{
    char got[200] = "";
    peft_dataset *d, *named;
    ok(peft_dataset_open(io_ctx, in_folder("scans"), NULL, &d));
    ok(peft_dataset_with_groups(d, pattern, &named));
    for (int64_t i = 0; i < peft_dataset_count(named); i++)
        sprintf(got + strlen(got), "%s%s", i ? " " : "", peft_dataset_group(named, i) ? peft_dataset_group(named,
                                                                                                           i) : "-");
    ck_assert_msg(!strcmp(got, want), "pattern '%s' gave '%s', expected '%s'", pattern, got, want);
    ck_assert(!peft_dataset_has_groups(d) && peft_dataset_has_groups(named) && !peft_dataset_has_cases(named));
    ck_assert_ptr_null(peft_dataset_group(d, 0));
    ck_assert_ptr_null(peft_dataset_group(named, 99));
    peft_dataset_free(named);
    peft_dataset_free(d);
}

START_TEST(names_give_patients_by_a_pattern)
{
    static const char *const names[] = { "scans/a/IM-0001-0001.jpeg", "scans/b/person10_virus_2.jpeg",
                                         "scans/b/person1_bacteria_1.jpeg", "scans/b/person1_virus_7.jpeg" };
    static const char *const bad[] = { "person*_*", "(a)(b)", "((a))", ")a(", "(a", "a|(b)", "" };
    peft_dataset *d, *named = NULL, *part;
    for (size_t i = 0; i < 4; i++) write_bytes(in_folder(names[i]), "", 0);
    groups_are("(person*)_*", "- person10 person1 person1");
    groups_are("person(*)_*|(IM-*)-*", "IM-0001 10 1 1");
    groups_are("(?)/*", "a b b b");
    groups_are("scans/(*)/*.jpeg", "a b b b");
    groups_are("*_*(?).jpeg", "- 2 1 7");
    groups_are("(*)", "IM-0001-0001.jpeg person10_virus_2.jpeg person1_bacteria_1.jpeg person1_virus_7.jpeg");
    ok(peft_dataset_open(io_ctx, in_folder("scans"), NULL, &d));
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        fails(PEFT_E_INVALID, "one pair of parentheses", peft_dataset_with_groups(d, bad[i], &named));
    fails(PEFT_E_INVALID, "no name matches 'x(*)', such as ", peft_dataset_with_groups(d, "x(*)", &named));
    fails(PEFT_E_INVALID, "pattern is NULL", peft_dataset_with_groups(d, NULL, &named));
    ck_assert_ptr_null(named);
    ok(peft_dataset_with_groups(d, "(person*)_*", &named));
    ok(peft_dataset_subset(named, (const int64_t[]){ 3, 1 }, 2, &part));
    peft_dataset_free(named);
    peft_dataset_free(d);
    ck_assert_str_eq(peft_dataset_group(part, 0), "person1");
    ck_assert_str_eq(peft_dataset_group(part, 1), "person10");
    ck_assert_int_eq(peft_dataset_has_groups(part), 1);
    peft_dataset_free(part);
}
END_TEST

START_TEST(patients_in_two_sets_are_found)
{
    peft_dataset *a, *b, *none;
    int64_t count, in_a[2] = { -1, -1 }, in_b[2] = { -1, -1 };
    touch("a.png b.png c.png d.png");
    ok(open_text("image,label,patient\na.png,x,1\nb.png,x,2\nc.png,x,10\nd.png,x,2\n", NULL, NULL, &a));
    ok(open_text("image,label,patient\nc.png,x,3\nd.png,x,10\na.png,x,2.0\n", NULL, NULL, &b));
    ok(peft_dataset_shared_groups(a, b, 1, in_a, in_b, &count));
    ck_assert(count == 2 && in_a[0] == 2 && in_b[0] == 1 && in_a[1] == -1);
    ok(peft_dataset_shared_groups(a, b, 2, in_a, in_b, &count));
    ck_assert(count == 2 && in_a[1] == 1 && in_b[1] == 2);
    ok(open_text("image,label\nc.png,x\n", NULL, NULL, &none));
    ck_assert_int_eq(shared(a, none), 0);
    ck_assert_int_eq(shared(none, none), 0);
    fails(PEFT_E_INVALID, "in_a or in_b is NULL", peft_dataset_shared_groups(a, b, 1, in_a, NULL, &count));
    fails(PEFT_E_INVALID, "data set is NULL", peft_dataset_shared_groups(NULL, b, 0, NULL, NULL, &count));
    ck_assert(!peft_dataset_has_groups(NULL) && !peft_dataset_has_cases(NULL) && !peft_dataset_group(NULL, 0));
    peft_dataset_free(a);
    peft_dataset_free(b);
    peft_dataset_free(none);
}
END_TEST

static peft_status split_and_draw(peft_context *ctx, void *arg)
{
    peft_dataset *d = NULL, *named = NULL, *a = NULL, *b = NULL, *c = NULL, *e = NULL;
    int64_t count;
    (void)arg;
    peft_status s = peft_dataset_open(ctx, in_folder("scans"), NULL, &d);
    if (!s) s = peft_dataset_with_groups(d, "(*)_*", &named);
    if (!s) s = peft_dataset_split(named, 0.5, 1, &a, &b);
    if (!s) s = peft_dataset_few_shot(named, 0, 1, 1, &c, &e);
    if (!s) s = peft_dataset_shared_groups(a, b, 0, NULL, NULL, &count);
    peft_dataset *const all[] = { d, named, a, b, c, e };
    for (size_t i = 0; i < sizeof all / sizeof *all; i++) peft_dataset_free(all[i]);
    return s;
}

START_TEST(failed_allocations_are_errors)
{
    static const char *const names[] = { "scans/a/1_1.png", "scans/a/2_1.png", "scans/a/2_2.png", "scans/b/3_1.png",
                                         "scans/b/4_1.png", "scans/b/5_1.png" };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) write_bytes(in_folder(names[i]), "", 0);
    ck_assert_int_gt(failing_alloc_loop(split_and_draw, NULL), 30);
}
END_TEST

IO_SUITE_MAIN("groups", tables_have_patients_cases_and_splits,
              studies_numbered_anew_for_each_patient_are_cases_of_each, a_split_divides_no_patient,
              few_shot_leaves_patients_out_of_the_rest, classes_of_two_patients_are_in_both_parts,
              no_class_is_taken_from_a_part_to_fill_the_other, names_give_patients_by_a_pattern,
              patients_in_two_sets_are_found, failed_allocations_are_errors)
