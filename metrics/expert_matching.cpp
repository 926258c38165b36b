#include "metrics/expert_matching.h"

#include "core/error.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace moe {
namespace {

/// The columns of a matching under construction, with the dual prices that keep reduced costs above 0. Row and column 0
/// stand for none.
class Matching {
 public:
  explicit Matching(const std::vector<std::vector<double>>& gain)
      : gain_(gain), size_(gain.size()), row_price_(size_ + 1), column_price_(size_ + 1), row_of_(size_ + 1) {}

  /// Gives a row (from 1) a column along the cheapest path, on which earlier rows may change theirs.
  void add(std::size_t row) {
    std::vector<double> slack(size_ + 1, std::numeric_limits<double>::infinity());
    std::vector<std::size_t> before(size_ + 1, 0);
    std::vector<bool> reached(size_ + 1, false);
    std::size_t column = 0;
    row_of_[0] = row;
    do {
      reached[column] = true;
      column = extend(column, slack, before, reached);
    } while (row_of_[column] != 0);
    for (; column != 0; column = before[column]) row_of_[column] = row_of_[before[column]];
  }

  std::vector<std::size_t> columns() const {
    std::vector<std::size_t> columns(size_);
    for (std::size_t column = 1; column <= size_; ++column) columns[row_of_[column] - 1] = column - 1;
    return columns;
  }

 private:
  /// The nearest column that was not reached, after prices have moved so that it is free of cost.
  std::size_t extend(std::size_t from, std::vector<double>& slack, std::vector<std::size_t>& before,
                     const std::vector<bool>& reached) {
    const std::size_t row = row_of_[from];
    double least = std::numeric_limits<double>::infinity();
    std::size_t nearest = 0;
    for (std::size_t column = 1; column <= size_; ++column) {
      if (reached[column]) continue;
      const double cost = -gain_[row - 1][column - 1] - row_price_[row] - column_price_[column];
      if (cost < slack[column]) {
        slack[column] = cost;
        before[column] = from;
      }
      if (slack[column] < least) {
        least = slack[column];
        nearest = column;
      }
    }
    for (std::size_t column = 0; column <= size_; ++column) {
      if (reached[column]) {
        row_price_[row_of_[column]] += least;
        column_price_[column] -= least;
      } else {
        slack[column] -= least;
      }
    }
    return nearest;
  }

  const std::vector<std::vector<double>>& gain_;
  std::size_t size_;
  std::vector<double> row_price_, column_price_;
  std::vector<std::size_t> row_of_;  ///< of each column; 0: none yet
};

/// The agreement of independent choices with these numbers of tokens, matched as well as can be: busy with busy.
double chance_agreement(std::vector<double> first, std::vector<double> second, double tokens) {
  std::sort(first.begin(), first.end());
  std::sort(second.begin(), second.end());
  return std::inner_product(first.begin(), first.end(), second.begin(), 0.0) / (tokens * tokens);
}

}  // namespace

std::vector<std::size_t> best_matching(const std::vector<std::vector<double>>& gain) {
  for (const auto& row : gain) {
    MOE_CHECK(row.size() == gain.size(),
              "A matching needs a square matrix; a row has {} columns, and there are {} rows.", row.size(),
              gain.size());
  }
  Matching matching(gain);
  for (std::size_t row = 1; row <= gain.size(); ++row) matching.add(row);
  return matching.columns();
}

std::optional<RoutingAgreement> routing_agreement(const std::vector<std::int64_t>& first,
                                                  const std::vector<std::int64_t>& second, std::int64_t experts) {
  MOE_CHECK(first.size() == second.size(), "Choices for {} tokens cannot be compared with choices for {}.",
            first.size(), second.size());
  const auto count = static_cast<std::size_t>(experts);
  std::vector<std::vector<double>> together(count, std::vector<double>(count));
  std::vector<double> first_load(count), second_load(count);
  RoutingAgreement agreement;
  for (std::size_t t = 0; t < first.size(); ++t) {
    MOE_CHECK(std::max(first[t], second[t]) < experts, "Expert {} is none of {}.", std::max(first[t], second[t]),
              experts);
    if (first[t] < 0 || second[t] < 0) continue;
    const auto a = static_cast<std::size_t>(first[t]), b = static_cast<std::size_t>(second[t]);
    together[a][b] += 1;
    first_load[a] += 1;
    second_load[b] += 1;
    agreement.tokens += 1;
  }
  if (agreement.tokens == 0) return std::nullopt;
  const std::vector<std::size_t> match = best_matching(together);
  const auto tokens = static_cast<double>(agreement.tokens);
  for (std::size_t i = 0; i < count; ++i) agreement.share += together[i][match[i]] / tokens;
  agreement.chance = chance_agreement(first_load, second_load, tokens);
  return agreement;
}

}  // namespace moe
