// What a backup notes of the cluster. Facts that were asked before a long wait (for the checkpoint,
// between two attempts) count for nothing behind it: each attempt asks again when the server has
// begun to send, and which tablespaces the backup has is what the stream announces.
#pragma once

#include <vector>

#include "backup/base_backup_receiver.h"
#include "catalogue/backup_kind.h"
#include "postgres/connection.h"
#include "postgres/queries.h"
#include "replication/base_backup_stream.h"

namespace barman::backup {

// Asks for everything but the position; `tablespaces` are those that SQL lists, also in place.
postgres::ServerSettings take_facts(postgres::Connection& connection, catalogue::BackupInfo& info,
                                    std::vector<postgres::TablespaceRow>& tablespaces);

// The server has begun to send. Asks again, and notes the tablespaces that come. Throws `conflict`
// when one is not part of what comes.
void take_announcement(postgres::Connection& connection, const replication::BackupBegin& begin,
                       replication::TablespaceMap map, catalogue::BackupInfo& info,
                       std::vector<postgres::TablespaceRow>& tablespaces);

// The tablespaces of the metadata: those announced that lie outside of the data directory. Names
// are known to SQL only; one that is in neither list was dropped and gets its OID as name.
std::vector<catalogue::Tablespace> name_tablespaces(
    const std::vector<replication::BackupArchive>& archives,
    const std::vector<postgres::TablespaceRow>& listed,
    const std::vector<postgres::TablespaceRow>& listed_before);

// Whether the server leaves links out and puts a list into the archive instead. Archives are to be
// unpacked by programs that know nothing of relocation, as with pg_basebackup; links to long
// locations do not fit into an archive; before version 16 tablespaces in place get lost with it.
replication::TablespaceMap choose_tablespace_map(
    const std::vector<postgres::TablespaceRow>& tablespaces, catalogue::StoredForm format,
    int server_version);

// Throws `config` when another cluster answers than the one the backup was begun of.
void require_same_cluster(const catalogue::BackupInfo& info, postgres::Connection& connection);

}  // namespace barman::backup
