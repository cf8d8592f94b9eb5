#include "tests/support/faults.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

struct faults *faults_open(const char *path, const char *folder)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	void *shared = MAP_FAILED;

	if (fd >= 0 && ftruncate(fd, sizeof(struct faults)) == 0)
		shared = mmap(NULL, sizeof(struct faults), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			      0);
	if (shared == MAP_FAILED)
		abort();
	(void)close(fd);
	struct faults *faults = shared;
	(void)snprintf(faults->folder, sizeof(faults->folder), "%s", folder);
	return faults;
}

void faults_arm(struct faults *faults, unsigned calls, int error, uint64_t from, uint64_t count)
{
	atomic_store(&faults->calls, 0);
	atomic_store(&faults->error, error);
	atomic_store(&faults->from, from);
	atomic_store(&faults->count, count);
	atomic_store(&faults->seen, 0);
	atomic_store(&faults->calls, calls);
}

uint64_t faults_end(struct faults *faults)
{
	atomic_store(&faults->calls, 0);
	return atomic_load(&faults->seen);
}

void faults_close(struct faults *faults)
{
	(void)munmap(faults, sizeof(*faults));
}
