/* Makes system calls and allocations of a server fail, any number of them and at any time.
 *
 * The library in faults_preload.c is loaded before the C library (LD_PRELOAD) and counts the calls
 * of the armed kinds. Test and server share the numbers, so faults can be armed and ended while the
 * server runs. Calls on files count only if these are in `folder`; allocations count from the first
 * such file on, when the C library and others have started. */
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
	_Atomic int32_t error;        /* the error number of the failing calls */
	_Atomic uint64_t from, count; /* the calls from..from + count - 1 fail, counted from 0 */
	_Atomic uint64_t seen;        /* calls of those kinds since they were armed */
	char folder[400];
};

/* The numbers in the file `path`, to be shared with a server whose environment has
 * "FAULTS_FILE=PATH". One at a time; never NULL. */
struct faults *faults_open(const char *path, const char *folder);
/* Lets `count` calls fail after `from` have succeeded; replaces what was armed before. */
void faults_arm(struct faults *faults, unsigned calls, int error, uint64_t from, uint64_t count);
/* Ends all failures; returns how many calls of the armed kinds there were. */
uint64_t faults_end(struct faults *faults);
void faults_close(struct faults *faults);

#endif
