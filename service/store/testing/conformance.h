// The behaviour that every store must have: one suite, instantiated by each implementation.
//
//   INSTANTIATE_TEST_SUITE_P(Sqlite, StoreConformanceTest, testing::Values(&MakeSqlitePlace));
//
// with conformance.cc among the test's sources.
#ifndef ASSETGATE_STORE_TESTING_CONFORMANCE_H_
#define ASSETGATE_STORE_TESTING_CONFORMANCE_H_

#include <cstddef>
#include <memory>
#include <optional>

#include "absl/status/statusor.h"
#include "base/clock.h"
#include "base/testing/fake_clock.h"
#include "gtest/gtest.h"
#include "store/store.h"

namespace assetgate::store {

// Where one test's data is kept: empty when created, removed when destroyed.
class StorePlace {
 public:
  struct Settings {
    const base::Clock* clock = nullptr;
    Retention retention;
    std::size_t max_queue = 10'000;
    // The limit on index look-ups in one List; absent for the store's default.
    std::optional<std::size_t> max_look_ups;
  };
  virtual ~StorePlace() = default;
  // Whether rows keep the shard that their writer set; a store for one process need not.
  virtual bool keeps_shards() const { return false; }
  // Opens the store in this place. At most one is open at a time.
  virtual absl::StatusOr<std::unique_ptr<Store>> Open(const Settings& settings) = 0;
  // Lets time pass, also for the store's own clock if it has one.
  virtual void Pass(base::FakeClock& clock, absl::Duration by) { clock.Advance(by); }
  // Whether the store dates rows by its own clock.
  virtual bool has_own_clock() const { return false; }
};
using StorePlaceFactory = std::unique_ptr<StorePlace> (*)();

class StoreConformanceTest : public testing::TestWithParam<StorePlaceFactory> {
 protected:
  StoreConformanceTest() : place_(GetParam()()) { settings_.clock = &clock_; }
  void SetUp() override { Reopen(); }

  // Closes the store, if there is one, and opens it with `settings_`.
  void Reopen();

  base::FakeClock clock_;
  StorePlace::Settings settings_;
  std::unique_ptr<StorePlace> place_;
  std::unique_ptr<Store> store_;
};

}  // namespace assetgate::store

#endif  // ASSETGATE_STORE_TESTING_CONFORMANCE_H_
