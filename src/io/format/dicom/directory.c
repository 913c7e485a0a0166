/* SPDX-License-Identifier: Apache-2.0
 * directory.c -- reads the DICOMDIR of a medium; see directory.h. */
#include "io/format/dicom/directory.h"
#include "io/format/dicom/header.h"
#include "io/words.h"

#define MAX_DIRECTORY_BYTES (1ll << 30)

bool io_is_medium_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return io_same_word(slash ? slash + 1 : path, "DICOMDIR");
}

static peft_status copy_records(peft_context *ctx, const uint8_t *data, size_t size, io_strings *files,
                                io_strings *types)
{
    const bool header = true;
    io_dicom d;
    if (!io_dicom_probe(data, size))
        return io_fail(PEFT_E_FORMAT, "not a DICOM file; expected the directory of a medium, with DICM at byte 128");
    peft_status s = io_dicom_open(data, size, MAX_DIRECTORY_BYTES, header, &d);
    if (s) return s;
    if (!d.info->is_directory)
        s = io_fail(PEFT_E_FORMAT, "not the directory of a medium, as it has no Directory Record Sequence (0004,1220)");
    for (int64_t i = 0; i < d.info->records && !s; i++) {
        s = io_strings_add(files, io_copy(ctx, d.info->record[i].file));
        if (!s) s = io_strings_add(types, io_copy(ctx, d.info->record[i].type));
    }
    io_dicom_close(&d);
    return s;
}

peft_status io_dicom_directory_read(peft_context *ctx, const char *path, io_strings *files, io_strings *types)
{
    uint8_t *data;
    size_t size;
    peft_status s = io_read_file(ctx, path, MAX_DIRECTORY_BYTES, &data, &size);
    if (s) return s;
    s = copy_records(ctx, data, size, files, types);
    peft_sys_free(ctx, data);
    return s ? io_fail_in(s, path) : PEFT_OK;
}
