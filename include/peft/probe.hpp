// SPDX-License-Identifier: Apache-2.0
// peft/probe.hpp -- classifiers on features; a part of peft.hpp.
#ifndef PEFT_PROBE_HPP
#define PEFT_PROBE_HPP
#include <peft/tensor.hpp>

namespace peft {

// A classifier on features f32 [n,width], as session::features writes them. settings: of peft_probe_option.
class probe : public detail::handle<peft_probe, peft_probe_free> {
public:
    probe(const context &ctx, tensor_view features, span<const std::int64_t> labels, std::int64_t classes,
          const std::string &settings = "")
    {
        const detail::rows x(features, labels);
        fit(ctx, x, labels.data(), nullptr, classes, settings);
    }
    // Of several labels: targets f32 [n,classes].
    probe(const context &ctx, tensor_view features, tensor_view targets, const std::string &settings = "")
    {
        const detail::rows x(features), y(targets);
        if (x.n != y.n) throw error(peft_set_error(PEFT_E_SHAPE, "targets: expected a row for each row of features"));
        fit(ctx, x, nullptr, y.data, y.columns, settings);
    }
    std::vector<double> scores(tensor_view features) const                                      // [n,classes]
    {
        const detail::rows x(features);
        if (static_cast<double>(x.columns) != get("width"))
            throw error(peft_set_error(PEFT_E_SHAPE, "features: expected as many columns as the probe was fitted to"));
        std::vector<double> p(static_cast<std::size_t>(x.n) * static_cast<std::size_t>(get("classes")));
        check(peft_probe_scores(c_ptr(), x.data, x.n, p.data()));
        return p;
    }
    struct classifier { std::vector<double> weights, intercepts; };                  // [classes,width], [classes]
    classifier weights() const
    {
        const auto classes = static_cast<std::size_t>(get("classes")), width = static_cast<std::size_t>(get("width"));
        classifier c{ std::vector<double>(classes * width), std::vector<double>(classes) };
        check(peft_probe_weights(c_ptr(), c.weights.data(), c.intercepts.data()));
        return c;
    }
    // A figure by name (peft_probe_get), such as "iterations"; NaN if there is none.
    double get(const char *what) const noexcept { return peft_probe_get(c_ptr(), what); }

private:
    void fit(const context &ctx, const detail::rows &x, const std::int64_t *labels, const float *targets,
             std::int64_t classes, const std::string &settings)
    {
        const options o(ctx, settings);
        handle::reset(detail::make<peft_probe>(peft_probe_fit, ctx.c_ptr(), x.data, labels, targets, x.n, x.columns,
                                               classes, o.c_ptr()));
    }
};

} // namespace peft
#endif
