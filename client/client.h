/* `steadycache` as a client: the sub-commands that speak HTTP to a server.
 *
 * The client uses nothing of the server: it knows only the HTTP API, so it works with any server
 * of that API. (`backup` and `migrate` open databases, by functions that they are lent.)
 * server/main.c calls it before it reads an option of the server. */
#ifndef STEADYCACHE_CLIENT_CLIENT_H
#define STEADYCACHE_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/backup.h"

struct backend;
struct backend_config;
struct backend_place;

/* Exit codes of the process. Documented in client/man/steadycache.1. */
enum client_exit {
	CLIENT_DONE = 0,
	CLIENT_NOT_FOUND = 1,   /* no such entry or database; unhealthy */
	CLIENT_USAGE = 2,       /* the command line or the environment is wrong */
	CLIENT_REFUSED = 3,     /* the server refused (4xx), or accepted only a part; not a
				 * database, or one of an unknown version, or damaged */
	CLIENT_UNREACHABLE = 4, /* no answer, a broken one, a time-out, or 5xx */
	CLIENT_LOCAL = 5,       /* a local file, a pipe or memory failed */
};

/* The flags of `serve`, for the completions: the i-th without its dashes, "" for an option
 * without a flag, NULL after the last. */
typedef const char *client_serve_flag(size_t i);

/* What server/main.c lends to the client. */
struct client_loan {
	client_serve_flag *serve_flag;
	backup_function *backup;
	/* Where that backend, as named in the environment, keeps a database that `backup` can copy:
	 * empty: in the data directory; else a directory, in static storage. NULL: nowhere. */
	const char *(*database_dir)(const char *backend);
	/* For `migrate`. Reads a backend by its URL, with the settings of the environment
	 * (store/place.h); `own` has the defaults, notices and is_alone of the caller. */
	bool (*place)(struct backend_place *ret, const struct backend_config *own, const char *text,
		      char *error, size_t error_size);
	/* Puts the store of large values at `url` around `inner`, which then belongs to the result;
	 * no object is ever removed. NULL with a sentence, and `inner` is the caller's. */
	struct backend *(*large)(struct backend *inner, const char *url,
				 const struct backend_config *config, char *error,
				 size_t error_size);
	/* Puts compression around `inner` (backends/packed/packed.h). NULL: out of memory, and
	 * `inner` is the caller's. */
	struct backend *(*packed)(struct backend *inner);
	/* Checks it, and makes its directory if it is missing. */
	bool (*prepare)(const struct backend_place *place, char *error, size_t error_size);
	/* For `check-plugin` (backends/plugin/check/check.h). */
	bool (*check_plugin)(const char *text, FILE *out, char *error, size_t error_size);
};

/* Whether `word` is a command of the client. NULL is not. */
bool client_knows(const char *word);

/* Runs the command in argv[1], which client_knows accepts. Returns the exit code. Main thread,
 * once. */
int client_main(int argc, char **argv, const struct client_loan *loan);

/* The list of commands, one a line, including "serve". */
void client_print_commands(FILE *out);

#endif
