/* The commands of one request, in the order of their replies; call->state. */
#ifndef STEADYCACHE_REDIS_BATCH_H
#define STEADYCACHE_REDIS_BATCH_H

#include "backends/redis/reply.h"
#include "backends/redis/state.h"

enum redis_kind {
	COMMAND_PING,
	COMMAND_TIME,
	COMMAND_CLAIM, /* the number of partitions, if there is none yet (claim.h) */
	COMMAND_CLAIMED,
	COMMAND_SETTINGS, /* stats, for what a read needs of them */
	COMMAND_USE,
	COMMAND_HEADS, /* those of the COMMAND_GET that follows it: when its entries were used */
	COMMAND_GET,
	COMMAND_EXISTS,
	COMMAND_SET,
	COMMAND_SET_EACH, /* single ones without a condition, whosever they are */
	COMMAND_DELETE,
	COMMAND_EXPIRE,
	COMMAND_CLEAR,
	COMMAND_CLEAR_PREFIX,
	COMMAND_DROP,
	COMMAND_UNNAME, /* takes the namespace out of the list; in a Cluster */
	COMMAND_LIST,
	COMMAND_NAMES,
	COMMAND_STATS,
	COMMAND_CONFIGURE,
	COMMAND_WORK,
	COMMAND_NAME,
	COMMAND_LEASE_TAKE,
	COMMAND_LEASE_END,
	REDIS_KINDS
};

struct redis_command {
	enum redis_kind kind;
	struct redis_part *part;           /* NULL: of none */
	struct remote_job *job, *last_job; /* for whom; more than one by `grouped`; NULL: nobody */
	size_t item_count;
	struct redis_uses uses; /* of COMMAND_USE, until it is acknowledged */
	int64_t told_us;        /* the time that a set was given; 0: none */
	/* Of a COMMAND_GET, while its answer is read: the reply to its COMMAND_HEADS. */
	const struct redis_reply *heads;
};

/* What an op has still to do (op->progress). */
enum redis_phase {
	PHASE_FIRST,
	PHASE_NAME,   /* its namespace is to be put into the list */
	PHASE_WORK,   /* steps of `work` */
	PHASE_ALL,    /* the names are known: statistics of each */
	PHASE_ABSENT, /* statistics were told of a partition that does not exist */
	PHASE_UNNAME, /* a dropped namespace is to leave the list: as it was submitted */
};

struct redis_batch {
	struct redis_command *commands;
	size_t count, capacity;
	bool writes;         /* some command changes something, or must come after one that did */
	bool hears;          /* is sent only while news are heard */
	unsigned route;      /* remote_request.route */
	struct buffer after; /* where a listing or a clear goes on */
	bool has_after;
	unsigned rounds;           /* of `work` */
	struct redis_part **named; /* of a STATS of all */
	size_t named_count;
};

/* Forgets the commands: what they have not told goes back. */
void redis_batch_empty(struct redis_batch *batch);
/* NULL is fine. */
void redis_batch_free(struct redis_batch *batch);

/* Appends a command; NULL: out of memory. */
struct redis_command *redis_batch_add(struct redis_batch *batch, enum redis_kind kind,
				      struct redis_part *part, struct remote_job *job);

/* The same for one that jobs of one partition share: `job` joins it if it is there already. */
struct redis_command *redis_batch_share(struct redis_batch *batch, enum redis_kind kind,
					struct redis_part *part, struct remote_job *job);

#endif
