/* SPDX-License-Identifier: Apache-2.0
 * exif.h -- the orientation of a picture in its EXIF data, and turning a decoded picture by it. */
#ifndef IO_EXIF_H
#define IO_EXIF_H
#include "io/format/decoder.h"

/* The tag Orientation (274) of the first directory of EXIF data, which begin with "II*\0" or "MM\0*": 1 to 8; 1 where
 * the data are damaged, lack the tag, or have another number. */
int io_exif_orientation(const uint8_t *data, size_t size);
/* With the option orientation=exif: replaces *im by the picture as it is seen. On failure frees *im. */
peft_status io_exif_apply(const io_encoded *f, int orientation, peft_image **im);
#endif
