/* The options of commands. A test compares the manual page with them. */
#ifndef STEADYCACHE_CLIENT_OPTIONS_H
#define STEADYCACHE_CLIENT_OPTIONS_H

/* X(id, short or 0, long, name of the value or NULL for a switch, help) */
#define CLIENT_OPTIONS(X)                                                                          \
	X(AGAIN, 0, "again", NULL, "also files that were imported before")                         \
	X(ALL, 0, "all", NULL, "every entry of the namespace")                                     \
	X(DATA_DIR, 0, "data-dir", "DIR", "the server's; STEADYCACHE_DATA_DIR unless given")       \
	X(DROP, 0, "drop", NULL, "the namespace itself, with its settings and statistics")         \
	X(DRY_RUN, 0, "dry-run", NULL, "store nothing; tell what would be stored and refused")     \
	X(EXPIRES, 0, "expires", "TIME", "the end of the token: a date in UTC or Unix seconds")    \
	X(FILE, 'f', "file", "FILE", "read from FILE; - is the standard input")                    \
	X(FORCE, 0, "force", NULL, "replace FILE where it is there")                               \
	X(FROM_LARGE_VALUES, 0, "from-large-values", "URL", "where FROM keeps large values")       \
	X(HEADER, 0, "header", "LINE",                                                             \
	  "a header to keep with the value, as X-Meta-Build: 7; may be repeated")                  \
	X(IF_ABSENT, 0, "if-absent", NULL, "only where the key has no value yet")                  \
	X(IF_MATCH, 0, "if-match", "ETAG", "only where the value has this ETag; * is any value")   \
	X(JSON, 0, "json", NULL, "print JSON")                                                     \
	X(KEEP, 0, "keep", NULL, "leave .pkl files where they are")                                \
	X(KEY_BASE64, 0, "key-base64", NULL, "KEY and PREFIX are given in base64")                 \
	X(LIMIT, 0, "limit", "N", "at most N lines")                                               \
	X(LIVE, 0, "live", NULL, "ask only whether the process serves (/healthz)")                 \
	X(NAME, 0, "name", "NAME", "what the token is called, in logs and errors")                 \
	X(NAMESPACE, 0, "namespace", "NAME",                                                       \
	  "only this namespace; may be repeated, and NAME may have * and ?")                       \
	X(NAMESPACES, 0, "namespaces", "LIST",                                                     \
	  "those that it may use, as a-*,b; all unless given")                                     \
	X(NO_SETTINGS, 0, "no-settings", NULL, "leave the settings of namespaces alone")           \
	X(NUL, '0', "null", NULL, "end each key with a NUL byte instead of a line feed")           \
	X(ON_ERROR, 0, "on-error", "stop|continue", "what a bad line does; stop unless given")     \
	X(OUTPUT, 'o', "output", "FILE", "write to FILE")                                          \
	X(OVERWRITE, 0, "overwrite", NULL, "replace what is in TO, also what is newer")            \
	X(PICKLE, 0, "pickle", NULL, "show a value of SteadyText's (a pickle) in readable form")   \
	X(PREFIX, 0, "prefix", "PREFIX", "only keys that begin with PREFIX")                       \
	X(QUIET, 'q', "quiet", NULL, "say nothing that is not an error")                           \
	X(RATE, 0, "rate", "N[:BURST]", "requests a second, and how many at once")                 \
	X(RESUME, 0, "resume", NULL, "go on with the incomplete FILE")                             \
	X(RIGHTS, 0, "rights", "LIST", "read, write, admin, with commas between them")             \
	X(SKIP_EXISTING, 0, "skip-existing", NULL, "leave what is in TO, also what is older")      \
	X(STATE, 0, "state", "FILE", "keep the place in FILE, and go on there if it has one")      \
	X(TIMEOUT, 0, "timeout", "SECONDS", "give up after so long without a byte")                \
	X(TO_LARGE_VALUES, 0, "to-large-values", "URL", "where TO is to keep large values")        \
	X(TTL, 0, "ttl", "SECONDS", "let the entry expire; 0 is never")                            \
	X(TYPE, 0, "type", "TYPE", "the content type of the value")                                \
	X(VERIFY, 0, "verify", NULL, "read everything back from TO and compare")                   \
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

#endif
