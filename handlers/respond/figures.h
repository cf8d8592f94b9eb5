/* What the server counts of its own work since its start, as /stats and /metrics show it. The
 * server fills it (server/log/metrics.h); handlers only read it. */
#ifndef STEADYCACHE_HANDLERS_FIGURES_H
#define STEADYCACHE_HANDLERS_FIGURES_H

#include "base/latency.h"
#include "store/backend.h"

struct server_figures {
	unsigned connections;   /* open now */
	uint64_t server_errors; /* answers with a status of 500 and above */
	uint64_t unanswered;    /* requests whose client left before an answer */
	/* Of all answered requests, including slow ones that waited for the backend: from the end
	 * of the headers until the answer is handed to the HTTP library. It includes the time that
	 * the body took to arrive. It excludes what comes before (a request that waits in the
	 * kernel while its event loop is busy) and after (sending). */
	struct latency_histogram latency;
	size_t waiting;        /* requests that wait for a value now */
	size_t leases;         /* leases out now */
	unsigned watchers;     /* clients that watch a namespace now */
	uint64_t watch_events; /* sent to them */
	uint64_t watch_resets; /* of those that were too slow, or for whom changes were missed */
	uint64_t log_lines_dropped; /* because nobody read them */
};

/* What the system counts of the process; 0 if unknown. */
struct process_figures {
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_files, max_files; /* descriptors */
	double cpu_s;                   /* user and system time */
};

/* Answers of one kind. */
struct answer_count {
	const char *route;  /* static: the pattern of the path, or "none" */
	const char *method; /* static: "GET"; "other" */
	unsigned status;    /* 0: one that the server itself never gives */
	uint64_t count;     /* > 0 */
};

/* Durations of the requests of one route and method. */
struct route_latency {
	const char *route, *method; /* as above */
	struct latency_histogram latency;
};

/* Operations of the backend that ended with one status. */
struct operation_count {
	enum cache_op_type type;
	enum cache_status status;
	uint64_t count; /* > 0 */
};

/* Thread: any. */
struct figures_source {
	void (*read)(void *user, struct server_figures *ret);
	/* Calls `visit` once for each kind that has occurred. Two routes may have the same pattern,
	 * but then not the same methods. */
	void (*each_answer)(void *user,
			    void (*visit)(void *visit_user, const struct answer_count *answers),
			    void *visit_user);
	void (*each_latency)(void *user,
			     void (*visit)(void *visit_user, const struct route_latency *latency),
			     void *visit_user);
	void (*each_operation)(void *user,
			       void (*visit)(void *visit_user,
					     const struct operation_count *operations),
			       void *visit_user);
	void *user;
	void (*read_process)(struct process_figures *ret);
};

#endif
