// SPDX-License-Identifier: Apache-2.0
// peft/maps.hpp -- maps over images; a part of peft.hpp.
#ifndef PEFT_MAPS_HPP
#define PEFT_MAPS_HPP
#include <peft/model.hpp>

namespace peft {

namespace detail {

inline std::size_t first_extent(tensor_view t)
{
    const std::vector<std::int64_t> s = t.shape();
    return s.empty() ? 1 : static_cast<std::size_t>(s[0]);
}

// The callback of compute as a C function, which no exception leaves.
template <typename Progress> struct map_calls {
    Progress &progress;
    std::exception_ptr thrown;

    static int after_batch(std::int64_t done, std::int64_t of, void *user)
    {
        auto *self = static_cast<map_calls *>(user);
        try {
            if constexpr (std::is_void_v<decltype(self->progress(done, of))>) self->progress(done, of);
            else return self->progress(done, of);
            return 0;
        } catch (...) {
            self->thrown = std::current_exception();
            return 1;
        }
    }
};

} // namespace detail

// A model compiled for one kind of map: maps(m, "kind=cam,batch=8").
class maps : public detail::handle<peft_maps, peft_maps_free> {
public:
    maps(const model &m, const options &o)
    {
        reset(detail::make<peft_maps>(peft_maps_create, m.c_ptr(), o.c_ptr()));
    }
    maps(const model &m, const std::string &o = "") : maps(m, options(m.context_ptr(), o)) {}
    struct extents { std::int64_t h, w; };
    extents size() const noexcept
    {
        extents e{};
        peft_maps_size(c_ptr(), &e.h, &e.w);
        return e;
    }
    // images f32 [n,3,H,W]; out f32 [n,h,w]; classes: [n], or empty for the predicted class of each image. Returns the
    // class of each map. progress: void or bool (std::int64_t done, std::int64_t of), true stops (throws error,
    // PEFT_E_CANCELLED). What it throws leaves compute.
    template <typename Progress>
    std::vector<std::int64_t> compute(tensor_view images, const tensor &out, span<const std::int64_t> classes,
                                      Progress &&progress)
    {
        using calls = detail::map_calls<std::remove_reference_t<Progress>>;
        const std::size_t n = detail::first_extent(images);
        if (classes.size() && classes.size() != n)
            throw error(peft_set_error(PEFT_E_SHAPE, "classes: expected one for each image"));
        std::vector<std::int64_t> chosen(n);
        calls c{ progress, nullptr };
        const peft_status s = peft_maps_compute(c_ptr(), images.c_ptr(), classes.size() ? classes.data() : nullptr,
                                                out.c_ptr(), chosen.data(), calls::after_batch, &c);
        if (c.thrown) std::rethrow_exception(c.thrown);
        check(s);
        return chosen;
    }
    std::vector<std::int64_t> compute(tensor_view images, const tensor &out, span<const std::int64_t> classes = {})
    {
        return compute(images, out, classes, [](std::int64_t, std::int64_t) {});
    }
    std::size_t memory() const noexcept { return peft_maps_memory(c_ptr()); }
};

} // namespace peft
#endif
