/* The options of a process: a row in the table of a module (option_list.h) gives the default, the
 * names in the environment, the flag, --help and the table in the README. Flags take precedence
 * over the environment. */
#ifndef STEADYCACHE_SERVER_OPTIONS_H
#define STEADYCACHE_SERVER_OPTIONS_H

#include "base/option.h"
#include "server/log/log.h"
#include "store/backend.h"

/* Limits that SteadyText sets for one of its three caches; negative: not set. */
struct cache_limits {
	double max_size_mb;
	long long capacity;
};

struct options {
	const char *profile;
	struct option_list listen; /* addresses (listeners.h) */
	const char *facades;       /* names with commas (routes.h) */
	const char *backend;
	struct option_list routes; /* PATTERN=BACKEND */
	const char *data_dir;
	const char *api_key;    /* NULL: none; the first if a file has several */
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
	long long drain_s;
	double default_max_size_mb;
	const char *default_eviction; /* NULL: the backend's own */
	struct cache_limits generation, embedding, reranking;
	const char *limit_flag; /* of a limit that somebody set; NULL: none is but by default */
	const char *import_dir; /* NULL: none */
	bool import_keep;
	const char *log_level;
	const char *log_format;
	const char *metrics_public;
	bool access_log;
	long long slow_request_ms; /* 0: no request is slow */
	bool disable_cache;
	bool skip_cache_init;
	/* For backends and layers (option_list_settings). */
	_Alignas(max_align_t) char module_settings[512];
};

enum options_result {
	OPTIONS_SERVE, /* go on */
	OPTIONS_DONE,  /* --help and similar: printed; exit 0 */
	OPTIONS_BAD,   /* one line was written to `error`; exit 2 */
};

/* Overwrites user and password of URLs in the command line and in the variables of options, which
 * lists of processes show; options have copies from then on. Before any other thread starts. */
void options_hide_passwords(struct options *options, int argc, char **argv);

/* Reads environment and command line. Strings point into both. */
enum options_result options_read(struct options *options, int argc, char **argv, char *error,
				 size_t error_size);

/* Whether `ops` can keep the limits that somebody set: false, with a sentence, if it has no
 * BACKEND_LIMITS and there is one. */
bool options_check_limits(const struct options *options, const struct backend_ops *ops, char *error,
			  size_t error_size);

/* backend_config's `defaults`: the settings of a namespace that nobody has configured. `user` is
 * the struct options. */
void options_namespace_defaults(void *user, struct slice ns, struct namespace_settings *ret);
/* backend_config's `default_names`: those that have options of their own. */
extern const char *const options_default_names[];

#endif
