// SPDX-License-Identifier: Apache-2.0
// peft/analysis.hpp -- analysis of features, and temperature scaling of logits; a part of peft.hpp.
#ifndef PEFT_ANALYSIS_HPP
#define PEFT_ANALYSIS_HPP
#include <peft/tensor.hpp>

namespace peft {

// Of features f32 [n,width], as session::features writes them, with labels [n].
namespace analysis {

struct class_scatter { double intra, inter; };
inline class_scatter scatter(const context &ctx, tensor_view features, span<const std::int64_t> labels,
                             std::int64_t classes)
{
    const detail::rows x(features, labels);
    class_scatter s{};
    check(peft_analysis_scatter(ctx.c_ptr(), x.data, labels.data(), x.n, x.columns, classes, &s.intra, &s.inter));
    return s;
}
// The mean coefficient; samples: empty, or [n] for that of each image.
inline double silhouette(const context &ctx, tensor_view features, span<const std::int64_t> labels,
                         std::int64_t classes, span<double> samples = {})
{
    const detail::rows x(features, labels);
    if (samples.size() && samples.size() != labels.size())
        throw error(peft_set_error(PEFT_E_SHAPE, "samples: expected room for one number for each row of features"));
    double mean = 0;
    check(peft_analysis_silhouette(ctx.c_ptr(), x.data, labels.data(), x.n, x.columns, classes, &mean,
                                   samples.size() ? samples.data() : nullptr));
    return mean;
}
inline double effective_rank(const context &ctx, tensor_view features)
{
    const detail::rows x(features);
    double rank = 0;
    check(peft_analysis_effective_rank(ctx.c_ptr(), x.data, x.n, x.columns, &rank));
    return rank;
}
struct principal_components { std::vector<double> projection, share; };           // [n,components], [components]
inline principal_components pca(const context &ctx, tensor_view features, std::int64_t components)
{
    const detail::rows x(features);
    const auto k = static_cast<std::size_t>(components < 1 || components > x.n ? 1 : components);   // refused: 1
    const auto n = static_cast<std::size_t>(x.n > 0 ? x.n : 1);
    principal_components p{ std::vector<double>(n * k), std::vector<double>(k) };
    check(peft_analysis_pca(ctx.c_ptr(), x.data, x.n, x.columns, components, p.projection.data(), p.share.data()));
    return p;
}

} // namespace analysis

// Of logits f32 [n,classes], as session::predict writes them.
namespace metrics {

inline double fit_temperature(tensor_view logits, span<const std::int64_t> labels)
{
    const detail::rows x(logits, labels);
    double temperature = 0;
    check(peft_metrics_fit_temperature(x.data, labels.data(), x.n, x.columns, &temperature));
    return temperature;
}
inline std::vector<double> temperature_scores(tensor_view logits, double temperature)          // [n,classes]
{
    const detail::rows x(logits);
    std::vector<double> scores(static_cast<std::size_t>(x.n) * static_cast<std::size_t>(x.columns));
    check(peft_metrics_temperature_scores(x.data, x.n, x.columns, temperature, scores.data()));
    return scores;
}

} // namespace metrics

} // namespace peft
#endif
