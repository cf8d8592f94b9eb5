/* Makes system calls and allocations of a server fail, as many as wanted and when wanted.
 *
 * The library in faults_preload.c is loaded in front of the C library (LD_PRELOAD) and counts the
 * calls of the kinds that are armed. Test and server share the numbers, so faults can be armed and
 * ended while the server runs. Calls on files count only where these lie in `folder`; allocations
 * count from the first such file on, so that the start of the C library and others is over. */
#ifndef STEADYCACHE_TEST_FAULTS_H
#define STEADYCACHE_TEST_FAULTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum fault_call {
	FAULT_OPEN = 1 << 0,     /* open */
	FAULT_READ = 1 << 1,     /* read, pread */
	FAULT_WRITE = 1 << 2,    /* write, pwrite */
	FAULT_SYNC = 1 << 3,     /* fsync, fdatasync */
	FAULT_TRUNCATE = 1 << 4, /* ftruncate, fallocate, posix_fallocate */
	FAULT_MAP = 1 << 5,      /* mmap of a file */
	FAULT_STAT = 1 << 6,     /* stat, fstat, lstat, access */
	FAULT_MEMORY = 1 << 7,   /* malloc, calloc, realloc, posix_memalign */
};

#define FAULTS_FOR_GOOD UINT64_MAX

struct faults {
	_Atomic uint32_t calls;       /* enum fault_call; 0: none fails */
	_Atomic int32_t error;        /* the error number that they fail with */
	_Atomic uint64_t from, count; /* the calls from..from + count - 1, counted from 0 */
	_Atomic uint64_t seen;        /* calls of those kinds since they were armed */
	char folder[400];
};

/* The numbers in a file below `dir`, to be shared with a server whose environment has
 * "FAULTS_FILE=PATH". One at a time; never NULL. */
struct faults *faults_open(const char *path, const char *folder);
/* Lets `count` calls fail after `from` have gone well; what was armed before is over. */
void faults_arm(struct faults *faults, unsigned calls, int error, uint64_t from, uint64_t count);
/* How many calls of the armed kinds there were; none fails any more. */
uint64_t faults_end(struct faults *faults);
void faults_close(struct faults *faults);

#endif
