#include "backends/large/pins.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

static struct pin **bucket_of(struct pins *pins, const uint8_t *sha256)
{
	return &pins->held[(sha256[0] << 8 | sha256[1]) % PINS_BUCKETS];
}

static bool holds(const struct pin *list, const uint8_t *sha256)
{
	for (; list; list = list->next)
		if (memcmp(list->sha256, sha256, SHA256_BYTES) == 0)
			return true;
	return false;
}

static void push(struct pin **list, struct pin *pin)
{
	pin->next = *list;
	*list = pin;
}

static void unlink_pin(struct pin **list, const struct pin *pin)
{
	while (*list != pin)
		list = &(*list)->next;
	*list = pin->next;
}

void pins_init(struct pins *pins)
{
	memset(pins, 0, sizeof(*pins));
	(void)pthread_mutex_init(&pins->lock, NULL);
}

static void hold(struct pins *pins, struct pin *pin)
{
	push(bucket_of(pins, pin->sha256), pin);
	pins->count++;
}

bool pins_take(struct pins *pins, struct pin *pin)
{
	pin->lingers = false;
	pin->since_us = monotonic_now_us();
	(void)pthread_mutex_lock(&pins->lock);
	bool is_free = !holds(pins->removed, pin->sha256);
	if (is_free)
		hold(pins, pin);
	else
		push(&pins->waiting, pin);
	(void)pthread_mutex_unlock(&pins->lock);
	return is_free;
}

void pins_hold(struct pins *pins, struct pin *pin)
{
	pin->lingers = false;
	pin->since_us = monotonic_now_us();
	(void)pthread_mutex_lock(&pins->lock);
	hold(pins, pin);
	(void)pthread_mutex_unlock(&pins->lock);
}

/* A pin of nobody, until the end of the sweep. */
static void linger(struct pins *pins, const struct pin *pin)
{
	struct pin *copy = malloc(sizeof(*copy));

	if (!copy) {
		pins->is_blind = true;
		return;
	}
	*copy = *pin;
	copy->lingers = true;
	push(bucket_of(pins, pin->sha256), copy);
}

void pins_drop(struct pins *pins, struct pin *pin, int64_t long_us)
{
	(void)pthread_mutex_lock(&pins->lock);
	unlink_pin(bucket_of(pins, pin->sha256), pin);
	pins->count--;
	if (pins->is_sweeping && monotonic_now_us() - pin->since_us >= long_us)
		linger(pins, pin);
	(void)pthread_mutex_unlock(&pins->lock);
}

size_t pins_count(struct pins *pins)
{
	(void)pthread_mutex_lock(&pins->lock);
	size_t count = pins->count;
	(void)pthread_mutex_unlock(&pins->lock);
	return count;
}

void pins_begin_sweep(struct pins *pins)
{
	(void)pthread_mutex_lock(&pins->lock);
	pins->is_sweeping = true;
	pins->is_blind = false;
	(void)pthread_mutex_unlock(&pins->lock);
}

static void free_lingering(struct pins *pins)
{
	for (size_t i = 0; i < PINS_BUCKETS; i++) {
		for (struct pin **at = &pins->held[i]; *at;) {
			struct pin *pin = *at;

			if (pin->lingers) {
				*at = pin->next;
				free(pin);
			} else {
				at = &pin->next;
			}
		}
	}
}

void pins_end_sweep(struct pins *pins)
{
	(void)pthread_mutex_lock(&pins->lock);
	pins->is_sweeping = false;
	free_lingering(pins);
	(void)pthread_mutex_unlock(&pins->lock);
}

bool pins_begin_removal(struct pins *pins, struct pin *removal)
{
	(void)pthread_mutex_lock(&pins->lock);
	bool may = !pins->is_blind && !holds(*bucket_of(pins, removal->sha256), removal->sha256);
	if (may)
		push(&pins->removed, removal);
	(void)pthread_mutex_unlock(&pins->lock);
	return may;
}

void pins_end_removal(struct pins *pins, struct pin *removal)
{
	struct pin *ready = NULL;

	(void)pthread_mutex_lock(&pins->lock);
	unlink_pin(&pins->removed, removal);
	for (struct pin **at = &pins->waiting; *at;) {
		struct pin *pin = *at;

		if (memcmp(pin->sha256, removal->sha256, SHA256_BYTES) != 0) {
			at = &pin->next;
			continue;
		}
		*at = pin->next;
		hold(pins, pin);
		pin->next_ready = ready;
		ready = pin;
	}
	(void)pthread_mutex_unlock(&pins->lock);
	while (ready) {
		struct pin *pin = ready;

		ready = pin->next_ready;
		pin->ready(pin);
	}
}

void pins_deinit(struct pins *pins)
{
	free_lingering(pins);
	(void)pthread_mutex_destroy(&pins->lock);
}
