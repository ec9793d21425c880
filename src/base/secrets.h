// What must not leave this host in a report that is sent to others (diagnose).
#pragma once

#include <string>
#include <string_view>

namespace barman {

// Replaces by *REDACTED*: passwords as mask_passwords() does, the values of words that name secrets
// ("token=x", "--api-key x", "PGPASSWORD: x", "secret_access_key = 'x'") and of "Bearer x". Masks
// rather too much than too little. Masking twice is masking once.
std::string mask_secrets(std::string_view text);

}  // namespace barman
