// The program `barman-wal-archive`.
#include "client/wal_archive_program.h"

int main(int argc, char** argv) { return barman::client::run_wal_archive(argc, argv); }
