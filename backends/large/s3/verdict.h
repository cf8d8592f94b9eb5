/* What the answer to a request means: for the layer, for the next try, for the breaker, for the
 * counters. Pure, but for sentences of the store that are kept. */
#ifndef STEADYCACHE_LARGE_S3_VERDICT_H
#define STEADYCACHE_LARGE_S3_VERDICT_H

#include <curl/curl.h>
#include <stdbool.h>

#include "backends/remote/details.h"
#include "backends/remote/failure.h"
#include "base/slice.h"
#include "base/status.h"

/* How a request ended. */
struct s3_outcome {
	CURLcode code;
	bool is_late;        /* the time was over */
	bool was_in_line;    /* it never left the line */
	bool was_connected;  /* something was sent, or could have been */
	long status;         /* HTTP; 0: none */
	struct slice answer; /* the body, unless it went elsewhere */
	bool is_xml;         /* a 2xx has a body in XML, and may be an error all the same */
	long retry_after_s;  /* -1: not said */
};

struct s3_verdict {
	enum cache_status status;
	const char *sentence; /* lasts as long as the details; NULL with CACHE_OK */
	enum remote_failure failure;
	unsigned retry_after_s; /* 0: not said */
	bool may_retry;         /* another try may succeed */
	bool is_outage;         /* counts for the breaker */
	bool is_refused;        /* of the credentials */
	char code[64];          /* of the store's error: "NoSuchKey"; empty: none */
};

/* A 404 is CACHE_NOT_FOUND if an object or an upload is missing, but not if the bucket is. */
struct s3_verdict s3_verdict_of(const struct s3_outcome *outcome, struct remote_details *details);

#endif
