/* The calls of the C library that can be made to fail (faults.h). Calls that the test has not armed
 * are passed on. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/faults.h"

#define FDS_MAX 4096

static struct faults *faults;
static atomic_bool in_folder[FDS_MAX]; /* descriptors of files in that folder */
static atomic_bool folder_seen;

/* The next library's function of that name and type. */
#define NEXT(name)                                                                                 \
	({                                                                                         \
		static __typeof__(&name) next_;                                                    \
		if (!next_)                                                                        \
			next_ = (__typeof__(&name))dlsym(RTLD_NEXT, #name);                        \
		next_;                                                                             \
	})

__attribute__((constructor)) static void attach(void)
{
	const char *path = getenv("FAULTS_FILE");
	int fd = path ? NEXT(open)(path, O_RDWR | O_CLOEXEC) : -1;
	void *shared = fd < 0 ? MAP_FAILED
			      : NEXT(mmap)(NULL, sizeof(*faults), PROT_READ | PROT_WRITE,
					   MAP_SHARED, fd, 0);

	if (fd >= 0)
		(void)close(fd);
	if (shared != MAP_FAILED)
		faults = shared;
}

static bool fails(enum fault_call call)
{
	if (!faults || !(atomic_load_explicit(&faults->calls, memory_order_relaxed) & call))
		return false;
	uint64_t number = atomic_fetch_add(&faults->seen, 1);
	uint64_t from = atomic_load(&faults->from);
	if (number < from || number - from >= atomic_load(&faults->count))
		return false;
	errno = atomic_load(&faults->error);
	return true;
}

static bool fd_fails(enum fault_call call, int fd)
{
	return fd >= 0 && fd < FDS_MAX && atomic_load(&in_folder[fd]) && fails(call);
}

static bool lies_in_folder(const char *path)
{
	return faults && faults->folder[0] && path &&
	       strncmp(path, faults->folder, strlen(faults->folder)) == 0;
}

static int opened(const char *path, int fd)
{
	bool here = lies_in_folder(path);

	if (fd >= 0 && fd < FDS_MAX)
		atomic_store(&in_folder[fd], here);
	if (here)
		atomic_store(&folder_seen, true);
	return fd;
}

/* ---- Files ---- */

#define MODE_OF(flags)                                                                             \
	({                                                                                         \
		mode_t mode_ = 0;                                                                  \
		if ((flags) & (O_CREAT | __O_TMPFILE)) {                                           \
			va_list args_;                                                             \
			va_start(args_, flags);                                                    \
			mode_ = va_arg(args_, mode_t);                                             \
			va_end(args_);                                                             \
		}                                                                                  \
		mode_;                                                                             \
	})

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		mode_t mode = MODE_OF(flags);                                                      \
		if (lies_in_folder(path) && fails(FAULT_OPEN))                                     \
			return -1;                                                                 \
		return opened(path, NEXT(name)(path, flags, mode));                                \
	}

OPEN(open)
OPEN(open64)

#define OPEN_CHECKED(name)                                                                         \
	int name(const char *path, int flags);                                                     \
	int name(const char *path, int flags)                                                      \
	{                                                                                          \
		if (lies_in_folder(path) && fails(FAULT_OPEN))                                     \
			return -1;                                                                 \
		return opened(path, NEXT(name)(path, flags));                                      \
	}

OPEN_CHECKED(__open_2)
OPEN_CHECKED(__open64_2)

#define ON_FD(call, result, name, parameters, ...)                                                 \
	result name parameters                                                                     \
	{                                                                                          \
		if (fd_fails(call, fd))                                                            \
			return -1;                                                                 \
		return NEXT(name)(__VA_ARGS__);                                                    \
	}

ssize_t __read_chk(int fd, void *bytes, size_t len, size_t size);
ssize_t __pread_chk(int fd, void *bytes, size_t len, off_t offset, size_t size);
ssize_t __pread64_chk(int fd, void *bytes, size_t len, off64_t offset, size_t size);

ON_FD(FAULT_READ, ssize_t, read, (int fd, void *bytes, size_t len), fd, bytes, len)
ON_FD(FAULT_READ, ssize_t, pread, (int fd, void *bytes, size_t len, off_t offset), fd, bytes, len,
      offset)
