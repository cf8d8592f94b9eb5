/* A call of the JSON APIs (/api/..., /batch/...): the parsed body and the items made from it, kept
 * from start to cleanup because the op borrows from them. */
#ifndef STEADYCACHE_HANDLERS_CALL_H
#define STEADYCACHE_HANDLERS_CALL_H

#include "handlers/json/json_in.h"
#include "handlers/json/json_scan.h"

/* The members of a call besides its list; json_scan accepts only those before SCANNED_FAST. */
enum {
	SCANNED_CACHE_NAME,
	SCANNED_KEY,
	SCANNED_VALUE,
	SCANNED_SIZE,
	SCANNED_FAST,
	SCANNED_WAIT = SCANNED_FAST,
	SCANNED_LEASE,
	SCANNED_MAX_SIZE_MB,
	SCANNED_TTL,
	SCANNED_MEMBERS
};
/* Those of an item of a batch; from `ttl` on only on /batch. */
enum {
	SCANNED_ITEM_KEY,
	SCANNED_ITEM_VALUE,
	SCANNED_ITEM_SIZE,
	SCANNED_ITEM_TTL,
	SCANNED_ITEM_CONTENT_TYPE,
	SCANNED_ITEM_ENCODING,
	SCANNED_ITEM_HEADERS,
	SCANNED_ITEM_MEMBERS
};

struct call {
	/* The members of the body; their texts point into it. A member that a call does not have is
	 * never found. */
	struct scan_member scanned[SCANNED_MEMBERS];
	struct scan_list list;    /* of a batch */
	struct cache_item *items; /* of a batch; distinct keys */
	bool is_batch_route;      /* /batch/{ns}/...: items may carry more */
};

/* Reads the body and, on /api, `cache_name` into op->ns; on /batch the name is the path's.
 * Initializes request->op. The call is request->state. NULL: the request is answered. */
struct call *call_open(struct request *request, struct response *response, enum cache_op_type type);
/* The same for a call of one item on /api, which is the hot path. */
struct call *call_open_single(struct request *request, struct response *response,
			      enum cache_op_type type);
/* The same for a batch on both routes: call_items.c reads the rest. */
struct call *call_open_batch(struct request *request, struct response *response,
			     enum cache_op_type type);

/* 503, or whatever status CACHE_NO_MEMORY has. */
void call_respond_no_memory(const struct request *request, struct response *response);
/* Answers {"success":true}, or the failure of the op. */
void call_finish_success(struct request *request, struct response *response);
/* Answers {"results":{...}} of a batch get or exists. */
void call_finish_results(struct request *request, struct response *response);

/* Frees the call and the values of a SET; the `cleanup` of the handlers. */
void call_close(struct request *request);

#endif
