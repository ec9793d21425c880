// What every driver must do, tried with those that need no server.
#include <memory>
#include <vector>

#include "storage/conformance_suite.h"
#include "storage/local_storage.h"

namespace barman::storage {
namespace {

const std::vector<Driver> kDrivers = {
    {"Local",
     [](const std::filesystem::path& directory) {
       return std::make_unique<LocalStorage>(directory / "below");
     }},
    {"Memory", [](const std::filesystem::path&) { return std::make_unique<MemoryStorage>(); }},
};

INSTANTIATE_TEST_SUITE_P(Drivers, StorageConformance, testing::ValuesIn(kDrivers), driver_name);

}  // namespace
}  // namespace barman::storage
