/* A copy of the database of a server that may be running: what the command (client/backup.c) asks
 * for and the backend that makes the copy (backends/sqlite/file/backup.c) tells. Neither knows the
 * other; server/main.c brings them together. */
#ifndef STEADYCACHE_BASE_BACKUP_H
#define STEADYCACHE_BASE_BACKUP_H

#include <stdbool.h>
#include <stdint.h>

enum backup_result {
	BACKUP_DONE,
	BACKUP_NO_DATABASE, /* there is none in data_dir */
	BACKUP_REFUSED,     /* another program's, of an unknown version, or damaged */
	BACKUP_FAILED,      /* a file, the disk or the memory */
	BACKUP_STOPPED,     /* `passed` said so */
};

/* One backup. Strings and callbacks are the caller's; all but `user` and `passed` are set. */
struct backup_job {
	const char *data_dir;
	const char *to_path; /* an empty file that the caller has made, and that is its alone */
	const char *to_name; /* the name that it will get; errors call it so */
	/* Told after each step; total_bytes may be 0 at first. False ends the job. NULL: nobody is
	 * told. */
	bool (*passed)(void *user, uint64_t done_bytes, uint64_t total_bytes);
	void *user;

	/* Filled where the result is BACKUP_DONE. */
	uint64_t bytes, entries, namespaces;
	/* Filled where it is neither that nor BACKUP_STOPPED: one sentence. */
	char error[1024];
};

/* Copies the database of job->data_dir, in the state of one moment within the call, into
 * job->to_path and checks the copy. The copy is complete but not yet synced to the disk. Whatever
 * the result, files whose names begin with to_path may be left to the caller to remove. Blocks; any
 * thread. */
typedef enum backup_result backup_function(struct backup_job *job);

#endif
