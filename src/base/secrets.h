// What must not be shown: secrets in reports that are sent to others (diagnose) and in connection
// strings, mistyped ones above all, and bytes that a terminal would take for orders.
#pragma once

#include <string>
#include <string_view>

namespace barman {

// Replaces by *REDACTED*: passwords as mask_passwords() does, the values of words that name secrets
// ("token=x", "--api-key x", "PGPASSWORD: x", "secret_access_key = 'x'") and of "Bearer x". Masks
// rather too much than too little. Masking twice is masking once.
std::string mask_secrets(std::string_view text);

// A connection string as it may be shown: the values of parameters that libpq does not know are
// replaced by *REDACTED* ("pasword=x" is a password that somebody mistyped), as are passwords,
// words without a sign, and everything behind a quote that does not end. A correct string without a
// password comes back unchanged.
std::string mask_conninfo(std::string_view conninfo);

// Control characters (also those of UTF-8's second range) as \x1b, except line ends, tabs and the
// colours that barman itself prints: names and server messages must not move a terminal's cursor.
std::string visible_text(std::string_view text);

}  // namespace barman
