// SPDX-License-Identifier: Apache-2.0
// peft/tensor.hpp -- contexts, options and tensors; a part of peft.hpp.
#ifndef PEFT_TENSOR_HPP
#define PEFT_TENSOR_HPP
#include <peft/handle.hpp>

namespace peft {

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

} // namespace peft
#endif
