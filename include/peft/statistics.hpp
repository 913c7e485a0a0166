// SPDX-License-Identifier: Apache-2.0
// peft/statistics.hpp -- intervals, tests, thresholds and prediction sets; a part of peft.hpp.
#ifndef PEFT_STATISTICS_HPP
#define PEFT_STATISTICS_HPP
#include <peft/tensor.hpp>

namespace peft {

namespace detail {

inline void expect_size(std::size_t size, std::size_t wanted, const char *message)
{
    if (size != wanted) throw error(peft_set_error(PEFT_E_SHAPE, message));
}

// The number of rows of a matrix of `size` elements with so many columns; throws where they are no whole number.
inline std::int64_t row_count(std::size_t size, std::int64_t columns)
{
    if (columns < 1 || size % static_cast<std::size_t>(columns))
        throw error(peft_set_error(PEFT_E_SHAPE, "expected elements of whole rows, [n,classes]"));
    return static_cast<std::int64_t>(size) / columns;
}

} // namespace detail

// peft_estimate and peft_samples are the structs of <peft/statistics.h>. groups: empty, or [n].
namespace statistics {

inline peft_estimate proportion(std::int64_t successes, std::int64_t trials, double level = 0.95,
                                const char *kind = "wilson")
{
    peft_estimate e{};
    check(peft_statistics_proportion(successes, trials, level, kind, &e));
    return e;
}
inline peft_estimate auroc(const context &ctx, span<const double> scores, span<const float> targets,
                           span<const std::int64_t> groups = {}, double level = 0.95, const char *kind = "logit")
{
    detail::expect_size(targets.size(), scores.size(), "targets: expected one for each score");
    if (groups.size()) detail::expect_size(groups.size(), scores.size(), "groups: expected one for each score");
    peft_estimate e{};
    check(peft_statistics_auroc(ctx.c_ptr(), scores.data(), targets.data(), groups.size() ? groups.data() : nullptr,
                                static_cast<std::int64_t>(scores.size()), level, kind, &e));
    return e;
}
inline peft_estimate auroc_difference(const context &ctx, span<const double> first, span<const double> second,
                                      span<const float> targets, span<const std::int64_t> groups = {},
                                      double level = 0.95)
{
    detail::expect_size(second.size(), first.size(), "second: expected as many scores as of the first method");
    detail::expect_size(targets.size(), first.size(), "targets: expected one for each score");
    if (groups.size()) detail::expect_size(groups.size(), first.size(), "groups: expected one for each score");
    peft_estimate e{};
    check(peft_statistics_auroc_difference(ctx.c_ptr(), first.data(), second.data(), targets.data(),
                                           groups.size() ? groups.data() : nullptr,
                                           static_cast<std::int64_t>(first.size()), level, &e));
    return e;
}
// count: the number of values that the metric writes, 1 or one for each class.
inline std::vector<peft_estimate> bootstrap(const context &ctx, const peft_samples &samples, const char *metric,
                                            const std::string &settings = "", std::size_t count = 1)
{
    std::vector<peft_estimate> e(count);
    check(peft_statistics_bootstrap(ctx.c_ptr(), &samples, metric, options(ctx, settings).c_ptr(), e.data(), count));
    return e;
}
inline std::vector<peft_estimate> permutation(const context &ctx, const peft_samples &samples, const char *metric,
                                              const std::string &settings = "", std::size_t count = 1)
{
    std::vector<peft_estimate> e(count);
    check(peft_statistics_permutation(ctx.c_ptr(), &samples, metric, options(ctx, settings).c_ptr(), e.data(), count));
    return e;
}

} // namespace statistics

// scores and targets: [n,classes]; thresholds: [classes].
namespace threshold {

inline std::vector<double> choose(const context &ctx, span<const double> scores, span<const float> targets,
                                  std::int64_t classes, const char *rule, double wanted = 0)
{
    const std::int64_t n = detail::row_count(scores.size(), classes);
    detail::expect_size(targets.size(), scores.size(), "targets: expected one for each score");
    std::vector<double> thresholds(static_cast<std::size_t>(classes));
    check(peft_threshold_choose(ctx.c_ptr(), scores.data(), targets.data(), n, classes, rule, wanted,
                                thresholds.data()));
    return thresholds;
}
inline std::vector<peft_rates> rates(span<const double> scores, span<const float> targets,
                                     span<const double> thresholds, double level = 0.95,
                                     const char *interval = "wilson")
{
    const auto classes = static_cast<std::int64_t>(thresholds.size());
    const std::int64_t n = detail::row_count(scores.size(), classes);
    detail::expect_size(targets.size(), scores.size(), "targets: expected one for each score");
    std::vector<peft_rates> r(thresholds.size());
    check(peft_threshold_rates(scores.data(), targets.data(), n, classes, thresholds.data(), level, interval,
                               r.data()));
    return r;
}

} // namespace threshold

// probabilities: [n,classes]; labels: [n]; quantiles: [classes]; sets: [n,classes], 1 for a class in the set.
namespace conformal {

inline std::vector<double> fit(const context &ctx, span<const double> probabilities, span<const std::int64_t> labels,
                               std::int64_t classes, double alpha, const std::string &settings = "")
{
    const std::int64_t n = detail::row_count(probabilities.size(), classes);
    detail::expect_size(labels.size(), static_cast<std::size_t>(n), "labels: expected one for each row");
    std::vector<double> quantiles(static_cast<std::size_t>(classes));
    check(peft_conformal_fit(ctx.c_ptr(), probabilities.data(), labels.data(), n, classes, alpha,
                             options(ctx, settings).c_ptr(), quantiles.data()));
    return quantiles;
}
inline std::vector<std::uint8_t> sets(const context &ctx, span<const double> probabilities,
                                      span<const double> quantiles, const std::string &settings = "",
                                      std::int64_t first = 0)
{
    const auto classes = static_cast<std::int64_t>(quantiles.size());
    const std::int64_t n = detail::row_count(probabilities.size(), classes);
    std::vector<std::uint8_t> s(probabilities.size());
    check(peft_conformal_sets(ctx.c_ptr(), probabilities.data(), n, classes, quantiles.data(), first,
                              options(ctx, settings).c_ptr(), s.data()));
    return s;
}

} // namespace conformal

} // namespace peft
#endif
