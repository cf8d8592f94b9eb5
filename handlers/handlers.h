/* Every handler there is. server/http/routes.c says which path leads to which. */
#ifndef STEADYCACHE_HANDLERS_H
#define STEADYCACHE_HANDLERS_H

#include "handlers/respond/request.h"

/* /api/...: the D1 proxy API (d1api.c). All are POST with a JSON object. */
extern const struct handler d1_init_handler;
extern const struct handler d1_get_handler;
extern const struct handler d1_set_handler;
extern const struct handler d1_delete_handler;
extern const struct handler d1_exists_handler;
extern const struct handler d1_batch_get_handler;
extern const struct handler d1_batch_set_handler;
extern const struct handler d1_batch_delete_handler;
extern const struct handler d1_clear_handler;
extern const struct handler d1_stats_handler;

/* /cache/{ns}/{key} (entry.c) */
extern const struct handler entry_get_handler; /* GET and HEAD */
extern const struct handler entry_put_handler;
/* The type that a PUT whose Content-Type is `given` (NULL: there is none) stores; NULL: the default
 * one, also in place of that of HTML forms, which curl, urllib, Ruby and PHP send unasked. */
const char *stored_content_type(const char *given);
extern const struct handler entry_delete_handler;

/* /cache, /cache/{ns} (namespace.c) */
extern const struct handler namespaces_get_handler;  /* GET /cache: all namespaces */
extern const struct handler namespace_list_handler;  /* GET: keys */
extern const struct handler namespace_put_handler;   /* PUT: limits */
extern const struct handler namespace_clear_handler; /* DELETE */

/* /batch/{ns}/... (batch.c); POST */
extern const struct handler batch_get_handler;
extern const struct handler batch_set_handler;
extern const struct handler batch_delete_handler;
extern const struct handler batch_exists_handler;

/* /openapi.yaml, /openapi.json (openapi.c) */
extern const struct handler openapi_yaml_handler;
extern const struct handler openapi_json_handler;

/* /stats, /stats/{ns}, /healthz, /readyz, /sync (stats.c, health.c) */
extern const struct handler stats_handler;
extern const struct handler namespace_stats_handler;
extern const struct handler healthz_handler;
extern const struct handler readyz_handler;
extern const struct handler sync_handler; /* POST */

/* /export, /import (export.c, import.c) */
extern const struct handler export_handler; /* GET and HEAD */
extern const struct handler import_handler; /* POST */

/* /metrics (metrics.c) */
extern const struct handler metrics_handler;

/* /admin/log-level (log_level.c) */
extern const struct handler log_level_get_handler; /* GET and HEAD */
extern const struct handler log_level_put_handler;

/* /docs, /ui, /assets/{key} (pages.c) */
extern const struct handler docs_handler;
extern const struct handler ui_handler;
extern const struct handler assets_handler;

/* Answers with an error in the request's style: `detail` (formatted, a sentence that says what to
 * change) as `error`, and in a problem document also `type`, `title`, `status`, `detail`. Text that
 * comes from outside is escaped. */
void respond_error(const struct request *request, struct response *response, unsigned status,
		   const char *format, ...) __attribute__((format(printf, 4, 5)));

/* Answers for a completed op that failed: its HTTP status, its detail or the status's sentence,
 * with Retry-After on 503. */
void respond_op_failure(const struct request *request, struct response *response);
/* What such an answer says in Retry-After; 0: nothing. */
unsigned retry_after_s_of(const struct cache_op *op);

/* For a problem document with members of its own: appends those that all have (without braces), and
 * makes `json`, which is taken over, the answer. */
void problem_append(struct buffer *json, unsigned status, struct slice detail);
void problem_respond(struct response *response, unsigned status, struct buffer *json);

/* Re-writes a JSON body with an indent of two spaces (?pretty). Done by the server, last. */
void response_pretty(struct response *response);

#endif
