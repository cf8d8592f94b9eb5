/* A limit on how many lines of a kind go to the log in each second of the clock. */
#ifndef STEADYCACHE_SERVER_LOG_RATE_H
#define STEADYCACHE_SERVER_LOG_RATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#define LOG_RATE_LINES_PER_S 10

/* Zeroed: nothing was written yet. */
struct log_rate {
	_Atomic uint64_t window; /* the second, and in the low 16 bits the lines in it */
	_Atomic uint64_t left_out;
};

/* Whether a line may be written at `now_ns` (monotonic). If not, it is counted as left out. Any
 * thread. */
bool log_rate_take(struct log_rate *rate, int64_t now_ns);

/* How many lines were left out in the seconds before that of `now_ns` and not reported yet; they
 * then count as reported. Any thread. */
uint64_t log_rate_left_out(struct log_rate *rate, int64_t now_ns);

#endif
