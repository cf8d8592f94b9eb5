/* `backup`: a copy of the database of a server on this machine, running or not. The only command
 * that contacts no server: it reads the server's file, by a function that main.c lends it. */
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/command.h"
#include "client/new_file.h"
#include "client/output.h"
#include "client/progress.h"

/* As in `serve`. */
#define DEFAULT_DATA_DIR "./steadycache-data"

static volatile sig_atomic_t caught_signal;

static void catch_signal(int number)
{
	caught_signal = number;
}

/* So that nothing is left behind on a signal; a file that exceeds its size limit becomes an
 * ordinary error. */
static void set_signals(void (*handler)(int))
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = handler};

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		struct sigaction before;

		/* nohup's choice stays in force. */
		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			(void)sigaction(numbers[i], &action, NULL);
	}
	(void)signal(SIGXFSZ, SIG_IGN);
}

/* The copy is synced in pieces: with one sync at the end the server's own syncs, and its writes
 * with them, would wait behind a gigabyte. */
#define SYNC_BYTES (UINT64_C(16) << 20)

struct watch {
	struct progress progress;
	int fd;
	uint64_t synced_bytes;
};

static bool take_step(void *user, uint64_t done_bytes, uint64_t total_bytes)
{
	struct watch *watch = user;
	struct progress *progress = &watch->progress;

	progress->total_bytes = total_bytes;
	if (done_bytes > progress->bytes)
		progress_add(progress, done_bytes - progress->bytes, 0);
	if (done_bytes >= watch->synced_bytes + SYNC_BYTES) {
		watch->synced_bytes = done_bytes;
		(void)fdatasync(watch->fd); /* the final sync reports a failure */
	}
	return caught_signal == 0;
}

/* The directory of the database; NULL after a line on stderr. */
static const char *find_data_dir(const struct arguments *arguments)
{
	static const char *const backend_names[] = {"STEADYCACHE_BACKEND",
						    "STEADYTEXT_CACHE_BACKEND"};
	const char *data_dir = arguments->options[OPT_DATA_DIR], *dir = NULL;

	if (!data_dir) {
		/* An explicit --data-dir is used whatever backend the environment names. */
		for (size_t i = 0; i < 2; i++) {
			const char *backend = getenv(backend_names[i]);

			dir = backend ? arguments->loan->database_dir(backend) : NULL;
			if (dir)
				break;
			/* A URL may have a password. */
			if (backend)
				return client_fail(0,
						   "the %.*s backend (%s) keeps no database here "
						   "to copy: use steadycache export",
						   (int)strcspn(backend, ":"), backend,
						   backend_names[i]),
				       NULL;
		}
		data_dir = dir && *dir ? dir : getenv("STEADYCACHE_DATA_DIR");
	}
	if (data_dir && !*data_dir)
		return client_fail(0, "--data-dir (STEADYCACHE_DATA_DIR) is empty; leave it away "
				      "or give it a value"),
		       NULL;
	return data_dir ? data_dir : DEFAULT_DATA_DIR;
}

static int code_of(const struct backup_job *job, enum backup_result result)
{
	switch (result) {
	case BACKUP_DONE:
	case BACKUP_STOPPED: /* the exit by the signal says it */
		return CLIENT_DONE;
	case BACKUP_NO_DATABASE:
		return client_fail(CLIENT_NOT_FOUND, "%s", job->error);
	case BACKUP_REFUSED:
		return client_fail(CLIENT_REFUSED, "%s", job->error);
	case BACKUP_FAILED:
		break;
	}
	return client_fail(CLIENT_LOCAL, "%s", job->error);
}

static int report(const struct arguments *arguments, const struct backup_job *job, double seconds)
{
	char size[16];

	if (arguments->options[OPT_JSON]) {
		json_auto_t *line =
			json_pack("{s:s*, s:s*, s:I, s:I, s:I, s:f}", "file", job->to_name,
				  "data_dir", job->data_dir, "bytes", (json_int_t)job->bytes,
				  "entries", (json_int_t)job->entries, "namespaces",
				  (json_int_t)job->namespaces, "seconds", seconds);

		output_json(line, JSON_COMPACT | JSON_REAL_PRECISION(4));
		return output_finish();
	}
	if (!arguments->options[OPT_QUIET])
		(void)fprintf(stderr,
			      "backed up %" PRIu64 " entries in %" PRIu64
			      " namespaces (%s) to %s\n",
			      job->entries, job->namespaces, output_size((double)job->bytes, size),
			      job->to_name);
	return CLIENT_DONE;
}

static double now_s(void)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int run(const struct arguments *arguments, struct backup_job *job, struct new_file *file)
{
	struct watch watch = {.fd = file->fd};
	double started_s = now_s();

	job->to_path = file->path;
	job->passed = take_step;
	job->user = &watch;
	progress_start(&watch.progress, arguments->options[OPT_QUIET] != NULL, 0);
	watch.progress.bytes_only = true;
	enum backup_result result = arguments->loan->backup(job);
	progress_end(&watch.progress);
	int code = code_of(job, result);
	if (code != CLIENT_DONE || caught_signal != 0)
		return code;
	if (!file->name)
		set_signals(SIG_DFL); /* the copy may wait for its reader for ever */
	code = new_file_finish(file);
	return code == CLIENT_DONE ? report(arguments, job, now_s() - started_s) : code;
}

int command_backup(const struct arguments *arguments)
{
	const char *name = arguments->operands[0];
	bool to_stdout = strcmp(name, "-") == 0;
	struct backup_job job = {
		.data_dir = find_data_dir(arguments),
		.to_name = to_stdout ? "the standard output" : name,
	};
	struct new_file file;

	if (!job.data_dir)
		return CLIENT_USAGE;
	if (to_stdout && arguments->options[OPT_JSON])
		return client_fail(CLIENT_USAGE, "--json needs a FILE: the standard output is the "
						 "backup's");
	if (to_stdout && isatty(STDOUT_FILENO))
		return client_fail(CLIENT_USAGE,
				   "a database is nothing for a terminal; give a FILE");
	set_signals(catch_signal);
	int code = new_file_open(&file, to_stdout ? NULL : name,
				 arguments->options[OPT_FORCE] != NULL);
	if (code == CLIENT_DONE)
		code = run(arguments, &job, &file);
	new_file_close(&file);
	if (caught_signal != 0) {
		(void)signal(caught_signal, SIG_DFL);
		(void)raise(caught_signal);
	}
	return code;
}
