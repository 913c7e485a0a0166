// SPDX-License-Identifier: Apache-2.0
// peft/io.hpp -- libpeft-io for C++17: pictures, transforms, data sets, loaders, predictors, segmenters. As in
// peft.hpp, a class is one pointer to the C object of the same name, whose functions <peft/io.h> explains; a call that
// fails throws peft::error.
#ifndef PEFT_IO_HPP
#define PEFT_IO_HPP
#include <peft/io.h>
#include <peft/peft.hpp>
#include <array>

namespace peft {

// o: options of peft_image_load as text, "max_side=40000".
class image : public detail::handle<peft_image, peft_image_free> {
public:
    explicit image(peft_image *owned) noexcept { reset(owned); }
    image(const context &ctx, const std::string &path, const std::string &o = "")
    {
        reset(detail::make<peft_image>(peft_image_load, ctx.c_ptr(), path.c_str(), o.c_str()));
    }
    // Copies height rows of width * channels interleaved samples; row_bytes 0: rows without gaps.
    image(const context &ctx, const std::uint8_t *pixels, std::int64_t width, std::int64_t height, int channels,
          std::int64_t row_bytes = 0)
    {
        reset(detail::make<peft_image>(peft_image_from_buffer, ctx.c_ptr(), static_cast<const void *>(pixels), width,
                                       height, channels, 8 /* bits */, row_bytes));
    }
    std::int64_t width() const noexcept { return peft_image_width(c_ptr()); }
    std::int64_t height() const noexcept { return peft_image_height(c_ptr()); }
    int channels() const noexcept { return peft_image_channels(c_ptr()); }
    int depth() const noexcept { return peft_image_depth(c_ptr()); }
    double slope() const noexcept { return peft_image_slope(c_ptr()); }
    double intercept() const noexcept { return peft_image_intercept(c_ptr()); }
    // Millimetres between slices, rows and columns; 0: not known.
    std::array<double, 3> spacing() const noexcept
    {
        std::array<double, 3> mm{};
        peft_image_spacing(c_ptr(), mm.data());
        return mm;
    }
    // To where columns, rows and slices count up, as "LAS"; empty: not known.
    std::string directions() const { return peft_image_directions(c_ptr()); }
    const void *pixels() const noexcept { return peft_image_pixels(c_ptr()); }
    image resize(std::int64_t width, std::int64_t height, const char *filter = "bicubic") const
    {
        return image(detail::make<peft_image>(peft_image_resize, c_ptr(), width, height, filter));
    }
    void save_png(const std::string &path) const { check(peft_image_save_png(c_ptr(), path.c_str())); }
    // Of one channel of 8 bits, such as a label map; palette: red, green and blue of each colour.
    void save_png_palette(span<const std::uint8_t> palette, const std::string &path) const
    {
        if (palette.size() % 3) throw error(peft_set_error(PEFT_E_SHAPE, "palette: expected three bytes for a colour"));
        const std::size_t most = 256, given = palette.size() / 3;
        const int colours = static_cast<int>(given <= most ? given : most + 1);     // the C function refuses most + 1
        check(peft_image_save_png_palette(c_ptr(), palette.data(), colours, path.c_str()));
    }
};

// The header of a DICOM file; text("patient"), as peft_dicom_header_text.
class dicom_header : public detail::handle<peft_dicom_header, peft_dicom_header_free> {
public:
    dicom_header(const context &ctx, const std::string &path)
    {
        reset(detail::make<peft_dicom_header>(peft_dicom_header_read, ctx.c_ptr(), path.c_str()));
    }
    const char *text(const char *field) const noexcept { return peft_dicom_header_text(c_ptr(), field); }
    std::int64_t frames() const noexcept { return peft_dicom_header_frames(c_ptr()); }
};

class transform : public detail::handle<peft_transform, peft_transform_free> {
public:
    transform(const context &ctx, const std::string &text)
    {
        reset(detail::make<peft_transform>(peft_transform_parse, ctx.c_ptr(), text.c_str()));
    }
    // The settings of text in place of those of base; base null: the defaults.
    transform(const context &ctx, const char *base, const std::string &text)
    {
        reset(detail::make<peft_transform>(peft_transform_parse_over, ctx.c_ptr(), base, text.c_str()));
    }
    const char *text() const noexcept { return peft_transform_text(c_ptr()); }
    std::int64_t size() const noexcept { return peft_transform_size(c_ptr()); }       // -1: not square
    std::int64_t height() const noexcept { return peft_transform_height(c_ptr()); }
    std::int64_t width() const noexcept { return peft_transform_width(c_ptr()); }
    // out: [3,height,width]; throws where it has another number of elements.
    void apply(const image &im, span<float> out) const
    {
        if (out.size() != static_cast<std::size_t>(3 * height() * width()))
            throw error(peft_set_error(PEFT_E_SHAPE, "transform::apply: expected 3 * height * width floats"));
        check(peft_transform_apply(c_ptr(), im.c_ptr(), out.data()));
    }
};

class dataset : public detail::handle<peft_dataset, peft_dataset_free> {
public:
    explicit dataset(peft_dataset *owned) noexcept { reset(owned); }
    // A folder, .zip, .npz or list; split null: the whole set (peft_dataset_open).
    dataset(const context &ctx, const std::string &path, const char *split = nullptr)
    {
        reset(detail::make<peft_dataset>(peft_dataset_open, ctx.c_ptr(), path.c_str(), split));
    }
    std::int64_t size() const noexcept { return peft_dataset_count(c_ptr()); }
    std::int64_t classes() const noexcept { return peft_dataset_classes(c_ptr()); }
    const char *class_name(std::int64_t c) const noexcept { return peft_dataset_class_name(c_ptr(), c); }
    std::int64_t label(std::int64_t i) const noexcept { return peft_dataset_label(c_ptr(), i); }
    image load(std::int64_t i) const { return image(detail::make<peft_image>(peft_dataset_load, c_ptr(), i)); }
    // first: fraction of every class; second: the rest.
    std::pair<dataset, dataset> split(double fraction, std::uint64_t seed) const
    {
        peft_dataset *part = nullptr, *rest = nullptr;
        check(peft_dataset_split(c_ptr(), fraction, seed, &part, &rest));
        return { dataset(part), dataset(rest) };
    }
    // Fold number `number` of `folds`; first: the samples of the others, for training; second: its own, held out.
    std::pair<dataset, dataset> fold(std::int64_t folds, std::int64_t number, std::uint64_t seed) const
    {
        peft_dataset *train = nullptr, *held_out = nullptr;
        check(peft_dataset_fold(c_ptr(), folds, number, seed, &train, &held_out));
        return { dataset(train), dataset(held_out) };
    }
};

// A class, or targets, for every pixel of an image.
class mask : public detail::handle<peft_mask, peft_mask_free> {
public:
    explicit mask(peft_mask *owned) noexcept { reset(owned); }
    std::int64_t width() const noexcept { return peft_mask_width(c_ptr()); }
    std::int64_t height() const noexcept { return peft_mask_height(c_ptr()); }
    std::int64_t classes() const noexcept { return peft_mask_classes(c_ptr()); }
    bool multilabel() const noexcept { return peft_mask_multilabel(c_ptr()) != 0; }
    // [height, width]: classes, -1 where a pixel is not judged.
    std::vector<std::int64_t> labels() const
    {
        std::vector<std::int64_t> out(static_cast<std::size_t>(width() * height()));
        check(peft_mask_labels(c_ptr(), out.data()));
        return out;
    }
};

// The samples of d with masks (peft_dataset_with_masks); folder null: beside the images.
inline dataset with_masks(const dataset &d, const char *folder, const std::string &o)
{
    return dataset(detail::make<peft_dataset>(peft_dataset_with_masks, d.c_ptr(), folder, o.c_str()));
}

// The mask of sample i; image: that of the sample, whose size it must have.
inline mask load_mask(const dataset &d, std::int64_t i, const image &im)
{
    return mask(detail::make<peft_mask>(peft_dataset_load_mask, d.c_ptr(), i, im.c_ptr()));
}

// Batches of a data set; the object itself is what trainer::fit takes as next: t.fit(20, batches).
class loader : public detail::handle<peft_loader, peft_loader_free> {
public:
    loader(const dataset &d, const transform &t, const std::string &o = "")
    {
        reset(detail::make<peft_loader>(peft_loader_create, d.c_ptr(), t.c_ptr(), o.c_str()));
    }
    std::int64_t batches() const noexcept { return peft_loader_batches(c_ptr()); }
    std::int64_t operator()(std::int64_t epoch, std::int64_t batch, peft_tensor *images, peft_tensor *labels,
                            std::int64_t *ids) const
    {
        return peft_loader_next(epoch, batch, images, labels, ids, c_ptr());
    }
};

// Predicts pixels, prepared as the model's note "preprocess" or a transform says.
class predictor : public detail::handle<peft_predictor, peft_predictor_free> {
public:
    explicit predictor(const session &s)
    {
        reset(detail::make<peft_predictor>(peft_predictor_create, s.c_ptr(), nullptr));
    }
    predictor(const session &s, const transform &t)
    {
        reset(detail::make<peft_predictor>(peft_predictor_create, s.c_ptr(), t.c_ptr()));
    }
    // pixels [n,h,w,1 or 3], logits and probabilities [n,classes]
    void pixels(tensor_view pixels, const tensor &logits)
    {
        check(peft_predictor_pixels(c_ptr(), pixels.c_ptr(), logits.c_ptr()));
    }
    void probabilities(tensor_view pixels, const tensor &out)
    {
        check(peft_predictor_pixels_probabilities(c_ptr(), pixels.c_ptr(), out.c_ptr()));
    }
    void probabilities(const image &im, const tensor &out)
    {
        const peft_image *const one[] = { im.c_ptr() };
        check(peft_predictor_images_probabilities(c_ptr(), one, 1, out.c_ptr()));
    }
};

namespace detail {

// The callback of rows as a C function, which no exception leaves.
template <typename Rows> struct segmenter_calls {
    Rows &rows;
    std::exception_ptr thrown;

    static peft_status next(std::int64_t first, const peft_tensor *labels, const peft_tensor *probabilities, void *user)
    {
        auto *self = static_cast<segmenter_calls *>(user);
        try {
            self->rows(first, tensor_view(labels), tensor_view(probabilities));
            return PEFT_OK;
        } catch (...) {
            self->thrown = std::current_exception();
            return peft_set_error(PEFT_E_CANCELLED, "the function of segmenter::rows threw an exception");
        }
    }
};

} // namespace detail

// The class of each pixel of an image, by a model whose head gives a map: segmenter(s, "mode=tiles").
class segmenter : public detail::handle<peft_segmenter, peft_segmenter_free> {
public:
    explicit segmenter(const session &s, const std::string &o = "")
    {
        reset(detail::make<peft_segmenter>(peft_segmenter_create, s.c_ptr(), nullptr, o.c_str()));
    }
    segmenter(const session &s, const transform &t, const std::string &o = "")
    {
        reset(detail::make<peft_segmenter>(peft_segmenter_create, s.c_ptr(), t.c_ptr(), o.c_str()));
    }
    // Adapts to the images that it segments (peft_segmenter_create_adapting); a has to outlive the segmenter.
    explicit segmenter(adaptor &a, const std::string &o = "")
    {
        reset(detail::make<peft_segmenter>(peft_segmenter_create_adapting, a.c_ptr(), nullptr, o.c_str()));
    }
    segmenter(adaptor &a, const transform &t, const std::string &o = "")
    {
        reset(detail::make<peft_segmenter>(peft_segmenter_create_adapting, a.c_ptr(), t.c_ptr(), o.c_str()));
    }
    std::int64_t classes() const noexcept { return peft_segmenter_classes(c_ptr()); }
    const char *link() const noexcept { return peft_segmenter_link(c_ptr()); }
    std::int64_t tiles(std::int64_t width, std::int64_t height) const noexcept
    {
        return peft_segmenter_tiles(c_ptr(), width, height);
    }
    std::size_t memory(std::int64_t width) const noexcept { return peft_segmenter_memory(c_ptr(), width); }
    // The label map, of one channel of 8 bits.
    image labels(const image &im)
    {
        return image(detail::make<peft_image>(peft_segmenter_labels, c_ptr(), im.c_ptr()));
    }
    // out: f32 [height,width,classes]
    void probabilities(const image &im, const tensor &out)
    {
        check(peft_segmenter_probabilities(c_ptr(), im.c_ptr(), out.c_ptr()));
    }
    // Which labels each pixel has, where it may have several. out: u8 [height,width,classes]; thresholds: one for each
    // class, or empty: 0.5.
    void targets(const image &im, const tensor &out, span<const double> thresholds = {})
    {
        if (thresholds.size() && thresholds.size() != static_cast<std::size_t>(classes()))
            throw error(peft_set_error(PEFT_E_SHAPE, "segmenter::targets: expected a threshold for each class"));
        const double *given = thresholds.size() ? thresholds.data() : nullptr;
        check(peft_segmenter_targets(c_ptr(), im.c_ptr(), given, out.c_ptr()));
    }
    // f: void (std::int64_t first_row, tensor_view labels, tensor_view probabilities), called with the next rows (see
    // peft_segmenter_fn; a view may be null). What it throws ends the call and leaves rows.
    template <typename Rows> void rows(const image &im, bool with_probabilities, Rows &&f)
    {
        using calls = detail::segmenter_calls<std::remove_reference_t<Rows>>;
        calls c{ f, nullptr };
        const peft_status s = peft_segmenter_rows(c_ptr(), im.c_ptr(), with_probabilities, calls::next, &c);
        if (c.thrown) std::rethrow_exception(c.thrown);
        check(s);
    }
};

} // namespace peft
#endif
