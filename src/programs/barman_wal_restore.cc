// The program `barman-wal-restore`.
#include "client/wal_restore_program.h"

int main(int argc, char** argv) { return barman::client::run_wal_restore(argc, argv); }
