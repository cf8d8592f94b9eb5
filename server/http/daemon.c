#include "server/http/daemon.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "handlers/admin/namespace_labels.h"
#include "handlers/watch/hub.h"
#include "server/http/acceptor.h"
#include "server/http/exchange.h"
#include "server/http/exchange_life.h"
#include "server/http/guard_table.h"
#include "server/http/listen.h"
#include "server/http/tls.h"
#include "server/life/process.h"
#include "server/log/log.h"
#include "server/log/log_writer.h"
#include "server/log/request_log.h"

#define STOP_DEADLINE_US (8 * US_PER_S)
#define NS_PER_MS        INT64_C(1000000)
/* When a stop gives up streamed bodies, which have no bound. */
#define HURRY_US (2 * US_PER_S)
/* How long their senders then have to send more, which is answered. */
#define STALLED_US (US_PER_S)
/* How long a stop waits for the first request of an accepted connection. */
#define NEW_CONNECTION_US (US_PER_S / 2)
/* How long an accepted connection may take to be listed (a thread may be interrupted there). */
#define SETTLE_US (US_PER_S / 50)
/* Connections beyond max_connections that are accepted to be told that there is no room. */
#define SPARE_CONNECTIONS 256
/* Open files other than connections, generously. */
#define OTHER_FILES ((rlim_t)64)
/* A large value that is sent takes two besides the connection: the value's, and the answer's. */
#define FILES_WITH_BODY ((rlim_t)3)
/* Backend threads on which operations complete; further ones share a counter. */
#define BACKEND_THREADS 4
/* The part of a connection's memory that the head of a request must leave free: the head of the
 * answer needs it, and bodies are read into it. */
#define ANSWER_HEAD_BYTES 1536
/* Of max_connections: an eighth, but at most this many, cannot be used for waiting. */
#define WAITING_LEAVES_FREE 64
/* The least that a body has that is not received in memory. */
#define STREAM_MIN_BYTES ((uint64_t)1 << 20)
/* How often each client that watches hears something. Proxies close what is silent for a minute,
 * and a client that is gone is found out by writing. */
#define WATCH_BEAT_US (15 * US_PER_S)

struct http_daemon {
	struct MHD_Daemon *mhd;
	int listen_fd; /* the library's */
	struct acceptor acceptor;
	struct exchange_shared shared;
	struct namespace_labels labels;
	struct news_relay *news;
	struct watch_hub *watches;
};

/* Paths and queries stay unchanged: %00 must not end a string, and keys are decoded once, with
 * their length (base/percent.h). */
static size_t keep_escaped(void *cls, struct MHD_Connection *connection, char *text)
{
	(void)cls;
	(void)connection;
	return strlen(text);
}

__attribute__((format(printf, 2, 0))) static void log_library(void *cls, const char *format,
							      va_list args)
{
	char text[300];

	(void)cls;
	if (!log_is_on(LOG_DEBUG))
		return;
	(void)vsnprintf(text, sizeof(text), format, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_line(LOG_DEBUG, "http library", LOG_TEXT("detail", text));
}

/* With TLS the library does not end the sending side before it closes. A client that does not speak
 * TLS, or has no certificate, has sent more than was read, and would get a reset. */
static void end_socket(struct exchange_shared *shared, const struct connection *record)
{
	bool lingers = record->lingers || connection_has_unread(record) ||
		       (shared->is_tls && atomic_load(&record->requests) <= 1);

	if (lingers || shared->is_tls)
		(void)shutdown(record->fd, SHUT_WR);
	if (lingers)
		linger_add(&shared->linger, record->fd);
}

static void close_record(struct exchange_shared *shared, struct connection *record)
{
	exchange_life_abandon(shared, record);
	end_socket(shared, record);
	guard_table_remove(record->fd);
	guard_deinit(&record->guard);
	connections_remove(&shared->connections, record);
}

/* NULL: out of memory. */
static struct connection *open_record(struct exchange_shared *shared, int fd,
				      struct MHD_Connection *connection)
{
	struct connection *record = connections_add(&shared->connections, fd);

	if (!record)
		return NULL;
	guard_init(&record->guard, shared->max_head_bytes, shared->is_tls, connection);
	if (guard_table_put(fd, &record->guard))
		return record;
	connections_remove(&shared->connections, record);
	return NULL;
}

static void notify_connection(void *cls, struct MHD_Connection *connection, void **record,
			      enum MHD_ConnectionNotificationCode code)
{
	struct exchange_shared *shared = cls;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED) {
		if (*record)
			close_record(shared, *record);
		*record = NULL;
		return;
	}
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	if (!info)
		return;
	*record = open_record(shared, info->connect_fd, connection);
	/* Without a guard no request of it is accepted. */
	if (!*record)
		(void)shutdown(info->connect_fd, SHUT_RDWR);
}

