#include "server/life/process.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* /proc/self/statm: pages of address space, pages resident, and more. */
static void read_memory(struct process_figures *ret)
{
	char text[128];
	char *end = NULL;
	uint64_t page_bytes = (uint64_t)sysconf(_SC_PAGESIZE);
	int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	ssize_t len = file >= 0 ? read(file, text, sizeof(text) - 1) : -1;

	if (file >= 0)
		(void)close(file);
	if (len <= 0)
		return;
	text[len] = '\0';
	ret->virtual_bytes = strtoull(text, &end, 10) * page_bytes;
	ret->resident_bytes = strtoull(end, NULL, 10) * page_bytes;
}

static uint64_t count_open_files(void)
{
	DIR *folder = opendir("/proc/self/fd");
	uint64_t count = 0;

	if (!folder)
		return 0;
	/* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is this function's own */
	for (const struct dirent *entry; (entry = readdir(folder)) != NULL;)
		count += entry->d_name[0] != '.';
	(void)closedir(folder);
	return count > 0 ? count - 1 : 0; /* without the folder itself */
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

void process_read(struct process_figures *ret)
{
	struct rusage usage;
	struct rlimit limit;

	*ret = (struct process_figures){.open_files = count_open_files()};
	read_memory(ret);
	if (getrlimit(RLIMIT_NOFILE, &limit) == 0)
		ret->max_files = limit.rlim_cur;
	if (getrusage(RUSAGE_SELF, &usage) == 0)
		ret->cpu_s = seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
