// PostgreSQL versions that something depends on, numbered as libpq does: 150020 is 15.20, 90605 is
// 9.6.5. What a version changes is told where these are used, and in version_facts.h.
#pragma once

namespace barman::postgres {

inline constexpr int kVersion9_5 = 90500;
inline constexpr int kVersion9_6 = 90600;
inline constexpr int kVersion10 = 100000;
inline constexpr int kVersion11 = 110000;
inline constexpr int kVersion12 = 120000;
inline constexpr int kVersion13 = 130000;
inline constexpr int kVersion14 = 140000;
inline constexpr int kVersion15 = 150000;
inline constexpr int kVersion16 = 160000;
inline constexpr int kVersion17 = 170000;

}  // namespace barman::postgres
