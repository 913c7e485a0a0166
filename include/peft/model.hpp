// SPDX-License-Identifier: Apache-2.0
// peft/model.hpp -- backbones, adapters, models and sessions; a part of peft.hpp.
#ifndef PEFT_MODEL_HPP
#define PEFT_MODEL_HPP
#include <peft/tensor.hpp>

namespace peft {

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

} // namespace peft
#endif
