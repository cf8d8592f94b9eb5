/* The thread that does everything of a store in S3: it runs what others post, timers, and the
 * requests of exchange.h. */
#ifndef STEADYCACHE_LARGE_S3_IO_H
#define STEADYCACHE_LARGE_S3_IO_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "backends/large/s3/exchange.h"

/* Something that another thread wants done. */
struct s3_post {
	void (*run)(struct s3_post *post); /* may free it */
	struct s3_post *next;
	bool is_posted;
};

/* Something to do at a time. */
struct s3_timer {
	void (*run)(struct s3_timer *timer); /* may set it again, or free it */
	int64_t at_us;                       /* monotonic */
	struct s3_timer *next, *previous;
	bool is_set;
};

struct s3_io {
	struct s3_line line;
	struct s3_timer *timers;
	int64_t now_us; /* monotonic, of this turn */
	uint64_t random;
	pthread_t thread;
	bool is_started;
	pthread_mutex_t lock; /* of what follows, and of posts */
	struct s3_post *first, *last;
	bool is_ending;
};

/* With `line` filled for s3_line_open. False: out of memory or threads. */
bool s3_io_open(struct s3_io *io);
/* Waits for the end of the thread, which s3_io_end brings about. Requests must have ended then. */
void s3_io_close(struct s3_io *io);

/* Has `post->run` called by the thread, in order; does nothing if that is still to come. Any
 * thread. */
void s3_io_post(struct s3_io *io, struct s3_post *post);
bool s3_io_is_here(const struct s3_io *io); /* whether this is the thread */

/* The rest is for the thread. A timer runs in a later turn, even if its time is over. */
void s3_io_end(struct s3_io *io);
void s3_timer_set(struct s3_io *io, struct s3_timer *timer, int64_t at_us);
void s3_timer_clear(struct s3_io *io, struct s3_timer *timer);

#endif
