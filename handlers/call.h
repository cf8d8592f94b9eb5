/* A call of the JSON APIs (/api/..., /batch/...): the parsed body and the items made of it, kept
 * from start to cleanup because the op borrows from them. */
#ifndef STEADYCACHE_HANDLERS_CALL_H
#define STEADYCACHE_HANDLERS_CALL_H

#include "handlers/json_in.h"
#include "handlers/json_scan.h"

/* The members of a call of one item, as json_scan reads them. */
enum { SCANNED_CACHE_NAME, SCANNED_KEY, SCANNED_VALUE, SCANNED_SIZE, SCANNED_MEMBERS };
/* Those of an item of a batch; from `ttl` on only on /batch. */
enum {
	SCANNED_ITEM_KEY,
	SCANNED_ITEM_VALUE,
	SCANNED_ITEM_SIZE,
	SCANNED_ITEM_TTL,
	SCANNED_ITEM_CONTENT_TYPE,
	SCANNED_ITEM_ENCODING,
	SCANNED_ITEM_MEMBERS
};

struct call {
	json_t *root; /* NULL: `scanned` has the members, and `list` the items of a batch */
	struct scan_member scanned[SCANNED_MEMBERS];
	struct scan_list list;
	struct cache_item *items; /* of a batch; distinct keys */
	bool is_batch_route;      /* /batch/{ns}/...: items may carry more */
};

/* Parses the body and, on /api, reads `cache_name` into op->ns; on /batch the name is the path's.
 * Initialises request->op. NULL: answered. The call is request->state. */
struct call *call_open(struct request *request, struct response *response, enum cache_op_type type);
/* The same for a call of one item on /api, which is the hot path: its root may be NULL, and only
 * call_read_key and call_read_value (with that root) read the rest. */
struct call *call_open_single(struct request *request, struct response *response,
			      enum cache_op_type type);
/* The same for a batch on both routes: call_read_keys or call_read_items read the rest. */
struct call *call_open_batch(struct request *request, struct response *response,
			     enum cache_op_type type);

/* The `key` member into op->one. */
bool call_read_key(struct request *request, struct response *response);
/* `value`, `size` of one item (and on /batch `ttl`, `content_type`, `encoding`). */
bool call_read_value(struct request *request, struct response *response, const json_t *object,
		     const char *path, struct cache_item *item);
/* The `keys` array into the op's items, each key once. */
bool call_read_keys(struct request *request, struct response *response);
/* The `items` array into the op's items; of two with one key the later stays. */
bool call_read_items(struct request *request, struct response *response);

/* 507, or what else stands for CACHE_NO_MEMORY. */
void call_respond_no_memory(const struct request *request, struct response *response);
/* {"success":true}, or the failure of the op. */
void call_finish_success(struct request *request, struct response *response);
/* {"results":{...}} of a batch get or exists. */
void call_finish_results(struct request *request, struct response *response);

/* Frees the call and the values of a SET; the `cleanup` of the handlers. */
void call_close(struct request *request);

/* The three steps of a batch, for both routes. */
enum handler_step call_start_batch_get(struct request *request, struct response *response);
enum handler_step call_start_batch_set(struct request *request, struct response *response);
enum handler_step call_start_batch_delete(struct request *request, struct response *response);

#endif
