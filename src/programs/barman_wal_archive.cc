// The program `barman-wal-archive`.
#include "client/wal_archive.h"

int main(int argc, char** argv) { return barman::client::run_wal_archive(argc, argv); }
