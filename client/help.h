/* Help texts of commands. `commands` is the table. */
#ifndef STEADYCACHE_CLIENT_HELP_H
#define STEADYCACHE_CLIENT_HELP_H

#include "client/command.h"

/* NULL: no command of that name, or no name. */
const struct command *help_find(const struct command *commands, const char *name);

/* All of them, one a line, including "serve". */
void help_list(FILE *out, const struct command *commands);

/* One of them, with its options. */
void help_explain(FILE *out, const struct command *command);

#endif
