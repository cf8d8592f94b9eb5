/* The options that are the server's own; they fill struct options. */
#ifndef STEADYCACHE_SERVER_OPTION_TABLE_H
#define STEADYCACHE_SERVER_OPTION_TABLE_H

#include "base/option.h"

extern const struct option_table option_table;

#endif
