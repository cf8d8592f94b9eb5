#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "backends/large/layer.h"
#include "backends/packed/packed.h"
#include "backends/plugin/check/check.h"
#include "backends/sqlite/file/backup.h"
#include "client/client.h"
#include "handlers/watch/hub.h"
#include "server/auth/credentials.h"
#include "server/config/backends.h"
#include "server/config/option_list.h"
#include "server/config/options.h"
#include "server/config/stray_variables.h"
#include "server/http/daemon.h"
#include "server/http/listeners.h"
#include "server/http/routes.h"
#include "server/life/import_dir.h"
#include "server/life/service_manager.h"
#include "server/log/log.h"
#include "server/stack.h"
#include "store/data_dir.h"
#include "store/find.h"

#define EXIT_USAGE 2

/* If 0, 1 or 2 is closed, the next opened file would get that number, and the log, or an error,
 * would go into a database or to a client. */
static void occupy_standard_files(void)
{
	for (int file = STDIN_FILENO; file <= STDERR_FILENO; file++)
		if (fcntl(file, F_GETFD) < 0 && open("/dev/null", O_RDWR) != file)
			_exit(EXIT_FAILURE);
}

static void log_notice(void *user, enum notice_level level, const char *sentence)
{
	static const enum log_level levels[] = {
		[NOTICE_DEBUG] = LOG_DEBUG,
		[NOTICE_INFO] = LOG_INFO,
		[NOTICE_WARN] = LOG_WARN,
		[NOTICE_ERROR] = LOG_ERROR,
	};

	(void)user;
	log_line(levels[level], sentence);
}

/* Before or after the server runs: the last line of the log. */
static int give_up(int status, const char *sentence)
{
	log_stop(sentence);
	return status;
}

/* backend_config.is_own_url; `user` are the listeners. SteadyText's settings, which name the server
 * for its clients, may be in the server's environment too. */
static bool is_own_url(void *user, const char *url)
{
	const struct listeners *listeners = user;
	const char *authority = strstr(url, "://");
	struct listen_address upstream;
	char text[sizeof(upstream.host)];

	if (!authority)
		return false;
	authority += 3;
	(void)snprintf(text, sizeof(text), "%.*s", (int)strcspn(authority, "/?#"), authority);
	if (!listen_parse(text, &upstream))
		return false;
	for (size_t i = 0; i < listeners->count; i++) {
		const struct listen_address *own = &listeners->all[i].address;

		if (strcmp(own->port, upstream.port) == 0 &&
		    (strcmp(own->host, upstream.host) == 0 || listen_is_loopback(&upstream)))
			return true;
	}
	return false;
}

static struct news_relay news = NEWS_RELAY_INITIALIZER;
static struct watch_hub *watches;

/* The chosen backend; its notices are logged, its news relayed, its changes told to who watches. */
static bool read_stack(struct stack *stack, struct options *options, struct listeners *listeners,
		       char *error, size_t error_size)
{
	struct backend_config base = backends_config(options);

	base.notice = log_notice;
	base.news = news_relay_tell;
	base.news_user = &news;
	base.changed = watch_hub_tell;
	base.changed_user = watches;
	base.changes_wanted = watch_hub_wanted(watches);
	base.is_own_url = is_own_url;
	base.is_own_url_user = listeners;
	return stack_read(stack, options, &base, error, error_size);
}

static bool open_facades(const struct options *options, char *error, size_t error_size)
{
	struct slice unknown;
	unsigned facades;

	if (routes_read_facades(options->facades, &facades, &unknown)) {
		router_open(facades);
		return true;
	}
	(void)snprintf(error, error_size,
		       "--facades (STEADYCACHE_FACADES): \"%.*s\" is none; there are turborepo, nx "
		       "and webdav, with commas between them, all and none",
		       (int)unknown.len, unknown.data);
	return false;
}

static void warn_of_stray_variables(void)
{
	char names[300];

	if (stray_variables(names, sizeof(names)) > 0)
		log_line(LOG_WARN,
			 "variables of the environment that are no settings: they are ignored",
			 LOG_TEXT("names", names));
}

static void tell_that_it_listens(const struct listeners *listeners, const struct options *options,
				 const struct backend *backend)
{
	for (size_t i = 0; i < listeners->count; i++)
		log_line(LOG_INFO, "listening", LOG_TEXT("address", listeners->all[i].name),
			 LOG_TEXT("backend", backend->ops->name),
			 LOG_TEXT("version", STEADYCACHE_VERSION),
			 LOG_TEXT("tls", options->tls_cert ? "on" : "off"));
}

