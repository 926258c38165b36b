// fmt's own functions, compiled once: LibTorch's wheel has its headers and no library, and compiling them in every
// source took a third of the build.

#include <fmt/format-inl.h>

#include <locale>

namespace fmt::inline v12 {

template auto locale_ref::get<std::locale>() const -> std::locale;

namespace detail {

template auto dragonbox::to_decimal(float value) noexcept -> dragonbox::decimal_fp<float>;
template auto dragonbox::to_decimal(double value) noexcept -> dragonbox::decimal_fp<double>;
template auto thousands_sep_impl<char>(locale_ref locale) -> thousands_sep_result<char>;
template auto decimal_point_impl(locale_ref locale) -> char;

}  // namespace detail
}  // namespace fmt::inline v12
