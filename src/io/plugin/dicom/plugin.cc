// SPDX-License-Identifier: Apache-2.0
// plugin.cc -- the C interface of the plug-in (io/format/dicom/plugin.h): no exception and no log message leaves it.
#include "io/plugin/dicom/file.hpp"
#include "io/plugin/dicom/log.hpp"
#include "io/plugin/dicom/segmentation/segmentation.hpp"
#include "dcmtk/dcmdata/dcdict.h"
#include <cstdio>
#include <memory>

namespace {

void set(io_dicom_message *why, const std::string &text, const captured_log &log)
{
    std::snprintf(why->text, sizeof why->text, "%s%s%s%s", text.c_str(), log.text().empty() ? "" : " (DCMTK: ",
                  log.text().c_str(), log.text().empty() ? "" : ")");
}

// Runs a part of the plug-in and turns its exceptions into a status and a message.
template <typename F> peft_status guarded(io_dicom_message *why, F part)
{
    try {
        captured_log log;
        try {
            part();
            return PEFT_OK;
        } catch (const failure &f) {
            set(why, f.what(), log);
            return f.status;
        } catch (const std::bad_alloc &) {
            set(why, "out of memory", log);
            return PEFT_E_NOMEM;
        } catch (const std::exception &e) {
            set(why, e.what(), log);
            return PEFT_E_FORMAT;
        }
    } catch (...) {                                           // also what DCMTK throws that is no std::exception
        std::snprintf(why->text, sizeof why->text, "DCMTK failed");
        return PEFT_E_FORMAT;
    }
}

// Without its dictionary DCMTK does not know the types of elements in files with implicit VR.
void check_dictionary()
{
    if (!dcmDataDict.isDictionaryLoaded())
        throw failure(PEFT_E_UNSUPPORTED, "DCMTK's data dictionary was not found (Debian: in the package libdcmtk17; "
                                          "its path can be set by DCMDICTPATH)");
}

peft_status open_file(const void *data, size_t size, int64_t max_bytes, bool header, io_dicom_file **out,
                      io_dicom_message *why)
{
    return guarded(why, [&] {
        check_dictionary();
        std::unique_ptr<io_dicom_file> f(new io_dicom_file);
        parse(f.get(), static_cast<const std::uint8_t *>(data), size, max_bytes, header);
        read_info(f.get(), header);
        *out = f.release();
    });
}

const io_dicom_info *info_of(const io_dicom_file *f) { return &f->info; }

peft_status view_of(io_dicom_file *f, int64_t frame, io_dicom_view *out, io_dicom_message *why)
{
    return guarded(why, [&] { read_view(f, frame, out); });
}

peft_status frame_of(io_dicom_file *f, int64_t frame, void *out, size_t size, io_dicom_layout *layout,
                     io_dicom_message *why)
{
    return guarded(why, [&] { read_frame(f, frame, out, size, layout); });
}

peft_status spacing_of(io_dicom_file *f, int64_t frame, double *out, io_dicom_message *why)
{
    return guarded(why, [&] { read_spacing(f, frame, out); });
}

void close_file(io_dicom_file *f)
{
    io_dicom_message unused;
    (void)guarded(&unused, [&] { delete f; });
}

peft_status sources_new(io_dicom_sources **out, io_dicom_message *why)
{
    return guarded(why, [&] {
        check_dictionary();
        *out = new io_dicom_sources;
    });
}

peft_status sources_add(io_dicom_sources *s, io_dicom_file *f, io_dicom_source *out, io_dicom_message *why)
{
    return guarded(why, [&] { add_source(s, f, out); });
}

void sources_free(io_dicom_sources *s)
{
    io_dicom_message unused;
    (void)guarded(&unused, [&] { delete s; });
}

peft_status seg_write(io_dicom_sources *s, const io_seg_contents *c, const void **out, size_t *size,
                      io_dicom_message *why)
{
    return guarded(why, [&] {
        write_segmentation(s, *c);
        *out = s->written.data();
        *size = s->written.size();
    });
}

peft_status seg_read(io_dicom_file *f, const io_seg_file **out, io_dicom_message *why)
{
    return guarded(why, [&] { *out = read_segmentation(f); });
}

} // namespace

extern "C" __attribute__((visibility("default"))) const io_dicom_plugin *peft_dicom_plugin(void)
{
    static const io_dicom_plugin plugin = { IO_DICOM_VERSION, open_file, info_of, view_of, frame_of, spacing_of,
                                            close_file, sources_new, sources_add, sources_free, seg_write, seg_read };
    return &plugin;
}
