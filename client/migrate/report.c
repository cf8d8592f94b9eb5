#include "client/migrate/report.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <unistd.h>

#include "client/output.h"

/* How much of a key is shown. */
#define SHOWN_KEY_BYTES 80
#define ERASE_LINE      "\r\033[K"

static atomic_ullong reported;

void migrate_report_entry(const char *ns, struct slice key, const char *sentence)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	bool is_cut = key.len > SHOWN_KEY_BYTES;

	if (atomic_fetch_add(&reported, 1) >= MIGRATE_REPORTED_MAX)
		return;
	if (is_cut)
		key.len = SHOWN_KEY_BYTES;
	(void)pthread_mutex_lock(&lock);
	if (isatty(STDERR_FILENO)) /* of the progress */
		(void)fputs(ERASE_LINE, stderr);
	(void)fprintf(stderr, "%s ", ns);
	output_escaped(stderr, key);
	(void)fprintf(stderr, "%s: %s\n", is_cut ? "..." : "", sentence);
	(void)pthread_mutex_unlock(&lock);
}

uint64_t migrate_reported_beyond(void)
{
	unsigned long long count = atomic_load(&reported);

	return count > MIGRATE_REPORTED_MAX ? count - MIGRATE_REPORTED_MAX : 0;
}
