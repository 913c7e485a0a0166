// SPDX-License-Identifier: Apache-2.0
// peft/segmentation.hpp -- figures of masks; a part of peft.hpp.
#ifndef PEFT_SEGMENTATION_HPP
#define PEFT_SEGMENTATION_HPP
#include <peft/statistics.hpp>

namespace peft {

// peft_segment is the struct of <peft/segmentation.h>: counts and distances of one class in one case.
class segmentation : public detail::handle<peft_segmentation, peft_segmentation_free> {
public:
    segmentation(const context &ctx, std::int64_t classes, bool distances = true)
    {
        reset(detail::make<peft_segmentation>(peft_segmentation_create, ctx.c_ptr(), classes, distances ? 1 : 0));
    }
    // Adds maps [h,w] or [d,h,w] to the case; spacing: empty, or one number for each of these extents.
    void add(tensor_view predicted, tensor_view truth, span<const double> spacing = {})
    {
        check(peft_segmentation_add(c_ptr(), predicted.c_ptr(), truth.c_ptr(), distances_of(predicted, spacing, 0)));
    }
    // The same for several labels a pixel: [h,w,classes] or [d,h,w,classes].
    void add_targets(tensor_view predicted, tensor_view targets, span<const double> spacing = {})
    {
        check(peft_segmentation_add_targets(c_ptr(), predicted.c_ptr(), targets.c_ptr(),
                                            distances_of(predicted, spacing, 1)));
    }
    // Ends the case: out gets a segment for each class.
    void end_case(span<peft_segment> out) { check(peft_segmentation_case(c_ptr(), out.data(), out.size())); }
    // One figure of each segment: "dice", "iou", "hd95", ..; NaN where it is undefined.
    static std::vector<double> values(const context &ctx, span<const peft_segment> segments, const char *name,
                                      const std::string &settings = "")
    {
        std::vector<double> v(segments.size());
        check(peft_segmentation_values(segments.data(), static_cast<std::int64_t>(segments.size()), name,
                                       options(ctx, settings).c_ptr(), v.data()));
        return v;
    }

private:
    // Of maps with `further` extents behind those of the picture.
    static const double *distances_of(tensor_view maps, span<const double> spacing, std::size_t further)
    {
        if (!spacing.size()) return nullptr;
        detail::expect_size(spacing.size() + further, maps.shape().size(),
                            "spacing: expected a distance for each axis of the maps");
        return spacing.data();
    }
};

} // namespace peft
#endif