/* Serves until a signal comes. */
static int serve(struct options *options, struct stack *stack, struct listeners *listeners,
		 struct auth *auth)
{
	char error[600] = "";
	sigset_t signals;

	/* Blocked before any thread starts, so that only sigwait below sees them. */
	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGUSR1);
	(void)sigaddset(&signals, SIGUSR2);
	if (credentials_can_reload(options, auth)) { /* otherwise it ends the server, by default */
		(void)signal(SIGHUP, SIG_DFL);
		(void)sigaddset(&signals, SIGHUP);
	}
	(void)pthread_sigmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	(void)signal(SIGXFSZ, SIG_IGN);
	log_start();

	if (!listeners_open(listeners, error, sizeof(error)))
		return give_up(EXIT_FAILURE, error);
	struct backend *backend = stack_open(stack, error, sizeof(error));
	if (!backend)
		return give_up(EXIT_FAILURE, error);
	if (!import_dir_run(options, backend)) {
		backend->ops->close(backend);
		log_line(LOG_INFO, "stopped");
		return EXIT_SUCCESS;
	}
	struct http_daemon *http = http_daemon_start(options, backend, &news, watches, auth,
						     listeners, error, sizeof(error));
	if (!http) {
		backend->ops->close(backend);
		return give_up(EXIT_FAILURE, error);
	}
	if (!auth->wants_token)
		log_line(LOG_WARN,
			 "no STEADYCACHE_API_KEY is set: every local program may use the cache");
	warn_of_stray_variables();
	tell_that_it_listens(listeners, options, backend);
	if (!service_manager_notify("READY=1"))
		log_line(LOG_WARN, "cannot tell the service manager that the server is ready",
			 LOG_TEXT("NOTIFY_SOCKET", getenv("NOTIFY_SOCKET")));
	int caught = credentials_await_end(&signals, options, auth);
	(void)service_manager_notify("STOPPING=1");
	log_line(LOG_INFO, "stopping", LOG_NUMBER("signal", caught));
	/* A second signal ends the process at once, unless it asks for a reload or a level. */
	(void)sigdelset(&signals, SIGHUP);
	(void)sigdelset(&signals, SIGUSR1);
	(void)sigdelset(&signals, SIGUSR2);
	(void)pthread_sigmask(SIG_UNBLOCK, &signals, NULL);
	http_daemon_leave(http);
	(void)sleep((unsigned)options->drain_s);
	if (backend->ops->hurry)
		backend->ops->hurry(backend);
	if (!http_daemon_stop(http)) {
		log_line(LOG_ERROR, "requests were still waiting for the backend");
		return EXIT_FAILURE;
	}
	backend->ops->close(backend);
	log_line(LOG_INFO, "stopped");
	return EXIT_SUCCESS;
}

static const char *serve_flag(size_t i)
{
	size_t count;
	const struct option_place *places = option_list(&count);

	if (i >= count)
		return NULL;
	return places[i].option->flag ? places[i].option->flag : "";
}

/* For `migrate` and `backup`: the options of the environment, read once. NULL with a sentence. */
static struct options *environment(char *error, size_t error_size)
{
	static struct options options;
	static bool is_read;
	static char name[] = "steadycache";
	char *no_arguments[] = {name, NULL};

	is_read = is_read ||
		  options_read(&options, 1, no_arguments, error, error_size) == OPTIONS_SERVE;
	return is_read ? &options : NULL;
}

static const char *database_dir(const char *backend)
{
	static const struct backend_config none = {.data_dir = ""};
	static char dir[PATH_MAX];
	struct backend_place place;
	char error[600];
	struct options *options = environment(error, sizeof(error));

	/* What the environment says decides whether memory has a database (--persist-every). */
	if (options ? !backends_place(&place, options, &none, backend, error, sizeof(error))
		    : !backend_place_read(&place, backend, &none, NULL, NULL, error, sizeof(error)))
		return NULL;
	bool keeps_one = place.ops->bits & BACKEND_WANTS_DIR && !place.ops->shares_dir;
	(void)snprintf(dir, sizeof(dir), "%s", place.config.data_dir);
	backend_place_deinit(&place);
	return keeps_one ? dir : NULL;
}

