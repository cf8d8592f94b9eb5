/* The options of the server: one table (option_table.c) gives the defaults, the environment names,
 * the flags, --help and the table in the README. Flags beat the environment. */
#ifndef STEADYCACHE_SERVER_OPTIONS_H
#define STEADYCACHE_SERVER_OPTIONS_H

#include "server/log/log.h"
#include "store/backend.h"

/* Limits that SteadyText sets for one of its three caches; negative: not set. */
struct cache_limits {
	double max_size_mb;
	long long capacity;
};

struct options {
	const char *listen;
	const char *backend;
	const char *data_dir;
	const char *api_key;    /* NULL: none; of several the first, where they are in a file */
	const char *token_file; /* NULL: none */
	const char *tls_cert, *tls_key, *tls_client_ca; /* NULL: none */
	long long threads;                              /* 0: one per core */
	const char *durability;
	double max_body_mb;
	long long max_key_kb;
	long long max_header_kb;
	long long max_batch;
	long long max_connections;
	long long max_namespaces;
	long long idle_timeout_s;
	long long request_timeout_s;
	long long memory_max_mb;
	long long sqlite_cache_mb;
	double default_max_size_mb;
	const char *d1_url, *d1_api_key;
	const char *d1_ca_file;
	long long d1_batch_size;
	long long d1_max_in_flight;
	long long d1_retries;
	double d1_connect_timeout_s;
	double d1_timeout_s;
	long long near_mb;
	double near_ttl_s;
	double near_stale_s;
	struct cache_limits generation, embedding, reranking;
	const char *log_level;
	const char *log_format;
	const char *metrics_public;
	bool access_log;
	long long slow_request_ms; /* 0: none is slow */
	bool disable_cache;
	bool skip_cache_init;
};

enum options_result {
	OPTIONS_SERVE, /* go on */
	OPTIONS_DONE,  /* --help and the like: printed; exit 0 */
	OPTIONS_BAD,   /* one line was written to `error`; exit 2 */
};

/* Reads environment and command line. Strings point into both. */
enum options_result options_read(struct options *options, int argc, char **argv, char *error,
				 size_t error_size);

/* backend_config's `defaults`: the settings of a namespace where nothing was configured. `user` is
 * the struct options. */
void options_namespace_defaults(void *user, struct slice ns, struct namespace_settings *ret);

/* The backend that the options choose; never NULL after a successful read. */
const struct backend_ops *options_backend(const struct options *options);

/* What the options say to the d1 backend. */
struct d1_config options_d1(const struct options *options);

/* ---- The table ---- */

enum option_type { OPTION_TEXT, OPTION_WHOLE, OPTION_NUMBER, OPTION_SWITCH, OPTION_CHOICE };

struct option {
	const char *flag; /* without the dashes; NULL: environment only */
	const char *env;  /* own name first, other programs' names behind, blank-separated */
	enum option_type type;
	size_t offset;        /* in struct options */
	const char *fallback; /* default, as text; NULL: unset */
	double min, max;      /* of numbers */
	const char *choices;  /* of OPTION_CHOICE: blank-separated */
	const char *help;     /* one sentence */
};

extern const struct option option_table[];
extern const size_t option_count;

/* Sets one option from text; false with a line in `error`. `source` is what the user wrote: the
 * flag or the name of the variable. */
bool option_set(const struct option *option, struct options *options, const char *source,
		const char *text, char *error, size_t error_size);

#endif