/* How many connections are allowed, how many more are accepted to be told that there is no room,
 * and how many closes may linger. */
struct room {
	unsigned connections, spare, lingering;
};

/* As many as the options say, or as the limit of open files allows: at that limit itself the
 * library's threads would retry to accept all the time, and do nothing else. `files_each`: of a
 * connection. */
static struct room make_room(const struct options *options, rlim_t files_each)
{
	struct room room = {
		.connections = (unsigned)options->max_connections,
		.spare = SPARE_CONNECTIONS,
		.lingering = LINGER_MAX,
	};
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
		return room;
	limit.rlim_cur = limit.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &limit);
	if (limit.rlim_cur >=
	    room.connections * files_each + room.spare + LINGER_FILES(LINGER_MAX) + OTHER_FILES)
		return room;
	rlim_t left = limit.rlim_cur >= 2 * OTHER_FILES ? limit.rlim_cur - OTHER_FILES
							: limit.rlim_cur / 2 + 1;
	if (left / 8 < room.spare)
		room.spare = (unsigned)(left / 8) + 1;
	if (room.spare < room.lingering)
		room.lingering = room.spare;
	left = (left - room.spare - LINGER_FILES(room.lingering)) / files_each;
	if (left < room.connections)
		room.connections = (unsigned)left;
	log_line(LOG_WARN, "the limit of open files is below max-connections; raise ulimit -n",
		 LOG_NUMBER("open_files", limit.rlim_cur),
		 LOG_NUMBER("max_connections", options->max_connections),
		 LOG_NUMBER("served_at_once", room.connections));
	return room;
}

/* How many requests may wait for values: fewer than there may be connections, so that the clients
 * with the values get in. */
static size_t max_waiting(const struct room *room)
{
	size_t max = room->connections;
	size_t kept_free = (max + 7) / 8;

	return max - (kept_free < WAITING_LEAVES_FREE ? kept_free : WAITING_LEAVES_FREE);
}

/* Starts the metrics of `threads` event loops, the watchdog, the timer of leases, the thread of
 * lingering closes, and as many threads as loops for work that would block these. */
static bool start_helpers(struct http_daemon *http, const struct options *options,
			  const struct room *room, struct backend *backend, unsigned threads)
{
	struct exchange_shared *shared = &http->shared;

	shared->metrics = metrics_create(2 * threads + BACKEND_THREADS);
	if (!shared->metrics)
		return false;
	if (!flight_timer_init(&shared->flight_timer, max_waiting(room), backend))
		goto no_timer;
	if (!linger_init(&shared->linger, room->lingering))
		goto no_linger;
	if (!offload_init(&shared->offload, threads))
		goto no_offload;
	if (!watch_hub_start(http->watches, room->connections / 2, WATCH_BEAT_US))
		goto no_watches;
	if (connections_init(&shared->connections, room->connections, room->spare,
			     options->request_timeout_s,
			     options->tls_cert ? options->idle_timeout_s : 0,
			     shared->flight_timer.flights, request_log_tick))
		return true;
	watch_hub_end(http->watches);
no_watches:
	offload_deinit(&shared->offload);
no_offload:
	linger_deinit(&shared->linger);
no_linger:
	flight_timer_deinit(&shared->flight_timer);
no_timer:
	metrics_destroy(shared->metrics);
	return false;
}

static void stop_helpers(struct http_daemon *http)
{
	news_relay_connect(http->news, NULL);
	connections_deinit(&http->shared.connections);
	watch_hub_end(http->watches);
	offload_deinit(&http->shared.offload);
	linger_deinit(&http->shared.linger);
	flight_timer_deinit(&http->shared.flight_timer);
	metrics_destroy(http->shared.metrics);
}

static enum metrics_access metrics_access_of(const struct options *options,
					     const struct listeners *listeners)
{
	if (strcasecmp(options->metrics_public, "yes") == 0)
		return METRICS_FOR_ALL;
	if (strcasecmp(options->metrics_public, "no") == 0)
		return METRICS_WITH_TOKEN;
	return listeners_are_local(listeners) ? METRICS_ON_LOOPBACK : METRICS_WITH_TOKEN;
}

