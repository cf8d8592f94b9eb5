/* Objects that must not be removed, because somebody here is about to name them, or reads them; and
 * objects that are being removed, which nobody may put meanwhile.
 *
 * A pin that was held for long and is released while a sweep runs stays until the end of the sweep:
 * the entry that names its object may have come after the sweep's look at the entries. */
#ifndef STEADYCACHE_LARGE_PINS_H
#define STEADYCACHE_LARGE_PINS_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/body.h"

#define PINS_BUCKETS 1024

struct pin {
	uint8_t sha256[SHA256_BYTES];
	struct pin *next, *next_ready;
	int64_t since_us; /* monotonic */
	bool lingers;     /* nobody holds it any more */
	/* The object is not being removed any more. */
	void (*ready)(struct pin *pin);
	void *user; /* the holder's */
};

struct pins {
	pthread_mutex_t lock; /* guards all below */
	struct pin *held[PINS_BUCKETS];
	struct pin *waiting; /* for the end of a removal */
	struct pin *removed; /* of the sweep: removals in progress */
	size_t count;
	bool is_sweeping;
	bool is_blind; /* a pin should linger, but there was no memory for it */
};

void pins_init(struct pins *pins);
void pins_deinit(struct pins *pins);

/* Pins pin->sha256. False: its object is being removed; pin->ready is called, on another thread,
 * when that is done, and the pin is held then. The struct is the pins' until it is dropped. */
bool pins_take(struct pins *pins, struct pin *pin);
/* Pins an object that the caller has pinned already. */
void pins_hold(struct pins *pins, struct pin *pin);
/* Ends a pin, which was held for `long_us` or longer or less. */
void pins_drop(struct pins *pins, struct pin *pin, int64_t long_us);
/* How many are held. */
size_t pins_count(struct pins *pins);

/* Around a sweep. */
void pins_begin_sweep(struct pins *pins);
void pins_end_sweep(struct pins *pins);
/* Whether removal->sha256 may be removed; then it is being removed until pins_end_removal. */
bool pins_begin_removal(struct pins *pins, struct pin *removal);
void pins_end_removal(struct pins *pins, struct pin *removal);

#endif
