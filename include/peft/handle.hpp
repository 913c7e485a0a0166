// SPDX-License-Identifier: Apache-2.0
// peft/handle.hpp -- what the classes of peft.hpp and io.hpp are made of: errors as exceptions, spans, and the base of
// handles that free themselves. Programs include peft.hpp or io.hpp.
#ifndef PEFT_HANDLE_HPP
#define PEFT_HANDLE_HPP
#include <peft/peft.h>
#include <cstddef>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace peft {

// A failed call: what() is peft_last_error(), status() the code.
class error : public std::runtime_error {
public:
    explicit error(peft_status s) : std::runtime_error(peft_last_error()), status_(s) {}
    peft_status status() const noexcept { return status_; }

private:
    peft_status status_;
};

// Throws error where s is not PEFT_OK: peft::check(peft_backbone_save(vit.c_ptr(), "vit.safetensors")).
inline void check(peft_status s)
{
    if (s != PEFT_OK) throw error(s);
}

// size elements from data on, borrowed: made from vectors, arrays and whatever has data() and size().
template <typename T> class span {
public:
    span() noexcept = default;
    span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    // From a container whose elements are T, or T without const.
    template <typename C, typename = std::enable_if_t<std::is_convertible_v<
                              std::remove_pointer_t<decltype(std::declval<C &>().data())> (*)[], T (*)[]>>>
    span(C &&c) noexcept : data_(c.data()), size_(c.size()) {}
    T *data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    T *begin() const noexcept { return data_; }
    T *end() const noexcept { return data_ + size_; }
    T &operator[](std::size_t i) const noexcept { return data_[i]; }

private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};

namespace detail {

// Frees a C object by its function Free.
template <typename T, void (*Free)(T *)> struct deleter {
    void operator()(T *p) const noexcept { Free(p); }
};

// The base of all classes that own a C object.
template <typename T, void (*Free)(T *)> class handle {
public:
    T *c_ptr() const noexcept { return p_.get(); }
    T *release() noexcept { return p_.release(); }                     // the caller frees it from then on

protected:
    explicit handle(T *p = nullptr) noexcept : p_(p) {}
    void reset(T *p) noexcept { p_.reset(p); }

private:
    std::unique_ptr<T, deleter<T, Free>> p_;
};

// The peft_dtype of a C++ type.
template <typename T> struct dtype;
template <> struct dtype<float> { static constexpr peft_dtype value = PEFT_F32; };
template <> struct dtype<double> { static constexpr peft_dtype value = PEFT_F64; };
template <> struct dtype<std::int16_t> { static constexpr peft_dtype value = PEFT_I16; };
template <> struct dtype<std::int32_t> { static constexpr peft_dtype value = PEFT_I32; };
template <> struct dtype<std::int64_t> { static constexpr peft_dtype value = PEFT_I64; };
template <> struct dtype<std::uint8_t> { static constexpr peft_dtype value = PEFT_U8; };
template <> struct dtype<std::uint16_t> { static constexpr peft_dtype value = PEFT_U16; };

// The elements of t, which begin at data; throws if they are of another type than T.
template <typename T> span<T> elements(T *data, const peft_tensor *t)
{
    if (peft_tensor_dtype(t) != dtype<std::remove_const_t<T>>::value)
        throw error(peft_set_error(PEFT_E_DTYPE, "the tensor's elements have another type than the one asked for"));
    return { data, static_cast<std::size_t>(peft_tensor_count(t)) };
}

inline std::vector<std::int64_t> shape(const peft_tensor *t)
{
    std::vector<std::int64_t> dims(static_cast<std::size_t>(peft_tensor_ndim(t)));
    for (std::size_t i = 0; i < dims.size(); i++) dims[i] = peft_tensor_dim(t, static_cast<int>(i));
    return dims;
}

// Calls f(args..., &p), which makes an object, and returns p; throws if f fails.
template <typename T, typename F, typename... A> T *make(F f, A... args)
{
    T *p = nullptr;
    check(f(args..., &p));
    return p;
}

// Returns p, the result of a call; throws the call's error if p is null.
template <typename T> T *found(T *p)
{
    if (!p) throw error(PEFT_E_NOTFOUND);
    return p;
}

// The two callbacks of fit as C functions. An exception must not pass through C code: it is stored, peft_trainer_fit is
// told to stop, and trainer::fit throws it again.
template <typename Next, typename Progress> struct fit_calls {
    Next &next;
    Progress &progress;
    std::exception_ptr thrown;

    static std::int64_t next_batch(std::int64_t epoch, std::int64_t batch, peft_tensor *images, peft_tensor *labels,
                                   std::int64_t *ids, void *user)
    {
        auto *self = static_cast<fit_calls *>(user);
        try {
            return self->next(epoch, batch, images, labels, ids);
        } catch (...) {
            self->thrown = std::current_exception();
            return -1;
        }
    }
    static int after_step(peft_trainer *t, void *user)
    {
        auto *self = static_cast<fit_calls *>(user);
        try {
            if constexpr (std::is_void_v<decltype(self->progress(t))>) self->progress(t);
            else return self->progress(t);
            return 0;
        } catch (...) {
            self->thrown = std::current_exception();
            return 1;
        }
    }
};

} // namespace detail
} // namespace peft
#endif
