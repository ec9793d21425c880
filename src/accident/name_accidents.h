// What the catalogue of a backup says of the files that an accident hit: names of databases,
// schemas and relations, and how large they were. What was made after the backup has the name that
// the WAL tells (wal_names.h).
#pragma once

#include <vector>

#include "accident/accident.h"
#include "accident/wal_names.h"
#include "base/progress.h"
#include "server/server.h"

namespace barman::accident {

// With the backup of each, and the WAL. What cannot be read here and there (encrypted, in one
// compressed piece, damaged) stays unnamed: the accident counts, not its name. Reads pg_database of
// each backup, and pg_class and pg_namespace of each database that was hit. Not those of databases
// in other tablespaces.
void name_accidents(const server::Server& server, const WalNames& names,
                    std::vector<Accident>& accidents);

// For what is still unnamed: backups that must be read from their beginning to their end. All of a
// backup is read, and decrypted, so this is the last resort. Chains of such backups are not.
void name_by_reading_through(const server::Server& server, const WalNames& names,
                             std::vector<Accident>& accidents, Progress& progress);

}  // namespace barman::accident
