/* Writes the lines of the log to stderr without making anybody wait for the reader.
 *
 * Lines go into a ring in memory, and one thread writes them, in order and each whole. If the
 * reader stalls, the ring fills; further lines are counted and dropped, and so are lines that the
 * system refuses (a full disk, a pipe that nobody reads). A line reports how many are missing, at
 * the place where they are missing. The modes of stderr are left unchanged, because other processes
 * share it. */
#ifndef STEADYCACHE_SERVER_LOG_WRITER_H
#define STEADYCACHE_SERVER_LOG_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Longest line that can be put, including its end. */
#define LOG_LINE_BYTES 2048

/* Writes a line into `line` (of LOG_LINE_BYTES) that says that `dropped` lines are missing, and
 * returns its length. Called by the writing thread. */
typedef size_t (*log_writer_notice)(char *line, uint64_t dropped);

/* Starts the thread. Before that, after log_writer_stop, and if this fails (false), the callers
 * write lines at once. Do not call it while other threads log. */
bool log_writer_start(log_writer_notice notice);
/* Waits until everything is written, but at most `timeout_ms`: what cannot be written then is
 * lost. */
void log_writer_stop(unsigned timeout_ms);

/* Takes a line of up to LOG_LINE_BYTES whose only line feed is at its end. Does not wait for the
 * reader. Any thread. */
void log_writer_put(const char *line, size_t len);

/* How many lines were dropped since the start. Any thread. */
uint64_t log_writer_dropped(void);

#endif
