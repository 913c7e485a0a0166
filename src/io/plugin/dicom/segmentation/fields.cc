// SPDX-License-Identifier: Apache-2.0
// fields.cc -- elements of segmentations as texts: the rows of fields.def, codes, colours.
#include "io/plugin/dicom/segmentation/segmentation.hpp"
#include <algorithm>
#include <cmath>
#include <cstdio>

void must(const OFCondition &c, const DcmTagKey &tag)
{
    if (c.bad()) throw failure(PEFT_E_FORMAT, name_of(tag) + ": " + c.text());
}

namespace {

std::string read_code(DcmItem *item, const DcmTagKey &sequence)
{
    DcmItem *code = item_of(item, sequence, 0);
    if (!code) return "";
    std::string value;
    for (const DcmTagKey &tag : { DCM_CodeValue, DCM_LongCodeValue, DCM_URNCodeValue })
        if (value.empty()) value = text_of(code, tag);
    return value + "^" + text_of(code, DCM_CodingSchemeDesignator) + "^" + text_of(code, DCM_CodeMeaning);
}

// PS3.3 C.10.7.1.1: L* from 0 to 100, a* and b* from -128 to 127, each as 0 to 65535.
std::string read_colour(DcmItem *item, const DcmTagKey &tag)
{
    Uint16 v[3];
    char text[64];
    for (unsigned long i = 0; i < 3; i++)
        if (item->findAndGetUint16(tag, v[i], i).bad()) return "";
    std::snprintf(text, sizeof text, "%.3f:%.3f:%.3f", v[0] * 100 / 65535., v[1] * 255 / 65535. - 128,
                  v[2] * 255 / 65535. - 128);
    return text;
}

void write_colour(DcmItem *item, const DcmTagKey &tag, const std::string &text)
{
    Uint16 v[3];
    std::size_t first = 0;
    for (int i = 0; i < 3; i++) {
        const std::size_t end = std::min(text.find(':', first), text.size());
        double number = 0;
        read_decimal(text.substr(first, end - first), &number);
        v[i] = static_cast<Uint16>(std::lround(i ? (number + 128) * 65535 / 255 : number * 65535 / 100));
        first = std::min(end + 1, text.size());
    }
    must(item->putAndInsertUint16Array(tag, v, 3), tag);
}

} // namespace

#define IO_SEG_FIELD(scope, NAME, name, group, element, vr, fallback) \
    IO_SEG_ROW_##scope((seg_field{ DcmTagKey(group, element), vr, static_cast<const char *>(fallback) != nullptr }))
#define IO_SEG_ROW_FILE(row) row,
#define IO_SEG_ROW_SEGMENT(row)
const std::vector<seg_field> &file_fields()
{
    static const std::vector<seg_field> rows = {
#include "io/format/dicom/segmentation/fields.def"
    };
    return rows;
}
#undef IO_SEG_ROW_FILE
#undef IO_SEG_ROW_SEGMENT
#define IO_SEG_ROW_FILE(row)
#define IO_SEG_ROW_SEGMENT(row) row,
const std::vector<seg_field> &segment_fields()
{
    static const std::vector<seg_field> rows = {
#include "io/format/dicom/segmentation/fields.def"
    };
    return rows;
}

std::string read_field(DcmItem *item, const seg_field &field)
{
    return field.vr == "SQ" ? read_code(item, field.tag)
         : field.vr == "COLOUR" ? read_colour(item, field.tag) : field.vr.empty() ? "" : text_of(item, field.tag);
}

void put(DcmItem *item, const DcmTagKey &tag, const std::string &text)
{
    must(item->putAndInsertString(DcmTag(tag), text.c_str()), tag);
}

void put_short(DcmItem *item, const DcmTagKey &tag, Uint16 v) { must(item->putAndInsertUint16(DcmTag(tag), v), tag); }

DcmItem *add_item(DcmItem *in, const DcmTagKey &sequence)
{
    DcmItem *item = nullptr;
    must(in->findOrCreateSequenceItem(DcmTag(sequence), item, -2), sequence);
    return item;
}

void write_code(DcmItem *item, const DcmTagKey &sequence, const std::string &code)
{
    if (code.empty()) return;
    const std::size_t first = code.find('^'), second = code.find('^', first + 1);
    DcmItem *in = add_item(item, sequence);
    put(in, DCM_CodeValue, code.substr(0, first));
    put(in, DCM_CodingSchemeDesignator, code.substr(first + 1, second - first - 1));
    put(in, DCM_CodeMeaning, code.substr(second + 1));
}

void write_field(DcmItem *item, const seg_field &field, const std::string &text)
{
    if (field.vr == "SQ") write_code(item, field.tag, text);
    else if (field.vr == "COLOUR" && !text.empty()) write_colour(item, field.tag, text);
    else if (field.vr != "COLOUR" && !field.vr.empty()) put(item, field.tag, text);
}
