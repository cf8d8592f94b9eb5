#include "tests/drivers/persisted.h"

#include "backends/memory/memory.h"
#include "backends/persist/persist.h"

static struct backend *open_with(const struct backend_config *config,
				 const struct memory_settings *settings, char *error,
				 size_t error_size)
{
	struct backend_config own = *config;

	own.settings = settings;
	return persist_backend_ops.open(&own, error, error_size);
}

static struct backend *persisted_open(const struct backend_config *config, char *error,
				      size_t error_size)
{
	static const struct memory_settings settings = {.persist_every_us = 20000};

	return open_with(config, &settings, error, error_size);
}

static struct backend *spilling_open(const struct backend_config *config, char *error,
				     size_t error_size)
{
	static const struct memory_settings settings = {
		.persist_every_us = 20000,
		.max_bytes = 64 << 20,
		.spills_all = true,
	};

	return open_with(config, &settings, error, error_size);
}

#define PERSISTED(the_name, the_open)                                                              \
	{                                                                                          \
		.name = (the_name), .bits = BACKEND_PERSISTS | BACKEND_WANTS_DIR | BACKEND_WHOLE,  \
		.default_policy = EVICT_FIFO, .headroom_record_bytes = MEMORY_RECORD_BYTES,        \
		.open = (the_open)                                                                 \
	}

const struct backend_ops persisted_backend_ops = PERSISTED("persisted", persisted_open);
const struct backend_ops spilling_backend_ops = PERSISTED("spilling", spilling_open);
