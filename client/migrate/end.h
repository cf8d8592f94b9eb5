/* The two ends of a migration. A source gives entries batch by batch, a sink takes them. Backends,
 * export files and servers are ends; another kind is one more file that fills these tables, and a
 * line in open.c.
 *
 * All calls block. Errors are struct failure: a sentence, and the exit code that it means. */
#ifndef STEADYCACHE_CLIENT_MIGRATE_END_H
#define STEADYCACHE_CLIENT_MIGRATE_END_H

#include "client/client.h"
#include "client/migrate/batch.h"

struct migrate_failure {
	int code;        /* enum client_exit; CLIENT_DONE: none */
	bool is_passing; /* the same may succeed later */
	unsigned retry_after_s;
	long status; /* of a server's answer; 0: none */
	char text[600];
};

/* Fills `failure` and returns false. */
bool migrate_fail(struct migrate_failure *failure, int code, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* How long to wait before the try after the `attempt`-th, which failed so; the first was made at
 * `since_us` (monotonic). -1: another is no use, or the patience of a minute is over. */
int64_t migrate_pause_us(const struct migrate_failure *failure, int64_t since_us, unsigned attempt);

/* What is to be taken from a source. */
struct migrate_selection {
	const char *const *globs; /* names of namespaces, with * ? [ */
	size_t glob_count;        /* 0: all */
};

bool migrate_selects(const struct migrate_selection *selection, const char *ns);

/* The settings that somebody gave to a namespace; those that are not in the mask are defaults. */
struct migrate_namespace {
	char name[NAMESPACE_MAX_LEN + 1];
	struct namespace_settings settings;
	unsigned mask; /* enum namespace_settings_mask */
	uint64_t entries, bytes;
};

enum migrate_step { MIGRATE_BATCH, MIGRATE_END, MIGRATE_FAILED };

struct migrate_source;
struct migrate_source_ops {
	/* Fills the empty `ret` with the next entries. One thread at a time. */
	enum migrate_step (*next)(struct migrate_source *source, struct migrate_batch *ret,
				  struct migrate_failure *failure);
	/* Fills the empty `ret` with those entries of the batch that are open and have another
	 * value or expiry by now, as they are now; one that cannot be read is counted in
	 * ret->unreadable, one that is gone is left out. Only if is_shared; any thread. */
	bool (*look)(struct migrate_source *source, const struct migrate_batch *batch,
		     struct migrate_batch *ret, struct migrate_failure *failure);
	/* Ends a `next` that another thread waits in, as soon as possible. May be NULL. */
	void (*interrupt)(struct migrate_source *source);
	void (*close)(struct migrate_source *source);
};

struct migrate_source {
	const struct migrate_source_ops *ops;
	/* Where the entries are, as far as known: what is selected, malloc'ed. */
	struct migrate_namespace *namespaces;
	size_t namespace_count;
	uint64_t total_entries, total_bytes; /* about; 0: unknown */
	bool total_is_of_input;              /* total_bytes counts `batch.input_bytes` */
	bool has_places;                     /* its batches can be resumed after */
	bool is_shared;                      /* others may write to it meanwhile */
};

/* What a sink has for a key. */
struct migrate_found {
	bool exists;
	struct etag etag;
	char head[VALUE_HEAD_MAX_LEN + 1];  /* "": not known */
	int64_t modified_us, expires_at_us; /* 0: unknown; never */
	int64_t tolerance_us;               /* of expires_at_us */
	bool has_no_expiry;                 /* expires_at_us is not known */
	bool is_unknown;                    /* the sink cannot look it up */
};

struct migrate_sink;
struct migrate_sink_ops {
	/* Decides and stores what is undecided in the batch. False: the sink failed as a whole; a
	 * repetition stores nothing twice. Up to `lanes` threads at a time. */
	bool (*put)(struct migrate_sink *sink, struct migrate_batch *batch,
		    struct migrate_failure *failure);
	/* Looks up the keys of the batch; `ret` has room for all. NULL: it cannot. As put. */
	bool (*find)(struct migrate_sink *sink, const struct migrate_batch *batch,
		     struct migrate_found *ret, struct migrate_failure *failure);
	/* Sets what the mask names, unless the sink has the namespace already and keeps it. NULL:
	 * it has no settings. *ret_kept: it had it. */
	bool (*configure)(struct migrate_sink *sink, const struct migrate_namespace *ns,
			  bool replaces, struct migrate_failure *failure);
	/* Returns when everything put before survives the end of this process. */
	bool (*settle)(struct migrate_sink *sink, struct migrate_failure *failure);
	/* After the last put, if all went well. May be NULL. */
	bool (*finish)(struct migrate_sink *sink, struct migrate_failure *failure);
	void (*close)(struct migrate_sink *sink);
};

struct migrate_sink {
	const struct migrate_sink_ops *ops;
	enum merge_policy policy;
	bool is_dry;
	bool stamps;    /* what is put counts as stored at that moment */
	unsigned lanes; /* batches at a time; with 1 they come in order */
};

#endif
