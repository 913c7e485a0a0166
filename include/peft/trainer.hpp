// SPDX-License-Identifier: Apache-2.0
// peft/trainer.hpp -- training: trainers, early stopping, and the importance of masks; a part of peft.hpp.
#ifndef PEFT_TRAINER_HPP
#define PEFT_TRAINER_HPP
#include <peft/model.hpp>

namespace peft {

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

} // namespace peft
#endif
