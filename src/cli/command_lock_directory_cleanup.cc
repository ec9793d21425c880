#include "catalogue/locks.h"
#include "cli/commands.h"

namespace barman::cli {

void run_lock_directory_cleanup(CommandContext& context) {
  catalogue::clean_lock_directory(context.configuration.global().barman_lock_directory);
}

}  // namespace barman::cli
