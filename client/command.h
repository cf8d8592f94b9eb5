/* What a command is: its row of the table (command_table.c), used to read the command line and to
 * generate help and completions, and the function that runs it. */
#ifndef STEADYCACHE_CLIENT_COMMAND_H
#define STEADYCACHE_CLIENT_COMMAND_H

#include <stdint.h>

#include "client/client.h"
#include "client/options.h"

#define CLIENT_OPERANDS_MAX   3
#define CLIENT_NAMESPACES_MAX 64
#define CLIENT_HEADERS_MAX    16

/* A parsed command line. All texts point into argv. */
struct arguments {
	const struct command *commands; /* the table; a row without a name ends it */
	const struct command *command;
	const char *options[OPT_COUNT]; /* NULL: not given; "" for a switch */
	const char *operands[CLIENT_OPERANDS_MAX];
	size_t count;                                  /* of operands */
	const char *namespaces[CLIENT_NAMESPACES_MAX]; /* of --namespace, each time */
	size_t namespace_count;
	const char *headers[CLIENT_HEADERS_MAX]; /* of --header, each time */
	size_t header_count;
	const struct client_loan *loan;
};

struct command {
	const char *name;
	const char *operands; /* as in the usage line */
	const char *summary;
	unsigned operands_min, operands_max;
	uint64_t options; /* bits: 1 << OPT_... */
	int (*run)(const struct arguments *arguments);
	unsigned timeout_s; /* the default of --timeout; 0: it contacts no server */
};

/* A server that sends nothing for this long counts as gone. */
#define TIMEOUT_DEFAULT_S 60

static inline bool command_takes(const struct command *command, unsigned id)
{
	return (command->options >> id & 1) != 0;
}

/* The commands, each in the file of its name. */
int command_get(const struct arguments *arguments);
int command_set(const struct arguments *arguments);
int command_delete(const struct arguments *arguments);
int command_expire(const struct arguments *arguments);
int command_stats(const struct arguments *arguments);
int command_list(const struct arguments *arguments);
int command_watch(const struct arguments *arguments);
int command_export(const struct arguments *arguments);
int command_import(const struct arguments *arguments);
int command_import_steadytext(const struct arguments *arguments);
int command_migrate(const struct arguments *arguments);
int command_backup(const struct arguments *arguments);
int command_check_plugin(const struct arguments *arguments);
int command_healthcheck(const struct arguments *arguments);
int command_token(const struct arguments *arguments);
int command_completion(const struct arguments *arguments);
int command_help(const struct arguments *arguments);

#endif
