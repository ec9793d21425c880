// The programs `barman-cloud-*`: one executable, whose name says which of them it is.
#include "cloud_cli/cloud_programs.h"

int main(int argc, char** argv) { return barman::cloud_cli::run_cloud(argc, argv); }
