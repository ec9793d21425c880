// The facts for survey_catalogue(): reads metadata, the WAL index, the directories of the WAL
// archive and the manifests of the backups. Writes nothing and holds no lock, so files may come and
// go meanwhile; what looks missing or new is looked at twice.
//
// Without checksums: of plain backups every file is looked for with its size, of archives only that
// they are there; what nobody has looked at is named in the facts. With checksums everything is
// read, as verify-backup does.
//
// Memory: 32 bytes an archived WAL file, plus the metadata of the backups. Directories are read by
// a few threads.
#pragma once

#include "base/interrupt.h"
#include "base/progress.h"
#include "server/server.h"
#include "verify/survey.h"
#include "verify/verify_backup.h"

namespace barman::verify {

// Throws Error(interrupted), and `io` for directories that cannot be read. What is damaged is a
// finding.
SurveyFacts gather_survey(const server::Server& server, verify::VerifyDepth depth,
                          Progress& progress);

// The same without looking at the files of backups: for the holes in the WAL.
SurveyFacts gather_wal_survey(const server::Server& server);

// A part of it, with findings for what is wrong. Internal to verify/.
void survey_backup_files(const server::Server& server, verify::VerifyDepth depth,
                         Progress& progress, SurveyedBackup& backup);

}  // namespace barman::verify
