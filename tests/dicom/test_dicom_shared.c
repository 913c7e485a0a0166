/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_shared.c -- every file in the folder dicom of PEFT_SHARED is read, first and last frame, or refused with a
 * reason. Which values they have is compared with pydicom by tests/interop/medical/check_dicom.py. */
#include "dicom_files.h"
#include <dirent.h>
#include <peft/io.h>

static int read_files, refused_files;

/* The status of a load must be an error of the file, with a message. */
static void try_slice(const char *path, int64_t slice)
{
    char options[40];
    peft_image *im = NULL;
    snprintf(options, sizeof options, "slice=%lld", (long long)slice);
    const peft_status s = peft_image_load(io_ctx, path, options, &im);
    ck_assert_msg(!s || s == PEFT_E_FORMAT || s == PEFT_E_UNSUPPORTED, "%s: %s: %s", path, peft_status_name(s),
                  peft_last_error());
    if (s) ck_assert_uint_gt(strlen(peft_last_error()), strlen(path) + 10);
    peft_image_free(im);
    if (s) refused_files++;
    else read_files++;
}

static void try_folder(const char *folder)
{
    DIR *dir = opendir(folder);
    ck_assert_msg(dir != NULL, "%s: not found", folder);
    for (struct dirent *e; (e = readdir(dir));) {
        char path[600];
        int64_t slices = 0;
        const char *ending = strrchr(e->d_name, '.');
        if (!ending || strcmp(ending, ".dcm")) continue;
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (peft_image_slices(io_ctx, path, NULL, &slices)) {
            ck_assert_uint_gt(strlen(peft_last_error()), strlen(path) + 10);
            refused_files++;
            continue;
        }
        try_slice(path, 0);
        if (slices > 1) try_slice(path, slices - 1);
    }
    closedir(dir);
}

START_TEST(shared_files_are_read_or_refused)
{
    const char *shared = shared_folder();
    char folder[400];
    if (!shared) return;
    snprintf(folder, sizeof folder, "%s/data/dicom/pydicom", shared);
    if (access(folder, R_OK)) { printf("SKIP: no folder %s\n", folder); return; }
    try_folder(folder);
    snprintf(folder, sizeof folder, "%s/data/dicom/vendor", shared);
    try_folder(folder);
    printf("%d frames read, %d refused\n", read_files, refused_files);
    ck_assert_int_gt(read_files, refused_files);
}
END_TEST

IO_SUITE_MAIN("dicom_shared", shared_files_are_read_or_refused)
