#include "backends/sqlite/file/fault_guard.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Stores of one process: a server has one, tests have several. */
#define RANGES_MAX 64

struct range {
	_Atomic(char *) bytes; /* NULL: unused; written last */
	size_t len;
	atomic_uint *faults;
	atomic_bool *is_off;
};

static struct range ranges[RANGES_MAX];
static pthread_mutex_t ranges_lock = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction former;

static struct range *find_range(const char *address)
{
	for (size_t i = 0; i < RANGES_MAX; i++) {
		const char *bytes = atomic_load(&ranges[i].bytes);

		if (bytes && address >= bytes && (size_t)(address - bytes) < ranges[i].len)
			return &ranges[i];
	}
	return NULL;
}

static void end_process(void)
{
	static const char line[] = "steadycache: a file that was in use was cut short or cannot be "
				   "read (SIGBUS): look "
				   "at the data directory and its disk, and start again; what was "
				   "stored is in the log "
				   "of the database\n";

	(void)!write(STDERR_FILENO, line, sizeof(line) - 1);
	/* The process ends as it would have without the handler: the access is repeated. */
	(void)sigaction(SIGBUS, &former, NULL);
}

/* The handler of the program that the store is in, if it has one: for a fault that is not the
 * store's. */
static bool pass_on(int signal, siginfo_t *info, void *context)
{
	if (former.sa_flags & SA_SIGINFO) {
		former.sa_sigaction(signal, info, context);
		return true;
	}
	if (former.sa_handler == SIG_DFL || former.sa_handler == SIG_IGN)
		return false;
	former.sa_handler(signal);
	return true;
}

static void handle_fault(int signal, siginfo_t *info, void *context)
{
	int error = errno;
	struct range *range = find_range(info->si_addr);
	uintptr_t page_bytes = (uintptr_t)sysconf(_SC_PAGESIZE);

	if (!range && pass_on(signal, info, context)) {
		errno = error;
		return;
	}
	if (range) {
		(void)atomic_fetch_add(range->faults, 1);
		atomic_store(range->is_off, true);
		char *page = (char *)info->si_addr - (uintptr_t)info->si_addr % page_bytes;
		if (mmap(page, page_bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
			 0) == MAP_FAILED)
			range = NULL;
	}
	if (!range)
		end_process();
	errno = error;
}

static void install(void)
{
	struct sigaction action = {.sa_sigaction = handle_fault, .sa_flags = SA_SIGINFO};

	(void)sigemptyset(&action.sa_mask);
	(void)sigaction(SIGBUS, &action, &former);
}

bool fault_guard_add(char *bytes, size_t len, atomic_uint *faults, atomic_bool *is_off)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	bool added = false;

	(void)pthread_once(&once, install);
	(void)pthread_mutex_lock(&ranges_lock);
	for (size_t i = 0; i < RANGES_MAX && !added; i++) {
		struct range *range = &ranges[i];

		if (atomic_load(&range->bytes))
			continue;
		range->len = len;
		range->faults = faults;
		range->is_off = is_off;
		atomic_store(&range->bytes, bytes);
		added = true;
	}
	(void)pthread_mutex_unlock(&ranges_lock);
	return added;
}

void fault_guard_remove(const char *bytes)
{
	(void)pthread_mutex_lock(&ranges_lock);
	for (size_t i = 0; i < RANGES_MAX; i++)
		if (atomic_load(&ranges[i].bytes) == bytes)
			atomic_store(&ranges[i].bytes, NULL);
	(void)pthread_mutex_unlock(&ranges_lock);
}
