/* SPDX-License-Identifier: Apache-2.0
 * dicom_values.c -- the values of an image, for tests/interop/medical/check_dicom.py.
 *     dicom_values FILE OPTIONS OUT   writes them to OUT, float [height, width, channels], and prints width, height,
 *                                     channels, slices of the file and the full range; status 1 prints why not */
#include "io/image/image.h"
#include <stdio.h>

int main(int argc, char **argv)
{
    peft_context *ctx;
    peft_image *im;
    int64_t slices;
    if (argc != 4 || peft_context_create(NULL, NULL, NULL, &ctx)) return 2;
    if (peft_image_slices(ctx, argv[1], argv[2], &slices) || peft_image_load(ctx, argv[1], argv[2], &im)) {
        printf("%s\n", peft_last_error());
        peft_context_free(ctx);
        return 1;
    }
    FILE *f = fopen(argv[3], "wb");
    for (int64_t i = 0; f && i < im->width * im->height * im->channels; i++) {
        const float v = (float)io_value(im, i);
        fwrite(&v, sizeof v, 1, f);
    }
    if (!f || fclose(f)) return 2;
    printf("%lld %lld %d %lld %.17g %.17g\n", (long long)im->width, (long long)im->height, im->channels,
           (long long)slices,
           im->full[0], im->full[1]);
    peft_image_free(im);
    peft_context_free(ctx);
    return 0;
}
