# Which fuzz targets are built, and where the fuzzer looks into the code: in the folders whose headers these targets
# include. Those of one folder stand together, so that a share of them looks into few: what the fuzzer is told of the ways
# that an input took is a quarter of the time of compiling a folder (property BARMAN_FUZZED).
# ./test builds and runs a share of them, other ones at each commit.
set(BARMAN_FUZZ_SHARE 0/1 CACHE STRING "INDEX/COUNT: one in COUNT of the fuzz targets")
set(BARMAN_FUZZ_TARGETS
  aws_answers aws_settings azure_answers archived_ahead config_update configuration restore_rates sync_position
  backup_info catalogue_files command_words python_literal wal_record_content backup_manifest recovery_files json_copy
  archive_index incremental_file checksum_list put_wal received_names wal_index tar tar_round_trip
  base_backup replication_messages compression pglz wal_change_records wal_records wal_file_name primary_info)

set(BARMAN_FUZZED_FOLDERS "")
if(BARMAN_BUILD_FUZZERS)
  string(REPLACE "/" ";" share ${BARMAN_FUZZ_SHARE})
  list(GET share 0 index)
  list(GET share 1 count)
  list(LENGTH BARMAN_FUZZ_TARGETS total)
  math(EXPR begin "${total} * ${index} / ${count}")
  math(EXPR size "${total} * (${index} + 1) / ${count} - ${begin}")
  list(SUBLIST BARMAN_FUZZ_TARGETS ${begin} ${size} BARMAN_FUZZ_TARGETS)
  foreach(name IN LISTS BARMAN_FUZZ_TARGETS)
    file(STRINGS ${PROJECT_SOURCE_DIR}/tests/fuzz/${name}_fuzz.cc includes REGEX "^#include \"[a-z_]+/")
    list(TRANSFORM includes REPLACE "^#include \"([a-z_]+)/.*" "\\1")
    list(APPEND BARMAN_FUZZED_FOLDERS ${includes})
  endforeach()
  list(REMOVE_DUPLICATES BARMAN_FUZZED_FOLDERS)
  # Of these the targets compile what they need themselves (tests/fuzz/CMakeLists.txt).
  list(REMOVE_ITEM BARMAN_FUZZED_FOLDERS cli output restore sync)
endif()
