#include "backends/sqlite/file/volume.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

int64_t volume_available(const char *path)
{
	struct statvfs volume;

	if (statvfs(path, &volume) != 0)
		return -1;
	if (volume.f_bavail > (fsblkcnt_t)INT64_MAX / volume.f_frsize)
		return INT64_MAX;
	return (int64_t)(volume.f_bavail * volume.f_frsize);
}

int64_t volume_allocated(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 ? status.st_blocks * 512 : 0;
}

void volume_allocate(const char *path, int64_t bytes)
{
	int fd = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, bytes);
	(void)close(fd);
}
