/* What the server counts of its own work since its start, as /stats and /metrics show it. The
 * server fills it (server/metrics.h); handlers only read. */
#ifndef STEADYCACHE_HANDLERS_FIGURES_H
#define STEADYCACHE_HANDLERS_FIGURES_H

#include "handlers/latency.h"

struct server_figures {
	unsigned connections;   /* open now */
	uint64_t server_errors; /* answers with a status of 500 and above */
	uint64_t unanswered;    /* requests whose client left before an answer was there */
	/* Of all requests that were answered, slow ones that waited for the backend included: from
	 * the end of the headers until the answer is handed to the HTTP library. That contains the
	 * time that the body took to come. It does not contain what lies before (a request that
	 * waits in the kernel while its event loop is busy) and after (sending). */
	struct latency_histogram latency;
};

/* What the system counts of the process; 0 where it does not tell. */
struct process_figures {
	uint64_t resident_bytes, virtual_bytes;
	uint64_t open_files, max_files; /* descriptors */
	double cpu_s;                   /* user and system time */
};

/* Answers of one kind. */
struct answer_count {
	const char *route;     /* static: the pattern of the path, or "none" */
	const char *method;    /* static: "GET"; "other" */
	unsigned status_class; /* 1 to 5: the first digit of the status */
	uint64_t count;        /* > 0 */
};

/* Thread: any. */
struct figures_source {
	void (*read)(void *user, struct server_figures *ret);
	/* Calls `visit` once for each kind of answer that there has been. */
	void (*each_answer)(void *user,
			    void (*visit)(void *visit_user, const struct answer_count *answers),
			    void *visit_user);
	void *user;
	void (*read_process)(struct process_figures *ret);
};

#endif
