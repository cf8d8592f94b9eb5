/* A layer around any backend that keeps the bytes of large values in a store of objects.
 *
 *   set      a value over the limit becomes an object first; the backend gets a reference to it
 *   get      a reference becomes a value again: with a body for who takes bodies, else with its
 * bytes check    the backend's checks, and whether the objects can be reached sync     the objects,
 * then the backend the rest the backend: ETags, sizes and accounts are those of the bytes
 *
 * Objects that no entry names any more are removed by a sweep (sweep.h). */
#ifndef STEADYCACHE_LARGE_LAYER_H
#define STEADYCACHE_LARGE_LAYER_H

#include "store/backend.h"

/* Filled by large_options, all but the last three members. */
struct large_config {
	const char *url;            /* dir:/path or s3://...; NULL: no layer */
	long long value_bytes;      /* values that long, or longer, become objects */
	long long value_max_mb;     /* the longest value of all */
	int64_t sweep_us, grace_us; /* how often; and how old an object without entry gets */
	const char *access_key;     /* of S3; NULL: AWS's own names and files */
	const char *secret_key;
	const char *ca_file; /* NULL: the system's */
	int64_t timeout_us;  /* of S3 */
	/* What is read into memory for who takes no bodies, bytes; 0: as much as the op says. */
	uint64_t whole_max_bytes;
	/* The backend, one line without secrets; its first word is what all servers that share it
	 * say. The store refuses others. NULL: it is not noted. */
	const char *owner;
	/* No object is removed: for a tool, whose backend may not be the one that names them. */
	bool never_sweeps;
};

extern const struct option_table large_options;

/* Whether `config`, which has a URL, can be right, without touching anything; false with a sentence
 * in `error`. */
bool large_layer_check(const struct large_config *config, char *error, size_t error_size);

/* Whether values are written down in backend_config.data_dir first. */
bool large_layer_wants_dir(const struct large_config *config);

/* Puts the layer around `inner`, which then belongs to it. `config` is that of `inner`. On failure
 * NULL, with a sentence in `error`, and `inner` is the caller's. */
struct backend *large_layer_open(struct backend *inner, const struct large_config *large,
				 const struct backend_config *config, char *error,
				 size_t error_size);

#endif
