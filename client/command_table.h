/* The table of commands. */
#ifndef STEADYCACHE_CLIENT_COMMAND_TABLE_H
#define STEADYCACHE_CLIENT_COMMAND_TABLE_H

#include "client/command.h"

/* A row without a name ends it. */
extern const struct command client_commands[];

#endif
