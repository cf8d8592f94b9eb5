/* The log: one line an event on stderr, logfmt or JSON. Never a cache key, a value or a token. */
#ifndef STEADYCACHE_SERVER_LOG_H
#define STEADYCACHE_SERVER_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* log.c's. */
extern _Atomic enum log_level log_least_level;

/* A further field of a line. */
struct log_field {
	const char *name; /* NULL ends a list of fields */
	const char *text; /* NULL: the number counts */
	int64_t number;
};

#define LOG_TEXT(field, value)   ((struct log_field){.name = (field), .text = (value)})
#define LOG_NUMBER(field, value) ((struct log_field){.name = (field), .number = (int64_t)(value)})

/* To be called before threads start. Level names as in the option table ("warning" is "warn"). */
void log_configure(const char *level, bool json);

/* Whether lines of this level are written at all. */
static inline bool log_is_on(enum log_level level)
{
	return level >= atomic_load_explicit(&log_least_level, memory_order_relaxed);
}

/* The level in force, and the one that log_configure was given: "debug", "info", "warn", "error".
 * Thread: any. */
const char *log_level_name(void);
const char *log_configured_level_name(void);
/* Changes the level in force, from the next line on, and logs that as a warning; NULL: back to what
 * was configured. False: `name` is none of those. Thread: any. */
bool log_change_level(const char *name);

/* From log_start to log_stop a thread writes the lines, so that none that logs waits for who reads
 * them (server/log/log_writer.h); before, and where there is no thread, they are written at once.
 * Not to be called while other threads log, but log_stop may be. It writes what is left, waits a
 * second for that at most, and `last_words` (NULL: none) come last, as a plain line of the program.
 */
void log_start(void);
void log_stop(const char *last_words);

/* Writes one line. Any thread. Hostile text is quoted and escaped. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_line(LOG_INFO, "listening", LOG_TEXT("address", text)) */
#define log_line(level, message, ...)                                                              \
	log_write(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

#endif