static bool lend_place(struct backend_place *ret, const struct backend_config *own,
		       const char *text, char *error, size_t error_size)
{
	struct options *options = environment(error, error_size);

	if (!options)
		return false;
	struct backend_config base = backends_config(options);
	base.max_namespaces = 0;
	base.defaults = own->defaults;
	base.defaults_user = own->defaults_user;
	base.default_names = NULL;
	base.notice = own->notice;
	base.notice_user = own->notice_user;
	base.is_alone = own->is_alone;
	return backends_place(ret, options, &base, text, error, error_size);
}

static struct backend *lend_large(struct backend *inner, const char *url,
				  const struct backend_config *config, char *error,
				  size_t error_size)
{
	struct options *options = environment(error, error_size);
	struct large_config *large = options ? option_list_settings(options, &large_options) : NULL;

	if (!large)
		return NULL;
	large->url = url;
	large->never_sweeps = true;
	large->whole_max_bytes = 0;
	if (!large_layer_check(large, error, error_size) ||
	    (large_layer_wants_dir(large) &&
	     !data_dir_prepare(config->data_dir, "--data-dir", error, error_size)))
		return NULL;
	return large_layer_open(inner, large, config, error, error_size);
}

static const struct client_loan client_loan = {
	.serve_flag = serve_flag,
	.backup = sqlite_backup,
	.database_dir = database_dir,
	.place = lend_place,
	.large = lend_large,
	.packed = packed_wrap,
	.prepare = backends_prepare,
	.check_plugin = plugin_check_run,
};

/* Blocks of this size go back to the system when they are freed. Without this, the first large
 * value that is freed would make glibc keep such blocks, up to 32 MB each, for ever. */
#define MAPPED_BLOCK_BYTES (1 << 20)

int main(int argc, char **argv)
{
	struct options options;
	static struct stack stack; /* when the process ends it may be in use */
	static struct listeners listeners;
	static struct auth auth;
	static char help_flag[] = "--help";
	char error[600] = "";

	(void)mallopt(M_MMAP_THRESHOLD, MAPPED_BLOCK_BYTES);
	occupy_standard_files();
	/* `help serve` is the server's own help. */
	if (argc == 3 && strcmp(argv[1], "help") == 0 && strcmp(argv[2], "serve") == 0)
		argv[1] = argv[2], argv[2] = help_flag;
	else if (argc > 1 && client_knows(argv[1]))
		return client_main(argc, argv, &client_loan);
	else if (argc > 1 && (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0))
		client_print_commands(stdout);

	switch (options_read(&options, argc, argv, error, sizeof(error))) {
	case OPTIONS_DONE:
		return EXIT_SUCCESS;
	case OPTIONS_BAD:
		return give_up(EXIT_USAGE, error);
	case OPTIONS_SERVE:
		break;
	}
	options_hide_passwords(&options, argc, argv);
	if (!listeners_read(&listeners, &options.listen, error, sizeof(error)))
		return give_up(EXIT_USAGE, error);
	if (options.tls_cert && listeners_have_unix(&listeners))
		return give_up(
			EXIT_USAGE,
			"--tls-cert: a Unix socket (--listen=unix:...) needs no TLS, and a "
			"server speaks it on all of its addresses or on none; leave one out");
	if (!open_facades(&options, error, sizeof(error)))
		return give_up(EXIT_USAGE, error);
	if (!credentials_open(&auth, &options, error, sizeof(error)))
		return give_up(EXIT_USAGE, error);
	if (!auth.wants_token && !listeners_are_local(&listeners))
		return give_up(EXIT_USAGE,
			       "STEADYCACHE_API_KEY (or STEADYCACHE_API_KEY_FILE or "
			       "STEADYCACHE_TOKEN_FILE) must be set to serve on an address that is "
			       "not loopback, or on a Unix socket that others than its owner may "
			       "use (STEADYCACHE_LISTEN)");
	watches = watch_hub_create();
	if (!watches)
		return give_up(EXIT_FAILURE, "out of memory");
	if (!read_stack(&stack, &options, &listeners, error, sizeof(error)))
		return give_up(EXIT_USAGE, error);
	log_configure(options.log_level, strcasecmp(options.log_format, "json") == 0);
	int status = serve(&options, &stack, &listeners, &auth);
	listeners_close(&listeners);
	log_stop(NULL);
	if (status == EXIT_SUCCESS) { /* otherwise requests may still be in progress */
		credentials_close(&auth);
		stack_deinit(&stack);
		watch_hub_destroy(watches);
	}
	return status;
}
