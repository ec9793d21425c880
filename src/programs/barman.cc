// The program `barman`.
#include "cli/application.h"

int main(int argc, char** argv) { return barman::cli::run(argc, argv); }
