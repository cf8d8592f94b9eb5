/* A copy of the database of a server that may be running: what the command (client/backup.c)
 * asks for and the backend that makes the copy (backends/sqlite/file/backup.c) reports. Neither
 * knows the other; server/main.c connects them. */
#ifndef STEADYCACHE_BASE_BACKUP_H
#define STEADYCACHE_BASE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

enum backup_result {
	BACKUP_DONE,
	BACKUP_NO_DATABASE, /* data_dir has none */
	BACKUP_REFUSED,     /* another program's, of an unknown version, or damaged */
	BACKUP_FAILED,      /* a file, the disk or memory failed */
	BACKUP_STOPPED,     /* `passed` returned false */
};

/* One backup. Strings and callbacks belong to the caller; all but `user` and `passed` are
 * required. */
struct backup_job {
	const char *data_dir;
	const char *to_path; /* an empty file that the caller made and nobody else uses */
	const char *to_name; /* the name that it will get, for errors */
	/* Called after each step; total_bytes may be 0 at first. False ends the job. May be
	 * NULL. */
	bool (*passed)(void *user, uint64_t done_bytes, uint64_t total_bytes);
	void *user;

	/* Set if the result is BACKUP_DONE. */
	uint64_t bytes, entries, namespaces;
	/* One sentence, set if the result is neither that nor BACKUP_STOPPED. */
	char error[1024];
};

/* Copies the database of job->data_dir, in the state of one moment during the call, into
 * job->to_path and checks the copy. The copy is complete but not yet synced to the disk.
 * Whatever the result, files whose names begin with to_path may be left for the caller to
 * remove. Blocks; any thread. */
typedef enum backup_result backup_function(struct backup_job *job);

#endif
