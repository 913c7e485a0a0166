/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_groups.c -- patients and cases of a data set by the headers of its DICOM files. */
#include "dicom_files.h"
#include <peft/dataset.h>

/* Writes a DICOM file without pixels; patient NULL: without a Patient ID. */
static void write_scan(const char *name, const char *patient, const char *study)
{
    dicom d;
    begin(&d, EXPLICIT_LITTLE);
    put_text(&d, 0x00080018, "UI", "1.2.3.4");
    put_text(&d, 0x00100020, "LO", patient);
    put_text(&d, 0x0020000d, "UI", study);
    write_bytes(in_folder(name), d.data, d.size);
}

START_TEST(headers_tell_patients_and_cases)
{
    static const char *const want[4][2] = { { "P 1", "1.1" }, { "P 1", "1.2" }, { "P 2", "1.3" }, { NULL, "1.3" } };
    peft_dataset *d, *named, *a, *b;
    int64_t shared;
    for (int i = 0; i < 4; i++) {
        char name[40];
        snprintf(name, sizeof name, "s/%c/%d.dcm", i < 2 ? 'x' : 'y', i);
        write_scan(name, want[i][0], want[i][1]);
    }
    ok(peft_dataset_open(io_ctx, in_folder("s"), NULL, &d));
    ok(peft_dataset_with_groups(d, "dicom", &named));
    for (int64_t i = 0; i < 4; i++) {
        if (want[i][0]) ck_assert_str_eq(peft_dataset_group(named, i), want[i][0]);
        else ck_assert_ptr_null(peft_dataset_group(named, i));
        ck_assert_str_eq(peft_dataset_case(named, i), want[i][1]);
    }
    ok(peft_dataset_split(named, 0.5, 1, &a, &b));
    ok(peft_dataset_shared_groups(a, b, 0, NULL, NULL, &shared));
    ck_assert_int_eq(shared, 0);
    peft_dataset_free(a);
    peft_dataset_free(b);
    peft_dataset_free(named);
    peft_dataset_free(d);
}
END_TEST

START_TEST(headers_that_tell_none_are_refused)
{
    peft_dataset *d, *named = NULL;
    write_scan("s/x/1.dcm", NULL, "1.1");
    ok(peft_dataset_open(io_ctx, in_folder("s"), NULL, &d));
    fails(PEFT_E_INVALID, "no header has a Patient ID", peft_dataset_with_groups(d, "dicom", &named));
    write_bytes(in_folder("s/x/1.dcm"), "no DICOM", 8);
    fails(PEFT_E_FORMAT, "1.dcm", peft_dataset_with_groups(d, "dicom", &named));
    peft_dataset_free(d);
    zip_make(in_folder("z.zip"), (const entry[]){ { "x/1.dcm", "-", 1 } }, 1);
    ok(peft_dataset_open(io_ctx, in_folder("z.zip"), NULL, &d));
    fails(PEFT_E_UNSUPPORTED, "unpack it", peft_dataset_with_groups(d, "dicom", &named));
    ck_assert_ptr_null(named);
    peft_dataset_free(d);
}
END_TEST

IO_SUITE_MAIN("DICOM groups", headers_tell_patients_and_cases, headers_that_tell_none_are_refused)
