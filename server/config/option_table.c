#include "server/config/option_table.h"

#include "server/config/options.h"

#define OPTION_SETTINGS struct options
#define UNSET           "-1"

#define CACHE_ROWS(member, word, WORD, size)                                                       \
	ROW_WHOLE(member.capacity, word "-capacity", "STEADYTEXT_" WORD "_CACHE_CAPACITY", UNSET,  \
		  -1, 1e15,                                                                        \
		  "Entries that " word "_cache may hold; 0 stores nothing, -1 sets no limit."),    \
		ROW_NUMBER(member.max_size_mb, word "-max-size-mb",                                \
			   "STEADYTEXT_" WORD "_CACHE_MAX_SIZE_MB", size, 0, OPTION_LARGE,         \
			   "Size limit of " word "_cache in MB; 0 sets none.")

static const struct option rows[] = {
	ROW_CHOICE(profile, "profile", "STEADYCACHE_PROFILE", "none", "none build-cache",
		   "Other defaults for a purpose: none, or build-cache, which is --max-body-mb=512 "
		   "--default-max-size-mb=10240 --default-eviction=lru --request-timeout=900."),
	{OPTION_ROW(OPTION_LIST, listen, "listen", "STEADYCACHE_LISTEN"),
	 .fallback = "127.0.0.1:8080",
	 .help = "Address and port to serve on, where port 0 picks a free one, or a Unix socket, "
		 "unix:/path?mode=0660&owner=NAME&group=NAME; may be given several times."},
	ROW_TEXT(
		facades, "facades", "STEADYCACHE_FACADES", "all",
		"Paths and methods of other protocols that are served, too: turborepo, nx, webdav, "
		"with commas between them; all, or none."),
	ROW_CHOICE(backend, "backend", "STEADYCACHE_BACKEND STEADYTEXT_CACHE_BACKEND", NULL, NULL,
		   /* from the registry (option_list.c) */
		   "Where entries are kept: %s; or a URL: sqlite:///directory, memory://, "
		   "d1+https://[:token@]host, redis://[user:password@]host:port/db, "
		   "redis://host:port,host:port/?cluster=1, dynamodb://table?region=..., "
		   "plugin:/path/driver.so; with "
		   "options of that backend behind the "
		   "? (docs/routes.md)."),
	ROW_LIST(
		routes, "route", "STEADYCACHE_ROUTES",
		"PATTERN=BACKEND: namespaces whose name matches (* and ? stand for any characters) "
		"are kept in that backend, a name or a URL; may be given several times, the first "
		"that matches counts, and --backend has the rest (docs/routes.md)."),
	ROW_TEXT(data_dir, "data-dir", "STEADYCACHE_DATA_DIR", "./steadycache-data",
		 "Directory of the database; made if it is missing."),
	ROW_TEXT(api_key, NULL, "STEADYCACHE_API_KEY API_KEY", NULL,
		 "Token that clients must send, or several, one a line. Without one only loopback "
		 "is served."),
	ROW_TEXT(token_file, "token-file", "STEADYCACHE_TOKEN_FILE", NULL,
		 "File of further tokens, each with its rights, namespaces and rate "
		 "(docs/security.md)."),
	ROW_TEXT(tls_cert, "tls-cert", "STEADYCACHE_TLS_CERT", NULL,
		 "PEM file of the server's certificate and its chain: serve HTTPS only."),
	ROW_TEXT(tls_key, "tls-key", "STEADYCACHE_TLS_KEY", NULL,
		 "PEM file of the key of --tls-cert."),
	ROW_TEXT(tls_client_ca, "tls-client-ca", "STEADYCACHE_TLS_CLIENT_CA", NULL,
		 "PEM file of authorities: clients must show a certificate from one of them."),
	ROW_CHOICE(durability, "durability", "STEADYCACHE_DURABILITY", "commit", "commit full",
		   "commit: writes survive a crash of the server; full: also a power failure."),
	ROW_WHOLE(threads, "threads", "STEADYCACHE_THREADS", "0", 0, 256,
		  "Event-loop threads; 0 starts one per core that the process may use."),
	ROW_NUMBER(max_body_mb, "max-body-mb", "STEADYCACHE_MAX_BODY_MB", "32", 0.001, 1024,
		   "Largest request body in MB; beyond: 413."),
	ROW_WHOLE(max_key_kb, "max-key-kb", "STEADYCACHE_MAX_KEY_KB", "1024", 1, 65536,
		  "Longest key in KB; beyond: 413 in JSON, 414 in a URL."),
	ROW_WHOLE(max_header_kb, "max-header-kb", "STEADYCACHE_MAX_HEADER_KB", "8", 2, 1024,
		  "Memory for the URL and headers of a request in KB, 64 bytes a header and 1.5 KB "
		  "for the answer's headers included; beyond: 414 or 431."),
	ROW_WHOLE(max_batch, "max-batch", "STEADYCACHE_MAX_BATCH", "10000", 1, 1000000,
		  "Most keys in one batch; beyond: 413."),
	ROW_WHOLE(max_connections, "max-connections", "STEADYCACHE_MAX_CONNECTIONS", "10000", 1,
		  1000000, "Most connections at once; beyond: 503."),
	ROW_WHOLE(max_namespaces, "max-namespaces", "STEADYCACHE_MAX_NAMESPACES", "10000", 1,
		  OPTION_LARGE, "Most namespaces; beyond: 507."),
	ROW_WHOLE(idle_timeout_s, "idle-timeout", "STEADYCACHE_IDLE_TIMEOUT", "60", 1, 86400,
		  "Seconds after which a silent connection is closed, or one whose headers have "
		  "not come whole."),
	ROW_WHOLE(drain_s, "drain", "STEADYCACHE_DRAIN", "0", 0, 3600,
		  "Seconds that a stop goes on serving first, while /readyz says 503: for "
		  "balancers."),
	ROW_WHOLE(request_timeout_s, "request-timeout", "STEADYCACHE_REQUEST_TIMEOUT", "60", 1,
		  86400, "Seconds that a client may take to send one request."),
	ROW_NUMBER(default_max_size_mb, "default-max-size-mb", "STEADYCACHE_DEFAULT_MAX_SIZE_MB",
		   "100", 0, OPTION_LARGE,
		   "Size limit of a namespace for which none is set, in MB; 0 sets none."),
	ROW_CHOICE(default_eviction, "default-eviction", "STEADYCACHE_DEFAULT_EVICTION", NULL,
		   "frecency lru fifo none",
		   "What a full namespace evicts for which nothing is set: frecency, lru, fifo or "
		   "none; unless given fifo on memory, frecency elsewhere."),
	CACHE_ROWS(generation, "generation", "GENERATION", "50"),
	CACHE_ROWS(embedding, "embedding", "EMBEDDING", "100"),
	CACHE_ROWS(reranking, "reranking", "RERANKING", "25"),
	ROW_TEXT(import_dir, "import-dir", "STEADYCACHE_IMPORT_DIR", NULL,
		 "Folder of SteadyText's caches (.db, .pkl) that are taken into the store at the "
		 "start, each once; a .pkl is then removed (docs/steadytext.md)."),
	ROW_SWITCH(import_keep, "import-keep", "STEADYCACHE_IMPORT_KEEP",
		   "The .pkl files of --import-dir stay."),
	ROW_CHOICE(log_level, "log-level", "STEADYCACHE_LOG_LEVEL STEADYTEXT_LOG_LEVEL", "info",
		   "debug info warn warning error critical",
		   "Least level that is logged: debug, info, warn or error."),
	ROW_CHOICE(log_format, "log-format", "STEADYCACHE_LOG_FORMAT", "logfmt", "logfmt json",
		   "Form of the log lines on stderr: logfmt or json."),
	ROW_CHOICE(metrics_public, "metrics-public", "STEADYCACHE_METRICS_PUBLIC", "auto",
		   "auto yes no",
		   "Whether /metrics needs no token: yes, no, or auto: only on loopback."),
	ROW_SWITCH(access_log, "access-log", "STEADYCACHE_ACCESS_LOG",
		   "Log a line for each request (never its key)."),
	ROW_WHOLE(slow_request_ms, "slow-request-ms", "STEADYCACHE_SLOW_REQUEST_MS", "1000", 0,
		  86400000,
		  "Milliseconds after which an answer is late enough to be logged; 0: never "
		  "(docs/logging.md)."),
	ROW_SWITCH(disable_cache, "disable-cache", "STEADYTEXT_DISABLE_CACHE",
		   "Every get misses, every set succeeds and stores nothing."),
	ROW_SWITCH(skip_cache_init, "skip-cache-init", "STEADYTEXT_SKIP_CACHE_INIT",
		   "The memory backend with capacity 0 in place of a database."),
};

const struct option_table option_table = {
	.rows = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};
