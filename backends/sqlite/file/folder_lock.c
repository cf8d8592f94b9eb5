#include "backends/sqlite/file/folder_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

/* How long another start may hold the lock, and how often this is checked. */
#define LOCK_WAIT_US  (5 * US_PER_S)
#define LOCK_PAUSE_NS 20000000

/* The fifth word of a line: in /proc/locks the process. */
static long fifth_number(const char *line)
{
	for (int i = 0; i < 4; i++) {
		line += strcspn(line, " ");
		line += strspn(line, " ");
	}
	return strtol(line, NULL, 10);
}

/* The process that holds a lock of the file, from /proc/locks; 0 if that does not say, as in a
 * container for a process outside of it. */
static long holder_of(int file)
{
	struct stat status;
	char line[256];
	char wanted[64];
	long pid = 0;
	FILE *locks = fopen("/proc/locks", "re");

	if (!locks || fstat(file, &status) != 0) {
		if (locks)
			(void)fclose(locks);
		return 0;
	}
	(void)snprintf(wanted, sizeof(wanted), " %02x:%02x:%" PRIu64 " ", major(status.st_dev),
		       minor(status.st_dev), (uint64_t)status.st_ino);
	/* 1: FLOCK  ADVISORY  WRITE 1234 fd:00:131 0 EOF */
	while (pid <= 0 && fgets(line, sizeof(line), locks))
		if (strstr(line, wanted) && !strstr(line, "->"))
			pid = fifth_number(line);
	(void)fclose(locks);
	return pid > 0 ? pid : 0;
}

static void tell_holder(const char *path, int lock, char *error, size_t error_size)
{
	long pid = holder_of(lock);
	char who[64] = "another process";

	if (pid > 0)
		(void)snprintf(who, sizeof(who), "process %ld", pid);
	(void)snprintf(error, error_size,
		       "%s is locked by %s, which does not let go of it: stop that, or give this "
		       "server a data directory of its own (--data-dir)",
		       path, who);
}

/* Waits for the lock. False: error says why it cannot be had. */
static bool take(const char *path, int lock, char *error, size_t error_size)
{
	int64_t until_us = monotonic_now_us() + LOCK_WAIT_US;

	while (flock(lock, LOCK_EX | LOCK_NB) != 0) {
		if (errno == EWOULDBLOCK && monotonic_now_us() < until_us) {
			(void)nanosleep(&(struct timespec){.tv_nsec = LOCK_PAUSE_NS}, NULL);
			continue;
		}
		if (errno == EWOULDBLOCK)
			tell_holder(path, lock, error, error_size);
		else
			(void)snprintf(error, error_size, "cannot lock %s: %s", path,
				       strerror(errno));
		return false;
	}
	return true;
}

int folder_lock_take(const struct sqlite_file *file, char *error, size_t error_size)
{
	char path[sizeof(file->path)];

	(void)snprintf(path, sizeof(path), "%s/steadycache.lock", file->config->data_dir);
	int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NONBLOCK, 0600);
	if (lock < 0) {
		(void)snprintf(error, error_size,
			       "cannot open %s, the file that starts lock: %s; it may be removed "
			       "while no server starts",
			       path, strerror(errno));
		return -1;
	}
	if (take(path, lock, error, error_size))
		return lock;
	(void)close(lock);
	return -1;
}

/* Every connection holds a shared lock of this byte of the log's index as long as it is open
 * (SQLite's os_unix.c: UNIX_SHM_DMS). */
#define OPEN_BYTE 128

/* The process that has the database open; 0: none. */
static long user_of(const struct sqlite_file *file)
{
	struct flock lock = {
		.l_type = F_WRLCK,
		.l_whence = SEEK_SET,
		.l_start = OPEN_BYTE,
		.l_len = 1,
	};
	char path[sizeof(file->path) + 8];

	(void)snprintf(path, sizeof(path), "%s-shm", file->path);
	int index = open(path, O_RDWR | O_CLOEXEC);
	if (index < 0)
		return 0;
	bool is_free = fcntl(index, F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK;
	(void)close(index);
	return is_free ? 0 : lock.l_pid;
}

int folder_lock_take_alone(const struct sqlite_file *file, char *error, size_t error_size)
{
	int lock = folder_lock_take(file, error, error_size);
	long pid = lock < 0 ? 0 : user_of(file);

	if (pid == 0)
		return lock;
	(void)snprintf(error, error_size,
		       "process %ld has %s open: stop it, or, if it is a server, use its URL "
		       "(http://host:port)",
		       pid, file->path);
	(void)close(lock);
	return -1;
}
