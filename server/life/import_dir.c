#include "server/life/import_dir.h"

#include <signal.h>

#include "server/life/service_manager.h"
#include "server/log/log.h"
#include "steadytext/backend_sink.h"
#include "steadytext/import.h"

/* How much longer the service manager is asked to wait for the start, and how often. */
#define EXTENSION       "EXTEND_TIMEOUT_USEC=60000000"
#define EXTEND_EVERY_US (10 * US_PER_S)

static void log_sentence(void *user, enum steadytext_level level, const char *sentence)
{
	static const enum log_level levels[] = {
		[STEADYTEXT_INFO] = LOG_INFO,
		[STEADYTEXT_WARN] = LOG_WARN,
		[STEADYTEXT_ERROR] = LOG_ERROR,
	};

	(void)user;
	log_line(levels[level], sentence);
}

static bool end_is_pending(void)
{
	sigset_t pending;

	return sigpending(&pending) == 0 &&
	       (sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1);
}

/* `user` is when the manager was asked last. */
static bool is_over(void *user)
{
	int64_t *asked_us = user;
	int64_t now_us = monotonic_now_us();

	if (now_us - *asked_us >= EXTEND_EVERY_US) {
		*asked_us = now_us;
		(void)service_manager_notify(EXTENSION);
	}
	return end_is_pending();
}

bool import_dir_run(const struct options *options, struct backend *backend)
{
	const struct steadytext_limits limits = {
		.key_max_bytes = (size_t)options->max_key_kb * 1024,
		.value_max_bytes = (uint64_t)(options->max_body_mb * 1048576),
	};
	struct steadytext_backend_sink sink;
	int64_t asked_us = INT64_MIN / 2;
	struct steadytext_import import = {
		.dir = options->import_dir,
		.keeps = options->import_keep,
		.sink = &sink.sink,
		.tell = log_sentence,
		.is_over = is_over,
		.user = &asked_us,
	};

	if (!options->import_dir || !*options->import_dir)
		return true;
	steadytext_backend_sink_init(&sink, backend, &limits);
	bool is_whole = steadytext_import_run(&import);
	log_line(is_whole ? LOG_INFO : LOG_WARN,
		 is_whole ? "import done"
			  : "import not complete; the next start takes what is missing",
		 LOG_TEXT("dir", options->import_dir), LOG_NUMBER("files", import.files),
		 LOG_NUMBER("before", import.files_before),
		 LOG_NUMBER("failed", import.files_failed), LOG_NUMBER("entries", import.entries),
		 LOG_NUMBER("kept", import.kept), LOG_NUMBER("skipped", import.skipped));
	return !end_is_pending();
}
