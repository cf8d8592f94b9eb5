#include "client/import_server.h"

#include <time.h>

#include "base/clock.h"
#include "client/interrupt.h"
#include "client/migrate/server_end.h"

/* Signals are looked at that often while a retry waits. */
#define LOOK_EVERY_US INT64_C(50000)

bool import_server_goes_on(const struct import_server *server, int64_t since_us, unsigned attempt)
{
	int64_t pause_us = migrate_pause_us(&server->failure, since_us, attempt);
	int64_t until_us = monotonic_now_us() + pause_us;
	const struct timespec look = {.tv_nsec = LOOK_EVERY_US * 1000};

	if (pause_us < 0)
		return false;
	while (monotonic_now_us() < until_us && interrupt_signal == 0)
		(void)nanosleep(&look, NULL);
	return interrupt_signal == 0;
}

bool import_server_ask(struct import_server *server, const struct remote_request *request,
		       struct remote_answer *answer, bool *ret_missing)
{
	int64_t since_us = monotonic_now_us();

	for (unsigned attempt = 0;; attempt++) {
		struct slice text = request->body ? request->body->text : (struct slice){0};

		if (server_end_ask(&server->remote, request, answer, &server->failure)) {
			server->failure = (struct migrate_failure){0};
			return true;
		}
		if (ret_missing && answer->status == 404) {
			server->failure = (struct migrate_failure){0};
			*ret_missing = true;
			return true;
		}
		if (!import_server_goes_on(server, since_us, attempt))
			return false;
		if (request->body)
			request->body->text = text;
	}
}
