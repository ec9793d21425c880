// The server of the unit tests, as the tests of this folder call it.
#pragma once

#include "wal_archive/test_support.h"

namespace barman::wal_transfer {

using wal_archive::get_wal_text;
using wal_archive::list_names;
using wal_archive::put_wal_file;
using wal_archive::RecordedMessages;
using wal_archive::TestServer;
using wal_archive::wal_content;
using wal_archive::wal_name;

}  // namespace barman::wal_transfer
