// SPDX-License-Identifier: Apache-2.0
// peft/adaptor.hpp -- test-time adaptation; a part of peft.hpp.
#ifndef PEFT_ADAPTOR_HPP
#define PEFT_ADAPTOR_HPP
#include <peft/model.hpp>

namespace peft {

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

} // namespace peft
#endif
