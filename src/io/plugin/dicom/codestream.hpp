// SPDX-License-Identifier: Apache-2.0
// codestream.hpp -- what the markers of a JPEG or JPEG-LS code stream say of the frame.
#ifndef PEFT_DICOM_CODESTREAM_H
#define PEFT_DICOM_CODESTREAM_H
#include <cstddef>
#include <cstdint>

// Zeros where the code stream has no frame header. IS_RGB: the components are named R, G, B; IS_YBR: there is a JFIF
// marker; these win over the photometric interpretation of the file, as in pydicom.
struct codestream {
    int rows, columns, channels, precision;
    enum colour { UNKNOWN, IS_RGB, IS_YBR } colour;
};
codestream read_codestream(const std::uint8_t *data, std::size_t size);
#endif
