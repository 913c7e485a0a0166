/* SPDX-License-Identifier: Apache-2.0
 * dicom.c -- a DICOM file: its first frame through the first window and as values of the modality, of which all pixels
 * are read; and as a segmentation: its segments, fields and references, its first frames, and the label maps of the
 * first images that it refers to. The segmentations of the corpus, seg_.., are written by peft_dicom_seg_writer. */
#include "fuzz/fuzz.h"
#include <peft/dicom_seg.h>

enum { MOST_PIXELS = 1 << 16, MOST_FRAMES = 8 };

static void read_texts(const peft_dicom_seg *s)
{
    static const char *const fields[] = { "label", "description", "category", "colour", "patient", "type", "software" };
    size_t length = 0;
    for (int64_t i = -1; i < peft_dicom_seg_segments(s) && i < MOST_FRAMES; i++)
        for (size_t f = 0; f < sizeof fields / sizeof *fields; f++) {
            const char *text = peft_dicom_seg_text(s, i < 0 ? 0 : peft_dicom_seg_number(s, i), fields[f]);
            length += text ? strlen(text) : 0;
        }
    if (length > SIZE_MAX / 2) abort();                       /* the texts are read */
}

static void read_pixels(peft_dicom_seg *s)
{
    static float frame[MOST_PIXELS];
    peft_tensor *labels;
    if (peft_dicom_seg_rows(s) * peft_dicom_seg_columns(s) > MOST_PIXELS) return;
    for (int64_t i = 0; i < peft_dicom_seg_frames(s) && i < MOST_FRAMES; i++) {
        int64_t source_frame;
        fuzz_valid(peft_dicom_seg_frame(s, i, frame));
        const char *source = peft_dicom_seg_frame_source(s, i, &source_frame);
        if (fuzz_valid(peft_dicom_seg_instance_labels(s, source, source_frame, &labels))) peft_tensor_free(labels);
    }
    const char *first = peft_dicom_seg_source(s, 0);
    if (first && fuzz_valid(peft_dicom_seg_instance_labels(s, first, 0, &labels))) peft_tensor_free(labels);
}

static void read_segmentation(const uint8_t *data, size_t size)
{
    peft_dicom_seg *s;
    if (!fuzz_valid(peft_dicom_seg_read_memory(fuzz_context(), data, size, &s))) return;
    read_texts(s);
    read_pixels(s);
    peft_dicom_seg_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const options[] = { "max_side=256,max_bytes=1000000,slice=0",
                                           "max_side=256,max_bytes=1000000,slice=0,window=none" };
    read_segmentation(data, size);
    for (int i = 0; i < 2; i++)
        if (!fuzz_read_image(data, size, options[i])) break;
    return 0;
}