/* The cores that this process may use: a container or `taskset` may limit them. */
static unsigned usable_cores(void)
{
	cpu_set_t set;

	if (sched_getaffinity(0, sizeof(set), &set) == 0)
		return (unsigned)CPU_COUNT(&set);
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned)online : 1;
}

static void read_figures(void *user, struct server_figures *ret)
{
	struct exchange_shared *shared = user;
	struct watch_figures watches;

	metrics_read(shared->metrics, ret);
	ret->connections = connections_count(&shared->connections);
	flights_count(shared->flight_timer.flights, &ret->waiting, &ret->leases);
	watch_hub_read(shared->context.watches, &watches);
	ret->watchers = watches.watchers;
	ret->watch_events = watches.events;
	ret->watch_resets = watches.resets;
	ret->log_lines_dropped = log_writer_dropped();
}

static void each_answer(void *user,
			void (*visit)(void *visit_user, const struct answer_count *answers),
			void *visit_user)
{
	const struct exchange_shared *shared = user;

	metrics_each_answer(shared->metrics, visit, visit_user);
}

static void each_latency(void *user,
			 void (*visit)(void *visit_user, const struct route_latency *latency),
			 void *visit_user)
{
	const struct exchange_shared *shared = user;

	metrics_each_latency(shared->metrics, visit, visit_user);
}

static void each_operation(void *user,
			   void (*visit)(void *visit_user,
					 const struct operation_count *operations),
			   void *visit_user)
{
	const struct exchange_shared *shared = user;

	metrics_each_operation(shared->metrics, visit, visit_user);
}

/* Smaller bodies come in memory, which is faster, wherever the backend then keeps them. */
static uint64_t stream_from(const struct backend_intake *intake, size_t max_body_bytes)
{
	uint64_t from =
		intake->from_bytes > STREAM_MIN_BYTES ? intake->from_bytes : STREAM_MIN_BYTES;

	if (intake->max_bytes == 0)
		return UINT64_MAX;
	return from <= max_body_bytes ? from : (uint64_t)max_body_bytes + 1;
}