ON_FD(FAULT_READ, ssize_t, pread64, (int fd, void *bytes, size_t len, off64_t offset), fd, bytes,
      len, offset)
ON_FD(FAULT_READ, ssize_t, __read_chk, (int fd, void *bytes, size_t len, size_t size), fd, bytes,
      len, size)
ON_FD(FAULT_READ, ssize_t, __pread_chk,
      (int fd, void *bytes, size_t len, off_t offset, size_t size), fd, bytes, len, offset, size)
ON_FD(FAULT_READ, ssize_t, __pread64_chk,
      (int fd, void *bytes, size_t len, off64_t offset, size_t size), fd, bytes, len, offset, size)
ON_FD(FAULT_WRITE, ssize_t, write, (int fd, const void *bytes, size_t len), fd, bytes, len)
ON_FD(FAULT_WRITE, ssize_t, pwrite, (int fd, const void *bytes, size_t len, off_t offset), fd,
      bytes, len, offset)
ON_FD(FAULT_WRITE, ssize_t, pwrite64, (int fd, const void *bytes, size_t len, off64_t offset), fd,
      bytes, len, offset)
ON_FD(FAULT_SYNC, int, fsync, (int fd), fd)
ON_FD(FAULT_SYNC, int, fdatasync, (int fd), fd)
ON_FD(FAULT_TRUNCATE, int, ftruncate, (int fd, off_t size), fd, size)
ON_FD(FAULT_TRUNCATE, int, ftruncate64, (int fd, off64_t size), fd, size)
ON_FD(FAULT_TRUNCATE, int, fallocate, (int fd, int mode, off_t offset, off_t size), fd, mode,
      offset, size)
ON_FD(FAULT_TRUNCATE, int, fallocate64, (int fd, int mode, off64_t offset, off64_t size), fd, mode,
      offset, size)
ON_FD(FAULT_STAT, int, fstat, (int fd, struct stat *ret), fd, ret)
ON_FD(FAULT_STAT, int, fstat64, (int fd, struct stat64 *ret), fd, ret)

#define ALLOCATE(name, offset_type)                                                                \
	int name(int fd, offset_type offset, offset_type size)                                     \
	{                                                                                          \
		if (fd_fails(FAULT_TRUNCATE, fd))                                                  \
			return errno; /* returned as the result */                                 \
		return NEXT(name)(fd, offset, size);                                               \
	}

ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

#define ON_PATH(name, parameters, ...)                                                             \
	int name parameters                                                                        \
	{                                                                                          \
		if (lies_in_folder(path) && fails(FAULT_STAT))                                     \
			return -1;                                                                 \
		return NEXT(name)(__VA_ARGS__);                                                    \
	}

ON_PATH(stat, (const char *path, struct stat *ret), path, ret)
ON_PATH(stat64, (const char *path, struct stat64 *ret), path, ret)
ON_PATH(lstat, (const char *path, struct stat *ret), path, ret)
ON_PATH(lstat64, (const char *path, struct stat64 *ret), path, ret)
ON_PATH(access, (const char *path, int mode), path, mode)

#define MAP(name, offset_type)                                                                     \
	void *name(void *at, size_t len, int protection, int flags, int fd, offset_type offset)    \
	{                                                                                          \
		if (fd_fails(FAULT_MAP, fd))                                                       \
			return MAP_FAILED;                                                         \
		return NEXT(name)(at, len, protection, flags, fd, offset);                         \
	}

MAP(mmap, off_t)
MAP(mmap64, off64_t)

/* ---- Memory ---- */

#ifndef FAULTS_WITHOUT_MEMORY

/* dlsym itself allocates. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *block, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static bool memory_fails(void)
{
	return atomic_load_explicit(&folder_seen, memory_order_relaxed) && fails(FAULT_MEMORY);
}

void *malloc(size_t size)
{
	return memory_fails() ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return memory_fails() ? NULL : __libc_calloc(count, size);
}

void *realloc(void *block, size_t size)
{
	return memory_fails() ? NULL : __libc_realloc(block, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *block = memory_fails() ? NULL : __libc_memalign(alignment, size);

	if (!block)
		return ENOMEM;
	*ret = block;
	return 0;
}

#endif
