/* One request on libmicrohttpd: from its headers to its answer.
 *
 * libmicrohttpd calls exchange_handle again and again for one request: first with the headers, then
 * with each piece of the body, then with its end. The answer is queued in the last of these calls,
 * because queueing it in the first closes the connection; only a request whose body is not wanted
 * is answered there, for just that reason. */
#ifndef STEADYCACHE_SERVER_EXCHANGE_H
#define STEADYCACHE_SERVER_EXCHANGE_H

#include <microhttpd.h>
#include <stdatomic.h>

#include "handlers/handlers.h"
#include "server/auth/auth.h"
#include "server/http/connections.h"
#include "server/http/linger.h"
#include "server/http/listen.h"
#include "server/http/offload.h"
#include "server/life/flight_timer.h"
#include "server/log/metrics.h"

/* Who gets /metrics. */
enum metrics_access {
	METRICS_WITH_TOKEN,  /* as any other path */
	METRICS_ON_LOOPBACK, /* without a token, as on a server that has none: no web pages */
	METRICS_FOR_ALL,
};

/* What all requests of a server share. */
struct exchange_shared {
	struct handler_context context;
	struct auth *auth;
	char listen_host[sizeof(((struct listen_address *)0)->host)]; /* of --listen */
	struct connections connections;
	struct flight_timer_thread flight_timer;
	struct lingering linger;
	struct offload offload;
	struct metrics *metrics;
	size_t max_body_bytes;
	unsigned idle_timeout_s;
	size_t max_head_bytes; /* of a request, as its guard counts them */
	bool access_log;
	bool is_remote;  /* the backend is */
	int64_t slow_ns; /* requests that take longer are logged; INT64_MAX: none are */
	bool is_tls;
	enum metrics_access metrics_access;
	atomic_bool draining;       /* the server is stopping: answers close their connections */
	atomic_bool hurries;        /* ... for a while: bodies that go on and on are given up */
	atomic_uint running;        /* requests between headers and the end of their answer */
	atomic_size_t answer_bytes; /* of large answers that are made and not yet sent */
	atomic_uint parked; /* of these, suspended until their op is done or their wait over */
};

/* For MHD_OPTION_URI_LOG_CALLBACK: a request begins. The result is its state. */
void *exchange_open(void *cls, const char *target, struct MHD_Connection *connection);

/* The access handler; `cls` is the struct exchange_shared. */
enum MHD_Result exchange_handle(void *cls, struct MHD_Connection *connection, const char *url,
				const char *method, const char *version, const char *upload,
				size_t *upload_size, void **state);

/* Closes what the library has opened on a connection and never completed. */
void exchange_abandon(struct exchange_shared *shared, struct connection *record);

/* For MHD_OPTION_NOTIFY_COMPLETED. */
void exchange_completed(void *cls, struct MHD_Connection *connection, void **state,
			enum MHD_RequestTerminationCode code);

#endif
