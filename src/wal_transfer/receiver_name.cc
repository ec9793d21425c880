#include "wal_transfer/receiver_name.h"

#include "postgres/conninfo.h"

namespace barman::wal_transfer {

std::string receiver_name(const config::ServerConfig& config) {
  return postgres::find_parameter(config.streaming_conninfo.value_or(""), "application_name")
      .value_or(config.streaming_archiver_name);
}

}  // namespace barman::wal_transfer
