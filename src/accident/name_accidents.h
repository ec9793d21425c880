// What the catalogue of a backup says of the files that an accident hit: names of databases,
// schemas and relations, and how large they were. Of what was made after the backup it knows
// nothing.
#pragma once

#include <vector>

#include "accident/accident.h"
#include "server/server.h"

namespace barman::accident {

// With the backup of each. What cannot be read (encrypted, in one compressed piece, damaged) stays
// unnamed: the accident counts, not its name. Reads pg_database of each backup, and pg_class and
// pg_namespace of each database that was hit. Not those of databases in other tablespaces.
void name_accidents(const server::Server& server, std::vector<Accident>& accidents);

}  // namespace barman::accident
