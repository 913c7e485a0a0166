/* SPDX-License-Identifier: Apache-2.0
 * test_dicom_seg_search.c -- segments by number and frames by image in a file, against a search of all of them. */
#include "seg_files.h"
#include "io/format/dicom/segmentation/seg.h"
#include <peft/dicom_seg.h>

enum { FRAMES = 60, LINKS = 3 * FRAMES, INSTANCES = 4 };
static const char *const instances[INSTANCES] = { "1.2.30", "1.2.3", "1.2.3.1", "1.2.29" };

static int compare_links(const void *a, const void *b)
{
    const io_seg_link *x = a, *y = b;
    const int order = strcmp(x->instance, y->instance);
    if (order) return order;
    if (x->source_frame != y->source_frame) return x->source_frame < y->source_frame ? -1 : 1;
    return (x->frame > y->frame) - (x->frame < y->frame);
}

static bool has_link(const io_seg_link *link, int64_t frame, const io_seg_target *t)
{
    for (int i = 0; i < LINKS; i++)
        if (link[i].frame == frame && !strcmp(link[i].instance, t->instance) &&
            (link[i].source_frame < 0 || link[i].source_frame == t->frame)) return true;
    return false;
}

/* Frames with links to instances as a whole, to frames of them, and twice to the same. */
START_TEST(frames_of_an_image)
{
    static const int64_t targets[] = { -1, 0, 1, 2, 5, INT32_MAX, INT64_MAX };
    io_seg_link link[LINKS], sorted[LINKS];
    unsigned state = 1;
    for (int i = 0; i < LINKS; i++) {
        state = state * 1664525u + 1013904223u;
        link[i] = (io_seg_link){ instances[state >> 30], (int64_t)(state >> 20 & 3) - 1, i / 3 };
    }
    memcpy(sorted, link, sizeof sorted);
    qsort(sorted, LINKS, sizeof *sorted, compare_links);
    const io_seg_file file = { .links = LINKS, .link = link, .sorted_link = sorted, .frames = FRAMES };
    for (int i = 0; i <= INSTANCES; i++)
        for (size_t k = 0; k < sizeof targets / sizeof *targets; k++) {
            const io_seg_target t = { i < INSTANCES ? instances[i] : "1.2.4", "", "", targets[k], NULL };
            io_seg_search found = io_seg_search_begin(&file, &t);
            for (int64_t f = 0; f < FRAMES; f++) {
                if (!has_link(link, f, &t)) continue;
                ck_assert(io_seg_search_next(&found));
                ck_assert_int_eq(found.frame, f);
            }
            ck_assert(!io_seg_search_next(&found));
        }
}
END_TEST

/* Segment Numbers need not be in order. */
START_TEST(segments_by_number)
{
    const char *paths[SLICES];
    int64_t labels[SLICES * PIXELS];
    peft_dicom_seg *s;
    size_t size;
    save_series(paths);
    make_labels(labels, 3);
    save_labels(paths, labels, in_folder("seg.dcm"));
    unsigned char *data = read_bytes(in_folder("seg.dcm"), &size);
    static const unsigned char number[8] = { 0x62, 0, 4, 0, 'U', 'S', 2, 0 };
    static const unsigned char of_frame[6] = { 0x62, 0, 0x0b, 0, 'U', 'S' };
    for (size_t i = 132; i + 10 <= size; i++)                 /* 1, 2, 3 become 259, 258, 257 */
        if (!memcmp(data + i, number, sizeof number) || !memcmp(data + i, of_frame, sizeof of_frame)) {
            data[i + 8] = (unsigned char)(4 - data[i + 8]);
            data[i + 9] = 1;
        }
    ok(peft_dicom_seg_read_memory(io_ctx, data, size, &s));
    free(data);
    for (int i = 0; i < 3; i++) ck_assert_int_eq(peft_dicom_seg_number(s, i), 259 - i);
    ck_assert_str_eq(peft_dicom_seg_text(s, 259, "label"), "liver");
    ck_assert_str_eq(peft_dicom_seg_text(s, 257, "label"), "mass 3");
    static const int64_t none[] = { 1, 256, 260, -1, 65536, INT64_MAX };
    for (size_t i = 0; i < sizeof none / sizeof *none; i++)
        ck_assert_ptr_null(peft_dicom_seg_text(s, none[i], "label"));
    for (int i = 0; i < SLICES * PIXELS; i++) labels[i] = labels[i] ? 260 - labels[i] : 0;
    same_labels(s, paths, SLICES, labels);
    peft_dicom_seg_free(s);
}
END_TEST

IO_SUITE_MAIN("dicom_seg_search", frames_of_an_image, segments_by_number)
