/* What the parts of the dynamodb backend share: the state of the backend, of a call, and the stages
 * that a call goes through. I/O thread, but for what says otherwise. */
#ifndef STEADYCACHE_DYNAMODB_STATE_H
#define STEADYCACHE_DYNAMODB_STATE_H

#include <jansson.h>

#include "backends/aws/credentials.h"
#include "backends/dynamodb/settings.h"
#include "backends/dynamodb/space.h"
#include "backends/remote/protocol.h"

/* Bounds of DynamoDB. */
#define DYNAMODB_GET_MAX      100 /* keys of BatchGetItem */
#define DYNAMODB_WRITE_MAX    25  /* of BatchWriteItem */
#define DYNAMODB_TRANSACT_MAX 100
/* And bytes; an entry has up to so many besides its key and its value. */
#define DYNAMODB_TRANSACT_BYTES (4U << 20)
#define DYNAMODB_ENTRY_BYTES    1600
#define DYNAMODB_NAME_MAX       1023 /* of a sort key, less the byte before it (wire.h) */
#define DYNAMODB_SHARDS         16   /* of a new table */
/* An item has up to 400 KB, of which a value leaves room for keys and the other attributes. */
#define DYNAMODB_VALUE_MAX (400 * 1024 - 2048)
/* The longest key, which stands in an item besides its value. */
#define DYNAMODB_KEY_MAX ((size_t)350 * 1024)

/* context->user */
struct dynamodb_state {
	struct dynamodb_settings settings;
	struct aws_credentials *credentials;
	struct dynamodb_spaces spaces;

	unsigned shards; /* of the table; 0: not known yet */
	int64_t read_us; /* when what the table says of itself was read last, monotonic; 0: never */
	int64_t read_again_us; /* monotonic: not before */
	const char *fault;     /* why the table cannot be used; NULL: it can */
	const char *lack;      /* what it lacks although it can be used; NULL: nothing */

	char writer[17];     /* the name of this process among those that write accounts */
	unsigned slot;       /* the part of the accounts that it writes to */
	uint64_t random;     /* for names of writes, and pauses */
	int64_t flush_at_us; /* monotonic; when accounts are due; INT64_MAX: there are none */
	/* Monotonic: when what the table says is read again in any case, as a namespace that was
	 * written to may have been dropped before; INT64_MAX: nothing was written since. */
	int64_t reread_at_us;
	struct cache_op *flush_op, *sweep_op, *recall_op; /* in progress; NULL: none */
	struct dynamodb_space *swept;                     /* by sweep_op */
	struct dynamodb_space *recalled;                  /* by recall_op */
	int64_t sweep_not_before_us;                      /* monotonic */
};

static inline struct dynamodb_state *dynamodb_state_of(const struct remote_context *context)
{
	return context->user;
}

/* The time of entries. */
static inline int64_t dynamodb_now_us(const struct remote_context *context)
{
	const struct cache_clock *clock = context->config->clock;

	return cache_clock_now_us(clock ? clock : &system_clock);
}

static inline int64_t dynamodb_mono_us(void)
{
	return cache_clock_now_us(&monotonic_clock);
}

/* 16 hex digits that nobody else has. */
void dynamodb_state_name(struct dynamodb_state *state, char ret[static 17]);

/* ---- Calls ---- */

/* An answer that is for a stage. */
struct dynamodb_reply {
	json_t *root;
	struct slice error; /* the type of an exception; empty: it succeeded */
};

/* A kind of request, or of several at once, and what their answers mean. */
struct dynamodb_stage {
	const char *target; /* the call of DynamoDB */
	/* The exception that `read` knows; any other fails the call. NULL: none. */
	const char *exception;
	/* As those of a dialect. NULL: one part. */
	size_t (*parts)(const struct remote_context *context, struct remote_call *call);
	bool (*write)(const struct remote_context *context, struct remote_call *call, size_t part,
		      struct buffer *out);
	/* Further stages follow by dynamodb_call_next. */
	enum remote_step (*read)(const struct remote_context *context, struct remote_call *call,
				 size_t part, const struct dynamodb_reply *reply);
};

/* call->state */
struct dynamodb_call {
	const struct dynamodb_stage *stage;
	/* The first stage of the operation, once the table is ready; NULL: its ops are completed
	 * already. */
	const struct dynamodb_stage *(*begin)(const struct remote_context *context,
					      struct remote_call *call);
	int64_t now_us;  /* when the operation takes place */
	char name[17];   /* of this write */
	unsigned pauses; /* one after the other */
	void *plan;      /* the stage's, from malloc */
	void (*free_plan)(void *plan);
};

static inline struct dynamodb_call *dynamodb_call_of(const struct remote_call *call)
{
	return call->state;
}

/* The only op of a call whose jobs are not merged; NULL: it is completed already. */
static inline struct cache_op *dynamodb_call_op(const struct remote_call *call)
{
	return call->jobs.first->op;
}

/* What `read` returns if the call goes on with `stage`, or has ended: once the last part is
 * answered. */
enum remote_step dynamodb_call_next(struct remote_call *call, const struct dynamodb_stage *stage);
enum remote_step dynamodb_call_end(const struct remote_call *call);
/* The same as dynamodb_call_next, after a pause that grows. */
enum remote_step dynamodb_call_again(const struct remote_context *context, struct remote_call *call,
				     const struct dynamodb_stage *stage);
/* Fails what is left of the call. */
enum remote_step dynamodb_call_fail(struct remote_call *call, enum cache_status status,
				    const char *sentence);

static inline bool dynamodb_reply_is(const struct dynamodb_reply *reply, const char *error)
{
	return slice_equal(reply->error, slice_of(error));
}

#endif
