// SPDX-License-Identifier: Apache-2.0
// peft/peft.hpp -- libpeft for C++17: handles that free themselves, errors as exceptions, spans in and out.
//
// A class here is one pointer to the C object of the same name; all it does is call the functions of <peft/peft.h>,
// whose comments say what they do. c_ptr() gives the C object for calls that have no method here. Handles move and are
// not copied. C objects count their references, so handles may be destroyed in any order.
//
// A call that fails throws peft::error. Exceptions of callbacks (fit) pass through: the run stops, and the exception
// leaves fit.
#ifndef PEFT_PEFT_HPP
#define PEFT_PEFT_HPP
#include <peft/handle.hpp>

namespace peft {

// --- context and options --------------------------------------------------------------------------------------------
class context : public detail::handle<peft_context, peft_context_free> {
public:
    context() { reset(detail::make<peft_context>(peft_context_create, nullptr, nullptr, nullptr)); }
    explicit context(peft_context *owned) noexcept { reset(owned); }
    context &threads(int n) { return set(peft_context_set_threads(c_ptr(), n)); }
    context &seed(std::uint64_t seed) { return set(peft_context_set_seed(c_ptr(), seed)); }
    context &isa(const char *isa) { return set(peft_context_set_isa(c_ptr(), isa)); }

private:
    context &set(peft_status s) { check(s); return *this; }
};

// Options by name. Every constructor that takes options also takes them as text: "classes=4,head=mlp".
class options : public detail::handle<peft_options, peft_options_free> {
public:
    options(peft_context *ctx, const std::string &text)
    {
        reset(detail::make<peft_options>(peft_options_create, ctx));
        check(peft_options_parse(c_ptr(), text.c_str()));
    }
    explicit options(const context &ctx, const std::string &text = "") : options(ctx.c_ptr(), text) {}
    options &set(const char *name, std::int64_t v) { check(peft_options_set_int(c_ptr(), name, v)); return *this; }
    options &set(const char *name, int v) { return set(name, std::int64_t{ v }); }
    options &set(const char *name, double v) { check(peft_options_set_float(c_ptr(), name, v)); return *this; }
    options &set(const char *name, const char *v) { check(peft_options_set_string(c_ptr(), name, v)); return *this; }
};

// --- tensor ---------------------------------------------------------------------------------------------------------
// A tensor that somebody else owns: what the library returns. Valid as long as its owner.
class tensor_view {
public:
    tensor_view(const peft_tensor *t) noexcept : t_(t) {}
    const peft_tensor *c_ptr() const noexcept { return t_; }
    peft_dtype dtype() const noexcept { return peft_tensor_dtype(t_); }
    std::vector<std::int64_t> shape() const { return detail::shape(t_); }
    // The elements, row-major; throws where they are of another type than T.
    template <typename T> span<const T> values() const
    {
        return detail::elements(static_cast<const T *>(peft_tensor_cdata(t_)), t_);
    }

private:
    const peft_tensor *t_;
};

class tensor : public detail::handle<peft_tensor, peft_tensor_free> {
public:
    // Zeros: tensor(ctx, PEFT_F32, {n, 3, 224, 224}).
    tensor(const context &ctx, peft_dtype type, const std::vector<std::int64_t> &shape)
    {
        reset(detail::make<peft_tensor>(peft_tensor_create, ctx.c_ptr(), type, static_cast<int>(shape.size()),
                                        shape.data()));
    }
    // Over memory of the caller's, which must outlive the tensor; throws where its size is not the shape's. Elements
    // may be const: give such a tensor only to calls that read it, because the C object has no const.
    template <typename T> tensor(const context &ctx, span<T> data, const std::vector<std::int64_t> &shape)
    {
        using element = std::remove_const_t<T>;
        reset(detail::make<peft_tensor>(peft_tensor_wrap, ctx.c_ptr(), detail::dtype<element>::value,
                                        static_cast<int>(shape.size()), shape.data(),
                                        const_cast<element *>(data.data())));
        if (static_cast<std::size_t>(peft_tensor_count(c_ptr())) != data.size())
            throw error(peft_set_error(PEFT_E_SHAPE, "tensor: the shape has another number of elements than the data"));
    }
    tensor_view view() const noexcept { return c_ptr(); }
    operator tensor_view() const noexcept { return c_ptr(); }
    std::vector<std::int64_t> shape() const { return detail::shape(c_ptr()); }
    template <typename T> span<T> values()
    {
        return detail::elements(static_cast<T *>(peft_tensor_data(c_ptr())), c_ptr());
    }
};

// --- backbone, adapter, model ----------------------------------------------------------------------------------------
class backbone : public detail::handle<peft_backbone, peft_backbone_free> {
public:
    explicit backbone(peft_backbone *owned) noexcept { reset(owned); }
    backbone(const context &ctx, const std::string &path, const options &o)
    {
        reset(detail::make<peft_backbone>(peft_backbone_load, ctx.c_ptr(), path.c_str(), o.c_ptr()));
    }
    backbone(const context &ctx, const std::string &path, const std::string &o = "")
        : backbone(ctx, path, options(ctx, o))
    {
    }
    // Random weights (peft_backbone_create): backbone::random(ctx, "image_size=32,patch=8,width=64,depth=4,heads=4").
    static backbone random(const context &ctx, const std::string &o)
    {
        return backbone(detail::make<peft_backbone>(peft_backbone_create, ctx.c_ptr(), options(ctx, o).c_ptr()));
    }
    // A fact by name: b["image_size"]; -1: no such fact.
    std::int64_t operator[](const char *fact) const { return peft_backbone_get(c_ptr(), fact); }
    const char *note(const char *key) const { return peft_backbone_note(c_ptr(), key); }          // null: not known
    void save(const std::string &path) const { check(peft_backbone_save(c_ptr(), path.c_str())); }
};

class adapter : public detail::handle<peft_adapter, peft_adapter_free> {
public:
    explicit adapter(peft_adapter *owned) noexcept { reset(owned); }
    adapter(const backbone &b, const char *method, const options &o)
    {
        reset(detail::make<peft_adapter>(peft_adapter_create, b.c_ptr(), method, o.c_ptr()));
    }
    adapter(const backbone &b, const char *method, const std::string &o = "")
        : adapter(b, method, options(peft_backbone_context(b.c_ptr()), o))
    {
    }
    static adapter load(const backbone &b, const std::string &path)
    {
        return adapter(detail::make<peft_adapter>(peft_adapter_load, b.c_ptr(), path.c_str()));
    }
    const char *method() const noexcept { return peft_adapter_method(c_ptr()); }
    void save(const std::string &path) const { check(peft_adapter_save(c_ptr(), path.c_str())); }
};

class model : public detail::handle<peft_model, peft_model_free> {
public:
    explicit model(peft_model *owned) noexcept { reset(owned); }
    model(const backbone &b, const options &o)
    {
        reset(detail::make<peft_model>(peft_model_create, b.c_ptr(), o.c_ptr()));
    }
    model(const backbone &b, const std::string &o = "") : model(b, options(peft_backbone_context(b.c_ptr()), o)) {}
    static model load(const backbone &b, const std::string &path)
    {
        return model(detail::make<peft_model>(peft_model_load, b.c_ptr(), path.c_str()));
    }
    model &attach(const adapter &a) { check(peft_model_attach(c_ptr(), a.c_ptr())); return *this; }
    model &detach(const adapter &a) { check(peft_model_detach(c_ptr(), a.c_ptr())); return *this; }
    backbone merge() const { return backbone(detail::make<peft_backbone>(peft_model_merge, c_ptr())); }
    std::int64_t classes() const noexcept { return peft_model_classes(c_ptr()); }
    std::int64_t feature_width() const noexcept { return peft_model_feature_width(c_ptr()); }
    std::int64_t trainable_count() const noexcept { return peft_model_trainable_count(c_ptr()); }
    // The value of a trained tensor, borrowed; null if no parameter has the name.
    peft_tensor *param(const char *name) const { return peft_param_value(peft_model_find_param(c_ptr(), name)); }
    void set_note(const char *key, const std::string &v) { check(peft_model_set_note(c_ptr(), key, v.c_str())); }
    const char *note(const char *key) const { return peft_model_note(c_ptr(), key); }             // null: none
    void save(const std::string &path) const { check(peft_model_save(c_ptr(), path.c_str())); }
    peft_context *context_ptr() const { return peft_backbone_context(peft_model_backbone(c_ptr())); }
};

// --- session ---------------------------------------------------------------------------------------------------------
class session : public detail::handle<peft_session, peft_session_free> {
public:
    session(const model &m, const options &o)
    {
        reset(detail::make<peft_session>(peft_session_create, m.c_ptr(), o.c_ptr()));
    }
    session(const model &m, const std::string &o = "") : session(m, options(m.context_ptr(), o)) {}
    void predict(tensor_view images, const tensor &logits)
    {
        check(peft_session_predict(c_ptr(), images.c_ptr(), logits.c_ptr()));
    }
    void probabilities(tensor_view images, const tensor &out, bool multi_label = false)
    {
        check(peft_session_probabilities(c_ptr(), images.c_ptr(), multi_label, out.c_ptr()));
    }
    void features(tensor_view images, const tensor &out)
    {
        check(peft_session_features(c_ptr(), images.c_ptr(), out.c_ptr()));
    }
    tensor_view tap(const char *name) { return detail::found(peft_session_tap(c_ptr(), name)); }
    std::size_t memory() const noexcept { return peft_session_memory(c_ptr()); }
};

// --- trainer ---------------------------------------------------------------------------------------------------------
class trainer : public detail::handle<peft_trainer, peft_trainer_free> {
public:
    trainer(const model &m, const options &o)
    {
        reset(detail::make<peft_trainer>(peft_trainer_create, m.c_ptr(), o.c_ptr()));
    }
    trainer(const model &m, const std::string &o = "") : trainer(m, options(m.context_ptr(), o)) {}
    void step(tensor_view images, tensor_view labels, const std::int64_t *ids = nullptr)
    {
        check(peft_trainer_step(c_ptr(), images.c_ptr(), labels.c_ptr(), ids));
    }
    void backward(tensor_view images, tensor_view labels, const std::int64_t *ids = nullptr)
    {
        check(peft_trainer_backward(c_ptr(), images.c_ptr(), labels.c_ptr(), ids));
    }
    // A loss of the program's: forward, then the gradient of the loss on the logits [n,classes], then update.
    tensor_view forward(tensor_view images, const std::int64_t *ids = nullptr)
    {
        check(peft_trainer_forward(c_ptr(), images.c_ptr(), ids));
        return peft_trainer_logits(c_ptr());
    }
    void backward_logits(tensor_view gradient, double loss)
    {
        check(peft_trainer_backward_logits(c_ptr(), gradient.c_ptr(), loss));
    }
    void update() { check(peft_trainer_update(c_ptr())); }
    void set_lr(double lr) { check(peft_trainer_set_lr(c_ptr(), lr)); }
    void freeze(const char *pattern, bool frozen = true) { check(peft_trainer_freeze(c_ptr(), pattern, frozen)); }
    void group(const char *pattern, double lr_scale, double weight_decay)
    {
        check(peft_trainer_group(c_ptr(), pattern, lr_scale, weight_decay));
    }
    // next: std::int64_t (std::int64_t epoch, std::int64_t batch, peft_tensor *images, peft_tensor *labels,
    // std::int64_t *ids), as peft_batch_fn; progress: void or bool (peft_trainer *), true stops (throws error,
    // PEFT_E_CANCELLED). What they throw leaves fit.
    template <typename Next, typename Progress> void fit(std::int64_t epochs, Next &&next, Progress &&progress)
    {
        using calls = detail::fit_calls<std::remove_reference_t<Next>, std::remove_reference_t<Progress>>;
        calls c{ next, progress, nullptr };
        const peft_status s = peft_trainer_fit(c_ptr(), epochs, calls::next_batch, calls::after_step, &c);
        if (c.thrown) std::rethrow_exception(c.thrown);
        check(s);
    }
    template <typename Next> void fit(std::int64_t epochs, Next &&next)
    {
        fit(epochs, std::forward<Next>(next), [](peft_trainer *) {});
    }
    void evaluate(tensor_view images, const tensor &logits)
    {
        check(peft_trainer_evaluate(c_ptr(), images.c_ptr(), logits.c_ptr()));
    }
    // A figure by name (peft_trainer_get): get("loss").
    double get(const char *what) const { return peft_trainer_get(c_ptr(), what); }
    void save(const std::string &path) const { check(peft_trainer_save(c_ptr(), path.c_str())); }
    void restore(const std::string &path) { check(peft_trainer_restore(c_ptr(), path.c_str())); }
    // Begins with what the run saved at path has learned; returns how many parameters were taken.
    std::size_t warm_start(const std::string &path)
    {
        std::size_t taken = 0;
        check(peft_trainer_warm_start(c_ptr(), path.c_str(), &taken));
        return taken;
    }
};

// --- early stopping  ------------------------------------------------------------------------------------------------
class early_stop : public detail::handle<peft_early_stop, peft_early_stop_free> {
public:
    early_stop(const model &m, const options &o)
    {
        reset(detail::make<peft_early_stop>(peft_early_stop_create, m.c_ptr(), o.c_ptr()));
    }
    early_stop(const model &m, const std::string &o = "") : early_stop(m, options(m.context_ptr(), o)) {}
    // Offers the figure of an epoch; true: `patience` epochs in a row brought no improvement.
    bool offer(std::int64_t epoch, double figure)
    {
        int stop = 0;
        check(peft_early_stop_offer(c_ptr(), epoch, figure, &stop));
        return stop != 0;
    }
    std::int64_t best_epoch() const noexcept { return peft_early_stop_best_epoch(c_ptr()); }
    double best_figure() const noexcept { return peft_early_stop_best_figure(c_ptr()); }
    std::int64_t waited() const noexcept { return peft_early_stop_waited(c_ptr()); }
    void restore() { check(peft_early_stop_restore(c_ptr())); }
    void save(const std::string &path) const { check(peft_early_stop_save(c_ptr(), path.c_str())); }
    void load(const std::string &path) { check(peft_early_stop_load(c_ptr(), path.c_str())); }
};

// --- importance and pruning of masks ---------------------------------------------------------------------------------
class importance : public detail::handle<peft_importance, peft_importance_free> {
public:
    explicit importance(const adapter &a) { reset(detail::make<peft_importance>(peft_importance_create, a.c_ptr())); }
    void add(const trainer &t, tensor_view images, tensor_view labels, const std::int64_t *ids = nullptr)
    {
        check(peft_importance_add(c_ptr(), t.c_ptr(), images.c_ptr(), labels.c_ptr(), ids));
    }
    std::int64_t batches() const noexcept { return peft_importance_batches(c_ptr()); }
    // out: f32, of the mask's extents; mask: the name of its option, "mask_tokens".
    void scores(const char *mask, const tensor &out) const
    {
        check(peft_importance_scores(c_ptr(), mask, nullptr, out.c_ptr()));
    }
    void scores(const char *mask, const options &o, const tensor &out) const
    {
        check(peft_importance_scores(c_ptr(), mask, o.c_ptr(), out.c_ptr()));
    }
    // i.prune(peft::options(ctx, "mask_tokens=30")): an adapter without the 30 % of tokens that matter least.
    adapter prune(const options &o) const
    {
        return adapter(detail::make<peft_adapter>(peft_adapter_prune, c_ptr(), o.c_ptr()));
    }
};

// --- test-time adaptation --------------------------------------------------------------------------------------------
class adaptor : public detail::handle<peft_adaptor, peft_adaptor_free> {
public:
    adaptor(const model &m, const options &o)
    {
        handle::reset(detail::make<peft_adaptor>(peft_adaptor_create, m.c_ptr(), o.c_ptr()));
    }
    adaptor(const model &m, const std::string &o = "") : adaptor(m, options(m.context_ptr(), o)) {}
    const char *kind() const noexcept { return peft_adaptor_kind(c_ptr()); }
    std::size_t memory() const noexcept { return peft_adaptor_memory(c_ptr()); }
    void predict(tensor_view images, const tensor &logits)
    {
        check(peft_adaptor_predict(c_ptr(), images.c_ptr(), logits.c_ptr()));
    }
    void source(tensor_view images) { check(peft_adaptor_source(c_ptr(), images.c_ptr())); }
    void store_source() { check(peft_adaptor_store_source(c_ptr())); }
    void reset() { check(peft_adaptor_reset(c_ptr())); }
    // A figure by name (peft_adaptor_get_float): get("updates").
    double get(const char *what) const
    {
        double value = 0;
        check(peft_adaptor_get_float(c_ptr(), what, &value));
        return value;
    }
    void save(const std::string &path) const { check(peft_adaptor_save(c_ptr(), path.c_str())); }
    void restore(const std::string &path) { check(peft_adaptor_restore(c_ptr(), path.c_str())); }
};

// --- analysis of features, temperature scaling -----------------------------------------------------------------------
namespace detail {

// The rows of x, f32 [n,columns]; throws if x is another tensor, or if there are not n labels.
struct rows {
    const float *data;
    std::int64_t n, columns;
    explicit rows(tensor_view x) : data(x.values<float>().data()), n(0), columns(0)
    {
        const std::vector<std::int64_t> s = x.shape();
        if (s.size() != 2)
            throw error(peft_set_error(PEFT_E_SHAPE, "features or logits: expected a tensor [n,columns]"));
        n = s[0];
        columns = s[1];
    }
    rows(tensor_view x, span<const std::int64_t> labels) : rows(x)
    {
        if (static_cast<std::size_t>(n) != labels.size())
            throw error(peft_set_error(PEFT_E_SHAPE, "labels: expected one for each row of features or logits"));
    }
};

} // namespace detail

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

// --- intervals, tests, thresholds, prediction sets -------------------------------------------------------------------
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
