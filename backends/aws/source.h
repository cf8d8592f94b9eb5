/* Where keys come from. The thread of credentials.c asks. */
#ifndef STEADYCACHE_AWS_SOURCE_H
#define STEADYCACHE_AWS_SOURCE_H

#include <stdint.h>

#include "backends/aws/credentials.h"

/* The place of a file's name, an address and the like in the longest sentence. */
#define AWS_SENTENCE_SIZE 512

struct aws_found {
	struct aws_keys keys;
	int64_t ends_at_us; /* real time; 0: they do not end */
};

struct aws_source {
	const struct aws_source_ops *ops;
};

struct aws_source_ops {
	/* It may give other keys later, though those of today do not end: ask from time to time. */
	bool may_change;
	/* It answers at once, without a network. */
	bool is_near;
	/* False, with a sentence without any secret. One thread at a time. */
	bool (*ask)(struct aws_source *source, struct aws_found *ret, char *error,
		    size_t error_size);
	/* Ends the present `ask` and those to come at once. Any thread. NULL: not needed. */
	void (*stop)(struct aws_source *source);
	void (*close)(struct aws_source *source);
};

#endif