struct http_daemon *http_daemon_start(const struct options *options, struct backend *backend,
				      struct news_relay *news, struct watch_hub *watches,
				      struct auth *auth, struct listeners *listeners, char *error,
				      size_t error_size)
{
	static char priorities[] = TLS_PRIORITIES;
	struct http_daemon *http = calloc(1, sizeof(*http));
	unsigned threads = options->threads > 0 ? (unsigned)options->threads : usable_cores();
	struct backend_intake intake = {0};

	if (backend->ops->intake)
		intake = backend->ops->intake(backend);
	struct room room = make_room(options, intake.max_bytes > 0 ? FILES_WITH_BODY : 1);
	unsigned limit = room.connections + room.spare + threads;
	if (http)
		http->watches = watches;
	if (!http || !start_helpers(http, options, &room, backend, threads)) {
		free(http);
		(void)snprintf(error, error_size, "out of memory or threads");
		return NULL;
	}
	http->news = news;
	news_relay_connect(news, http->shared.flight_timer.flights);
	http->labels = (struct namespace_labels)NAMESPACE_LABELS_INITIALIZER;
	http->shared.context = (struct handler_context){
		.backend = backend,
		.flights = http->shared.flight_timer.flights,
		.watches = watches,
		.clock = &system_clock,
		.max_key_bytes = (size_t)options->max_key_kb * 1024,
		.max_body_bytes = (size_t)(options->max_body_mb * 1048576.0),
		.max_batch_items = (size_t)options->max_batch,
		.intake = intake,
		.version = STEADYCACHE_VERSION,
		.started_at_us = cache_clock_now_us(&system_clock),
		.figures = {.read = read_figures,
			    .each_answer = each_answer,
			    .each_latency = each_latency,
			    .each_operation = each_operation,
			    .user = &http->shared,
			    .read_process = process_read},
		.log = {.level = log_level_name,
			.configured_level = log_configured_level_name,
			.change_level = log_change_level},
		.labels = &http->labels,
		.leaves = &http->shared.leaves,
	};
	http->shared.auth = auth;
	http->shared.listen_hosts = listeners->hosts;
	http->shared.is_tls = options->tls_cert != NULL;
	http->shared.max_body_bytes = (size_t)(options->max_body_mb * 1048576.0);
	http->shared.stream_from_bytes = stream_from(&intake, http->shared.max_body_bytes);
	size_t memory_bytes = (size_t)options->max_header_kb * 1024;
	http->shared.max_head_bytes = memory_bytes - ANSWER_HEAD_BYTES;
	http->shared.idle_timeout_s = (unsigned)options->idle_timeout_s;
	http->shared.access_log = options->access_log;
	http->shared.branch_share = room.connections / (backend->ops->branch_count + 1) + 1;
	http->shared.slow_ns =
		options->slow_request_ms > 0 ? options->slow_request_ms * NS_PER_MS : INT64_MAX;
	http->shared.metrics_access = metrics_access_of(options, listeners);

	struct MHD_OptionItem tls[] = {
		{.option = MHD_OPTION_HTTPS_CERT_CALLBACK2,
		 .ptr_value = (void *)(uintptr_t)tls_choose},
		{.option = MHD_OPTION_HTTPS_PRIORITIES, .ptr_value = priorities},
		{.option = MHD_OPTION_END},
	};
	const struct MHD_OptionItem *extra = options->tls_cert ? &tls[0] : &tls[2];
	unsigned flags = MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_TURBO | MHD_ALLOW_SUSPEND_RESUME |
			 MHD_USE_ERROR_LOG | (options->tls_cert ? MHD_USE_TLS : 0U);
	http->mhd = MHD_start_daemon(
		flags, 0, NULL, NULL, exchange_handle, &http->shared, MHD_OPTION_EXTERNAL_LOGGER,
		log_library, NULL, MHD_OPTION_LISTEN_SOCKET, listeners->all[0].fd,
		MHD_OPTION_THREAD_POOL_SIZE, threads > 1 ? threads : 0, MHD_OPTION_CONNECTION_LIMIT,
		limit, MHD_OPTION_CONNECTION_TIMEOUT, http->shared.idle_timeout_s,
		MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory_bytes, MHD_OPTION_URI_LOG_CALLBACK,
		exchange_life_open, &http->shared, MHD_OPTION_UNESCAPE_CALLBACK, keep_escaped, NULL,
		MHD_OPTION_NOTIFY_COMPLETED, exchange_life_completed, &http->shared,
		MHD_OPTION_NOTIFY_CONNECTION, notify_connection, &http->shared, MHD_OPTION_ARRAY,
		extra, MHD_OPTION_END);
	if (!http->mhd) {
		stop_helpers(http);
		free(http);
		(void)snprintf(error, error_size, "cannot start the HTTP daemon");
		return NULL;
	}
	http->listen_fd = listeners_give(&listeners->all[0]);
	if (acceptor_start(&http->acceptor, http->mhd, listeners))
		return http;
	MHD_stop_daemon(http->mhd);
	stop_helpers(http);
	free(http);
	(void)snprintf(error, error_size, "out of threads");
	return NULL;
}

void http_daemon_leave(struct http_daemon *http)
{
	atomic_store(&http->shared.leaves, true);
	watch_hub_stop(http->watches);
}

bool http_daemon_stop(struct http_daemon *http)
{
	int64_t started_us = monotonic_now_us();
	int64_t passed_us = 0;
	unsigned waiting;

	http_daemon_leave(http);
	atomic_store(&http->shared.draining, true);
	/* Not MHD_quiesce_daemon: under load that races with the library's threads, which then
	 * abort the process (0.9.75: "Failed to remove listen FD from epoll set"). Nor
	 * MHD_stop_daemon alone, which also shuts down a socket that belongs to a service
	 * manager. */
	listen_deafen(http->listen_fd);
	acceptor_stop(&http->acceptor);
	flights_stop(http->shared.flight_timer.flights);
	do {
		waiting = connections_close_waiting(&http->shared.connections,
						    passed_us < NEW_CONNECTION_US);
		waiting += atomic_load(&http->shared.running);
		(void)usleep(2000);
		passed_us = monotonic_now_us() - started_us;
		if (passed_us >= HURRY_US)
			atomic_store(&http->shared.hurries, true);
		if (passed_us >= HURRY_US + STALLED_US)
			connections_close_stalled(&http->shared.connections);
	} while ((waiting > 0 || passed_us < SETTLE_US) && passed_us < STOP_DEADLINE_US);
	if (atomic_load(&http->shared.parked) > 0)
		return false; /* the library refuses to close suspended connections */
	MHD_stop_daemon(http->mhd);
	stop_helpers(http);
	free(http);
	return true;
}
