/* The commands and their options: one table (command_table.c) from which the command line is read
 * and help and completions are made. The manual page is tested against it. */
#ifndef STEADYCACHE_CLIENT_COMMAND_H
#define STEADYCACHE_CLIENT_COMMAND_H

#include "client/client.h"

/* X(id, short or 0, long, what its value is called or NULL for a switch, help) */
#define CLIENT_OPTIONS(X)                                                                          \
	X(ALL, 0, "all", NULL, "every entry of the namespace")                                     \
	X(DATA_DIR, 0, "data-dir", "DIR", "the server's; STEADYCACHE_DATA_DIR unless given")       \
	X(EXPIRES, 0, "expires", "TIME", "the end of the token: a date in UTC or Unix seconds")    \
	X(FILE, 'f', "file", "FILE", "read from FILE; - is the standard input")                    \
	X(FORCE, 0, "force", NULL, "replace FILE where it is there")                               \
	X(IF_ABSENT, 0, "if-absent", NULL, "only where the key has no value yet")                  \
	X(IF_MATCH, 0, "if-match", "ETAG", "only where the value has this ETag; * is any value")   \
	X(JSON, 0, "json", NULL, "print JSON")                                                     \
	X(KEY_BASE64, 0, "key-base64", NULL, "KEY and PREFIX are given in base64")                 \
	X(LIMIT, 0, "limit", "N", "at most N lines")                                               \
	X(LIVE, 0, "live", NULL, "ask only whether the process serves (/healthz)")                 \
	X(NAME, 0, "name", "NAME", "what the token is called, in logs and errors")                 \
	X(NAMESPACES, 0, "namespaces", "LIST",                                                     \
	  "those that it may use, as a-*,b; all unless given")                                     \
	X(NUL, '0', "null", NULL, "end each key with a NUL byte instead of a line feed")           \
	X(ON_ERROR, 0, "on-error", "stop|continue", "what a bad line does; stop unless given")     \
	X(OUTPUT, 'o', "output", "FILE", "write to FILE")                                          \
	X(PREFIX, 0, "prefix", "PREFIX", "only keys that begin with PREFIX")                       \
	X(QUIET, 'q', "quiet", NULL, "say nothing that is not an error")                           \
	X(RATE, 0, "rate", "N[:BURST]", "requests a second, and how many at once")                 \
	X(RESUME, 0, "resume", NULL, "go on with the incomplete FILE")                             \
	X(RIGHTS, 0, "rights", "LIST", "read, write, admin, with commas between them")             \
	X(TIMEOUT, 0, "timeout", "SECONDS", "give up after so long without a byte")                \
	X(TTL, 0, "ttl", "SECONDS", "let the entry expire; 0 is never")                            \
	X(TYPE, 0, "type", "TYPE", "the content type of the value")                                \
	X(YES, 'y', "yes", NULL, "do not ask")                                                     \
	X(HELP, 'h', "help", NULL, "print this")

enum client_option_id {
#define X(id, letter, name, value, help) OPT_##id,
	CLIENT_OPTIONS(X)
#undef X
		OPT_COUNT,
};

struct client_option {
	char letter; /* 0: none */
	const char *name;
	const char *value; /* NULL: a switch */
	const char *help;
};

extern const struct client_option client_options[OPT_COUNT];

#define CLIENT_OPERANDS_MAX 3

/* A command line, read. All point into argv. */
struct arguments {
	const struct command *command;
	const char *options[OPT_COUNT]; /* NULL: not given; a switch given is "" */
	const char *operands[CLIENT_OPERANDS_MAX];
	size_t count; /* of operands */
	const struct client_loan *loan;
};

struct command {
	const char *name;
	const char *operands; /* as the usage line shows them */
	const char *summary;
	unsigned operands_min, operands_max;
	unsigned options; /* bits: 1 << OPT_... */
	int (*run)(const struct arguments *arguments);
};

extern const struct command client_commands[];
extern const size_t client_command_count;

/* NULL: there is none of that name. */
const struct command *client_find(const char *name);

static inline bool command_takes(const struct command *command, unsigned id)
{
	return (command->options >> id & 1U) != 0;
}

/* Reads what stands behind the command's name. False after a line on stderr. */
bool arguments_read(struct arguments *arguments, int argc, char **argv);

/* The value as a number from `min` to `max`; `fallback` where the option is not given. False after
 * a line on stderr. */
bool arguments_number(const struct arguments *arguments, enum client_option_id id, long long min,
		      long long max, long long fallback, long long *ret);

/* "steadycache: " and a sentence, on stderr. Returns `code`. */
int client_fail(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

void client_print_help(FILE *out, const struct command *command);

/* The commands, in their files. */
int command_get(const struct arguments *arguments);
int command_set(const struct arguments *arguments);
int command_delete(const struct arguments *arguments);
int command_stats(const struct arguments *arguments);
int command_list(const struct arguments *arguments);
int command_export(const struct arguments *arguments);
int command_import(const struct arguments *arguments);
int command_backup(const struct arguments *arguments);
int command_healthcheck(const struct arguments *arguments);
int command_token(const struct arguments *arguments);
int command_completion(const struct arguments *arguments);
int command_help(const struct arguments *arguments);

#endif
