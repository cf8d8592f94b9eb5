/* The log: one line per event on stderr, logfmt or JSON. Never a cache key, a value or a token. */
#ifndef STEADYCACHE_SERVER_LOG_H
#define STEADYCACHE_SERVER_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* log.c's. */
extern _Atomic enum log_level log_least_level;

/* An additional field of a line. */
struct log_field {
	const char *name; /* NULL ends a list of fields */
	const char *text; /* NULL: use the number */
	int64_t number;
};

#define LOG_TEXT(field, value)   ((struct log_field){.name = (field), .text = (value)})
#define LOG_NUMBER(field, value) ((struct log_field){.name = (field), .number = (int64_t)(value)})

/* Call it before threads start. Level names as in the option table ("warning" is "warn"). */
void log_configure(const char *level, bool json);

/* Whether lines of this level are written at all. */
static inline bool log_is_on(enum log_level level)
{
	return level >= atomic_load_explicit(&log_least_level, memory_order_relaxed);
}

/* The level in force, and the one given to log_configure: "debug", "info", "warn", "error". Any
 * thread. */
const char *log_level_name(void);
const char *log_configured_level_name(void);
/* Changes the level in force, from the next line on, and logs that as a warning; NULL: back to the
 * configured one. False: no such level. Any thread. */
bool log_change_level(const char *name);

/* From log_start to log_stop a thread writes the lines, so that logging never waits for the reader
 * (server/log/log_writer.h); before that, and if there is no thread, they are written at once. Do
 * not call log_start while other threads log; log_stop may be. It writes what is left, waits at
 * most a second for that, and writes `last_words` (NULL: none) last, as a plain line of the
 * program. */
void log_start(void);
void log_stop(const char *last_words);

/* Writes one line. Any thread. Quotes and escapes hostile text. */
void log_write(enum log_level level, const char *message, const struct log_field *fields);

/* log_line(LOG_INFO, "listening", LOG_TEXT("address", text)) */
#define log_line(level, message, ...)                                                              \
	log_write(level, message, (const struct log_field[]){__VA_ARGS__ __VA_OPT__(, ){0}})

#endif
