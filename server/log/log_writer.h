/* Takes the lines of the log to stderr without making anybody wait for those who read it.
 *
 * Lines go into a ring in memory, and one thread writes them, in their order and each whole. Where
 * the reader stalls the ring fills; what then comes is counted and dropped, and so is what the
 * system refuses to take (a full disk, a pipe that nobody reads). A line tells how many are
 * missing, at the place where they are. The modes of stderr are left as they are: other processes
 * share it. */
#ifndef STEADYCACHE_SERVER_LOG_WRITER_H
#define STEADYCACHE_SERVER_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest line that can be put, its end included. */
#define LOG_LINE_BYTES 2048

/* Writes a line into `line` (of LOG_LINE_BYTES) that says that `dropped` lines are missing, and
 * returns its length. Called by the thread that writes. */
typedef size_t (*log_writer_notice)(char *line, uint64_t dropped);

/* Starts the thread. Before, after log_writer_stop, and where this fails (false), lines are written
 * at once by whoever has them. Not to be called while other threads log. */
bool log_writer_start(log_writer_notice notice);
/* Waits until all is written, but no longer than `timeout_ms`: what cannot be written then is
 * lost. */
void log_writer_stop(unsigned timeout_ms);

/* Takes a line of up to LOG_LINE_BYTES that ends in its only line feed. Does not wait for its
 * reader. Thread: any. */
void log_writer_put(const char *line, size_t len);

/* How many lines were dropped since the start. Thread: any. */
uint64_t log_writer_dropped(void);

#endif
